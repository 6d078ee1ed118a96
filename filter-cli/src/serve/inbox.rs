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
    /// For sockets of IPv4, and for those of IPv6. The system leaves in a header how long the address
    /// was, and nix does not set that back: behind one of IPv4, one of IPv6 would be cut.
    headers: [MultiHeaders<SockaddrStorage>; 2],
}

/// What kind of socket it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) is_ipv6: bool,
    /// Whether the system tells to which address of ours a datagram came.
    pub(super) tells_local: bool,
}

/// A datagram.
pub(super) struct Datagram<'i> {
    pub(super) from: SocketAddr,
    /// The address of ours it came to, where the socket has several.
    pub(super) local: Option<IpAddr>,
    pub(super) octets: &'i [u8],
}

/// Has a socket bound to all addresses tell which one a datagram came to.
pub(super) fn ask_for_local(socket: &std::net::UdpSocket) -> io::Result<Kind> {
    let address = socket.local_addr()?;
    let kind = Kind { is_ipv6: address.is_ipv6(), tells_local: address.ip().is_unspecified() };
    match kind {
        Kind { tells_local: false, .. } => {}
        Kind { is_ipv6: false, .. } => setsockopt(socket, Ipv4PacketInfo, &true)?,
        Kind { is_ipv6: true, .. } => setsockopt(socket, Ipv6RecvPacketInfo, &true)?,
    }
    Ok(kind)
}

impl Inbox {
    pub(super) fn new() -> Inbox {
        Inbox {
            buffers: vec![[0; DATAGRAM_LEN_MAX]; BATCH],
            headers: [(); 2].map(|()| MultiHeaders::preallocate(BATCH, None)),
        }
    }

    /// What has come to a socket: as much as there is and room for.
    pub(super) fn receive(&mut self, socket: &UdpSocket, kind: Kind) -> Vec<Datagram<'_>> {
        // Nor does it set back how much room was used for what the system tells.
        let mut anew;
        let headers = if kind.tells_local {
            anew = MultiHeaders::preallocate(BATCH, Some(cmsg_space!(in6_pktinfo)));
            &mut anew
        } else {
            &mut self.headers[usize::from(kind.is_ipv6)]
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

#[cfg(test)]
mod tests {
    use std::net::UdpSocket as Client;

    use super::*;

    #[test]
    fn addresses_are_whole_whatever_came_before() {
        let runtime = tokio::runtime::LocalRuntime::new().unwrap();
        let mut inbox = Inbox::new();
        for address in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0", "127.0.0.1:0"] {
            let Ok(socket) = Client::bind(address) else { continue };
            socket.set_nonblocking(true).unwrap();
            let kind = ask_for_local(&socket).unwrap();
            let port = socket.local_addr().unwrap().port();
            let here: IpAddr =
                if kind.is_ipv6 { [0, 0, 0, 0, 0, 0, 0, 1].into() } else { [127, 0, 0, 1].into() };
            let client = Client::bind((here, 0)).unwrap();
            client.send_to(b"a query", (here, port)).unwrap();
            runtime.block_on(async {
                let socket = UdpSocket::from_std(socket).unwrap();
                socket.readable().await.unwrap();
                let [datagram] = inbox.receive(&socket, kind).try_into().ok().unwrap();
                assert_eq!(datagram.from, client.local_addr().unwrap(), "{address}");
                assert_eq!(datagram.local, kind.tells_local.then_some(here), "{address}");
                assert_eq!(datagram.octets, b"a query");
            });
        }
    }
}
