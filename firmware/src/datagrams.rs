//! Clients over UDP: takes datagrams, gives each to the worker, and sends the replies.

use core::net::SocketAddr;
use core::task::{Context, Waker};

use embassy_net::udp::UdpSocket;
use filter_core::gateway::{Client, Event, Transport};

use crate::address::{self, client_key};
use crate::worker::{DNS_PORT, Worker};

/// The longest query that is read. Longer ones have nothing to say that a gateway serves.
const QUERY_LEN_MAX: usize = 1280;

/// The socket clients send to.
pub(crate) struct Listener(UdpSocket<'static>);

impl Listener {
    pub(crate) fn new(mut socket: UdpSocket<'static>) -> Listener {
        // Not bound yet, and the port is one.
        let _ = socket.bind(DNS_PORT);
        Listener(socket)
    }

    /// Sends a reply. Where there is no room, it is as good as lost on the way: the client asks
    /// again.
    pub(crate) fn reply(&self, to: SocketAddr, message: &[u8]) {
        let Some(to) = address::endpoint(to) else { return };
        let _ = self.0.poll_send_to(message, to, &mut Context::from_waker(Waker::noop()));
    }
}

/// Serves clients; for ever.
#[embassy_executor::task]
pub(crate) async fn serve(worker: &'static Worker) {
    let mut buffer = [0; QUERY_LEN_MAX];
    loop {
        let Ok((len, from)) = worker.listener.0.recv_from(&mut buffer).await else { continue };
        let address = address::of_endpoint(from.endpoint);
        if !worker.serves(address.ip()) {
            continue;
        }
        let key = client_key(address.ip());
        let client = Client { key, profile: 0, transport: Transport::Udp, address, socket: 0 };
        let message = buffer.get(..len).unwrap_or_default();
        worker.handle(Event::Query { client, message });
    }
}
