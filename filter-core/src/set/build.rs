//! Writes a packed set: sorted keys and values in, section out.

use std::vec::Vec;

use super::bits::{BitWriter, PADDING};
use super::cluster::{Histogram, ModelWriter};
use super::contexts;
use super::key::{END, SYMBOL_COUNT};
use super::point::{PointModel, ROW_LEN};

/// How a set is cut into blocks: smaller ones are found faster, larger ones cost less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockShape {
    /// Names by sub-block, 1 to 255: how far a search decodes behind a restart.
    pub interval: u8,
    /// Sub-blocks by block, 1 to 255: how many restarts an entry of the index serves.
    pub sub_blocks: u8,
}

impl Default for BlockShape {
    /// 4 sub-blocks of 8 names: about 6 names are decoded to find one, and the index costs a
    /// quarter of an octet a name.
    fn default() -> BlockShape {
        BlockShape { interval: 8, sub_blocks: 4 }
    }
}

/// Collects sorted entries and packs them.
///
/// Heap: about 3 octets an entry and one for each of its symbols, then the section.
pub(crate) struct SetBuilder {
    shape: BlockShape,
    /// All keys, one behind the other.
    symbols: Vec<u8>,
    /// Length of each key.
    lengths: Vec<u8>,
    values: Vec<u16>,
}

/// Why a set cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetError {
    /// A key does not sort behind the one before.
    Order,
    /// Over 2^32 entries, or a payload over 4 GiB.
    Size,
}

impl SetBuilder {
    /// The most distinct values, all of which have a word of their own.
    pub(crate) const VALUES_MAX: usize = 1 << (super::bits::WINDOW - 1);

    pub(crate) fn new(shape: BlockShape) -> SetBuilder {
        SetBuilder { shape, symbols: Vec::new(), lengths: Vec::new(), values: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Adds an entry; `inherits` says that a parent of it is in the set and may decide.
    pub(crate) fn push(&mut self, key: &[u8], value: u16, inherits: bool) -> Result<(), SetError> {
        let last = usize::from(self.lengths.last().copied().unwrap_or(0));
        if key <= &self.symbols[self.symbols.len() - last..] {
            return Err(SetError::Order);
        }
        self.symbols.extend_from_slice(key);
        self.lengths.push(key.len() as u8);
        self.values.push(value << 1 | u16::from(inherits));
        Ok(())
    }

    /// How many entries have each value, by value.
    pub(crate) fn value_counts(&self, value_count: usize) -> Vec<u64> {
        let mut counts = std::vec![0; value_count];
        self.values.iter().for_each(|&value| counts[usize::from(value >> 1)] += 1);
        counts
    }

    /// Gives every value `v` the number `numbers[v]`: small numbers to frequent values.
    pub(crate) fn renumber(&mut self, numbers: &[u16]) {
        for value in &mut self.values {
            *value = numbers[usize::from(*value >> 1)] << 1 | *value & 1;
        }
    }

    /// Writes the section.
    pub(crate) fn finish(self) -> Result<Vec<u8>, SetError> {
        let entry_count = u32::try_from(self.len()).map_err(|_| SetError::Size)?;
        let models = Models::train(&self);
        let point_rows = point_rows(&models.statistics, self.len());
        let (payload, blocks) = write_blocks(&self, &models)?;

        let mut section = Vec::with_capacity(payload.len() + 8 * blocks.len() + (1 << 17));
        section.extend(entry_count.to_le_bytes());
        section.extend((blocks.len() as u32).to_le_bytes());
        section.extend([self.shape.interval, self.shape.sub_blocks, models.order]);
        section.push((point_rows.len() / ROW_LEN) as u8);
        for model in models.all() {
            model.write_header(&mut section);
        }
        section.extend(&point_rows);
        for model in models.all() {
            model.write_tables(&mut section);
        }
        let points = PointModel::new(&point_rows);
        for block in &blocks {
            section.extend(points.point(&self.symbols[block.key.clone()]).to_le_bytes());
        }
        for block in &blocks {
            let start = u32::try_from(block.start).map_err(|_| SetError::Size)?;
            section.extend(start.to_le_bytes());
        }
        section.extend(payload);
        section.extend([0; PADDING]);
        Ok(section)
    }

    /// The entries of each block, in order.
    fn blocks(&self) -> impl Iterator<Item = Vec<Entry<'_>>> {
        let size = usize::from(self.shape.interval) * usize::from(self.shape.sub_blocks);
        let mut at = 0;
        let mut first = 0;
        std::iter::from_fn(move || {
            let end = self.len().min(first + size);
            let entries: Vec<Entry<'_>> = (first..end)
                .map(|index| {
                    let start = at;
                    at += usize::from(self.lengths[index]);
                    Entry { key: &self.symbols[start..at], value: self.values[index] }
                })
                .collect();
            first = end;
            (!entries.is_empty()).then_some(entries)
        })
    }
}

#[derive(Clone, Copy)]
struct Entry<'a> {
    key: &'a [u8],
    value: u16,
}

/// Which model codes a symbol.
#[derive(Clone, Copy)]
enum Part {
    Shared,
    Fork,
    Tail,
    Value,
}

/// What begins in a block.
#[derive(Clone, Copy, PartialEq)]
enum Begin {
    First,
    Restart,
    SubBlock,
}

/// Receives a block piece by piece, symbol by symbol; one counts, the other writes.
trait Sink {
    fn begin(&mut self, piece: Begin);
    /// A symbol and its context; a tail's context is of order 3.
    fn symbol(&mut self, part: Part, context: usize, symbol: u16);
}

/// Hands a block to a sink.
fn send_block(entries: &[Entry<'_>], interval: usize, sink: &mut impl Sink) {
    sink.begin(Begin::First);
    send_tail(entries[0].key, 0, sink);
    sink.symbol(Part::Value, contexts::VALUE_FIRST, entries[0].value);
    for restart in (interval..entries.len()).step_by(interval) {
        sink.begin(Begin::Restart);
        let before = entries[restart - interval];
        send_next(before, entries[restart], contexts::SHARED_RESTART, sink);
    }
    for sub_block in entries.chunks(interval) {
        sink.begin(Begin::SubBlock);
        let mut shared_context = contexts::SHARED_ENTER;
        for pair in sub_block.windows(2) {
            shared_context = send_next(pair[0], pair[1], shared_context, sink);
        }
    }
}

/// Hands an entry to a sink, as the difference to the one before; returns the context of the
/// next shared length.
fn send_next(
    before: Entry<'_>,
    entry: Entry<'_>,
    shared_context: usize,
    sink: &mut impl Sink,
) -> usize {
    let shared = before.key.iter().zip(entry.key).take_while(|(a, b)| a == b).count();
    sink.symbol(Part::Shared, shared_context, shared as u16);
    let near = shared.checked_sub(1).map_or(END, |at| entry.key[at]);
    let replaced = before.key.get(shared).copied().unwrap_or(END);
    let fork = contexts::fork(usize::from(near), replaced);
    sink.symbol(Part::Fork, fork, u16::from(entry.key[shared]));
    send_tail(entry.key, shared + 1, sink);
    sink.symbol(Part::Value, contexts::value(before.value, shared as u8), entry.value);
    contexts::shared(shared as u8)
}

/// Hands the symbols from `from` to the end mark to a sink.
fn send_tail(key: &[u8], from: usize, sink: &mut impl Sink) {
    let before = |at: usize, distance: usize| {
        usize::from(at.checked_sub(distance).map_or(END, |index| key[index]))
    };
    for at in from..=key.len() {
        let far = before(at, 3) * SYMBOL_COUNT + before(at, 2);
        let context = far * SYMBOL_COUNT + before(at, 1);
        sink.symbol(Part::Tail, context, u16::from(key.get(at).copied().unwrap_or(END)));
    }
}

/// Counts symbols by context.
struct Counter {
    shared: Histogram,
    forks: Histogram,
    tails: Histogram,
    values: Histogram,
}

impl Sink for Counter {
    fn begin(&mut self, _piece: Begin) {}

    fn symbol(&mut self, part: Part, context: usize, symbol: u16) {
        match part {
            Part::Shared => self.shared.add(context, symbol),
            Part::Fork => self.forks.add(context, symbol),
            Part::Tail => self.tails.add(context, symbol),
            Part::Value => self.values.add(context, symbol),
        }
    }
}

/// The four models of a set.
struct Models {
    shared: ModelWriter,
    forks: ModelWriter,
    tails: ModelWriter,
    values: ModelWriter,
    /// Of the tail model.
    order: u8,
    tail_contexts: usize,
    /// Tail symbols under contexts of order 1.
    statistics: Histogram,
}

impl Models {
    fn train(set: &SetBuilder) -> Models {
        let value_count = set.values.iter().max().map_or(1, |&value| usize::from(value) + 1);
        let mut counter = Counter {
            shared: Histogram::new(contexts::SHARED_COUNT, 256),
            forks: Histogram::new(contexts::FORK_COUNT, SYMBOL_COUNT),
            tails: Histogram::new(SYMBOL_COUNT.pow(3), SYMBOL_COUNT),
            values: Histogram::new(contexts::VALUE_COUNT, value_count),
        };
        for entries in set.blocks() {
            send_block(&entries, usize::from(set.shape.interval), &mut counter);
        }
        let second = counter.tails.fold(SYMBOL_COUNT.pow(2));
        let first = second.fold(SYMBOL_COUNT);
        let candidates = [(1, &first), (2, &second), (3, &counter.tails)];
        let trained = candidates.map(|(order, histogram)| (order, ModelWriter::train(histogram)));
        let cheapest = trained.into_iter().min_by_key(|(_, model)| model.cost());
        let (order, tails) = cheapest.unwrap_or_else(|| (1, ModelWriter::train(&first)));
        Models {
            shared: ModelWriter::train(&counter.shared),
            forks: ModelWriter::train(&counter.forks),
            tails,
            values: ModelWriter::train(&counter.values),
            order: order as u8,
            tail_contexts: SYMBOL_COUNT.pow(order),
            statistics: first,
        }
    }

    fn all(&self) -> [&ModelWriter; 4] {
        [&self.shared, &self.forks, &self.tails, &self.values]
    }

    fn word(&self, part: Part, context: usize, symbol: u16) -> (u32, u32) {
        match part {
            Part::Shared => self.shared.word(context, symbol),
            Part::Fork => self.forks.word(context, symbol),
            Part::Tail => self.tails.word(context % self.tail_contexts, symbol),
            Part::Value => self.values.word(context, symbol),
        }
    }
}

/// The rows of the point model: what part of the symbols seen sorts before each. One row for
/// small sets, one for each symbol before otherwise; every symbol keeps some part.
fn point_rows(statistics: &Histogram, entry_count: usize) -> Vec<u8> {
    /// From here on, sharper points are worth forty rows.
    const SHARP_FROM: usize = 20_000;
    let folded = statistics.fold(1);
    let statistics = if entry_count < SHARP_FROM { &folded } else { statistics };
    let mut rows = Vec::new();
    for counts in statistics.rows() {
        let total: u64 = counts.iter().map(|&count| u64::from(count)).sum::<u64>().max(1);
        let spread = (1 << 16) - SYMBOL_COUNT as u64;
        let mut before = 0u64;
        for (symbol, &count) in counts.iter().enumerate() {
            let part = before * spread / total + symbol as u64;
            rows.extend((part as u16).to_le_bytes());
            before += u64::from(count);
        }
    }
    rows
}

/// Where a block begins in the payload, and its first key among the builder's symbols.
struct Block {
    start: usize,
    key: std::ops::Range<usize>,
}

/// Codes all blocks.
fn write_blocks(set: &SetBuilder, models: &Models) -> Result<(Vec<u8>, Vec<Block>), SetError> {
    let mut payload = Vec::new();
    let mut blocks = Vec::new();
    let mut key_start = 0;
    for entries in set.blocks() {
        let key = key_start..key_start + entries[0].key.len();
        key_start += entries.iter().map(|entry| entry.key.len()).sum::<usize>();
        blocks.push(Block { start: payload.len(), key });
        let mut pieces = Pieces { models, pieces: Vec::new() };
        send_block(&entries, usize::from(set.shape.interval), &mut pieces);
        let mut block = pieces.join().ok_or(SetError::Size)?;
        payload.extend_from_slice(block.align());
    }
    Ok((payload, blocks))
}

/// The pieces of a block, coded; their lengths are known before they are put together.
struct Pieces<'a> {
    models: &'a Models,
    pieces: Vec<(Begin, BitWriter)>,
}

impl Sink for Pieces<'_> {
    fn begin(&mut self, piece: Begin) {
        self.pieces.push((piece, BitWriter::default()));
    }

    fn symbol(&mut self, part: Part, context: usize, symbol: u16) {
        let (word, length) = self.models.word(part, context, symbol);
        if let Some((_, bits)) = self.pieces.last_mut() {
            bits.push(word, length);
        }
    }
}

impl Pieces<'_> {
    /// The block, or `None` when a piece is longer than a length can say.
    fn join(self) -> Option<BitWriter> {
        let sub_blocks = self.pieces.iter().filter(|(piece, _)| *piece == Begin::SubBlock);
        let run = self.pieces.iter().filter(|(piece, _)| *piece != Begin::SubBlock);
        let mut restarts = BitWriter::default();
        let mut passed = sub_blocks.clone();
        for (piece, bits) in run {
            if *piece == Begin::Restart {
                restarts.push_length(passed.next()?.1.len_bits())?;
            }
            restarts.append(bits);
        }
        let mut block = BitWriter::default();
        block.push_length(restarts.len_bits())?;
        block.append(&restarts);
        sub_blocks.for_each(|(_, bits)| block.append(bits));
        Some(block)
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::Key;
    use super::super::{Match, SetLayout};
    use super::*;
    use crate::name::Name;
    use std::collections::BTreeMap;
    use std::format;
    use std::string::String;

    fn key(text: &str) -> Vec<u8> {
        Key::new(&Name::from_text(text).unwrap()).symbols().to_vec()
    }

    /// Values by key, with the parents' bit worked out the naive way.
    fn pack(entries: &BTreeMap<Vec<u8>, u16>, shape: BlockShape) -> Vec<u8> {
        let mut builder = SetBuilder::new(shape);
        for (key, &value) in entries {
            builder.push(key, value, !parents(entries, key).is_empty()).unwrap();
        }
        builder.finish().unwrap()
    }

    fn parents(entries: &BTreeMap<Vec<u8>, u16>, key: &[u8]) -> Vec<Match> {
        let cuts = (0..key.len()).rev().filter(|&at| key[at] == super::super::SEPARATOR);
        cuts.filter_map(|key_len| {
            let value = *entries.get(&key[..key_len])?;
            Some(Match { key_len, value })
        })
        .collect()
    }

    fn compare(entries: &BTreeMap<Vec<u8>, u16>, section: &[u8], query: &[u8]) {
        let set = SetLayout::read(section).unwrap().view(section).unwrap();
        let mut expected = parents(entries, query);
        if let Some(&value) = entries.get(query) {
            expected.insert(0, Match { key_len: query.len(), value });
        }
        let found: Vec<Match> = set.matches(query).collect();
        assert_eq!(found, expected, "{query:?}");
    }

    #[test]
    fn finds_a_name_and_all_its_parents() {
        let names = ["com", "a.com", "b.a.com", "z.a.com", "d.c.b.a.com", "org", "x-y.org"];
        let entries: BTreeMap<_, _> =
            names.iter().zip(7..).map(|(name, v)| (key(name), v)).collect();
        for (interval, sub_blocks) in [(1, 1), (2, 1), (2, 2), (16, 8)] {
            let section = pack(&entries, BlockShape { interval, sub_blocks });
            for query in names {
                for query in [
                    String::from(query),
                    format!("0.{query}"),
                    format!("zz.zz.{query}"),
                    format!("q{query}"),
                ] {
                    compare(&entries, &section, &key(&query));
                }
            }
            compare(&entries, &section, &key("aaa"));
            compare(&entries, &section, &key("zzz"));
        }
    }

    #[test]
    fn an_empty_set_holds_nothing() {
        let section = pack(&BTreeMap::new(), BlockShape::default());
        compare(&BTreeMap::new(), &section, &key("a.com"));
    }

    #[test]
    fn thousands_of_names_with_odd_shapes() {
        let mut state = 1u32;
        let mut random = move |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        let mut label = move || -> String {
            let length = if random(50) == 0 { 63 } else { 1 + random(6) };
            (0..length).map(|_| char::from(b"abcdez01-_"[random(10) as usize])).collect()
        };
        let mut entries = BTreeMap::new();
        let mut names = Vec::new();
        for index in 0..5000u16 {
            let parent = names.get(usize::from(index) * 7 % names.len().max(1)).cloned();
            let name = match parent {
                Some(parent) if index % 3 > 0 => format!("{}.{parent}", label()),
                _ => format!("{}.{}", label(), label()),
            };
            if Name::from_text(&name).is_ok() {
                entries.insert(key(&name), index % 300);
                names.push(name);
            }
        }
        let section = pack(&entries, BlockShape { interval: 5, sub_blocks: 3 });
        for name in &names {
            for query in [name.clone(), format!("a.{name}"), format!("{name}x"), format!("z{name}")]
            {
                if let Ok(query) = Name::from_text(&query) {
                    compare(&entries, &section, Key::new(&query).symbols());
                }
            }
        }
        let set = SetLayout::read(&section).unwrap().view(&section).unwrap();
        let mut read = set.entries();
        for (key, &value) in &entries {
            assert_eq!(read.advance(), Some((key.as_slice(), value)));
        }
        assert_eq!(read.advance(), None);
    }
}
