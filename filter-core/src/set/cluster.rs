//! Groups contexts that behave alike and gives each group a prefix code.
//!
//! k-means on code length: a context belongs to the group whose code writes its symbols in
//! the fewest bits; a group's code follows from the symbols of its contexts. The number of
//! groups doubles as long as the words get shorter by more than the tables grow. Integers
//! only, so that every machine builds the same image.

use std::vec;
use std::vec::Vec;

use super::bits::WINDOW;
use super::model::{FAST_BITS, FAST_LEN, RecordParts, SLOW};

/// How often each context saw each symbol.
pub(super) struct Histogram {
    symbol_count: usize,
    counts: Vec<u32>,
}

impl Histogram {
    pub(super) fn new(context_count: usize, symbol_count: usize) -> Histogram {
        Histogram { symbol_count, counts: vec![0; context_count * symbol_count] }
    }

    pub(super) fn add(&mut self, context: usize, symbol: u16) {
        self.counts[context * self.symbol_count + usize::from(symbol)] += 1;
    }

    fn context_count(&self) -> usize {
        self.counts.len() / self.symbol_count.max(1)
    }

    fn row(&self, context: usize) -> &[u32] {
        &self.counts[context * self.symbol_count..][..self.symbol_count]
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &[u32]> {
        self.counts.chunks_exact(self.symbol_count)
    }

    /// The same events under contexts that know less: context `c` becomes `c % context_count`.
    pub(super) fn fold(&self, context_count: usize) -> Histogram {
        let mut folded = Histogram::new(context_count, self.symbol_count);
        for context in 0..self.context_count() {
            let row = &mut folded.counts[context % context_count * self.symbol_count..];
            for (sum, count) in row.iter_mut().zip(self.row(context)) {
                *sum += count;
            }
        }
        folded
    }
}

/// The most groups: a group's number fits an octet.
const GROUPS_MAX: usize = 256;
/// Rounds of k-means for each number of groups.
const ROUNDS: usize = 5;

/// A model being written: codes, and which context uses which.
pub(super) struct ModelWriter {
    /// Code of each context; empty when there is one code.
    map: Vec<u8>,
    /// For each code, for each symbol: its word and the word's length.
    words: Vec<Vec<(u16, u8)>>,
    /// For each code, the symbols by rank.
    ranked: Vec<Vec<u16>>,
    /// Bits of all words and tables.
    cost: u64,
}

impl ModelWriter {
    /// Finds the grouping that costs least, tables included.
    pub(super) fn train(histogram: &Histogram) -> ModelWriter {
        let contexts: Vec<Context> = (0..histogram.context_count())
            .map(|number| Context::new(number, histogram.row(number)))
            .filter(|context| context.total > 0)
            .collect();
        let mut best = ModelWriter::grouped(histogram, &contexts, 1);
        let mut groups = 2;
        while groups <= GROUPS_MAX && groups <= contexts.len() {
            let next = ModelWriter::grouped(histogram, &contexts, groups);
            if next.cost > best.cost {
                break;
            }
            best = next;
            groups *= 2;
        }
        best
    }

    pub(super) fn cost(&self) -> u64 {
        self.cost
    }

    /// The word of a symbol the histogram saw in this context.
    pub(super) fn word(&self, context: usize, symbol: u16) -> (u32, u32) {
        let code = self.map.get(context).map_or(0, |&code| usize::from(code));
        let (word, length) = self.words[code][usize::from(symbol)];
        (u32::from(word), u32::from(length))
    }

    /// The header [`ModelLayout::read`](super::model::ModelLayout::read) reads.
    pub(super) fn write_header(&self, out: &mut Vec<u8>) {
        out.extend((self.map.len() as u16).to_le_bytes());
        out.extend((self.words.len() as u16).to_le_bytes());
        out.extend((self.rank_count() as u16).to_le_bytes());
        out.push(self.longest() as u8);
        out.push(self.width() as u8);
    }

    /// The tables, as the [`model`](super::model) lays them out.
    pub(super) fn write_tables(&self, out: &mut Vec<u8>) {
        out.extend(&self.map);
        let (longest, width, parts) = (self.longest(), self.width(), self.parts());
        for (words, ranked) in self.words.iter().zip(&self.ranked) {
            if parts.fast_len > 0 {
                out.extend(fast_table(words, ranked).as_flattened());
            }
            for length in longest + 1 - parts.long_count as u32..=longest {
                out.extend(long_entry(words, ranked, length).as_flattened());
            }
            for rank in 0..self.rank_count() {
                let symbol = ranked.get(rank).copied().unwrap_or(0);
                out.extend(&symbol.to_le_bytes()[..width]);
            }
        }
    }

    fn grouped(histogram: &Histogram, contexts: &[Context], groups: usize) -> ModelWriter {
        let symbol_count = histogram.symbol_count;
        let mut centers = seeds(contexts, groups, symbol_count);
        let mut assigned = vec![0u8; contexts.len()];
        if groups > 1 {
            for _ in 0..ROUNDS {
                let costs: Vec<Vec<u32>> =
                    centers.iter().map(|center| word_costs(center)).collect();
                let mut sums = vec![vec![0u32; symbol_count]; groups];
                for (context, group) in contexts.iter().zip(&mut assigned) {
                    *group = context.cheapest(&costs);
                    context.add_to(&mut sums[usize::from(*group)]);
                }
                centers = sums;
            }
        }
        let mut map = vec![0u8; if groups > 1 { histogram.context_count() } else { 0 }];
        let mut numbers = vec![None; groups];
        let mut used = Vec::new();
        for (context, &group) in contexts.iter().zip(&assigned) {
            let number = *numbers[usize::from(group)].get_or_insert_with(|| {
                used.push(usize::from(group));
                (used.len() - 1) as u8
            });
            if let Some(slot) = map.get_mut(context.number) {
                *slot = number;
            }
        }
        if used.is_empty() {
            used.push(0);
        }
        let counts: Vec<&Vec<u32>> = used.iter().map(|&group| &centers[group]).collect();
        if counts.len() == 1 {
            map.clear();
        }
        let (words, ranked): (Vec<_>, Vec<_>) =
            counts.iter().map(|counts| canonical(counts)).unzip();
        let mut writer = ModelWriter { map, words, ranked, cost: 0 };
        let payload: u64 = counts
            .iter()
            .zip(&writer.words)
            .flat_map(|(counts, words)| counts.iter().zip(words))
            .map(|(&count, &(_, length))| u64::from(count) * u64::from(length))
            .sum();
        let tables = writer.map.len() + writer.words.len() * writer.parts().stride();
        writer.cost = payload + 8 * tables as u64;
        writer
    }

    fn parts(&self) -> RecordParts {
        RecordParts::new(self.longest(), self.rank_count(), self.width())
    }

    fn rank_count(&self) -> usize {
        self.ranked.iter().map(Vec::len).max().unwrap_or(0)
    }

    fn longest(&self) -> u32 {
        let lengths = self.words.iter().flatten().map(|&(_, length)| u32::from(length));
        lengths.max().unwrap_or(0)
    }

    fn width(&self) -> usize {
        let highest = self.ranked.iter().flatten().max().copied().unwrap_or(0);
        if highest > u16::from(u8::MAX) { 2 } else { 1 }
    }
}

/// Symbol and length for each value of the next bits, where the word is short.
fn fast_table(words: &[(u16, u8)], ranked: &[u16]) -> [[u8; 2]; FAST_LEN / 2] {
    let mut table = [SLOW.to_le_bytes(); FAST_LEN / 2];
    for &symbol in ranked {
        let (word, length) = words[usize::from(symbol)];
        if let Some(free) = FAST_BITS.checked_sub(u32::from(length)) {
            let first = usize::from(word) << free;
            let entry = symbol << 4 | u16::from(length);
            table[first..first + (1 << free)].fill(entry.to_le_bytes());
        }
    }
    table
}

/// Where words of this length end, and how to get from one to its rank.
fn long_entry(words: &[(u16, u8)], ranked: &[u16], length: u32) -> [[u8; 2]; 2] {
    let length_of = |rank: usize| u32::from(words[usize::from(ranked[rank])].1);
    let window =
        |rank: usize| u32::from(words[usize::from(ranked[rank])].0) << (WINDOW - length_of(rank));
    // Ranks are sorted by length.
    let first = ranked.partition_point(|&s| u32::from(words[usize::from(s)].1) < length);
    let behind = ranked.partition_point(|&s| u32::from(words[usize::from(s)].1) <= length);
    let limit = if behind < ranked.len() { window(behind) } else { 1 << WINDOW };
    let offset = match first < behind {
        true => (window(first) >> (WINDOW - length)).wrapping_sub(first as u32),
        false => 0,
    };
    [(limit as u16).to_le_bytes(), (offset as u16).to_le_bytes()]
}

/// The symbols one context saw, without those it did not.
struct Context {
    number: usize,
    total: u64,
    seen: Vec<(u16, u32)>,
}

impl Context {
    fn new(number: usize, row: &[u32]) -> Context {
        let seen: Vec<(u16, u32)> = row
            .iter()
            .enumerate()
            .filter(|&(_, &count)| count > 0)
            .map(|(symbol, &count)| (symbol as u16, count))
            .collect();
        Context { number, total: seen.iter().map(|&(_, count)| u64::from(count)).sum(), seen }
    }

    fn cheapest(&self, costs: &[Vec<u32>]) -> u8 {
        let cost = |costs: &Vec<u32>| -> u64 {
            self.seen
                .iter()
                .map(|&(symbol, count)| u64::from(costs[usize::from(symbol)]) * u64::from(count))
                .sum()
        };
        let best = costs.iter().enumerate().min_by_key(|(_, costs)| cost(costs));
        best.map_or(0, |(group, _)| group as u8)
    }

    fn add_to(&self, sums: &mut [u32]) {
        for &(symbol, count) in &self.seen {
            sums[usize::from(symbol)] += count;
        }
    }
}

/// First centers: the busiest contexts, and for one group the sum of all.
fn seeds(contexts: &[Context], groups: usize, symbol_count: usize) -> Vec<Vec<u32>> {
    let mut sum = vec![0u32; symbol_count];
    if groups == 1 {
        contexts.iter().for_each(|context| context.add_to(&mut sum));
        return vec![sum];
    }
    let mut busiest: Vec<&Context> = contexts.iter().collect();
    busiest.sort_by_key(|context| (u64::MAX - context.total, context.number));
    let center = |context: &&Context| {
        let mut center = sum.clone();
        context.add_to(&mut center);
        center
    };
    busiest.iter().take(groups).map(center).collect()
}

/// What each symbol would cost, in 1/256 bit, smoothed so that no symbol is impossible.
fn word_costs(counts: &[u32]) -> Vec<u32> {
    const SCALE: u64 = 16;
    let total: u64 = counts.iter().map(|&count| u64::from(count) * SCALE + 1).sum();
    let whole = log2_256(total);
    counts.iter().map(|&count| whole - log2_256(u64::from(count) * SCALE + 1)).collect()
}

/// log2 in 1/256, rounded down; by repeated squaring, so that it is the same everywhere.
fn log2_256(value: u64) -> u32 {
    let whole = value.ilog2();
    // In [1, 2) with 31 fractional bits.
    let mut rest = if whole > 31 { value >> (whole - 31) } else { value << (31 - whole) };
    let mut log = whole;
    for _ in 0..8 {
        rest = (rest * rest) >> 31;
        log <<= 1;
        if rest >= 1 << 32 {
            rest >>= 1;
            log |= 1;
        }
    }
    log
}

/// Words by symbol and symbols by rank of the canonical Huffman code for these counts.
fn canonical(counts: &[u32]) -> (Vec<(u16, u8)>, Vec<u16>) {
    let lengths = word_lengths(counts);
    let mut ranked: Vec<u16> =
        (0..counts.len() as u16).filter(|&s| counts[usize::from(s)] > 0).collect();
    ranked.sort_by_key(|&symbol| (lengths[usize::from(symbol)], symbol));
    let mut words = vec![(0, 0); counts.len()];
    let (mut word, mut last) = (0u32, 0u8);
    for &symbol in &ranked {
        let length = lengths[usize::from(symbol)];
        word <<= length - last;
        last = length;
        words[usize::from(symbol)] = (word as u16, length);
        word += 1;
    }
    (words, ranked)
}

/// Huffman's word lengths. Where one is longer than a window, counts are flattened and the
/// tree is built again: at most a few rounds, for counts end up all alike.
fn word_lengths(counts: &[u32]) -> Vec<u8> {
    let mut weights: Vec<u64> = counts.iter().map(|&count| u64::from(count)).collect();
    loop {
        let lengths = huffman(&weights);
        if lengths.iter().all(|&length| u32::from(length) <= WINDOW) {
            return lengths;
        }
        for weight in weights.iter_mut().filter(|weight| **weight > 0) {
            *weight = *weight / 4 + 1;
        }
    }
}

fn huffman(weights: &[u64]) -> Vec<u8> {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    let mut heap: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
    let mut parents: Vec<usize> = vec![usize::MAX; weights.len()];
    for (symbol, &weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0) {
        heap.push(Reverse((weight, symbol)));
    }
    while heap.len() > 1 {
        let Some(Reverse((light, a))) = heap.pop() else { break };
        let Some(Reverse((heavy, b))) = heap.pop() else { break };
        let node = parents.len();
        parents.push(usize::MAX);
        (parents[a], parents[b]) = (node, node);
        heap.push(Reverse((light + heavy, node)));
    }
    // A parent is made after its children, so depths are known from the top down.
    let mut depths = vec![0u8; parents.len()];
    for node in (0..parents.len()).rev() {
        if parents[node] != usize::MAX {
            depths[node] = depths[parents[node]].saturating_add(1);
        }
    }
    depths.truncate(weights.len());
    depths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::octets::Octets;
    use crate::set::bits::{BitWriter, Bits, PADDING};
    use crate::set::model::ModelLayout;

    fn round_trip(symbol_count: usize, events: &[(usize, u16)], context_count: usize) {
        let mut histogram = Histogram::new(context_count, symbol_count);
        events.iter().for_each(|&(context, symbol)| histogram.add(context, symbol));
        let writer = ModelWriter::train(&histogram);
        let mut section = Vec::new();
        writer.write_header(&mut section);
        let tables = section.len();
        writer.write_tables(&mut section);
        let mut bits = BitWriter::default();
        for &(context, symbol) in events {
            let (word, length) = writer.word(context, symbol);
            bits.push(word, length);
        }
        let mut payload = bits.align().to_vec();
        payload.extend([0; PADDING]);
        let (layout, end) = ModelLayout::read(&mut Octets::new(&section), tables).unwrap();
        assert_eq!(end, section.len());
        let model = layout.view(&section).unwrap();
        let mut bits = Bits::new(&payload, 0);
        for &(context, symbol) in events {
            assert_eq!(model.decode(context, &mut bits), Some(symbol));
        }
    }

    #[test]
    fn what_is_written_is_read() {
        round_trip(3, &[(0, 2); 5], 1);
        let skewed: Vec<_> = (0..40u16).flat_map(|s| vec![(0, s); 1 << (s / 2)]).collect();
        round_trip(40, &skewed, 1);
        let flat: Vec<_> = (0..1000u16).map(|symbol| (usize::from(symbol) % 7, symbol)).collect();
        round_trip(1000, &flat, 7);
        let split: Vec<_> = (0..4000).map(|n| (n % 2, (n % 2 * 20 + n / 2 % 16) as u16)).collect();
        round_trip(40, &split, 2);
    }

    #[test]
    fn logarithms_are_those_of_mathematics() {
        for value in [1u64, 2, 3, 10, 1000, 65_537, 1 << 40, u64::from(u32::MAX) * 999] {
            let exact = (value as f64).log2() * 256.0;
            assert!((f64::from(log2_256(value)) - exact).abs() < 1.01, "{value}");
        }
    }
}
