//! What stands between a block's first name and its sub-blocks: marks by which to choose one.

use super::bits::Bits;
use super::{Set, contexts};

/// Bits of the number that says how long the lengths in a block are.
pub(super) const WIDTH_BITS: u32 = 5;
/// Bits of the number that says how long all marks of a block are.
pub(super) const MARKS_BITS: u32 = 14;

/// The marks of a block's sub-blocks behind the first, in order.
pub(super) struct Marks<'a> {
    bits: Bits<'a>,
    /// Bits of each length.
    width: u32,
    /// Sub-blocks not yet marked; decreases.
    remaining: usize,
    /// Where the sub-block last marked begins, in bits.
    start: usize,
}

/// How the first name of a sub-block differs from that of the sub-block before.
pub(super) struct Mark {
    /// Symbols they share.
    pub(super) shared: usize,
    /// The first symbol that is not shared.
    pub(super) fork: u8,
    /// Where the sub-block begins, in bits.
    pub(super) start: usize,
}

impl<'a> Marks<'a> {
    /// Those of a block of so many entries, behind whose first name `bits` stands.
    pub(super) fn read(set: &Set<'a>, len: usize, mut bits: Bits<'a>) -> Option<Marks<'a>> {
        let width = bits.number(WIDTH_BITS)?;
        let marks_len = bits.number(MARKS_BITS)? as usize;
        let start = bits.position().checked_add(marks_len)?;
        let remaining = len.div_ceil(set.interval.max(1)).saturating_sub(1);
        Some(Marks { bits, width, remaining, start })
    }

    /// Where the sub-block last marked begins; the first sub-block, without a mark.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// The mark of the next sub-block, `Some(None)` behind the last.
    pub(super) fn next(&mut self, set: &Set<'a>) -> Option<Option<Mark>> {
        let Some(remaining) = self.remaining.checked_sub(1) else { return Some(None) };
        self.remaining = remaining;
        self.start = self.start.checked_add(self.bits.number(self.width)? as usize)?;
        let shared = usize::from(set.shared.decode(contexts::SHARED_MARK, &mut self.bits)?);
        let fork = set.forks.decode(contexts::FORK_MARK, &mut self.bits)? as u8;
        Some(Some(Mark { shared, fork, start: self.start }))
    }
}
