//! Where neighbors are: learned from what they send, so that nobody has to be looked for to be
//! answered.
//!
//! The stack looks for one neighbor a second, by ARP, and what is to be sent to one that does not say
//! where it is waits for ever, and all else of its socket behind it: a single query in the name of an
//! address nobody has would be the last that is answered. [`Learning`] is a driver in front of
//! another; it tells the stack where a frame came from, by a reply to a question that was not asked.
//!
//! [`Neighbors`] are those it has seen: clients are known by their network cards, too.

use core::cell::RefCell;
use core::net::{IpAddr, Ipv4Addr};
use core::task::Context;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken};
use embassy_time::Instant;

/// Neighbors that are known, and not told of again and again. The stack remembers as many.
const COUNT: usize = 64;
/// How long the stack is not told again: less than the minute it remembers.
const TOLD_S: u64 = 30;

const MAC_LEN: usize = 6;
const ARP_LEN: usize = 42;
/// A reply, of Ethernet and IPv4 addresses (RFC 826), from its type in the frame on.
const ARP_REPLY: [u8; 10] = [8, 6, 0, 1, 8, 0, 6, 4, 0, 2];
const IPV4: [u8; 2] = [8, 0];

/// A hardware address.
type Mac = [u8; MAC_LEN];

/// Whom the board has received a packet from.
pub struct Neighbors(RefCell<[Neighbor; COUNT]>);

#[derive(Clone, Copy, PartialEq, Eq)]
struct Neighbor {
    address: Ipv4Addr,
    mac: Mac,
    /// When the stack was told of it last, in turns of [`TOLD_S`].
    told: u16,
}

impl Neighbors {
    /// Those of a board that has received nothing.
    pub const fn new() -> Neighbors {
        let nobody = Neighbor { address: Ipv4Addr::UNSPECIFIED, mac: [0; MAC_LEN], told: 0 };
        Neighbors(RefCell::new([nobody; COUNT]))
    }

    /// The network card of an address, unless another neighbor has taken its place.
    pub(crate) fn card(&self, address: IpAddr) -> Option<Mac> {
        let IpAddr::V4(address) = address else { return None };
        let neighbors = self.0.borrow();
        let neighbor = neighbors.get(place(address))?;
        (neighbor.address == address).then_some(neighbor.mac)
    }

    /// Takes in where a neighbor is, and gives whether the stack is to be told.
    fn learn(&self, address: Ipv4Addr, mac: Mac, now_s: u64) -> bool {
        let neighbor = Neighbor { address, mac, told: (now_s / TOLD_S) as u16 };
        match self.0.borrow_mut().get_mut(place(address)) {
            Some(place) if *place != neighbor => {
                *place = neighbor;
                true
            }
            _ => false,
        }
    }
}

impl Default for Neighbors {
    fn default() -> Neighbors {
        Neighbors::new()
    }
}

fn place(address: Ipv4Addr) -> usize {
    address.to_bits() as usize % COUNT
}

/// A driver that learns from what it receives.
pub struct Learning<D> {
    driver: D,
    notes: Notes,
}

impl<D: Driver> Learning<D> {
    /// Learns from what this driver receives.
    pub fn new(driver: D, neighbors: &'static Neighbors) -> Learning<D> {
        Learning { driver, notes: Notes { neighbors, to_tell: None } }
    }
}

impl<D: Driver> Driver for Learning<D> {
    type RxToken<'a>
        = Frame<'a, D::RxToken<'a>>
    where
        D: 'a;
    type TxToken<'a>
        = D::TxToken<'a>
    where
        D: 'a;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        if self.notes.to_tell.is_some() {
            let room = self.driver.transmit(cx)?;
            return Some((Frame::Told(self.notes.to_tell.take()?), room));
        }
        let (received, room) = self.driver.receive(cx)?;
        Some((Frame::Received(received, &mut self.notes), room))
    }

    fn transmit(&mut self, cx: &mut Context<'_>) -> Option<Self::TxToken<'_>> {
        self.driver.transmit(cx)
    }

    fn link_state(&mut self, cx: &mut Context<'_>) -> LinkState {
        self.driver.link_state(cx)
    }

    fn capabilities(&self) -> Capabilities {
        self.driver.capabilities()
    }

    fn hardware_address(&self) -> HardwareAddress {
        self.driver.hardware_address()
    }
}

/// A frame for the stack.
pub enum Frame<'a, T> {
    /// One that came, from which there may be something to learn.
    Received(T, &'a mut Notes),
    /// One that tells where a neighbor is.
    Told([u8; ARP_LEN]),
}

impl<T: RxToken> RxToken for Frame<'_, T> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, take: F) -> R {
        match self {
            Frame::Received(token, notes) => token.consume(|frame| {
                notes.learn(frame, Instant::now().as_secs());
                take(frame)
            }),
            Frame::Told(mut frame) => take(&mut frame),
        }
    }
}

/// What was learned.
pub struct Notes {
    neighbors: &'static Neighbors,
    to_tell: Option<[u8; ARP_LEN]>,
}

impl Notes {
    /// Learns from a packet of IPv4 to one receiver. What goes to all tells nothing that is needed.
    fn learn(&mut self, frame: &[u8], now_s: u64) {
        let (Some(to), Some(from)) = (mac(frame, 0), mac(frame, MAC_LEN)) else { return };
        let (Some(source), Some(destination)) = (address(frame, 26), address(frame, 30)) else {
            return;
        };
        let is_to_one = (to[0] | from[0]) & 1 == 0;
        if !is_to_one || frame.get(12..14) != Some(&IPV4) {
            return;
        }
        if self.neighbors.learn(source.into(), from, now_s) {
            let parts: [&[u8]; 7] = [&to, &from, &ARP_REPLY, &from, &source, &to, &destination];
            self.to_tell = Some(arp_reply(&parts));
        }
    }
}

fn mac(frame: &[u8], at: usize) -> Option<Mac> {
    frame.get(at..)?.first_chunk().copied()
}

fn address(frame: &[u8], at: usize) -> Option<[u8; 4]> {
    frame.get(at..)?.first_chunk().copied()
}

/// A frame of these parts.
fn arp_reply(parts: &[&[u8]]) -> [u8; ARP_LEN] {
    let mut frame = [0; ARP_LEN];
    let octets = parts.iter().copied().flatten();
    frame.iter_mut().zip(octets).for_each(|(place, octet)| *place = *octet);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const NEIGHBOR: [u8; 6] = [2, 0, 0, 0, 0, 7];

    fn frame(to: [u8; 6], from: [u8; 6], source: [u8; 4]) -> [u8; 60] {
        let mut frame = [0; 60];
        frame[..6].copy_from_slice(&to);
        frame[6..12].copy_from_slice(&from);
        frame[12..14].copy_from_slice(&IPV4);
        frame[26..30].copy_from_slice(&source);
        frame[30..34].copy_from_slice(&[10, 0, 0, 2]);
        frame
    }

    fn notes() -> Notes {
        Notes { neighbors: Box::leak(Box::new(Neighbors::new())), to_tell: None }
    }

    #[test]
    fn the_stack_is_told_where_a_frame_came_from_and_not_again_and_again() {
        let mut notes = notes();
        let query = frame(US, NEIGHBOR, [10, 0, 0, 7]);
        notes.learn(&query, 0);
        let told = notes.to_tell.take().unwrap();
        assert_eq!(
            (&told[..6], &told[6..12], &told[12..22]),
            (&US[..], &NEIGHBOR[..], &ARP_REPLY[..])
        );
        assert_eq!(told[22..], [&NEIGHBOR[..], &[10, 0, 0, 7], &US, &[10, 0, 0, 2]].concat());
        notes.learn(&query, TOLD_S - 1);
        assert_eq!(notes.to_tell, None);
        notes.learn(&frame(US, [2; 6], [10, 0, 0, 7]), TOLD_S - 1);
        assert!(notes.to_tell.take().is_some(), "it is elsewhere now");
        notes.learn(&query, TOLD_S);
        assert!(notes.to_tell.take().is_some(), "it may be forgotten");
        let card = |last| notes.neighbors.card([10, 0, 0, last].into());
        assert_eq!((card(7), card(8), card(7 + COUNT as u8)), (Some(NEIGHBOR), None, None));
    }

    #[test]
    fn nothing_is_learned_from_what_goes_to_all_or_is_no_packet() {
        let mut notes = notes();
        notes.learn(&frame([0xFF; 6], NEIGHBOR, [10, 0, 0, 7]), 0);
        notes.learn(&frame(US, [0xFF; 6], [10, 0, 0, 7]), 0);
        let mut arp = frame(US, NEIGHBOR, [10, 0, 0, 7]);
        arp[13] = 6;
        notes.learn(&arp, 0);
        for len in 0..34 {
            notes.learn(&frame(US, NEIGHBOR, [10, 0, 0, 7])[..len], 0);
        }
        assert_eq!(notes.to_tell, None);
    }
}
