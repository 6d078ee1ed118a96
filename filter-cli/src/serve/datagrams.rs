//! Clients over UDP: takes datagrams in batches, gives each to the worker, and sends replies from the
//! address their query came to, which a socket bound to all addresses has to be told each time.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::rc::Rc;

use filter_core::gateway::{Client, Event, Transport};
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::ways::{Way, Ways};
use super::worker::{Worker, client_key};

/// A socket clients send to.
pub(super) struct Listener {
    socket: UdpSocket,
    state: UdpSocketState,
}

/// The system may hand over up to 64 datagrams of one client as one.
const BUFFER_LEN: usize = 65_536;

impl Listener {
    /// To be called on the thread that will listen.
    pub(super) fn new(socket: std::net::UdpSocket) -> io::Result<Listener> {
        let state = UdpSocketState::new((&socket).into())?;
        Ok(Listener { socket: UdpSocket::from_std(socket)?, state })
    }

    /// The next datagrams, as many as there are.
    async fn receive(
        &self,
        slices: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> io::Result<usize> {
        self.socket
            .async_io(Interest::READABLE, || self.state.recv((&self.socket).into(), slices, metas))
            .await
    }
}

/// Serves the clients of one socket; for ever.
pub(super) async fn serve(worker: Rc<Worker>, number: usize, listener: Rc<Listener>) {
    // Pages nobody writes to take no memory.
    let mut buffers = vec![0; BATCH_SIZE * BUFFER_LEN];
    let mut metas = [RecvMeta::default(); BATCH_SIZE];
    loop {
        let mut slices: Vec<IoSliceMut<'_>> =
            buffers.chunks_mut(BUFFER_LEN).map(IoSliceMut::new).collect();
        let received = listener.receive(&mut slices, &mut metas).await;
        for (buffer, meta) in buffers.chunks(BUFFER_LEN).zip(&metas).take(received.unwrap_or(0)) {
            if !worker.serves(meta.addr.ip()) {
                continue;
            }
            let octets = buffer.get(..meta.len).unwrap_or_default();
            let way = Way { listener: number, local: meta.dst_ip };
            let Some(socket) = worker.ways.borrow_mut().number(way) else { continue };
            let client = client(meta.addr, socket);
            for message in octets.chunks(meta.stride.max(1)) {
                worker.handle(Event::Query { client, message });
            }
        }
        // Whatever the flood, upstreams and streams have their turn.
        tokio::task::yield_now().await;
    }
}

fn client(address: SocketAddr, socket: u16) -> Client {
    let key = client_key(address.ip());
    Client { key, profile: 0, transport: Transport::Udp, address, socket }
}

/// Sends a reply, unless the system has no room for it: the client will ask again.
pub(super) fn reply(listeners: &[Rc<Listener>], ways: &Ways, client: &Client, message: &[u8]) {
    let Some(way) = ways.get(client.socket) else { return };
    let Some(listener) = listeners.get(way.listener) else { return };
    let transmit = Transmit {
        destination: client.address,
        ecn: None,
        contents: message,
        segment_size: None,
        src_ip: way.local,
    };
    let _ = listener.state.try_send((&listener.socket).into(), &transmit);
}
