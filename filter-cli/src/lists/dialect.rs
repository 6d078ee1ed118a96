//! What all dialects share: a [`Line`] is what one makes of one line of text, a [`RawEntry`] a
//! name still in the list's words, and [`Dialect`] the choice among them.

use std::borrow::Cow;

use filter_core::{Action, Scope};

use super::{Format, Reason, adblock, dnsmasq, domains, hosts, rpz, unbound, wildcard};

/// What a dialect makes of one line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Blank,
    Comment,
    /// The first entry and the further ones; nearly every line has just one, and an empty
    /// vector takes no heap.
    Rules(RawEntry<'a>, Vec<RawEntry<'a>>),
    Rejected(Reason),
}

impl<'a> Line<'a> {
    /// A line that holds one rule.
    pub(super) fn rule(text: impl Into<Cow<'a, [u8]>>, scope: Scope, action: Action) -> Line<'a> {
        Line::Rules(RawEntry::new(text, scope, action), Vec::new())
    }

    /// A line that holds a rule for each of `names`, or is rejected for `otherwise` without any.
    pub(super) fn rules(
        names: impl Iterator<Item = RawEntry<'a>>,
        otherwise: impl FnOnce() -> Reason,
    ) -> Line<'a> {
        let mut names = names;
        match names.next() {
            Some(first) => Line::Rules(first, names.collect()),
            None => Line::Rejected(otherwise()),
        }
    }

    pub(super) fn out_of_scope(what: impl Into<Cow<'static, str>>) -> Line<'a> {
        Line::Rejected(Reason::OutOfScope(what.into()))
    }

    pub(super) fn syntax(what: impl Into<Cow<'static, str>>) -> Line<'a> {
        Line::Rejected(Reason::Syntax(what.into()))
    }
}

/// An entry whose name is still the text of the list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RawEntry<'a> {
    pub(super) text: Cow<'a, [u8]>,
    pub(super) scope: Scope,
    pub(super) action: Action,
    pub(super) important: bool,
}

impl<'a> RawEntry<'a> {
    pub(super) fn new(
        text: impl Into<Cow<'a, [u8]>>,
        scope: Scope,
        action: Action,
    ) -> RawEntry<'a> {
        RawEntry { text: text.into(), scope, action, important: false }
    }
}

/// The reader of one dialect. Where lines build on earlier ones, it carries what they left.
pub(super) enum Dialect {
    Domains,
    Hosts,
    Adblock,
    Wildcard,
    Dnsmasq,
    Unbound(unbound::Reader),
    Rpz(rpz::Reader),
}

impl Dialect {
    pub(super) fn of(format: Format) -> Dialect {
        match format {
            Format::Domains | Format::SquidGuard => Dialect::Domains,
            Format::Hosts => Dialect::Hosts,
            Format::Adblock => Dialect::Adblock,
            Format::Wildcard => Dialect::Wildcard,
            Format::Dnsmasq => Dialect::Dnsmasq,
            Format::Unbound => Dialect::Unbound(unbound::Reader::default()),
            Format::Rpz => Dialect::Rpz(rpz::Reader::default()),
        }
    }

    /// Reads one line; blanks at its end and the line ending are gone already.
    pub(super) fn line<'a>(&mut self, text: &'a [u8]) -> Line<'a> {
        match self {
            Dialect::Domains => domains::line(text),
            Dialect::Hosts => hosts::line(text),
            Dialect::Adblock => adblock::line(text),
            Dialect::Wildcard => wildcard::line(text),
            Dialect::Dnsmasq => dnsmasq::line(text),
            Dialect::Unbound(reader) => reader.line(text),
            Dialect::Rpz(reader) => reader.line(text),
        }
    }
}
