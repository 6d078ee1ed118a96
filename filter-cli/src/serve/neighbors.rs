//! Network cards of clients: takes an address, gives what the system's table of neighbors says. Linux
//! shows that of IPv4 in a file; that of IPv6 it does not.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

const TABLE: &str = "/proc/net/arp";

/// A copy of the table.
#[derive(Default)]
pub(super) struct Neighbors {
    cards: HashMap<Ipv4Addr, [u8; 6]>,
    read: Option<Instant>,
}

/// After this time the table may say something else about an address.
const AGE_MAX: Duration = Duration::from_secs(10);
/// Whoever asks from an unknown address has just come: but the table is not read all the time.
const AGE_MIN: Duration = Duration::from_millis(200);

impl Neighbors {
    /// The card of an address.
    pub(super) fn card(&mut self, address: IpAddr, now: Instant) -> Option<[u8; 6]> {
        let IpAddr::V4(address) = address.to_canonical() else { return None };
        let known = self.cards.get(&address).copied();
        let age_max = if known.is_some() { AGE_MAX } else { AGE_MIN };
        if self.read.is_some_and(|read| now.duration_since(read) < age_max) {
            return known;
        }
        self.read = Some(now);
        self.cards = fs::read_to_string(TABLE).map_or_else(|_| HashMap::new(), |text| parse(&text));
        self.cards.get(&address).copied()
    }
}

/// Columns: address, kind of hardware, flags, card, mask, device. A neighbor that was not found has
/// flags 0x0.
fn parse(table: &str) -> HashMap<Ipv4Addr, [u8; 6]> {
    let row = |line: &str| {
        let mut columns = line.split_ascii_whitespace();
        let address = columns.next()?.parse().ok()?;
        let flags = columns.nth(1)?;
        let card: Option<Vec<u8>> =
            columns.next()?.split(':').map(|octet| u8::from_str_radix(octet, 16).ok()).collect();
        (flags != "0x0").then_some((address, card?.try_into().ok()?))
    };
    table.lines().skip(1).filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read() {
        let table = "\
IP address       HW type     Flags       HW address            Mask     Device
192.168.1.7      0x1         0x2         02:00:5e:10:00:01     *        br-lan
192.168.1.8      0x1         0x0         00:00:00:00:00:00     *        br-lan
";
        let cards = parse(table);
        assert_eq!(cards.len(), 1);
        assert_eq!(cards[&Ipv4Addr::new(192, 168, 1, 7)], [2, 0, 0x5E, 0x10, 0, 1]);
    }
}
