//! A model turns a context into a prefix code and the next bits into a symbol.
//!
//! Contexts that behave alike share a code: a table of one octet per context names it (the
//! table is absent when there is only one code). The first six bits of a word tell its length,
//! so that a symbol costs a fixed number of steps, and none of them is a guess.

use super::bits::{Bits, WINDOW};
use crate::octets::Octets;

/// How many bits at the front of a word tell its length.
pub(crate) const FIRST_BITS: u32 = 6;
/// Values these bits can have.
pub(crate) const FIRST_COUNT: usize = 1 << FIRST_BITS;
/// Octets of a code's head: for each value of the first bits one u16.
pub(crate) const HEAD_LEN: usize = 2 * FIRST_COUNT;
/// In an entry of a head: bits that tell the length, below those of the rank.
pub(crate) const LENGTH_BITS: u32 = 4;
/// The most symbols a code can have.
pub(crate) const SYMBOLS_MAX: usize = 1 << (16 - LENGTH_BITS);
/// Octets of a model's header, see [`ModelLayout::read`].
pub(crate) const HEADER_LEN: usize = 8;
/// Bits by symbol in models of few symbols, and in models of many.
pub(crate) const NARROW: u32 = 8;
/// See [`NARROW`].
pub(crate) const WIDE: u32 = 12;

/// Where the parts of a model lie, counted from the start of the section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ModelLayout {
    map: usize,
    heads: usize,
    starts: usize,
    symbols: usize,
    end: usize,
}

impl ModelLayout {
    /// Reads a header: contexts (u16, 0 when there is one code), codes (u16, 1 to 256), octets
    /// of all symbols (u32). The model's tables begin at `at`; returns the layout and the
    /// offset behind them. `None` when a field is out of range.
    pub(crate) fn read(header: &mut Octets<'_>, at: usize) -> Option<(ModelLayout, usize)> {
        let context_count = usize::from(header.u16()?);
        let code_count = usize::from(header.u16()?);
        let symbols_len = header.u32()? as usize;
        if !(1..=256).contains(&code_count) || (context_count == 0 && code_count > 1) {
            return None;
        }
        let heads = at.checked_add(context_count)?;
        let starts = heads.checked_add(HEAD_LEN * code_count)?;
        let symbols = starts.checked_add(4 * code_count)?;
        let end = symbols.checked_add(symbols_len)?;
        Some((ModelLayout { map: at, heads, starts, symbols, end }, end))
    }

    /// How many contexts there are, 0 when there is one code.
    pub(crate) fn context_count(&self) -> usize {
        self.heads - self.map
    }

    /// The model in the section this layout was read from.
    pub(crate) fn view<'a, const WIDTH: u32>(&self, section: &'a [u8]) -> Option<Model<'a, WIDTH>> {
        Some(Model {
            map: section.get(self.map..self.heads)?,
            heads: section.get(self.heads..self.starts)?.as_chunks().0,
            starts: section.get(self.starts..self.symbols)?.as_chunks().0,
            symbols: section.get(self.symbols..self.end)?,
        })
    }
}

/// A model ready to decode, with symbols of `WIDTH` bits: [`NARROW`] or [`WIDE`].
#[derive(Clone, Copy)]
pub(crate) struct Model<'a, const WIDTH: u32> {
    map: &'a [u8],
    /// The heads of all codes.
    heads: &'a [[u8; 2]],
    /// Where each code's symbols begin, counted in symbols.
    starts: &'a [[u8; 4]],
    symbols: &'a [u8],
}

impl<const WIDTH: u32> Model<'_, WIDTH> {
    /// The symbol the next bits stand for in `context`. `None` on a context or bits that a
    /// sound image does not have.
    #[inline(always)]
    pub(crate) fn decode(&self, context: usize, bits: &mut Bits<'_>) -> Option<u16> {
        let code = match self.map.get(context) {
            Some(&code) => usize::from(code),
            None if self.map.is_empty() => 0,
            None => return None,
        };
        self.decode_by(code, bits)
    }

    /// The symbol the next bits stand for in the model's last code.
    pub(crate) fn decode_by_last(&self, bits: &mut Bits<'_>) -> Option<u16> {
        self.decode_by(self.starts.len().checked_sub(1)?, bits)
    }

    #[inline(always)]
    fn decode_by(&self, code: usize, bits: &mut Bits<'_>) -> Option<u16> {
        /// The bits of a window behind those that tell the length.
        const REST_BITS: u32 = WINDOW - FIRST_BITS;
        let window = bits.peek()?;
        let head = FIRST_COUNT * code + (window >> REST_BITS) as usize;
        let entry = u32::from(u16::from_le_bytes(*self.heads.get(head)?));
        let length = entry & ((1 << LENGTH_BITS) - 1);
        let further = (window & ((1 << REST_BITS) - 1))
            >> (REST_BITS - length.saturating_sub(FIRST_BITS)) as u8;
        bits.skip(length);
        let start = u32::from_le_bytes(*self.starts.get(code)?);
        let place = start.wrapping_add((entry >> LENGTH_BITS) + further) as usize;
        match WIDTH {
            NARROW => self.symbols.get(place).copied().map(u16::from),
            _ => {
                let pair = self.symbols.as_chunks::<3>().0.get(place / 2)?;
                let pair = u32::from_le_bytes([pair[0], pair[1], pair[2], 0]);
                Some((pair >> (WIDE * (place as u32 & 1))) as u16 & ((1 << WIDE) - 1))
            }
        }
    }
}
