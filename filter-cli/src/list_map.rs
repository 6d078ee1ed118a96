//! One list as a map: every rule of the list, sorted as the image sorts names, with the line
//! that gave it first. The cache stores it, the merge unites it with others, and the why-index
//! answers from it. All three read it from front to back, so it has no index.
//!
//! # Layout
//!
//! The number of rules (u64, little-endian), then each rule as the difference to the one before:
//!
//! | octets | what |
//! |---|---|
//! | 1 | how many symbols of the name before the name begins with |
//! | 1 | how many symbols follow |
//! | … | these symbols, as a [`Key`] has them |
//! | 1 | scope, action and importance, 0 to 11 |
//! | 1 to 5 | the line, seven bits an octet, lowest first (LEB128) |

mod build;
mod union;

pub use build::ListMapBuilder;
pub use union::Union;

use filter_core::{Action, Key, Name, Scope};

use crate::lists::Entry;

/// The rules of a list.
#[derive(Debug)]
pub struct ListMap {
    /// As the layout has them; at least the number of rules is there.
    octets: Vec<u8>,
}

/// A rule of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListRule<'a> {
    /// The symbols of the name's [`Key`].
    pub symbols: &'a [u8],
    /// What it says about the name.
    pub kind: Kind,
    /// The first line that says so, from 1.
    pub line: u32,
}

/// What a rule says about its name. Sorts by importance, then action, then scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind(u8);

impl ListMap {
    /// Octets of the number of rules.
    const HEAD_LEN: usize = 8;

    /// Takes octets that a [`ListMapBuilder`] wrote; `None` for octets too short to be a map.
    /// Others give rules of some kind, never a panic.
    pub fn new(octets: Vec<u8>) -> Option<ListMap> {
        (octets.len() >= ListMap::HEAD_LEN).then_some(ListMap { octets })
    }

    /// How many rules there are.
    pub fn len(&self) -> u64 {
        self.octets.first_chunk().map_or(0, |count| u64::from_le_bytes(*count))
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The octets, to be stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.octets
    }

    /// The rules in order.
    pub fn rules(&self) -> Rules<'_> {
        let rest = self.octets.get(ListMap::HEAD_LEN..).unwrap_or(&[]);
        Rules { rest, symbols: [0; 256], len: 0, kind: Kind(0), line: 0 }
    }

    /// The rules for this name and its parents, the shortest name first, each with its name.
    pub fn rules_around(&self, name: &Name) -> Vec<(Name, Kind, u32)> {
        let key = Key::new(name);
        let mut around = Vec::new();
        let mut rules = self.rules();
        while let Some(rule) = rules.next()
            && rule.symbols <= key.symbols()
        {
            if is_parent_or_same(rule.symbols, key.symbols()) {
                around.extend(Key::name_of(rule.symbols).map(|name| (name, rule.kind, rule.line)));
            }
        }
        around
    }
}

/// Reads the rules of a map one after the other, in the same place: a lending iterator.
pub struct Rules<'a> {
    /// The octets of the rules still to come; gets shorter with each.
    rest: &'a [u8],
    symbols: [u8; 256],
    len: u8,
    kind: Kind,
    line: u32,
}

impl Rules<'_> {
    /// The next rule, or `None` at the end.
    #[expect(clippy::should_implement_trait, reason = "what it gives lives in the reader")]
    pub fn next(&mut self) -> Option<ListRule<'_>> {
        self.advance().then(|| self.rule())
    }

    /// Goes to the next rule, if there is one.
    fn advance(&mut self) -> bool {
        self.read().is_some()
    }

    /// The rule gone to last.
    fn rule(&self) -> ListRule<'_> {
        let symbols = &self.symbols[..usize::from(self.len)];
        ListRule { symbols, kind: self.kind, line: self.line }
    }

    fn read(&mut self) -> Option<()> {
        let (&[shared, fresh], rest) = self.rest.split_first_chunk()?;
        let (symbols, rest) = rest.split_at_checked(usize::from(fresh))?;
        self.len = shared.checked_add(fresh)?;
        self.symbols[usize::from(shared)..usize::from(self.len)].copy_from_slice(symbols);
        let (&kind, mut rest) = rest.split_first()?;
        self.kind = Kind::new(kind)?;
        self.line = 0;
        // Ends because the shift grows.
        for shift in (0..32).step_by(7) {
            let (&octet, after) = rest.split_first()?;
            rest = after;
            self.line |= u32::from(octet & 0x7F) << shift;
            if octet < 0x80 {
                break;
            }
        }
        self.rest = rest;
        Some(())
    }
}

impl Kind {
    /// What an entry says about its name.
    pub fn of(entry: &Entry) -> Kind {
        let allow = u8::from(entry.action == Action::Allow);
        Kind(entry.scope.code() + 3 * allow + 6 * u8::from(entry.important))
    }

    fn new(code: u8) -> Option<Kind> {
        (code < 12).then_some(Kind(code))
    }

    /// Which names around it the rule covers.
    pub fn scope(self) -> Scope {
        Scope::ALL[usize::from(self.0 % 3)]
    }

    /// What the rule asks for.
    pub fn action(self) -> Action {
        if self.0 % 6 < 3 { Action::Block } else { Action::Allow }
    }

    /// Whether the rule is important.
    pub fn is_important(self) -> bool {
        self.0 >= 6
    }
}

fn is_parent_or_same(parent: &[u8], symbols: &[u8]) -> bool {
    // 1 is the separator of labels.
    symbols.strip_prefix(parent).is_some_and(|rest| rest.first().is_none_or(|&first| first == 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(name: &str, scope: Scope, action: Action, important: bool) -> Entry {
        Entry { name: Name::from_text(name).unwrap(), scope, action, important }
    }

    fn map(octets_max: usize, entries: &[(Entry, u32)]) -> ListMap {
        let mut builder = ListMapBuilder::new(octets_max);
        entries.iter().for_each(|(entry, line)| builder.add(entry, *line));
        builder.finish()
    }

    /// A rule as the `fst` crate sorts it: the end mark is below every symbol.
    fn fst_key(rule: &ListRule<'_>) -> Vec<u8> {
        [rule.symbols, &[0, rule.kind.0]].concat()
    }

    #[test]
    fn every_kind_of_rule_is_kept_apart() {
        let mut entries = Vec::new();
        for scope in Scope::ALL {
            for action in [Action::Block, Action::Allow] {
                for important in [false, true] {
                    entries.push((entry("www.a-b.example", scope, action, important), 1));
                }
            }
        }
        let map = map(ListMapBuilder::RUN_OCTETS, &entries);
        assert_eq!(map.len(), 12);
        let around = map.rules_around(&entries[0].0.name);
        let says = |kind: Kind| (kind.scope(), kind.action(), kind.is_important());
        for (entry, _) in &entries {
            let said = (entry.scope, entry.action, entry.important);
            assert_eq!(around.iter().filter(|rule| says(rule.1) == said).count(), 1);
        }
    }

    #[test]
    fn rules_around_a_name_are_its_own_and_its_parents() {
        let names = ["b.example", "a.b.example", "ab.example", "example", "b.example", "c.test"];
        let rule = |name: &&str| entry(name, Scope::Subtree, Action::Block, false);
        let entries: Vec<_> = names.iter().map(rule).zip(1..).collect();
        let map = map(ListMapBuilder::RUN_OCTETS, &entries);
        let around = |name: &str| -> Vec<(String, u32)> {
            let rules = map.rules_around(&Name::from_text(name).unwrap());
            rules.into_iter().map(|(name, _, line)| (name.to_string(), line)).collect()
        };
        let found = [("example", 4), ("b.example", 1), ("a.b.example", 2)];
        assert_eq!(around("x.a.b.example"), found.map(|(name, line)| (name.to_owned(), line)));
        assert_eq!(around("nothing.test"), []);
    }

    proptest! {
        /// Two maps, in runs or not, and their union say what the maps of the `fst` crate do.
        #[test]
        fn maps_and_their_union_agree_with_fst(
            rules in prop::collection::vec(
                ("[ab-]{1,14}([.][ab]{1,2}){0,3}", 0..3u8, prop::bool::ANY, 0..1_000_000u32), 0..60),
            octets_max in 1..400usize,
        ) {
            let rule = |(name, scope, important, line): &(String, u8, bool, u32)| {
                let scope = Scope::from_code(*scope).unwrap();
                (entry(name, scope, Action::Block, *important), *line)
            };
            let mut entries: Vec<_> = rules.iter().map(rule).collect();
            entries.sort_by_key(|(_, line)| *line);
            let halves = entries.split_at(entries.len() / 2);
            let maps = [halves.0, halves.1].map(|half| map(octets_max, half));
            let in_one_run = map(ListMapBuilder::RUN_OCTETS, halves.0);
            prop_assert_eq!(in_one_run.as_bytes(), maps[0].as_bytes());

            let fst = [halves.0, halves.1].map(|half| {
                let mut first = std::collections::BTreeMap::new();
                for (entry, line) in half {
                    let key = Key::new(&entry.name);
                    let (symbols, kind) = (key.symbols(), Kind::of(entry));
                    let key = fst_key(&ListRule { symbols, kind, line: 0 });
                    first.entry(key).or_insert(u64::from(*line));
                }
                fst::Map::from_iter(first).unwrap()
            });
            let mut expected = Vec::new();
            let mut union = fst.iter().collect::<fst::map::OpBuilder<'_>>().union();
            while let Some((key, values)) = fst::Streamer::next(&mut union) {
                let mut values = values.to_vec();
                values.sort_by_key(|value| value.index);
                expected.extend(values.iter().map(|it| (it.index, key.to_vec(), it.value)));
            }
            let mut found = Vec::new();
            let mut union = Union::new(&maps);
            while let Some((index, rule)) = union.next() {
                found.push((index, fst_key(&rule), u64::from(rule.line)));
            }
            prop_assert_eq!(found, expected);
            for (map, fst) in maps.iter().zip(&fst) {
                prop_assert_eq!(map.len(), fst.len() as u64);
            }
        }

        /// Octets that no builder wrote give rules or an end, never a panic.
        #[test]
        fn any_octets_can_be_read(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let Some(map) = ListMap::new(octets) else { return Ok(()) };
            let mut rules = map.rules();
            while rules.next().is_some() {}
        }
    }
}
