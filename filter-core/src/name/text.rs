//! Reads a name in presentation form: nearly always eight octets at a time, else one by one.

use super::{Builder, Name, NameError};

impl Name {
    /// Takes the place of the root.
    pub(super) fn read_text(&mut self, text: &[u8]) -> Result<(), NameError> {
        if text == b"." || self.read_plain_text(text).is_some() {
            return Ok(());
        }
        self.read_any_text(text)
    }

    /// Reads text of ASCII without escapes: that is the wire form an octet further on, but for
    /// lengths where dots are. Who reads millions of names waits here. `None`, and anything in
    /// the octets, when the text wants more care or is no name.
    fn read_plain_text(&mut self, text: &[u8]) -> Option<()> {
        let text = text.strip_suffix(b".").unwrap_or(text);
        self.octets.get_mut(1..=text.len())?.copy_from_slice(text);
        let mut label = 0;
        for start in (1..=text.len()).step_by(8) {
            let word = self.octets.get_mut(start..)?.first_chunk_mut()?;
            let octets = AsciiWord::new(*word).filter(|octets| octets.equal(b'\\') == 0)?;
            *word = octets.to_lowercase();
            let mut dots = octets.equal(b'.');
            // Ends because every turn takes a dot away.
            while dots != 0 {
                let dot = start + (dots.trailing_zeros() / 8) as usize;
                self.put_length(label, dot)?;
                label = dot;
                dots &= dots - 1;
            }
        }
        let end = text.len() + 1;
        self.put_length(label, end)?;
        *self.octets.get_mut(end)? = 0;
        self.root = end as u8;
        Some(())
    }

    /// Writes the length octet at `start` of the label before `end`.
    fn put_length(&mut self, start: usize, end: usize) -> Option<()> {
        let length = end - start - 1;
        *self.octets.get_mut(start)? = length as u8;
        (1..=Name::MAX_LABEL_LEN).contains(&length).then_some(())
    }

    fn read_any_text(&mut self, mut text: &[u8]) -> Result<(), NameError> {
        let mut builder = Builder::new(self);
        // Ends because every turn takes at least one octet off `text`.
        while let Some((&octet, rest)) = text.split_first() {
            text = rest;
            match octet {
                b'.' => {
                    builder.close_label()?;
                    if text.is_empty() {
                        return builder.finish();
                    }
                }
                b'\\' => {
                    let (octet, rest) = unescape(text)?;
                    text = rest;
                    builder.push(octet)?;
                }
                0x80.. => return Err(NameError::NotAscii),
                octet => builder.push(octet)?,
            }
        }
        builder.close_label()?;
        builder.finish()
    }
}

/// The octet behind a `\`, and the text behind the escape.
fn unescape(text: &[u8]) -> Result<(u8, &[u8]), NameError> {
    match text {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] => {
            let digit = |octet: &u8| u16::from(*octet - b'0');
            let value = digit(a) * 100 + digit(b) * 10 + digit(c);
            Ok((u8::try_from(value).map_err(|_| NameError::BadEscape)?, rest))
        }
        [b'0'..=b'9', ..] | [] => Err(NameError::BadEscape),
        [octet, rest @ ..] => Ok((*octet, rest)),
    }
}

/// Eight octets of ASCII in a little-endian word. The highest bit of each is free, so sums of
/// octets do not carry into the next one.
#[derive(Clone, Copy)]
struct AsciiWord(u64);

impl AsciiWord {
    const HIGHEST_BITS: u64 = each(0x80);

    /// `None` when an octet is not ASCII.
    fn new(octets: [u8; 8]) -> Option<AsciiWord> {
        let word = u64::from_le_bytes(octets);
        (word & AsciiWord::HIGHEST_BITS == 0).then_some(AsciiWord(word))
    }

    /// The highest bits of the octets that are at least `octet`.
    fn at_least(self, octet: u8) -> u64 {
        (self.0 + each(0x80 - octet)) & AsciiWord::HIGHEST_BITS
    }

    /// The highest bits of the octets that are `octet`.
    fn equal(self, octet: u8) -> u64 {
        AsciiWord(self.0 ^ each(octet)).at_least(1) ^ AsciiWord::HIGHEST_BITS
    }

    fn to_lowercase(self) -> [u8; 8] {
        let upper = self.at_least(b'A') ^ self.at_least(b'Z' + 1);
        // A small letter has 0x20 more than a capital, which is the highest bit shifted by two.
        (self.0 | upper >> 2).to_le_bytes()
    }
}

/// Eight times the octet.
const fn each(octet: u8) -> u64 {
    u64::from_le_bytes([octet; 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_is_seen_at_every_place() {
        for place in 0..8 {
            for octet in 0..=u8::MAX {
                let mut octets = *b"a.Z\\@[\x7f\0";
                octets[place] = octet;
                let word = AsciiWord::new(octets);
                assert_eq!(word.is_some(), octet.is_ascii());
                let Some(word) = word else { continue };
                assert_eq!(word.to_lowercase(), octets.map(|octet| octet.to_ascii_lowercase()));
                let dots = octets.map(|octet| if octet == b'.' { 0x80 } else { 0 });
                assert_eq!(word.equal(b'.'), u64::from_le_bytes(dots));
            }
        }
    }

    proptest::proptest! {
        /// The fast way through text says the same as the careful one, or nothing.
        #[test]
        fn plain_text_is_read_as_any_text(
            text in "([a-zA-Z0-9_]{1,9}\\.){0,30}[aB.]{0,3}|[a-c.]{0,70}|[aB.\\\\é\x001]{0,20}",
        ) {
            let (mut plain, mut any) = (Name::ROOT, Name::ROOT);
            let read = any.read_any_text(text.as_bytes());
            if plain.read_plain_text(text.as_bytes()).is_some() {
                proptest::prop_assert_eq!((read, plain), (Ok(()), any));
            } else if text.is_ascii() && !text.contains('\\') && text.len() < 240 {
                proptest::prop_assert!(read.is_err());
            }
        }
    }
}
