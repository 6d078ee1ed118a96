//! The tokens tails are made of: strings of one to fifteen symbols, numbered by length.

use crate::octets::{Octets, u32_at};

/// The most symbols of a token.
pub(crate) const TOKEN_LEN_MAX: usize = 15;
/// Octets read for a token, whatever its length; the writer closes the strings with as many.
pub(crate) const TOKEN_ROOM: usize = TOKEN_LEN_MAX + 1;
/// In a token's form: its last symbol is the end mark.
pub(crate) const ENDS: u8 = 16;
/// Octets of the vocabulary's header, see [`VocabularyLayout::read`].
pub(crate) const HEADER_LEN: usize = 6;
/// Octets of the table of places.
const PLACES_LEN: usize = 4 * TOKEN_ROOM;

/// Where the parts of a vocabulary lie, counted from the start of the section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VocabularyLayout {
    places: usize,
    strings: usize,
    end: usize,
}

impl VocabularyLayout {
    /// Reads a header: tokens (u16), octets of their strings (u32). The tables begin at `at`;
    /// returns the layout and the offset behind them.
    pub(crate) fn read(header: &mut Octets<'_>, at: usize) -> Option<(VocabularyLayout, usize)> {
        let token_count = usize::from(header.u16()?);
        let strings_len = header.u32()? as usize;
        let strings = at.checked_add(PLACES_LEN + token_count)?;
        let end = strings.checked_add(strings_len)?;
        Some((VocabularyLayout { places: at, strings, end }, end))
    }

    /// The vocabulary in the section this layout was read from.
    pub(crate) fn view<'a>(&self, section: &'a [u8]) -> Option<Vocabulary<'a>> {
        let forms = self.places.checked_add(PLACES_LEN)?;
        Some(Vocabulary {
            places: section.get(self.places..)?.first_chunk()?,
            forms: section.get(forms..self.strings)?,
            strings: section.get(self.strings..self.end)?,
        })
    }
}

/// A vocabulary ready to read.
#[derive(Clone, Copy)]
pub(crate) struct Vocabulary<'a> {
    /// For each length, what to add to length × token (u32, modulo 2^32) to get to its string.
    places: &'a [u8; PLACES_LEN],
    /// For each token its length, plus [`ENDS`].
    forms: &'a [u8],
    strings: &'a [u8],
}

impl<'a> Vocabulary<'a> {
    /// A token's string, with whatever follows it, and its form. `None` for a number that a
    /// sound image does not have; the length in the form is never 0.
    #[inline(always)]
    pub(crate) fn token(&self, token: u16) -> Option<(&'a [u8; TOKEN_ROOM], u8)> {
        let form = *self.forms.get(usize::from(token))?;
        let length = usize::from(form & (ENDS - 1));
        if length == 0 {
            return None;
        }
        let place = u32_at(self.places, 4 * length)?;
        let start = place.wrapping_add(length as u32 * u32::from(token)) as usize;
        Some((self.strings.get(start..start.wrapping_add(TOKEN_ROOM))?.first_chunk()?, form))
    }
}

/// Appends header and tables of a vocabulary: [`VocabularyLayout::read`] reads them. Tokens come
/// shortest first.
#[cfg(feature = "build")]
pub(super) fn write(
    tokens: &[std::vec::Vec<u8>],
    header: &mut std::vec::Vec<u8>,
    tables: &mut std::vec::Vec<u8>,
) {
    let mut places = [0u32; TOKEN_ROOM];
    let mut strings = std::vec::Vec::new();
    for (number, token) in tokens.iter().enumerate() {
        if number == 0 || tokens[number - 1].len() < token.len() {
            places[token.len()] =
                (strings.len() as u32).wrapping_sub((token.len() * number) as u32);
        }
        strings.extend(token);
    }
    strings.extend([0; TOKEN_ROOM]);
    header.extend((tokens.len() as u16).to_le_bytes());
    header.extend((strings.len() as u32).to_le_bytes());
    tables.extend(places.map(u32::to_le_bytes).as_flattened());
    tables.extend(tokens.iter().map(|token| {
        let ends = token.last() == Some(&super::key::END);
        token.len() as u8 | if ends { ENDS } else { 0 }
    }));
    tables.extend(strings);
}
