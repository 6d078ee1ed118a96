//! Decodes the names of one block, in order.

use super::bits::Bits;
use super::key::END;
use super::{Set, contexts};

/// Stands on one entry of a block: its key, its value and the way to the next.
///
/// About 330 bytes; the set is handed in with every step, so that a cursor is cheap to copy.
/// Entries of a block come in this order: the *restarts*, every `interval`-th
/// name, in one run; then, sub-block by sub-block, the names between two restarts.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    bits: Bits<'a>,
    key: [u8; 256],
    /// Symbols in `key`, without the end mark.
    len: u8,
    /// Symbols shared with the entry decoded before.
    shared: u8,
    value: u16,
    /// The context the next entry's shared length is read in.
    shared_context: usize,
    /// Where the sub-block of the restart last read begins, in bits.
    sub_block: usize,
}

impl<'a> Cursor<'a> {
    /// The first entry of a block.
    pub(super) fn open(set: &Set<'a>, block: usize) -> Option<Cursor<'a>> {
        let start = set.block_start(block)?;
        let mut bits = Bits::new(set.payload, start.checked_mul(8)?);
        let run = bits.length()?;
        let mut cursor = Cursor {
            bits,
            key: [END; 256],
            len: 0,
            shared: 0,
            value: 0,
            shared_context: contexts::SHARED_RESTART,
            sub_block: bits.position().checked_add(run)?,
        };
        cursor.tail(set, 0)?;
        cursor.value = set.values.decode(contexts::VALUE_FIRST, &mut cursor.bits)?;
        Some(cursor)
    }

    /// Stands where `other` stands, and copies no more of its key than there is.
    pub(super) fn stand_on(&mut self, other: &Cursor<'a>) {
        let Cursor { bits, key, len, shared, value, shared_context, sub_block } = other;
        let len = *len;
        let used = usize::from(len);
        if let (Some(mine), Some(theirs)) = (self.key.get_mut(..used), key.get(..used)) {
            mine.copy_from_slice(theirs);
        }
        (self.bits, self.len, self.shared, self.value) = (*bits, len, *shared, *value);
        (self.shared_context, self.sub_block) = (*shared_context, *sub_block);
    }

    /// Passes the sub-block of the restart under the cursor, so that the next entry is the next
    /// restart.
    pub(super) fn pass_sub_block(&mut self) -> Option<()> {
        let length = self.bits.length()?;
        self.sub_block = self.sub_block.checked_add(length)?;
        self.shared_context = contexts::SHARED_RESTART;
        Some(())
    }

    /// Turns from the run of restarts to the sub-block behind the one last read.
    pub(super) fn enter(&mut self) {
        self.bits.seek(self.sub_block);
        self.shared_context = contexts::SHARED_ENTER;
    }

    /// Goes to the next entry of the run or sub-block.
    pub(super) fn next(&mut self, set: &Set<'a>) -> Option<()> {
        self.share(set)?;
        self.finish(set)
    }

    /// Reads how many symbols the next entry shares with this one; [`Cursor::finish`] then
    /// goes there.
    pub(super) fn share(&mut self, set: &Set<'a>) -> Option<()> {
        let shared = set.shared.decode(self.shared_context, &mut self.bits)?;
        self.shared = u8::try_from(shared).ok()?;
        self.shared_context = contexts::shared(self.shared);
        (self.shared <= self.len).then_some(())
    }

    /// Reads what the next entry does not share.
    pub(super) fn finish(&mut self, set: &Set<'a>) -> Option<()> {
        let at = usize::from(self.shared);
        let before = self.symbol_before(at, 1);
        let replaced = if self.shared < self.len { self.key[at] } else { END };
        let fork = contexts::fork(before, replaced);
        let symbol = set.forks.decode(fork, &mut self.bits)?;
        self.put(at, symbol)?;
        self.tail(set, at + 1)?;
        let context = contexts::value(self.value, self.shared);
        self.value = set.values.decode(context, &mut self.bits)?;
        Some(())
    }

    /// Goes to the next entry, given that this one is not behind `key` and shares `matched`
    /// symbols with it. `Some(false)` when the next entry is behind `key`; the cursor is then
    /// of no more use.
    pub(super) fn advance(
        &mut self,
        set: &Set<'a>,
        key: &[u8],
        matched: &mut usize,
    ) -> Option<bool> {
        self.share(set)?;
        let shared = usize::from(self.shared);
        if shared < *matched {
            return Some(false);
        }
        self.finish(set)?;
        if shared == *matched {
            let (len, behind) = self.compare(key, shared);
            if behind {
                return Some(false);
            }
            *matched = len;
        }
        Some(true)
    }

    /// The key's symbols, without the end mark.
    pub(super) fn symbols(&self) -> &[u8] {
        self.key.get(..usize::from(self.len)).unwrap_or(&[])
    }

    pub(super) fn value(&self) -> u16 {
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

    /// Decodes symbols from `at` up to the end mark.
    fn tail(&mut self, set: &Set<'a>, mut at: usize) -> Option<()> {
        let [middle_scale, far_scale] = set.scales;
        let mut near = self.symbol_before(at, 1);
        let mut middle = self.symbol_before(at, 2);
        let mut far = self.symbol_before(at, 3);
        // A copy stays in registers: this loop is where a search spends its time.
        let mut bits = self.bits;
        // Ends because `at` grows to the size of the key.
        loop {
            let context = near + middle_scale * middle + far_scale * far;
            let symbol = set.tails.decode(context, &mut bits)?;
            if symbol == u16::from(END) {
                self.bits = bits;
                self.len = u8::try_from(at).ok()?;
                return Some(());
            }
            self.put(at, symbol)?;
            at += 1;
            (far, middle, near) = (middle, near, usize::from(symbol));
        }
    }

    /// Any symbol will do: one that no key has leads to a context that no model has.
    fn put(&mut self, at: usize, symbol: u16) -> Option<()> {
        *self.key.get_mut(at)? = symbol as u8;
        Some(())
    }

    fn symbol_before(&self, at: usize, distance: usize) -> usize {
        let symbol = at.checked_sub(distance).and_then(|index| self.key.get(index));
        usize::from(symbol.copied().unwrap_or(END))
    }
}
