//! What a gateway says about itself to whoever looks after it: [`Notice`]. Never about who asks or
//! what.

use core::fmt;
use core::net::Ipv4Addr;

use filter_core::FormatError;

use crate::storage::StorageError;

/// Something that happened, in words that fit a line of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A line of the settings is not understood; all settings are the usual ones.
    Settings {
        /// Which line, from 1 on.
        line: usize,
    },
    /// The image is sound.
    Image {
        /// Its serial.
        serial: u64,
        /// How many rules it has.
        rules: u32,
    },
    /// There is no sound image.
    NoImage {
        /// What is wrong.
        error: FormatError,
        /// Whether everything is let through meanwhile.
        is_open: bool,
    },
    /// Something is not kept for the time after a loss of power, or was not found again.
    Storage {
        /// Why.
        error: StorageError,
    },
    /// Clients are answered from now on, at port 53 of all addresses.
    Listening,
    /// There is a network.
    Network {
        /// The gateway's own address.
        address: Ipv4Addr,
        /// How many servers can be asked.
        upstreams: usize,
    },
    /// There is none: no cable, or nobody who gives out addresses.
    NoNetwork,
    /// The time is known: schedules hold from now on.
    Time,
    /// Nobody has told it so far: what is blocked at some hour is blocked at all hours, or as the
    /// policy says for that case.
    NoTime,
    /// Addresses are given out from now on.
    Dhcp,
    /// They are not, because another server does it.
    OtherDhcp {
        /// Its address.
        server: Ipv4Addr,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Settings { line } => {
                write!(f, "line {line} of the settings is not understood; all are the usual ones")
            }
            Notice::Image { serial, rules } => write!(f, "image {serial} with {rules} rules"),
            Notice::NoImage { error, is_open: true } => {
                write!(f, "no image, everything is let through: {error}")
            }
            Notice::NoImage { error, is_open: false } => {
                write!(f, "no image, nothing is answered: {error}")
            }
            Notice::Storage { error } => write!(f, "what is to survive a loss of power: {error}"),
            Notice::Listening => f.write_str("listening on port 53"),
            Notice::Network { address, upstreams } => {
                write!(f, "network: address {address}, {upstreams} upstreams")
            }
            Notice::NoNetwork => f.write_str("no network"),
            Notice::Time => f.write_str("the time is known"),
            Notice::NoTime => f.write_str("nobody tells the time; asking again"),
            Notice::Dhcp => f.write_str("giving out addresses"),
            Notice::OtherDhcp { server } => {
                write!(f, "giving out no addresses: {server} does")
            }
        }
    }
}
