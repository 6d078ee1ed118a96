//! What an image means, name by name, without tiers, facets and importance: [`Zones`] asks the
//! filter itself, so precedence stays where it is defined.
//!
//! Two answers tell all about a listed name: the verdict on the name, and the verdict on a name
//! below it that is not listed. Every name in the world gets the first answer of itself when it
//! is listed, otherwise the second of its closest listed parent.

use std::cmp::Ordering;
use std::iter::Peekable;

use filter_core::{Action, CategorySet, Filter, Key, Name, NeverBlock, Rules, Tier, Verdict};

/// What becomes of a name; `None` when no rule speaks about it.
pub type Ruling = Option<Action>;

/// A listed name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The name's text; its labels hold letters, digits, `-` and `_` only.
    pub name: Box<str>,
    /// The closest listed parent, as an index into the zone.
    pub parent: Option<usize>,
    /// What becomes of the name itself.
    pub own: Ruling,
    /// What becomes of names below it that are not listed.
    pub below: Ruling,
}

/// The listed names of an image, in the order of the set, grouped into zones: a name without a
/// listed parent, and all listed names below it, parents first.
///
/// Memory is bounded by the largest zone.
pub struct Zones<'a, D> {
    filter: &'a Filter<D>,
    enabled: CategorySet,
    names: Peekable<Listed<'a>>,
}

impl<'a, D: AsRef<[u8]>> Zones<'a, D> {
    /// The zones of an image when these categories are enabled.
    pub fn new(filter: &'a Filter<D>, enabled: CategorySet) -> Zones<'a, D> {
        Zones { filter, enabled, names: Listed::new(filter).peekable() }
    }

    fn node(&self, name: &Name, parent: Option<usize>, inherited: Ruling) -> Node {
        // A mandated exception ends a mandated block and allows nothing by itself. Others have
        // exceptions only, so it becomes one.
        let ruling = |name: &Name| {
            let ruling = ruling(self.filter.check(name, self.enabled));
            ruling.or(inherited.map(|_| Action::Allow))
        };
        let own = ruling(name);
        let below = unlisted_child(name).map_or(own, |child| ruling(&child));
        Node { name: name.to_string().into(), parent, own, below }
    }
}

impl<D: AsRef<[u8]>> Iterator for Zones<'_, D> {
    type Item = Vec<Node>;

    fn next(&mut self) -> Option<Vec<Node>> {
        let top = self.names.next()?;
        let mut nodes = vec![self.node(&top, None, None)];
        // The listed parents of the node pushed last, and itself.
        let mut open = vec![(top, 0)];
        loop {
            let above = |name: &Name| is_below(name, &open[0].0);
            let Some(name) = self.names.next_if(above) else { return Some(nodes) };
            while open.last().is_some_and(|(parent, _)| !is_below(&name, parent)) {
                open.pop();
            }
            let parent = open.last().map(|&(_, index)| index);
            open.push((name.clone(), nodes.len()));
            let inherited = parent.and_then(|parent| nodes[parent].below);
            nodes.push(self.node(&name, parent, inherited));
        }
    }
}

/// Words in names are not rules: a dialect has no way to say them.
fn ruling(verdict: Verdict) -> Ruling {
    match verdict {
        Verdict::Pass => None,
        Verdict::Block(hit) if hit.tier == Tier::Keyword => None,
        Verdict::Block(_) => Some(Action::Block),
        Verdict::Allow(_) => Some(Action::Allow),
    }
}

/// A name below `name` that no list can hold, since `*` is no character of listed names; `None`
/// when `name` is too long to have one.
fn unlisted_child(name: &Name) -> Option<Name> {
    Name::from_wire(&[b"\x01*", name.as_wire()].concat()).ok()
}

fn is_below(name: &Name, parent: &Name) -> bool {
    name.as_wire().len() > parent.as_wire().len()
        && name.suffix(parent.label_count()).as_ref() == Some(parent)
}

/// The names of the rules and those never blocked, merged in the order of keys.
struct Listed<'a> {
    rules: Peekable<Rules<'a>>,
    never_block: Peekable<NeverBlock<'a>>,
}

impl<'a> Listed<'a> {
    fn new<D: AsRef<[u8]>>(filter: &'a Filter<D>) -> Listed<'a> {
        Listed { rules: filter.rules().peekable(), never_block: filter.never_block().peekable() }
    }
}

impl Iterator for Listed<'_> {
    type Item = Name;

    fn next(&mut self) -> Option<Name> {
        let order = match (self.rules.peek(), self.never_block.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(rule), Some((name, _))) => {
                Key::new(&rule.name).symbols().cmp(Key::new(name).symbols())
            }
        };
        let never_blocked = match order {
            Ordering::Less => None,
            Ordering::Equal | Ordering::Greater => self.never_block.next(),
        };
        match order {
            Ordering::Greater => never_blocked.map(|(name, _)| name),
            Ordering::Less | Ordering::Equal => self.rules.next().map(|rule| rule.name),
        }
    }
}
