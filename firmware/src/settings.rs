//! What the owner has set: takes a text, gives [`Settings`].
//!
//! The text lies in flash, in a region of its own, and ends where it does or at the first octet
//! that text does not have, which is what empty flash is full of. A line is a word and a value:
//!
//! | line | sets |
//! |---|---|
//! | `upstream ADDRESS[:PORT]` | a server to ask, first choice first, up to eight; else those DHCP names |
//! | `address ADDRESS/LENGTH [ROUTER]` | the gateway's own address; else DHCP gives one |
//! | `time ADDRESS` | a server that tells the time by NTP; else the router is asked, and the servers DHCP names |
//! | `lease FIRST-LAST` | addresses to give out to the room, of the network of an `address` above this line; else none are |
//! | `captive-portal URL` | what clients that were given an address are told of a page of the room's (RFC 8910) |
//! | `operator TEXT` | who runs this place, to be shown with the reason of a block |
//! | `country CODE` | whose helpline visitors of the block page are shown, as in ISO 3166 |
//! | `helpline NUMBER, NAME` | another one |
//! | `pause allowed` | a tap on the button lets everything through for five minutes; else it does nothing |
//! | `without-image closed\|open` | whether nothing is answered while there is no sound image, which is usual, or everything let through |
//!
//! Empty lines and those that begin with `#` say nothing. One line that is not understood makes all
//! of it void: half a configuration is none.

use core::net::{Ipv4Addr, SocketAddrV4};

use embassy_net::{DhcpConfig, Ipv4Cidr, StaticConfigV4};
use heapless::{String, Vec};

use crate::pages::helplines::OwnHelpline;

/// Servers the engine takes.
const UPSTREAMS_MAX: usize = 8;
/// Octets of an operator's name that are shown.
const OPERATOR_LEN_MAX: usize = 48;
const DNS_PORT: u16 = 53;

/// What the owner has set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whom to ask; those DHCP names when there are none.
    pub upstreams: Vec<SocketAddrV4, UPSTREAMS_MAX>,
    /// The gateway's own address and the router of its network; from DHCP when there is none.
    pub address: Option<(Ipv4Cidr, Option<Ipv4Addr>)>,
    /// Who tells the time; the network's own servers when there is none.
    pub time: Option<Ipv4Addr>,
    /// The first and the last of the addresses to give out, if any are.
    pub lease: Option<(Ipv4Addr, Ipv4Addr)>,
    /// The address of a page that clients are told of; none when it is empty.
    pub captive_portal: String<64>,
    /// Who runs this place.
    pub operator: String<OPERATOR_LEN_MAX>,
    /// Where this place is, as in ISO 3166; empty when that is not said.
    pub country: String<2>,
    /// The helpline that visitors are shown; that of the country when there is none.
    pub helpline: Option<OwnHelpline>,
    /// Whether whoever is at the button may pause the filter.
    pub may_pause: bool,
    /// Whether everything is let through while there is no sound image.
    pub is_open_without_image: bool,
}

impl Settings {
    /// Reads settings out of a region of flash.
    ///
    /// # Errors
    /// The number of a line that is not understood.
    pub fn read(region: &[u8]) -> Result<Settings, usize> {
        let is_text = |octet: &u8| !matches!(octet, 0 | 0xFF);
        let end = region.iter().position(|octet| !is_text(octet)).unwrap_or(region.len());
        let octets = region.get(..end).unwrap_or_default();
        let mut settings = Settings::default();
        for (index, line) in octets.split(|&octet| octet == b'\n').enumerate() {
            let line = str::from_utf8(line).map_err(|_| index + 1)?.trim();
            settings.set(line).ok_or(index + 1)?;
        }
        Ok(settings)
    }

    /// What the network stack goes by.
    pub fn network(&self) -> embassy_net::Config {
        match self.address {
            Some((address, gateway)) => embassy_net::Config::ipv4_static(StaticConfigV4 {
                address,
                gateway,
                dns_servers: Vec::new(),
            }),
            None => embassy_net::Config::dhcpv4(DhcpConfig::default()),
        }
    }

    /// Takes in one line; `None` when it is not understood.
    fn set(&mut self, line: &str) -> Option<()> {
        if line.is_empty() || line.starts_with('#') {
            return Some(());
        }
        let (word, value) = line.split_once(' ')?;
        let value = value.trim_start();
        match word {
            "upstream" => self.upstreams.push(upstream(value)?).ok()?,
            "address" => self.address = Some(address(value)?),
            "time" => self.time = Some(value.parse().ok()?),
            "lease" => self.lease = Some(self.range(value)?),
            "captive-portal" => self.captive_portal = String::try_from(value).ok()?,
            "country" => self.country = country(value)?,
            "helpline" => self.helpline = Some(OwnHelpline::read(value)?),
            "operator" => {
                let end = value.floor_char_boundary(OPERATOR_LEN_MAX);
                self.operator = String::try_from(value.get(..end)?).ok()?;
            }
            "pause" => self.may_pause = (value == "allowed").then_some(true)?,
            "without-image" => {
                self.is_open_without_image = match value {
                    "open" => true,
                    "closed" => false,
                    _ => return None,
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// Addresses of our network that are nobody's yet.
    fn range(&self, text: &str) -> Option<(Ipv4Addr, Ipv4Addr)> {
        let (network, router) = self.address?;
        let (first, last) = text.split_once('-')?;
        let (first, last): (Ipv4Addr, Ipv4Addr) = (first.parse().ok()?, last.parse().ok()?);
        let broadcast =
            Ipv4Addr::from_bits(network.address().to_bits() | !network.netmask().to_bits());
        let ours =
            [Some(network.address()), Some(network.network().address()), Some(broadcast), router];
        let is_fit = first <= last
            && network.contains_addr(&first)
            && network.contains_addr(&last)
            && !ours.into_iter().flatten().any(|address| (first..=last).contains(&address));
        is_fit.then_some((first, last))
    }
}

fn upstream(text: &str) -> Option<SocketAddrV4> {
    let at_53 = || Some(SocketAddrV4::new(text.parse().ok()?, DNS_PORT));
    text.parse().ok().or_else(at_53)
}

fn country(text: &str) -> Option<String<2>> {
    let is_code = text.len() == 2 && text.bytes().all(|octet| octet.is_ascii_uppercase());
    String::try_from(text).ok().filter(|_| is_code)
}

fn address(text: &str) -> Option<(Ipv4Cidr, Option<Ipv4Addr>)> {
    let (network, router) = match text.split_once(' ') {
        Some((network, router)) => (network, Some(router.trim_start().parse().ok()?)),
        None => (text, None),
    };
    let (address, len) = network.split_once('/')?;
    let len = len.parse().ok().filter(|&len| len <= 32)?;
    Some((Ipv4Cidr::new(address.parse().ok()?, len), router))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_set_what_they_say_and_empty_flash_says_nothing() {
        let text = b"# a school\nupstream 192.0.2.53\nupstream 192.0.2.54:5300\n\
            address 10.0.0.2/24 10.0.0.1\ntime 192.0.2.123\n\
            lease 10.0.0.100-10.0.0.199\ncaptive-portal https://gardefou.example/api\n\
            country KE\nhelpline 555 0100, Line of Example\n\
            operator School of Example\npause allowed\nwithout-image open\n\xff\xff";
        let settings = Settings::read(text).unwrap();
        let upstreams = ["192.0.2.53:53", "192.0.2.54:5300"].map(|text| text.parse().unwrap());
        assert_eq!(settings.upstreams, upstreams);
        let (network, router) = settings.address.unwrap();
        assert_eq!((network.address(), network.prefix_len()), ([10, 0, 0, 2].into(), 24));
        assert_eq!(router, Some([10, 0, 0, 1].into()));
        assert_eq!(settings.time, Some([192, 0, 2, 123].into()));
        assert_eq!(settings.lease, Some(([10, 0, 0, 100].into(), [10, 0, 0, 199].into())));
        assert_eq!(settings.captive_portal, "https://gardefou.example/api");
        assert_eq!((&*settings.country, &*settings.helpline.unwrap().number), ("KE", "555 0100"));
        assert_eq!(settings.operator, "School of Example");
        assert!(settings.may_pause && settings.is_open_without_image);
        for nothing in [&b""[..], &[0xFF; 64], &[0; 64]] {
            assert_eq!(Settings::read(nothing), Ok(Settings::default()));
        }
    }

    #[test]
    fn addresses_to_give_out_are_of_our_network_and_nobodys() {
        let read = |range: &str| {
            let text = std::format!("address 10.0.0.2/24 10.0.0.1\nlease {range}");
            Settings::read(text.as_bytes())
        };
        assert!(read("10.0.0.3-10.0.0.254").is_ok());
        for range in [
            "10.0.0.9",
            "10.0.0.9-10.0.0.8",
            "10.0.0.1-10.0.0.9",
            "10.0.0.2-10.0.0.9",
            "10.0.0.9-10.0.0.255",
            "10.0.0.9-10.0.1.9",
        ] {
            assert_eq!(read(range), Err(2), "{range}");
        }
        assert_eq!(Settings::read(b"lease 10.0.0.3-10.0.0.9\naddress 10.0.0.2/24"), Err(1));
    }

    #[test]
    fn a_line_that_is_not_understood_is_named() {
        for line in [
            "upstream",
            "upstream dns.example",
            "address 10.0.0.2",
            "address 10.0.0.2/33",
            "time noon",
            "country Kenya",
            "helpline call me",
            "pause perhaps",
            "without-image perhaps",
            "color blue",
        ] {
            let text = std::format!("operator Example\n{line}\n");
            assert_eq!(Settings::read(text.as_bytes()), Err(2), "{line}");
        }
        assert_eq!(Settings::read(b"operator \xE9\n"), Err(1));
    }
}
