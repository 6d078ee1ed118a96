//! What the coder knows when it codes a symbol, as the number of a context; reader and writer
//! share these, so they cannot disagree.

use super::key::SYMBOL_COUNT;

/// Contexts of a shared length: the length before it, capped, and three special ones.
pub(super) const SHARED_COUNT: usize = 64;
/// The length is part of a mark.
pub(super) const SHARED_MARK: usize = SHARED_COUNT - 3;
/// The entry is the first of a sub-block and shares with the first of the block.
pub(super) const SHARED_RESTART: usize = SHARED_COUNT - 1;
/// The entry is the second of a sub-block.
pub(super) const SHARED_ENTER: usize = SHARED_COUNT - 2;

/// The context of a shared length behind an entry that shared `before` symbols.
pub(super) fn shared(before: u8) -> usize {
    usize::from(before).min(SHARED_MARK - 1)
}

/// The context of a fork in a mark: of a first symbol behind an end mark, which no entry has.
pub(super) const FORK_MARK: usize = 0;

/// Contexts of a pair of symbols.
#[cfg(feature = "build")]
pub(super) const PAIR_COUNT: usize = SYMBOL_COUNT * SYMBOL_COUNT;

/// A symbol and the one before it: of the fork, the symbol that the predecessor has in its place
/// (always a lower one); of a first token, the fork; of a block's first name, two end marks.
///
/// `scale` is what the symbol before weighs: [`SYMBOL_COUNT`], or 0 in a small set, where it
/// costs more to tell apart than it saves.
#[inline]
pub(super) fn pair(before: usize, symbol: u8, scale: usize) -> usize {
    before * scale + usize::from(symbol)
}

/// The context of a token behind another; behind those of first tokens.
#[inline]
pub(super) fn token(before: u16, scale: usize) -> usize {
    SYMBOL_COUNT * scale.max(1) + usize::from(before)
}

/// Contexts of a value.
#[cfg(feature = "build")]
pub(super) const VALUE_COUNT: usize = VALUES_KNOWN * 4;
/// Values are numbered by falling frequency; the rare ones share a context.
const VALUES_KNOWN: usize = 64;
/// The first entry of a block.
pub(super) const VALUE_FIRST: usize = 0;

/// The value before, and how much of the name is shared: neighbors in one zone tend to come
/// from one list.
pub(super) fn value(before: u16, shared: u8) -> usize {
    let nearness = match shared {
        0..5 => 0,
        5..9 => 1,
        9..15 => 2,
        15.. => 3,
    };
    usize::from(before).min(VALUES_KNOWN - 1) * 4 + nearness
}
