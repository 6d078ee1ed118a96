//! What a room wants of its gateway besides answers: the time, kept by asking for it.

mod time;

use core::convert::Infallible;

use crate::memory::Buffers;
use crate::notice::Notice;
use crate::settings::Settings;
use crate::worker::Worker;

/// What waits at the sockets of these services.
pub(crate) struct Room {
    time: Buffers<2, { 2 * time::PACKET_LEN }, { time::PACKET_LEN }>,
}

impl Room {
    pub(crate) const fn new() -> Room {
        Room { time: Buffers::new() }
    }

    /// Serves; for ever.
    pub(crate) async fn serve(
        &'static mut self,
        worker: &Worker,
        settings: &Settings,
        notice: fn(Notice),
    ) -> Infallible {
        let Room { time } = self;
        time::keep(worker, time.socket(worker.stack), settings, notice).await
    }
}
