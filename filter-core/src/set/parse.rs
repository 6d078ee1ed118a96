//! Cuts tails into the tokens that cost least, and learns what tokens cost.

use std::vec;
use std::vec::Vec;

use super::bits::BitWriter;
use super::cluster::{Context, Groups, word_costs};
use super::code::ModelWriter;
use super::contexts;
use super::key::{END, SYMBOL_COUNT};
use super::model;
use super::train::vocabulary;

/// The end of a key, as the token model codes it: its symbols, behind which the end mark goes
/// without saying, and the context of its first token.
#[derive(Clone, Copy)]
pub(super) struct Tail<'a> {
    pub(super) symbols: &'a [u8],
    pub(super) context: usize,
}

/// A tail in the symbols of all keys, in eight octets.
#[derive(Clone, Copy)]
pub(super) struct TailAt {
    pub(super) start: u32,
    pub(super) len: u8,
    pub(super) context: u16,
}

/// All tails, in the order of the blocks.
pub(super) struct Tails<'a> {
    /// All keys, one behind the other.
    pub(super) symbols: &'a [u8],
    pub(super) rows: Vec<TailAt>,
}

impl<'a> Tails<'a> {
    fn iter(&self) -> impl Iterator<Item = Tail<'a>> {
        let tail = |row: &TailAt| Tail {
            symbols: &self.symbols[row.start as usize..][..usize::from(row.len)],
            context: usize::from(row.context),
        };
        self.rows.iter().map(tail)
    }

    /// At most so many of them, evenly spread.
    fn sample(&self, limit: usize) -> Vec<Tail<'a>> {
        self.iter().step_by(self.rows.len().div_ceil(limit).max(1)).collect()
    }
}

/// Finds the cheapest tokens of a tail: dynamic programming over its symbols.
pub(super) struct Parser {
    /// A trie of the tokens: for each node, its children and its token.
    children: Vec<[u16; SYMBOL_COUNT]>,
    tokens: Vec<u16>,
    token_count: usize,
    /// The group of each context.
    map: Vec<u8>,
    /// What each token costs, for each group, in 1/256 bit.
    costs: Vec<u16>,
    scale: usize,
    /// How many contexts a style has.
    style_contexts: usize,
}

/// A node of the trie without a token.
const NONE: u16 = u16::MAX;
/// For each length of a tail's front: what it costs at least, where its last token starts, and
/// which that is.
pub(super) type Best = Vec<(u32, u16, u16)>;

impl Parser {
    /// A parser for which all tokens cost alike in all contexts.
    pub(super) fn plain(tokens: &[Vec<u8>]) -> Parser {
        let mut children = vec![[0; SYMBOL_COUNT]];
        let mut numbers = vec![NONE];
        for (number, token) in tokens.iter().enumerate() {
            // Numbers of nodes are short; a token for which there is none left is never used.
            if children.len() + token.len() > usize::from(u16::MAX) {
                continue;
            }
            let mut node = 0;
            for &symbol in token {
                if children[node][usize::from(symbol)] == 0 {
                    children[node][usize::from(symbol)] = children.len() as u16;
                    children.push([0; SYMBOL_COUNT]);
                    numbers.push(NONE);
                }
                node = usize::from(children[node][usize::from(symbol)]);
            }
            numbers[node] = number as u16;
        }
        let token_count = tokens.len();
        let costs = vec![256; token_count];
        Parser {
            children,
            tokens: numbers,
            token_count,
            map: Vec::new(),
            costs,
            scale: 0,
            style_contexts: 0,
        }
    }

    /// Costs by group, for a parser that has one group or a map.
    pub(super) fn set_costs(&mut self, costs: &[Vec<u32>]) {
        self.costs.clear();
        let narrow = |&cost: &u32| u16::try_from(cost).unwrap_or(u16::MAX);
        costs.iter().for_each(|costs| {
            self.costs.extend(costs[..self.token_count].iter().map(narrow));
        });
    }

    fn group(&self, style: u8, context: usize) -> usize {
        let context = usize::from(style) * self.style_contexts + context;
        self.map.get(context).map_or(0, |&group| usize::from(group))
    }

    fn row(&self, style: u8, context: usize) -> &[u16] {
        &self.costs[self.group(style, context) * self.token_count..][..self.token_count]
    }

    /// Appends the tokens of a tail in the style, of so many, in which it costs less; shows them
    /// with their contexts and returns the style.
    fn cut(
        &self,
        tail: &Tail<'_>,
        style_count: usize,
        best: &mut Best,
        path: &mut Vec<u16>,
        mut show: impl FnMut(u8, usize, u16),
    ) -> u8 {
        let first = path.len();
        let mut style = 0;
        let mut cost = self.parse(tail, 0, best, path);
        for other in 1..style_count as u8 {
            let other_first = path.len();
            let other_cost = self.parse(tail, other, best, path);
            if other_cost < cost {
                path.drain(first..other_first);
                (style, cost) = (other, other_cost);
            } else {
                path.truncate(other_first);
            }
        }
        let mut context = tail.context;
        for &token in &path[first..] {
            show(style, context, token);
            context = contexts::token(token, self.scale);
        }
        style
    }

    /// Appends the tokens of a tail of some style and returns what they cost; `best` is room to
    /// work in.
    pub(super) fn parse(
        &self,
        tail: &Tail<'_>,
        style: u8,
        best: &mut Best,
        path: &mut Vec<u16>,
    ) -> u32 {
        let len = tail.symbols.len() + 1;
        best.clear();
        best.resize(len + 1, (u32::MAX, 0, 0));
        best[0].0 = 0;
        let symbol = |at: usize| tail.symbols.get(at).copied().unwrap_or(END);
        for start in 0..len {
            let (cost, _, before) = best[start];
            let row = match start {
                0 => self.row(style, tail.context),
                _ => self.row(style, contexts::token(before, self.scale)),
            };
            let mut node = 0;
            // Ends because no token is longer than a path through the trie.
            for at in start..len {
                let end = at + 1;
                node = usize::from(self.children[node][usize::from(symbol(at))]);
                if node == 0 {
                    break;
                }
                let token = self.tokens[node];
                if token != NONE {
                    let cost = cost.saturating_add(row[usize::from(token)].into());
                    if cost < best[end].0 {
                        best[end] = (cost, start as u16, token);
                    }
                }
            }
        }
        let first = path.len();
        let mut end = len;
        // Ends because every token has symbols.
        while end > 0 {
            let (_, start, token) = best[end];
            path.push(token);
            end = usize::from(start);
        }
        path[first..].reverse();
        best[len].0
    }

    /// What a string costs when it is not cut into `token`, in the first group.
    pub(super) fn cost_without(&self, string: &[u8], token: u16) -> u32 {
        let mut best = vec![u32::MAX; string.len() + 1];
        best[0] = 0;
        for start in 0..string.len() {
            let mut node = 0;
            for end in start + 1..=string.len() {
                node = usize::from(self.children[node][usize::from(string[end - 1])]);
                if node == 0 {
                    break;
                }
                let other = self.tokens[node];
                if other != NONE && other != token {
                    let cost = best[start].saturating_add(self.costs[usize::from(other)].into());
                    best[end] = best[end].min(cost);
                }
            }
        }
        best[string.len()]
    }
}

/// A vocabulary, and how its tokens are coded.
pub(super) struct TokenWriter {
    pub(super) tokens: Vec<Vec<u8>>,
    pub(super) scale: usize,
    /// How many contexts a style has.
    style_contexts: usize,
    pub(super) model: ModelWriter,
    /// Bits of all tokens and of the model's tables.
    cost: u64,
}

/// Tails cut into tokens, in the order of the blocks.
pub(super) struct CutTails {
    pub(super) path: Vec<u16>,
    /// The style of each; empty where there is one style.
    pub(super) styles: Vec<u8>,
}

impl CutTails {
    /// About how many bits it takes to tell the styles, each from the one before.
    fn style_cost(&self) -> u64 {
        let mut counts = [[0u32; contexts::STYLE_COUNT]; contexts::STYLE_COUNT];
        for pair in self.styles.windows(2) {
            counts[usize::from(pair[0])][usize::from(pair[1])] += 1;
        }
        let costs = counts.iter().flat_map(|counts| {
            let costs = word_costs(counts);
            counts.iter().zip(costs).map(|(&count, cost)| u64::from(count) * u64::from(cost))
        });
        costs.sum::<u64>() / 256
    }
}

/// How much is spent on learning.
#[derive(Clone, Copy)]
pub(super) struct Effort {
    /// Tails to learn a vocabulary from, at most.
    vocabulary_sample: usize,
    /// Tails to learn contexts from, at most.
    context_sample: usize,
    /// Rounds of cutting tails by what is known, and learning from the cuts.
    rounds: usize,
    /// Styles, in a set of a hundred thousand names or more.
    styles: usize,
}

impl Effort {
    pub(super) const QUICK: Effort =
        Effort { vocabulary_sample: 40_000, context_sample: 250_000, rounds: 2, styles: 1 };
    pub(super) const THOROUGH: Effort = Effort {
        vocabulary_sample: 200_000,
        context_sample: usize::MAX,
        rounds: 5,
        styles: contexts::STYLE_COUNT,
    };
    /// Fewer names do not make up for the tables of another style.
    const STYLES_FROM: usize = 100_000;
}

/// A token seen less often in a group is coded by the escape and the last code.
const OWN_COUNT_MIN: u32 = 10;

impl TokenWriter {
    /// Learns tokens and their costs from a part of the tails, then cuts all of them.
    pub(super) fn train(
        mut tails: Tails<'_>,
        scale: usize,
        effort: Effort,
    ) -> (TokenWriter, CutTails) {
        if scale == 0 {
            tails.rows.iter_mut().for_each(|row| row.context %= SYMBOL_COUNT as u16);
        }
        let len = tails.rows.len();
        let tokens = vocabulary(&tails.sample(effort.vocabulary_sample), Size::of(len).tokens);
        let styles = if len < Effort::STYLES_FROM { 1 } else { effort.styles };
        // Two styles serve some sets and cost others; which, only trying tells.
        let tried =
            (1..=styles).map(|styles| TokenWriter::learn(&tails, &tokens, scale, styles, effort));
        let cheapest = tried.min_by_key(|(writer, cut)| writer.cost + cut.style_cost());
        cheapest.unwrap_or_else(|| TokenWriter::learn(&tails, &tokens, scale, 1, effort))
    }

    fn learn(
        tails: &Tails<'_>,
        tokens: &[Vec<u8>],
        scale: usize,
        style_count: usize,
        effort: Effort,
    ) -> (TokenWriter, CutTails) {
        let size = Size::of(tails.rows.len());
        let mut parser = Parser::plain(tokens);
        parser.scale = scale;
        parser.style_contexts = contexts::token(tokens.len() as u16, scale);
        let context_count = parser.style_contexts * style_count;
        let sample = tails.sample(effort.context_sample);
        let (mut best, mut path) = (Vec::new(), Vec::new());
        for round in 0..effort.rounds {
            let mut events = Vec::new();
            for tail in &sample {
                path.clear();
                // Before any style is known, a name that costs much for its length gets the second.
                let first = events.len();
                let known = if round == 0 { 1 } else { style_count };
                parser.cut(tail, known, &mut best, &mut path, |style, context, token| {
                    let context = usize::from(style) * parser.style_contexts + context;
                    events.push((context as u16, token));
                });
                if round == 0 && style_count > 1 && 2 * path.len() > tail.symbols.len() {
                    let shift = parser.style_contexts as u16;
                    events[first..].iter_mut().for_each(|(context, _)| *context += shift);
                }
            }
            let contexts = Context::of_events(&mut events);
            let groups = Groups::of(&contexts, size.groups, tokens.len());
            parser.map = groups.map(&contexts, context_count);
            let costs: Vec<_> = groups.sums.iter().map(|sums| word_costs(sums)).collect();
            parser.set_costs(&costs);
        }
        let group_count = parser.costs.len() / parser.token_count;
        let mut counts = vec![vec![0u32; tokens.len() + 1]; group_count];
        let (mut path, mut styles) = (Vec::new(), Vec::new());
        for tail in tails.iter() {
            let count = |style: u8, context: usize, token: u16| {
                counts[parser.group(style, context)][usize::from(token)] += 1;
            };
            let style = parser.cut(&tail, style_count, &mut best, &mut path, count);
            if style_count > 1 {
                styles.push(style);
            }
        }
        let escape = tokens.len();
        if group_count > 1 {
            counts = with_escapes(counts, escape);
        }
        let model = ModelWriter::new(parser.map, &counts, model::WIDE);
        let (tokens, style_contexts, cost) =
            (tokens.to_vec(), parser.style_contexts, model.cost(&counts));
        (TokenWriter { tokens, scale, style_contexts, model, cost }, CutTails { path, styles })
    }

    /// Writes the word of a token in a context, or that of the escape and the last code's.
    pub(super) fn push(&self, style: u8, context: usize, token: u16, bits: &mut BitWriter) {
        let code = self.model.code(usize::from(style) * self.style_contexts + context);
        let last = self.model.code_count() - 1;
        let own = self.model.word(code, token).map(|word| [word, (0, 0)]);
        let escaped = || {
            let escape = self.model.word(code, self.tokens.len() as u16)?;
            Some([escape, self.model.word(last, token)?])
        };
        for (word, length) in own.or_else(escaped).unwrap_or_default() {
            bits.push(word, length);
        }
    }
}

/// How much a set of so many tails can afford to learn: measured to be near the least size on
/// lists of ten thousand to a million names.
struct Size {
    tokens: usize,
    groups: usize,
}

impl Size {
    fn of(tails: usize) -> Size {
        let root = tails.isqrt();
        Size {
            tokens: (8 * root).clamp(SYMBOL_COUNT, model::SYMBOLS_MAX - 1),
            groups: (root / 8).clamp(1, 160),
        }
    }
}

/// Moves what a group saw rarely to one more group, and counts an escape for it.
fn with_escapes(mut counts: Vec<Vec<u32>>, escape: usize) -> Vec<Vec<u32>> {
    let mut shared = vec![0u32; escape + 1];
    for counts in &mut counts {
        let mut escapes = 0;
        for (count, shared) in counts.iter_mut().zip(&mut shared) {
            if *count < OWN_COUNT_MIN {
                escapes += *count;
                *shared += std::mem::take(count);
            }
        }
        counts[escape] = escapes;
    }
    counts.push(shared);
    counts
}
