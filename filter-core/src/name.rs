//! What a domain name is: the one definition lists, compiler, image and queries share
//! (RFC 1035 section 3.1, RFC 4343 for case).
//!
//! A [`Name`] is made from text or from a DNS message and holds wire octets: each label behind
//! its length, closed by the root's zero octet. ASCII upper case is folded here and nowhere
//! else, so two names are equal when their octets are. Internationalised names arrive as
//! A-labels (`xn--…`); turning U-labels into them is the host's work.

mod text;

use core::fmt;

/// A valid, uncompressed, lower-case name of at most 255 octets.
///
/// Holding one proves: every label has 1 to 63 octets, the whole has at most 255 with the root
/// label, and no ASCII letter is upper case. A label may hold any octet, even a dot; such a
/// label equals no list entry.
///
/// 256 bytes on the stack, no heap.
///
/// ```
/// use filter_core::Name;
/// let name = Name::from_text("WWW.Example.COM.")?;
/// assert_eq!(name, Name::from_wire(b"\x03www\x07example\x03com\x00")?);
/// assert_eq!(name.to_string(), "www.example.com");
/// assert_eq!(name.suffix(2).unwrap().to_string(), "example.com");
/// # Ok::<(), filter_core::NameError>(())
/// ```
// In this order the length is in the line of the cache that holds most names as a whole. So aligned,
// a microcontroller copies a name a word at a time.
#[derive(Clone)]
#[repr(C, align(4))]
pub struct Name {
    /// Where the root label is: 0 to 254. So the root is all zeros, which is soon made.
    root: u8,
    octets: [u8; Name::MAX_LEN],
}

/// Room for where the labels of a name begin; a name has at most 127.
pub(crate) type LabelStarts = [u8; 128];

impl Name {
    /// The most octets a name has on the wire, root label included (RFC 1035 section 2.3.4).
    pub const MAX_LEN: usize = 255;
    /// The most octets a label has (RFC 1035 section 2.3.4).
    pub const MAX_LABEL_LEN: usize = 63;

    /// The root: no labels.
    pub const ROOT: Name = Name { root: 0, octets: [0; Name::MAX_LEN] };

    /// Reads a name in presentation form, with or without the trailing dot. `\.` and `\DDD`
    /// escapes are understood (RFC 1035 section 5.1); `.` alone is the root.
    ///
    /// # Errors
    /// When the text is not a name; [`NameError`] says which limit it breaks. Text outside
    /// ASCII is [`NameError::NotAscii`].
    pub fn from_text(text: impl AsRef<[u8]>) -> Result<Name, NameError> {
        let mut name = Name::ROOT;
        name.read_text(text.as_ref())?;
        Ok(name)
    }

    /// Reads an uncompressed name that fills `octets` exactly.
    ///
    /// # Errors
    /// As [`Name::from_message`]; octets behind the root label are [`NameError::Trailing`].
    pub fn from_wire(octets: &[u8]) -> Result<Name, NameError> {
        match Name::from_message(octets, 0)? {
            (name, end) if end == octets.len() => Ok(name),
            _ => Err(NameError::Trailing),
        }
    }

    /// Reads the name at `offset` of a DNS message, following compression pointers, and
    /// returns it with the offset behind it (RFC 1035 section 4.1.4).
    ///
    /// A pointer must point before the labels it continues, so no octet is read twice and the
    /// walk ends on any bytes.
    ///
    /// # Errors
    /// When the octets are not a name, see [`NameError`].
    pub fn from_message(message: &[u8], offset: usize) -> Result<(Name, usize), NameError> {
        let mut name = Name::ROOT;
        let end = name.read_message(message, offset)?;
        Ok((name, end))
    }

    /// Takes the place of the root and gives the offset behind the name.
    pub(crate) fn read_message(
        &mut self,
        message: &[u8],
        offset: usize,
    ) -> Result<usize, NameError> {
        let mut builder = Builder::new(self);
        let mut position = offset;
        // Where the labels now being read began: pointers must go below it, so it decreases.
        let mut segment = offset;
        let mut end = None;
        loop {
            let length = *message.get(position).ok_or(NameError::Truncated)?;
            let next = position.checked_add(1).ok_or(NameError::Truncated)?;
            match length {
                0 => {
                    builder.finish()?;
                    return Ok(end.unwrap_or(next));
                }
                1..=63 => {
                    let stop = next.checked_add(usize::from(length)).ok_or(NameError::Truncated)?;
                    let label = message.get(next..stop).ok_or(NameError::Truncated)?;
                    builder.extend(label)?;
                    builder.close_label()?;
                    position = stop;
                }
                0xC0.. => {
                    let low = *message.get(next).ok_or(NameError::Truncated)?;
                    let target = usize::from(length & 0x3F) << 8 | usize::from(low);
                    if target >= segment {
                        return Err(NameError::BadPointer);
                    }
                    end = end.or(next.checked_add(1));
                    segment = target;
                    position = target;
                }
                _ => return Err(NameError::BadLabelType),
            }
        }
    }

    /// The name on the wire: lower case, uncompressed, root label included.
    pub fn as_wire(&self) -> &[u8] {
        self.octets.get(..=usize::from(self.root)).unwrap_or(&[0])
    }

    /// The eight octets from `start` on, as a little-endian number; behind the name they are
    /// anything.
    #[inline]
    pub(crate) fn word_at(&self, start: usize) -> u64 {
        match self.octets.get(start..).and_then(<[u8]>::first_chunk) {
            Some(octets) => u64::from_le_bytes(*octets),
            None => self.last_word(start),
        }
    }

    /// The same where fewer than eight octets are left.
    #[cold]
    fn last_word(&self, start: usize) -> u64 {
        let octets = self.octets.iter().skip(start).take(8);
        octets.rev().fold(0, |word, &octet| word << 8 | u64::from(octet))
    }

    /// The labels from the left, without the root.
    pub fn labels(&self) -> Labels<'_> {
        Labels { rest: self.as_wire() }
    }

    /// How many labels the name has, without the root: 0 to 127.
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// Whether this name is `zone` or below it; every name is below the root.
    pub fn is_within(&self, zone: &Name) -> bool {
        self.is_within_wire(zone.as_wire())
    }

    /// The same, for a zone on the wire.
    pub(crate) fn is_within_wire(&self, zone: &[u8]) -> bool {
        let wire = self.as_wire();
        let Some(extra) = wire.len().checked_sub(zone.len()) else { return false };
        if !wire.ends_with(zone) {
            return false;
        }
        // The zone has to begin where a label does. Ends because `at` grows.
        let mut at = 0;
        while at < extra {
            at += wire.get(at).map_or(extra, |&length| usize::from(length)) + 1;
        }
        at == extra
    }

    /// Where the length octets of its labels are, the root's left out. The caller lends the room, so
    /// that it is never copied.
    #[inline]
    pub(crate) fn label_starts<'a>(&self, room: &'a mut LabelStarts) -> &'a [u8] {
        let wire = self.as_wire();
        let (mut count, mut at) = (0, 0);
        // Ends because every label has an octet at least, and the root none.
        while let Some(&length @ 1..) = wire.get(at) {
            let Some(start) = room.get_mut(count) else { break };
            *start = at as u8;
            count += 1;
            at += usize::from(length) + 1;
        }
        room.get(..count).unwrap_or(&[])
    }

    /// The name made of the last `labels` labels: itself when it has just as many, `None`
    /// when it has fewer.
    pub fn suffix(&self, labels: usize) -> Option<Name> {
        let drop = self.label_count().checked_sub(labels)?;
        let mut rest = self.labels();
        (0..drop).for_each(|_| drop_label(&mut rest));
        let mut name = Name::ROOT;
        name.octets.get_mut(..rest.rest.len())?.copy_from_slice(rest.rest);
        name.root = rest.rest.len().checked_sub(1)? as u8;
        Some(name)
    }
}

fn drop_label(labels: &mut Labels<'_>) {
    labels.next();
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.as_wire() == other.as_wire()
    }
}

impl Eq for Name {}

impl core::hash::Hash for Name {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.as_wire().hash(state);
    }
}

impl core::str::FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Name, NameError> {
        Name::from_text(text)
    }
}

/// Presentation form without the trailing dot; the root is `.`. Octets that are not printable
/// ASCII, and dots inside a label, come escaped, so [`Name::from_text`] reads it back.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.root == 0 {
            return f.write_str(".");
        }
        for (index, label) in self.labels().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            for &octet in label {
                match octet {
                    b'.' | b'\\' => write!(f, "\\{}", char::from(octet))?,
                    0x21..=0x7E => write!(f, "{}", char::from(octet))?,
                    _ => write!(f, "\\{octet:03}")?,
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

/// The labels of a name from the left; see [`Name::labels`].
#[derive(Clone, Debug)]
pub struct Labels<'a> {
    /// Wire octets not yet given, root label included.
    rest: &'a [u8],
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (&length, rest) = self.rest.split_first()?;
        if length == 0 {
            return None;
        }
        let (label, rest) = rest.split_at_checked(usize::from(length))?;
        self.rest = rest;
        Some(label)
    }
}

/// Why octets or text are not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// A `\` without a character or three decimal digits up to 255 behind it.
    BadEscape,
    /// A length octet of the reserved kinds `01` or `10` (RFC 1035 section 4.1.4).
    BadLabelType,
    /// A compression pointer that does not point backwards.
    BadPointer,
    /// Two dots in a row, a leading dot, or no text at all.
    EmptyLabel,
    /// A label of more than 63 octets.
    LongLabel,
    /// More than 255 octets in all.
    LongName,
    /// Text outside ASCII: convert it to A-labels first.
    NotAscii,
    /// Octets behind the root label.
    Trailing,
    /// The octets end inside the name.
    Truncated,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NameError::BadEscape => "bad escape: `\\` wants a character or three digits up to 255",
            NameError::BadLabelType => "unknown label type",
            NameError::BadPointer => "compression pointer does not point backwards",
            NameError::EmptyLabel => "empty label: two dots in a row, a leading dot or no text",
            NameError::LongLabel => "a label has more than 63 octets",
            NameError::LongName => "the name has more than 255 octets",
            NameError::NotAscii => "not ASCII: write the name in its xn-- form",
            NameError::Trailing => "octets behind the name",
            NameError::Truncated => "the name is cut off",
        })
    }
}

impl core::error::Error for NameError {}

/// Fills a name octet by octet; the length octet of the open label is written when it closes.
struct Builder<'n> {
    name: &'n mut Name,
    /// Where the open label's length octet stands.
    label: usize,
    /// Where the next octet goes.
    end: usize,
}

impl Builder<'_> {
    fn new(name: &mut Name) -> Builder<'_> {
        Builder { name, label: 0, end: 1 }
    }

    fn push(&mut self, octet: u8) -> Result<(), NameError> {
        if self.end - self.label > Name::MAX_LABEL_LEN {
            return Err(NameError::LongLabel);
        }
        let slot = self.name.octets.get_mut(self.end).ok_or(NameError::LongName)?;
        *slot = octet.to_ascii_lowercase();
        self.end += 1;
        Ok(())
    }

    /// Adds octets of a label that has room for them.
    fn extend(&mut self, octets: &[u8]) -> Result<(), NameError> {
        let end = self.end + octets.len();
        let slots = self.name.octets.get_mut(self.end..end).ok_or(NameError::LongName)?;
        for (slot, octet) in slots.iter_mut().zip(octets) {
            *slot = octet.to_ascii_lowercase();
        }
        self.end = end;
        Ok(())
    }

    fn close_label(&mut self) -> Result<(), NameError> {
        let length = self.end - self.label - 1;
        if length == 0 {
            return Err(NameError::EmptyLabel);
        }
        let slot = self.name.octets.get_mut(self.label).ok_or(NameError::LongName)?;
        *slot = length as u8;
        self.label = self.end;
        self.end += 1;
        Ok(())
    }

    /// Puts the root label where the next label would begin.
    fn finish(self) -> Result<(), NameError> {
        let root = self.name.octets.get_mut(self.label).ok_or(NameError::LongName)?;
        *root = 0;
        self.name.root = self.label as u8;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn wire(text: &str) -> std::vec::Vec<u8> {
        Name::from_text(text).unwrap().as_wire().to_vec()
    }

    #[test]
    fn text_becomes_lower_case_wire() {
        assert_eq!(wire("Ab.C"), b"\x02ab\x01c\0");
        assert_eq!(wire("ab.c."), b"\x02ab\x01c\0");
        assert_eq!(wire("."), b"\0");
        assert_eq!(wire("a\\.b.\\099"), b"\x03a.b\x01c\0");
    }

    #[test]
    fn limits_of_rfc_1035() {
        let label = "a".repeat(63);
        assert!(Name::from_text(&label).is_ok());
        assert_eq!(Name::from_text("a".repeat(64)), Err(NameError::LongLabel));
        let longest = std::format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert_eq!(wire(&longest).len(), 255);
        let too_long = std::format!("{label}.{label}.{label}.{}", "a".repeat(62));
        assert_eq!(Name::from_text(too_long), Err(NameError::LongName));
        for (text, error) in [
            ("", NameError::EmptyLabel),
            ("..", NameError::EmptyLabel),
            (".a", NameError::EmptyLabel),
            ("a..b", NameError::EmptyLabel),
            ("é.fr", NameError::NotAscii),
            ("a\\", NameError::BadEscape),
            ("a\\25", NameError::BadEscape),
            ("a\\256", NameError::BadEscape),
        ] {
            assert_eq!(Name::from_text(text), Err(error), "{text}");
        }
    }

    #[test]
    fn pointers_go_backwards_only() {
        let message = b"\x03com\0\x07Example\xC0\x00\x03www\xC0\x05\xC0\x15";
        let (name, end) = Name::from_message(message, 15).unwrap();
        assert_eq!((name.to_string().as_str(), end), ("www.example.com", 21));
        assert_eq!(Name::from_message(message, 21), Err(NameError::BadPointer));
        assert_eq!(Name::from_message(b"\x01a\xC0\x00", 0), Err(NameError::BadPointer));
        assert_eq!(Name::from_message(b"\x40a\0", 0), Err(NameError::BadLabelType));
        assert_eq!(Name::from_message(b"\x05a\0", 0), Err(NameError::Truncated));
        assert_eq!(Name::from_message(b"", usize::MAX), Err(NameError::Truncated));
        assert_eq!(Name::from_wire(b"\x01a\0b"), Err(NameError::Trailing));
    }

    #[test]
    fn words_are_read_as_they_stand() {
        let labels: std::vec::Vec<u8> = (0..50).flat_map(|n| [4, n, n + 50, n, n * 3]).collect();
        let name = Name::from_wire(&[&labels[..], b"\x03abc\0"].concat()).unwrap();
        for start in 0..300 {
            let octets = name.as_wire().iter().skip(start).take(8).rev();
            let expected = octets.fold(0, |word, &octet| word << 8 | u64::from(octet));
            assert_eq!(name.word_at(start), expected, "{start}");
        }
    }

    #[test]
    fn suffixes_count_labels_from_the_root() {
        let name = Name::from_text("a.b.c").unwrap();
        assert_eq!(name.suffix(3).unwrap(), name);
        assert_eq!(name.suffix(1).unwrap().to_string(), "c");
        assert_eq!(name.suffix(0).unwrap(), Name::ROOT);
        assert_eq!(name.suffix(4), None);
    }

    proptest::proptest! {
        /// Whatever octets its labels hold, a name is shown so that it is read back.
        #[test]
        fn what_is_shown_is_read_back(
            labels in proptest::collection::vec(
                proptest::collection::vec(proptest::num::u8::ANY, 1..20), 0..12),
        ) {
            let mut wire = std::vec::Vec::new();
            for label in &labels {
                wire.push(label.len() as u8);
                wire.extend(label);
            }
            wire.push(0);
            let name = Name::from_wire(&wire).unwrap();
            proptest::prop_assert_eq!(name.as_wire(), wire.to_ascii_lowercase());
            proptest::prop_assert_eq!(Name::from_text(name.to_string()), Ok(name.clone()));
            proptest::prop_assert_eq!(name.label_count(), labels.len());
            for count in 0..=labels.len() {
                let suffix = name.suffix(count).unwrap();
                proptest::prop_assert!(name.as_wire().ends_with(suffix.as_wire()));
            }
        }

        /// Any octets are a name or an error, and a name keeps the limits.
        #[test]
        fn any_octets_are_a_name_or_an_error(
            message in proptest::collection::vec(proptest::num::u8::ANY, 0..600),
            offset in 0..700usize,
        ) {
            if let Ok((name, end)) = Name::from_message(&message, offset) {
                proptest::prop_assert!(end > offset && end <= message.len());
                proptest::prop_assert_eq!(Name::from_wire(name.as_wire()), Ok(name.clone()));
            }
            if let Ok(name) = Name::from_text(&message) {
                proptest::prop_assert!(name.as_wire().len() <= Name::MAX_LEN);
            }
        }
    }
}
