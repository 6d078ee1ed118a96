//! Several maps read as one.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::{ListMap, ListRule, Rules};

/// The rules of several maps in the order of names: a lending iterator. Rules for one name stand
/// behind each other, and equal ones in the order of their maps.
///
/// O(log maps) a rule at worst; less where many rules in a row are of one map.
pub struct Union<'a> {
    /// The maps that are not at their end, the one with the lowest rule on top.
    heads: BinaryHeap<Reverse<Box<Head<'a>>>>,
    /// Whether the rule on top was given already.
    given: bool,
}

/// A map, at its next rule.
struct Head<'a> {
    rules: Rules<'a>,
    index: usize,
}

impl<'a> Union<'a> {
    /// The union of these maps.
    pub fn new(maps: impl IntoIterator<Item = &'a ListMap>) -> Union<'a> {
        let heads = maps.into_iter().enumerate().filter_map(|(index, map)| {
            let mut head = Box::new(Head { rules: map.rules(), index });
            head.rules.advance().then_some(Reverse(head))
        });
        Union { heads: heads.collect(), given: false }
    }

    /// The next rule and the index of its map, or `None` at the end.
    #[expect(clippy::should_implement_trait, reason = "what it gives lives in the union")]
    pub fn next(&mut self) -> Option<(usize, ListRule<'_>)> {
        if self.given {
            let mut top = self.heads.peek_mut()?;
            if !top.0.rules.advance() {
                PeekMut::pop(top);
            }
        }
        self.given = true;
        self.heads.peek().map(|Reverse(head)| (head.index, head.rules.rule()))
    }
}

impl Head<'_> {
    fn order(&self) -> (ListRule<'_>, usize) {
        (self.rules.rule(), self.index)
    }
}

impl Ord for Head<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let ((rule, index), (other, other_index)) = (self.order(), other.order());
        let order = rule.symbols.cmp(other.symbols);
        order.then_with(|| (rule.kind, index).cmp(&(other.kind, other_index)))
    }
}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head<'_> {}
