//! What the coder knows when it codes a symbol, as the number of a context; reader and writer
//! share these, so they cannot disagree.

use super::key::SYMBOL_COUNT;

/// Contexts of a shared length: the length before it, capped, and two special ones.
pub(super) const SHARED_COUNT: usize = 64;
/// The entry is a restart and shares with the restart before.
pub(super) const SHARED_RESTART: usize = SHARED_COUNT - 1;
/// The entry is the first of a sub-block.
pub(super) const SHARED_ENTER: usize = SHARED_COUNT - 2;

/// The context of a shared length behind an entry that shared `before` symbols.
pub(super) fn shared(before: u8) -> usize {
    usize::from(before).min(SHARED_ENTER - 1)
}

/// Contexts of the first symbol that differs.
#[cfg(feature = "build")]
pub(super) const FORK_COUNT: usize = SYMBOL_COUNT * SYMBOL_COUNT;

/// The symbol before the fork, and the one that the predecessor has in its place (always a
/// lower one).
pub(super) fn fork(before: usize, replaced: u8) -> usize {
    before * SYMBOL_COUNT + usize::from(replaced)
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
