//! What we said, said again: takes a query, gives the octets of the reply to the same one before.
//!
//! Blocked names are asked for over and over, by pages full of advertisements and by programs that
//! do not give up, and so are the few names everybody needs. As long as nothing that a reply is made of
//! has changed, the same octets from clients of one profile get the same octets, so they need not be
//! made anew; only an answer from the cache has got older. The caller says since when nothing has
//! changed ([`Context::unchanged_since_ms`]); without that nothing is repeated.

use super::cache::Cache;
use crate::octets::are_equal;
use crate::policy::Override;
use crate::rule::CategorySet;
use crate::suffix;

/// Replies are repeated for so long, and made anew then.
const LIFETIME_MS: u64 = 60_000;

/// Octets of an id, which is no part of what is compared and is written anew.
const ID_LEN: usize = 2;

/// A reply as it was, but for the id and the times to live.
pub(super) struct Repeat<'c> {
    pub(super) octets: &'c [u8],
    /// What it blocks something in; empty when it passes an answer on.
    pub(super) blocked: CategorySet,
    /// How much older an answer that is passed on is by now, in whole seconds.
    pub(super) age_s: u32,
}

impl Repeat<'_> {
    /// Whether it passes an answer on.
    pub(super) fn is_relayed(&self) -> bool {
        self.blocked.is_empty()
    }
}

impl<const ANSWERS: usize, const OCTETS: usize> Cache<ANSWERS, OCTETS> {
    /// The reply to a query over UDP, if it is the same as one before. Cost: a hash of the query and
    /// eight places.
    pub(super) fn repeat(
        &self,
        profile: u8,
        query: &[u8],
        unchanged_since_ms: Option<u64>,
        now_ms: u64,
    ) -> Option<Repeat<'_>> {
        let since_ms = unchanged_since_ms?;
        let query = query.get(ID_LEN..)?;
        let key = key(profile, query)?;
        self.find(hash(&key, query), None, now_ms).find_map(|(place, octets)| {
            // Within one millisecond the change may have come later.
            if place.stored_ms <= since_ms {
                return None;
            }
            let (octets, other) =
                octets.split_at_checked(octets.len().checked_sub(query.len())?)?;
            let (octets, blocked) = octets.strip_suffix(&key)?.split_last_chunk()?;
            if !are_equal(query, other) {
                return None;
            }
            let blocked = CategorySet(u32::from_le_bytes(*blocked));
            let mut repeat = Repeat { octets, blocked, age_s: 0 };
            if repeat.is_relayed() {
                // Nothing is kept for as long as this can tell.
                repeat.age_s = now_ms.saturating_sub(place.stored_ms) as u32 / 1000;
            }
            Some(repeat)
        })
    }

    /// Keeps a reply that is so at the first of these times: until the second one, or until one of these
    /// overrides ends.
    pub(super) fn keep_reply(
        &mut self,
        profile: u8,
        query: &[u8],
        repeat: &Repeat<'_>,
        overrides: &[Override],
        (made_ms, expires_ms): (u64, u64),
    ) {
        let Some(query) = query.get(ID_LEN..) else { return };
        let Some(key) = key(profile, query) else { return };
        let ends =
            overrides.iter().filter_map(|other| other.expires_ms).filter(|end| *end > made_ms);
        let expires_ms = expires_ms.min(made_ms.saturating_add(LIFETIME_MS));
        let expires_ms = ends.fold(expires_ms, u64::min);
        let ([a, b, c, d], [e, f, g]) = (repeat.blocked.0.to_le_bytes(), key);
        // The reply first: it is where copies are aligned.
        let parts = [repeat.octets, &[a, b, c, d, e, f, g], query];
        self.keep(hash(&key, query), None, &parts, made_ms, expires_ms);
    }
}

/// What stands before the query: the profile, and how long the query is, so that no query is the
/// end of another one.
fn key(profile: u8, query: &[u8]) -> Option<[u8; 3]> {
    let [low, high] = u16::try_from(query.len()).ok()?.to_le_bytes();
    Some([profile, low, high])
}

fn hash(key: &[u8; 3], query: &[u8]) -> u32 {
    let seed = key.iter().fold(0, |seed, octet| seed << 8 | u64::from(*octet));
    (suffix::hash(seed, query) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &[u8] = b"\0\x07a query";

    fn said(cache: &mut Cache<8, 512>, query: &[u8], octets: &[u8], overrides: &[Override]) {
        let repeat = Repeat { octets, blocked: CategorySet::of(20), age_s: 0 };
        cache.keep_reply(1, query, &repeat, overrides, (1000, u64::MAX));
    }

    #[test]
    fn the_same_query_gets_the_same_reply() {
        let mut cache = Cache::<8, 512>::new();
        said(&mut cache, QUERY, b"a reply", &[]);
        let again = |profile, query, since_ms, now_ms| {
            let repeat = cache.repeat(profile, query, since_ms, now_ms)?;
            assert_eq!(repeat.blocked, CategorySet::of(20));
            Some(repeat.octets)
        };
        assert_eq!(again(1, QUERY, Some(0), 1000), Some(&b"a reply"[..]));
        assert_eq!(again(1, b"\x12\x34a query", Some(999), 60_999), Some(&b"a reply"[..]));
        assert_eq!(again(1, QUERY, Some(0), 61_000), None, "too old");
        assert_eq!(again(1, QUERY, Some(1000), 1000), None, "changed since");
        assert_eq!(again(1, QUERY, None, 1000), None, "unknown whether it changed");
        assert_eq!(again(2, QUERY, Some(0), 1000), None, "of another profile");
        for query in [&QUERY[..QUERY.len() - 1], b"\0\x07a query!", b"\0\x07A query", b"\0", b""] {
            assert_eq!(again(1, query, Some(0), 1000), None, "another query");
        }
    }

    #[test]
    fn it_is_forgotten_when_an_override_ends() {
        let mut cache = Cache::<8, 512>::new();
        let name = crate::name::Name::from_text("a.example").unwrap();
        let until = |expires_ms| Override {
            name: name.clone(),
            action: crate::rule::Action::Allow,
            expires_ms,
        };
        said(&mut cache, QUERY, b"a reply", &[until(Some(900)), until(None), until(Some(1500))]);
        assert!(cache.repeat(1, QUERY, Some(0), 1499).is_some());
        assert!(cache.repeat(1, QUERY, Some(0), 1500).is_none());
    }
}
