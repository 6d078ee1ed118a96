//! How much a client may ask: takes a client's key and the time, gives whether it has anything
//! left. Two token buckets each: one for messages, which protects this machine, and one for
//! names that have to be asked about upstream, which protects upstreams and keeps the lists from
//! being read out by trying names (see `blocklists/README.md`).

use super::settings::Settings;
use crate::suffix::mix;

/// A token bucket: `burst` at once, `per_second` in the long run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Tokens that come back each second.
    pub per_second: u32,
    /// Tokens the bucket holds at most.
    pub burst: u32,
}

/// What is left to the clients seen last, by key.
///
/// A key lies in one of the [`WAYS`] places its hash gives it; where all are taken, the client
/// not seen for longest is forgotten, and comes back with full buckets.
pub(super) struct Clients<const CLIENTS: usize> {
    places: [Place; CLIENTS],
}

const WAYS: usize = 8;

#[derive(Clone, Copy)]
struct Place {
    is_taken: bool,
    key: u64,
    seen_ms: u64,
    /// In thousandths of a token, as are `names`.
    queries: u32,
    names: u32,
}

impl Budget {
    fn full(self) -> u32 {
        self.burst.saturating_mul(1000)
    }

    /// What a bucket holds after a time. A token a second is a thousandth a millisecond.
    fn refill(self, left: u32, elapsed_ms: u64) -> u32 {
        let elapsed_ms = u32::try_from(elapsed_ms).unwrap_or(u32::MAX);
        left.saturating_add(self.per_second.saturating_mul(elapsed_ms)).min(self.full())
    }
}

/// Takes one token out of a bucket, if there is one.
fn take(bucket: &mut u32) -> bool {
    let left = bucket.checked_sub(1000);
    *bucket = left.unwrap_or(*bucket);
    left.is_some()
}

impl<const CLIENTS: usize> Clients<CLIENTS> {
    pub(super) const fn new() -> Clients<CLIENTS> {
        let place = Place { is_taken: false, key: 0, seen_ms: 0, queries: 0, names: 0 };
        Clients { places: [place; CLIENTS] }
    }

    /// Counts a message; false when the client has sent too many.
    pub(super) fn admit_query(&mut self, key: u64, now_ms: u64, of: &Settings) -> bool {
        self.place(key, now_ms, of).is_none_or(|place| take(&mut place.queries))
    }

    /// Counts a name to be asked about upstream; false when there were too many.
    pub(super) fn admit_name(&mut self, key: u64, now_ms: u64, of: &Settings) -> bool {
        self.place(key, now_ms, of).is_none_or(|place| take(&mut place.names))
    }

    /// The place of a key, its buckets filled up to this moment.
    fn place(&mut self, key: u64, now_ms: u64, of: &Settings) -> Option<&mut Place> {
        let sets = CLIENTS.div_ceil(WAYS).max(1);
        let set = mix(key.wrapping_add(1)) as usize % sets;
        let places = self.places.chunks_mut(WAYS).nth(set)?;
        if let Some(index) = places.iter().position(|place| place.is_taken && place.key == key) {
            let place = places.get_mut(index)?;
            let elapsed_ms = now_ms.saturating_sub(place.seen_ms);
            place.queries = of.queries.refill(place.queries, elapsed_ms);
            place.names = of.names.refill(place.names, elapsed_ms);
            place.seen_ms = now_ms;
            return Some(place);
        }
        // One that is free, or not seen for longest.
        let place = places.iter_mut().min_by_key(|place| (place.is_taken, place.seen_ms))?;
        let (queries, names) = (of.queries.full(), of.names.full());
        *place = Place { is_taken: true, key, seen_ms: now_ms, queries, names };
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: &Settings = &Settings {
        queries: Budget { per_second: 10, burst: 3 },
        names: Budget { per_second: 1, burst: 1 },
        ..Settings::DEFAULT
    };

    #[test]
    fn a_bucket_empties_and_fills_at_its_rate() {
        let mut clients = Clients::<8>::new();
        let mut admitted = |now_ms| (0..9).filter(|_| clients.admit_query(7, now_ms, OF)).count();
        assert_eq!(admitted(0), 3);
        assert_eq!(admitted(99), 0);
        assert_eq!(admitted(100), 1);
        assert_eq!(admitted(100_000), 3);
        assert_eq!(admitted(u64::MAX), 3);
        assert_eq!(admitted(5), 0, "a clock that goes back gives nothing");
    }

    #[test]
    fn buckets_and_clients_are_apart() {
        let mut clients = Clients::<16>::new();
        assert!(clients.admit_name(1, 0, OF));
        assert!(!clients.admit_name(1, 0, OF));
        assert!(clients.admit_query(1, 0, OF));
        assert!(clients.admit_name(2, 0, OF));
    }

    #[test]
    fn who_was_not_seen_for_longest_is_forgotten() {
        let mut clients = Clients::<8>::new();
        for key in 0..9 {
            assert!(clients.admit_name(key, key, OF));
        }
        assert!(!clients.admit_name(5, 9, OF));
        assert!(clients.admit_name(0, 9, OF));
    }

    #[test]
    fn a_table_of_no_size_admits_all() {
        let mut clients = Clients::<0>::new();
        assert!((0..9).all(|_| clients.admit_query(1, 0, OF)));
    }
}
