//! A model turns a context into a prefix code and the next bits into a symbol.
//!
//! Contexts that behave alike share a code: a table of one octet per context names it (the
//! table is absent when there is only one code). Codes are canonical (Schwartz and Kallick,
//! 1964): given the length of each symbol's word, the words follow, so a record holds
//!
//! | octets | what |
//! |---|---|
//! | 256 | for each value of the next 8 bits: the length of the shortest word that begins so |
//! | 4 each | for each length from 0 to 15: the first 15-bit window beyond words of that length (u16), and what to take off the word to get the rank (u16, modulo 2^16) |
//! | 1 or 2 each | the symbols by rank |
//!
//! A code of one symbol has a word of no bits.

use super::bits::{Bits, WINDOW};
use crate::octets::{Octets, u16_at, u32_at};

/// How many bits of a word choose where the search for its length begins.
pub(crate) const FIRST_BITS: u32 = 6;
/// Octets of the table those bits index.
pub(crate) const FIRST_LEN: usize = 1 << FIRST_BITS;
/// Octets of the table of lengths behind it.
const ROWS_LEN: usize = 4 * (WINDOW as usize + 1);
/// Octets of a record before its symbols.
pub(crate) const HEAD_LEN: usize = FIRST_LEN + ROWS_LEN;
/// Octets of a model's header, see [`ModelLayout::read`].
pub(crate) const HEADER_LEN: usize = 8;

/// Where the parts of a model lie, counted from the start of the section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ModelLayout {
    map: usize,
    starts: usize,
    records: usize,
    end: usize,
}

impl ModelLayout {
    /// Reads a header: contexts (u16, 0 when there is one code), codes (u16, 1 to 256), octets
    /// of all records (u32). The model's tables begin at `at`; returns the layout and the
    /// offset behind them. `None` when a field is out of range.
    pub(crate) fn read(header: &mut Octets<'_>, at: usize) -> Option<(ModelLayout, usize)> {
        let context_count = usize::from(header.u16()?);
        let code_count = usize::from(header.u16()?);
        let records_len = header.u32()? as usize;
        if !(1..=256).contains(&code_count) || (context_count == 0 && code_count > 1) {
            return None;
        }
        let starts = at.checked_add(context_count)?;
        let records = starts.checked_add(4 * code_count)?;
        let end = records.checked_add(records_len)?;
        Some((ModelLayout { map: at, starts, records, end }, end))
    }

    /// The model in the section this layout was read from.
    pub(crate) fn view<'a, const WIDTH: usize>(
        &self,
        section: &'a [u8],
    ) -> Option<Model<'a, WIDTH>> {
        Some(Model {
            map: section.get(self.map..self.starts)?,
            starts: section.get(self.starts..self.records)?,
            records: section.get(self.records..self.end)?,
        })
    }
}

/// A model ready to decode, with symbols of `WIDTH` octets: 1 or 2.
#[derive(Clone, Copy)]
pub(crate) struct Model<'a, const WIDTH: usize> {
    map: &'a [u8],
    /// Where each code's record begins.
    starts: &'a [u8],
    records: &'a [u8],
}

impl<const WIDTH: usize> Model<'_, WIDTH> {
    /// The symbol the next bits stand for in `context`. `None` on a context or bits that a
    /// sound image does not have.
    #[inline(always)]
    pub(crate) fn decode(&self, context: usize, bits: &mut Bits<'_>) -> Option<u16> {
        let code = match self.map.get(context) {
            Some(&code) => usize::from(code),
            None if self.map.is_empty() => 0,
            None => return None,
        };
        self.decode_by(4 * code, bits)
    }

    /// The symbol the next bits stand for in the model's last code.
    pub(crate) fn decode_by_last(&self, bits: &mut Bits<'_>) -> Option<u16> {
        self.decode_by(self.starts.len().checked_sub(4)?, bits)
    }

    #[inline(always)]
    fn decode_by(&self, start: usize, bits: &mut Bits<'_>) -> Option<u16> {
        let start = u32_at(self.starts, start)? as usize;
        let head = self.records.get(start..)?.first_chunk::<HEAD_LEN>()?;
        let (rows, _) = head.last_chunk::<ROWS_LEN>()?.as_chunks::<4>();
        let window = bits.peek()?;
        let mut length = u32::from(head[(window >> (WINDOW - FIRST_BITS)) as usize]);
        // Ends because the length grows to that of a window.
        while length <= WINDOW {
            let row = u32::from_le_bytes(rows[(length & 15) as usize]);
            if window < row & 0xFFFF {
                let word = window >> (WINDOW - length);
                let rank = usize::from((word as u16).wrapping_sub((row >> 16) as u16));
                let symbol = start + HEAD_LEN + WIDTH * rank;
                bits.skip(length);
                return match WIDTH {
                    1 => self.records.get(symbol).map(|&symbol| u16::from(symbol)),
                    _ => u16_at(self.records, symbol),
                };
            }
            length += 1;
        }
        None
    }
}
