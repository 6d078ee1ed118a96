//! Who has which address: a table of a fixed size, and [`Pool`], what is done with it.
//!
//! An offer is no lease. It only keeps clients that begin together from being offered the same
//! address, and gives way to whoever needs its place or its address; a lease gives way to nobody
//! before it ends. So a flood of questions takes nothing away, and one of requests at most what is
//! free, until its leases end.
//!
//! All of it is forgotten with the power. An address is chosen by the MAC address, so that a client
//! that comes back gets the one it had, and others do not.

use core::net::Ipv4Addr;

use heapless::Vec;

/// Clients of a room.
pub(super) const COUNT: usize = 64;
/// How long an address is a client's, unless it asks again.
pub(super) const LEASE_S: u32 = 3600;
/// How long a client may take to say yes.
const OFFER_S: u32 = 10;
/// How long an address is left alone that somebody uses whom we have not given it.
const DECLINED_S: u32 = 600;
/// No client has this address.
const NOBODY: Mac = [0; 6];

/// A hardware address.
pub(super) type Mac = [u8; 6];
/// All there are, in the order in which they were given.
pub(super) type Leases = Vec<Lease, COUNT>;

/// An address and whose it is.
#[derive(Clone, Copy)]
pub(super) struct Lease {
    mac: Mac,
    address: Ipv4Addr,
    /// By the seconds since the board began.
    until_s: u32,
    is_offer: bool,
}

/// The addresses to give out.
pub(super) struct Pool<'a> {
    pub(super) first: Ipv4Addr,
    pub(super) last: Ipv4Addr,
    pub(super) leases: &'a mut Leases,
}

impl Pool<'_> {
    /// An address for a client: the one it has, the one it wishes, or a free one.
    pub(super) fn offer(
        &mut self,
        mac: Mac,
        wish: Option<Ipv4Addr>,
        now_s: u32,
    ) -> Option<Ipv4Addr> {
        self.forget_ended(now_s);
        if let Some(lease) = self.leases.iter_mut().find(|lease| lease.mac == mac) {
            if lease.is_offer {
                lease.until_s = now_s + OFFER_S;
            }
            return Some(lease.address);
        }
        let wished = wish.filter(|address| self.has(*address) && self.is_free(*address));
        let address = match wished.or_else(|| self.free(mac)) {
            Some(address) => address,
            None => self.take_back_oldest_offer()?,
        };
        self.push(Lease { mac, address, until_s: now_s + OFFER_S, is_offer: true })?;
        Some(address)
    }

    /// Gives an address to a client, or leaves it to it for longer; `false` when it cannot have it.
    pub(super) fn lease(&mut self, mac: Mac, address: Ipv4Addr, now_s: u32) -> bool {
        self.forget_ended(now_s);
        let is_others =
            |lease: &Lease| lease.address == address && lease.mac != mac && !lease.is_offer;
        if !self.has(address) || self.leases.iter().any(is_others) {
            return false;
        }
        self.leases.retain(|lease| lease.mac != mac && lease.address != address);
        self.push(Lease { mac, address, until_s: now_s + LEASE_S, is_offer: false }).is_some()
    }

    /// Takes back what a client has.
    pub(super) fn release(&mut self, mac: Mac) {
        self.leases.retain(|lease| lease.mac != mac);
    }

    /// Leaves an address alone that a client found in use.
    pub(super) fn decline(&mut self, mac: Mac, now_s: u32) {
        if let Some(lease) = self.leases.iter_mut().find(|lease| lease.mac == mac) {
            *lease = Lease { mac: NOBODY, until_s: now_s + DECLINED_S, is_offer: false, ..*lease };
        }
    }

    fn has(&self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&address)
    }

    fn is_free(&self, address: Ipv4Addr) -> bool {
        self.leases.iter().all(|lease| lease.address != address)
    }

    /// A free address, at or after the one that is this client's by its MAC address. Looks at one more
    /// than can be taken.
    fn free(&self, mac: Mac) -> Option<Ipv4Addr> {
        let (first, last) = (self.first.to_bits(), self.last.to_bits());
        let count = last.wrapping_sub(first).saturating_add(1);
        // Fowler, Noll and Vo's hash.
        let hash = |hash: u32, octet: &u8| (hash ^ u32::from(*octet)).wrapping_mul(0x0100_0193);
        let start = mac.iter().fold(0x811C_9DC5, hash) % count;
        (0..count.min(COUNT as u32 + 1))
            .map(|step| {
                Ipv4Addr::from_bits(
                    first + ((u64::from(start) + u64::from(step)) % u64::from(count)) as u32,
                )
            })
            .find(|address| self.is_free(*address))
    }

    fn forget_ended(&mut self, now_s: u32) {
        self.leases.retain(|lease| lease.until_s > now_s);
    }

    /// Adds one; `None` when all places are leases.
    fn push(&mut self, lease: Lease) -> Option<()> {
        if self.leases.is_full() {
            self.take_back_oldest_offer()?;
        }
        self.leases.push(lease).ok()
    }

    fn take_back_oldest_offer(&mut self) -> Option<Ipv4Addr> {
        let oldest = self.leases.iter().position(|lease| lease.is_offer)?;
        Some(self.leases.remove(oldest).address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, last)
    }

    fn mac(number: u16) -> Mac {
        let [high, low] = number.to_be_bytes();
        [2, 0, 0, 0, high, low]
    }

    fn pool(leases: &mut Leases, first: u8, last: u8) -> Pool<'_> {
        Pool { first: address(first), last: address(last), leases }
    }

    #[test]
    fn a_client_keeps_its_address_and_others_get_others() {
        let mut leases = Leases::new();
        let mut pool = pool(&mut leases, 100, 199);
        let one = pool.offer(mac(1), None, 0).unwrap();
        let two = pool.offer(mac(2), Some(one), 0).unwrap();
        assert_ne!(one, two);
        assert_eq!(pool.offer(mac(1), Some(two), 1), Some(one), "asked again");
        assert!(pool.lease(mac(1), one, 1) && pool.lease(mac(2), two, 1));
        assert!(!pool.lease(mac(2), one, 2), "it is another's");
        assert!(pool.lease(mac(2), two, LEASE_S), "for longer");
        assert_eq!(pool.offer(mac(3), Some(one), LEASE_S + 1), Some(one), "it has ended");
        assert_eq!(pool.offer(mac(2), None, LEASE_S + 1), Some(two));
        pool.release(mac(2));
        assert_eq!(pool.offer(mac(4), Some(two), LEASE_S + 1), Some(two));
        assert!(!pool.lease(mac(4), address(99), 0) && !pool.lease(mac(4), address(200), 0));
    }

    #[test]
    fn an_address_in_use_is_left_alone_for_a_while() {
        let mut leases = Leases::new();
        let mut pool = pool(&mut leases, 100, 101);
        let used = pool.offer(mac(1), None, 0).unwrap();
        assert!(pool.lease(mac(1), used, 0));
        pool.decline(mac(1), 0);
        pool.decline(mac(9), 0);
        let other = pool.offer(mac(1), Some(used), 0).unwrap();
        assert_ne!(other, used);
        assert!(pool.lease(mac(1), other, 0));
        assert_eq!(pool.offer(mac(2), None, DECLINED_S - 1), None);
        assert_eq!(pool.offer(mac(2), None, DECLINED_S), Some(used));
    }

    #[test]
    fn a_flood_of_questions_takes_nothing_away() {
        let mut leases = Leases::new();
        let mut pool = pool(&mut leases, 1, 250);
        let had = pool.offer(mac(0), None, 0).unwrap();
        assert!(pool.lease(mac(0), had, 0));
        for number in 1..10_000 {
            assert!(pool.offer(mac(number), Some(had), 0).is_some_and(|address| address != had));
        }
        let offered = pool.offer(mac(10_000), None, 0).unwrap();
        // Even when the flood has taken the offer back meanwhile.
        for number in 10_001..20_000 {
            pool.offer(mac(number), Some(offered), 0);
        }
        assert!(pool.lease(mac(10_000), offered, 0));
        assert!(pool.lease(mac(0), had, 1), "and who is here stays");
    }

    #[test]
    fn a_flood_of_requests_takes_what_is_free_and_no_more() {
        let mut leases = Leases::new();
        let mut pool = pool(&mut leases, 1, 250);
        assert!(pool.lease(mac(0), address(250), 0));
        let taken = (1..1000).filter(|number| {
            let offer = pool.offer(mac(*number), None, 0);
            offer.is_some_and(|address| pool.lease(mac(*number), address, 0))
        });
        assert_eq!(taken.count(), COUNT - 1);
        assert!(pool.lease(mac(0), address(250), LEASE_S - 1));
        assert!(pool.offer(mac(1000), None, LEASE_S).is_some());
    }
}
