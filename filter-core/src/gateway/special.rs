//! Names that are answered here and never asked about upstream: takes a name, gives its
//! [`Special`] answer if it has one. `blocklists/canary.txt` has the sources side by side.

use crate::name::Name;

/// What is answered for a special name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Special {
    /// The name does not exist.
    NxDomain,
    /// The name exists, without data.
    NoData,
    /// The host itself: `127.0.0.1` and `::1`.
    Loopback,
}

/// What is answered for this name, whatever the type. `keeps_resolver` is
/// [`Policy::keeps_resolver`](super::Policy::keeps_resolver).
pub(super) fn special(name: &Name, keeps_resolver: bool) -> Option<Special> {
    if let Some(&(_, special)) = ZONES.iter().find(|(zone, _)| name.is_within_wire(zone)) {
        return Some(special);
    }
    if keeps_resolver && RESOLVER_CHECKS.iter().any(|zone| name.is_within_wire(zone)) {
        return Some(Special::NxDomain);
    }
    // All rows of the long table are below it.
    if !name.is_within_wire(b"\x04arpa\0") {
        return None;
    }
    let zone = PRIVATE_REVERSE_ZONES.iter().find(|zone| name.is_within_wire(zone))?;
    // The zone itself exists, and is empty (RFC 6303 section 3).
    let is_apex = name.as_wire().len() == zone.len();
    Some(if is_apex { Special::NoData } else { Special::NxDomain })
}

/// Zones with one answer for the name and everything below it.
const ZONES: &[(&[u8], Special)] = &[
    // Without a designated resolver of our own, RFC 9462 section 4 wants no data, and nothing
    // asked upstream: clients would learn of the upstream's encrypted resolver and go around us.
    (b"\x08resolver\x04arpa\0", Special::NoData),
    // RFC 6761 sections 6.3 and 6.4.
    (b"\x09localhost\0", Special::Loopback),
    (b"\x07invalid\0", Special::NxDomain),
    // RFC 7686 section 2: asking about it would tell others who uses Tor.
    (b"\x05onion\0", Special::NxDomain),
];

/// Names that browsers and systems look up to learn whether they may go around this resolver.
const RESOLVER_CHECKS: &[&[u8]] = &[
    // Mozilla: Firefox does not turn on DNS over HTTPS by itself.
    b"\x13use-application-dns\x03net\0",
    // Apple: iCloud Private Relay tells its user that it is off on this network.
    b"\x04mask\x06icloud\x03com\0",
    b"\x07mask-h2\x06icloud\x03com\0",
];

/// The zones of addresses that mean something in one network only (RFC 6303 section 4).
const PRIVATE_REVERSE_ZONES: &[&[u8]] = &[
    b"\x0210\x07in-addr\x04arpa\0",
    b"\x0216\x03172\x07in-addr\x04arpa\0",
    b"\x0217\x03172\x07in-addr\x04arpa\0",
    b"\x0218\x03172\x07in-addr\x04arpa\0",
    b"\x0219\x03172\x07in-addr\x04arpa\0",
    b"\x0220\x03172\x07in-addr\x04arpa\0",
    b"\x0221\x03172\x07in-addr\x04arpa\0",
    b"\x0222\x03172\x07in-addr\x04arpa\0",
    b"\x0223\x03172\x07in-addr\x04arpa\0",
    b"\x0224\x03172\x07in-addr\x04arpa\0",
    b"\x0225\x03172\x07in-addr\x04arpa\0",
    b"\x0226\x03172\x07in-addr\x04arpa\0",
    b"\x0227\x03172\x07in-addr\x04arpa\0",
    b"\x0228\x03172\x07in-addr\x04arpa\0",
    b"\x0229\x03172\x07in-addr\x04arpa\0",
    b"\x0230\x03172\x07in-addr\x04arpa\0",
    b"\x0231\x03172\x07in-addr\x04arpa\0",
    b"\x03168\x03192\x07in-addr\x04arpa\0",
    b"\x010\x07in-addr\x04arpa\0",
    b"\x03127\x07in-addr\x04arpa\0",
    b"\x03254\x03169\x07in-addr\x04arpa\0",
    b"\x012\x010\x03192\x07in-addr\x04arpa\0",
    b"\x03100\x0251\x03198\x07in-addr\x04arpa\0",
    b"\x03113\x010\x03203\x07in-addr\x04arpa\0",
    b"\x03255\x03255\x03255\x03255\x07in-addr\x04arpa\0",
    // The unspecified address and the loopback address.
    b"\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x03ip6\x04arpa\0",
    b"\x011\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x03ip6\x04arpa\0",
    // Locally assigned, link-local, and documentation.
    b"\x01d\x01f\x03ip6\x04arpa\0",
    b"\x018\x01e\x01f\x03ip6\x04arpa\0",
    b"\x019\x01e\x01f\x03ip6\x04arpa\0",
    b"\x01a\x01e\x01f\x03ip6\x04arpa\0",
    b"\x01b\x01e\x01f\x03ip6\x04arpa\0",
    b"\x018\x01b\x01d\x010\x011\x010\x010\x012\x03ip6\x04arpa\0",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Option<Special> {
        special(&Name::from_text(text).unwrap(), true)
    }

    #[test]
    fn rows_are_names() {
        let zones = ZONES.iter().map(|(zone, _)| zone);
        for zone in zones.chain(RESOLVER_CHECKS).chain(PRIVATE_REVERSE_ZONES) {
            let name = Name::from_wire(zone).unwrap();
            assert_eq!(name.as_wire(), *zone, "{name}");
        }
    }

    #[test]
    fn zones_cover_what_is_below_them_and_nothing_beside() {
        assert_eq!(answer("_dns.resolver.arpa"), Some(Special::NoData));
        assert_eq!(answer("www.localhost"), Some(Special::Loopback));
        assert_eq!(answer("invalid"), Some(Special::NxDomain));
        assert_eq!(answer("10.in-addr.arpa"), Some(Special::NoData));
        assert_eq!(answer("4.3.2.10.in-addr.arpa"), Some(Special::NxDomain));
        assert_eq!(answer("110.in-addr.arpa"), None);
        assert_eq!(answer("32.172.in-addr.arpa"), None);
        assert_eq!(answer("notlocalhost"), None);
        assert_eq!(answer("in-addr.arpa"), None);
        assert_eq!(answer("icloud.com"), None);
        // A label that ends like a zone is not in it.
        assert_eq!(answer("a\\009localhost"), None);
        assert_eq!(answer("."), None);
    }

    #[test]
    fn resolver_checks_are_a_matter_of_policy() {
        let name = Name::from_text("mask.icloud.com").unwrap();
        assert_eq!(special(&name, true), Some(Special::NxDomain));
        assert_eq!(special(&name, false), None);
    }
}
