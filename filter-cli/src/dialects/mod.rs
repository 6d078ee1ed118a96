//! Writes what the rules of an image mean as text for other tools, in the dialects that
//! [`lists`](crate::lists) reads.
//!
//! | dialect | statements it has | what it cannot say |
//! |---|---|---|
//! | [`Dialect::Domains`] | block name and below | the name alone, below alone, any exception |
//! | [`Dialect::Hosts`] | block the name alone | anything below a name, any exception |
//! | [`Dialect::Adblock`] | all | |
//! | [`Dialect::Dnsmasq`] | name and below, below | the name alone |
//! | [`Dialect::Unbound`] | name and below | the name alone, below alone |
//! | [`Dialect::Rpz`] | all | names too long to stand inside a zone |
//!
//! What a dialect cannot say is said as closely as it can **without blocking more** than the
//! image: a block becomes narrower, an exception wider, and [`Unsaid`] counts both. So a name
//! that is not blocked by the image is not blocked by the text either.
//!
//! # Precedence
//!
//! Ours, once tiers are flattened, is that the most specific rule wins. RPZ, dnsmasq and
//! Unbound agree, as far as the files here tell. AdGuard Home lets every exception win over
//! every block however specific, and `$important` over both; a block inside an exception is
//! therefore written with `$important`, which means the same in both readings. Only an
//! exception inside a block inside an exception inside a block, blocked again, is beyond
//! AdGuard; [`Unsaid`] counts those.
//!
//! Words in names ([`keyword`](filter_core::keyword)) have no counterpart in any dialect.

mod lines;
pub mod meaning;
mod rpz;
#[cfg(test)]
mod tests;
mod unsaid;
mod wording;

use std::io::{self, Write};

use clap::ValueEnum;
use filter_core::{CategorySet, Filter};

use meaning::Zones;
pub use unsaid::{Loss, Unsaid};

/// A dialect that can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// One name a line, for squidGuard, e2guardian, Squid
    Domains,
    /// Names behind 0.0.0.0, for a hosts file
    Hosts,
    /// Adblock-style rules, for AdGuard Home, Pi-hole and others
    Adblock,
    /// address=/name/ lines, for dnsmasq 2.86 and later
    Dnsmasq,
    /// local-zone lines, for Unbound
    Unbound,
    /// A response policy zone, for BIND, Unbound, Knot Resolver, PowerDNS
    Rpz,
}

/// Writes the rules of enabled categories and the never-block names as a list. The mandated
/// categories are always enabled.
///
/// Streams: memory is bounded by the largest zone of the image. The same image gives the same
/// text.
///
/// # Errors
/// When `text` cannot be written.
pub fn write<D: AsRef<[u8]>>(
    filter: &Filter<D>,
    enabled: CategorySet,
    dialect: Dialect,
    text: &mut dyn Write,
) -> io::Result<Unsaid> {
    let mut unsaid = Unsaid::default();
    lines::head(dialect, filter.header().serial, text)?;
    for zone in Zones::new(filter, enabled) {
        match dialect {
            Dialect::Rpz => rpz::zone(&zone, text, &mut unsaid)?,
            _ => lines::zone(dialect, &zone, text, &mut unsaid)?,
        }
    }
    Ok(unsaid)
}
