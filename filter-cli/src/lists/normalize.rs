//! The one way from the text of a name in a list to a [`Name`], whatever the dialect, and the
//! check that a rule for it makes sense.
//!
//! Plain ASCII names, that is nearly all, take a path without allocation. Internationalized
//! names become A-labels by UTS 46, non-transitional, with underscores and hyphens allowed
//! anywhere, as lists have them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use filter_core::{Action, Name, NameError, Scope};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use psl::Psl;

use super::Reason;

/// Makes a name of the text of one: blanks around it and a trailing dot are dropped, case is
/// folded, U-labels become A-labels.
///
/// The labels of the result hold letters, digits, `-` and `_` only; normalizing its text again
/// gives the same name.
///
/// # Errors
/// When the text is no name a list can mean, with the [`Reason`].
pub fn normalize(text: &[u8]) -> Result<Name, Reason> {
    let text = text.trim_ascii();
    // Without an early end, so that the compiler looks at many bytes at once.
    let plain = text.iter().fold(true, |plain, byte| plain & is_name_byte(byte));
    if plain { from_ascii(text) } else { from_other(text) }
}

/// Whether a rule with this scope and action for `name` makes sense: not a block rule for
/// everything below a public suffix, and not a single label. A rule for a public suffix alone,
/// or one that allows, is fine.
///
/// # Errors
/// [`Reason::PublicSuffix`] or [`Reason::SingleLabel`].
pub fn admit(name: &Name, scope: Scope, action: Action) -> Result<(), Reason> {
    let labels = name.label_count();
    if labels > 1 && !(scope.covers_below() && action == Action::Block) {
        return Ok(());
    }
    let suffix = psl::List.find(rightmost(name, labels).into_iter().flatten());
    // The octets on the wire without the root label and the first label's length octet.
    let whole = suffix.len + 2 == name.as_wire().len();
    match (labels, whole && suffix.typ.is_some()) {
        (0 | 1, true) if scope.covers_below() && action == Action::Block => {
            Err(Reason::PublicSuffix)
        }
        (0 | 1, true) if scope.covers_below() => Ok(()),
        (0 | 1, _) => Err(Reason::SingleLabel),
        (_, true) => Err(Reason::PublicSuffix),
        (_, false) => Ok(()),
    }
}

/// More labels than any public suffix has.
const SUFFIX_LABELS: usize = 8;

/// The last labels of a name, the last one first: the order the suffix list wants.
fn rightmost(name: &Name, labels: usize) -> [Option<&[u8]>; SUFFIX_LABELS] {
    let mut last = [None; SUFFIX_LABELS];
    for (index, label) in name.labels().enumerate() {
        if let Some(slot) = last.get_mut(labels - 1 - index) {
            *slot = Some(label);
        }
    }
    last
}

/// The bytes a name is written with, the dot included.
fn is_name_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

/// Text of name bytes only.
fn from_ascii(text: &[u8]) -> Result<Name, Reason> {
    // No top-level domain is a number, so this is an address, or someone's try at one.
    let last = text.strip_suffix(b".").unwrap_or(text).last();
    if last.is_some_and(u8::is_ascii_digit)
        && text.iter().all(|&byte| byte.is_ascii_digit() || byte == b'.')
    {
        return Err(Reason::IpAddress);
    }
    if is_local(text) {
        return Err(Reason::LocalName);
    }
    if text == b"." {
        return Err(Reason::BadName(NameError::EmptyLabel));
    }
    Name::from_text(text).map_err(Reason::BadName)
}

/// Text with something else in it: an address, a URL, an internationalized name, or dirt.
fn from_other(text: &[u8]) -> Result<Name, Reason> {
    let text = str::from_utf8(text).map_err(|_| Reason::NotUtf8)?;
    if is_address(text) {
        return Err(Reason::IpAddress);
    }
    if is_url(text) {
        return Err(Reason::Url);
    }
    if text.is_ascii() {
        return from_ascii_checked(text);
    }
    let ascii = Uts46::new()
        .to_ascii(text.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow, DnsLength::Ignore)
        .map_err(|_| Reason::BadIdn)?;
    from_ascii_checked(&ascii)
}

fn from_ascii_checked(text: &str) -> Result<Name, Reason> {
    match text.chars().find(|&character| !u8::try_from(character).is_ok_and(|b| is_name_byte(&b))) {
        Some(character) => Err(Reason::BadCharacter(character)),
        None => from_ascii(text.as_bytes()),
    }
}

/// Whether the text is an address, with or without brackets, interface, port or prefix length.
fn is_address(text: &str) -> bool {
    let text = text.strip_prefix('[').unwrap_or(text);
    let host = text.split(['/', '%', ']']).next().unwrap_or(text);
    host.parse::<IpAddr>().is_ok()
        || host.split(':').next().is_some_and(|host| host.parse::<Ipv4Addr>().is_ok())
}

/// Whether the text is a host with a scheme, a path, a query or a port.
fn is_url(text: &str) -> bool {
    let port =
        |(_, port): (&str, &str)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    text.contains(['/', '?']) || text.rsplit_once(':').is_some_and(port)
}

/// Whether the text is a name hosts files have for the machine itself.
pub(super) fn is_local(text: &[u8]) -> bool {
    let text = text.strip_suffix(b".").unwrap_or(text);
    LOCAL_NAMES.iter().any(|name| name.eq_ignore_ascii_case(text))
}

const LOCAL_NAMES: [&[u8]; 16] = [
    b"broadcasthost",
    b"ip6-allhosts",
    b"ip6-allnodes",
    b"ip6-allrouters",
    b"ip6-localhost",
    b"ip6-localnet",
    b"ip6-loopback",
    b"ip6-mcastprefix",
    b"local",
    b"localdomain",
    b"localhost",
    b"localhost.localdomain",
    b"localhost4",
    b"localhost4.localdomain4",
    b"localhost6",
    b"localhost6.localdomain6",
];

/// The address at the start of a hosts line; an interface behind `%` is ignored.
pub(super) fn address(word: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(word).ok()?;
    let (address, _) = text.split_once('%').unwrap_or((text, ""));
    match address.parse::<Ipv6Addr>() {
        Ok(address) => Some(IpAddr::V6(address)),
        Err(_) => address.parse().ok().map(IpAddr::V4),
    }
}
