//! Addresses in the words of both sides: the engine's are those of the standard library, the network
//! stack's know IPv4 only.

use core::net::{IpAddr, SocketAddr};

use embassy_net::IpEndpoint;

/// What the engine is told.
pub(crate) fn of_endpoint(endpoint: IpEndpoint) -> SocketAddr {
    SocketAddr::new(endpoint.addr.into(), endpoint.port)
}

/// What the stack is told; `None` when it cannot get there.
pub(crate) fn endpoint(address: SocketAddr) -> Option<IpEndpoint> {
    match address {
        SocketAddr::V4(address) => Some(address.into()),
        SocketAddr::V6(_) => None,
    }
}

/// Whom budgets are counted for.
pub(crate) fn client_key(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}
