//! Datagrams on their way in: takes them by the batch, each with the address it came to, which a
//! socket bound to all addresses has to be asked for.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;

use nix::cmsg_space;
use nix::libc::in6_pktinfo;
use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrStorage, recvmmsg, setsockopt,
};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// The most datagrams one system call takes or gives.
pub(super) const BATCH: usize = 64;
/// More than the 1232 octets we announce that we take.
const DATAGRAM_LEN_MAX: usize = 2048;

/// Room for a batch, for all sockets of a worker.
pub(super) struct Inbox {
    buffers: Vec<[u8; DATAGRAM_LEN_MAX]>,
    headers: MultiHeaders<SockaddrStorage>,
}

/// A datagram.
pub(super) struct Datagram<'i> {
    pub(super) from: SocketAddr,
    /// The address of ours it came to, where the socket has several.
    pub(super) local: Option<IpAddr>,
    pub(super) octets: &'i [u8],
}

/// Has a socket bound to all addresses tell which one a datagram came to; whether it is such a socket.
pub(super) fn ask_for_local(socket: &std::net::UdpSocket) -> io::Result<bool> {
    let address = socket.local_addr()?;
    if !address.ip().is_unspecified() {
        return Ok(false);
    }
    match address {
        SocketAddr::V4(_) => setsockopt(socket, Ipv4PacketInfo, &true)?,
        SocketAddr::V6(_) => setsockopt(socket, Ipv6RecvPacketInfo, &true)?,
    }
    Ok(true)
}

impl Inbox {
    pub(super) fn new() -> Inbox {
        Inbox {
            buffers: vec![[0; DATAGRAM_LEN_MAX]; BATCH],
            headers: MultiHeaders::preallocate(BATCH, None),
        }
    }

    /// What has come to a socket: as much as there is and room for. `tells_local`: it was
    /// [asked for it](ask_for_local).
    pub(super) fn receive(&mut self, socket: &UdpSocket, tells_local: bool) -> Vec<Datagram<'_>> {
        // The system leaves in a header how much room it used, and nix does not give it back.
        let mut anew;
        let headers = if tells_local {
            anew = MultiHeaders::preallocate(BATCH, Some(cmsg_space!(in6_pktinfo)));
            &mut anew
        } else {
            &mut self.headers
        };
        let mut slices: Vec<_> =
            self.buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let received = socket.try_io(Interest::READABLE, || {
            let flags = MsgFlags::MSG_DONTWAIT;
            let received = recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut(), flags, None)?;
            Ok(received.map(|one| (address(&one), local(&one), one.bytes)).collect::<Vec<_>>())
        });
        let Ok(received) = received else { return Vec::new() };
        if received.len() < BATCH {
            // That was all: the runtime can wait for more without asking the system once again.
            let nothing = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
            let _ = socket.try_io(Interest::READABLE, nothing);
        }
        let datagrams = self.buffers.iter().zip(received);
        datagrams
            .filter_map(|(buffer, (from, local, len))| {
                Some(Datagram { from: from?, local, octets: buffer.get(..len)? })
            })
            .collect()
    }
}

fn address(received: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<SocketAddr> {
    let address = received.address.as_ref()?;
    let ipv4 = address.as_sockaddr_in().map(|&ipv4| SocketAddrV4::from(ipv4).into());
    ipv4.or_else(|| address.as_sockaddr_in6().map(|&ipv6| SocketAddrV6::from(ipv6).into()))
}

fn local(received: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<IpAddr> {
    received.cmsgs().ok()?.find_map(|told| match told {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(IpAddr::from(info.ipi_spec_dst.s_addr.to_ne_bytes()))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(info.ipi6_addr.s6_addr.into()),
        _ => None,
    })
}
