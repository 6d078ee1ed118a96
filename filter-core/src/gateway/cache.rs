//! Answers kept until they expire: takes what upstreams said, gives it back by question, with its
//! age. What we said ourselves is kept beside it, by the query it was said to; [`repeats`] has that.
//!
//! Both lie in a ring, one behind the other, and a new one overwrites the oldest. A table of
//! places says where, eight for each hash. A place is void when the ring has gone over what it
//! points at, so nothing is ever freed.
//!
//! [`repeats`]: super::repeats

use domain::base::HeaderCounts;

use super::answer::Answer;
use super::question::Question;

/// `ANSWERS` places and a ring of `OCTETS`. An answer takes what its question, answer and
/// authority sections take: some 80 to 300 octets; what we said takes about as much.
pub(super) struct Cache<const ANSWERS: usize, const OCTETS: usize> {
    places: [Place; ANSWERS],
    ring: [u8; OCTETS],
    /// Octets ever written, those left out at the end of the ring included.
    written: u64,
}

/// Places of one hash. With four, in a table a third full, one name in thirty of those asked for in turn
/// shares them with four others and never stays.
const WAYS: usize = 8;

#[derive(Clone, Copy)]
pub(super) struct Place {
    hash: u32,
    /// What it is; of what we said there is nothing more to tell.
    kind: Option<Kind>,
    len: u16,
    /// What `written` was before it.
    start: u64,
    pub(super) stored_ms: u64,
    pub(super) expires_ms: u64,
}

/// What besides the question makes an answer another one: the bits DO and CD of the query
/// (RFC 4035 sections 3.2.1 and 3.2.2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) dnssec_ok: bool,
    pub(super) checking_disabled: bool,
}

/// An answer that was kept.
pub(super) struct Kept<'c> {
    pub(super) answer: Answer<'c>,
    /// Whole seconds since it was stored.
    pub(super) age_s: u32,
    /// Since when it has been that old.
    pub(super) aged_ms: u64,
    /// Seconds until it expires, at least 1.
    pub(super) left_s: u32,
    pub(super) expires_ms: u64,
}

impl<const ANSWERS: usize, const OCTETS: usize> Cache<ANSWERS, OCTETS> {
    pub(super) const fn new() -> Cache<ANSWERS, OCTETS> {
        // All of it zero, which `None` is not, so that a static takes no room in flash; it has expired.
        let kind = Some(Kind { dnssec_ok: false, checking_disabled: false });
        let place = Place { hash: 0, kind, len: 0, start: 0, stored_ms: 0, expires_ms: 0 };
        Cache { places: [place; ANSWERS], ring: [0; OCTETS], written: 0 }
    }

    /// The answer to a question, unless it has expired. Cost: one hash and eight places.
    pub(super) fn get(&self, question: &Question, kind: Kind, now_ms: u64) -> Option<Kept<'_>> {
        self.find(question.hash(), Some(kind), now_ms).find_map(|(place, octets)| {
            // Another question may have the same hash.
            let answer = Answer::parse(octets)?;
            let is_same = answer.question == *question;
            let seconds =
                |milliseconds: u64| u32::try_from(milliseconds / 1000).unwrap_or(u32::MAX);
            let age_s = seconds(now_ms.saturating_sub(place.stored_ms));
            is_same.then_some(Kept {
                answer,
                age_s,
                aged_ms: place.stored_ms.saturating_add(u64::from(age_s) * 1000),
                left_s: seconds((place.expires_ms - now_ms).saturating_add(999)),
                expires_ms: place.expires_ms,
            })
        })
    }

    /// Keeps an answer for a time; none, if that is 0 or the ring is too small for it.
    pub(super) fn insert(&mut self, answer: &Answer<'_>, kind: Kind, lifetime_s: u32, now_ms: u64) {
        let expires_ms = now_ms.saturating_add(u64::from(lifetime_s) * 1000);
        let hash = answer.question.hash();
        if let Some(room) = self.keep(hash, Some(kind), &[answer.body()], now_ms, expires_ms) {
            // The additional section stays behind.
            HeaderCounts::for_message_slice_mut(room).set_arcount(0);
        }
    }

    /// What may be what is sought, with this hash, and has not expired.
    pub(super) fn find(
        &self,
        hash: u32,
        kind: Option<Kind>,
        now_ms: u64,
    ) -> impl Iterator<Item = (&Place, &[u8])> {
        let of_hash = move |place: &&Place| {
            place.hash == hash && place.kind == kind && now_ms < place.expires_ms
        };
        let places = self.set(hash).into_iter().flatten().filter(of_hash);
        places.filter_map(|place| Some((place, self.octets(place)?)))
    }

    /// Keeps octets, given in parts, in one piece, and lends them; none if they expire at once or
    /// the ring is too small.
    pub(super) fn keep(
        &mut self,
        hash: u32,
        kind: Option<Kind>,
        parts: &[&[u8]],
        now_ms: u64,
        expires_ms: u64,
    ) -> Option<&mut [u8]> {
        let total = parts.iter().map(|part| part.len()).sum::<usize>();
        let len = u16::try_from(total).ok()?;
        if expires_ms <= now_ms || total > OCTETS {
            return None;
        }
        // What is left at the end of the ring may be too short.
        let offset = self.offset(self.written);
        let skipped = if total > OCTETS - offset { OCTETS - offset } else { 0 };
        let start = self.written + skipped as u64;
        let offset = self.offset(start);
        let mut at = offset;
        for part in parts {
            self.ring.get_mut(at..at + part.len())?.copy_from_slice(part);
            at += part.len();
        }
        // So aligned, a microcontroller copies a word at a time.
        self.written = (start + u64::from(len)).next_multiple_of(4);
        let new = Place { hash, kind, len, start, stored_ms: now_ms, expires_ms };
        let set = self.set_index(hash)?;
        let places = self.places.chunks_mut(WAYS).nth(set).into_iter().flatten();
        // The same again, or expired, or the oldest.
        let rank = |place: &Place| match place {
            place if place.hash == hash && place.kind == kind => 0,
            place if place.expires_ms <= now_ms => 1,
            place => place.start.saturating_add(2),
        };
        if let Some(place) = places.min_by_key(|place| rank(place)) {
            *place = new;
        }
        self.ring.get_mut(offset..at)
    }

    fn set_index(&self, hash: u32) -> Option<usize> {
        (hash as usize).checked_rem(ANSWERS.div_ceil(WAYS))
    }

    fn set(&self, hash: u32) -> Option<&[Place]> {
        self.places.chunks(WAYS).nth(self.set_index(hash)?)
    }

    fn offset(&self, position: u64) -> usize {
        position.checked_rem(OCTETS as u64).unwrap_or(0) as usize
    }

    /// What a place points at, unless that was overwritten.
    fn octets(&self, place: &Place) -> Option<&[u8]> {
        let is_there = self.written - place.start <= OCTETS as u64;
        let offset = self.offset(place.start);
        self.ring.get(offset..offset + usize::from(place.len)).filter(|_| is_there)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const PLAIN: Kind = Kind { dnssec_ok: false, checking_disabled: false };

    /// A response to an A query about `name` with so many records.
    fn response(name: &str, records: u8) -> Vec<u8> {
        let mut message = std::vec![0, 0, 0x81, 0x80, 0, 1, 0, records, 0, 0, 0, 0];
        message.extend(crate::name::Name::from_text(name).unwrap().as_wire());
        message.extend([0, 1, 0, 1]);
        for last in 0..records {
            message.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, last]);
        }
        message
    }

    fn question(name: &str) -> Question {
        let message = response(name, 0);
        Answer::parse(&message).unwrap().question
    }

    #[test]
    fn an_answer_is_kept_until_it_expires() {
        let mut cache = Cache::<4, 512>::new();
        let message = response("a.example", 2);
        cache.insert(&Answer::parse(&message).unwrap(), PLAIN, 60, 1000);
        let question = question("a.example");
        let kept = cache.get(&question, PLAIN, 60_999).unwrap();
        assert_eq!((kept.answer.body(), kept.age_s, kept.left_s), (&message[..], 59, 1));
        assert!(cache.get(&question, PLAIN, 61_000).is_none());
        assert!(cache.get(&question, Kind { dnssec_ok: true, ..PLAIN }, 2000).is_none());
    }

    #[test]
    fn whatever_is_found_is_what_was_stored_last() {
        let mut cache = Cache::<32, 700>::new();
        let mut found = 0;
        for turn in 0..5000u64 {
            let name = std::format!("n{}.example", turn * turn % 23);
            let message = response(&name, (turn % 5) as u8);
            cache.insert(&Answer::parse(&message).unwrap(), PLAIN, 60, turn);
            let kept = cache.get(&question(&name), PLAIN, turn).unwrap();
            assert_eq!(kept.answer.body(), message, "the newest is always there");
            for other in 0..23 {
                let question = question(&std::format!("n{other}.example"));
                let Some(kept) = cache.get(&question, PLAIN, turn) else { continue };
                assert!(kept.answer.question == question);
                found += 1;
            }
        }
        assert!(found > 20_000, "only {found} were found");
    }

    #[test]
    fn a_cache_without_room_keeps_nothing() {
        let message = response("a.example", 2);
        let answer = Answer::parse(&message).unwrap();
        let question = question("a.example");
        let mut no_places = Cache::<0, 512>::new();
        no_places.insert(&answer, PLAIN, 60, 0);
        assert!(no_places.get(&question, PLAIN, 0).is_none());
        let mut no_octets = Cache::<4, 0>::new();
        no_octets.insert(&answer, PLAIN, 60, 0);
        assert!(no_octets.get(&question, PLAIN, 0).is_none());
    }
}
