//! A sketch of the rules: tells most names no rule is written for, without a search.
//!
//! A search of the [packed set](crate#the-packed-set) decodes several names; most queries are
//! for names no list holds. The prefilter has a fingerprint of 8 bits for each name in the
//! rules section and answers for a suffix of a query *certainly not listed*, or *perhaps*. The
//! rules are searched when some suffix is perhaps listed, and for the longest of these, so
//! verdicts are the same with and without it: a false *perhaps*, one in 256, costs a search. The
//! section is optional; it is the builder's choice of 1.15 octets a name against the time of a
//! miss.
//!
//! # The filter
//!
//! A binary fuse filter: Graf and Lemire, "Binary Fuse Filters: Fast and Smaller Than Xor
//! Filters", ACM Journal of Experimental Algorithmics 27, 2022.
//!
//! There is an array of octets, and a hash gives each name a fingerprint and three *slots* of
//! the array. The builder fills the array so that the three octets a listed name points to
//! give, under exclusive or, its fingerprint. For another name they give anything, and so its
//! fingerprint with a chance of one in 256.
//!
//! That is a system of linear equations, one for each name. It is solved by *peeling*: a slot
//! that only one name points to can be set last, whatever that name's other slots will be. So
//! that name is put on a stack and taken out, which may leave other slots with one name, and so
//! on. If all names can be taken out, they are put back from the top of the stack, each setting
//! its slot. Whether peeling reaches the end is a matter of how full the array is. With slots
//! drawn from the whole array it stops working above 81 %. A fuse filter draws them from three
//! neighbors of many short *segments*: the ends of the array, where fewer names point to, peel
//! first, and the peeling runs inward from there. That works up to 88 %, and the three slots
//! are close together in memory. Theirs are a power of two long; ours have any length, for three
//! more products, so that the array has just the size that is wanted.
//!
//! # Top-level domains
//!
//! A fingerprint of `com` that is right by chance would cost a search for each name in it. So
//! names of a single label are not in the array: the few that are listed stand as 64-bit
//! hashes before it. For other suffixes that are asked often, such as `co.uk`, the builder takes
//! the names it is given and looks for a seed by which none of them is perhaps listed.
//!
//! # Layout
//!
//! Numbers are little-endian, nothing is aligned, nothing lies behind the last part.
//!
//! | octets | holds |
//! |---|---|
//! | 4 | seed |
//! | 4 | *S*, number of segments, at least 3 |
//! | 4 | *T*, slots of a segment, at least 1 |
//! | 4 | *L*, number of listed names of a single label |
//! | 8 × *L* | hashes of the listed names of a single label, ascending |
//! | *S* × *T* | the array, segment by segment |
//!
//! The hash of a name begins with 0. Its labels are taken from the right, each with its length
//! octet before it, in words of eight octets; the last word of a label is filled up with zeros.
//! Each word *w* makes of the hash *h* the hash mix(*h* xor *w*), where mix(*x*) is *p* xor
//! *p* / 2^32 with *p* = *x* × 0xBF58476D1CE4E5B9 modulo 2^64. So the hashes of all suffixes
//! come up on the way.
//!
//! Four fractions, each of 32 bits behind the binary point, place the name. The upper half of
//! *h*, times *S* − 2, has the first segment before the point, and behind it the fraction of
//! that segment at which the first slot lies. Let *m* be mix(*h* xor seed ×
//! 0x9E3779B97F4A7C15). The second slot lies in the next segment, at the fraction of bits 24 to
//! 55 of *m*; the third in the one after, at the fraction of bits 0 to 31. The fingerprint is
//! bits 56 to 63.

#[cfg(feature = "build")]
pub(crate) mod build;
#[cfg(all(test, feature = "build"))]
mod tests;

use crate::octets::Octets;
use crate::suffix::mix;

/// Where the parts of a prefilter lie in its section, and how names are spread over it.
///
/// Holding one proves that the parts fill the section it was read from.
#[derive(Clone, Copy)]
pub(crate) struct PrefilterLayout {
    array: usize,
    spread: Spread,
}

impl PrefilterLayout {
    /// Octets before the listed names of a single label.
    const HEADER_LEN: usize = 16;

    /// O(1). `None` when the parts do not fill the section.
    pub(crate) fn read(section: &[u8]) -> Option<PrefilterLayout> {
        let mut octets = Octets::new(section);
        let seed = octets.u32()?;
        let segments = octets.u32()?;
        let segment_len = octets.u32()?;
        let single_labels_len = (octets.u32()? as usize).checked_mul(8)?;
        let spread = Spread::new(seed, segments, segment_len)?;
        let array = PrefilterLayout::HEADER_LEN.checked_add(single_labels_len)?;
        let array_len = section.len().checked_sub(array)?;
        (array_len == spread.slot_count()).then_some(PrefilterLayout { array, spread })
    }

    /// The prefilter in the section this layout was read from.
    #[inline]
    pub(crate) fn view<'a>(&self, section: &'a [u8]) -> Option<Prefilter<'a>> {
        let (front, array) = section.split_at_checked(self.array)?;
        let (single_labels, _) = front.get(PrefilterLayout::HEADER_LEN..)?.as_chunks();
        Some(Prefilter { single_labels, spread: self.spread, array })
    }
}

/// The prefilter section, read in place.
#[derive(Clone, Copy)]
pub(crate) struct Prefilter<'a> {
    single_labels: &'a [[u8; 8]],
    spread: Spread,
    /// As many as the spread has slots.
    array: &'a [u8],
}

impl Prefilter<'_> {
    /// Whether the rules may hold the name of a single label with this hash.
    pub(crate) fn may_hold_label(&self, hash: u64) -> bool {
        self.single_labels.binary_search_by_key(&hash, |&hash| u64::from_le_bytes(hash)).is_ok()
    }

    /// Whether the rules may hold the name of several labels with this hash.
    #[inline]
    pub(crate) fn may_hold(&self, hash: u64) -> bool {
        let ([first, second, third], fingerprint) = self.spread.of(hash);
        let octet = |slot: usize| self.array.get(slot).copied().unwrap_or(0);
        octet(first) ^ octet(second) ^ octet(third) == fingerprint
    }
}

/// How names are spread over the array.
#[derive(Clone, Copy)]
struct Spread {
    seed: u64,
    segment_len: u32,
    /// Segments in which some name has its first slot: all but the last two.
    first_segments: u32,
}

impl Spread {
    fn new(seed: u32, segments: u32, segment_len: u32) -> Option<Spread> {
        segments.checked_mul(segment_len).filter(|&slots| slots > 0)?;
        // The golden ratio makes of small numbers some that differ in all bits.
        let seed = u64::from(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let first_segments = segments.checked_sub(2).filter(|&segments| segments > 0)?;
        Some(Spread { seed, segment_len, first_segments })
    }

    fn slot_count(&self) -> usize {
        (self.first_segments as usize + 2) * self.segment_len as usize
    }

    /// The three slots of a name, all below [`Spread::slot_count`], and its fingerprint.
    #[inline]
    fn of(&self, hash: u64) -> ([usize; 3], u8) {
        let (segment, fraction) = times(self.first_segments, (hash >> 32) as u32);
        let mixed = mix(hash ^ self.seed);
        let first = segment * self.segment_len;
        let second = first + self.segment_len;
        let third = second + self.segment_len;
        let slots = [(first, fraction), (second, (mixed >> 24) as u32), (third, mixed as u32)]
            .map(|(start, fraction)| (start + times(self.segment_len, fraction).0) as usize);
        (slots, (mixed >> 56) as u8)
    }
}

/// A number times a fraction of 2^32: what stands before the binary point, and behind it.
#[inline]
fn times(number: u32, fraction: u32) -> (u32, u32) {
    let product = u64::from(number) * u64::from(fraction);
    ((product >> 32) as u32, product as u32)
}
