//! Why a line of a list gives no entry: the [`Reason`], and the [`Rejected`] line that reports
//! show. A reason tells the maintainer of the list what to mend.

use std::borrow::Cow;
use std::fmt;

use filter_core::NameError;

/// Why a line, or one name on it, is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// An IPv4 or IPv6 address, or a network: names are filtered, not addresses.
    IpAddress,
    /// A URL, a path or a port where a name is wanted.
    Url,
    /// A block rule for everything below a public suffix such as `co.uk` or `github.io`.
    PublicSuffix,
    /// A name of one label, which no list means.
    SingleLabel,
    /// A name every hosts file has for the machine itself, such as `localhost`.
    LocalName,
    /// Breaks a limit of names.
    BadName(NameError),
    /// Holds a character names do not have.
    BadCharacter(char),
    /// An internationalized name that UTS 46 does not allow.
    BadIdn,
    /// Means something in its dialect that a name filter does not do.
    OutOfScope(Cow<'static, str>),
    /// Is not a line of the dialect.
    Syntax(Cow<'static, str>),
    /// A name in an encoding other than UTF-8.
    NotUtf8,
    /// Longer than a line of a list can sensibly be.
    TooLongLine,
}

impl Reason {
    /// The word reports and JSON use.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Reason::IpAddress => "ip-address",
            Reason::Url => "url",
            Reason::PublicSuffix => "public-suffix",
            Reason::SingleLabel => "single-label",
            Reason::LocalName => "local-name",
            Reason::BadName(_) | Reason::BadCharacter(_) => "bad-name",
            Reason::BadIdn => "bad-idn",
            Reason::OutOfScope(_) => "out-of-scope",
            Reason::Syntax(_) => "syntax",
            Reason::NotUtf8 => "not-utf8",
            Reason::TooLongLine => "too-long-line",
        }
    }
}

/// The reason as a clause that follows the line's number.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::IpAddress => f.write_str("an IP address, not a name"),
            Reason::Url => f.write_str("a URL: write the host name alone"),
            Reason::PublicSuffix => {
                f.write_str("a public suffix: the rule would block every site under it")
            }
            Reason::SingleLabel => f.write_str("a name of one label"),
            Reason::LocalName => f.write_str("a name of the machine itself"),
            Reason::BadName(error) => error.fmt(f),
            Reason::BadCharacter(character) => {
                write!(f, "`{}` has no place in a name", character.escape_debug())
            }
            Reason::BadIdn => f.write_str("not a valid internationalized name (UTS 46)"),
            Reason::OutOfScope(what) => write!(f, "out of scope: {what}"),
            Reason::Syntax(what) => f.write_str(what),
            Reason::NotUtf8 => f.write_str("not UTF-8: convert the list"),
            Reason::TooLongLine => {
                write!(f, "a line of more than {} bytes", super::lines::MAX_LINE_LEN)
            }
        }
    }
}

/// A line, or one name on it, that gave no entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The line's number, from 1.
    pub line: u32,
    /// The line, or the name, safe to print: cut at [`Rejected::MAX_TEXT_CHARS`] characters,
    /// control characters escaped.
    pub text: String,
    /// Why.
    pub reason: Reason,
}

impl Rejected {
    /// How much of a line is kept.
    pub const MAX_TEXT_CHARS: usize = 120;

    pub(super) fn new(line: u32, text: &[u8], reason: Reason) -> Rejected {
        Rejected { line, text: excerpt(text), reason }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.text, self.reason)
    }
}

/// The beginning of `text` in printable form. A list comes from the network and its lines end
/// up on a terminal, so nothing a terminal would obey gets through.
pub(super) fn excerpt(text: &[u8]) -> String {
    // Four bytes make a character at most; cutting first keeps a long line from being decoded.
    let start = &text[..text.len().min(4 * Rejected::MAX_TEXT_CHARS)];
    let text = String::from_utf8_lossy(start);
    let mut shown = String::with_capacity(Rejected::MAX_TEXT_CHARS);
    for character in text.trim().chars().take(Rejected::MAX_TEXT_CHARS) {
        // `escape_debug` escapes control and format characters; quotes are harmless here.
        match character {
            '"' | '\'' | '\\' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    if text.chars().nth(Rejected::MAX_TEXT_CHARS).is_some() {
        shown.push('…');
    }
    shown
}
