//! Names that stand above an allowed one: takes a filter, once, gives a sketch that tells whether
//! a blocked name may be said not to exist.

use crate::filter::{Filter, NeverBlock, Rules};
use crate::name::Name;
use crate::rule::{Action, Scope};
use crate::suffix::hash;

/// A sketch of all parents of names that are allowed or never blocked.
///
/// A resolver behind this one may take it that nothing exists below a name that does not exist
/// (RFC 8020). So a blocked name in the sketch is answered *no data* and not *no such name*. The
/// sketch errs on that side only, for at most three names in a hundred when a thousand are allowed.
///
/// 4 kB, no heap.
///
/// ```
/// # #[cfg(feature = "build")] {
/// use filter_core::compile::{Compiler, ListInfo};
/// use filter_core::gateway::Exceptions;
/// use filter_core::{Action, CategorySet, Filter, Name, Scope};
///
/// let mut compiler = Compiler::new(1);
/// compiler.category(20, "gambling")?;
/// let list = compiler.list(ListInfo::new("demo", CategorySet::of(20)))?;
/// let (zone, child) = (Name::from_text("bet.example")?, Name::from_text("help.bet.example")?);
/// compiler.rule(&zone, Scope::Subtree, Action::Block, list)?;
/// compiler.rule(&child, Scope::Subtree, Action::Allow, list)?;
/// let filter = Filter::from_bytes(compiler.finish()?.octets)?;
///
/// let exceptions = Exceptions::of(&filter);
/// assert!(exceptions.may_be_above_one(&zone));
/// assert!(!exceptions.may_be_above_one(&child));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Exceptions([u32; 1024]);

impl Exceptions {
    /// No name is above an allowed one: what a [search](Exceptions::search) begins with.
    pub const NONE: Exceptions = Exceptions([0; 1024]);

    /// Reads every rule of a filter, if [one allows something](Filter::has_exceptions), and every
    /// never-block name: O(rules), to be done once, and beside the queries where rules are many.
    pub fn of<D: AsRef<[u8]>>(filter: &Filter<D>) -> Exceptions {
        let mut exceptions = Exceptions::NONE;
        exceptions.search(filter).advance(usize::MAX);
        exceptions
    }

    /// Adds those of a filter a part at a time, for who has one processor for this and the queries.
    /// Not to be gone by before the search has ended.
    pub fn search<'a, D: AsRef<[u8]>>(&'a mut self, filter: &'a Filter<D>) -> Search<'a> {
        let rules = filter.has_exceptions().then(|| filter.rules());
        Search { exceptions: self, rules, never_block: filter.never_block() }
    }

    /// Whether an allowed name may be below this one.
    pub fn may_be_above_one(&self, name: &Name) -> bool {
        *name == Name::ROOT || {
            let mut places = places(name.as_wire()).into_iter();
            places.all(|(word, bit)| self.0.get(word).is_none_or(|word| word >> bit & 1 == 1))
        }
    }

    /// What is above the names that a scope of this name allows: its parents, and the name itself where
    /// only those below it are allowed.
    fn insert(&mut self, name: &Name, scope: Scope) {
        let above = name.label_count() - usize::from(scope.covers_self()).min(name.label_count());
        let wire = name.as_wire();
        for &start in name.label_starts(&mut [0; 128]).iter().rev().take(above) {
            for (word, bit) in places(wire.get(usize::from(start)..).unwrap_or(&[])) {
                if let Some(word) = self.0.get_mut(word) {
                    *word |= 1 << bit;
                }
            }
        }
    }
}

/// A search for the exceptions of a filter; see [`Exceptions::search`].
pub struct Search<'a> {
    exceptions: &'a mut Exceptions,
    /// None where they allow nothing: then it is not worth looking.
    rules: Option<Rules<'a>>,
    never_block: NeverBlock<'a>,
}

impl Search<'_> {
    /// Looks at so many more rules and never-block names; false when there were not as many.
    pub fn advance(&mut self, count: usize) -> bool {
        for _ in 0..count {
            if let Some(rule) = self.rules.as_mut().and_then(Iterator::next) {
                for facet in rule.facets().filter(|facet| facet.action == Action::Allow) {
                    self.exceptions.insert(&rule.name, facet.scope);
                }
            } else if let Some((name, scope)) = self.never_block.next() {
                self.exceptions.insert(&name, scope);
            } else {
                return false;
            }
        }
        true
    }
}

/// Two words, each below 1024, with a bit in it, for a name on the wire.
fn places(wire: &[u8]) -> [(usize, u32); 2] {
    let hash = hash(0, wire);
    [hash >> 49, hash >> 34].map(|bits| ((bits >> 5) as usize & 1023, bits as u32 & 31))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sketch_knows_all_parents_and_few_others() {
        let name = |text: std::string::String| Name::from_text(text).unwrap();
        let mut exceptions = Exceptions::NONE;
        for number in 0..1000 {
            exceptions.insert(&name(std::format!("a.b{number}.c{number}.example")), Scope::Subtree);
        }
        for number in 0..1000 {
            assert!(
                exceptions.may_be_above_one(&name(std::format!("b{number}.c{number}.example")))
            );
            assert!(exceptions.may_be_above_one(&name(std::format!("c{number}.example"))));
        }
        let wrong = (0..10_000)
            .filter(|number| exceptions.may_be_above_one(&name(std::format!("x{number}.example"))));
        assert!(wrong.count() < 300);
    }

    #[cfg(feature = "build")]
    #[test]
    fn rules_are_looked_at_where_one_allows_something() {
        use crate::compile::{Compiler, ListInfo};
        use crate::rule::CategorySet;

        let name = |text: &str| Name::from_text(text).unwrap();
        let exceptions = |allowed: Option<&str>| {
            let mut compiler = Compiler::new(1);
            compiler.category(20, "gambling").unwrap();
            let list = compiler.list(ListInfo::new("demo", CategorySet::of(20))).unwrap();
            let mut rule = |text, action| {
                compiler.rule(&name(text), Scope::Subtree, action, list).unwrap();
            };
            rule("a.example", Action::Block);
            rule("b.example", Action::Block);
            allowed.into_iter().for_each(|text| rule(text, Action::Allow));
            compiler.never_block(&name("help.b.example"), Scope::Subtree).unwrap();
            let filter = Filter::from_bytes(compiler.finish().unwrap().octets).unwrap();
            assert_eq!(filter.has_exceptions(), allowed.is_some());
            let exceptions = Exceptions::of(&filter);
            ["a.example", "b.example"].map(|text| exceptions.may_be_above_one(&name(text)))
        };
        assert_eq!(exceptions(None), [false, true]);
        assert_eq!(exceptions(Some("good.a.example")), [true, true]);
    }
}
