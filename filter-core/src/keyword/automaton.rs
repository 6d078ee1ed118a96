//! The automaton at work: takes a label, gives the patterns in it one by one, and counts them.
//! The theory and the layout are in the [module's documentation](super).

use super::{Boundary, Keywords};
use crate::CategorySet;

/// Octets the automaton tells apart: `-`, the digits, the letters.
pub(super) const SYMBOL_COUNT: usize = 37;
/// In a target: a pattern ends there. The lower bits are the state.
pub(super) const TARGET_MATCH: u16 = 1 << 15;
/// One target per symbol.
pub(super) type Row = [[u8; 2]; SYMBOL_COUNT];
/// In the edge octet of a node: the symbol.
pub(super) const EDGE_SYMBOL: u8 = 0x3F;
/// The symbol of the root's edge, which no octet has.
pub(super) const ROOT_SYMBOL: u8 = EDGE_SYMBOL;
/// In the edge octet of a node: no sibling follows.
pub(super) const EDGE_LAST: u8 = 1 << 6;
/// In the edge octet of a node: a pattern ends here.
pub(super) const EDGE_MATCH: u8 = 1 << 7;
/// The `next` of a pattern without one.
pub(super) const NO_PATTERN: u16 = u16::MAX;

const ROOT: u16 = 0;
const NO_SYMBOL: u8 = u8::MAX;

/// The symbol of each octet.
static SYMBOLS: [u8; 256] = {
    let mut symbols = [NO_SYMBOL; 256];
    symbols[b'-' as usize] = 0;
    let mut digit = 0;
    while digit < 10 {
        symbols[b'0' as usize + digit] = 1 + digit as u8;
        digit += 1;
    }
    let mut letter = 0;
    while letter < 26 {
        symbols[b'a' as usize + letter] = 11 + letter as u8;
        letter += 1;
    }
    symbols
};

/// The symbol of an octet, `None` for one that is in no pattern.
pub(super) fn symbol_of(octet: u8) -> Option<u8> {
    let symbol = SYMBOLS[usize::from(octet)];
    (symbol != NO_SYMBOL).then_some(symbol)
}

impl<'a> Keywords<'a> {
    /// The patterns in a label, at each place where their boundary holds.
    pub(super) fn occurrences<'k>(&'k self, label: &'k [u8]) -> Occurrences<'k> {
        Occurrences { keywords: self, label, rest: label, state: ROOT, pattern: None }
    }

    /// Reads `octets` from `state` on up to the first place where a pattern ends, and gives
    /// the octets behind it and the state there. This is where a check spends its time.
    #[inline(never)]
    fn advance<'n>(&self, mut octets: &'n [u8], state: u16) -> Option<(&'n [u8], u16)> {
        let mut state = usize::from(state);
        // Ends because each turn takes an octet.
        while let Some((&octet, rest)) = octets.split_first() {
            octets = rest;
            let symbol = SYMBOLS[usize::from(octet)];
            let target = match self.rows.get(state) {
                Some(row) => target_in(row, symbol),
                None => self.target(state, symbol),
            };
            if target & TARGET_MATCH != 0 {
                return Some((octets, target & !TARGET_MATCH));
            }
            state = usize::from(target);
        }
        None
    }

    /// Where `symbol` leads from a state without a row: the state, and [`TARGET_MATCH`] if
    /// patterns end there. Not inlined, for the sake of the registers of [`Self::advance`].
    #[inline(never)]
    fn target(&self, mut state: usize, symbol: u8) -> u16 {
        let nodes = self.nodes;
        // Ends because `state` gets smaller with each turn.
        while let Some(&[c0, c1, f0, f1, _]) = nodes.get(state) {
            // Siblings follow each other. A state without children has the root for its first
            // child, to which no symbol leads. Ends because `child` gets greater, in a sound
            // section within 37 turns.
            let mut child = usize::from(u16::from_le_bytes([c0, c1]));
            while let Some(&[.., edge]) = nodes.get(child) {
                if edge & EDGE_SYMBOL == symbol {
                    return child as u16 | u16::from(edge & EDGE_MATCH) << 8;
                }
                if edge & EDGE_LAST != 0 {
                    break;
                }
                child += 1;
            }
            let failure = usize::from(u16::from_le_bytes([f0, f1]));
            if let Some(row) = self.rows.get(failure) {
                return target_in(row, symbol);
            }
            if failure >= state {
                break;
            }
            state = failure;
        }
        ROOT
    }

    /// The longest pattern that ends at `state`.
    fn longest_match(&self, state: u16) -> Option<Pattern> {
        let key = |&[s0, s1, ..]: &[u8; 4]| u16::from_le_bytes([s0, s1]);
        let found = self.matches.binary_search_by_key(&state, key).ok()?;
        let &[.., p0, p1] = self.matches.get(found)?;
        self.pattern(u16::from_le_bytes([p0, p1]))
    }

    /// The word or exception with this index, words first.
    pub(super) fn pattern(&self, index: u16) -> Option<Pattern> {
        let &[c0, c1, c2, c3, w0, w1, o0, o1, n0, n1, length, boundary] =
            self.patterns.get(usize::from(index))?;
        Some(Pattern {
            index,
            categories: CategorySet(u32::from_le_bytes([c0, c1, c2, c3])),
            weight: u16::from_le_bytes([w0, w1]),
            offset: u16::from_le_bytes([o0, o1]),
            next: u16::from_le_bytes([n0, n1]),
            length,
            boundary: Boundary::from_code(boundary)?,
        })
    }

    pub(super) fn text_of(&self, pattern: &Pattern) -> Option<&'a str> {
        let text = self.text.get(usize::from(pattern.offset)..)?;
        core::str::from_utf8(text.get(..usize::from(pattern.length))?).ok()
    }
}

#[inline]
fn target_in(row: &Row, symbol: u8) -> u16 {
    row.get(usize::from(symbol)).map_or(ROOT, |&target| u16::from_le_bytes(target))
}

/// A word or an exception as the section holds it.
#[derive(Clone, Copy)]
pub(super) struct Pattern {
    pub(super) index: u16,
    pub(super) categories: CategorySet,
    pub(super) weight: u16,
    pub(super) offset: u16,
    pub(super) length: u8,
    pub(super) boundary: Boundary,
    /// The next pattern that ends where this one ends.
    pub(super) next: u16,
}

impl Pattern {
    /// What falls from a pattern to its `next`.
    pub(super) fn rank(&self) -> (u8, u16) {
        (self.length, self.index)
    }

    /// Whether its boundary holds where it ends before octet `end` of `label`.
    fn holds(&self, label: &[u8], end: usize) -> bool {
        end.checked_sub(usize::from(self.length))
            .is_some_and(|start| self.boundary.holds(label, start, end))
    }
}

/// See [`Keywords::occurrences`].
pub(super) struct Occurrences<'k> {
    keywords: &'k Keywords<'k>,
    label: &'k [u8],
    /// The end of the label that is not read; before it the patterns under way end.
    rest: &'k [u8],
    state: u16,
    /// The next pattern to look at of those that end here.
    pattern: Option<Pattern>,
}

impl Iterator for Occurrences<'_> {
    type Item = Pattern;

    fn next(&mut self) -> Option<Pattern> {
        loop {
            let end = self.label.len().checked_sub(self.rest.len())?;
            // Ends because the rank of the pattern falls.
            while let Some(pattern) = self.pattern {
                self.pattern =
                    self.keywords.pattern(pattern.next).filter(|p| p.rank() < pattern.rank());
                if pattern.holds(self.label, end) {
                    return Some(pattern);
                }
            }
            // Ends because the rest gets shorter.
            (self.rest, self.state) = self.keywords.advance(self.rest, self.state)?;
            self.pattern = self.keywords.longest_match(self.state);
        }
    }
}

/// Adds up what was found, each pattern once.
pub(super) struct Tally {
    /// Bit *i* of word *w* says that pattern 32 *w* + *i* was counted.
    seen: [u32; Keywords::MAX_PATTERNS / 32],
    /// Weights of the words, per category.
    weights: [i32; 32],
    /// Weights of the exceptions.
    exceptions: i32,
}

impl Tally {
    pub(super) fn new() -> Tally {
        Tally { seen: [0; Keywords::MAX_PATTERNS / 32], weights: [0; 32], exceptions: 0 }
    }

    /// Counts a pattern unless it was counted before. No sum overflows: 4,096 patterns of at
    /// most 65,535 each stay below 2²⁸.
    pub(super) fn add(&mut self, pattern: &Pattern, word_count: u16) {
        let mask = 1 << (pattern.index % 32);
        match self.seen.get_mut(usize::from(pattern.index / 32)) {
            Some(seen) if *seen & mask == 0 => *seen |= mask,
            _ => return,
        }
        let weight = i32::from(pattern.weight);
        if pattern.index >= word_count {
            self.exceptions += weight;
        } else {
            for category in pattern.categories.iter() {
                if let Some(sum) = self.weights.get_mut(usize::from(category)) {
                    *sum += weight;
                }
            }
        }
    }

    /// The score of a category.
    pub(super) fn score(&self, category: u8) -> i32 {
        self.weights.get(usize::from(category)).map_or(0, |sum| sum - self.exceptions)
    }

    /// The categories whose score is at least `threshold`.
    pub(super) fn reaching(&self, threshold: u16) -> CategorySet {
        CategorySet::ALL
            .iter()
            .filter(|&category| self.score(category) >= i32::from(threshold))
            .fold(CategorySet::EMPTY, |set, category| set.union(CategorySet::of(category)))
    }
}
