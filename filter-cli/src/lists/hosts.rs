//! `hosts(5)` lists: an address, then the names it stands for. Each name means itself alone.
//!
//! The address must be one that leads nowhere (`0.0.0.0`, `127.0.0.1`, `::`, `::1`): with any
//! other the line is a mapping, not a block. Lines of a single name are read like a name behind
//! `0.0.0.0`, since many lists mix both. `#` begins a comment anywhere.

use std::net::IpAddr;

use filter_core::{Action, Scope};

use super::dialect::{Line, RawEntry};
use super::normalize::{address, is_local};
use super::{Reason, lines};

pub(super) fn line(text: &[u8]) -> Line<'_> {
    let text = text.trim_ascii();
    match text {
        [] => return Line::Blank,
        [b'#', ..] => return Line::Comment,
        _ => {}
    }
    let text = text.split(|&byte| byte == b'#').next().unwrap_or(text).trim_ascii_end();
    let mut names = lines::words(text);
    let Some(first) = names.next() else {
        return Line::Comment;
    };
    let Some(address) = address(first) else {
        return match names.next() {
            None => Line::rule(first, Scope::Exact, Action::Block),
            Some(_) => Line::syntax("no address before the names"),
        };
    };
    // The line that names the address itself is in many hosts files.
    let mut names = names.filter(|&name| name != first).peekable();
    if names.peek().is_none() {
        return match lines::words(text).count() {
            1 => Line::Rejected(Reason::IpAddress),
            _ => Line::Rejected(Reason::LocalName),
        };
    }
    if !leads_nowhere(address) {
        return if names.all(is_local) {
            Line::Rejected(Reason::LocalName)
        } else {
            Line::out_of_scope(format!("names mapped to {address}"))
        };
    }
    let entries = names.map(|name| RawEntry::new(name, Scope::Exact, Action::Block));
    Line::rules(entries, || Reason::LocalName)
}

/// Whether a name with this address is blocked.
fn leads_nowhere(address: IpAddr) -> bool {
    address.is_unspecified() || address.is_loopback()
}
