//! The packed set: a dictionary of names, each with a value, searched in place.
//!
#![doc = include_str!("format.md")]

mod bits;
mod block;
#[cfg(feature = "build")]
pub(crate) mod build;
#[cfg(feature = "build")]
mod cluster;
#[cfg(feature = "build")]
mod code;
mod contexts;
mod cursor;
pub(crate) mod key;
#[cfg(feature = "build")]
mod learn;
mod model;
#[cfg(feature = "build")]
mod parse;
mod point;
#[cfg(feature = "build")]
mod send;
#[cfg(feature = "build")]
mod train;
mod vocabulary;

use core::hint::select_unpredictable;

use self::block::{Marks, Step};
use self::cursor::Cursor;
use self::key::{END, SEPARATOR};
use self::model::{Model, ModelLayout};
use self::point::PointModel;
use self::vocabulary::{Vocabulary, VocabularyLayout};
use crate::octets::{Octets, u32_at};

/// Where the parts of a packed set lie in its section; see the [module](self).
///
/// Holding one proves that all parts are inside a section of the length it was read from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SetLayout {
    entry_count: u32,
    block_count: usize,
    interval: u8,
    sub_blocks: u8,
    /// What the symbol before weighs in the context of a fork, and of a first token.
    fork_scale: usize,
    first_scale: usize,
    /// Whether names have styles.
    has_styles: bool,
    point_rows: usize,
    points: usize,
    shared: ModelLayout,
    forks: ModelLayout,
    tokens: ModelLayout,
    values: ModelLayout,
    vocabulary: VocabularyLayout,
    index: usize,
}

impl SetLayout {
    /// Octets before the point model.
    const HEADER_LEN: usize = 12 + 4 * model::HEADER_LEN + vocabulary::HEADER_LEN;

    /// Reads and checks the header; O(1). `None` when the section is not a packed set.
    pub(crate) fn read(section: &[u8]) -> Option<SetLayout> {
        let mut header = Octets::new(section);
        let entry_count = header.u32()?;
        let block_count = header.u32()? as usize;
        let interval = header.u8()?;
        let sub_blocks = header.u8()?;
        let scale = |is_pair: u8| if is_pair == 0 { 0 } else { key::SYMBOL_COUNT };
        let flags = header.u8()?;
        let (fork_scale, first_scale) = (scale(flags & 1), scale(flags & 2));
        let has_styles = flags & 4 != 0;
        let point_rows = usize::from(header.u8()?);
        let names_by_block = u64::from(interval) * u64::from(sub_blocks);
        if names_by_block == 0
            || u64::from(entry_count).div_ceil(names_by_block) != block_count as u64
            || !matches!(point_rows, 1 | key::SYMBOL_COUNT)
        {
            return None;
        }
        let points = SetLayout::HEADER_LEN;
        let at = points + point_rows * point::ROW_LEN;
        let (shared, at) = ModelLayout::read(&mut header, at)?;
        let (forks, at) = ModelLayout::read(&mut header, at)?;
        let (tokens, at) = ModelLayout::read(&mut header, at)?;
        let (values, at) = ModelLayout::read(&mut header, at)?;
        let (vocabulary, index) = VocabularyLayout::read(&mut header, at)?;
        let layout = SetLayout {
            entry_count,
            block_count,
            interval,
            sub_blocks,
            fork_scale,
            first_scale,
            has_styles,
            point_rows,
            points,
            shared,
            forks,
            tokens,
            values,
            vocabulary,
            index,
        };
        // No sound set packs as many names into an octet; a forged one that claims more would
        // take its readers too long.
        let payload_len = layout.view(section)?.payload.len();
        let is_plausible = u64::from(entry_count) <= payload_len as u64 * u64::from(u8::MAX);
        is_plausible.then_some(layout)
    }

    pub(crate) fn entry_count(&self) -> u32 {
        self.entry_count
    }

    /// The set in the section this layout was read from; O(1).
    pub(crate) fn view<'a>(&self, section: &'a [u8]) -> Option<Set<'a>> {
        let index_len = self.block_count.checked_mul(4)?;
        let starts = self.index.checked_add(index_len)?;
        let payload = starts.checked_add(index_len)?;
        let point_rows = section.get(self.points..)?.get(..self.point_rows * point::ROW_LEN)?;
        Some(Set {
            entry_count: self.entry_count,
            interval: usize::from(self.interval),
            sub_blocks: usize::from(self.sub_blocks),
            fork_scale: self.fork_scale,
            first_scale: self.first_scale,
            has_styles: self.has_styles,
            style_contexts: self.tokens.context_count() / contexts::STYLE_COUNT,
            point_model: PointModel::new(point_rows),
            shared: self.shared.view(section)?,
            forks: self.forks.view(section)?,
            tokens: self.tokens.view(section)?,
            values: self.values.view(section)?,
            vocabulary: self.vocabulary.view(section)?,
            points: section.get(self.index..starts)?,
            starts: section.get(starts..payload)?,
            payload: section.get(payload..)?,
        })
    }
}

/// A packed set ready to search.
#[derive(Clone, Copy)]
pub(crate) struct Set<'a> {
    entry_count: u32,
    interval: usize,
    sub_blocks: usize,
    fork_scale: usize,
    first_scale: usize,
    has_styles: bool,
    /// How many contexts of tokens a style has.
    style_contexts: usize,
    point_model: PointModel<'a>,
    shared: Model<'a, { model::WIDE }>,
    forks: Model<'a, { model::NARROW }>,
    tokens: Model<'a, { model::WIDE }>,
    values: Model<'a, { model::WIDE }>,
    vocabulary: Vocabulary<'a>,
    points: &'a [u8],
    starts: &'a [u8],
    payload: &'a [u8],
}

/// An entry that is the query or one of its parents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    /// Symbols of the entry's key.
    pub(crate) key_len: usize,
    /// The value the entry was built with.
    pub(crate) value: u16,
}

/// The greatest entry not behind a key.
struct Predecessor {
    /// Symbols shared with the key.
    matched: usize,
    /// Symbols of the entry.
    len: usize,
    value: u16,
}

impl Predecessor {
    fn at(cursor: &Cursor<'_>, matched: usize) -> Predecessor {
        Predecessor { matched, len: cursor.symbols().len(), value: cursor.entry_value() }
    }
}

impl<'a> Set<'a> {
    /// The entries that are `key` or a parent of it, longest first.
    pub(crate) fn matches<'k>(&'k self, key: &'k [u8]) -> Matches<'a, 'k> {
        Matches { set: self, key, search_len: Some(key.len()) }
    }

    /// Every entry in order, for hosts: a full decode.
    pub(crate) fn entries(&self) -> Entries<'a> {
        let remaining = self.entry_count;
        let first = ([END; 256], 0);
        Entries { set: *self, block: None, next_block: 0, first, place: 0, remaining }
    }

    fn block_count(&self) -> usize {
        self.points.len() / 4
    }

    /// How many entries the block holds: all alike but the last.
    fn block_len(&self, block: usize) -> usize {
        let by_block = self.interval * self.sub_blocks;
        (self.entry_count as usize).saturating_sub(block.saturating_mul(by_block)).min(by_block)
    }

    fn block_start(&self, block: usize) -> Option<usize> {
        Some(u32_at(self.starts, block.checked_mul(4)?)? as usize)
    }

    fn predecessor(&self, key: &[u8]) -> Option<Predecessor> {
        let number = self.block_of(key)?;
        self.predecessor_in(number, key)
    }

    /// The same, given the block it is in.
    ///
    /// Neither this nor the search for the block is inlined: either has a cursor, and a stack need
    /// only hold one at a time.
    #[inline(never)]
    fn predecessor_in(&self, number: usize, key: &[u8]) -> Option<Predecessor> {
        let mut cursor = Cursor::new(self);
        cursor.first(self, number)?;
        let first_value = cursor.entry_value();
        let len = self.block_len(number);
        let mut marks = Marks::read(self, len, cursor.bits())?;
        let first_start = marks.start();
        let (mut matched, _) = cursor.compare(key, 0);
        let mut step = Step::of_key(key, matched);
        // The sub-block found so far; and whether the cursor stands on its first name.
        let (mut sub_block, mut chosen, mut is_there) = (0, None, true);
        // Ends because every block has finitely many marks.
        let shared_behind = loop {
            let Some(mark) = marks.next()? else { break marks.shared_behind()? };
            if mark.step < step {
                break mark.step.shared();
            }
            is_there = mark.step == step;
            if is_there {
                // Only the whole name tells on which side of the key it lies.
                cursor.enter(self, &mark, marks.shared_behind()?, key, first_value)?;
                let (with_mark, behind) = cursor.compare(key, matched);
                if behind {
                    is_there = false;
                    break mark.step.shared();
                }
                matched = with_mark;
                step = Step::of_key(key, matched);
            }
            (sub_block, chosen) = (sub_block + 1, Some(mark));
        };
        match chosen {
            Some(mark) if !is_there => {
                cursor.enter(self, &mark, shared_behind, key, first_value)?;
            }
            Some(_) => {}
            None => {
                if !is_there {
                    cursor.first(self, number)?;
                }
                cursor.follow(first_start);
            }
        }
        let mut found = Predecessor::at(&cursor, matched);
        let remaining = len.saturating_sub(sub_block * self.interval);
        for _ in 1..remaining.min(self.interval) {
            if found.matched == key.len() && found.len == key.len() {
                break;
            }
            let next = cursor.step(self)?;
            if next < step {
                break;
            }
            cursor.finish(self, next)?;
            if next == step {
                let (with_next, behind) = cursor.compare(key, matched);
                if behind {
                    break;
                }
                matched = with_next;
                step = Step::of_key(key, matched);
            }
            found = Predecessor::at(&cursor, matched);
        }
        Some(found)
    }

    /// The last block whose first key is not behind `key`.
    #[inline(never)]
    fn block_of(&self, key: &[u8]) -> Option<usize> {
        let point = self.point_model.point(key);
        let mut high = self.blocks_where(|other| other <= point);
        let last = high.checked_sub(1)?;
        if u32_at(self.points, 4 * last)? < point {
            return Some(last);
        }
        // Blocks from `low` to `high` share the key's point; ends because the gap halves.
        let mut low = self.blocks_where(|other| other < point);
        while low < high {
            let middle = low + (high - low) / 2;
            let mut first = Cursor::new(self);
            first.first(self, middle)?;
            if first.compare(key, 0).1 {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low.checked_sub(1)
    }

    /// How many points, from the first, satisfy `before`; ends because `len` halves.
    fn blocks_where(&self, before: impl Fn(u32) -> bool) -> usize {
        let (mut low, mut len) = (0, self.block_count());
        while len > 0 {
            let half = len / 2;
            let is_before = u32_at(self.points, 4 * (low + half)).is_some_and(&before);
            // A branch would be a guess.
            low = select_unpredictable(is_before, low + half + 1, low);
            len = select_unpredictable(is_before, len - half - 1, half);
        }
        low
    }
}

/// See [`Set::matches`].
pub(crate) struct Matches<'a, 'k> {
    set: &'k Set<'a>,
    key: &'k [u8],
    /// The length of the prefix to search next; decreases with every search.
    search_len: Option<usize>,
}

impl Iterator for Matches<'_, '_> {
    type Item = Match;

    fn next(&mut self) -> Option<Match> {
        // Ends because `search_len` decreases.
        while let Some(len) = self.search_len.take() {
            let key = self.key.get(..len)?;
            let found = self.set.predecessor(key)?;
            let is_whole = found.matched == found.len;
            let is_parent = key.get(found.len).is_none_or(|&symbol| symbol == SEPARATOR);
            let is_match = is_whole && is_parent;
            if found.value & 1 == 1 {
                // Parents of a match are shorter than it; those of a stranger may be all
                // that it shares with the key.
                let limit = if is_match { found.len } else { (found.matched + 1).min(len) };
                let shorter = key.get(..limit).unwrap_or(&[]);
                self.search_len = shorter.iter().rposition(|&symbol| symbol == SEPARATOR);
            }
            if is_match {
                return Some(Match { key_len: found.len, value: found.value >> 1 });
            }
        }
        None
    }
}

/// See [`Set::entries`].
pub(crate) struct Entries<'a> {
    set: Set<'a>,
    /// The block being read: where it stands, what comes in it, and its first value.
    block: Option<(Cursor<'a>, Marks<'a>, u16)>,
    /// The number of the block behind it.
    next_block: usize,
    /// The key the sub-block began with.
    first: ([u8; 256], usize),
    /// How many names of the sub-block have been shown.
    place: usize,
    /// Entries not yet shown; decreases.
    remaining: u32,
}

impl Entries<'_> {
    /// Goes to the next entry and shows its key's symbols and its value. `None` behind the
    /// last, and where the bytes are not a sound set: count, and compare with
    /// [`SetLayout::entry_count`].
    pub(crate) fn advance(&mut self) -> Option<(&[u8], u16)> {
        self.remaining = self.remaining.checked_sub(1)?;
        if self.place == 0 {
            self.enter()?;
            let symbols = self.block.as_ref()?.0.symbols();
            self.first.0.get_mut(..symbols.len())?.copy_from_slice(symbols);
            self.first.1 = symbols.len();
        } else {
            self.block.as_mut()?.0.next(&self.set)?;
        }
        self.place += 1;
        if self.place == self.set.interval {
            self.place = 0;
        }
        let (cursor, ..) = self.block.as_ref()?;
        Some((cursor.symbols(), cursor.entry_value() >> 1))
    }

    /// Goes to the first entry of the next sub-block, or of the next block.
    fn enter(&mut self) -> Option<()> {
        if let Some((cursor, marks, first_value)) = &mut self.block
            && let Some(mark) = marks.next()?
        {
            let first = self.first.0.get(..self.first.1)?;
            return cursor.enter(&self.set, &mark, marks.shared_behind()?, first, *first_value);
        }
        let mut cursor = Cursor::new(&self.set);
        cursor.first(&self.set, self.next_block)?;
        let len = self.set.block_len(self.next_block);
        let marks = Marks::read(&self.set, len, cursor.bits())?;
        let first_value = cursor.entry_value();
        cursor.follow(marks.start());
        self.block = Some((cursor, marks, first_value));
        self.next_block += 1;
        Some(())
    }
}
