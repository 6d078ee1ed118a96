//! Groups contexts that behave alike.
//!
//! k-means on code length: a context belongs to the group whose code writes its symbols in
//! the fewest bits; a group's code follows from the symbols of its contexts. Costs are integers
//! and their sums exact in `f32` or rounded as IEEE 754 says, in a fixed order, so that every
//! machine builds the same image.

use std::vec;
use std::vec::Vec;

/// How often each context saw each symbol.
pub(super) struct Histogram {
    pub(super) symbol_count: usize,
    counts: Vec<u32>,
}

impl Histogram {
    pub(super) fn new(context_count: usize, symbol_count: usize) -> Histogram {
        Histogram { symbol_count, counts: vec![0; context_count * symbol_count] }
    }

    pub(super) fn add(&mut self, context: usize, symbol: u16) {
        self.counts[context * self.symbol_count + usize::from(symbol)] += 1;
    }

    pub(super) fn context_count(&self) -> usize {
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
    pub(super) fn all(histogram: &Histogram) -> Vec<Context> {
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

/// What each symbol would cost, in 1/256 bit, smoothed so that no symbol is impossible.
pub(super) fn word_costs(counts: &[u32]) -> Vec<u32> {
    const SCALE: u64 = 16;
    let total: u64 = counts.iter().map(|&count| u64::from(count) * SCALE + 1).sum();
    let whole = log2_256(total);
    counts.iter().map(|&count| whole - log2_256(u64::from(count) * SCALE + 1)).collect()
}

/// log2 in 1/256, rounded down; without floating point, so that it is the same everywhere.
fn log2_256(value: u64) -> u32 {
    let whole = value.ilog2();
    // The bits behind the first, as far as the table knows them.
    let rest = value << (63 - whole) << 1 >> (64 - LOG_BITS);
    256 * whole + u32::from(LOG[rest as usize])
}

/// How many bits of a number its logarithm is taken from.
const LOG_BITS: u32 = 10;

/// For each number from 1 up to 2, in steps of 1/1024, its log2 in 1/256.
static LOG: [u8; 1 << LOG_BITS] = {
    let mut table = [0; 1 << LOG_BITS];
    let mut index = 0;
    while index < table.len() {
        // In [1, 2) with 31 fractional bits; repeated squaring gives one bit after the other.
        let mut rest = (1u64 << 31) + ((index as u64) << (31 - LOG_BITS));
        let mut bit = 8;
        while bit > 0 {
            bit -= 1;
            rest = (rest * rest) >> 31;
            if rest >= 1 << 32 {
                rest >>= 1;
                table[index] |= 1 << bit;
            }
        }
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_those_of_mathematics() {
        for value in [1u64, 2, 3, 10, 1000, 65_537, 1 << 40, u64::from(u32::MAX) * 999] {
            let exact = (value as f64).log2() * 256.0;
            assert!((f64::from(log2_256(value)) - exact).abs() < 1.4, "{value}");
        }
    }
}
