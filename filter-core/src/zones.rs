//! Tells most names from the few zones a small set has names in, without a search.

use crate::set::SetLayout;
use crate::set::key::Key;
use crate::suffix::SuffixHashes;

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
            let zone =
                Key::name_of(key).and_then(|name| SuffixHashes::of(&name, &mut [0; 128]).nth(1));
            let Some(zone) = zone else { return Zones::ALL };
            let (word, bit) = Zones::place(zone);
            zones.0[word] |= 1 << bit;
            count += 1;
        }
        if count == layout.entry_count() { zones } else { Zones::ALL }
    }

    /// Whether the set may hold a name in the zone: the [hash](SuffixHashes) of the last two
    /// labels.
    pub(crate) fn may_hold(&self, zone: u64) -> bool {
        let (word, bit) = Zones::place(zone);
        self.0[word] >> bit & 1 == 1
    }

    /// A word and a bit in it, both below 32.
    fn place(zone: u64) -> (usize, u32) {
        ((zone >> 59) as usize, (zone >> 54) as u32 & 31)
    }
}
