//! Words in names: takes the checked bytes of the keyword section and a [`Name`], gives the
//! categories whose words weigh enough in it, and promises to do so without heap, recursion
//! or panic on any bytes.
//!
//! Keywords are a supplement for names no list holds yet, and a blunt one (`sex` is in
//! `essex`), so a single hit decides nothing: words add weight, exceptions take weight away,
//! and only a category at or above the threshold is reported.
//!
//! # What is scanned, and what counts
//!
//! 1. One label is scanned, the **registrable label**: the one left of the top-level domain,
//!    or, under a two-letter top-level domain, left of a generic second-level label such as
//!    the `co` of `co.uk`. Those labels travel in the section, so the host decides about them.
//!    What a registrant chose is there; labels further left are often a provider's customers
//!    or host names.
//! 2. Of an A-label (`xn--…`) only the literal part is text: the ASCII characters between
//!    the prefix and the last hyphen. Behind it stand numbers in base 36 (RFC 3492 section
//!    3.1), in which short words turn up by chance.
//! 3. A [`Word`] counts when it stands where its [`Boundary`] wants it. An [`Exception`]
//!    counts anywhere.
//! 4. Each word and each exception counts once, however often it occurs. Different words
//!    count even where they overlap.
//! 5. The score of a category is the sum of the weights of its words, minus the weights of
//!    all exceptions found. The categories whose score reaches the threshold, as far as they
//!    are enabled, are the answer.
//!
//! ```
//! # #[cfg(feature = "build")] {
//! use filter_core::keyword::{Boundary, Exception, Keywords, Word, compile};
//! use filter_core::{CategorySet, Name};
//! let adult = CategorySet::of(2);
//! let words = [Word { text: "sex", categories: adult, weight: 100, boundary: Boundary::Anywhere }];
//! let exceptions = [Exception { text: "sussex", weight: 100 }];
//! let section = compile(&words, &exceptions, 100)?;
//!
//! let keywords = Keywords::from_section(&section)?;
//! let check = |name| keywords.check(&Name::from_text(name).unwrap(), CategorySet::ALL);
//! assert_eq!(check("www.freesex.test").unwrap().categories, adult);
//! assert_eq!(check("sussex.test"), None);
//! assert_eq!(check("sex.provider.test"), None);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The automaton
//!
//! Words and exceptions, together the *patterns*, are found in one pass over the label, by
//! the automaton of Aho and Corasick ("Efficient string matching: an aid to bibliographic
//! search", Communications of the ACM 18(6), 1975, pages 333–340).
//!
//! Take a trie of all patterns; each state stands for the text that leads to it. Looking for
//! patterns at *every* position of a label could start one walk down the trie per position.
//! One walk is enough if it never forgets: be always in the state of the **longest text in
//! the trie that ends here**. On the next symbol go to the child by that symbol. Without such
//! a child the text cannot be prolonged, but a shorter one that also ends here may be: its
//! state, the longest proper suffix of the text that is in the trie, is the **failure** link.
//! From `kitch`, failing leads to the state of `itch` if there is one, else to `tch`, `ch`,
//! `h`, and at last to the root, the empty text. A symbol takes the walk at most one level
//! down and every failure at least one up, so a label of *n* octets costs at most *2n* moves.
//!
//! A pattern ends at a state if the state's text ends with it: the state's own patterns, then
//! those of its failure, of the failure's failure, and so on. Where many states on that path
//! end nothing, walking it would be wasted, so each pattern names the **next** one, as
//! the paper's output function does in list form.
//!
//! Two refinements:
//! * The states near the root, where a walk through ordinary names spends its time, have a
//!   **row** each: the target for each symbol with all failures already followed.
//! * A failure that cannot help is skipped: when each child of the failure has a
//!   sibling by the same symbol here, its children were missed already, so the link goes on
//!   to its failure.
//!
//! # Layout
//!
//! Numbers are little-endian, nothing is aligned, nothing lies between the parts or behind
//! the last one. The alphabet has 37 symbols in ASCII order: `-` is 0, `0`–`9` are 1–10 and
//! `a`–`z` are 11–36. Any other octet leads to the root. States are numbered breadth first
//! from the root, 0; siblings in the order of their symbols. So siblings follow each other
//! and each failure is smaller than its state. The first *R* states have a row; the builder
//! chooses how many that are.
//!
//! | octets | holds |
//! |---|---|
//! | 2 | threshold, at least 1 |
//! | 2 | *S*, number of second-level labels |
//! | 2 | *R*, number of states with a row, at least 1, at most *N* |
//! | 2 | *N*, number of states, at most 32,768 |
//! | 2 | *M*, number of states at which a pattern ends |
//! | 2 | *W*, number of words |
//! | 2 | *E*, number of exceptions; *W* + *E* ≤ 4,096 |
//! | 2 | *T*, octets of text |
//! | 8 × *S* | second-level labels, padded with zeros at the end, ascending as octet strings |
//! | 74 × *R* | rows: per symbol the target's state, bit 15 set when a pattern ends there |
//! | 5 × *N* | nodes, one per state: 2 first child, or 0 without children; 2 failure; 1 edge from the parent: symbol in bits 0–5 (63 for the root), bit 6 set on the last sibling, bit 7 set when a pattern ends here |
//! | 4 × *M* | matches, ascending: 2 state; 2 longest pattern that ends there |
//! | 12 × (*W* + *E*) | patterns, words first: 4 categories; 2 weight; 2 offset of the text; 2 next pattern that ends where this one ends, 65,535 for none; 1 length of the text; 1 boundary (0 token, 1 prefix, 2 suffix, 3 anywhere) |
//! | *T* | the texts of the patterns |
//!
//! A pattern's *next* is shorter, or of the same text with a smaller index. Exceptions have
//! all categories and boundary 3.

mod automaton;
#[cfg(feature = "build")]
mod build;
mod label;
#[cfg(all(test, feature = "build"))]
mod tests;
mod verify;

#[cfg(feature = "build")]
pub use build::{CompileKeywordError, Problem, compile};

use crate::octets::Octets;
use crate::{CategorySet, Name};
use automaton::{Row, SYMBOL_COUNT, Tally};
use core::cmp::Reverse;
use core::fmt;

/// The words and exceptions of an image, read in place from the bytes of its section.
///
/// `Copy`, and about 60 bytes on a 32-bit target. Holding one proves that the parts of the
/// section have the sizes its head states; one from [`Keywords::from_section`] also proves
/// that the states form a trie with sound failures, so that the bound of [`Keywords::check`]
/// holds.
#[derive(Clone, Copy)]
pub struct Keywords<'a> {
    threshold: u16,
    word_count: u16,
    second_levels: &'a [label::SecondLevel],
    /// The rows of the first states.
    rows: &'a [Row],
    nodes: &'a [[u8; 5]],
    matches: &'a [[u8; 4]],
    patterns: &'a [[u8; 12]],
    text: &'a [u8],
}

impl<'a> Keywords<'a> {
    /// The most words and exceptions a section holds.
    pub const MAX_PATTERNS: usize = 4096;

    /// Opens a section and checks every part of it, in time linear in its size.
    ///
    /// # Errors
    /// When the bytes are not a keyword section; [`KeywordError`] names the part.
    pub fn from_section(section: &'a [u8]) -> Result<Keywords<'a>, KeywordError> {
        let sizes = KeywordError { what: "the parts do not fill the section" };
        let keywords = Keywords::reopen(section).ok_or(sizes)?;
        keywords.verify()?;
        Ok(keywords)
    }

    /// Opens a section that [`Keywords::from_section`] has accepted before, in constant time;
    /// `None` when the parts do not fill it. On other bytes the answers may be wrong and slow,
    /// but every method still ends and none panics.
    pub(crate) fn reopen(section: &'a [u8]) -> Option<Keywords<'a>> {
        let mut octets = Octets::new(section);
        let threshold = octets.u16()?;
        let second_levels = octets.u16()?;
        let row_count = octets.u16()?;
        let node_count = octets.u16()?;
        let match_count = octets.u16()?;
        let word_count = octets.u16()?;
        let pattern_count = usize::from(word_count) + usize::from(octets.u16()?);
        let text_len = octets.u16()?;
        Some(Keywords {
            threshold,
            word_count,
            second_levels: array_of(&mut octets, second_levels.into())?,
            rows: rows_of(&mut octets, row_count.into())?,
            nodes: array_of(&mut octets, node_count.into())?,
            matches: array_of(&mut octets, match_count.into())?,
            patterns: array_of(&mut octets, pattern_count)?,
            text: (octets.rest().len() == usize::from(text_len)).then_some(octets.rest())?,
        })
    }

    /// The enabled categories whose words weigh enough in the registrable label of `name`, or
    /// `None` when there is no such category.
    ///
    /// Linear in the label's length plus the pattern occurrences in it. Most names hold no
    /// pattern and are done after one pass; the others need two. About 1.1 KB of stack, no
    /// heap, no panic.
    pub fn check(&self, name: &Name, enabled: CategorySet) -> Option<KeywordMatch> {
        let label = label::literal_part(label::registrable(name, self.second_levels)?);
        let mut occurrences = self.occurrences(label);
        let first = occurrences.next()?;

        let mut tally = Tally::new();
        tally.add(&first, self.word_count);
        occurrences.for_each(|pattern| tally.add(&pattern, self.word_count));

        let categories = tally.reaching(self.threshold).intersection(enabled);
        let score = categories.iter().map(|category| tally.score(category)).max()?;
        let word = self
            .occurrences(label)
            .filter(|p| p.index < self.word_count && p.categories.intersects(categories))
            .max_by_key(|pattern| (pattern.weight, Reverse(pattern.index)))?;
        Some(KeywordMatch { categories, word: word.index, score })
    }

    /// The score from which on a category is reported.
    pub fn threshold(&self) -> u16 {
        self.threshold
    }

    /// How many words there are, exceptions not counted.
    pub fn len(&self) -> usize {
        usize::from(self.word_count).min(self.patterns.len())
    }

    /// Whether there is no word, so that no name matches.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The word with this index: its place among the words when they were compiled, and the
    /// `word` of a [`KeywordMatch`].
    pub fn word(&self, index: u16) -> Option<Word<'a>> {
        let pattern = self.pattern(index).filter(|pattern| pattern.index < self.word_count)?;
        Some(Word {
            text: self.text_of(&pattern).unwrap_or(""),
            categories: pattern.categories,
            weight: pattern.weight,
            boundary: pattern.boundary,
        })
    }

    /// The words in the order of their indices.
    pub fn words(self) -> impl Iterator<Item = Word<'a>> {
        (0..self.word_count).map_while(move |index| self.word(index))
    }

    /// The exceptions in the order they were given.
    pub fn exceptions(self) -> impl Iterator<Item = Exception<'a>> {
        (self.word_count..u16::MAX).map_while(move |index| {
            let pattern = self.pattern(index)?;
            let text = self.text_of(&pattern).unwrap_or("");
            Some(Exception { text, weight: pattern.weight })
        })
    }
}

impl fmt::Debug for Keywords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keywords")
            .field("words", &self.len())
            .field("patterns", &self.patterns.len())
            .field("states", &self.nodes.len())
            .finish()
    }
}

/// Cuts the next `count` elements of `N` octets off.
fn array_of<'a, const N: usize>(octets: &mut Octets<'a>, count: usize) -> Option<&'a [[u8; N]]> {
    let (elements, _) = octets.take(count.checked_mul(N)?)?.as_chunks();
    Some(elements)
}

fn rows_of<'a>(octets: &mut Octets<'a>, count: usize) -> Option<&'a [Row]> {
    let (rows, _) = array_of(octets, count * SYMBOL_COUNT)?.as_chunks();
    Some(rows)
}

/// A word that speaks for categories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// 1 to 63 of `a`–`z`, `0`–`9` and `-`.
    pub text: &'a str,
    /// The categories it speaks for: at least one, none of [`CategorySet::MANDATED`] and
    /// [`CategorySet::SELF_HARM`].
    pub categories: CategorySet,
    /// What it adds to their scores, at least 1.
    pub weight: u16,
    /// Where in the label it counts.
    pub boundary: Boundary,
}

/// A text that speaks against every category, for innocent names around a word (`sussex`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception<'a> {
    /// 1 to 63 of `a`–`z`, `0`–`9` and `-`; counts anywhere in the label.
    pub text: &'a str,
    /// What it takes off every score, at least 1.
    pub weight: u16,
}

/// Where in a label a word counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Boundary {
    /// Between two of: an end of the label, `-`, `_`, a digit.
    Token,
    /// At the start of the label.
    Prefix,
    /// At the end of the label.
    Suffix,
    /// At any place.
    Anywhere,
}

impl Boundary {
    /// All boundaries, in the order of their codes.
    pub const ALL: [Boundary; 4] =
        [Boundary::Token, Boundary::Prefix, Boundary::Suffix, Boundary::Anywhere];

    /// The code of this boundary in an image: 0 to 3.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The boundary with this code, or `None` for a code format version 2 does not know.
    pub const fn from_code(code: u8) -> Option<Boundary> {
        match code {
            0 => Some(Boundary::Token),
            1 => Some(Boundary::Prefix),
            2 => Some(Boundary::Suffix),
            3 => Some(Boundary::Anywhere),
            _ => None,
        }
    }

    /// The word used in keyword files: `token`, `prefix`, `suffix` or `anywhere`.
    pub const fn word(self) -> &'static str {
        match self {
            Boundary::Token => "token",
            Boundary::Prefix => "prefix",
            Boundary::Suffix => "suffix",
            Boundary::Anywhere => "anywhere",
        }
    }

    /// Whether a text at `start..end` of `label` stands where this boundary wants it.
    fn holds(self, label: &[u8], start: usize, end: usize) -> bool {
        match self {
            Boundary::Token => {
                let before = start.checked_sub(1).and_then(|before| label.get(before));
                [before, label.get(end)].into_iter().flatten().all(separates)
            }
            Boundary::Prefix => start == 0,
            Boundary::Suffix => end == label.len(),
            Boundary::Anywhere => true,
        }
    }
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

fn separates(octet: &u8) -> bool {
    matches!(octet, b'-' | b'_' | b'0'..=b'9')
}

/// What [`Keywords::check`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeywordMatch {
    /// The enabled categories that reach the threshold; never empty.
    pub categories: CategorySet,
    /// The heaviest word found that speaks for one of them; of equals, the first.
    pub word: u16,
    /// The highest score among them.
    pub score: i32,
}

/// Why bytes are not a keyword section. Build the image anew, or fetch it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeywordError {
    /// What is wrong with them.
    pub what: &'static str,
}

impl fmt::Display for KeywordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bad keyword section: {}", self.what)
    }
}

impl core::error::Error for KeywordError {}
