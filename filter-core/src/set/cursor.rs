//! Decodes the names of one block, in order.

use super::bits::Bits;
use super::key::END;
use super::vocabulary::{ENDS, TOKEN_ROOM};
use super::{Set, contexts};

/// The longest key, with room behind it for a whole token.
const KEY_ROOM: usize = 256 + TOKEN_ROOM;

/// Stands on one entry of a block: its key, its value and the way to the next.
///
/// About 320 bytes; the set is handed in with every step, so that a cursor is cheap to copy.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    bits: Bits<'a>,
    key: [u8; KEY_ROOM],
    /// Symbols in `key`, without the end mark.
    len: u8,
    /// Symbols shared with the entry decoded before.
    shared: u8,
    value: u16,
    /// The context the next entry's shared length is read in.
    shared_context: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor on no entry yet, before the block that begins there in the payload.
    pub(super) fn before(set: &Set<'a>, block: usize) -> Option<Cursor<'a>> {
        let start = set.block_start(block)?;
        Some(Cursor {
            bits: Bits::new(set.payload, start.checked_mul(8)?),
            key: [END; KEY_ROOM],
            len: 0,
            shared: 0,
            value: 0,
            shared_context: contexts::SHARED_ENTER,
        })
    }

    /// Goes to the first entry of the block.
    pub(super) fn first(&mut self, set: &Set<'a>) -> Option<()> {
        self.tail(set, 0, 0)?;
        self.value = set.values.decode(contexts::VALUE_FIRST, &mut self.bits)?;
        Some(())
    }

    /// Stands where `other` stands, and copies no more of its key than there is.
    pub(super) fn stand_on(&mut self, other: &Cursor<'a>) {
        let Cursor { bits, key, len, shared, value, shared_context } = other;
        let used = usize::from(*len);
        if let (Some(mine), Some(theirs)) = (self.key.get_mut(..used), key.get(..used)) {
            mine.copy_from_slice(theirs);
        }
        (self.bits, self.len, self.shared) = (*bits, *len, *shared);
        (self.value, self.shared_context) = (*value, *shared_context);
    }

    /// Behind what was read last.
    pub(super) fn bits(&self) -> Bits<'a> {
        self.bits
    }

    /// Goes on at `position`: with the entry behind this one, or else with the first of another
    /// sub-block.
    pub(super) fn enter(&mut self, position: usize, is_neighbor: bool) {
        self.bits.seek(position);
        self.shared_context = match is_neighbor {
            true => contexts::SHARED_ENTER,
            false => contexts::SHARED_RESTART,
        };
    }

    /// Goes to the next entry of the sub-block.
    pub(super) fn next(&mut self, set: &Set<'a>) -> Option<()> {
        self.share(set)?;
        self.finish(set)
    }

    /// Reads how many symbols the next entry shares with this one; [`Cursor::finish`] then
    /// goes there.
    pub(super) fn share(&mut self, set: &Set<'a>) -> Option<()> {
        let shared = set.shared.decode(self.shared_context, &mut self.bits)?;
        self.shared = u8::try_from(shared).ok()?;
        self.shared_context = match self.shared_context {
            contexts::SHARED_RESTART => contexts::SHARED_ENTER,
            _ => contexts::shared(self.shared),
        };
        (self.shared <= self.len).then_some(())
    }

    /// Reads what the next entry does not share.
    pub(super) fn finish(&mut self, set: &Set<'a>) -> Option<()> {
        let at = usize::from(self.shared);
        let before = at.checked_sub(1).and_then(|index| self.key.get(index));
        let before = usize::from(before.copied().unwrap_or(END));
        let replaced = if self.shared < self.len { self.key[at] } else { END };
        let fork = contexts::pair(before, replaced, set.fork_scale);
        let symbol = set.forks.decode(fork, &mut self.bits)? as u8;
        *self.key.get_mut(at)? = symbol;
        self.tail(set, at + 1, contexts::pair(before, symbol, set.first_scale))?;
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

    /// Decodes tokens from `at` up to the one that ends. Their symbols are taken as they are:
    /// one that no key has leads to a context that no model has.
    fn tail(&mut self, set: &Set<'a>, mut at: usize, mut context: usize) -> Option<()> {
        // A copy stays in registers: this loop is where a search spends its time.
        let mut bits = self.bits;
        // Ends because `at` grows to the size of the key.
        loop {
            let mut token = set.tokens.decode(context, &mut bits)?;
            let (string, form) = match set.vocabulary.token(token) {
                Some(found) => found,
                // The escape: a token that only the last code has.
                None => {
                    token = set.tokens.decode_by_last(&mut bits)?;
                    set.vocabulary.token(token)?
                }
            };
            *self.key.get_mut(at..)?.first_chunk_mut::<TOKEN_ROOM>()? = *string;
            at += usize::from(form & (ENDS - 1));
            if form & ENDS != 0 {
                self.bits = bits;
                self.len = u8::try_from(at.checked_sub(1)?).ok()?;
                return Some(());
            }
            context = contexts::token(token, set.first_scale);
        }
    }
}
