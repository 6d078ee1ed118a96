//! What a gateway needs of RAM, all of it here and none of it anywhere else: [`Memory`], of which a
//! board has one as a static.

use core::mem::MaybeUninit;

use embassy_net::Stack;
use embassy_net::StackResources;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use filter_core::gateway::{Exceptions, Gateway};
use static_cell::StaticCell;

use crate::connections::{self, Replies};
use crate::image::Loaded;
use crate::pages;
use crate::ports;
use crate::room::{self, Room};
use crate::streams;
use crate::worker::Worker;

/// Octets of the longest message over a stream, either way. What is longer is truncated for
/// clients, and no answer from upstreams.
pub(crate) const MESSAGE_LEN_MAX: usize = 4096;

/// Thirty-two questions on their way, budgets of sixty-four clients, 192 answers in 15
/// kilobytes.
pub(crate) type Engine = Gateway<32, 64, 192, 15_360, MESSAGE_LEN_MAX>;

/// Room for all sockets: one for clients over UDP, those for clients over TCP, the ports and the
/// streams to upstreams, those of the room's services, those for the pages, and DHCP.
pub type Sockets = StackResources<
    { 1 + connections::COUNT + ports::COUNT + streams::COUNT + room::SOCKETS + pages::COUNT + 1 },
>;

/// The state of a gateway and the buffers of its datagrams. All zeros, so a static of it takes no
/// room in flash.
pub struct Memory {
    pub(crate) engine: Engine,
    pub(crate) loaded: StaticCell<Loaded>,
    pub(crate) exceptions: Exceptions,
    pub(crate) replies: [Replies; connections::COUNT],
    pub(crate) worker: StaticCell<Worker>,
    pub(crate) clients: Buffers<16, 4096, 4096>,
    /// A question is below 300 octets.
    pub(crate) ports: [Buffers<2, { ports::MESSAGE_LEN_MAX }, 320>; ports::COUNT],
    pub(crate) room: Room,
}

impl Memory {
    /// The memory of a gateway that has not begun.
    pub const fn new() -> Memory {
        Memory {
            engine: Engine::new(),
            loaded: StaticCell::new(),
            exceptions: Exceptions::NONE,
            replies: [const { Replies::new() }; connections::COUNT],
            worker: StaticCell::new(),
            clients: Buffers::new(),
            ports: [const { Buffers::new() }; ports::COUNT],
            room: Room::new(),
        }
    }
}

impl Default for Memory {
    fn default() -> Memory {
        Memory::new()
    }
}

/// What waits on both sides of a UDP socket: so many datagrams, and so many octets of them.
pub(crate) struct Buffers<const DATAGRAMS: usize, const RECEIVED: usize, const SENT: usize> {
    received_meta: MaybeUninit<[PacketMetadata; DATAGRAMS]>,
    received: [u8; RECEIVED],
    sent_meta: MaybeUninit<[PacketMetadata; DATAGRAMS]>,
    sent: [u8; SENT],
}

impl<const DATAGRAMS: usize, const RECEIVED: usize, const SENT: usize>
    Buffers<DATAGRAMS, RECEIVED, SENT>
{
    pub(crate) const fn new() -> Self {
        Buffers {
            received_meta: MaybeUninit::uninit(),
            received: [0; RECEIVED],
            sent_meta: MaybeUninit::uninit(),
            sent: [0; SENT],
        }
    }

    /// A socket that is not bound yet. The stack looks after each whenever a frame comes or goes, so
    /// those that are seldom needed are there then only.
    pub(crate) fn socket<'a>(&'a mut self, stack: Stack<'a>) -> UdpSocket<'a> {
        UdpSocket::new(
            stack,
            self.received_meta.write([PacketMetadata::EMPTY; DATAGRAMS]),
            &mut self.received,
            self.sent_meta.write([PacketMetadata::EMPTY; DATAGRAMS]),
            &mut self.sent,
        )
    }
}

/// What is left of 160 kB goes to the stacks of the processor and of TCP.
const _: () = assert!(size_of::<Memory>() + size_of::<Sockets>() <= 120 << 10);
