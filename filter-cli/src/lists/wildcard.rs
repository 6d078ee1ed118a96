//! Wildcard lists, as dnscrypt-proxy reads them, and the meaning of `*.` and `.` before a name
//! that other dialects share.
//!
//! `*.name` covers everything below the name, `.name` and a plain `name` cover the name too,
//! `=name` only the name itself. (dnscrypt-proxy counts the name in for `*.name`; most other
//! tools do not. A list made for it can say `scope = "subtree"`.) Other patterns, such as
//! `ads*`, and `@schedule` are out of scope.

use filter_core::{Action, Scope};

use super::dialect::Line;
use super::lines;

pub(super) fn line(text: &[u8]) -> Line<'_> {
    let text = text.trim_ascii();
    match text {
        [] => return Line::Blank,
        [b'#' | b'!', ..] => return Line::Comment,
        _ => {}
    }
    let text = lines::without_comment(text);
    if text.contains(&b'@') {
        return Line::out_of_scope("a rule with a schedule");
    }
    if lines::has_blank(text) {
        return Line::syntax("several words: a wildcard list has one pattern a line");
    }
    let (name, scope) = match text.strip_prefix(b"=") {
        Some(name) => (name, Scope::Exact),
        None => mark(text),
    };
    if name.iter().any(|byte| b"*?[]".contains(byte)) {
        return Line::out_of_scope("a pattern other than `*.name`");
    }
    Line::rule(name, scope, Action::Block)
}

/// Splits the mark off a name: `*.` means below, `.` and none mean the name too.
pub(super) fn mark(text: &[u8]) -> (&[u8], Scope) {
    if let Some(name) = text.strip_prefix(b"*.") {
        (name, Scope::Below)
    } else {
        (text.strip_prefix(b".").unwrap_or(text), Scope::Subtree)
    }
}
