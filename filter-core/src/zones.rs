//! Tells most names from the few zones a small set has names in, without a search.

use crate::set::SetLayout;
use crate::set::key::SEPARATOR;

/// A sketch of the zones, by their last two labels, in which a small set has names: most
/// queries need no search then. 128 octets; wrong only in saying that a zone may hold some.
#[derive(Clone, Copy)]
pub(crate) struct Zones([u32; 32]);

impl Zones {
    pub(crate) const NONE: Zones = Zones([0; 32]);
    const ALL: Zones = Zones([u32::MAX; 32]);

    /// More names than this would fill the sketch, and take long to decode.
    const NAMES_MAX: u32 = 1024;

    /// Decodes the whole set once, when an image is opened.
    pub(crate) fn of(layout: &SetLayout, section: &[u8]) -> Zones {
        if layout.entry_count() > Zones::NAMES_MAX {
            return Zones::ALL;
        }
        let Some(set) = layout.view(section) else { return Zones::ALL };
        let mut zones = Zones::NONE;
        let mut entries = set.entries();
        let mut count = 0;
        while let Some((key, _)) = entries.advance() {
            let Some((word, bit)) = Zones::zone(key) else { return Zones::ALL };
            zones.0[usize::from(word & 31)] |= 1 << (bit & 31);
            count += 1;
        }
        if count == layout.entry_count() { zones } else { Zones::ALL }
    }

    /// Whether the set may hold the name with this key, or a parent of it.
    pub(crate) fn may_hold(&self, key: &[u8]) -> bool {
        Zones::zone(key)
            .is_none_or(|(word, bit)| self.0[usize::from(word & 31)] >> (bit & 31) & 1 == 1)
    }

    /// The bit for the last two labels of a key, as its word and its place there, both below
    /// 32; `None` for a single label.
    ///
    /// The hash is FNV-1a (Fowler, Noll, Vo), folded.
    fn zone(key: &[u8]) -> Option<(u8, u8)> {
        let mut hash = 0x811C_9DC5u32;
        let mut separators = 0;
        for &symbol in key {
            separators += u8::from(symbol == SEPARATOR);
            if separators == 2 {
                break;
            }
            hash = (hash ^ u32::from(symbol)).wrapping_mul(0x0100_0193);
        }
        (separators > 0).then_some(((hash >> 27) as u8, (hash >> 22) as u8 & 31))
    }
}
