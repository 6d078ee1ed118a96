//! A model turns a context into a prefix code and the next bits into a symbol.
//!
//! Contexts that behave alike share a code: a table of one octet per context names it (the
//! table is absent when there is only one code). Codes are canonical (Schwartz and Kallick,
//! 1964): given the length of each symbol's word, the words follow, so a record holds
//!
//! | octets | what |
//! |---|---|
//! | 128 | for each value of the next 6 bits: 16 · symbol + length of its word (u16), or 15 in the low four bits when the word is longer; absent when symbols have two octets |
//! | 4 each | for each length 7, 8, … (1, 2, … without the table above) up to the model's longest: the first 15-bit window beyond words of that length (u16), and what to take off the word to get the rank (u16, modulo 2^16) |
//! | 1 or 2 each | the symbols by rank |
//!
//! All records of a model have the same size; shorter symbol tables are filled with zeros.
//! A code of one symbol has words of no bits.

use super::bits::{Bits, WINDOW};
use crate::octets::{Octets, u16_at};

/// Words up to this length are decoded with one look at a table of 64 entries.
pub(crate) const FAST_BITS: u32 = 6;
/// Octets of that table.
pub(crate) const FAST_LEN: usize = 2 << FAST_BITS;
/// In the low bits of a fast entry: the word is longer than [`FAST_BITS`].
pub(crate) const SLOW: u16 = 15;
/// Octets of a model's header, see [`ModelLayout::read`].
pub(crate) const HEADER_LEN: usize = 8;

/// Where the parts of a model lie, counted from the start of the section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ModelLayout {
    map: usize,
    context_count: usize,
    codes: usize,
    code_count: usize,
    parts: RecordParts,
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
        let parts = RecordParts::new(longest, symbol_count, width);
        let codes = at.checked_add(context_count)?;
        let end = codes.checked_add(code_count * parts.stride())?;
        let layout = ModelLayout { map: at, context_count, codes, code_count, parts };
        Some((layout, end))
    }

    /// The model in the section this layout was read from.
    pub(crate) fn view<'a>(&self, section: &'a [u8]) -> Option<Model<'a>> {
        let end = self.codes + self.code_count * self.parts.stride();
        Some(Model {
            map: section.get(self.map..self.map + self.context_count)?,
            codes: section.get(self.codes..end)?,
            parts: self.parts,
        })
    }
}

/// How the record of a code is divided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordParts {
    /// Octets of the fast table: [`FAST_LEN`] or none.
    pub(crate) fast_len: usize,
    /// How many lengths the table of long words has.
    pub(crate) long_count: usize,
    /// Octets of the symbols.
    symbols_len: usize,
}

impl RecordParts {
    /// For a model whose longest word has `longest` bits and whose largest code has
    /// `symbol_count` symbols of `width` octets.
    pub(crate) fn new(longest: u32, symbol_count: usize, width: usize) -> RecordParts {
        let fast_len = if width == 1 { FAST_LEN } else { 0 };
        let long_count = if width == 1 { longest.saturating_sub(FAST_BITS) } else { longest };
        RecordParts { fast_len, long_count: long_count as usize, symbols_len: symbol_count * width }
    }

    /// Octets of a record.
    pub(crate) fn stride(&self) -> usize {
        self.fast_len + 4 * self.long_count + self.symbols_len
    }
}

/// A model ready to decode.
#[derive(Clone, Copy)]
pub(crate) struct Model<'a> {
    map: &'a [u8],
    codes: &'a [u8],
    parts: RecordParts,
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
        let record = code * self.parts.stride();
        let window = bits.peek()?;
        if self.parts.fast_len > 0 {
            let at = record + 2 * (window >> (WINDOW - FAST_BITS)) as usize;
            let entry = u16_at(self.codes, at)?;
            if entry & SLOW != SLOW {
                bits.skip(u32::from(entry & SLOW));
                return Some(entry >> 4);
            }
        }
        self.decode_long(record, window, bits)
    }

    /// A word the fast table does not have: in the tails of names, every tenth or so.
    #[inline(never)]
    fn decode_long(&self, record: usize, window: u32, bits: &mut Bits<'_>) -> Option<u16> {
        let (shortest, is_wide) = match self.parts.fast_len {
            0 => (1, true),
            _ => (FAST_BITS + 1, false),
        };
        let long = record + self.parts.fast_len;
        let symbols = long + 4 * self.parts.long_count;
        if is_wide && self.parts.long_count == 0 {
            return u16_at(self.codes, symbols);
        }
        // Ends because the length grows to the model's longest.
        for index in 0..self.parts.long_count {
            let at = long + 4 * index;
            if window < u32::from(u16_at(self.codes, at)?) {
                let length = shortest + index as u32;
                let word = (window >> WINDOW.saturating_sub(length)) as u16;
                let rank = usize::from(word.wrapping_sub(u16_at(self.codes, at + 2)?));
                bits.skip(length);
                return match is_wide {
                    true => u16_at(self.codes, symbols + 2 * rank),
                    false => self.codes.get(symbols + rank).map(|&symbol| u16::from(symbol)),
                };
            }
        }
        None
    }
}
