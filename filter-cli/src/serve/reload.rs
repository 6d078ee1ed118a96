//! Image and policy stay current: on SIGHUP, and when a file is another one, both are loaded
//! and verified aside, on a thread of its own, and takes the place of the old one. Whatever is
//! wrong with it is reported, once, and the old one stays.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::task::spawn_blocking;
use tokio::time::MissedTickBehavior;

use super::image::{Source, Stamps};
use super::status::Overseer;
use super::systemd;
use crate::output::{Output, hinted, report};

/// How often the file is looked at. Copying over a file, other than renaming one to it, shows
/// halves of it: those are reported, and what is there in the end is loaded all the same.
const PERIOD: Duration = Duration::from_secs(1);

/// Keeps the image current; for ever.
pub(super) async fn keep_current(
    source: Arc<Source>,
    mut stamps: Option<Stamps>,
    mut hangup: Signal,
    overseer: Rc<Overseer>,
    output: Output,
) {
    overseer.find_exceptions().await;
    let mut clock = tokio::time::interval(PERIOD);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_asked = tokio::select! {
            _ = hangup.recv() => true,
            _ = clock.tick() => false,
        };
        // A file that is gone is on its way to be replaced: there is nothing to be loaded yet.
        let now = source.stamps();
        if !is_asked && (now.is_none() || now == stamps) {
            continue;
        }
        systemd::reloading();
        match overseer.reload(&source, output).await {
            Ok(read) => {
                stamps = read;
                output.notice(overseer.loaded_notice());
                systemd::ready();
                overseer.find_exceptions().await;
            }
            Err(error) => {
                stamps = now;
                report(&error.context("nothing is loaded anew, what there was stays"));
                systemd::ready();
            }
        }
    }
}

impl Overseer {
    /// Loads the image, and puts it in the place of the one there is.
    async fn reload(&self, source: &Arc<Source>, output: Output) -> anyhow::Result<Option<Stamps>> {
        let source = Arc::clone(source);
        let loaded = spawn_blocking(move || source.load(&output)).await;
        let result = loaded.unwrap_or_else(|_| {
            Err(hinted("loading it went wrong", "this is a bug; please report it"))
        });
        let result = result.map(|(loaded, stamps)| {
            self.current().store(Arc::new(loaded));
            stamps
        });
        self.set_failure(result.as_ref().err());
        result
    }

    /// Finds out which names are above an allowed one, beside the queries.
    async fn find_exceptions(&self) {
        let loaded = self.current().load_full();
        if loaded.exceptions.is_some() {
            return;
        }
        if let Ok(loaded) = spawn_blocking(move || loaded.with_exceptions()).await {
            self.current().store(Arc::new(loaded));
        }
    }
}
