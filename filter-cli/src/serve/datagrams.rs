//! Clients over UDP: takes datagrams in batches, gives each to the worker, and sends the replies to a
//! batch together.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::rc::Rc;

use filter_core::gateway::{Client, Event, Transport};
use tokio::net::UdpSocket;

use super::inbox::{BATCH, Kind, ask_for_local};
use super::outbox::Outbox;
use super::ways::Way;
use super::worker::{Worker, client_key};

/// A socket clients send to.
pub(super) struct Listener {
    socket: UdpSocket,
    kind: Kind,
    outbox: RefCell<Outbox>,
}

impl Listener {
    /// To be called on the thread that will listen.
    pub(super) fn new(socket: std::net::UdpSocket) -> io::Result<Listener> {
        let kind = ask_for_local(&socket)?;
        let outbox = RefCell::new(Outbox::new());
        Ok(Listener { socket: UdpSocket::from_std(socket)?, kind, outbox })
    }

    /// Gives the worker the datagrams that have come to this listener with a number; how many.
    fn take(&self, worker: &Rc<Worker>, number: usize) -> usize {
        let mut inbox = worker.inbox.borrow_mut();
        let datagrams = inbox.receive(&self.socket, self.kind);
        let count = datagrams.len();
        for datagram in datagrams {
            if !worker.serves(datagram.from.ip()) {
                continue;
            }
            let way = Way { listener: number, local: datagram.local };
            let Some(socket) = worker.ways.borrow_mut().number(way) else { continue };
            let client = client(datagram.from, socket);
            worker.handle(Event::Query { client, message: datagram.octets });
        }
        count
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

/// Serves the clients of one socket, until the runtime ends.
pub(super) async fn serve(
    worker: Rc<Worker>,
    number: usize,
    listener: Rc<Listener>,
) -> io::Result<()> {
    loop {
        listener.socket.readable().await?;
        if listener.take(&worker, number) == BATCH {
            // Whatever the flood, the replies, upstreams and streams have their turn.
            tokio::task::yield_now().await;
        }
    }
}

fn client(address: SocketAddr, socket: u16) -> Client {
    let key = client_key(address.ip());
    Client { key, profile: 0, transport: Transport::Udp, address, socket }
}
