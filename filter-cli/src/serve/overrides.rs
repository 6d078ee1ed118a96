//! What the operator says while the server runs: takes names from the admin socket, gives workers what
//! holds. It is gone when the server ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use filter_core::policy::Override;
use filter_core::{Action, Name};
use serde::{Deserialize, Serialize};

use super::worker::milliseconds;

/// What was said, by the clock of all workers.
pub(super) struct Overrides {
    said: ArcSwap<Vec<Override>>,
    began: Instant,
}

/// Every query is held against all of them.
const COUNT_MAX: usize = 256;

/// An override, to be shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct OverrideRow {
    /// The name, which stands for all below it as well.
    pub name: String,
    /// `allow` or `block`.
    pub action: String,
    /// For how many seconds more; for ever when absent.
    pub left_s: Option<u64>,
}

impl Overrides {
    pub(super) fn new() -> Overrides {
        Overrides { said: ArcSwap::default(), began: Instant::now() }
    }

    /// The time, as overrides and events have it.
    pub(super) fn now_ms(&self) -> u64 {
        milliseconds(self.began.elapsed())
    }

    pub(super) fn load(&self) -> Guard<Arc<Vec<Override>>> {
        self.said.load()
    }

    pub(super) fn load_full(&self) -> Arc<Vec<Override>> {
        self.said.load_full()
    }

    /// Says something about a name, in the place of what was said about it. `false` when too much is
    /// said already.
    pub(super) fn say(&self, name: &Name, action: Action, time: Option<Duration>) -> bool {
        let now_ms = self.now_ms();
        let mut said = self.others(name);
        if said.len() == COUNT_MAX {
            return false;
        }
        let expires_ms = time.map(|time| now_ms.saturating_add(milliseconds(time)));
        said.push(Override { name: name.clone(), action, expires_ms });
        self.said.store(Arc::new(said));
        true
    }

    /// Takes back what was said about a name; whether something was.
    pub(super) fn forget(&self, name: &Name) -> bool {
        let before = self.rows().len();
        self.said.store(Arc::new(self.others(name)));
        before != self.rows().len()
    }

    /// What holds, in the order in which it was said.
    pub(super) fn rows(&self) -> Vec<OverrideRow> {
        let now_ms = self.now_ms();
        let said = self.load();
        let holding = said.iter().filter(|other| other.holds(now_ms));
        let row = |other: &Override| OverrideRow {
            name: other.name.to_string(),
            action: other.action.word().to_owned(),
            left_s: other.expires_ms.map(|expires_ms| (expires_ms - now_ms).div_ceil(1000)),
        };
        holding.map(row).collect()
    }

    /// What holds about other names.
    fn others(&self, name: &Name) -> Vec<Override> {
        let now_ms = self.now_ms();
        let stays = |other: &&Override| other.holds(now_ms) && other.name != *name;
        self.load().iter().filter(stays).cloned().collect()
    }
}
