//! Hashes of a name and of its parents, each made from the one before.

use core::hint::select_unpredictable;

use crate::name::{LabelStarts, Name};

/// The 64-bit hashes of a name's suffixes, the last label first and the name itself last.
///
/// Labels are hashed from the right, with their length octets, in words of eight octets. A
/// word costs one 64-bit product: three 32-bit ones on a Cortex-M3 and above, fewer than a
/// 32-bit hash would need for the same octets. There is no secret in the hash: who picks names
/// so that theirs are equal wins a needless search.
pub(crate) struct SuffixHashes<'a> {
    name: &'a Name,
    /// Where the labels not yet hashed begin; decreases.
    starts: core::slice::Iter<'a, u8>,
    /// Where these labels end.
    end: usize,
    hash: u64,
}

impl<'a> SuffixHashes<'a> {
    /// Of a name whose labels begin at [`Name::label_starts`].
    #[inline]
    pub(crate) fn at(name: &'a Name, starts: &'a [u8]) -> SuffixHashes<'a> {
        let end = name.as_wire().len().saturating_sub(1);
        SuffixHashes { name, starts: starts.iter(), end, hash: 0 }
    }

    /// The caller lends the room, so that it is never copied.
    #[inline]
    pub(crate) fn of(name: &'a Name, room: &'a mut LabelStarts) -> SuffixHashes<'a> {
        SuffixHashes::at(name, name.label_starts(room))
    }

    /// Symbols of the [key](crate::Key) of the suffix hashed last, unless an octet that no list
    /// holds cuts the key short.
    #[inline]
    pub(crate) fn key_len(&self) -> usize {
        // But for the root's, a suffix has one length octet more than its key has separators.
        self.name.as_wire().len().saturating_sub(self.end + 2)
    }

    /// The hash of the suffix before, and of the octets of a label up to `end`; eight at most.
    #[inline]
    fn with_word(&self, hash: u64, start: usize) -> u64 {
        let unused = 8usize.saturating_sub(self.end.saturating_sub(start));
        mix(hash ^ self.name.word_at(start) & u64::MAX.unbounded_shr(8 * unused as u32))
    }
}

impl Iterator for SuffixHashes<'_> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        let start = usize::from(*self.starts.next_back()?);
        let hash = self.with_word(self.hash, start);
        // Whether a label has one word or two is anybody's guess; few have more.
        let longer = self.with_word(hash, start + 8);
        self.hash = select_unpredictable(start + 8 < self.end, longer, hash);
        let mut at = start + 16;
        // Ends because `at` grows to the end of the label.
        while at < self.end {
            self.hash = self.with_word(self.hash, at);
            at += 8;
        }
        self.end = start;
        Some(self.hash)
    }
}

/// Another hash, of octets of any kind: that of a name is had sooner than those of all its suffixes.
#[cfg(feature = "gateway")]
pub(crate) fn hash(seed: u64, octets: &[u8]) -> u64 {
    let with = |hash: u64, word| mix(hash.rotate_left(29) ^ word);
    let (words, rest) = octets.as_chunks();
    let hash = words.iter().fold(seed, |hash, &word| with(hash, u64::from_le_bytes(word)));
    let rest = rest.iter().rev().fold(0, |word, &octet| word << 8 | u64::from(octet));
    with(hash, rest)
}

/// A round of the hash: a bijection, in which the upper half of the result depends on all bits.
#[inline]
pub(crate) fn mix(hash: u64) -> u64 {
    // An odd number without pattern: that of the finalizer of `SplitMix64` (Steele, Lea, Flood,
    // "Fast Splittable Pseudorandom Number Generators", 2014).
    let product = hash.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    product ^ product >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;
    use std::vec::Vec;

    fn hashes(text: &str) -> Vec<u64> {
        SuffixHashes::of(&Name::from_text(text).unwrap(), &mut [0; 128]).collect()
    }

    #[test]
    fn a_suffix_has_the_hash_of_the_name_it_is() {
        let name = Name::from_text("a.bc.a-label-of-many-octets.abcdefg.eight-oc.io").unwrap();
        let hashes: Vec<u64> = SuffixHashes::of(&name, &mut [0; 128]).collect();
        for (labels, &hash) in (1..).zip(&hashes) {
            let suffix = name.suffix(labels).unwrap();
            assert_eq!(SuffixHashes::of(&suffix, &mut [0; 128]).last(), Some(hash));
        }
        assert_eq!(hashes.len(), 6);
        assert_eq!(SuffixHashes::of(&Name::ROOT, &mut [0; 128]).next(), None);
    }

    proptest::proptest! {
        /// As the layout of the prefilter states it.
        #[test]
        fn a_label_is_hashed_in_words_of_eight_octets(
            text in "[a-z0-9]{1,63}(\\.[a-z0-9]{1,30}){0,5}",
        ) {
            let name = Name::from_text(text).unwrap();
            let mut hash = 0;
            let mut expected = Vec::new();
            let labels: Vec<&[u8]> = name.labels().collect();
            for label in labels.into_iter().rev() {
                for word in [&[label.len() as u8], label].concat().chunks(8) {
                    let mut octets = [0; 8];
                    octets[..word.len()].copy_from_slice(word);
                    hash = mix(hash ^ u64::from_le_bytes(octets));
                }
                expected.push(hash);
            }
            let mut starts = [0; 128];
            let mut hashes = SuffixHashes::of(&name, &mut starts);
            for (labels, expected) in (1..).zip(expected) {
                proptest::prop_assert_eq!(hashes.next(), Some(expected));
                let key = Key::new(&name.suffix(labels).unwrap());
                proptest::prop_assert_eq!(hashes.key_len(), key.symbols().len());
            }
            proptest::prop_assert_eq!(hashes.next(), None);
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
