//! Response policy zones in master-file form (RFC 1035 section 5): the owner, relative to the
//! zone, is the trigger; the record is the action.
//!
//! An owner means that name alone, `*.owner` everything below. `CNAME rpz-passthru.`, and the
//! older CNAME to the owner itself, let through; every other record blocks, be it `CNAME .`,
//! `CNAME *.`, `CNAME rpz-drop.` or local data. `CNAME rpz-tcp-only.` and triggers on addresses
//! and name servers are out of scope. Directives, SOA, NS, DNSSEC records, records of the zone's
//! own name and the further lines of a record in parentheses count as comments.
//!
//! Without `$ORIGIN` and an absolute SOA owner the zone's name is unknown; owners are then taken
//! as they stand.

use std::borrow::Cow;
use std::ops::Range;

use filter_core::{Action, Scope};

use super::dialect::Line;
use super::lines::{below, is_blank};

/// Reads the lines of one zone.
#[derive(Default)]
pub(super) struct Reader {
    /// What relative owners are relative to, without the trailing dot.
    origin: Option<Vec<u8>>,
    /// The zone's own name, without the trailing dot; empty while unknown.
    apex: Vec<u8>,
    /// The last owner as written, for lines that begin with a blank.
    owner: Vec<u8>,
    /// Open parentheses.
    depth: u32,
    /// How many lines the open parentheses span.
    span: u32,
}

/// The most lines one record may span. An SOA takes six or so; without a limit one forgotten
/// parenthesis would swallow the rest of the zone.
const MAX_SPAN: u32 = 32;

impl Reader {
    pub(super) fn line<'a>(&mut self, text: &'a [u8]) -> Line<'a> {
        let continued = self.depth > 0;
        let words = self.words(text);
        if continued {
            self.span += 1;
            if self.span < MAX_SPAN {
                return Line::Comment;
            }
            (self.depth, self.span) = (0, 0);
            return Line::syntax("a parenthesis is open for too many lines: close it");
        }
        self.span = 0;
        let owned = !text.first().is_some_and(is_blank);
        match words {
            [b"", ..] if text.trim_ascii().is_empty() => Line::Blank,
            [b"", ..] => Line::Comment,
            [directive @ [b'$', ..], value, ..] => self.directive(directive, value),
            [owner, rest @ ..] if owned => {
                self.owner.clear();
                self.owner.extend_from_slice(owner);
                self.record(Cow::Borrowed(owner), &rest)
            }
            _ if self.owner.is_empty() => Line::syntax("no owner before this record"),
            words => self.record(Cow::Owned(self.owner.clone()), &words),
        }
    }

    /// The first words of a line up to its comment, empty ones behind the last; parentheses are
    /// counted and otherwise blanks.
    fn words<'a>(&mut self, text: &'a [u8]) -> [&'a [u8]; 6] {
        let mut words: [&[u8]; 6] = [b""; 6];
        let mut count = 0;
        let mut rest = text;
        // Ends because every turn shortens `rest`.
        while let [byte, behind @ ..] = rest {
            rest = match byte {
                b';' => break,
                b'(' => {
                    self.depth = self.depth.saturating_add(1);
                    behind
                }
                b')' => {
                    self.depth = self.depth.saturating_sub(1);
                    behind
                }
                byte if byte.is_ascii_whitespace() => behind,
                _ => {
                    let (word, behind) = rest.split_at(word_len(rest));
                    if let Some(slot) = words.get_mut(count) {
                        *slot = word;
                    }
                    count += 1;
                    behind
                }
            };
        }
        words
    }

    fn directive(&mut self, directive: &[u8], value: &[u8]) -> Line<'static> {
        if directive.eq_ignore_ascii_case(b"$TTL") {
            Line::Comment
        } else if !directive.eq_ignore_ascii_case(b"$ORIGIN") {
            Line::out_of_scope("a directive other than $ORIGIN and $TTL")
        } else if value.is_empty() {
            Line::syntax("$ORIGIN wants a name")
        } else {
            let origin = self.absolute(Cow::Borrowed(value)).into_owned();
            if self.apex.is_empty() {
                self.apex.clone_from(&origin);
            }
            // The last owner stays what it was under the old origin.
            if self.origin.is_some() && !self.owner.is_empty() {
                self.owner = self.absolute(Cow::Borrowed(&self.owner)).into_owned();
                self.owner.push(b'.');
            }
            self.origin = Some(origin);
            Line::Comment
        }
    }

    /// A record: `owner`, then optional TTL and class, type and data.
    fn record<'a>(&mut self, owner: Cow<'a, [u8]>, words: &[&'a [u8]]) -> Line<'a> {
        let is_type = |word: &&&[u8]| !is_ttl(word) && !is_class(word);
        let mut words = words.iter().skip_while(|word| !is_type(word));
        let kind = words.next().copied().unwrap_or_default().to_ascii_uppercase();
        let data = words.next().copied().unwrap_or_default();
        match kind.as_slice() {
            b"SOA" => {
                self.start(&owner);
                return Line::Comment;
            }
            b"NS" | b"DNSKEY" | b"NSEC" | b"NSEC3" | b"NSEC3PARAM" | b"RRSIG" | b"CDS"
            | b"CDNSKEY" | b"ZONEMD" => return Line::Comment,
            b"" => return Line::syntax("no record type"),
            b"CNAME" | b"A" | b"AAAA" | b"TXT" | b"MX" | b"SRV" | b"PTR" | b"NAPTR" | b"CAA"
            | b"HTTPS" | b"SVCB" | b"HINFO" | b"SPF" | b"LOC" => {}
            _ => return Line::syntax("an unknown record type"),
        }
        if data.is_empty() && self.depth == 0 {
            return Line::syntax("a record without data");
        }
        let Some(trigger) = self.trigger(owner) else {
            return Line::out_of_scope("an owner outside the zone");
        };
        if trigger.is_empty() {
            return Line::Comment;
        }
        if let Some(what) = special_trigger(&trigger) {
            return Line::out_of_scope(format!("the trigger `{what}`"));
        }
        let action = match data.to_ascii_lowercase().as_slice() {
            _ if kind != b"CNAME" => Action::Block,
            b"rpz-passthru." => Action::Allow,
            b"rpz-passthru" => return Line::syntax("rpz-passthru wants a dot behind it"),
            b"rpz-tcp-only." => return Line::out_of_scope("the action `rpz-tcp-only`"),
            // The form of PASSTHRU before it had a name of its own.
            target
                if target.strip_suffix(b".").is_some_and(|t| t.eq_ignore_ascii_case(&trigger)) =>
            {
                Action::Allow
            }
            _ => Action::Block,
        };
        let (scope, mark) = match trigger.starts_with(b"*.") {
            true => (Scope::Below, 2),
            false => (Scope::Exact, 0),
        };
        if *trigger == b"*"[..] {
            return Line::out_of_scope("a rule for every name");
        }
        let end = trigger.len();
        Line::rule(part(trigger, mark..end), scope, action)
    }

    /// The SOA gives the zone its name, if it says it in full.
    fn start(&mut self, owner: &[u8]) {
        if self.origin.is_none() && is_relative(owner) {
            return;
        }
        self.apex = self.absolute(Cow::Borrowed(owner)).into_owned();
        if self.origin.is_none() && owner != b"@" {
            self.origin = Some(self.apex.clone());
        }
    }

    /// The trigger an owner stands for: what is before the zone's name. `None` outside of it.
    fn trigger<'a>(&self, owner: Cow<'a, [u8]>) -> Option<Cow<'a, [u8]>> {
        // The usual case, without a copy.
        if self.origin.as_deref().unwrap_or_default() == self.apex && is_relative(&owner) {
            return Some(owner);
        }
        let name = self.absolute(owner);
        let end = below(&name, &self.apex)?.len();
        Some(part(name, 0..end))
    }

    /// `owner` from the root, without the trailing dot.
    fn absolute<'a>(&self, owner: Cow<'a, [u8]>) -> Cow<'a, [u8]> {
        let origin = self.origin.as_deref().unwrap_or_default();
        if owner.ends_with(b".") {
            let end = owner.len() - 1;
            part(owner, 0..end)
        } else if *owner == b"@"[..] {
            Cow::Owned(origin.to_vec())
        } else if origin.is_empty() {
            owner
        } else {
            Cow::Owned([&owner, &b"."[..], origin].concat())
        }
    }
}

fn is_relative(owner: &[u8]) -> bool {
    !owner.ends_with(b".") && owner != b"@"
}

/// A part of `text`, borrowed where `text` is.
fn part(text: Cow<'_, [u8]>, range: Range<usize>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
        Cow::Owned(text) => Cow::Owned(text[range].to_vec()),
    }
}

/// The length of the word `text` begins with; a quoted string is one word.
fn word_len(text: &[u8]) -> usize {
    if let [b'"', inner @ ..] = text {
        return inner.iter().position(|&byte| byte == b'"').map_or(text.len(), |end| end + 2);
    }
    text.iter()
        .position(|byte| byte.is_ascii_whitespace() || b";()\"".contains(byte))
        .unwrap_or(text.len())
}

/// A TTL is a number, or numbers with units as in `1h30m`.
fn is_ttl(word: &[u8]) -> bool {
    word.first().is_some_and(u8::is_ascii_digit)
        && word.iter().all(|byte| byte.is_ascii_digit() || b"smhdwSMHDW".contains(byte))
}

fn is_class(word: &[u8]) -> bool {
    [&b"IN"[..], b"CH", b"HS"].iter().any(|class| class.eq_ignore_ascii_case(word))
}

/// The kind of a trigger that is not about the name asked for.
fn special_trigger(trigger: &[u8]) -> Option<&'static str> {
    let last = trigger.rsplit(|&byte| byte == b'.').next()?;
    ["rpz-ip", "rpz-client-ip", "rpz-nsdname", "rpz-nsip"]
        .into_iter()
        .find(|kind| kind.as_bytes().eq_ignore_ascii_case(last))
}
