//! Chooses the tokens of a vocabulary from a sample of tails.
//!
//! Byte-pair encoding (Gage, 1994) proposes more than there is room for: it joins the most
//! frequent pair of neighbors, again and again. Then the sample is parsed at the least cost, and
//! the tokens without which that would cost least are dropped (Kudo, *Subword regularization*,
//! 2018), in a few rounds. All ties are broken by symbols, so equal samples give equal tokens.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::vec;
use std::vec::Vec;

use hashbrown::HashMap;

use super::cluster::word_costs;
use super::key::{END, SYMBOL_COUNT};
use super::parse::{Parser, Tail};
use super::vocabulary::TOKEN_LEN_MAX;

/// Proposals for each token kept.
const PROPOSALS: usize = 3;
/// Rounds of dropping.
const ROUNDS: usize = 3;

/// The tokens for these tails: every single symbol, and strings up to `count` in all. Shortest
/// first, so that the first [`SYMBOL_COUNT`] are the symbols themselves.
pub(super) fn vocabulary(tails: &[Tail<'_>], count: usize) -> Vec<Vec<u8>> {
    let mut tokens = proposals(tails, count * PROPOSALS);
    for round in 1..=ROUNDS {
        if tokens.len() <= count {
            break;
        }
        let surplus = tokens.len() - count;
        let kept = count + surplus * (ROUNDS - round) / (2 * ROUNDS);
        tokens = most_useful(tokens, tails, kept);
    }
    tokens.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    tokens
}

/// The single symbols, then what byte-pair encoding joins.
fn proposals(tails: &[Tail<'_>], count: usize) -> Vec<Vec<u8>> {
    let mut tokens: Vec<Vec<u8>> = (0..SYMBOL_COUNT as u8).map(|symbol| vec![symbol]).collect();
    let mut pairs = Pairs::new(tails);
    while tokens.len() < count {
        let Some((left, right)) = pairs.most_frequent() else { break };
        let mut joined = tokens[usize::from(left)].clone();
        joined.extend_from_slice(&tokens[usize::from(right)]);
        if joined.len() > TOKEN_LEN_MAX {
            pairs.counts.remove(&(left, right));
            continue;
        }
        pairs.join((left, right), tokens.len() as u16);
        tokens.push(joined);
    }
    // Two ways to one string make one token.
    let mut known = hashbrown::HashSet::new();
    tokens.retain(|token| known.insert(token.clone()));
    tokens
}

/// Two neighbors in a sequence of tokens.
type Pair = (u16, u16);

/// Sequences of tokens, in which pairs of neighbors are joined.
struct Pairs {
    /// All sequences one behind the other, each closed by [`Pairs::BREAK`].
    tokens: Vec<u16>,
    /// Where the next token of a sequence stands, and the one before.
    next: Vec<u32>,
    before: Vec<u32>,
    counts: HashMap<Pair, u32>,
    /// Where a pair was seen; it may have gone since.
    places: HashMap<Pair, Vec<u32>>,
    /// Pairs by a count they once had, the most frequent and then the lowest first.
    queue: BinaryHeap<(u32, Reverse<Pair>)>,
}

impl Pairs {
    /// Between sequences, and where a token was joined to the one before.
    const BREAK: u16 = u16::MAX;
    /// A pair seen less often is not worth a token.
    const COUNT_MIN: u32 = 3;

    fn new(tails: &[Tail<'_>]) -> Pairs {
        let mut tokens = vec![Pairs::BREAK];
        for tail in tails {
            tokens.extend(tail.symbols.iter().map(|&symbol| u16::from(symbol)));
            tokens.extend([u16::from(END), Pairs::BREAK]);
        }
        let next = (1..=tokens.len() as u32).collect();
        let before = (0..tokens.len() as u32).map(|at| at.saturating_sub(1)).collect();
        let (counts, places) = (HashMap::new(), HashMap::new());
        let mut pairs = Pairs { tokens, next, before, counts, places, queue: BinaryHeap::new() };
        for at in 0..pairs.tokens.len() - 1 {
            pairs.count(at as u32, (pairs.tokens[at], pairs.tokens[at + 1]));
        }
        let seen = pairs.counts.iter().map(|(&pair, &count)| (count, Reverse(pair)));
        pairs.queue = seen.collect();
        pairs
    }

    fn count(&mut self, at: u32, pair: Pair) {
        if pair.0 != Pairs::BREAK && pair.1 != Pairs::BREAK {
            *self.counts.entry(pair).or_default() += 1;
            self.places.entry(pair).or_default().push(at);
        }
    }

    fn uncount(&mut self, pair: Pair) {
        if let Some(count) = self.counts.get_mut(&pair) {
            *count = count.saturating_sub(1);
        }
    }

    fn most_frequent(&mut self) -> Option<Pair> {
        // Ends because an outdated count is replaced by a lower one.
        loop {
            let (count, Reverse(pair)) = self.queue.pop()?;
            let current = self.counts.get(&pair).copied().unwrap_or(0);
            if current == count {
                return (count >= Pairs::COUNT_MIN).then_some(pair);
            }
            if current > 0 && current < count {
                self.queue.push((current, Reverse(pair)));
            }
        }
    }

    /// Replaces the pair by one token, wherever it stands.
    fn join(&mut self, pair: Pair, token: u16) {
        let mut seen = Vec::new();
        for at in self.places.remove(&pair).unwrap_or_default() {
            let right = self.next[at as usize];
            if self.tokens[at as usize] != pair.0 || self.tokens[right as usize] != pair.1 {
                continue;
            }
            let (left, behind) = (self.before[at as usize], self.next[right as usize]);
            let near = self.tokens[left as usize];
            let far = self.tokens[behind as usize];
            self.uncount((near, pair.0));
            self.uncount((pair.1, far));
            self.tokens[at as usize] = token;
            self.tokens[right as usize] = Pairs::BREAK;
            self.next[at as usize] = behind;
            self.before[behind as usize] = at;
            self.count(left, (near, token));
            self.count(at, (token, far));
            seen.extend([(near, token), (token, far)]);
        }
        self.counts.remove(&pair);
        seen.sort_unstable();
        seen.dedup();
        for pair in seen {
            if let Some(&count) = self.counts.get(&pair) {
                self.queue.push((count, Reverse(pair)));
            }
        }
    }
}

/// The `kept` tokens without which the tails would cost most more; single symbols stay.
fn most_useful(tokens: Vec<Vec<u8>>, tails: &[Tail<'_>], kept: usize) -> Vec<Vec<u8>> {
    let mut parser = Parser::plain(&tokens);
    let mut counts = vec![0u32; tokens.len()];
    let (mut path, mut best) = (Vec::new(), Vec::new());
    // The first round knows only that all tokens cost alike.
    for _ in 0..2 {
        counts.fill(0);
        for tail in tails {
            path.clear();
            parser.parse(tail, 0, &mut best, &mut path);
            path.iter().for_each(|&token| counts[usize::from(token)] += 1);
        }
        parser.set_costs(&[word_costs(&counts)]);
    }
    let costs = word_costs(&counts);
    let mut ranked: Vec<(u64, usize)> = (0..tokens.len())
        .map(|token| {
            let saved = match tokens[token].len() {
                1 => u64::MAX,
                _ => {
                    let otherwise = parser.cost_without(&tokens[token], token as u16);
                    u64::from(otherwise.saturating_sub(costs[token])) * u64::from(counts[token])
                }
            };
            (saved, token)
        })
        .collect();
    ranked.sort_by_key(|&(saved, token)| (Reverse(saved), token));
    ranked.truncate(kept.max(SYMBOL_COUNT));
    ranked.sort_by_key(|&(_, token)| token);
    let mut tokens = tokens;
    ranked.into_iter().map(|(_, token)| std::mem::take(&mut tokens[token])).collect()
}
