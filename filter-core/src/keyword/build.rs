//! Writes the keyword section: takes words, exceptions and a threshold, gives its bytes. The
//! same input gives the same bytes; what it writes, [`Keywords::from_section`] accepts.

use super::automaton::{
    EDGE_LAST, EDGE_MATCH, NO_PATTERN, ROOT_SYMBOL, SYMBOL_COUNT, TARGET_MATCH, symbol_of,
};
use super::label::{SecondLevel, padded};
use super::verify::{FORBIDDEN, MAX_STATES, is_pattern_text};
use super::{Boundary, Exception, Keywords, Word};
use crate::CategorySet;
use core::fmt;
use core::iter;
use core::ops::Range;
use std::string::String;
use std::vec;
use std::vec::Vec;

/// Labels that registries put between a two-letter top-level domain and the labels of
/// registrants, by kind of registrant. Each stands in the ICANN part of the Public Suffix List
/// (<https://publicsuffix.org>, edition of February 2023) under five or more such domains:
/// `org` under 152, `com` under 138, … `ed` under 5. Labels that are abbreviations of regions
/// in some countries (`sc`, `ca`, `me`, …) are left out.
const SECOND_LEVEL_LABELS: &[&str] = &[
    "ac", "asso", "biz", "co", "com", "coop", "ed", "edu", "firm", "go", "gob", "gouv", "gov",
    "info", "int", "med", "mil", "mobi", "name", "ne", "net", "nom", "or", "org", "pro", "sch",
    "store", "tm", "tv", "web",
];

/// How many states get a row: in lists of a few hundred words the root, its children and most
/// of theirs. A row costs 74 octets. On a Cortex-M4 a scan takes 29 instructions an octet with
/// rows for the root and its children only, 21 with these, 16 with all grandchildren.
const MAX_ROWS: usize = 96;

/// Writes the section of these words and exceptions. The index of a word is its place in
/// `words`.
///
/// Usual are 7 KB of rows and 55 octets for each word and exception. Needs a fraction of a
/// second at the limit of 4,096.
///
/// # Errors
/// When a word or an exception is not one, when one is given twice, when the threshold is 0,
/// or when there are too many; see [`Problem`].
///
/// ```
/// use filter_core::CategorySet;
/// use filter_core::keyword::{Boundary, Keywords, Problem, Word, compile};
/// let word = |text, bit| Word {
///     text,
///     categories: CategorySet::of(bit),
///     weight: 60,
///     boundary: Boundary::Token,
/// };
/// let section = compile(&[word("casino", 20), word("bet", 20)], &[], 100)?;
/// assert_eq!(Keywords::from_section(&section).unwrap().word(1).unwrap().text, "bet");
///
/// let error = compile(&[word("casino", 20), word("Casino!", 20)], &[], 100).unwrap_err();
/// assert_eq!(error.problem, Problem::BadText);
/// assert_eq!(error.text.as_deref(), Some("Casino!"));
/// # Ok::<(), filter_core::keyword::CompileKeywordError>(())
/// ```
pub fn compile(
    words: &[Word<'_>],
    exceptions: &[Exception<'_>],
    threshold: u16,
) -> Result<Vec<u8>, CompileKeywordError> {
    compile_with_rows(words, exceptions, threshold, MAX_ROWS)
}

/// As [`compile`], with rows for at most `max_rows` states, at least 1.
pub(super) fn compile_with_rows(
    words: &[Word<'_>],
    exceptions: &[Exception<'_>],
    threshold: u16,
    max_rows: usize,
) -> Result<Vec<u8>, CompileKeywordError> {
    if threshold == 0 {
        return Err(Problem::ZeroThreshold.into());
    }
    let patterns = patterns_of(words, exceptions)?;
    let mut trie = Trie::new(&patterns);
    if trie.states.len() > MAX_STATES {
        return Err(Problem::TooManyStates.into());
    }
    if patterns.iter().map(|pattern| pattern.text.len()).sum::<usize>() > usize::from(u16::MAX) {
        return Err(Problem::TooMuchText.into());
    }
    let next = trie.link_matches(patterns.len());
    Ok(write(&trie, &patterns, &next, words.len(), threshold, max_rows))
}

/// Why words and exceptions do not compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileKeywordError {
    /// The word or exception at fault, if it is one.
    pub text: Option<String>,
    /// What is wrong, and what to do about it.
    pub problem: Problem,
}

/// What can be wrong with words and exceptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The text is not 1 to 63 of `a`–`z`, `0`–`9` and `-`, or it is an A-label.
    BadText,
    /// The weight is 0.
    ZeroWeight,
    /// The word speaks for no category.
    NoCategory,
    /// The word speaks for a category that keywords never decide.
    ForbiddenCategory,
    /// The same text, at the same boundary, was given before for one of the categories; or
    /// the same exception was.
    Duplicate,
    /// The threshold is 0.
    ZeroThreshold,
    /// More than [`Keywords::MAX_PATTERNS`] words and exceptions.
    TooManyPatterns,
    /// More than 32,768 states.
    TooManyStates,
    /// More than 65,535 octets of text.
    TooMuchText,
}

impl From<Problem> for CompileKeywordError {
    fn from(problem: Problem) -> CompileKeywordError {
        CompileKeywordError { text: None, problem }
    }
}

impl fmt::Display for CompileKeywordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = &self.text {
            write!(f, "keyword {text:?}: ")?;
        }
        self.problem.fmt(f)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Problem::BadText => {
                "want 1 to 63 of a-z, 0-9 and `-`, not beginning with `xn--`; \
                 write it in lower case without accents"
            }
            Problem::ZeroWeight => "the weight is 0; give it at least 1 or drop the line",
            Problem::NoCategory => "it has no category; name one",
            Problem::ForbiddenCategory => {
                "keywords never decide the mandated categories (bits 0 and 1) and self-harm \
                 (bit 7); choose another category or list the names"
            }
            Problem::Duplicate => {
                "given before with the same boundary and category; drop one of the two"
            }
            Problem::ZeroThreshold => "the keyword threshold is 0; give it at least 1",
            Problem::TooManyPatterns => {
                "more than 4096 keywords and exceptions; drop the least useful"
            }
            Problem::TooManyStates => {
                "the keywords need more than 32768 states; drop the longest or least useful"
            }
            Problem::TooMuchText => {
                "the keywords have more than 65535 characters; drop the longest or least useful"
            }
        })
    }
}

impl core::error::Error for CompileKeywordError {}

/// Words and exceptions on one list, words first, each of them checked.
fn patterns_of<'a>(
    words: &[Word<'a>],
    exceptions: &[Exception<'a>],
) -> Result<Vec<Word<'a>>, CompileKeywordError> {
    let as_word = |&Exception { text, weight }: &Exception<'a>| Word {
        text,
        categories: CategorySet::ALL,
        weight,
        boundary: Boundary::Anywhere,
    };
    let patterns: Vec<Word<'a>> =
        words.iter().copied().chain(exceptions.iter().map(as_word)).collect();
    if patterns.len() > Keywords::MAX_PATTERNS {
        return Err(Problem::TooManyPatterns.into());
    }
    for (index, pattern) in patterns.iter().enumerate() {
        let is_word = index < words.len();
        let repeats = |earlier: &&Word<'_>| {
            earlier.text == pattern.text
                && earlier.boundary == pattern.boundary
                && earlier.categories.intersects(pattern.categories)
        };
        let earlier = if is_word { &patterns[..index] } else { &patterns[words.len()..index] };
        let problem = if !is_pattern_text(pattern.text.as_bytes()) {
            Problem::BadText
        } else if pattern.weight == 0 {
            Problem::ZeroWeight
        } else if pattern.categories.is_empty() {
            Problem::NoCategory
        } else if is_word && pattern.categories.intersects(FORBIDDEN) {
            Problem::ForbiddenCategory
        } else if earlier.iter().any(|earlier| repeats(&earlier)) {
            Problem::Duplicate
        } else {
            continue;
        };
        return Err(CompileKeywordError { text: Some(pattern.text.into()), problem });
    }
    Ok(patterns)
}

/// The automaton, states in breadth-first order.
struct Trie {
    states: Vec<State>,
}

struct State {
    depth: usize,
    /// The symbol of the edge from the parent.
    symbol: u8,
    /// The children's numbers.
    children: Range<usize>,
    failure: usize,
    /// The patterns whose text is the state's text.
    own: Vec<usize>,
    /// The longest pattern that ends here.
    longest: Option<u16>,
}

impl Trie {
    /// Cuts the sorted patterns into groups of one prefix, depth by depth: each group is a
    /// state.
    fn new(patterns: &[Word<'_>]) -> Trie {
        let mut sorted: Vec<usize> = (0..patterns.len()).collect();
        sorted.sort_by_key(|&index| (patterns[index].text, index));
        let text = |index: usize| patterns[index].text.as_bytes();

        let mut trie = Trie { states: vec![State::new(0, ROOT_SYMBOL, 0)] };
        let mut groups = vec![sorted.as_slice()];
        let mut number = 0;
        // Ends because each group is smaller or one symbol deeper than its parent's.
        while let Some(&group) = groups.get(number) {
            let depth = trie.states[number].depth;
            let (own, longer) =
                group.split_at(group.partition_point(|&index| text(index).len() == depth));
            let first_child = trie.states.len();
            for child in longer.chunk_by(|&a, &b| text(a)[depth] == text(b)[depth]) {
                let symbol = symbol_of(text(child[0])[depth]).unwrap_or_default();
                // The failure is at a smaller depth, so its children are known.
                let failure = match number {
                    0 => 0,
                    _ => trie.target(trie.states[number].failure, symbol),
                };
                trie.states.push(State::new(depth + 1, symbol, failure));
                groups.push(child);
            }
            trie.states[number].children = first_child..trie.states.len();
            trie.states[number].own = own.to_vec();
            number += 1;
        }
        trie
    }

    /// Sets the longest match of each state and returns the next one of each pattern.
    fn link_matches(&mut self, pattern_count: usize) -> Vec<u16> {
        let mut next = vec![NO_PATTERN; pattern_count];
        for number in 0..self.states.len() {
            let mut longest = self.states[self.states[number].failure].longest;
            for &pattern in &self.states[number].own {
                next[pattern] = longest.unwrap_or(NO_PATTERN);
                longest = Some(pattern as u16);
            }
            self.states[number].longest = longest;
        }
        next
    }

    /// Where `symbol` leads from a state, failures followed.
    fn target(&self, mut state: usize, symbol: u8) -> usize {
        // Ends because a failure is smaller than its state.
        loop {
            match self.child(state, symbol) {
                Some(child) => return child,
                None if state == 0 => return 0,
                None => state = self.states[state].failure,
            }
        }
    }

    fn child(&self, state: usize, symbol: u8) -> Option<usize> {
        self.states[state].children.clone().find(|&child| self.states[child].symbol == symbol)
    }

    /// The failure of a state, past those whose symbols were all tried at the state itself.
    fn useful_failure(&self, state: usize, row_count: usize) -> usize {
        let mut failure = self.states[state].failure;
        let helps = |failure: usize| {
            let mut children = self.states[failure].children.clone();
            children.any(|child| self.child(state, self.states[child].symbol).is_none())
        };
        // Ends because a failure is smaller than its state, and the root has a row.
        while failure >= row_count && !helps(failure) {
            failure = self.states[failure].failure;
        }
        failure
    }

    fn is_match(&self, state: usize) -> bool {
        self.states[state].longest.is_some()
    }
}

impl State {
    fn new(depth: usize, symbol: u8, failure: usize) -> State {
        State { depth, symbol, children: 0..0, failure, own: Vec::new(), longest: None }
    }
}

/// Puts the parts of the section behind each other.
fn write(
    trie: &Trie,
    patterns: &[Word<'_>],
    next: &[u16],
    word_count: usize,
    threshold: u16,
    max_rows: usize,
) -> Vec<u8> {
    let mut second_levels: Vec<SecondLevel> =
        SECOND_LEVEL_LABELS.iter().filter_map(|label| padded(label.as_bytes())).collect();
    second_levels.sort_unstable();
    let row_count = trie.states.len().min(max_rows);
    let match_count = trie.states.iter().filter(|state| state.longest.is_some()).count();
    let text_len: usize = patterns.iter().map(|pattern| pattern.text.len()).sum();

    let mut section = Vec::new();
    let mut number = |number: usize| section.extend((number as u16).to_le_bytes());
    number(threshold.into());
    number(second_levels.len());
    number(row_count);
    number(trie.states.len());
    number(match_count);
    number(word_count);
    number(patterns.len() - word_count);
    number(text_len);

    section.extend(second_levels.as_flattened());
    for state in 0..row_count {
        for symbol in 0..SYMBOL_COUNT as u8 {
            let target = trie.target(state, symbol);
            let flag = if trie.is_match(target) { TARGET_MATCH } else { 0 };
            section.extend((target as u16 | flag).to_le_bytes());
        }
    }
    let children = trie.states.iter().filter_map(|state| state.children.clone().last());
    let last_siblings: Vec<usize> = iter::once(0).chain(children).collect();
    for (number, state) in trie.states.iter().enumerate() {
        let first_child = if state.children.is_empty() { 0 } else { state.children.start };
        let last = last_siblings.binary_search(&number).is_ok();
        let edge = state.symbol
            | if last { EDGE_LAST } else { 0 }
            | if trie.is_match(number) { EDGE_MATCH } else { 0 };
        section.extend((first_child as u16).to_le_bytes());
        section.extend((trie.useful_failure(number, row_count) as u16).to_le_bytes());
        section.push(edge);
    }
    for (number, state) in trie.states.iter().enumerate() {
        if let Some(longest) = state.longest {
            section.extend((number as u16).to_le_bytes());
            section.extend(longest.to_le_bytes());
        }
    }
    let mut offset = 0;
    for (pattern, next) in patterns.iter().zip(next) {
        section.extend(pattern.categories.0.to_le_bytes());
        section.extend(pattern.weight.to_le_bytes());
        section.extend((offset as u16).to_le_bytes());
        section.extend(next.to_le_bytes());
        section.push(pattern.text.len() as u8);
        section.push(pattern.boundary.code());
        offset += pattern.text.len();
    }
    for pattern in patterns {
        section.extend(pattern.text.as_bytes());
    }
    section
}
