//! What a gateway counts: numbers for a status page, and nothing about who asked for what.

use super::reply::Reply;
use crate::rule::CategorySet;

/// How often something happened since the gateway began.
///
/// ```
/// use filter_core::gateway::Gateway;
/// let gateway: Gateway<8, 8, 8, 1024, 1232> = Gateway::new();
/// assert_eq!(gateway.counters().queries, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Queries that could be read.
    pub queries: u64,
    /// Messages without a reply: no queries, or more than a client's budget.
    pub dropped: u64,
    /// Queries turned down: malformed, not implemented, unknown clients, too many new names.
    pub refused: u64,
    /// Answers that block, by category; one of several categories counts for each.
    pub blocked: [u64; 32],
    /// Answers about names that are answered here.
    pub local: u64,
    /// Queries answered from the cache.
    pub cached: u64,
    /// Queries that wait for a question already on its way.
    pub joined: u64,
    /// Messages sent upstream.
    pub asked: u64,
    /// Questions no upstream had an answer to.
    pub failed: u64,
    /// Messages that came to an upstream's port and answered nothing that was asked: late, or
    /// forged.
    pub strangers: u64,
}

impl Counters {
    pub(super) const ZERO: Counters = Counters {
        queries: 0,
        dropped: 0,
        refused: 0,
        blocked: [0; 32],
        local: 0,
        cached: 0,
        joined: 0,
        asked: 0,
        failed: 0,
        strangers: 0,
    };

    /// Counts what a reply blocks.
    pub(super) fn count_reply(&mut self, reply: &Reply<'_>) {
        if let Reply::Say(statement) = reply {
            self.count_blocked(statement.blocked);
        }
    }

    pub(super) fn count_blocked(&mut self, categories: CategorySet) {
        for bit in categories.iter() {
            if let Some(count) = self.blocked.get_mut(usize::from(bit)) {
                *count += 1;
            }
        }
    }
}
