//! Who is answered: takes the networks of the command line, tells of a client whether it is in one.
//!
//! Whoever is not gets no answer at all. A refusal would go to whatever address a query claims to
//! come from, and so to a stranger whom somebody else wants to flood; and it would tell everybody
//! who looks that there is a server here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use filter_core::policy::ClientMatch;

/// This machine, and the networks no route of the Internet leads to: RFC 1122 section 3.2.1.3, RFC
/// 1918, RFC 3927, RFC 4193, RFC 4291 sections 2.5.3 and 2.5.6.
const NEARBY: [ClientMatch; 8] = [
    network(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
    network(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)), 8),
    network(IpAddr::V4(Ipv4Addr::new(172, 16, 0, 0)), 12),
    network(IpAddr::V4(Ipv4Addr::new(192, 168, 0, 0)), 16),
    network(IpAddr::V4(Ipv4Addr::new(169, 254, 0, 0)), 16),
    network(IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
    network(IpAddr::V6(Ipv6Addr::new(0xFC00, 0, 0, 0, 0, 0, 0, 0)), 7),
    network(IpAddr::V6(Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 0)), 10),
];

const fn network(address: IpAddr, len: u8) -> ClientMatch {
    ClientMatch::Network { address, len }
}

/// The networks that are answered.
#[derive(Clone)]
pub(super) enum Access {
    /// All of them: nobody but this machine reaches it.
    Everybody,
    Of(Vec<ClientMatch>),
}

impl Access {
    /// The networks that were named; without any, those nearby if others reach these addresses.
    pub(super) fn new(named: &[ClientMatch], listen: &[SocketAddr]) -> Access {
        let is_alone = listen.iter().all(|address| address.ip().to_canonical().is_loopback());
        match named {
            [] if is_alone => Access::Everybody,
            [] => Access::Of(NEARBY.to_vec()),
            named => Access::Of(named.to_vec()),
        }
    }

    pub(super) fn has(&self, address: IpAddr) -> bool {
        match self {
            Access::Everybody => true,
            Access::Of(networks) => {
                let address = address.to_canonical();
                networks.iter().any(|network| network.is(address, None))
            }
        }
    }
}

/// A network of the command line: an address, and how many of its bits count.
///
/// # Errors
/// When it is none.
pub fn prefix(text: &str) -> Result<ClientMatch, String> {
    let why = "is no network: write 192.0.2.0/24, 2001:db8::/32, or an address";
    let (address, len) = text.split_once('/').map_or((text, None), |(a, len)| (a, Some(len)));
    let address: IpAddr = address.parse().map_err(|_| why)?;
    let len_max = if address.is_ipv4() { 32 } else { 128 };
    let len = len.map_or(Ok(len_max), str::parse).map_err(|_| why)?;
    if len > len_max {
        return Err(format!("has more bits than an address: at most /{len_max}"));
    }
    Ok(network(address, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_not_answered_unless_they_are_named() {
        let at = |listen: &str| [listen.parse().unwrap()];
        let has = |access: &Access, address: &str| access.has(address.parse().unwrap());
        let nearby = Access::new(&[], &at("0.0.0.0:53"));
        for address in ["127.0.0.9", "192.168.1.7", "10.0.0.1", "172.31.0.1", "169.254.3.4"] {
            assert!(has(&nearby, address), "{address}");
        }
        for address in ["::1", "fd00::7", "fe80::1", "::ffff:10.0.0.1"] {
            assert!(has(&nearby, address), "{address}");
        }
        for address in ["198.51.100.1", "172.32.0.1", "2001:db8::1", "::ffff:198.51.100.1"] {
            assert!(!has(&nearby, address), "{address}");
        }
        assert!(has(&Access::new(&[], &at("127.0.0.1:53")), "198.51.100.1"));
        let named = Access::new(&[prefix("2001:db8::/32").unwrap()], &at("[::]:53"));
        assert!(has(&named, "2001:db8::1") && !has(&named, "127.0.0.1"));
    }

    #[test]
    fn networks_are_read() {
        for text in ["192.0.2.0/24", "192.0.2.1", "2001:db8::/32", "0.0.0.0/0"] {
            assert!(prefix(text).is_ok(), "{text}");
        }
        for text in ["192.0.2.0/33", "192.0.2.0/", "2001:db8::/129", "lan", ""] {
            assert!(prefix(text).is_err(), "{text}");
        }
    }
}
