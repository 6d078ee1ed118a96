//! Writes a packed set: sorted keys and values in, section out.

use std::vec;
use std::vec::Vec;

use super::bits::{BitWriter, NUMBER_BITS_MAX, PADDING};
use super::block::{FORK_BITS, Step, WIDTH_BITS};
use super::cluster::Histogram;
use super::contexts;
use super::cursor::{VALUE_BITS, VALUE_ESCAPE};
use super::key::{END, SYMBOL_COUNT};
use super::learn::{Models, TailReader};
use super::parse::Effort;
use super::point::{PointModel, ROW_LEN};
use super::send::{Block, Entry, Sink, send_block};
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
    /// 16 sub-blocks of 64 names, learned thoroughly: the smallest image worth asking; a search
    /// decodes about 35.
    pub const DENSE: BlockShape = BlockShape { interval: 64, sub_blocks: 16 };

    /// Who packs names densely has time to learn what they look like.
    pub(super) fn effort(self) -> Effort {
        if self.interval < BlockShape::DENSE.interval { Effort::QUICK } else { Effort::THOROUGH }
    }
}

impl Default for BlockShape {
    fn default() -> BlockShape {
        BlockShape::DEVICE
    }
}

/// Collects sorted entries and packs them.
///
/// Heap: about 3 octets an entry and one for each of its symbols; when it finishes, some 20 more an
/// entry to learn from, then the section.
pub(crate) struct SetBuilder {
    pub(super) shape: BlockShape,
    /// All keys, one behind the other.
    pub(super) symbols: Vec<u8>,
    /// Length of each key.
    lengths: Vec<u8>,
    pub(super) values: Vec<u16>,
}

/// Why a set cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetError {
    /// A key does not sort behind the one before.
    Order,
    /// Over 2^32 entries or symbols of keys, or a payload over 4 GiB.
    Size,
}

impl SetBuilder {
    /// The most distinct values: with the bit that says whether an entry inherits, a u16.
    pub(crate) const VALUES_MAX: usize = 1 << 15;

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
        u32::try_from(self.symbols.len()).map_err(|_| SetError::Size)?;
        let models = Models::train(&self);
        let point_rows = point_rows(&self);
        let block_len = usize::from(self.shape.interval) * usize::from(self.shape.sub_blocks);
        let block_count = self.len().div_ceil(block_len);
        let mut section = Vec::new();
        section.extend(entry_count.to_le_bytes());
        section.extend((block_count as u32).to_le_bytes());
        section.extend([self.shape.interval, self.shape.sub_blocks, models.flags()]);
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
        self.write_blocks(&models, &PointModel::new(&point_rows), block_count, &mut section)?;
        section.extend([0; PADDING]);
        Ok(section)
    }

    /// Appends the points of the blocks' first keys, where blocks begin, and the blocks.
    fn write_blocks(
        &self,
        models: &Models,
        points: &PointModel<'_>,
        block_count: usize,
        section: &mut Vec<u8>,
    ) -> Result<(), SetError> {
        let index = section.len();
        let payload = index + 8 * block_count;
        section.resize(payload, 0);
        let mut tails = TailReader::of(&models.cut);
        for (number, block) in self.blocks().enumerate() {
            let start = u32::try_from(section.len() - payload).map_err(|_| SetError::Size)?;
            let point = points.point(block.entries[0].key);
            section[index + 4 * number..][..4].copy_from_slice(&point.to_le_bytes());
            section[index + 4 * (block_count + number)..][..4]
                .copy_from_slice(&start.to_le_bytes());
            let (pieces, marks) = (vec![BitWriter::default()], Vec::new());
            let mut pieces = Pieces { models, tails, pieces, marks };
            send_block(&block, usize::from(self.shape.interval), &mut pieces);
            tails = pieces.tails;
            section.extend_from_slice(pieces.join().ok_or(SetError::Size)?.align());
        }
        Ok(())
    }

    /// The entries of each block, in order, and the key behind them; empty behind the last.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Block<'_>> {
        let size = usize::from(self.shape.interval) * usize::from(self.shape.sub_blocks);
        let mut at = 0;
        let mut first = 0;
        std::iter::from_fn(move || {
            let end = self.len().min(first + size);
            let mut key = |index: usize| {
                let start = at;
                at += usize::from(self.lengths[index]);
                (start, &self.symbols[start..at])
            };
            let entry = |index| {
                let (start, key) = key(index);
                Entry { start, key, value: self.values[index] }
            };
            let entries: Vec<Entry<'_>> = (first..end).map(entry).collect();
            first = end;
            let behind = self.lengths.get(end).map_or(0, |&length| usize::from(length));
            let behind = &self.symbols[at..at + behind];
            (!entries.is_empty()).then_some(Block { entries, behind })
        })
    }
}

/// The rows of the point model: what part of the symbols of blocks' first keys sorts before each.
/// One row for small sets, one for each symbol before otherwise; every symbol keeps some part.
fn point_rows(set: &SetBuilder) -> Vec<u8> {
    /// From here on, sharper points are worth forty rows.
    const SHARP_FROM: usize = 20_000;
    let mut statistics = Histogram::new(SYMBOL_COUNT, SYMBOL_COUNT);
    for block in set.blocks() {
        let mut before = END;
        for &symbol in block.entries[0].key.iter().chain(&[END]) {
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

/// The head of a block and its sub-blocks, coded one by one: their lengths come first.
struct Pieces<'p> {
    models: &'p Models,
    tails: TailReader<'p>,
    pieces: Vec<BitWriter>,
    /// Behind each sub-block: shared symbols, and the fork of the next.
    marks: Vec<(usize, Option<u8>)>,
}

impl Sink for Pieces<'_> {
    fn style(&self) -> u8 {
        self.tails.style()
    }

    fn head(&mut self) {
        if self.tails.has_styles {
            self.push((self.tails.style().into(), 1));
        }
    }

    fn begin_sub_block(&mut self) {
        self.pieces.push(BitWriter::default());
    }

    fn shared(&mut self, context: usize, shared: u8) {
        let symbol = self.tails.shared_symbol(shared);
        self.push(self.models.shared.word_in(context, symbol));
    }

    fn fork(&mut self, context: usize, fork: u8) {
        let context = if self.models.scale == 0 { context % SYMBOL_COUNT } else { context };
        self.push(self.models.forks.word_in(context, fork.into()));
    }

    fn value(&mut self, context: usize, value: u16) {
        self.push(self.models.values.word_in(context, value.min(VALUE_ESCAPE)));
        if value >= VALUE_ESCAPE {
            self.push((value.into(), VALUE_BITS));
        }
    }

    fn mark(&mut self, shared: usize, fork: Option<u8>) {
        self.marks.push((shared, fork));
    }

    fn tail(&mut self, entry: Entry<'_>, from: usize, before: u8, fork: u8) {
        let Some(bits) = self.pieces.last_mut() else { return };
        let tails = &self.models.tails;
        let mut context = contexts::pair(before, fork, tails.scale);
        // How far the tokens reach; grows beyond the end of the key, to its end mark.
        let mut covered = from;
        while covered <= entry.key.len() {
            let Some((&token, rest)) = self.tails.path.split_first() else { return };
            self.tails.path = rest;
            tails.push(self.tails.style(), context, token, bits);
            covered += tails.tokens[usize::from(token)].len();
            context = contexts::token(token, tails.scale);
        }
        self.tails.pass_style();
    }
}

impl Pieces<'_> {
    fn push(&mut self, (word, length): (u32, u32)) {
        if let Some(bits) = self.pieces.last_mut() {
            bits.push(word, length);
        }
    }

    /// The block, or `None` when a sub-block is longer than a length can say.
    fn join(self) -> Option<BitWriter> {
        let (head, sub_blocks) = self.pieces.split_first()?;
        let lengths = || sub_blocks.iter().map(BitWriter::len_bits);
        // The last sub-block needs no length.
        let longest = lengths().rev().skip(1).max().unwrap_or(0);
        let width = |number: usize| usize::BITS - number.leading_zeros();
        let shared_most = self.marks.iter().map(|&(shared, _)| shared).max().unwrap_or(0);
        let (length_width, shared_width) = (width(longest), width(shared_most));
        let mut block = BitWriter::default();
        block.append(head);
        block.push(length_width, WIDTH_BITS[0]);
        block.push(shared_width, WIDTH_BITS[1]);
        for (&(shared, fork), length) in self.marks.iter().zip(lengths()) {
            match fork {
                Some(fork) => {
                    block.push(Step::new(shared, fork).number(), shared_width + FORK_BITS);
                    block.push(length as u32, length_width);
                }
                None => block.push(shared as u32, shared_width),
            }
        }
        sub_blocks.iter().for_each(|sub_block| block.append(sub_block));
        (length_width <= NUMBER_BITS_MAX).then_some(block)
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
