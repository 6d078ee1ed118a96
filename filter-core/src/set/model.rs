//! A model turns a context into a prefix code and the next bits into a symbol.
//!
//! Contexts that behave alike share a code: a table of one octet per context names it (the
//! table is absent when there is only one code). Codes are canonical (Schwartz and Kallick,
//! 1964): given the length of each symbol's word, the words follow, so a record holds
//!
//! | octets | what |
//! |---|---|
//! | 32 | for each value of the next 5 bits: rank of the symbol · 8 + length, or 7 in the low three bits when the word is longer |
//! | 4 each | for each length 6, 7, … up to the model's longest: the first 15-bit window beyond words of that length (u16), and what to take off the word to get the rank (u16, modulo 2^16) |
//! | 1 or 2 each | the symbols by rank |
//!
//! All records of a model have the same size; shorter symbol tables are filled with zeros.
//! A code of one symbol has words of no bits.

use super::bits::{Bits, WINDOW};
use crate::octets::{Octets, u16_at};

/// Words up to this length are decoded with one look at the 32-entry table.
pub(crate) const FAST_BITS: u32 = 5;
/// Octets of that table.
pub(crate) const FAST_LEN: usize = 1 << FAST_BITS;
/// In the low bits of a fast entry: the word is longer than [`FAST_BITS`].
pub(crate) const SLOW: u8 = 7;
/// Octets of a model's header, see [`ModelLayout::read`].
pub(crate) const HEADER_LEN: usize = 8;

/// Where the parts of a model lie, counted from the start of the section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ModelLayout {
    map: usize,
    context_count: usize,
    codes: usize,
    code_count: usize,
    stride: usize,
    long_lengths: usize,
    wide: bool,
}

impl ModelLayout {
    /// Reads a header: contexts (u16, 0 when there is one code), codes (u16), symbols by code
    /// (u16), longest word (u8), octets by symbol (u8, 1 or 2). The model's tables begin at
    /// `at`; returns the layout and the offset behind them. `None` when a field is out of
    /// range.
    pub(crate) fn read(header: &mut Octets<'_>, at: usize) -> Option<(ModelLayout, usize)> {
        let context_count = usize::from(header.u16()?);
        let code_count = usize::from(header.u16()?);
        let symbol_count = usize::from(header.u16()?);
        let longest = u32::from(header.u8()?);
        let width = usize::from(header.u8()?);
        if !(1..=256).contains(&code_count)
            || (context_count == 0 && code_count > 1)
            || longest > WINDOW
            || !matches!(width, 1 | 2)
        {
            return None;
        }
        let long_lengths = longest.saturating_sub(FAST_BITS) as usize;
        let stride = FAST_LEN + 4 * long_lengths + symbol_count * width;
        let codes = at.checked_add(context_count)?;
        let end = codes.checked_add(code_count * stride)?;
        let layout = ModelLayout {
            map: at,
            context_count,
            codes,
            code_count,
            stride,
            long_lengths,
            wide: width == 2,
        };
        Some((layout, end))
    }

    /// The model in the section this layout was read from.
    pub(crate) fn view<'a>(&self, section: &'a [u8]) -> Option<Model<'a>> {
        let end = self.codes + self.code_count * self.stride;
        Some(Model {
            map: section.get(self.map..self.map + self.context_count)?,
            codes: section.get(self.codes..end)?,
            stride: self.stride,
            long_lengths: self.long_lengths,
            wide: self.wide,
        })
    }
}

/// A model ready to decode.
#[derive(Clone, Copy)]
pub(crate) struct Model<'a> {
    map: &'a [u8],
    codes: &'a [u8],
    stride: usize,
    long_lengths: usize,
    wide: bool,
}

impl Model<'_> {
    /// The symbol the next bits stand for in `context`. `None` on a context or bits that a
    /// sound image does not have.
    #[inline(always)]
    pub(crate) fn decode(&self, context: usize, bits: &mut Bits<'_>) -> Option<u16> {
        let code = match self.map.get(context) {
            Some(&code) => usize::from(code),
            None if self.map.is_empty() => 0,
            None => return None,
        };
        let record = code * self.stride;
        let window = bits.peek()?;
        let fast = *self.codes.get(record + (window >> (WINDOW - FAST_BITS)) as usize)?;
        let (rank, length) = match fast & 7 {
            SLOW => self.decode_long(record, window)?,
            length => (usize::from(fast >> 3), u32::from(length)),
        };
        bits.skip(length);
        let symbols = record + FAST_LEN + 4 * self.long_lengths;
        if self.wide {
            u16_at(self.codes, symbols + 2 * rank)
        } else {
            self.codes.get(symbols + rank).map(|&symbol| u16::from(symbol))
        }
    }

    /// A word longer than the fast table knows: every tenth or so.
    ///
    /// Ends because the length grows to the model's longest.
    fn decode_long(&self, record: usize, window: u32) -> Option<(usize, u32)> {
        for index in 0..self.long_lengths {
            let at = record + FAST_LEN + 4 * index;
            if window < u32::from(u16_at(self.codes, at)?) {
                let length = FAST_BITS + 1 + index as u32;
                let word = (window >> (WINDOW.saturating_sub(length))) as u16;
                let rank = word.wrapping_sub(u16_at(self.codes, at + 2)?);
                return Some((usize::from(rank), length));
            }
        }
        None
    }
}
