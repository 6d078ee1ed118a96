//! Replies over UDP on their way out: takes them one by one, sends them by the batch, each from the
//! address its query came to, which a socket bound to all addresses has to be told.
//!
//! A client that waits is woken by the first datagram and finds the others, so a batch costs a good
//! deal less than its replies one by one.

use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;

use nix::cmsg_space;
use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg};

use super::inbox::BATCH;

/// The replies of one socket that were not sent yet.
pub(super) struct Outbox {
    octets: Vec<u8>,
    /// Whom each is for, and where it ends in `octets`.
    replies: Vec<(SocketAddr, usize)>,
    /// Which address of ours they are from: one for all.
    local: Option<IpAddr>,
    /// What the system is told, without an address of ours, with one of IPv4, with one of IPv6.
    headers: [Option<MultiHeaders<SockaddrStorage>>; 3],
}

impl Outbox {
    pub(super) fn new() -> Outbox {
        Outbox { octets: Vec::new(), replies: Vec::new(), local: None, headers: [None, None, None] }
    }

    /// Whether a reply from this address of ours can be sent with the others.
    pub(super) fn has_room_for(&self, local: Option<IpAddr>) -> bool {
        self.replies.is_empty() || (self.local == local && self.replies.len() < BATCH)
    }

    /// Takes in a reply there is room for.
    pub(super) fn push(&mut self, to: SocketAddr, local: Option<IpAddr>, message: &[u8]) {
        self.local = local;
        self.octets.extend_from_slice(message);
        self.replies.push((to, self.octets.len()));
    }

    /// Sends them all, unless the system has no room for them: their clients will ask again.
    pub(super) fn send(&mut self, socket: RawFd) {
        if self.replies.is_empty() {
            return;
        }
        let (ipv4, ipv6);
        let (index, source) = match self.local {
            None => (0, None),
            Some(IpAddr::V4(local)) => {
                let none = in_addr { s_addr: 0 };
                let local = in_addr { s_addr: u32::from_ne_bytes(local.octets()) };
                ipv4 = in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: local, ipi_addr: none };
                (1, Some(ControlMessage::Ipv4PacketInfo(&ipv4)))
            }
            Some(IpAddr::V6(local)) => {
                let local = in6_addr { s6_addr: local.octets() };
                ipv6 = in6_pktinfo { ipi6_ifindex: 0, ipi6_addr: local };
                (2, Some(ControlMessage::Ipv6PacketInfo(&ipv6)))
            }
        };
        let headers = self.headers[index].get_or_insert_with(|| {
            let space = match source {
                None => None,
                Some(ControlMessage::Ipv4PacketInfo(_)) => Some(cmsg_space!(in_pktinfo)),
                Some(_) => Some(cmsg_space!(in6_pktinfo)),
            };
            MultiHeaders::preallocate(BATCH, space)
        });
        let mut begin = 0;
        let mut slices = Vec::with_capacity(self.replies.len());
        let mut addresses = Vec::with_capacity(self.replies.len());
        for &(to, end) in &self.replies {
            slices.push([IoSlice::new(self.octets.get(begin..end).unwrap_or_default())]);
            addresses.push(Some(SockaddrStorage::from(to)));
            begin = end;
        }
        let flags = MsgFlags::MSG_DONTWAIT;
        let _ = sendmmsg(socket, headers, &slices, &addresses, source.as_slice(), flags);
        self.octets.clear();
        self.replies.clear();
    }
}
