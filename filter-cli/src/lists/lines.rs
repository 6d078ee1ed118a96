//! Cuts a stream into lines without holding more than one, and has the few moves on a line
//! that several dialects share.

use std::io::BufRead;

use memchr::{memchr, memchr_iter, memchr2};

use super::Fault;

/// The longest line that is read. Names have 253 characters at most; what is longer is a
/// cosmetic rule, or no list.
pub(super) const MAX_LINE_LEN: usize = 4096;

/// One line, without its line feed.
pub(super) enum Text<'a> {
    Whole(&'a [u8]),
    /// The beginning of a line of more than [`MAX_LINE_LEN`] bytes.
    TooLong(&'a [u8]),
}

/// Gives each line of `text` to `take`. A UTF-8 byte order mark at the start is left out.
///
/// # Errors
/// [`Fault::Binary`] at the first NUL; what reading and `take` say.
pub(super) fn each(
    text: &mut dyn BufRead,
    mut take: impl FnMut(Text<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    // The part of the current line that came in earlier chunks, and whether that is too long.
    let mut begun: Vec<u8> = Vec::new();
    let mut too_long = false;
    let mut offset = 0;
    let mut first = true;
    let mut give = |line: Text<'_>| {
        let line = match line {
            Text::Whole(line) if first => Text::Whole(without_bom(line)),
            line => line,
        };
        first = false;
        take(line)
    };
    // Ends because every turn consumes at least one byte.
    loop {
        let chunk = text.fill_buf()?;
        if chunk.is_empty() {
            break;
        }
        if let Some(before) = memchr(0, chunk) {
            return Err(Fault::Binary { offset: offset + before as u64 });
        }
        let mut rest = chunk;
        while let Some(end) = memchr(b'\n', rest) {
            let line = &rest[..end];
            rest = &rest[end + 1..];
            if !begun.is_empty() || too_long {
                extend(&mut begun, &mut too_long, line);
                give(if too_long { Text::TooLong(&begun) } else { Text::Whole(&begun) })?;
                begun.clear();
                too_long = false;
            } else if line.len() > MAX_LINE_LEN {
                give(Text::TooLong(&line[..MAX_LINE_LEN]))?;
            } else {
                give(Text::Whole(line))?;
            }
        }
        extend(&mut begun, &mut too_long, rest);
        let consumed = chunk.len();
        offset += consumed as u64;
        text.consume(consumed);
    }
    match (begun.is_empty(), too_long) {
        (true, _) => Ok(()),
        (false, true) => give(Text::TooLong(&begun)),
        (false, false) => give(Text::Whole(&begun)),
    }
}

/// Adds to the line begun, up to the limit.
fn extend(begun: &mut Vec<u8>, too_long: &mut bool, part: &[u8]) {
    let room = MAX_LINE_LEN - begun.len();
    *too_long |= part.len() > room;
    begun.extend_from_slice(&part[..part.len().min(room)]);
}

/// `text` without a UTF-8 byte order mark.
pub(super) fn without_bom(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text)
}

/// Whether `byte` separates words.
pub(super) fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Whether a line has more than one word.
pub(super) fn has_blank(text: &[u8]) -> bool {
    memchr2(b' ', b'\t', text).is_some()
}

/// The words of a line.
pub(super) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(is_blank).filter(|word| !word.is_empty())
}

/// `text` up to an inline comment: a `#` with a blank before it.
pub(super) fn without_comment(text: &[u8]) -> &[u8] {
    let starts = |&at: &usize| at > 0 && is_blank(&text[at - 1]);
    let comment = memchr_iter(b'#', text).find(starts);
    text[..comment.unwrap_or(text.len())].trim_ascii_end()
}

/// What of `name` stands before its parent domain `parent`: empty when they are the same,
/// `None` when it is not below. Case does not matter; neither has a trailing dot.
pub(super) fn below<'a>(name: &'a [u8], parent: &[u8]) -> Option<&'a [u8]> {
    let (child, end) = name.split_at_checked(name.len().checked_sub(parent.len())?)?;
    if !end.eq_ignore_ascii_case(parent) {
        None
    } else if child.is_empty() || parent.is_empty() {
        Some(child)
    } else {
        child.strip_suffix(b".")
    }
}
