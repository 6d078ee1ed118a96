//! Clients over UDP: takes datagrams in batches, gives each to the worker, and sends the replies to a
//! batch together.

use std::cell::RefCell;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::rc::Rc;

use filter_core::gateway::{Client, Event, Transport};
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::outbox::Outbox;
use super::ways::Way;
use super::worker::{Worker, client_key};

/// A socket clients send to.
pub(super) struct Listener {
    socket: UdpSocket,
    state: UdpSocketState,
    outbox: RefCell<Outbox>,
}

/// The system may hand over up to 64 datagrams of one client as one.
const BUFFER_LEN: usize = 65_536;

impl Listener {
    /// To be called on the thread that will listen.
    pub(super) fn new(socket: std::net::UdpSocket) -> io::Result<Listener> {
        let state = UdpSocketState::new((&socket).into())?;
        let outbox = RefCell::new(Outbox::new());
        Ok(Listener { socket: UdpSocket::from_std(socket)?, state, outbox })
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

    /// Takes in a reply to a client, from an address of ours.
    pub(super) fn reply(&self, to: SocketAddr, local: Option<IpAddr>, message: &[u8]) {
        let mut outbox = self.outbox.borrow_mut();
        if !outbox.has_room_for(local) {
            outbox.send(self.socket.as_raw_fd());
        }
        outbox.push(to, local, message);
    }

    /// Sends what was taken in.
    pub(super) fn send(&self) {
        self.outbox.borrow_mut().send(self.socket.as_raw_fd());
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
        // Whatever the flood, the replies, upstreams and streams have their turn.
        tokio::task::yield_now().await;
    }
}

fn client(address: SocketAddr, socket: u16) -> Client {
    let key = client_key(address.ip());
    Client { key, profile: 0, transport: Transport::Udp, address, socket }
}
