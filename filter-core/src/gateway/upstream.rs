//! The servers that know what we do not: takes what happened to each, gives whom to ask next.

use core::net::SocketAddr;

use heapless::Vec;

use super::event::Transport;

/// A server that answers questions for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    /// How it is asked first. Plain DNS is UDP, and changes to TCP where an answer needs it;
    /// DNS over TLS or HTTPS, which the caller speaks, is [`Transport::Tcp`].
    pub transport: Transport,
}

/// How an upstream fares; see [`Gateway::upstreams`](super::Gateway::upstreams).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// Which one.
    pub upstream: Upstream,
    /// Timeouts in a row.
    pub timeouts: u8,
    /// Whether it is asked only if no other can be.
    pub is_down: bool,
}

/// How many upstreams there can be.
pub(super) const UPSTREAMS_MAX: usize = 8;

/// The upstreams, first choice first, and how they fare.
pub(super) struct Upstreams {
    list: Vec<State, UPSTREAMS_MAX>,
}

struct State {
    upstream: Upstream,
    /// Timeouts in a row.
    failures: u8,
    /// Until when it is asked only if no other can be.
    down_until_ms: u64,
    /// Answers in a row that spelled the name otherwise than we did.
    misspelled: u8,
    /// Until when it is asked in lower case.
    folds_case_until_ms: u64,
}

/// Timeouts in a row after which an upstream is held to be down.
const FAILURES_MAX: u8 = 3;
/// For how long, the first time; each further timeout doubles it, up to 32 times.
const DOWN_MS: u64 = 2_000;
/// Misspelled answers in a row after which an upstream is held not to keep case.
const MISSPELLED_MAX: u8 = 3;
/// For how long.
const FOLDS_CASE_MS: u64 = 3_600_000;

impl Upstreams {
    pub(super) const fn new() -> Upstreams {
        Upstreams { list: Vec::new() }
    }

    pub(super) fn set(&mut self, upstreams: &[Upstream]) {
        self.list.clear();
        for &upstream in upstreams.iter().take(UPSTREAMS_MAX) {
            let _ = self.list.push(State {
                upstream,
                failures: 0,
                down_until_ms: 0,
                misspelled: 0,
                folds_case_until_ms: 0,
            });
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<Upstream> {
        self.list.get(index).map(|state| state.upstream)
    }

    pub(super) fn health(&self, now_ms: u64) -> impl Iterator<Item = Health> {
        self.list.iter().map(move |state| Health {
            upstream: state.upstream,
            timeouts: state.failures,
            is_down: state.down_until_ms > now_ms,
        })
    }

    /// Whom to ask: the first that is up, `last` after all others, and none of `excluded` (one bit
    /// each). Where none is up, the one that is due back first, again `last` after all others.
    pub(super) fn choose(&self, now_ms: u64, last: Option<usize>, excluded: u8) -> Option<usize> {
        let candidates =
            self.list.iter().enumerate().filter(|(index, _)| excluded >> index & 1 == 0);
        let rank = |(index, state): &(usize, &State)| {
            let back_ms = state.down_until_ms.saturating_sub(now_ms);
            (back_ms > 0, Some(*index) == last, back_ms, *index)
        };
        candidates.min_by_key(rank).map(|(index, _)| index)
    }

    /// It did not answer in time.
    pub(super) fn timed_out(&mut self, index: usize, now_ms: u64) {
        let Some(state) = self.list.get_mut(index) else { return };
        state.failures = state.failures.saturating_add(1);
        if let Some(extra) = state.failures.checked_sub(FAILURES_MAX) {
            state.down_until_ms = now_ms.saturating_add(DOWN_MS << extra.min(5));
        }
    }

    /// It answered. `spelling` tells whether it kept the case of a name that had some.
    pub(super) fn answered(&mut self, index: usize, spelling: Kept, now_ms: u64) {
        let Some(state) = self.list.get_mut(index) else { return };
        (state.failures, state.down_until_ms) = (0, 0);
        match spelling {
            Kept::Yes => state.misspelled = 0,
            Kept::No => {
                state.misspelled = state.misspelled.saturating_add(1);
                if state.misspelled >= MISSPELLED_MAX {
                    state.misspelled = 0;
                    state.folds_case_until_ms = now_ms.saturating_add(FOLDS_CASE_MS);
                }
            }
            Kept::Unasked => {}
        }
    }

    /// Whether it can be trusted to keep the case of a name.
    pub(super) fn keeps_case(&self, index: usize, now_ms: u64) -> bool {
        self.list.get(index).is_none_or(|state| state.folds_case_until_ms <= now_ms)
    }
}

/// Whether an upstream kept the case of a name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    Yes,
    No,
    /// It was asked in lower case.
    Unasked,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstreams(count: u8) -> Upstreams {
        let mut upstreams = Upstreams::new();
        let upstream = |last| Upstream {
            address: SocketAddr::from(([192, 0, 2, last], 53)),
            transport: Transport::Udp,
        };
        let list: std::vec::Vec<Upstream> = (0..count).map(upstream).collect();
        upstreams.set(&list);
        upstreams
    }

    #[test]
    fn the_first_that_is_up_is_asked_and_another_after_a_failure() {
        let mut upstreams = upstreams(3);
        assert_eq!(upstreams.choose(0, None, 0), Some(0));
        assert_eq!(upstreams.choose(0, Some(0), 0), Some(1));
        assert_eq!(upstreams.choose(0, Some(0), 0b010), Some(2));
        assert_eq!(upstreams.choose(0, Some(0), 0b111), None);
        for _ in 0..3 {
            upstreams.timed_out(0, 0);
        }
        assert_eq!(upstreams.choose(1999, None, 0), Some(1));
        let health: std::vec::Vec<_> =
            upstreams.health(1999).map(|health| (health.timeouts, health.is_down)).collect();
        assert_eq!(health, [(3, true), (0, false), (0, false)]);
        assert_eq!(upstreams.choose(2000, None, 0), Some(0), "it gets another chance");
        upstreams.timed_out(0, 2000);
        assert_eq!(upstreams.choose(5999, None, 0), Some(1), "and is then down for longer");
        upstreams.answered(0, Kept::Yes, 5999);
        assert_eq!(upstreams.choose(5999, None, 0), Some(0));
    }

    #[test]
    fn where_all_are_down_the_next_one_due_is_asked() {
        let mut two = upstreams(2);
        for _ in 0..3 {
            two.timed_out(0, 100);
            two.timed_out(1, 0);
        }
        assert_eq!(two.choose(200, None, 0), Some(1));
        assert_eq!(two.choose(200, Some(1), 0), Some(0));
        two.answered(1, Kept::Yes, 200);
        assert_eq!(two.choose(200, Some(1), 0), Some(1), "the other is down");
        assert_eq!(upstreams(1).choose(0, Some(0), 0), Some(0), "there is no other");
        assert_eq!(upstreams(0).choose(0, None, 0), None);
    }

    #[test]
    fn three_misspelled_answers_in_a_row_end_0x20_for_an_hour() {
        let mut upstreams = upstreams(1);
        for spelling in [Kept::No, Kept::No, Kept::Yes, Kept::No, Kept::No] {
            upstreams.answered(0, spelling, 0);
            assert!(upstreams.keeps_case(0, 0));
        }
        upstreams.answered(0, Kept::No, 0);
        assert!(!upstreams.keeps_case(0, FOLDS_CASE_MS - 1));
        assert!(upstreams.keeps_case(0, FOLDS_CASE_MS));
    }
}
