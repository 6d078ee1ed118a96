//! dnsmasq configuration: `address=/name/…/target`, `server=/name/…/target` and its synonym
//! `local=`. Each name means itself and everything below it; `*.name` everything below.
//!
//! `address` blocks whatever its target is (none, `#`, or the address of a block page).
//! `server` blocks without a target, lets through with `#` (the usual servers), and is out of
//! scope with the address of another server. Other directives are out of scope.

use std::net::IpAddr;

use filter_core::Action;

use super::dialect::{Line, RawEntry};
use super::{Reason, lines, wildcard};

pub(super) fn line(text: &[u8]) -> Line<'_> {
    let text = text.trim_ascii();
    match text {
        [] => return Line::Blank,
        [b'#', ..] => return Line::Comment,
        _ => {}
    }
    let text = lines::without_comment(text);
    let (directive, value) = match text.iter().position(|&byte| byte == b'=') {
        Some(at) => (text[..at].trim_ascii_end(), text[at + 1..].trim_ascii_start()),
        None => (text, &b""[..]),
    };
    let answers = match directive {
        b"address" => true,
        b"server" | b"local" => false,
        _ if directive.is_empty() || directive.iter().any(|b| !is_directive_byte(*b)) => {
            return Line::syntax("not a dnsmasq directive");
        }
        _ => return Line::out_of_scope(format!("the directive `{}`", directive.escape_ascii())),
    };
    let Some((names, target)) = names_and_target(value) else {
        return if answers {
            Line::syntax("no names: write address=/name/")
        } else {
            Line::out_of_scope("a server for every name")
        };
    };
    let action = match (answers, target) {
        (_, b"") | (true, b"#") => Action::Block,
        (false, b"#") => Action::Allow,
        (true, _) if is_address(target) => Action::Block,
        (true, _) => return Line::syntax("the target is no address"),
        (false, _) => return Line::out_of_scope("a server for some names"),
    };
    if names == b"#" {
        return Line::out_of_scope("a rule for every name");
    }
    let entries = names.split(|&byte| byte == b'/').filter(|name| !name.is_empty()).map(|name| {
        let (name, scope) = wildcard::mark(name);
        RawEntry::new(name, scope, action)
    });
    Line::rules(entries, || Reason::OutOfScope("a rule for names of one label".into()))
}

/// Splits `/a/b/target` into `a/b` and the target.
fn names_and_target(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let value = value.strip_prefix(b"/")?;
    let end = value.iter().rposition(|&byte| byte == b'/')?;
    Some((&value[..end], &value[end + 1..]))
}

fn is_address(target: &[u8]) -> bool {
    str::from_utf8(target).is_ok_and(|target| target.parse::<IpAddr>().is_ok())
}

fn is_directive_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}
