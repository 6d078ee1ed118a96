//! What a DNS message asks: takes a message, gives its [`Question`] and the [`Spelling`] of the
//! name in it (RFC 1035 section 4.1.2, RFC 4343 for case).

use domain::base::Message;
use domain::base::iana::{Class, Rtype};

use crate::name::Name;
use crate::octets::are_equal;
use crate::suffix;

/// Octets of the header of a DNS message; the question follows it (RFC 1035 section 4.1.1).
pub(super) const HEADER_LEN: usize = 12;

/// Octets of type and class, behind the name of a question or a record.
pub(super) const TYPE_AND_CLASS_LEN: usize = 4;

/// A name, a type and a class. Case is no part of it: that is the [`Spelling`].
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) name: Name,
    pub(super) qtype: Rtype,
    pub(super) class: Class,
}

impl Question {
    /// Octets a header and a question fill at most.
    pub(super) const LEN_MAX: usize = HEADER_LEN + Name::MAX_LEN + TYPE_AND_CLASS_LEN;

    /// What [`Question::read`] takes the place of: all zeros, which are soon made.
    pub(super) const NONE: Question =
        Question { name: Name::ROOT, qtype: Rtype::from_int(0), class: Class::from_int(0) };

    /// The sole question of a message; see [`Question::read`].
    pub(super) fn parse(message: &Message<[u8]>) -> Option<(Question, Spelling)> {
        let mut question = Question::NONE;
        let spelling = question.read(message)?;
        Some((question, spelling))
    }

    /// Becomes the sole question of a message, where it stands, for it is long. `None` when there is
    /// none or more than one, when it is cut off, and when its name is compressed, which the first
    /// name of a message cannot be.
    pub(super) fn read(&mut self, message: &Message<[u8]>) -> Option<Spelling> {
        if message.header_counts().qdcount() != 1 {
            return None;
        }
        let message = message.as_slice();
        let end = self.name.read_message(message, HEADER_LEN).ok()?;
        let spelled = message.get(HEADER_LEN..end)?;
        // A pointer has two octets; what it stands for has one, or three and more.
        if spelled.len() != self.name.as_wire().len() {
            return None;
        }
        let &[type_high, type_low, class_high, class_low] = message.get(end..)?.first_chunk()?;
        self.qtype = Rtype::from_int(u16::from_be_bytes([type_high, type_low]));
        self.class = Class::from_int(u16::from_be_bytes([class_high, class_low]));
        // As nearly all are.
        let is_lower_case = are_equal(spelled, self.name.as_wire());
        Some(if is_lower_case { Spelling::LOWER_CASE } else { Spelling::of(spelled) })
    }

    /// Octets of a message up to the end of this question.
    pub(super) fn end(&self) -> usize {
        HEADER_LEN + self.name.as_wire().len() + TYPE_AND_CLASS_LEN
    }

    /// A hash of name, type and class, never 0.
    pub(super) fn hash(&self) -> u32 {
        let seed = u64::from(self.qtype.to_int()) << 16 | u64::from(self.class.to_int());
        ((suffix::hash(seed, self.name.as_wire()) >> 32) as u32).max(1)
    }
}

/// Which octets of a name on the wire are upper-case letters, one bit each.
///
/// Servers echo it, so chance in it is a secret that whoever forges an answer has to guess
/// besides port and id (0x20, draft-vixie-dnsext-dns0x20). Length octets are below any letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spelling([u32; 8]);

impl Spelling {
    pub(super) const LOWER_CASE: Spelling = Spelling([0; 8]);

    /// How a name on the wire is spelled.
    fn of(wire: &[u8]) -> Spelling {
        let mut spelling = Spelling::LOWER_CASE;
        for (word, octets) in spelling.0.iter_mut().zip(wire.chunks(32)) {
            *word = bits(octets, u8::is_ascii_uppercase);
        }
        spelling
    }

    /// A spelling of `name` by chance: every letter is upper case or not.
    pub(super) fn random(name: &Name, random: &mut dyn FnMut() -> u32) -> Spelling {
        let mut spelling = Spelling::LOWER_CASE;
        for (word, octets) in spelling.0.iter_mut().zip(name.as_wire().chunks(32)) {
            // Only letters can be spelled one way or the other, and a name has lower-case ones.
            *word = random() & bits(octets, u8::is_ascii_lowercase);
        }
        spelling
    }

    /// Spells the name that stands in `wire` this way.
    pub(super) fn write(&self, wire: &mut [u8]) {
        wire.make_ascii_lowercase();
        self.capitalize(wire);
    }

    /// The same for a name in lower case.
    pub(super) fn capitalize(&self, wire: &mut [u8]) {
        for (&word, octets) in self.0.iter().zip(wire.chunks_mut(32)) {
            let mut left = word;
            // Ends because each turn takes a bit away.
            while left != 0 {
                if let Some(octet) = octets.get_mut(left.trailing_zeros() as usize) {
                    octet.make_ascii_uppercase();
                }
                left &= left - 1;
            }
        }
    }
}

/// What is true of each of 32 octets, as bits, the first one lowest.
fn bits(octets: &[u8], is: impl Fn(&u8) -> bool) -> u32 {
    octets.iter().rev().fold(0, |bits, octet| bits << 1 | u32::from(is(octet)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spelling_is_read_and_written_back() {
        let mut wire = *b"\x03wWw\x0ASome-0ther\x07eXAMPLE\0";
        let spelled = wire;
        let spelling = Spelling::of(&wire);
        wire.make_ascii_lowercase();
        assert_eq!(Spelling::of(&wire), Spelling::LOWER_CASE);
        spelling.write(&mut wire);
        assert_eq!(wire, spelled);
        Spelling::LOWER_CASE.write(&mut wire);
        assert_eq!(wire, spelled.to_ascii_lowercase()[..]);
    }

    #[test]
    fn chance_touches_letters_only() {
        let name = Name::from_text("0123-abc.example").unwrap();
        let spelling = Spelling::random(&name, &mut || u32::MAX);
        let mut wire = name.as_wire().to_vec();
        spelling.write(&mut wire);
        assert_eq!(wire, b"\x080123-ABC\x07EXAMPLE\0");
        assert_eq!(Spelling::of(&wire), spelling);
    }

    #[test]
    fn a_compressed_or_a_second_question_is_none() {
        let parse = |octets: &[u8]| Question::parse(Message::from_slice(octets).unwrap()).is_some();
        let header = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0";
        let with = |rest: &[u8]| [&header[..], rest].concat();
        assert!(parse(&with(b"\x01a\0\0\x01\0\x01")));
        assert!(parse(&with(b"\0\0\x02\0\x01")));
        assert!(!parse(&with(b"\x01a\xC0\x02\0\x01\0\x01")));
        assert!(!parse(&with(b"\x01a\0\0\x01\0")));
        assert!(!parse(&with(b"")));
        let mut two = with(b"\x01a\0\0\x01\0\x01\x01a\0\0\x01\0\x01");
        two[5] = 2;
        assert!(!parse(&two));
    }
}
