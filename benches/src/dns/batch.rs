//! Datagrams in batches: one system call for up to 64.

use std::io::{IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use anyhow::Result;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg};

/// The most datagrams of a batch.
pub(super) const BATCH: usize = 64;
const BUFFER_LEN: usize = 2048;

/// A datagram: where it lies, its length, and whose it is.
pub(super) type Received<'b> = (&'b mut [u8; BUFFER_LEN], usize, Option<SockaddrIn>);

/// Room for a batch.
pub(super) struct Batch {
    buffers: Vec<[u8; BUFFER_LEN]>,
    received: MultiHeaders<SockaddrIn>,
    sent: MultiHeaders<SockaddrIn>,
}

impl Batch {
    pub(super) fn new() -> Batch {
        let headers = || MultiHeaders::preallocate(BATCH, None);
        Batch { buffers: vec![[0; BUFFER_LEN]; BATCH], received: headers(), sent: headers() }
    }

    /// Waits for datagrams, as long as the socket does; gives those there are, and whose they are.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> Result<Vec<Received<'_>>> {
        let mut slices: Vec<_> =
            self.buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let (socket, flags) = (socket.as_raw_fd(), MsgFlags::MSG_WAITFORONE);
        let metas: Vec<_> =
            match recvmmsg(socket, &mut self.received, slices.iter_mut(), flags, None) {
                Ok(received) => received.map(|one| (one.bytes, one.address)).collect(),
                // Nothing came in time, or the server is not there (yet).
                Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => Vec::new(),
                Err(error) => return Err(error.into()),
            };
        let datagrams = self.buffers.iter_mut().zip(metas);
        Ok(datagrams.map(|(buffer, (len, from))| (buffer, len, from)).collect())
    }

    /// Sends datagrams; without an address, to whom the socket is connected.
    pub(super) fn send(
        &mut self,
        socket: &UdpSocket,
        datagrams: &[(&[u8], Option<SockaddrIn>)],
    ) -> Result<()> {
        let plain: [ControlMessage<'_>; 0] = [];
        for datagrams in datagrams.chunks(BATCH) {
            let slices: Vec<_> =
                datagrams.iter().map(|(octets, _)| [IoSlice::new(octets)]).collect();
            let addresses: Vec<_> = datagrams.iter().map(|(_, address)| *address).collect();
            let flags = MsgFlags::empty();
            match sendmmsg(socket.as_raw_fd(), &mut self.sent, &slices, &addresses, plain, flags) {
                // What is lost is asked for again.
                Ok(_) | Err(Errno::EAGAIN | Errno::ECONNREFUSED | Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
