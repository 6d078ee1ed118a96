//! Writes a prefilter: the rules section in, the prefilter section out.

use std::vec::Vec;

use super::{PrefilterLayout, Spread};
use crate::set::SetLayout;
use crate::set::key::{Key, SEPARATOR};
use crate::suffix::SuffixHashes;

/// Seeds tried before the array grows by a segment.
const SEEDS_BY_SIZE: u32 = 64;
/// Arrays filled in search of one that holds none of the names asked often.
const ARRAYS_MAX: usize = 32;

/// The hash of a name, unless it has a single label only.
pub(crate) fn hash_of(name: &crate::name::Name) -> Option<u64> {
    SuffixHashes::of(name, &mut [0; 128]).skip(1).last()
}

/// Writes the section for a rules section. Of the names with the hashes `often_asked`, those
/// that are not listed are perhaps listed as seldom as possible. The same inputs give the same
/// octets.
///
/// O(rules): each array costs one pass, and few are needed. Heap: about 19 octets a name.
/// `None` when the rules cannot be read or no array can be filled, which no honest list does.
pub(crate) fn write(rules: &[u8], often_asked: &[u64]) -> Option<Vec<u8>> {
    let (single_labels, hashes) = hashes(rules)?;
    let mut hot: Vec<u64> = often_asked.to_vec();
    hot.retain(|hash| hashes.binary_search(hash).is_err());

    let mut best: Option<(usize, Vec<u8>)> = None;
    let first_size = Size::of(hashes.len());
    let mut size = first_size;
    let mut filled = 0;
    // Ends because the seed grows, with it the size, and that is bounded.
    for seed in 0.. {
        if filled == ARRAYS_MAX || size.slots > 3 * first_size.slots {
            break;
        }
        let spread = size.spread(seed)?;
        if let Some(array) = fill(&hashes, spread) {
            filled += 1;
            let section = section(seed, size, &single_labels, &array);
            let prefilter = PrefilterLayout::read(&section)?.view(&section)?;
            let alarms = hot.iter().filter(|&&hash| prefilter.may_hold(hash)).count();
            if best.as_ref().is_none_or(|(least, _)| alarms < *least) {
                best = Some((alarms, section));
            }
            if alarms == 0 {
                break;
            }
        } else if filled == 0 && (seed + 1) % SEEDS_BY_SIZE == 0 {
            size = size.grown();
        }
    }
    best.map(|(_, section)| section)
}

/// The hashes of the listed names, ascending: of those with a single label, and of the others.
fn hashes(rules: &[u8]) -> Option<(Vec<u64>, Vec<u64>)> {
    let layout = SetLayout::read(rules)?;
    let mut single_labels = Vec::new();
    let mut hashes = Vec::with_capacity(layout.entry_count() as usize);
    let mut entries = layout.view(rules)?.entries();
    while let Some((key, _)) = entries.advance() {
        let hash = SuffixHashes::of(&Key::name_of(key)?, &mut [0; 128]).last()?;
        let is_single = !key.contains(&SEPARATOR);
        if is_single { single_labels.push(hash) } else { hashes.push(hash) }
    }
    let count = single_labels.len() + hashes.len();
    for hashes in [&mut single_labels, &mut hashes] {
        hashes.sort_unstable();
        // Two names with one hash are one to the filter.
        hashes.dedup();
    }
    (count == layout.entry_count() as usize).then_some((single_labels, hashes))
}

/// How large an array is, and its segments.
#[derive(Clone, Copy)]
struct Size {
    slots: usize,
    segments: usize,
}

impl Size {
    /// The size to begin with.
    ///
    /// The formulas of Graf and Lemire in integers: the array has 7/8 + 5/log2(*n*) slots a
    /// name, but at least 9/8, and from 100,000 names on at most 1.149. A segment has about
    /// twice as many slots whenever there are 10/3 times as many names.
    fn of(names: usize) -> Size {
        let mut segment_len = 8;
        let mut enough_for = 23;
        // Ends because `enough_for` grows.
        while names >= enough_for {
            segment_len *= 2;
            enough_for = enough_for * 10 / 3;
        }
        let mut slots = names * 7 / 8 + 5 * names / names.max(2).ilog2() as usize;
        if names >= 100_000 {
            slots = slots.min(names * 1149 / 1000);
        }
        let slots = slots.max(names * 9 / 8).max(3 * segment_len);
        Size { slots, segments: slots / segment_len }
    }

    fn grown(self) -> Size {
        Size { slots: self.slots + self.slots.div_ceil(128), ..self }
    }

    fn segment_len(self) -> usize {
        self.slots / self.segments
    }

    /// `None` behind 2^32 slots.
    fn spread(self, seed: u32) -> Option<Spread> {
        Spread::new(seed, self.segments as u32, u32::try_from(self.segment_len()).ok()?)
    }
}

/// The array in which all hashes are found, or `None` when they do not peel.
fn fill(hashes: &[u64], spread: Spread) -> Option<Vec<u8>> {
    // For each slot how many names point to it, and the exclusive or of their numbers: when
    // there is one, that is its number.
    let mut counts = std::vec![0u8; spread.slot_count()];
    let mut numbers = std::vec![0u32; spread.slot_count()];
    for (number, &hash) in (0u32..).zip(hashes) {
        for slot in spread.of(hash).0 {
            counts[slot] = counts[slot].checked_add(1)?;
            numbers[slot] ^= number;
        }
    }
    // The slots in the order they are peeled; a peeled slot keeps the number of its name.
    let mut peeled: Vec<u32> = Vec::with_capacity(hashes.len());
    let mut pending = Vec::new();
    for slot in 0..counts.len() {
        pending.push(slot);
        // Ends because a slot comes back only when its count falls to one.
        while let Some(slot) = pending.pop() {
            if counts[slot] != 1 {
                continue;
            }
            peeled.push(slot as u32);
            counts[slot] = 0;
            let number = numbers[slot];
            for other in spread.of(hashes[number as usize]).0 {
                if other != slot {
                    counts[other] -= 1;
                    numbers[other] ^= number;
                    if counts[other] == 1 {
                        pending.push(other);
                    }
                }
            }
        }
    }
    if peeled.len() < hashes.len() {
        return None;
    }
    let mut array = std::vec![0u8; spread.slot_count()];
    for &slot in peeled.iter().rev() {
        let hash = hashes[numbers[slot as usize] as usize];
        let (slots, fingerprint) = spread.of(hash);
        // Its own octet is still zero.
        array[slot as usize] = slots.iter().fold(fingerprint, |octet, &slot| octet ^ array[slot]);
    }
    Some(array)
}

fn section(seed: u32, size: Size, single_labels: &[u64], array: &[u8]) -> Vec<u8> {
    let head = [seed, size.segments as u32, size.segment_len() as u32, single_labels.len() as u32];
    let mut section: Vec<u8> = head.into_iter().flat_map(u32::to_le_bytes).collect();
    single_labels.iter().for_each(|hash| section.extend(hash.to_le_bytes()));
    section.extend(array);
    section
}
