//! Unbound configuration: `local-zone: "name." type`. A zone means its name and everything
//! below it; the type says whether it blocks or lets through.
//!
//! `local-data` of the blocking zone declared just before it is that zone's answer and counts
//! as a comment, like `server:`. Any other `local-data`, types that are about query types or
//! views, and all other options are out of scope.

use filter_core::{Action, Scope};

use super::dialect::Line;
use super::lines;

/// Reads Unbound lines; remembers the last zone, whose data may follow.
#[derive(Default)]
pub(super) struct Reader {
    /// The name of the last blocking zone, without the trailing dot.
    zone: Vec<u8>,
}

impl Reader {
    pub(super) fn line<'a>(&mut self, text: &'a [u8]) -> Line<'a> {
        let text = text.trim_ascii();
        match text {
            [] => return Line::Blank,
            [b'#', ..] => return Line::Comment,
            _ => {}
        }
        let Some(colon) = text.iter().position(|&byte| byte == b':') else {
            return Line::syntax("no `option:`");
        };
        let (option, value) = (&text[..colon], lines::without_comment(&text[colon + 1..]));
        let value = value.trim_ascii();
        match option {
            b"server" if value.is_empty() => Line::Comment,
            b"local-zone" => self.zone(value),
            b"local-data" if self.answers(value) => Line::Comment,
            _ if option
                .iter()
                .all(|&b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') =>
            {
                Line::out_of_scope(format!("the option `{}`", option.escape_ascii()))
            }
            _ => Line::syntax("not an Unbound option"),
        }
    }

    /// `"name." type`
    fn zone<'a>(&mut self, value: &'a [u8]) -> Line<'a> {
        let mut words = lines::words(value);
        let (Some(name), Some(kind), None) = (words.next(), words.next(), words.next()) else {
            return Line::syntax("local-zone wants a name and a type");
        };
        let name = unquoted(name);
        let action = match unquoted(kind) {
            b"always_deny" | b"always_nodata" | b"always_null" | b"always_nxdomain"
            | b"always_refuse" | b"deny" | b"inform_deny" | b"inform_redirect" | b"redirect"
            | b"refuse" | b"static" => Action::Block,
            b"always_transparent" | b"inform" | b"transparent" | b"typetransparent" => {
                Action::Allow
            }
            kind @ (b"block_a" | b"ipset" | b"nodefault" | b"noview") => {
                return Line::out_of_scope(format!("the zone type `{}`", kind.escape_ascii()));
            }
            _ => return Line::syntax("an unknown zone type"),
        };
        self.zone.clear();
        if action == Action::Block {
            self.zone.extend_from_slice(without_dot(name));
        }
        Line::rule(name, Scope::Subtree, action)
    }

    /// Whether `"owner ttl class type data"` answers in the last blocking zone.
    fn answers(&self, data: &[u8]) -> bool {
        let owner = lines::words(unquoted(data)).next().unwrap_or_default();
        !self.zone.is_empty() && lines::below(without_dot(owner), &self.zone).is_some()
    }
}

/// `text` without the quotes around it.
fn unquoted(text: &[u8]) -> &[u8] {
    match text {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        _ => text,
    }
}

fn without_dot(name: &[u8]) -> &[u8] {
    name.strip_suffix(b".").unwrap_or(name)
}
