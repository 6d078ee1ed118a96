//! Upstreams over UDP: sends questions from ports nobody can foresee, and gives the worker what
//! comes back to them.
//!
//! A forger has to hit the port a question left from. Ports the engine numbers are sockets, each
//! bound to a port that is drawn by chance and used for some seconds only, so that whoever finds
//! out which ports are open does not know it for long.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll, Waker};

use embassy_net::udp::UdpSocket;
use embassy_time::{Duration, Instant};
use filter_core::gateway::{Event, Transport};

use crate::address;
use crate::worker::Worker;

/// How many ports the engine can choose from.
pub(crate) const COUNT: usize = 8;
/// How long questions leave from a port. What is on its way when it changes is lost, and asked
/// again by the engine.
const LIFETIME: Duration = Duration::from_secs(10);
/// More than the 1232 octets we announce that we take.
pub(crate) const MESSAGE_LEN_MAX: usize = 1280;
/// Those below belong to services.
const FIRST: u16 = 1024;

/// A socket, and since when it is bound to its port.
pub(crate) struct Port {
    socket: RefCell<UdpSocket<'static>>,
    opened: Cell<Option<Instant>>,
}

impl Port {
    pub(crate) fn new(socket: UdpSocket<'static>) -> Port {
        Port { socket: RefCell::new(socket), opened: Cell::new(None) }
    }

    /// Sends a question. What cannot be sent is as good as lost on the way: the engine asks again.
    pub(crate) fn send(&self, to: SocketAddr, message: &[u8], random: &mut dyn FnMut() -> u32) {
        let Some(to) = address::endpoint(to) else { return };
        let is_fresh = self.opened.get().is_some_and(|opened| opened.elapsed() < LIFETIME);
        let mut socket = self.socket.borrow_mut();
        if !is_fresh {
            socket.close();
            let span = u32::from(u16::MAX - FIRST) + 1;
            let port = FIRST + ((u64::from(random()) * u64::from(span)) >> 32) as u16;
            // Another of our ports may be the same by chance. The engine then takes an answer for a
            // stranger's, and asks again.
            let _ = socket.bind(port);
            self.opened.set(Some(Instant::now()));
        }
        let _ = socket.poll_send_to(message, to, &mut Context::from_waker(Waker::noop()));
    }
}

/// Gives the worker what comes to a port; for ever.
#[embassy_executor::task(pool_size = COUNT)]
pub(crate) async fn listen(worker: &'static Worker, number: u16, port: &'static Port) {
    loop {
        poll_fn(|cx| port.socket.borrow().poll_recv_ready(cx)).await;
        take(worker, number, port);
    }
}

/// Takes in one message, for which there is room on the stack while it is looked at.
fn take(worker: &Worker, number: u16, port: &Port) {
    let mut buffer = [0; MESSAGE_LEN_MAX];
    let mut context = Context::from_waker(Waker::noop());
    let received = port.socket.borrow().poll_recv_from(&mut buffer, &mut context);
    let Poll::Ready(Ok((len, from))) = received else { return };
    let message = buffer.get(..len).unwrap_or_default();
    let from = address::of_endpoint(from.endpoint);
    worker.handle(Event::Answer { from, transport: Transport::Udp, port: number, message });
}
