//! Maps keys to 32-bit points that keep their order.

use super::key::{END, OTHER};
use crate::octets::u16_at;

/// Octets of a row of the model: one u16 for each symbol.
pub(crate) const ROW_LEN: usize = super::key::SYMBOL_COUNT * 2;

/// For each symbol, in each row, the part of 65,536 that sorts before it. One row for all, or
/// one for each symbol that may stand before.
#[derive(Clone, Copy)]
pub(crate) struct PointModel<'a> {
    rows: &'a [u8],
}

impl<'a> PointModel<'a> {
    pub(crate) fn new(rows: &'a [u8]) -> PointModel<'a> {
        PointModel { rows }
    }

    /// The point of a key: narrows the interval from 0 to 2^32 − 1 symbol by symbol, as an
    /// arithmetic coder does, and returns its lower end. If key `a` sorts before key `b` then
    /// `point(a) <= point(b)`, provided the rows ascend.
    pub(crate) fn point(&self, key: &[u8]) -> u32 {
        let (mut low, mut range) = (0u32, u32::MAX);
        let mut row = 0;
        for &symbol in key.iter().chain(&[END]) {
            if symbol >= OTHER {
                return low.saturating_add(range);
            }
            let part_of_range = |symbol| ((u64::from(range) * self.part(row, symbol)) >> 16) as u32;
            let (before, through) = (part_of_range(symbol), part_of_range(symbol + 1));
            low = low.saturating_add(before);
            range = through.saturating_sub(before);
            if range == 0 {
                break;
            }
            if self.rows.len() > ROW_LEN {
                row = usize::from(symbol) * ROW_LEN;
            }
        }
        low
    }

    fn part(&self, row: usize, symbol: u8) -> u64 {
        if symbol >= OTHER {
            return 1 << 16;
        }
        u16_at(self.rows, row + 2 * usize::from(symbol)).map_or(1 << 16, u64::from)
    }
}
