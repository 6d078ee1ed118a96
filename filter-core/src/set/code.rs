//! Prefix codes in which the first six bits of a word tell its length, and the models made of
//! them, as a writer sees them.
//!
//! A reader wants the length of a word without a search. So the 64 values of the first bits are
//! handed out: a word of up to six bits takes one, two, four … of them, all longer words that
//! begin with the same six bits are as long as each other, and there are as many of them as bits
//! behind those six can number. Among such codes the cheapest is found by dynamic programming;
//! it costs a little more than Huffman's, which knows no such bounds.

use std::vec;
use std::vec::Vec;

use super::bits::WINDOW;
use super::cluster::{Context, Groups, Histogram};
use super::model::{FIRST_BITS, FIRST_COUNT, HEAD_LEN, LENGTH_BITS, NARROW, SYMBOLS_MAX};

/// A model being written: codes, and which context uses which.
pub(super) struct ModelWriter {
    /// Code of each context; empty when there is one code.
    map: Vec<u8>,
    codes: Vec<Code>,
    /// Bits by symbol.
    width: u32,
}

impl ModelWriter {
    /// Finds the grouping that costs least, tables included.
    pub(super) fn train(histogram: &Histogram, width: u32) -> ModelWriter {
        let contexts = Context::all(histogram);
        let context_count = histogram.context_count();
        let grouped = |count: usize| {
            let groups = Groups::of(&contexts, count, histogram.symbol_count);
            let map = groups.map(&contexts, context_count);
            let model = ModelWriter::new(map, &groups.sums, width);
            let cost = model.cost(&groups.sums);
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
    pub(super) fn new(map: Vec<u8>, counts: &[Vec<u32>], width: u32) -> ModelWriter {
        ModelWriter { map, codes: counts.iter().map(|counts| Code::new(counts)).collect(), width }
    }

    /// Bits of what the codes were made for, and of the tables.
    pub(super) fn cost(&self, counts: &[Vec<u32>]) -> u64 {
        let payload = counts.iter().zip(&self.codes).map(|(counts, code)| code.cost(counts));
        payload.sum::<u64>() + 8 * self.tables_len() as u64
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

    /// Word and length of a symbol in a context; none of a symbol that it was not trained on.
    pub(super) fn word_in(&self, context: usize, symbol: u16) -> (u32, u32) {
        self.word(self.code(context), symbol).unwrap_or_default()
    }

    /// How many codes there are.
    pub(super) fn code_count(&self) -> usize {
        self.codes.len()
    }

    /// The header [`ModelLayout::read`](super::model::ModelLayout::read) reads.
    pub(super) fn write_header(&self, out: &mut Vec<u8>) {
        out.extend((self.map.len() as u16).to_le_bytes());
        out.extend((self.codes.len() as u16).to_le_bytes());
        out.extend((self.symbols_len() as u32).to_le_bytes());
    }

    /// The tables, as the [`model`](super::model) lays them out.
    pub(super) fn write_tables(&self, out: &mut Vec<u8>) {
        out.extend(&self.map);
        self.codes.iter().for_each(|code| code.write_head(out));
        let mut start = 0u32;
        for code in &self.codes {
            out.extend(start.to_le_bytes());
            start += code.ranked.len() as u32;
        }
        let symbols: Vec<u16> = self.codes.iter().flat_map(|code| &code.ranked).copied().collect();
        match self.width {
            NARROW => out.extend(symbols.iter().map(|&symbol| symbol as u8)),
            _ => {
                for pair in symbols.chunks(2) {
                    let both = u32::from(pair[0]) | u32::from(*pair.last().unwrap_or(&0)) << 12;
                    out.extend(&both.to_le_bytes()[..3]);
                }
            }
        }
    }

    /// Octets of the tables.
    fn tables_len(&self) -> usize {
        self.map.len() + self.codes.len() * (HEAD_LEN + 4) + self.symbols_len()
    }

    /// Octets of all symbols; an odd one of twelve bits takes two octets and half a pair.
    fn symbols_len(&self) -> usize {
        let count: usize = self.codes.iter().map(|code| code.ranked.len()).sum();
        if self.width == NARROW { count } else { 3 * count.div_ceil(2) }
    }
}

/// The length of a word that is not there.
const NO_WORD: u8 = u8::MAX;

/// A prefix code.
struct Code {
    /// Word and its length, by symbol; [`NO_WORD`] for symbols that were not counted.
    words: Vec<(u16, u8)>,
    /// Symbols by rank, in the order of their words.
    ranked: Vec<u16>,
    /// For each value of the first bits, the rank of the first word that begins so and the length
    /// of all that do.
    heads: [(u16, u8); FIRST_COUNT],
}

impl Code {
    /// The cheapest code for these counts, at most [`SYMBOLS_MAX`] of which are not zero.
    fn new(counts: &[u32]) -> Code {
        let mut ranked: Vec<u16> =
            (0..counts.len() as u16).filter(|&s| counts[usize::from(s)] > 0).collect();
        debug_assert!(ranked.len() <= SYMBOLS_MAX);
        ranked.sort_by_key(|&symbol| (u32::MAX - counts[usize::from(symbol)], symbol));
        let sorted: Vec<u32> = ranked.iter().map(|&symbol| counts[usize::from(symbol)]).collect();
        let mut words = vec![(0, NO_WORD); counts.len()];
        let mut heads = [(0, 0); FIRST_COUNT];
        // Where the next word begins, in words of the longest length there may be.
        let mut at = 0u32;
        for (rank, length) in word_lengths(&sorted).into_iter().enumerate() {
            let first = (at >> (WINDOW - FIRST_BITS)) as usize;
            if at.is_multiple_of(1 << (WINDOW - FIRST_BITS)) {
                let taken = 1 << FIRST_BITS.saturating_sub(u32::from(length));
                heads[first..first + taken].fill((rank as u16, length));
            }
            words[usize::from(ranked[rank])] =
                ((at >> (WINDOW - u32::from(length))) as u16, length);
            at += 1 << (WINDOW - u32::from(length));
        }
        Code { words, ranked, heads }
    }

    /// Bits of these symbols.
    fn cost(&self, counts: &[u32]) -> u64 {
        let words = counts.iter().zip(&self.words);
        let seen = words.filter(|(count, _)| **count > 0);
        seen.map(|(&count, &(_, length))| u64::from(count) * u64::from(length)).sum()
    }

    fn write_head(&self, out: &mut Vec<u8>) {
        let entries = self.heads.map(|(rank, length)| rank << LENGTH_BITS | u16::from(length));
        out.extend(entries.map(u16::to_le_bytes).as_flattened());
    }
}

/// The lengths of words for symbols that were seen so often, most frequent first: ascending, and
/// such that the first bits tell them.
fn word_lengths(counts: &[u32]) -> Vec<u8> {
    if counts.len() <= 1 {
        return vec![0; counts.len()];
    }
    // Near what information theory asks for there nearly always is a code.
    let lengths = Lengths::cheapest(counts, 2).or_else(|| Lengths::cheapest(counts, WINDOW));
    lengths.map_or_else(Vec::new, |lengths| lengths.expand(counts.len()))
}

/// The lengths handed out, each to one value of the first bits or to several: ascending.
struct Lengths(Vec<u8>);

impl Lengths {
    /// How many first values a length takes, and how many symbols it then serves.
    fn takes(length: u32) -> (usize, usize) {
        match length.checked_sub(FIRST_BITS) {
            None => (1 << (FIRST_BITS - length), 1),
            Some(further) => (1, 1 << further),
        }
    }

    /// Finds, for each number of first values taken and of symbols served, the cheapest way to
    /// get there; no word is longer or shorter by more than `slack` than its symbol's information.
    /// O([`FIRST_COUNT`] × symbols × slack).
    fn cheapest(counts: &[u32], slack: u32) -> Option<Lengths> {
        let len = counts.len();
        let mut sums = vec![0u64; len + 1];
        for (index, &count) in counts.iter().enumerate() {
            sums[index + 1] = sums[index] + u64::from(count);
        }
        let information = |count: u32| (sums[len] / u64::from(count.max(1))).max(1).ilog2();
        // Costs, and where from and by which length they were reached.
        let mut best = vec![(u64::MAX, 0u16, 0u8); (FIRST_COUNT + 1) * (len + 1)];
        let place = |taken: usize, served: usize| taken * (len + 1) + served;
        best[0].0 = 0;
        for taken in 0..FIRST_COUNT {
            for served in 0..len {
                let (cost, ..) = best[place(taken, served)];
                if cost == u64::MAX {
                    continue;
                }
                let ideal = information(counts[served]);
                let shortest = ideal.saturating_sub(slack).clamp(1, WINDOW);
                for length in shortest..=(ideal + slack + 1).min(WINDOW) {
                    let (values, symbols) = Lengths::takes(length);
                    let through = len.min(served + symbols);
                    if taken + values > FIRST_COUNT {
                        continue;
                    }
                    let cost = cost + u64::from(length) * (sums[through] - sums[served]);
                    let reached = &mut best[place(taken + values, through)];
                    if cost < reached.0 {
                        *reached = (cost, served as u16, length as u8);
                    }
                }
            }
        }
        let mut taken = (0..=FIRST_COUNT).min_by_key(|&taken| best[place(taken, len)].0)?;
        let mut served = len;
        let mut lengths = Vec::new();
        // Ends because every step has served a symbol.
        while served > 0 {
            let (cost, from, length) = best[place(taken, served)];
            if cost == u64::MAX {
                return None;
            }
            lengths.push(length);
            taken -= Lengths::takes(length.into()).0;
            served = usize::from(from);
        }
        // Where counts are alike the cheapest way may not be in order.
        lengths.sort_unstable();
        Some(Lengths(lengths))
    }

    /// The length of each of so many symbols.
    fn expand(&self, len: usize) -> Vec<u8> {
        let lengths = self.0.iter();
        let each = lengths
            .flat_map(|&length| std::iter::repeat_n(length, Lengths::takes(length.into()).1));
        each.take(len).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::octets::Octets;
    use crate::set::bits::{BitWriter, Bits, PADDING};
    use crate::set::model::{ModelLayout, WIDE};

    fn round_trip(symbol_count: usize, events: &[(usize, u16)], context_count: usize) {
        let mut histogram = Histogram::new(context_count, symbol_count);
        events.iter().for_each(|&(context, symbol)| histogram.add(context, symbol));
        let writer = ModelWriter::train(&histogram, WIDE);
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
        let model = layout.view::<WIDE>(&section).unwrap();
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
        let flat: Vec<_> = (0..4096u16).map(|symbol| (usize::from(symbol) % 7, symbol)).collect();
        round_trip(4096, &flat, 7);
        let split: Vec<_> = (0..4000).map(|n| (n % 2, (n % 2 * 20 + n / 2 % 16) as u16)).collect();
        round_trip(40, &split, 2);
    }

    #[test]
    fn words_cost_little_more_than_information() {
        for symbols in [2usize, 7, 40, 500, 4096] {
            let counts: Vec<u32> = (1..=symbols as u32).map(|rank| 1_000_000 / rank).collect();
            let total: f64 = counts.iter().map(|&count| f64::from(count)).sum();
            let bits = |&count: &u32| f64::from(count) * (total / f64::from(count)).log2();
            let information: f64 = counts.iter().map(bits).sum();
            let cost = Code::new(&counts).cost(&counts) as f64;
            assert!(cost < information * 1.03 + total * 0.1, "{symbols}: {}", cost / information);
        }
    }
}
