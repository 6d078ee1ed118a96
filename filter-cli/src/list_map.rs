//! One list as an [`fst::Map`]: every rule of the list, sorted as the image sorts names, with
//! the line that gave it first. The cache stores it, the merge unites it with others, and the
//! why-index answers from it.
//!
//! A key is the symbols of the name's [`Key`], each raised until letters are ASCII
//! letters, which `fst` writes shortest, and one octet for scope,
//! action and importance (1 to 12). That octet sorts below every raised symbol, so the rules of
//! a name stand right behind each other and before the names below it.

use std::io::{self, Write};
use std::mem;

use filter_core::{Action, Key, Name, Scope};
use fst::{IntoStreamer, MapBuilder, Streamer, map::OpBuilder};

use crate::lists::Entry;

/// The rules of a list.
pub type ListMap = fst::Map<Vec<u8>>;

/// What is added to the symbols of a name: symbol 14 is the letter `a`.
const RAISE: u8 = b'a' - 14;
/// The octets of the rule that sort lowest and highest.
const RULE_MIN: u8 = 1;
const RULE_MAX: u8 = 12;

/// A key of a [`ListMap`], taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleKey<'a> {
    raised: &'a [u8],
    /// Which names around it the rule covers.
    pub scope: Scope,
    /// What it asks for.
    pub action: Action,
    /// Whether it is important.
    pub important: bool,
}

impl<'a> RuleKey<'a> {
    /// Takes a key apart; `None` for octets that are no key.
    pub fn new(key: &'a [u8]) -> Option<RuleKey<'a>> {
        let (&rule, raised) = key.split_last()?;
        let rule = rule.checked_sub(RULE_MIN).filter(|rule| *rule < RULE_MAX)?;
        let scope = Scope::from_code(rule % 3)?;
        let action = if rule / 3 % 2 == 0 { Action::Block } else { Action::Allow };
        Some(RuleKey { raised, scope, action, important: rule >= 6 })
    }

    /// Whether the rule is written for the name with these symbols.
    pub fn is_of(&self, symbols: &[u8]) -> bool {
        self.raised.len() == symbols.len() && self.symbols().eq(symbols.iter().copied())
    }

    /// The symbols of the name.
    pub fn symbols(&self) -> impl Iterator<Item = u8> + use<'a> {
        self.raised.iter().map(|&symbol| symbol.wrapping_sub(RAISE))
    }
}

/// Appends the key of a rule.
fn push_key(key: &mut Vec<u8>, entry: &Entry) {
    push_raised(key, &entry.name);
    let allow = u8::from(entry.action == Action::Allow);
    let important = u8::from(entry.important);
    key.push(RULE_MIN + entry.scope.code() + 3 * allow + 6 * important);
}

fn push_raised(key: &mut Vec<u8>, name: &Name) {
    key.extend(Key::new(name).symbols().iter().map(|symbol| symbol + RAISE));
}

/// The rules written for this very name, each with its line.
pub fn rules_of(map: &ListMap, name: &Name) -> Vec<(Scope, Action, bool, u32)> {
    let mut least = Vec::new();
    push_raised(&mut least, name);
    let mut most = least.clone();
    least.push(RULE_MIN);
    most.push(RULE_MAX);
    let mut rules = Vec::new();
    let mut stream = map.range().ge(least).le(most).into_stream();
    while let Some((key, line)) = stream.next() {
        if let Some(rule) = RuleKey::new(key) {
            rules.push((rule.scope, rule.action, rule.important, line_number(line)));
        }
    }
    rules
}

/// A line number from a map's value.
pub fn line_number(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Sorts the rules of a list into a [`ListMap`], whatever its size.
///
/// Rules are collected up to a limit, sorted, and put aside as a compressed run; in the end the
/// runs are united. Memory: the limit, and about 12 octets a rule beyond it. Of equal rules the
/// first line is kept.
pub struct ListMapBuilder {
    octets_max: usize,
    /// The keys of the current run behind each other, and where each lies.
    keys: Vec<u8>,
    rows: Vec<Row>,
    runs: Vec<ListMap>,
}

#[derive(Clone, Copy)]
struct Row {
    start: u32,
    len: u16,
    line: u32,
}

impl Row {
    fn key(self, keys: &[u8]) -> &[u8] {
        &keys[self.start as usize..][..usize::from(self.len)]
    }
}

impl ListMapBuilder {
    /// Octets of a run that suit a host.
    pub const RUN_OCTETS: usize = 64 << 20;

    /// A builder that sorts runs of at most about this many octets.
    pub fn new(octets_max: usize) -> ListMapBuilder {
        ListMapBuilder { octets_max, keys: Vec::new(), rows: Vec::new(), runs: Vec::new() }
    }

    /// Adds a rule and the line it comes from.
    ///
    /// # Errors
    /// When a run cannot be put aside.
    pub fn add(&mut self, entry: &Entry, line: u32) -> io::Result<()> {
        if self.keys.len() + mem::size_of_val(self.rows.as_slice()) >= self.octets_max {
            self.end_run()?;
        }
        let start = self.keys.len();
        push_key(&mut self.keys, entry);
        let len = (self.keys.len() - start) as u16;
        // The limit keeps the keys of a run far below 4 GiB.
        self.rows.push(Row { start: start as u32, len, line });
        Ok(())
    }

    /// Writes the map; gives the number of different rules.
    ///
    /// # Errors
    /// When writing fails.
    pub fn finish<W: Write>(mut self, out: W) -> io::Result<(u64, W)> {
        let mut map = MapBuilder::new(out).map_err(io_error)?;
        let mut count = 0;
        if self.runs.is_empty() {
            self.sort();
            for row in &self.rows {
                map.insert(row.key(&self.keys), u64::from(row.line)).map_err(io_error)?;
            }
            count = self.rows.len() as u64;
        } else {
            self.end_run()?;
            let mut union = self.runs.iter().collect::<OpBuilder<'_>>().union();
            while let Some((key, lines)) = union.next() {
                let first = lines.iter().map(|line| line.value).min().unwrap_or(0);
                map.insert(key, first).map_err(io_error)?;
                count += 1;
            }
        }
        Ok((count, map.into_inner().map_err(io_error)?))
    }

    /// Sorts the current run and drops rules that came before.
    fn sort(&mut self) {
        let keys = &self.keys;
        self.rows.sort_unstable_by(|a, b| (a.key(keys), a.line).cmp(&(b.key(keys), b.line)));
        self.rows.dedup_by(|next, kept| next.key(keys) == kept.key(keys));
    }

    fn end_run(&mut self) -> io::Result<()> {
        self.sort();
        let rules = self.rows.iter().map(|row| (row.key(&self.keys), u64::from(row.line)));
        self.runs.push(ListMap::from_iter(rules).map_err(io_error)?);
        self.keys.clear();
        self.rows.clear();
        Ok(())
    }
}

/// An error of the `fst` crate as an input/output error.
pub fn io_error(error: fst::Error) -> io::Error {
    match error {
        fst::Error::Io(error) => error,
        fst::Error::Fst(error) => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, scope: Scope, action: Action, important: bool) -> Entry {
        Entry { name: Name::from_text(name).unwrap(), scope, action, important }
    }

    #[test]
    fn keys_keep_every_kind_of_rule_apart() {
        for scope in Scope::ALL {
            for action in [Action::Block, Action::Allow] {
                for important in [false, true] {
                    let entry = entry("www.a-b.example", scope, action, important);
                    let mut key = Vec::new();
                    push_key(&mut key, &entry);
                    let rule = RuleKey::new(&key).unwrap();
                    assert_eq!(
                        (rule.scope, rule.action, rule.important),
                        (scope, action, important)
                    );
                    assert!(rule.is_of(Key::new(&entry.name).symbols()));
                }
            }
        }
        assert_eq!(RuleKey::new(&[]), None);
        assert_eq!(RuleKey::new(&[0x20, 13]), None);
    }

    #[test]
    fn short_runs_give_the_map_of_one_long_run() {
        let names = ["b.example", "a.b.example", "a-b.example", "example", "b.example", "c.test"];
        let build = |octets_max| {
            let mut builder = ListMapBuilder::new(octets_max);
            for (at, name) in names.iter().cycle().take(24).enumerate() {
                let rule = entry(name, Scope::Subtree, Action::Block, at % 5 == 0);
                builder.add(&rule, at as u32 + 1).unwrap();
            }
            builder.finish(Vec::new()).unwrap()
        };
        let (count, octets) = build(ListMapBuilder::RUN_OCTETS);
        assert_eq!(build(40), (count, octets.clone()));
        assert_eq!(count, 9);
        let map = ListMap::new(octets).unwrap();
        let rules = rules_of(&map, &Name::from_text("b.example").unwrap());
        assert_eq!(
            rules,
            [(Scope::Subtree, Action::Block, false, 5), (Scope::Subtree, Action::Block, true, 1)]
        );
        assert_eq!(rules_of(&map, &Name::from_text("nothing.example").unwrap()), []);
    }
}
