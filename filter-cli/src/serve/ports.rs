//! Upstreams over UDP: sends questions from ports nobody can foresee, and gives the worker what
//! comes back to them.
//!
//! A forger has to hit the port a question left from. Ports the engine numbers are sockets the
//! system binds, which draws a port from its range by a cryptographic generator. One is used for
//! some seconds only, so that whoever finds out which ports are open does not know it for long, and
//! a place that asks little has few open at all.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::{Rc, Weak};
use std::time::Duration;

use filter_core::gateway::{Event, Transport};
use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::inbox::Kind;
use super::worker::Worker;

/// How many ports the engine can choose from, for each family of addresses.
pub(super) const COUNT: u16 = 128;
/// How long questions leave from a port. Longer than the engine waits for any answer, so that
/// twice of it is long enough to listen there.
const LIFETIME: Duration = Duration::from_secs(10);

/// The ports that are open, by the engine's number and whether they are of IPv6.
#[derive(Default)]
pub(super) struct Ports(RefCell<HashMap<(u16, bool), Port>>);

struct Port {
    /// Gone when nobody listens there any more.
    socket: Weak<UdpSocket>,
    opened: Instant,
}

impl Ports {
    /// Sends a question. What cannot be sent is as good as lost on the way: the engine asks again.
    pub(super) fn send(&self, worker: &Rc<Worker>, port: u16, to: SocketAddr, message: &[u8]) {
        let id = (port, to.is_ipv6());
        let known =
            self.0.borrow().get(&id).and_then(|port| {
                port.socket.upgrade().filter(|_| port.opened.elapsed() < LIFETIME)
            });
        let Some(socket) = known.or_else(|| self.open(worker, id).ok()) else { return };
        // Past the runtime, which would first have to see a new socket as writable.
        let _ = SockRef::from(&*socket).send_to(message, &to.into());
    }

    /// Opens another socket in the place of the one there was, and listens on it.
    fn open(&self, worker: &Rc<Worker>, id: (u16, bool)) -> io::Result<Rc<UdpSocket>> {
        let any: IpAddr =
            if id.1 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let socket = std::net::UdpSocket::bind((any, 0))?;
        socket.set_nonblocking(true)?;
        let socket = Rc::new(UdpSocket::from_std(socket)?);
        let opened = Instant::now();
        self.0.borrow_mut().insert(id, Port { socket: Rc::downgrade(&socket), opened });
        let listening = listen(Rc::clone(worker), id, Rc::clone(&socket));
        tokio::task::spawn_local(timeout_at(opened + 2 * LIFETIME, listening));
        Ok(socket)
    }
}

/// Gives the worker what comes to a port.
async fn listen(
    worker: Rc<Worker>,
    (port, is_ipv6): (u16, bool),
    socket: Rc<UdpSocket>,
) -> io::Result<()> {
    let kind = Kind { is_ipv6, tells_local: false };
    loop {
        socket.readable().await?;
        for datagram in worker.inbox.borrow_mut().receive(&socket, kind) {
            let (from, message) = (datagram.from, datagram.octets);
            worker.handle(Event::Answer { from, transport: Transport::Udp, port, message });
        }
    }
}
