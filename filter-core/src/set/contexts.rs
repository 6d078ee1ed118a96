//! What the coder knows when it codes a symbol, as the number of a context; reader and writer
//! share these, so they cannot disagree.

use core::cmp::Ordering;

use super::key::SYMBOL_COUNT;

/// Contexts of a shared length: for each style three rows of the length before it, capped.
#[cfg(feature = "build")]
pub(super) const SHARED_COUNT: usize = STYLE_COUNT * 3 * SHARED_ROW;
const SHARED_ROW: usize = 64;
/// The entry is the second of a sub-block.
pub(super) const SHARED_ENTER: usize = SHARED_ROW - 1;
/// Longer ones share a context.
const SHARED_KNOWN: usize = SHARED_ROW - 2;

/// The context of a shared length behind an entry of this style that shared `before` symbols;
/// `earlier` is the context that one was read in. Whether lengths rise or fall tells a zone's
/// end from its start.
#[inline]
pub(super) fn shared(before: u8, style: u8, earlier: usize) -> usize {
    let known = usize::from(before).min(SHARED_KNOWN);
    let row = match known.cmp(&(earlier % SHARED_ROW)) {
        Ordering::Less => 0,
        Ordering::Equal => 1,
        Ordering::Greater => 2,
    };
    (3 * usize::from(style & 1) + row) * SHARED_ROW + known
}

/// The most styles a set can have, names that people make and names that machines make, say.
/// Where there are two, a shared length is doubled and the style added.
pub(super) const STYLE_COUNT: usize = 2;

/// The context of a fork at the head of a sub-block: a first symbol that replaces an end mark,
/// which no fork does.
pub(super) const FORK_ENTER: usize = 0;

/// Contexts of a pair of symbols.
#[cfg(feature = "build")]
pub(super) const PAIR_COUNT: usize = SYMBOL_COUNT * SYMBOL_COUNT;

/// A symbol and the one before it: of the fork, the symbol that the predecessor has in its place
/// (always a lower one); of a first token, the fork; of a block's first name, two end marks.
///
/// `scale` is what the symbol before weighs: [`SYMBOL_COUNT`], or 0 in a small set, where it
/// costs more to tell apart than it saves.
#[inline]
pub(super) fn pair(before: u8, symbol: u8, scale: usize) -> usize {
    usize::from(before) * scale + usize::from(symbol)
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
#[inline]
pub(super) fn value(before: u16, shared: u8) -> usize {
    let nearness = match shared {
        0..5 => 0,
        5..9 => 1,
        9..15 => 2,
        15.. => 3,
    };
    usize::from(before).min(VALUES_KNOWN - 1) * 4 + nearness
}
