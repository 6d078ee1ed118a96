//! Hashes of a name and of its parents, each made from the one before.

use crate::name::Name;

/// The 64-bit hashes of a name's suffixes, the last label first and the name itself last.
///
/// Labels are hashed from the right, with their length octets, in words of eight octets. A
/// word costs one 64-bit product: three 32-bit ones on a Cortex-M3 and above, fewer than a
/// 32-bit hash would need for the same octets. There is no secret in the hash: who picks names
/// so that theirs are equal wins a needless search.
///
/// About 180 bytes on the stack.
pub(crate) struct SuffixHashes<'a> {
    wire: &'a [u8],
    /// Where labels begin; a name has at most 127.
    starts: [u8; 128],
    /// Labels not yet hashed; decreases.
    remaining: usize,
    /// Where the labels not yet hashed end.
    end: usize,
    hash: u64,
}

impl<'a> SuffixHashes<'a> {
    pub(crate) fn of(name: &'a Name) -> SuffixHashes<'a> {
        let wire = name.as_wire();
        let mut starts = [0u8; 128];
        let mut remaining = 0usize;
        let mut end = 0usize;
        // Ends because every label has an octet at least, and the root none.
        while let Some(&length @ 1..) = wire.get(end) {
            let Some(start) = starts.get_mut(remaining) else { break };
            *start = end as u8;
            remaining += 1;
            end += usize::from(length) + 1;
        }
        SuffixHashes { wire, starts, remaining, end, hash: 0 }
    }
}

impl Iterator for SuffixHashes<'_> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        self.remaining = self.remaining.checked_sub(1)?;
        let start = usize::from(*self.starts.get(self.remaining)?);
        let mut at = start;
        // Ends because `at` grows to the end of the label.
        while at < self.end {
            let word_end = self.end.min(at + 8);
            self.hash = mix(self.hash ^ word(self.wire, at, word_end));
            at = word_end;
        }
        self.end = start;
        Some(self.hash)
    }
}

/// A round of the hash: a bijection, in which the upper half of the result depends on all bits.
#[inline]
pub(crate) fn mix(hash: u64) -> u64 {
    // An odd number without pattern: that of the finalizer of `SplitMix64` (Steele, Lea, Flood,
    // "Fast Splittable Pseudorandom Number Generators", 2014).
    let product = hash.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    product ^ product >> 32
}

/// The one to eight octets up to `end`, as a little-endian number: read at once, with what
/// stands before or behind them, which is then shifted out.
#[inline]
fn word(wire: &[u8], start: usize, end: usize) -> u64 {
    let count = end.saturating_sub(start);
    let ending_here = if let Some(octets) = wire.get(..end).and_then(<[u8]>::last_chunk) {
        u64::from_le_bytes(*octets)
    } else if let Some(octets) = wire.first_chunk() {
        u64::from_le_bytes(*octets).unbounded_shl(64 - 8 * end as u32)
    } else {
        let octets = wire.iter().take(end);
        octets.fold(0, |word, &octet| word >> 8 | u64::from(octet) << 56)
    };
    ending_here.unbounded_shr(64u32.saturating_sub(8 * count as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn hashes(text: &str) -> Vec<u64> {
        SuffixHashes::of(&Name::from_text(text).unwrap()).collect()
    }

    #[test]
    fn a_suffix_has_the_hash_of_the_name_it_is() {
        let name = Name::from_text("a.bc.a-label-of-many-octets.abcdefg.eight-oc.io").unwrap();
        let hashes: Vec<u64> = SuffixHashes::of(&name).collect();
        for (labels, &hash) in (1..).zip(&hashes) {
            assert_eq!(SuffixHashes::of(&name.suffix(labels).unwrap()).last(), Some(hash));
        }
        assert_eq!(hashes.len(), 6);
        assert_eq!(SuffixHashes::of(&Name::ROOT).next(), None);
    }

    #[test]
    fn words_are_read_as_they_stand() {
        let wire: Vec<u8> = (1..=20).collect();
        for wire in [&wire[..], &wire[..5]] {
            for end in 1..=wire.len() {
                for start in end.saturating_sub(8)..end {
                    let octets = wire[start..end].iter().rev();
                    let expected = octets.fold(0, |word, &octet| word << 8 | u64::from(octet));
                    assert_eq!(word(wire, start, end), expected, "{start}..{end}");
                }
            }
        }
    }

    #[test]
    fn other_cuts_into_labels_have_other_hashes() {
        let names = ["ab.c", "a.bc", "abc", "a.b.c", "c.ab", "b.a.c", "abcdefgh.c", "abcdefg.hc"];
        let mut last: Vec<u64> = names.iter().filter_map(|name| hashes(name).pop()).collect();
        last.sort_unstable();
        last.dedup();
        assert_eq!(last.len(), names.len());
    }
}
