//! Which client has which profile: takes what is known of a client, tells whether it is meant.

use core::net::IpAddr;

use crate::octets::Octets;

/// What a client is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientMatch {
    /// Its address is in a network: the first `len` bits are those of `address`.
    Network {
        /// An address of the network.
        address: IpAddr,
        /// Bits that count; all of them for one client.
        len: u8,
    },
    /// Its network card has this address. Only those who share a network with the client know it.
    Mac([u8; 6]),
}

impl ClientMatch {
    /// Whether a client is meant.
    pub fn is(&self, address: IpAddr, mac: Option<[u8; 6]>) -> bool {
        match *self {
            ClientMatch::Mac(own) => mac == Some(own),
            ClientMatch::Network { address: network, len } => match (network, address) {
                (IpAddr::V4(network), IpAddr::V4(address)) => (network.to_bits()
                    ^ address.to_bits())
                .checked_shr(32u32.saturating_sub(len.into()))
                .is_none_or(|rest| rest == 0),
                (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits()
                    ^ address.to_bits())
                .checked_shr(128u32.saturating_sub(len.into()))
                .is_none_or(|rest| rest == 0),
                _ => false,
            },
        }
    }

    /// How much is known: whoever is meant by several has the profile of the one that knows most.
    #[cfg(feature = "build")]
    pub(super) fn rank(&self) -> u8 {
        match self {
            ClientMatch::Mac(_) => u8::MAX,
            ClientMatch::Network { len, .. } => *len,
        }
    }

    /// 4, 6 or 48 (u8) for an IPv4 or IPv6 network and a network card, the bits that count (u8), and
    /// the octets of the address.
    pub(super) fn read(octets: &mut Octets<'_>) -> Option<ClientMatch> {
        let (kind, len) = (octets.u8()?, octets.u8()?);
        let (address, len_max) = match kind {
            4 => (IpAddr::from(octets.array::<4>()?), 32),
            6 => (IpAddr::from(octets.array::<16>()?), 128),
            48 => return Some(ClientMatch::Mac(octets.array()?)),
            _ => return None,
        };
        (len <= len_max).then_some(ClientMatch::Network { address, len })
    }

    #[cfg(feature = "build")]
    pub(super) fn write(&self, octets: &mut std::vec::Vec<u8>) {
        match self {
            ClientMatch::Network { address: IpAddr::V4(address), len } => {
                octets.extend([4, *len]);
                octets.extend(address.octets());
            }
            ClientMatch::Network { address: IpAddr::V6(address), len } => {
                octets.extend([6, *len]);
                octets.extend(address.octets());
            }
            ClientMatch::Mac(mac) => {
                octets.extend([48, 48]);
                octets.extend(mac);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_bits_as_are_said_count() {
        let network =
            |address: &str, len| ClientMatch::Network { address: address.parse().unwrap(), len };
        let is = |network: ClientMatch, address: &str| network.is(address.parse().unwrap(), None);
        assert!(is(network("10.1.2.0", 23), "10.1.3.255"));
        assert!(!is(network("10.1.2.0", 23), "10.1.4.0"));
        assert!(
            is(network("10.1.2.3", 32), "10.1.2.3") && !is(network("10.1.2.3", 32), "10.1.2.2")
        );
        assert!(is(network("10.1.2.3", 0), "192.0.2.1") && !is(network("10.1.2.3", 0), "::1"));
        assert!(is(network("2001:db8::", 64), "2001:db8::7"));
        assert!(!is(network("2001:db8::", 64), "2001:db8:0:1::7"));
        assert!(is(network("::", 0), "2001:db8::7"));
        let card = ClientMatch::Mac([2, 0, 0, 0, 0, 1]);
        assert!(card.is([10, 0, 0, 1].into(), Some([2, 0, 0, 0, 0, 1])));
        assert!(!card.is([10, 0, 0, 1].into(), None));
    }
}
