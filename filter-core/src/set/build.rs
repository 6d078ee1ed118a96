//! Writes a packed set: sorted keys and values in, section out.

use std::vec;
use std::vec::Vec;

use super::bits::{BitWriter, NUMBER_BITS_MAX, PADDING};
use super::block::{MARKS_BITS, WIDTH_BITS};
use super::cluster::{Histogram, ModelWriter};
use super::contexts;
use super::key::{END, SYMBOL_COUNT};
use super::parse::{Tail, TokenWriter};
use super::point::{PointModel, ROW_LEN};
use super::vocabulary;

/// How a set is cut into blocks: smaller ones are found faster, larger ones cost less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockShape {
    /// Names by sub-block, 1 to 255: how far a search decodes in one.
    pub interval: u8,
    /// Sub-blocks by block, 1 to 255: how many an entry of the index serves.
    pub sub_blocks: u8,
}

impl BlockShape {
    /// 16 sub-blocks of 4 names: a search decodes about 5 names. For hosts that answer many.
    pub const SERVER: BlockShape = BlockShape { interval: 4, sub_blocks: 16 };
    /// 16 sub-blocks of 8 names: a search decodes about 7 names. The default.
    pub const DEVICE: BlockShape = BlockShape { interval: 8, sub_blocks: 16 };
    /// 8 sub-blocks of 32 names: the smallest image worth asking; a search decodes about 20.
    pub const DENSE: BlockShape = BlockShape { interval: 32, sub_blocks: 8 };
}

impl Default for BlockShape {
    fn default() -> BlockShape {
        BlockShape::DEVICE
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
        let point_rows = point_rows(&self);
        let blocks = Blocks::write(&self, &models, &PointModel::new(&point_rows))?;

        let index_len = 8 * blocks.starts.len();
        let mut section = Vec::with_capacity(blocks.payload.len() + index_len + (1 << 18));
        section.extend(entry_count.to_le_bytes());
        section.extend((blocks.starts.len() as u32).to_le_bytes());
        section.extend([self.shape.interval, self.shape.sub_blocks, models.pairs()]);
        section.push((point_rows.len() / ROW_LEN) as u8);
        for model in models.all() {
            model.write_header(&mut section);
        }
        let mut tables = Vec::new();
        for model in models.all() {
            model.write_tables(&mut tables);
        }
        vocabulary::write(&models.tails.tokens, &mut section, &mut tables);
        section.extend(&point_rows);
        section.extend(tables);
        section.extend(blocks.points.iter().flat_map(|point| point.to_le_bytes()));
        section.extend(blocks.starts.iter().flat_map(|start| start.to_le_bytes()));
        section.extend(blocks.payload);
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
    Value,
}

/// Receives a block piece by piece, part by part; one counts, the other writes.
trait Sink<'a> {
    /// What comes now belongs to another sub-block; before the first it is the block's head.
    fn begin_sub_block(&mut self);
    fn symbol(&mut self, part: Part, context: usize, symbol: u16);
    /// The key that begins the next sub-block, and how much of it the key before begins with.
    fn mark(&mut self, shared: usize, key: &[u8]);
    /// The symbols behind a fork, and the fork and the symbol before it.
    fn tail(&mut self, symbols: &'a [u8], before: usize, fork: u8);
}

/// Hands a block to a sink.
fn send_block<'a>(entries: &[Entry<'a>], interval: usize, sink: &mut impl Sink<'a>) {
    let first = entries[0];
    sink.tail(first.key, usize::from(END), END);
    sink.symbol(Part::Value, contexts::VALUE_FIRST, first.value);
    for (number, sub_block) in entries.chunks(interval).enumerate() {
        if number > 0 {
            let before = entries[(number - 1) * interval];
            sink.mark(common(before.key, sub_block[0].key), sub_block[0].key);
        }
        sink.begin_sub_block();
        if number > 0 {
            send_next(first, sub_block[0], contexts::SHARED_RESTART, sink);
        }
        let mut shared_context = contexts::SHARED_ENTER;
        for pair in sub_block.windows(2) {
            shared_context = send_next(pair[0], pair[1], shared_context, sink);
        }
    }
}

/// Hands an entry to a sink, as the difference to the one before; returns the context of the
/// next shared length.
fn send_next<'a>(
    before: Entry<'_>,
    entry: Entry<'a>,
    shared_context: usize,
    sink: &mut impl Sink<'a>,
) -> usize {
    let shared = common(before.key, entry.key);
    sink.symbol(Part::Shared, shared_context, shared as u16);
    let near = usize::from(shared.checked_sub(1).map_or(END, |at| entry.key[at]));
    let replaced = before.key.get(shared).copied().unwrap_or(END);
    let fork = entry.key[shared];
    sink.symbol(Part::Fork, contexts::pair(near, replaced, SYMBOL_COUNT), u16::from(fork));
    sink.tail(&entry.key[shared + 1..], near, fork);
    sink.symbol(Part::Value, contexts::value(before.value, shared as u8), entry.value);
    contexts::shared(shared as u8)
}

/// How many symbols two keys share.
fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Counts symbols by context and collects tails.
struct Counter<'a> {
    shared: Histogram,
    forks: Histogram,
    values: Histogram,
    tails: Vec<Tail<'a>>,
}

impl<'a> Sink<'a> for Counter<'a> {
    fn begin_sub_block(&mut self) {}

    fn symbol(&mut self, part: Part, context: usize, symbol: u16) {
        match part {
            Part::Shared => self.shared.add(context, symbol),
            Part::Fork => self.forks.add(context, symbol),
            Part::Value => self.values.add(context, symbol),
        }
    }

    fn mark(&mut self, shared: usize, key: &[u8]) {
        self.symbol(Part::Shared, contexts::SHARED_MARK, shared as u16);
        self.symbol(Part::Fork, contexts::FORK_MARK, u16::from(key[shared]));
    }

    fn tail(&mut self, symbols: &'a [u8], before: usize, fork: u8) {
        self.tails.push(Tail { symbols, context: contexts::pair(before, fork, SYMBOL_COUNT) });
    }
}

/// What codes the parts of a set.
struct Models {
    shared: ModelWriter,
    forks: ModelWriter,
    fork_scale: usize,
    values: ModelWriter,
    tails: TokenWriter,
    /// The tokens of all tails, in the order of the blocks.
    path: Vec<u16>,
}

impl Models {
    /// From so many entries on, forks and first tokens are told apart by the symbol before.
    const PAIRS_FROM: usize = 20_000;

    fn train(set: &SetBuilder) -> Models {
        let value_count = set.values.iter().max().map_or(1, |&value| usize::from(value) + 1);
        let mut counter = Counter {
            shared: Histogram::new(contexts::SHARED_COUNT, 256),
            forks: Histogram::new(contexts::PAIR_COUNT, SYMBOL_COUNT),
            values: Histogram::new(contexts::VALUE_COUNT, value_count),
            tails: Vec::with_capacity(set.len()),
        };
        for entries in set.blocks() {
            send_block(&entries, usize::from(set.shape.interval), &mut counter);
        }
        let scale = if set.len() < Models::PAIRS_FROM { 0 } else { SYMBOL_COUNT };
        let folded = counter.forks.fold(SYMBOL_COUNT);
        let (tails, path) = TokenWriter::train(counter.tails, scale);
        Models {
            shared: ModelWriter::train(&counter.shared, 1),
            forks: ModelWriter::train(if scale == 0 { &folded } else { &counter.forks }, 1),
            fork_scale: scale,
            values: ModelWriter::train(&counter.values, 2),
            tails,
            path,
        }
    }

    fn all(&self) -> [&ModelWriter; 4] {
        [&self.shared, &self.forks, &self.tails.model, &self.values]
    }

    /// Which contexts are pairs: 1 of forks, 2 of first tokens.
    fn pairs(&self) -> u8 {
        u8::from(self.fork_scale > 0) | u8::from(self.tails.scale > 0) << 1
    }

    fn word(&self, part: Part, context: usize, symbol: u16) -> (u32, u32) {
        let (model, context) = match part {
            Part::Shared => (&self.shared, context),
            Part::Fork if self.fork_scale == 0 => (&self.forks, context % SYMBOL_COUNT),
            Part::Fork => (&self.forks, context),
            Part::Value => (&self.values, context),
        };
        // Trained on all entries, so each has a word.
        model.word(model.code(context), symbol).unwrap_or_default()
    }
}

/// The rows of the point model: what part of the symbols of blocks' first keys sorts before each.
/// One row for small sets, one for each symbol before otherwise; every symbol keeps some part.
fn point_rows(set: &SetBuilder) -> Vec<u8> {
    /// From here on, sharper points are worth forty rows.
    const SHARP_FROM: usize = 20_000;
    let mut statistics = Histogram::new(SYMBOL_COUNT, SYMBOL_COUNT);
    for entries in set.blocks() {
        let mut before = END;
        for &symbol in entries[0].key.iter().chain(&[END]) {
            statistics.add(usize::from(before), u16::from(symbol));
            before = symbol;
        }
    }
    let folded = statistics.fold(1);
    let statistics = if set.len() < SHARP_FROM { &folded } else { &statistics };
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

/// The blocks of a set: the coarse points of their first keys, where they begin, and their bits.
#[derive(Default)]
struct Blocks {
    points: Vec<u32>,
    starts: Vec<u32>,
    payload: Vec<u8>,
}

impl Blocks {
    /// Codes all blocks.
    fn write(
        set: &SetBuilder,
        models: &Models,
        points: &PointModel<'_>,
    ) -> Result<Blocks, SetError> {
        let mut written = Blocks::default();
        let mut path = models.path.as_slice();
        for entries in set.blocks() {
            let start = u32::try_from(written.payload.len()).map_err(|_| SetError::Size)?;
            written.starts.push(start);
            written.points.push(points.point(entries[0].key));
            let mut pieces =
                Pieces { models, path, pieces: vec![BitWriter::default()], marks: Vec::new() };
            send_block(&entries, usize::from(set.shape.interval), &mut pieces);
            path = pieces.path;
            let mut block = pieces.join().ok_or(SetError::Size)?;
            written.payload.extend_from_slice(block.align());
        }
        Ok(written)
    }
}

/// The head of a block and its sub-blocks, coded one by one: their lengths come first.
struct Pieces<'p> {
    models: &'p Models,
    /// The tokens of tails yet to come.
    path: &'p [u16],
    pieces: Vec<BitWriter>,
    /// The words of each mark: shared length and fork.
    marks: Vec<[(u32, u32); 2]>,
}

impl<'a> Sink<'a> for Pieces<'_> {
    fn begin_sub_block(&mut self) {
        self.pieces.push(BitWriter::default());
    }

    fn symbol(&mut self, part: Part, context: usize, symbol: u16) {
        let (word, length) = self.models.word(part, context, symbol);
        if let Some(bits) = self.pieces.last_mut() {
            bits.push(word, length);
        }
    }

    fn mark(&mut self, shared: usize, key: &[u8]) {
        self.marks.push([
            self.models.word(Part::Shared, contexts::SHARED_MARK, shared as u16),
            self.models.word(Part::Fork, contexts::FORK_MARK, u16::from(key[shared])),
        ]);
    }

    fn tail(&mut self, symbols: &'a [u8], before: usize, fork: u8) {
        let Some(bits) = self.pieces.last_mut() else { return };
        let tails = &self.models.tails;
        let mut context = contexts::pair(before, fork, tails.scale);
        // Symbols the tokens stand for, end mark included; grows to those of the tail.
        let mut covered = 0;
        while covered <= symbols.len() {
            let Some((&token, rest)) = self.path.split_first() else { return };
            self.path = rest;
            tails.push(context, token, bits);
            covered += tails.tokens[usize::from(token)].len();
            context = contexts::token(token, tails.scale);
        }
    }
}

impl Pieces<'_> {
    /// The block, or `None` when a part of it is longer than a length can say.
    fn join(self) -> Option<BitWriter> {
        let (head, sub_blocks) = self.pieces.split_first()?;
        let lengths = || sub_blocks.iter().map(BitWriter::len_bits);
        // The last sub-block needs no length.
        let longest = lengths().rev().skip(1).max().unwrap_or(0);
        let width = usize::BITS - longest.leading_zeros();
        let mut marks = BitWriter::default();
        for (words, length) in self.marks.iter().zip(lengths()) {
            marks.push(length as u32, width);
            words.iter().for_each(|&(word, length)| marks.push(word, length));
        }
        let mut block = BitWriter::default();
        block.append(head);
        block.push(width, WIDTH_BITS);
        block.push(marks.len_bits() as u32, MARKS_BITS);
        block.append(&marks);
        sub_blocks.iter().for_each(|sub_block| block.append(sub_block));
        let is_sound = width <= NUMBER_BITS_MAX && marks.len_bits() < 1 << MARKS_BITS;
        is_sound.then_some(block)
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
