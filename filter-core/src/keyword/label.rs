//! Which part of a name keywords are looked for in: takes a name and the second-level labels
//! of the section, gives the octets of one label.
//!
//! filter-core has no public suffix list (it would be larger than the keywords). The labels
//! that registries put between a country's top-level domain and the registrants' labels are
//! few and the same in many countries, so a short table of them is nearly as good: where it
//! is wrong, a label is scanned that no registrant chose, and a word is missed.

use crate::Name;

/// A generic second-level label such as `co`, padded with zeros.
pub(super) type SecondLevel = [u8; 8];

/// The label a registrant chose: left of the top-level domain or, under a top-level domain of
/// two letters, left of a label that is in `second_levels`.
pub(super) fn registrable<'n>(name: &'n Name, second_levels: &[SecondLevel]) -> Option<&'n [u8]> {
    let (mut third, mut second, mut top): (&[u8], &[u8], &[u8]) = (&[], &[], &[]);
    for label in name.labels() {
        (third, second, top) = (second, top, label);
    }
    let label = if top.len() == 2 && is_generic(second, second_levels) { third } else { second };
    (!label.is_empty()).then_some(label)
}

fn is_generic(label: &[u8], second_levels: &[SecondLevel]) -> bool {
    // Numbers of big-endian octets sort as the octets do, and compare in fewer steps.
    let number = |label: &SecondLevel| u64::from_be_bytes(*label);
    padded(label)
        .is_some_and(|label| second_levels.binary_search_by_key(&number(&label), number).is_ok())
}

/// The text in a label: all of it, or of an A-label what stands between `xn--` and the last
/// hyphen.
pub(super) fn literal_part(label: &[u8]) -> &[u8] {
    match label.strip_prefix(A_LABEL_PREFIX) {
        None => label,
        Some(encoded) => {
            let end = encoded.iter().rposition(|&octet| octet == b'-').unwrap_or(0);
            encoded.get(..end).unwrap_or(&[])
        }
    }
}

/// What an A-label begins with (RFC 5890 section 2.3.2.1).
pub(super) const A_LABEL_PREFIX: &[u8] = b"xn--";

/// The label as it stands in the section; `None` when it is too long for that.
pub(super) fn padded(label: &[u8]) -> Option<SecondLevel> {
    let mut padded = SecondLevel::default();
    padded.get_mut(..label.len())?.copy_from_slice(label);
    Some(padded)
}
