//! What we said, said again: takes a query, gives the octets of the reply to the same one before.
//!
//! Blocked names are asked for over and over, by pages full of advertisements and by programs that
//! do not give up. As long as nothing that a reply is made of has changed, the same octets from
//! clients of one profile get the same octets, so they need not be made anew. The caller says since
//! when nothing has ([`Context::unchanged_since_ms`]); without that nothing is repeated.

use super::cache::Cache;
use crate::policy::Override;
use crate::rule::CategorySet;
use crate::suffix::mix;

/// Replies are repeated for so long, and made anew then.
const LIFETIME_MS: u64 = 60_000;

/// Octets of an id, which is no part of what is compared and is written anew.
const ID_LEN: usize = 2;

/// A reply as it was, but for the id.
pub(super) struct Repeat<'c> {
    pub(super) octets: &'c [u8],
    pub(super) blocked: CategorySet,
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
            let (blocked, octets) =
                octets.strip_prefix(&key)?.strip_prefix(query)?.split_first_chunk()?;
            Some(Repeat { octets, blocked: CategorySet(u32::from_le_bytes(*blocked)) })
        })
    }

    /// Keeps a reply that blocks something, until one of these overrides ends.
    pub(super) fn keep_reply(
        &mut self,
        profile: u8,
        query: &[u8],
        repeat: &Repeat<'_>,
        overrides: &[Override],
        now_ms: u64,
    ) {
        let Some(query) = query.get(ID_LEN..) else { return };
        let Some(key) = key(profile, query) else { return };
        let ends =
            overrides.iter().filter_map(|other| other.expires_ms).filter(|end| *end > now_ms);
        let expires_ms = ends.fold(now_ms.saturating_add(LIFETIME_MS), u64::min);
        let blocked = repeat.blocked.0.to_le_bytes();
        let parts = [&key[..], query, &blocked, repeat.octets];
        self.keep(hash(&key, query), None, &parts, now_ms, expires_ms);
    }
}

/// What stands before the query: the profile, and how long the query is, so that no query is the
/// beginning of another one.
fn key(profile: u8, query: &[u8]) -> Option<[u8; 3]> {
    let [low, high] = u16::try_from(query.len()).ok()?.to_le_bytes();
    Some([profile, low, high])
}

fn hash(key: &[u8; 3], query: &[u8]) -> u32 {
    let seed = key.iter().fold(0, |seed, octet| seed << 8 | u64::from(*octet));
    let hash = query.chunks(8).fold(seed, |hash, octets| {
        let mut word = [0; 8];
        for (place, octet) in word.iter_mut().zip(octets) {
            *place = *octet;
        }
        mix(hash.rotate_left(29) ^ u64::from_le_bytes(word))
    });
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &[u8] = b"\0\x07a query";

    fn said(cache: &mut Cache<8, 512>, query: &[u8], octets: &[u8], overrides: &[Override]) {
        let repeat = Repeat { octets, blocked: CategorySet::of(20) };
        cache.keep_reply(1, query, &repeat, overrides, 1000);
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
