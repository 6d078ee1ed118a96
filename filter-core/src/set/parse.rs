//! Cuts tails into the tokens that cost least, and learns what tokens cost.

use std::vec;
use std::vec::Vec;

use super::bits::BitWriter;
use super::cluster::{Context, Groups, ModelWriter, word_costs};
use super::contexts;
use super::key::{END, SYMBOL_COUNT};
use super::train::vocabulary;

/// The end of a key, as the token model codes it: its symbols, behind which the end mark goes
/// without saying, and the context of its first token.
#[derive(Clone, Copy)]
pub(super) struct Tail<'a> {
    pub(super) symbols: &'a [u8],
    pub(super) context: usize,
}

/// Finds the cheapest tokens of a tail: dynamic programming over its symbols.
pub(super) struct Parser {
    /// A trie of the tokens: for each node, its children and its token.
    children: Vec<[u16; SYMBOL_COUNT]>,
    tokens: Vec<u16>,
    token_count: usize,
    /// The group of each context.
    map: Vec<u8>,
    /// What each token costs, for each group.
    costs: Vec<u32>,
    scale: usize,
}

/// A node of the trie without a token.
const NONE: u16 = u16::MAX;
/// The most symbols of a tail and its end mark.
const TAIL_ROOM: usize = 257;

impl Parser {
    /// A parser for which all tokens cost alike in all contexts.
    pub(super) fn plain(tokens: &[Vec<u8>]) -> Parser {
        let mut children = vec![[0; SYMBOL_COUNT]];
        let mut numbers = vec![NONE];
        for (number, token) in tokens.iter().enumerate() {
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
        Parser { children, tokens: numbers, token_count, map: Vec::new(), costs, scale: 0 }
    }

    /// Costs by group, for a parser that has one group or a map.
    pub(super) fn set_costs(&mut self, costs: &[Vec<u32>]) {
        self.costs.clear();
        costs.iter().for_each(|costs| self.costs.extend(&costs[..self.token_count]));
    }

    fn row(&self, context: usize) -> &[u32] {
        let group = self.map.get(context).map_or(0, |&group| usize::from(group));
        &self.costs[group * self.token_count..][..self.token_count]
    }

    /// Appends the tokens of a tail.
    pub(super) fn parse(&self, tail: &Tail<'_>, path: &mut Vec<u16>) {
        let mut best = [(u32::MAX, 0u16, 0u16); TAIL_ROOM];
        best[0] = (0, 0, 0);
        let len = tail.symbols.len() + 1;
        let symbol = |at: usize| tail.symbols.get(at).copied().unwrap_or(END);
        for start in 0..len {
            let (cost, _, before) = best[start];
            let row = match start {
                0 => self.row(tail.context),
                _ => self.row(contexts::token(before, self.scale)),
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
                    let cost = cost.saturating_add(row[usize::from(token)]);
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
                    let cost = best[start].saturating_add(self.costs[usize::from(other)]);
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
    pub(super) model: ModelWriter,
}

/// Tails to learn a vocabulary from, at most.
const VOCABULARY_SAMPLE: usize = 40_000;
/// Tails to learn contexts from, at most.
const CONTEXT_SAMPLE: usize = 250_000;
/// A token seen less often in a group is coded by the escape and the last code.
const OWN_COUNT_MIN: u32 = 12;

impl TokenWriter {
    /// Learns tokens and their costs from a part of the tails, then cuts all of them. Returns
    /// the tokens of all tails, in order.
    pub(super) fn train(mut tails: Vec<Tail<'_>>, scale: usize) -> (TokenWriter, Vec<u16>) {
        let size = Size::of(tails.len());
        if scale == 0 {
            tails.iter_mut().for_each(|tail| tail.context %= SYMBOL_COUNT);
        }
        let sample = |limit: usize| -> Vec<Tail<'_>> {
            let step = tails.len().div_ceil(limit).max(1);
            tails.iter().step_by(step).copied().collect()
        };
        let tokens = vocabulary(&sample(VOCABULARY_SAMPLE), size.tokens);
        let mut parser = Parser::plain(&tokens);
        parser.scale = scale;
        let context_count = contexts::token(tokens.len() as u16, scale);
        let sample = sample(CONTEXT_SAMPLE);
        for _ in 0..2 {
            let (_, mut events) = cut(&parser, &sample);
            let contexts = Context::of_events(&mut events);
            let groups = Groups::of(&contexts, size.groups, tokens.len());
            parser.map = groups.map(&contexts, context_count);
            let costs: Vec<_> = groups.sums.iter().map(|sums| word_costs(sums)).collect();
            parser.set_costs(&costs);
        }
        let (path, events) = cut(&parser, &tails);
        let group_count = parser.costs.len() / parser.token_count;
        let mut counts = vec![vec![0u32; tokens.len() + 1]; group_count];
        for (context, token) in events {
            let group = parser.map.get(usize::from(context)).map_or(0, |&group| usize::from(group));
            counts[group][usize::from(token)] += 1;
        }
        let escape = tokens.len();
        if group_count > 1 {
            counts = with_escapes(counts, escape);
        }
        let model = ModelWriter::new(parser.map, &counts, 2);
        (TokenWriter { tokens, scale, model }, path)
    }

    /// Writes the word of a token in a context, or that of the escape and the last code's.
    pub(super) fn push(&self, context: usize, token: u16, bits: &mut BitWriter) {
        let code = self.model.code(context);
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
        Size { tokens: (8 * root).clamp(SYMBOL_COUNT, 6000), groups: (root / 10).clamp(1, 96) }
    }
}

/// The tokens of all tails, and each of them behind its context.
fn cut(parser: &Parser, tails: &[Tail<'_>]) -> (Vec<u16>, Vec<(u16, u16)>) {
    let mut path = Vec::new();
    let mut events = Vec::new();
    for tail in tails {
        let first = path.len();
        parser.parse(tail, &mut path);
        let mut context = tail.context;
        for &token in &path[first..] {
            events.push((context as u16, token));
            context = contexts::token(token, parser.scale);
        }
    }
    (path, events)
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
