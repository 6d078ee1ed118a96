//! The check of a whole section, made once when an image is opened. What it accepts bounds
//! the work of a query: siblings are at most 37, failures lead to a smaller depth, depths end
//! at 63, and the patterns that end at one place get shorter.

use super::automaton::{EDGE_LAST, EDGE_SYMBOL, NO_PATTERN, Pattern};
use super::automaton::{ROOT_SYMBOL, SYMBOL_COUNT, TARGET_MATCH, symbol_of};
use super::label::A_LABEL_PREFIX;
use super::{Boundary, KeywordError, Keywords};
use crate::{CategorySet, Name};

/// The categories no word may speak for: the law decides the mandated ones by name, and the
/// words of self-harm are those of prevention sites.
pub(super) const FORBIDDEN: CategorySet = CategorySet::MANDATED.union(CategorySet::SELF_HARM);
/// States are numbered in 15 bits.
pub(super) const MAX_STATES: usize = 1 << 15;

impl Keywords<'_> {
    /// Checks everything but the sizes of the parts.
    pub(super) fn verify(&self) -> Result<(), KeywordError> {
        require(self.threshold > 0, "the threshold is 0")?;
        require(self.second_levels.iter().is_sorted(), "second-level labels are out of order")?;
        self.verify_rows()?;
        self.verify_nodes()?;
        self.verify_matches()?;
        self.verify_patterns()
    }

    fn verify_rows(&self) -> Result<(), KeywordError> {
        require(!self.rows.is_empty(), "the root has no row")?;
        require(self.rows.len() <= self.nodes.len(), "more rows than states")?;
        let inside = |&target| self.is_state(u16::from_le_bytes(target) & !TARGET_MATCH);
        require(self.rows.as_flattened().iter().all(inside), "a row leads outside")
    }

    fn is_state(&self, state: u16) -> bool {
        usize::from(state) < self.nodes.len()
    }

    /// Walks the nodes in their order, which is breadth first: the groups of siblings must
    /// follow each other as their parents do.
    fn verify_nodes(&self) -> Result<(), KeywordError> {
        require(self.nodes.len() <= MAX_STATES, "too many states")?;
        let root = self.nodes.first().is_some_and(|node| node[4] == ROOT_SYMBOL | EDGE_LAST);
        require(root, "a symbol leads to the root")?;
        // The states of one depth, and behind them the next group of siblings.
        let (mut depth, mut depth_start, mut depth_end) = (0, 0, 1);
        let mut group = 1;
        for (state, &[c0, c1, f0, f1, _]) in self.nodes.iter().enumerate() {
            if state == depth_end {
                (depth, depth_start, depth_end) = (depth + 1, depth_end, group);
            }
            require(state < depth_end, "a state without a parent")?;
            require(depth <= Name::MAX_LABEL_LEN, "a state is too deep")?;
            let failure = usize::from(u16::from_le_bytes([f0, f1]));
            require(failure < depth_start || state == 0, "a failure does not lead up")?;
            let first_child = usize::from(u16::from_le_bytes([c0, c1]));
            if first_child != 0 {
                require(first_child == group, "children are out of order")?;
                group = self.verify_siblings(first_child)?;
            }
        }
        Ok(())
    }

    /// The state behind the group of siblings that begins with `first`.
    fn verify_siblings(&self, first: usize) -> Result<usize, KeywordError> {
        let mut smallest = 0;
        // Ends with the nodes.
        for (index, &[.., edge]) in self.nodes.iter().enumerate().skip(first) {
            let symbol = edge & EDGE_SYMBOL;
            let known = symbol >= smallest && usize::from(symbol) < SYMBOL_COUNT;
            require(known, "siblings are out of order")?;
            smallest = symbol + 1;
            if edge & EDGE_LAST != 0 {
                return Ok(index + 1);
            }
        }
        Err(KeywordError { what: "siblings without an end" })
    }

    fn verify_matches(&self) -> Result<(), KeywordError> {
        let mut smallest = 0;
        for &[s0, s1, p0, p1] in self.matches {
            let state = u16::from_le_bytes([s0, s1]);
            require(state >= smallest && self.is_state(state), "matches are out of order")?;
            smallest = state + 1;
            let pattern = usize::from(u16::from_le_bytes([p0, p1]));
            require(pattern < self.patterns.len(), "a match of an unknown pattern")?;
        }
        Ok(())
    }

    fn verify_patterns(&self) -> Result<(), KeywordError> {
        require(self.patterns.len() <= Keywords::MAX_PATTERNS, "too many patterns")?;
        for index in 0..self.patterns.len() {
            let pattern = u16::try_from(index).ok().and_then(|index| self.pattern(index));
            let unknown = KeywordError { what: "an unknown boundary" };
            self.verify_pattern(&pattern.ok_or(unknown)?)?;
        }
        Ok(())
    }

    fn verify_pattern(&self, pattern: &Pattern) -> Result<(), KeywordError> {
        let text = self.text_of(pattern).unwrap_or("").as_bytes();
        require(is_pattern_text(text), "a bad text")?;
        require(pattern.weight > 0, "a weight of 0")?;
        let sound = if pattern.index < self.word_count {
            !pattern.categories.is_empty() && !pattern.categories.intersects(FORBIDDEN)
        } else {
            pattern.categories == CategorySet::ALL && pattern.boundary == Boundary::Anywhere
        };
        require(sound, "a pattern of a category it must not have")?;
        let next = self.pattern(pattern.next);
        let falls = match next {
            Some(next) => next.rank() < pattern.rank(),
            None => pattern.next == NO_PATTERN,
        };
        require(falls, "patterns that end at one place are out of order")
    }
}

/// Whether a text may be a word or an exception.
pub(super) fn is_pattern_text(text: &[u8]) -> bool {
    (1..=Name::MAX_LABEL_LEN).contains(&text.len())
        && text.iter().all(|&octet| symbol_of(octet).is_some())
        && !text.starts_with(A_LABEL_PREFIX)
}

fn require(holds: bool, what: &'static str) -> Result<(), KeywordError> {
    if holds { Ok(()) } else { Err(KeywordError { what }) }
}
