//! A name as the packed set orders it: label-reversed, in an alphabet of 40 symbols.
//!
//! `www.example.com` becomes `com` separator `example` separator `www`, so a parent is a
//! prefix of its children and a zone is one run of neighbors. The separator sorts below every
//! character of a label and the end mark below the separator; that is what lets one
//! predecessor search answer for a name and all its parents.

use crate::name::Name;

/// Marks the end of a key; sorts lowest.
pub(crate) const END: u8 = 0;
/// Separates labels; sorts below every character of a label.
pub(crate) const SEPARATOR: u8 = 1;
/// How many symbols list names are made of: end, separator, `-`, digits, `_`, letters.
pub(crate) const SYMBOL_COUNT: usize = 40;
/// Stands for an octet no list name holds; sorts above every symbol and ends the key, for
/// nothing below such a label can be listed.
pub(crate) const OTHER: u8 = SYMBOL_COUNT as u8;

/// A [`Name`] in the order of the set.
///
/// 256 bytes on the stack. Two keys compare as their symbols do, and `a`'s symbols with a
/// separator behind them are a prefix of `b`'s exactly when `a` is a parent of `b`.
///
/// ```
/// use filter_core::{Key, Name};
/// let parent = Key::new(&Name::from_text("example.com")?);
/// let child = Key::new(&Name::from_text("www.example.com")?);
/// assert!(child.symbols().starts_with(parent.symbols()));
/// assert_eq!(Key::name_of(child.symbols()).unwrap().to_string(), "www.example.com");
/// # Ok::<(), filter_core::NameError>(())
/// ```
#[derive(Clone)]
pub struct Key {
    symbols: [u8; 256],
    len: u8,
}

impl Key {
    /// The key of a name. A label with an octet outside `[a-z0-9_-]` closes the key with a
    /// symbol no list entry holds.
    pub fn new(name: &Name) -> Key {
        let mut key = Key::EMPTY;
        key.turn(name, name.label_starts(&mut [0; 128]));
        key
    }

    /// The key of the root.
    pub(crate) const EMPTY: Key = Key { symbols: [END; 256], len: 0 };

    /// Makes the empty key that of a name whose labels begin there, where it stands.
    pub(crate) fn turn(&mut self, name: &Name, starts: &[u8]) {
        let wire = name.as_wire();
        for &start in starts.iter().rev() {
            if self.len > 0 {
                self.push(SEPARATOR);
            }
            let start = usize::from(start);
            let length = wire.get(start).map_or(0, |&length| usize::from(length));
            for &octet in wire.get(start + 1..start + 1 + length).unwrap_or(&[]) {
                let symbol = SYMBOL_OF[usize::from(octet)];
                self.push(symbol);
                if symbol == OTHER {
                    return;
                }
            }
        }
    }

    /// The symbols, without an end mark: at most 254, each 1 to 39, or 40 for an octet no
    /// list name holds.
    pub fn symbols(&self) -> &[u8] {
        self.symbols.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// Whether some list could hold this name: it has a label and no foreign octet.
    pub fn is_listable(&self) -> bool {
        !self.symbols().is_empty() && !self.symbols().contains(&OTHER)
    }

    /// The name a list entry's symbols stand for, or `None` when they are not a key.
    pub fn name_of(symbols: &[u8]) -> Option<Name> {
        let mut text = [0u8; 256];
        let mut end = 0usize;
        for label in symbols.rsplit(|&symbol| symbol == SEPARATOR) {
            if end > 0 {
                *text.get_mut(end)? = b'.';
                end += 1;
            }
            for &symbol in label {
                *text.get_mut(end)? = *OCTET_OF.get(usize::from(symbol))?;
                end += 1;
            }
        }
        Name::from_text(text.get(..end)?).ok()
    }

    fn push(&mut self, symbol: u8) {
        self.symbols[usize::from(self.len)] = symbol;
        self.len = self.len.saturating_add(1);
    }
}

/// The symbol of each octet.
static SYMBOL_OF: [u8; 256] = {
    let mut table = [OTHER; 256];
    let mut symbol = SEPARATOR as usize + 1;
    while symbol < SYMBOL_COUNT {
        table[OCTET_OF[symbol] as usize] = symbol as u8;
        symbol += 1;
    }
    table
};

/// The octet of each symbol; the end mark has none and shows as a blank.
const OCTET_OF: &[u8; SYMBOL_COUNT] = b" .-0123456789_abcdefghijklmnopqrstuvwxyz";

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::new(&Name::from_text(text).unwrap())
    }

    #[test]
    fn a_zone_is_one_run_of_neighbors() {
        let sorted = ["com", "a.com", "b.a.com", "a-b.com", "a0.com", "a_.com", "aa.com"];
        for pair in sorted.windows(2) {
            assert!(key(pair[0]).symbols() < key(pair[1]).symbols(), "{pair:?}");
        }
    }

    #[test]
    fn foreign_octets_close_the_key() {
        let strange = Key::new(&Name::from_wire(b"\x03a.b\x03com\0").unwrap());
        assert!(!strange.is_listable());
        assert_eq!(strange.symbols().last(), Some(&OTHER));
        assert!(!Key::new(&Name::ROOT).is_listable());
        assert_eq!(Key::new(&Name::from_text("x.a*b.com").unwrap()).symbols().len(), 6);
    }
}
