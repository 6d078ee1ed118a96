//! Plain lists: one name a line, as UT1 and squidGuard `domains` files have them. A name means
//! itself and everything below it.
//!
//! `#` and `!` begin comment lines, ` #` an inline comment. A leading `.` changes nothing and a
//! leading `*.` leaves the name itself out. A line of several words is another dialect's.

use filter_core::Action;

use super::dialect::Line;
use super::{lines, wildcard};

pub(super) fn line(text: &[u8]) -> Line<'_> {
    let text = text.trim_ascii();
    match text {
        [] => return Line::Blank,
        [b'#' | b'!', ..] => return Line::Comment,
        _ => {}
    }
    let name = lines::without_comment(text);
    if lines::has_blank(name) {
        return Line::syntax("several words: a domains list has one name a line");
    }
    let (name, scope) = wildcard::mark(name);
    Line::rule(name, scope, Action::Block)
}
