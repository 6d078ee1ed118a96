//! What a room wants of its gateway besides answers: schedules that know the hour, addresses, and the
//! gateway's name. Each is a service at a socket of its own.

mod dhcp;
mod leases;
mod mdns;
mod time;

use core::convert::Infallible;

use embassy_futures::join::join3;
use embassy_net::udp::UdpSocket;
use embassy_time::{Duration, with_timeout};

use crate::memory::Buffers;
use crate::notice::Notice;
use crate::settings::Settings;
use crate::worker::Worker;
use leases::Leases;

/// How many sockets these services have.
pub(crate) const SOCKETS: usize = 3;
/// How long it may take to find out the way to a neighbor.
const WAY_TIME: Duration = Duration::from_millis(500);

/// What waits at the sockets, and who has which address.
pub(crate) struct Room {
    time: time::Datagrams,
    dhcp: dhcp::Datagrams,
    leases: Leases,
    mdns: Buffers<2, { mdns::MESSAGE_LEN_MAX }, { mdns::ANSWER_LEN_MAX }>,
}

impl Room {
    pub(crate) const fn new() -> Room {
        Room {
            time: Buffers::new(),
            dhcp: Buffers::new(),
            leases: Leases::new(),
            mdns: Buffers::new(),
        }
    }

    /// Serves; for ever.
    pub(crate) async fn serve(
        &'static mut self,
        worker: &Worker,
        settings: &Settings,
        notice: fn(Notice),
    ) -> Infallible {
        let Room { time, dhcp, leases, mdns } = self;
        let time = time::keep(worker, time, settings, notice);
        let dhcp = dhcp::serve(worker, dhcp, leases, settings, notice);
        join3(time, dhcp, mdns::answer(worker, mdns.socket(worker.stack))).await.0
    }
}

/// Waits until what was sent has left. To a neighbor that does not say where it is, it never would,
/// and all that is sent after it neither: the socket begins anew then.
async fn flush(socket: &mut UdpSocket<'_>, port: u16) {
    if with_timeout(WAY_TIME, socket.flush()).await.is_err() {
        socket.close();
        // It is not bound, and the port is one.
        let _ = socket.bind(port);
    }
}
