//! What goes into a gateway and what comes out: [`Event`] and [`Action`]. The caller turns
//! datagrams into the one and the other into datagrams.

use core::net::SocketAddr;

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A datagram of its own.
    Udp,
    /// A stream: TCP, or TLS or HTTPS over it. The two octets of length that frame a message there
    /// (RFC 7766 section 8) are the caller's and no part of what passes here.
    Tcp,
}

/// Who asks, and the way back to it.
///
/// The gateway reads `key` and `profile`; the rest it hands back with the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Whom the budgets are counted for, as the caller sees fit: an IPv4 address, the upper
    /// half of an IPv6 address (a subscriber's prefix), or a MAC.
    pub key: u64,
    /// Index of its [`Policy`](super::Policy) among those of the [`Context`](super::Context).
    /// One that is not there stands for nobody: it is refused.
    pub profile: u8,
    /// How it asked, which tells how long the reply may be.
    pub transport: Transport,
    /// Where it asked from.
    pub address: SocketAddr,
    /// The caller's number of the socket or connection it came in on.
    pub socket: u16,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A client sent a message.
    Query {
        /// Who.
        client: Client,
        /// The message.
        message: &'a [u8],
    },
    /// A message came to a port from which queries go upstream.
    Answer {
        /// Where it says it comes from.
        from: SocketAddr,
        /// How it came.
        transport: Transport,
        /// The [port](Action::Ask) it came to; of no meaning over TCP.
        port: u16,
        /// The message.
        message: &'a [u8],
    },
    /// Time passed. Due at [`Gateway::next_tick_ms`](super::Gateway::next_tick_ms), or every
    /// 50 to 100 ms.
    Tick,
}

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub enum Action<'a> {
    /// Send this to a client.
    Reply {
        /// Whom.
        client: Client,
        /// The message; over UDP at most 1232 octets, and never more than the client takes.
        message: &'a [u8],
    },
    /// Send this to an upstream.
    Ask {
        /// Where.
        to: SocketAddr,
        /// How.
        transport: Transport,
        /// Over UDP, which of the caller's source ports to send from, below
        /// [`Settings::source_ports`](super::Settings::source_ports). The caller has a socket
        /// for each, bound to a port picked by chance. Over TCP it is 0.
        port: u16,
        /// The message.
        message: &'a [u8],
    },
}
