//! Decodes the names of one block, in order.

use super::bits::Bits;
use super::block::{Mark, Step};
use super::key::END;
use super::vocabulary::{ENDS, TOKEN_ROOM};
use super::{Set, contexts, model};

/// Stands for a value that has no word: the value itself follows, in [`VALUE_BITS`].
pub(super) const VALUE_ESCAPE: u16 = model::SYMBOLS_MAX as u16 - 1;
/// See [`VALUE_ESCAPE`].
pub(super) const VALUE_BITS: u32 = 16;

/// The longest key, with room behind it for a whole token.
const KEY_ROOM: usize = 256 + TOKEN_ROOM;

/// Stands on one entry of a block: its key, its value and the way to the next.
///
/// About 320 bytes; the set is handed in with every step.
pub(super) struct Cursor<'a> {
    bits: Bits<'a>,
    key: [u8; KEY_ROOM],
    /// Symbols in `key`, without the end mark.
    len: u8,
    /// Symbols shared with the entry decoded before.
    shared: u8,
    value: u16,
    /// What kind of name it is, as far as its tail is concerned: 0 or 1.
    style: u8,
    /// The context the next entry's shared length is read in.
    shared_context: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor on no entry yet. It is large: make it where it stays.
    #[inline(always)]
    pub(super) fn new(set: &Set<'a>) -> Cursor<'a> {
        Cursor {
            bits: Bits::new(set.payload, 0),
            key: [END; KEY_ROOM],
            len: 0,
            shared: 0,
            value: 0,
            style: 0,
            shared_context: contexts::SHARED_ENTER,
        }
    }

    /// Goes to the first entry of a block.
    pub(super) fn first(&mut self, set: &Set<'a>, block: usize) -> Option<()> {
        self.bits.seek(set.block_start(block)?.checked_mul(8)?);
        self.head_style(set)?;
        self.tail(set, 0, 0)?;
        self.value(set, contexts::VALUE_FIRST)
    }

    /// Goes on at `position`, with the entry behind this one.
    pub(super) fn follow(&mut self, position: usize) {
        self.bits.seek(position);
        self.shared_context = contexts::SHARED_ENTER;
    }

    /// Goes to the first entry of a sub-block, given what it shares with the first one behind,
    /// a key that shares as much with it, and the value of the block's first entry.
    ///
    /// What it shares with both of its neighbors it does not say itself: a search comes between
    /// it and the one behind, and whoever reads all entries comes from the one before.
    pub(super) fn enter(
        &mut self,
        set: &Set<'a>,
        mark: &Mark,
        shared_behind: usize,
        key: &[u8],
        first_value: u16,
    ) -> Option<()> {
        let at = shared_behind.min(mark.step.shared());
        self.key.get_mut(..at)?.copy_from_slice(key.get(..at)?);
        self.shared = u8::try_from(at).ok()?;
        self.follow(mark.start);
        self.head_style(set)?;
        let symbol = match at == mark.step.shared() {
            true => mark.step.fork(),
            false => set.forks.decode(contexts::FORK_ENTER, &mut self.bits)? as u8,
        };
        *self.key.get_mut(at)? = symbol;
        self.tail(set, at + 1, contexts::pair(self.symbol_before(at), symbol, set.first_scale))?;
        self.value(set, contexts::value(first_value, self.shared))
    }

    /// Behind what was read last.
    pub(super) fn bits(&self) -> Bits<'a> {
        self.bits
    }

    /// Goes to the next entry of the sub-block.
    pub(super) fn next(&mut self, set: &Set<'a>) -> Option<()> {
        let step = self.step(set)?;
        self.finish(set, step)
    }

    /// Reads how the next entry differs from this one; [`Cursor::finish`] then goes there.
    #[inline(always)]
    pub(super) fn step(&mut self, set: &Set<'a>) -> Option<Step> {
        let mut shared = set.shared.decode(self.shared_context, &mut self.bits)?;
        if set.has_styles {
            (shared, self.style) = (shared >> 1, shared as u8 & 1);
        }
        self.shared = u8::try_from(shared).ok()?;
        if self.shared > self.len {
            return None;
        }
        self.shared_context = contexts::shared(self.shared, self.style, self.shared_context);
        let at = usize::from(self.shared);
        let replaced = if self.shared < self.len { self.key[at] } else { END };
        let fork = contexts::pair(self.symbol_before(at), replaced, set.fork_scale);
        let symbol = set.forks.decode(fork, &mut self.bits)? as u8;
        Some(Step::new(at, symbol))
    }

    /// Reads the rest of the next entry.
    #[inline(always)]
    pub(super) fn finish(&mut self, set: &Set<'a>, step: Step) -> Option<()> {
        let (at, symbol) = (step.shared(), step.fork());
        *self.key.get_mut(at)? = symbol;
        self.tail(set, at + 1, contexts::pair(self.symbol_before(at), symbol, set.first_scale))?;
        self.value(set, contexts::value(self.value, self.shared))
    }

    /// The key's symbols, without the end mark.
    pub(super) fn symbols(&self) -> &[u8] {
        self.key.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// The value of the entry.
    pub(super) fn entry_value(&self) -> u16 {
        self.value
    }

    /// How many symbols this entry has in common with `key`, given that they agree up to
    /// `from`; and whether the entry sorts behind `key`.
    pub(super) fn compare(&self, key: &[u8], from: usize) -> (usize, bool) {
        let mut at = from;
        // Ends because `at` grows to the length of the shorter.
        loop {
            match (self.symbols().get(at), key.get(at)) {
                (Some(mine), Some(other)) if mine == other => at += 1,
                (Some(mine), Some(other)) => return (at, mine > other),
                (Some(_), None) => return (at, true),
                (None, _) => return (at, false),
            }
        }
    }

    /// The symbol before a place in the key.
    fn symbol_before(&self, at: usize) -> u8 {
        at.checked_sub(1).and_then(|index| self.key.get(index)).copied().unwrap_or(END)
    }

    /// Reads the style of the first entry of a block or sub-block.
    fn head_style(&mut self, set: &Set<'a>) -> Option<()> {
        if set.has_styles {
            self.style = self.bits.number(1)? as u8;
        }
        Some(())
    }

    /// Reads the entry's value.
    fn value(&mut self, set: &Set<'a>, context: usize) -> Option<()> {
        let value = set.values.decode(context, &mut self.bits)?;
        self.value = match value {
            VALUE_ESCAPE => self.bits.number(VALUE_BITS)? as u16,
            _ => value,
        };
        Some(())
    }

    /// Decodes tokens from `at` up to the one that ends. Their symbols are taken as they are:
    /// one that no key has leads to a context that no model has.
    fn tail(&mut self, set: &Set<'a>, at: usize, mut context: usize) -> Option<()> {
        // A copy stays in registers: this loop is where a search spends its time.
        let mut bits = self.bits;
        let mut at = u8::try_from(at).ok()?;
        let of_style = usize::from(self.style) * set.style_contexts;
        // Ends because `at` grows to the size of the key.
        loop {
            let mut token = set.tokens.decode(of_style + context, &mut bits)?;
            let (string, form) = match set.vocabulary.token(token) {
                Some(found) => found,
                // The escape: a token that only the last code has.
                None => {
                    token = set.tokens.decode_by_last(&mut bits)?;
                    set.vocabulary.token(token)?
                }
            };
            let place = usize::from(at)..usize::from(at) + TOKEN_ROOM;
            self.key.get_mut(place)?.copy_from_slice(string);
            at = at.checked_add(form & (ENDS - 1))?;
            if form & ENDS != 0 {
                self.bits = bits;
                self.len = at.checked_sub(1)?;
                return Some(());
            }
            context = contexts::token(token, set.first_scale);
        }
    }
}
