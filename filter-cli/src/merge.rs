//! The union of all lists: their maps, read as one in the order of names, go to the
//! compiler name by name, and every rule of every list is accounted for in [`Counters`].

use std::fmt;

use filter_core::compile::Compiler;
use filter_core::{Action, CategorySet, Facet, Key, ListSet, Name};

use crate::cache::ReadList;
use crate::config::{NeverBlock, NeverBlocked, Overlaps};
use crate::list_map::{Kind, ListRule, Union};
use crate::output::hinted;

/// What became of the rules of a list:
/// `rules of its map == shared + redundant + kept`.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Rules an earlier list gave already.
    pub shared: u64,
    /// Rules dropped because a rule for a parent says the same.
    pub redundant: u64,
    /// Rules the image has because of this list.
    pub kept: u64,
    /// Block rules that a never-block name overrides, in whole or in part.
    pub protected: u64,
    /// The first of them.
    pub protected_samples: Vec<Protected>,
}

/// A block rule and the never-block name that overrides it.
#[derive(Clone, Debug)]
pub struct Protected {
    /// The name of the rule.
    pub name: Name,
    /// Its line in the list.
    pub line: u32,
    /// The never-block name.
    pub never_block: Name,
}

/// How many samples are kept of a list, and how many conflicts are shown.
const SAMPLES: usize = 5;
const CONFLICTS: usize = 20;

/// Gives the rules of all lists to the compiler, to which the lists were added in the same
/// order. `progress` is told now and then how many names were given since.
///
/// # Errors
/// When a list of a category blocked by law holds a name that must never be blocked, and what
/// the compiler says.
pub fn merge(
    lists: &[ReadList],
    never_block: &NeverBlock,
    compiler: &mut Compiler,
    progress: &dyn Fn(u64),
) -> anyhow::Result<Vec<Counters>> {
    let mut merge = Merge {
        lists,
        overlaps: never_block.overlaps(),
        compiler,
        counters: vec![Counters::default(); lists.len()],
        conflicts: Vec::new(),
        conflict_count: 0,
        symbols: Vec::new(),
        facets: Vec::new(),
        firsts: Vec::new(),
    };
    let mut names = 0;
    let mut union = Union::new(lists.iter().map(|list| &list.map));
    while let Some((list, rule)) = union.next() {
        if rule.symbols != merge.symbols {
            merge.end_name()?;
            merge.symbols.extend_from_slice(rule.symbols);
            names += 1;
            if names % STEP == 0 {
                progress(STEP);
            }
        }
        merge.add(list, rule);
    }
    merge.end_name()?;
    conflict_error(&merge.conflicts, merge.conflict_count)?;
    Ok(merge.counters)
}

/// Names between two reports of progress.
const STEP: u64 = 1 << 15;

struct Merge<'a> {
    lists: &'a [ReadList],
    overlaps: Overlaps<'a>,
    compiler: &'a mut Compiler,
    counters: Vec<Counters>,
    /// The first conflicts, and how many there are.
    conflicts: Vec<Conflict>,
    conflict_count: usize,
    /// The name whose rules are being collected, its facets, and of each the rule and the list
    /// that gave it first.
    symbols: Vec<u8>,
    facets: Vec<Facet>,
    firsts: Vec<(Kind, usize)>,
}

impl Merge<'_> {
    /// Adds one rule of a list.
    fn add(&mut self, list: usize, rule: ListRule<'_>) {
        let kind = rule.kind;
        if self.firsts.last().is_none_or(|first| first.0 != kind) {
            self.firsts.push((kind, list));
            self.facets.push(Facet {
                scope: kind.scope(),
                action: kind.action(),
                important: kind.is_important(),
                categories: CategorySet::EMPTY,
                lists: ListSet::EMPTY,
            });
        } else {
            self.counters[list].shared += 1;
        }
        if let Some(facet) = self.facets.last_mut() {
            facet.categories = facet.categories.union(self.lists[list].source.categories);
            // The compiler has numbered the lists, so there are at most 256.
            facet.lists.insert(list as u8);
        }
        if kind.action() == Action::Block
            && let Some(never_block) = self.overlaps.find(rule.symbols, kind.scope())
        {
            self.protect(list, rule, never_block);
        }
    }

    /// Notes that a never-block name overrides a rule, or must not.
    fn protect(&mut self, list: usize, rule: ListRule<'_>, never_block: &NeverBlocked) {
        let counters = &mut self.counters[list];
        let list = &self.lists[list];
        let mandated = list.source.categories.intersects(CategorySet::MANDATED);
        counters.protected += 1;
        self.conflict_count += usize::from(mandated);
        let enough = match mandated {
            true => self.conflicts.len() >= CONFLICTS,
            false => counters.protected_samples.len() >= SAMPLES,
        };
        if enough {
            return;
        }
        let Some(name) = Key::name_of(rule.symbols) else { return };
        let protected = Protected { name, line: rule.line, never_block: never_block.name.clone() };
        if mandated {
            let place = list.source.place.text_file().to_string();
            self.conflicts.push(Conflict { place, protected });
        } else {
            counters.protected_samples.push(protected);
        }
    }

    /// Gives the name collected last to the compiler.
    fn end_name(&mut self) -> anyhow::Result<()> {
        if !self.facets.is_empty() {
            let kept = self.compiler.entry(&self.symbols, &self.facets)?;
            for &(_, list) in &self.firsts {
                let counters = &mut self.counters[list];
                if kept {
                    counters.kept += 1;
                } else {
                    counters.redundant += 1;
                }
            }
        }
        self.symbols.clear();
        self.facets.clear();
        self.firsts.clear();
        Ok(())
    }
}

/// A rule of a category blocked by law that would block a never-block name.
struct Conflict {
    place: String,
    protected: Protected,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Protected { name, line, never_block } = &self.protected;
        write!(f, "{}:{line}: {name} would block {never_block}", self.place)
    }
}

fn conflict_error(conflicts: &[Conflict], count: usize) -> anyhow::Result<()> {
    if count == 0 {
        return Ok(());
    }
    let mut text = format!(
        "{count} rules of categories blocked by law would block names that are never blocked"
    );
    for conflict in conflicts {
        text += &format!("\n{conflict}");
    }
    if count > conflicts.len() {
        text += &format!("\n… and {} more", count - conflicts.len());
    }
    let hint = "nothing overrides such a rule, so one of the two must go: take the line out of \
                the list, or the name out of the never-block file, on purpose";
    Err(hinted(text, hint))
}
