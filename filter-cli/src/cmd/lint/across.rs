//! All lists walked side by side, in the order of names: contradictions between them, and what
//! each repeats.

use filter_core::{Action, CategorySet, Key, Name, Scope};

use super::Conflict;
use crate::cache::ReadList;
use crate::config::{NeverBlock, Overlaps};
use crate::list_map::Union;
use crate::lists::{Reason, admit};

/// A kind of contradiction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One list blocks what another allows.
    AllowedAndBlocked,
    /// A block rule that a never-block name takes the force of, in whole or in part.
    NeverBlocked,
    /// A mandated list holds a never-block name: a build refuses that.
    MandatedNeverBlock,
    /// An exception for everything below a public suffix.
    PublicSuffix,
    /// Lists of several categories name it.
    SeveralCategories,
}

impl Kind {
    const ALL: [Kind; 5] = [
        Kind::MandatedNeverBlock,
        Kind::AllowedAndBlocked,
        Kind::NeverBlocked,
        Kind::PublicSuffix,
        Kind::SeveralCategories,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Kind::AllowedAndBlocked => "allowed-and-blocked",
            Kind::NeverBlocked => "never-blocked",
            Kind::MandatedNeverBlock => "mandated-never-block",
            Kind::PublicSuffix => "public-suffix",
            Kind::SeveralCategories => "several-categories",
        }
    }

    pub(super) const fn is_note(self) -> bool {
        matches!(self, Kind::SeveralCategories)
    }

    pub(super) const fn sentence(self) -> &'static str {
        match self {
            Kind::AllowedAndBlocked => "names are blocked by one rule and allowed by another",
            Kind::NeverBlocked => "block rules meet a name that is never blocked; that name wins",
            Kind::MandatedNeverBlock => {
                "rules of a category blocked by law meet a name that is never blocked; a build \
                 refuses them"
            }
            Kind::PublicSuffix => "exceptions let everything below a public suffix through",
            Kind::SeveralCategories => "names are in several categories",
        }
    }
}

/// What a walk found.
pub(super) struct Across {
    /// For each list what it repeats.
    pub(super) lists: Vec<Repeats>,
    found: [(u64, Vec<String>); Kind::ALL.len()],
}

/// What a list repeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Repeats {
    /// Entries that say what an earlier line says.
    pub(super) duplicates: u64,
    /// Block rules below a block rule of the same list for a parent.
    pub(super) redundant: u64,
}

/// Examples kept of each kind.
const EXAMPLES: usize = 5;

impl Across {
    /// Walks the lists.
    pub(super) fn walk(lists: &[ReadList], never_block: &NeverBlock) -> Across {
        let repeats = |list: &ReadList| Repeats {
            duplicates: list.reading.entries.saturating_sub(list.map.len()),
            redundant: 0,
        };
        let across =
            Across { lists: lists.iter().map(repeats).collect(), found: Default::default() };
        let mut walk = Walk {
            lists,
            overlaps: never_block.overlaps(),
            across,
            symbols: Vec::new(),
            rules: Vec::new(),
            covering: vec![Vec::new(); lists.len()],
        };
        let mut union = Union::new(lists.iter().map(|list| &list.map));
        while let Some((list, rule)) = union.next() {
            if rule.symbols != walk.symbols {
                walk.end_name();
                walk.symbols.extend_from_slice(rule.symbols);
            }
            let (scope, action) = (rule.kind.scope(), rule.kind.action());
            walk.rules.push(Rule { list, line: rule.line, scope, action });
        }
        walk.end_name();
        walk.across
    }

    /// What was found, by kind.
    pub(super) fn conflicts(&self) -> Vec<Conflict> {
        let found = |kind: &Kind| self.found[*kind as usize].0 > 0;
        let conflict = |kind: Kind| {
            let (count, examples) = self.found[kind as usize].clone();
            Conflict::new(kind, count, examples)
        };
        Kind::ALL.into_iter().filter(found).map(conflict).collect()
    }

    fn note(&mut self, kind: Kind, example: impl FnOnce() -> String) {
        let (count, examples) = &mut self.found[kind as usize];
        *count += 1;
        if examples.len() < EXAMPLES {
            examples.push(example());
        }
    }
}

/// A rule of a list for the name at hand.
#[derive(Clone, Copy)]
struct Rule {
    list: usize,
    line: u32,
    scope: Scope,
    action: Action,
}

struct Walk<'a> {
    lists: &'a [ReadList],
    overlaps: Overlaps<'a>,
    across: Across,
    /// The name whose rules are being collected, and its rules.
    symbols: Vec<u8>,
    rules: Vec<Rule>,
    /// For each list the name of its last block rule for everything below.
    covering: Vec<Vec<u8>>,
}

impl Walk<'_> {
    /// Looks at all rules of a name together.
    fn end_name(&mut self) {
        let rules = std::mem::take(&mut self.rules);
        let symbols = std::mem::take(&mut self.symbols);
        let Some(name) = Key::name_of(&symbols).filter(|_| !rules.is_empty()) else { return };
        self.repeats(&symbols, &rules);
        let shown = |rules: &mut dyn Iterator<Item = &Rule>| {
            let place = |rule: &Rule| {
                let list = &self.lists[rule.list].source;
                format!("{} of {}, line {}", rule.action, list.place, rule.line)
            };
            let places: Vec<String> = rules.take(EXAMPLES).map(place).collect();
            format!("{name}: {}", places.join("; "))
        };

        let overlap = |a: Scope, b: Scope| {
            a.covers_self() && b.covers_self() || a.covers_below() && b.covers_below()
        };
        let opposed = |rule: &&Rule| {
            rules.iter().any(|it| it.action != rule.action && overlap(it.scope, rule.scope))
        };
        if rules.iter().any(|rule| opposed(&rule)) {
            let example = || shown(&mut rules.iter().filter(opposed));
            self.across.note(Kind::AllowedAndBlocked, example);
        }

        let is_wide = |rule: &&Rule| is_public_suffix(&name, rule);
        if rules.iter().any(|rule| is_wide(&rule)) {
            let example = || shown(&mut rules.iter().filter(is_wide));
            self.across.note(Kind::PublicSuffix, example);
        }

        let blocks = || rules.iter().filter(|rule| rule.action == Action::Block);
        for rule in blocks() {
            let Some(protected) = self.overlaps.find(&symbols, rule.scope) else { continue };
            let categories = self.lists[rule.list].source.categories;
            let kind = match categories.intersects(CategorySet::MANDATED) {
                true => Kind::MandatedNeverBlock,
                false => Kind::NeverBlocked,
            };
            let rule_shown = shown(&mut [*rule].iter());
            let example = || format!("{rule_shown}; never blocked: {}", protected.name);
            self.across.note(kind, example);
        }

        let mut categories: Vec<&str> =
            blocks().map(|rule| self.lists[rule.list].source.category.as_str()).collect();
        categories.sort_unstable();
        categories.dedup();
        if categories.len() > 1 {
            self.across
                .note(Kind::SeveralCategories, || format!("{name}: {}", categories.join(", ")));
        }
    }

    /// Counts the block rules that a parent's in the same list makes needless. Exceptions in
    /// between are rare enough to be left out of account.
    fn repeats(&mut self, symbols: &[u8], rules: &[Rule]) {
        for rule in rules.iter().filter(|rule| rule.action == Action::Block) {
            let covering = &mut self.covering[rule.list];
            let is_below = !covering.is_empty()
                && symbols.len() > covering.len()
                && symbols.starts_with(covering)
                // The separator of labels is the lowest symbol.
                && symbols[covering.len()] == SEPARATOR;
            if is_below {
                self.across.lists[rule.list].redundant += 1;
            } else if rule.scope.covers_below() {
                covering.clear();
                covering.extend_from_slice(symbols);
            }
        }
    }
}

/// The symbol between labels; see [`Key`].
const SEPARATOR: u8 = 1;

/// Whether an exception covers everything below a public suffix. Blocks that would are rejected
/// when a list is read.
fn is_public_suffix(name: &Name, rule: &Rule) -> bool {
    rule.action == Action::Allow
        && admit(name, rule.scope, Action::Block) == Err(Reason::PublicSuffix)
}
