//! Groups contexts that behave alike and gives each group a prefix code.
//!
//! k-means on code length: a context belongs to the group whose code writes its symbols in
//! the fewest bits; a group's code follows from the symbols of its contexts. Costs are integers
//! and their sums exact in `f32` or rounded as IEEE 754 says, in a fixed order, so that every
//! machine builds the same image.

use std::vec;
use std::vec::Vec;

use super::bits::WINDOW;
use super::model::{FIRST_BITS, FIRST_LEN, HEAD_LEN};

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

    pub(super) fn rows(&self) -> impl Iterator<Item = &[u32]> {
        self.counts.chunks_exact(self.symbol_count)
    }

    /// The same events under contexts that know less: context `c` becomes `c % context_count`.
    pub(super) fn fold(&self, context_count: usize) -> Histogram {
        let mut folded = Histogram::new(context_count, self.symbol_count);
        for (context, row) in self.rows().enumerate() {
            let sums = &mut folded.counts[context % context_count * self.symbol_count..];
            for (sum, count) in sums.iter_mut().zip(row) {
                *sum += count;
            }
        }
        folded
    }
}

/// The symbols one context saw, without those it did not.
pub(super) struct Context {
    number: usize,
    total: u64,
    seen: Vec<(u16, u32)>,
}

impl Context {
    fn new(number: usize, seen: Vec<(u16, u32)>) -> Context {
        Context { number, total: seen.iter().map(|&(_, count)| u64::from(count)).sum(), seen }
    }

    /// The contexts of a histogram that saw anything.
    fn all(histogram: &Histogram) -> Vec<Context> {
        let seen = |row: &[u32]| -> Vec<(u16, u32)> {
            let counted = row.iter().enumerate().filter(|&(_, &count)| count > 0);
            counted.map(|(symbol, &count)| (symbol as u16, count)).collect()
        };
        let rows = histogram.rows().enumerate();
        let contexts = rows.map(|(number, row)| Context::new(number, seen(row)));
        contexts.filter(|context| context.total > 0).collect()
    }

    /// The contexts of events, each a context and the symbol it saw. Sorts the events.
    pub(super) fn of_events(events: &mut [(u16, u16)]) -> Vec<Context> {
        events.sort_unstable();
        let by_context = events.chunk_by(|a, b| a.0 == b.0);
        by_context
            .map(|events| {
                let seen = events.chunk_by(|a, b| a == b);
                let seen = seen.map(|alike| (alike[0].1, alike.len() as u32)).collect();
                Context::new(usize::from(events[0].0), seen)
            })
            .collect()
    }

    fn add_to(&self, sums: &mut [u32]) {
        for &(symbol, count) in &self.seen {
            sums[usize::from(symbol)] += count;
        }
    }
}

/// Rounds of k-means for each number of groups.
const ROUNDS: usize = 5;

/// Which group each context belongs to, and what each group saw.
pub(super) struct Groups {
    assigned: Vec<u8>,
    pub(super) sums: Vec<Vec<u32>>,
}

impl Groups {
    /// Divides contexts into so many groups, at most 255.
    pub(super) fn of(contexts: &[Context], count: usize, symbol_count: usize) -> Groups {
        let count = count.min(contexts.len()).max(1);
        let mut total = vec![0u32; symbol_count];
        contexts.iter().for_each(|context| context.add_to(&mut total));
        let mut groups = Groups { assigned: vec![0u8; contexts.len()], sums: vec![total] };
        if count == 1 {
            return groups;
        }
        // The first centers: the busiest contexts, each with a little of everything.
        let mut busiest: Vec<&Context> = contexts.iter().collect();
        busiest.sort_by_key(|context| (u64::MAX - context.total, context.number));
        let center = |context: &&Context| {
            let mut center: Vec<u32> = groups.sums[0].iter().map(|&sum| sum / 64 + 1).collect();
            context.add_to(&mut center);
            center
        };
        groups.sums = busiest.iter().take(count).map(center).collect();
        for _ in 0..ROUNDS {
            let costs = CostTable::new(&groups.sums, symbol_count);
            let mut sums = vec![vec![0u32; symbol_count]; count];
            for (context, group) in contexts.iter().zip(&mut groups.assigned) {
                *group = costs.cheapest(context);
                context.add_to(&mut sums[usize::from(*group)]);
            }
            groups.sums = sums;
        }
        groups.drop_empty();
        groups
    }

    /// Numbers the groups without gaps.
    fn drop_empty(&mut self) {
        let mut numbers = vec![0u8; self.sums.len()];
        let mut kept = Vec::new();
        for (group, sums) in std::mem::take(&mut self.sums).into_iter().enumerate() {
            if sums.iter().any(|&count| count > 0) {
                numbers[group] = kept.len() as u8;
                kept.push(sums);
            }
        }
        self.sums = kept;
        self.assigned.iter_mut().for_each(|group| *group = numbers[usize::from(*group)]);
    }

    /// The group of every context, also of those that saw nothing; empty for a single group.
    pub(super) fn map(&self, contexts: &[Context], context_count: usize) -> Vec<u8> {
        let mut map = vec![0u8; if self.sums.len() > 1 { context_count } else { 0 }];
        for (context, &group) in contexts.iter().zip(&self.assigned) {
            if let Some(slot) = map.get_mut(context.number) {
                *slot = group;
            }
        }
        map
    }
}

/// What each symbol costs in each group: the groups of one symbol side by side.
struct CostTable {
    group_count: usize,
    costs: Vec<f32>,
}

impl CostTable {
    fn new(sums: &[Vec<u32>], symbol_count: usize) -> CostTable {
        let group_count = sums.len();
        let mut costs = vec![0f32; group_count * symbol_count];
        for (group, sums) in sums.iter().enumerate() {
            for (symbol, cost) in word_costs(sums).into_iter().enumerate() {
                costs[symbol * group_count + group] = cost as f32;
            }
        }
        CostTable { group_count, costs }
    }

    fn cheapest(&self, context: &Context) -> u8 {
        let mut sums = [0f32; 256];
        let sums = &mut sums[..self.group_count];
        for &(symbol, count) in &context.seen {
            let costs = &self.costs[usize::from(symbol) * self.group_count..][..self.group_count];
            for (sum, cost) in sums.iter_mut().zip(costs) {
                *sum += count as f32 * cost;
            }
        }
        let best = sums.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
        best.map_or(0, |(group, _)| group as u8)
    }
}

/// A model being written: codes, and which context uses which.
pub(super) struct ModelWriter {
    /// Code of each context; empty when there is one code.
    map: Vec<u8>,
    codes: Vec<Code>,
    /// Octets by symbol.
    width: usize,
}

impl ModelWriter {
    /// Finds the grouping that costs least, tables included.
    pub(super) fn train(histogram: &Histogram, width: usize) -> ModelWriter {
        let contexts = Context::all(histogram);
        let context_count = histogram.context_count();
        let grouped = |count: usize| {
            let groups = Groups::of(&contexts, count, histogram.symbol_count);
            let map = groups.map(&contexts, context_count);
            let model = ModelWriter::new(map, &groups.sums, width);
            let payload = groups.sums.iter().zip(&model.codes).map(|(sums, code)| code.cost(sums));
            let cost = payload.sum::<u64>() + 8 * model.tables_len() as u64;
            (model, cost)
        };
        let mut best = grouped(1);
        let mut count = 2;
        while count < 256 && count <= contexts.len() {
            let next = grouped(count);
            if next.1 > best.1 {
                break;
            }
            best = next;
            count *= 2;
        }
        best.0
    }

    /// A code for each group of counts.
    pub(super) fn new(map: Vec<u8>, counts: &[Vec<u32>], width: usize) -> ModelWriter {
        ModelWriter { map, codes: counts.iter().map(|counts| Code::new(counts)).collect(), width }
    }

    /// The number of the code that a context uses.
    pub(super) fn code(&self, context: usize) -> usize {
        self.map.get(context).map_or(0, |&code| usize::from(code))
    }

    /// Word and length of a symbol in a code, if it has one there.
    pub(super) fn word(&self, code: usize, symbol: u16) -> Option<(u32, u32)> {
        let (word, length) = *self.codes[code].words.get(usize::from(symbol))?;
        (length != NO_WORD).then_some((u32::from(word), u32::from(length)))
    }

    /// How many codes there are.
    pub(super) fn code_count(&self) -> usize {
        self.codes.len()
    }

    /// The header [`ModelLayout::read`](super::model::ModelLayout::read) reads.
    pub(super) fn write_header(&self, out: &mut Vec<u8>) {
        let records_len: usize = self.codes.iter().map(|code| code.record_len(self.width)).sum();
        out.extend((self.map.len() as u16).to_le_bytes());
        out.extend((self.codes.len() as u16).to_le_bytes());
        out.extend((records_len as u32).to_le_bytes());
    }

    /// The tables, as the [`model`](super::model) lays them out.
    pub(super) fn write_tables(&self, out: &mut Vec<u8>) {
        out.extend(&self.map);
        let mut start = 0;
        for code in &self.codes {
            out.extend((start as u32).to_le_bytes());
            start += code.record_len(self.width);
        }
        self.codes.iter().for_each(|code| code.write(self.width, out));
    }

    /// Octets of the tables.
    fn tables_len(&self) -> usize {
        let records = self.codes.iter().map(|code| 4 + code.record_len(self.width));
        self.map.len() + records.sum::<usize>()
    }
}

/// The length of a word that is not there.
const NO_WORD: u8 = u8::MAX;

/// A canonical prefix code.
struct Code {
    /// Word and its length, by symbol; [`NO_WORD`] for symbols that were not counted.
    words: Vec<(u16, u8)>,
    /// Symbols by rank: shorter words first, then smaller symbols.
    ranked: Vec<u16>,
}

impl Code {
    /// Huffman's code for these counts.
    fn new(counts: &[u32]) -> Code {
        let lengths = word_lengths(counts);
        let mut ranked: Vec<u16> =
            (0..counts.len() as u16).filter(|&s| counts[usize::from(s)] > 0).collect();
        ranked.sort_by_key(|&symbol| (lengths[usize::from(symbol)], symbol));
        let mut words = vec![(0, NO_WORD); counts.len()];
        let (mut word, mut last) = (0u32, 0u8);
        for &symbol in &ranked {
            let length = lengths[usize::from(symbol)];
            word <<= length - last;
            last = length;
            words[usize::from(symbol)] = (word as u16, length);
            word += 1;
        }
        Code { words, ranked }
    }

    /// Bits of these symbols.
    fn cost(&self, counts: &[u32]) -> u64 {
        let words = counts.iter().zip(&self.words);
        let seen = words.filter(|(count, _)| **count > 0);
        seen.map(|(&count, &(_, length))| u64::from(count) * u64::from(length)).sum()
    }

    fn record_len(&self, width: usize) -> usize {
        HEAD_LEN + width * self.ranked.len()
    }

    fn write(&self, width: usize, out: &mut Vec<u8>) {
        let word = |rank: usize| self.words[usize::from(self.ranked[rank])];
        // For each length: where its words end, and how to get from one to its rank.
        let mut limits = [0u32; WINDOW as usize + 1];
        let mut offsets = [0u16; WINDOW as usize + 1];
        for (length, (limit, offset)) in (0u8..).zip(limits.iter_mut().zip(&mut offsets)) {
            let length_of = |symbol: &u16| self.words[usize::from(*symbol)].1;
            let first = self.ranked.partition_point(|symbol| length_of(symbol) < length);
            let behind = self.ranked.partition_point(|symbol| length_of(symbol) <= length);
            *limit = match self.ranked.get(behind) {
                Some(_) => u32::from(word(behind).0) << (WINDOW - u32::from(word(behind).1)),
                None => 1 << WINDOW,
            };
            if first < behind {
                *offset = word(first).0.wrapping_sub(first as u16);
            }
        }
        let mut firsts = [0u8; FIRST_LEN];
        for (prefix, first) in firsts.iter_mut().enumerate() {
            let window = (prefix as u32) << (WINDOW - FIRST_BITS);
            let known = limits.iter().position(|&limit| window < limit);
            *first = known.unwrap_or(WINDOW as usize) as u8;
        }
        out.extend(firsts);
        for (limit, offset) in limits.into_iter().zip(offsets) {
            out.extend((limit as u16).to_le_bytes());
            out.extend(offset.to_le_bytes());
        }
        for &symbol in &self.ranked {
            out.extend(&symbol.to_le_bytes()[..width]);
        }
    }
}

/// What each symbol would cost, in 1/256 bit, smoothed so that no symbol is impossible.
pub(super) fn word_costs(counts: &[u32]) -> Vec<u32> {
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
        let writer = ModelWriter::train(&histogram, 2);
        let mut section = Vec::new();
        writer.write_header(&mut section);
        let tables = section.len();
        writer.write_tables(&mut section);
        let mut bits = BitWriter::default();
        for &(context, symbol) in events {
            let (word, length) = writer.word(writer.code(context), symbol).unwrap();
            bits.push(word, length);
        }
        let mut payload = bits.align().to_vec();
        payload.extend([0; PADDING]);
        let (layout, end) = ModelLayout::read(&mut Octets::new(&section), tables).unwrap();
        assert_eq!(end, section.len());
        let model = layout.view::<2>(&section).unwrap();
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
