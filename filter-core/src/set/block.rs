//! What stands between a block's first name and its sub-blocks: marks by which to choose one.

use super::Set;
use super::bits::Bits;
use super::key::END;

/// Bits of the numbers that say how long the fields of a block's marks are: the lengths of
/// sub-blocks, and the numbers of shared symbols.
pub(super) const WIDTH_BITS: [u32; 2] = [5, 4];
/// Bits of a fork.
pub(super) const FORK_BITS: u32 = 6;

/// The marks of a block's sub-blocks behind the first, in order.
pub(super) struct Marks<'a> {
    bits: Bits<'a>,
    /// Bits of each length, and of each number of shared symbols.
    length_width: u32,
    shared_width: u32,
    /// Sub-blocks not yet marked; decreases.
    remaining: usize,
    /// Where the sub-block last marked begins, in bits.
    start: usize,
}

/// How the first name of a sub-block differs from that of the sub-block before, and where the
/// sub-block is.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    pub(super) step: Step,
    /// Where the sub-block begins, in bits.
    pub(super) start: usize,
}

impl<'a> Marks<'a> {
    /// Those of a block of so many entries, behind whose first name `bits` stands.
    pub(super) fn read(set: &Set<'a>, len: usize, mut bits: Bits<'a>) -> Option<Marks<'a>> {
        let [length_width, shared_width] =
            [bits.number(WIDTH_BITS[0])?, bits.number(WIDTH_BITS[1])?];
        let remaining = len.div_ceil(set.interval.max(1)).saturating_sub(1);
        let mark_len = (length_width + shared_width + FORK_BITS) as usize;
        let marks_len = remaining.checked_mul(mark_len)?.checked_add(shared_width as usize)?;
        let start = bits.position().checked_add(marks_len)?;
        Some(Marks { bits, length_width, shared_width, remaining, start })
    }

    /// Where the sub-block last marked begins; the first sub-block, without a mark.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// The mark of the next sub-block, `Some(None)` behind the last.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Option<Mark>> {
        let Some(remaining) = self.remaining.checked_sub(1) else { return Some(None) };
        self.remaining = remaining;
        let step = Step(self.bits.number(self.shared_width + FORK_BITS)?);
        self.start = self.start.checked_add(self.bits.number(self.length_width)? as usize)?;
        Some(Some(Mark { step, start: self.start }))
    }

    /// How many symbols the first names of the sub-block last marked and of the one behind it
    /// share; that one may be in the next block.
    pub(super) fn shared_behind(&self) -> Option<usize> {
        Some({ self.bits }.number(self.shared_width)? as usize)
    }
}

/// How an entry differs from one before it: how many symbols they share, and its first symbol
/// that they do not.
///
/// Say that a name lies at or behind some entry, and let its step be the one from that entry. Then
/// an entry with a greater step lies before the name and shares as much with it as the first
/// entry does; one with a smaller step lies behind the name; and one with the same step may lie
/// on either side. So steps compare as numbers: more shared symbols make a greater one, and at
/// equal ones a lower symbol does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Step(u32);

impl Step {
    /// What the lowest of symbols adds to a step.
    const FORK_MAX: u32 = (1 << FORK_BITS) - 1;

    #[inline]
    pub(super) fn new(shared: usize, fork: u8) -> Step {
        Step((shared as u32) << FORK_BITS | Step::FORK_MAX.saturating_sub(fork.into()))
    }

    /// The step of a key from an entry with which it shares so many symbols.
    #[inline]
    pub(super) fn of_key(key: &[u8], shared: usize) -> Step {
        Step::new(shared, key.get(shared).copied().unwrap_or(END))
    }

    /// As a mark holds it.
    #[cfg(feature = "build")]
    pub(super) fn number(self) -> u32 {
        self.0
    }

    #[inline]
    pub(super) fn shared(self) -> usize {
        (self.0 >> FORK_BITS) as usize
    }

    #[inline]
    pub(super) fn fork(self) -> u8 {
        (Step::FORK_MAX - (self.0 & Step::FORK_MAX)) as u8
    }
}
