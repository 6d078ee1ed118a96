//! What systemd is told: ready, reloading, stopping, and that we are alive. Elsewhere nobody
//! listens, and nothing is sent.

use std::rc::Rc;
use std::time::Duration;

use sd_notify::{NotifyState, notify, watchdog_enabled};

use super::status::Overseer;

/// The image is loaded and the sockets are bound.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// A reload begins; ends with [`ready`]. systemd 253 wants to know since when.
pub(super) fn reloading() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

/// The end.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says twice in each of systemd's intervals that every worker still answers; for ever.
pub(super) async fn watchdog(overseer: Rc<Overseer>) {
    let Some(interval) = watchdog_enabled().filter(|interval| *interval > Duration::ZERO) else {
        return;
    };
    let mut clock = tokio::time::interval(interval / 2);
    loop {
        clock.tick().await;
        if overseer.status().await.is_some() {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    // Whoever started us may not listen any more, which is no reason to stop.
    let _ = notify(states);
}
