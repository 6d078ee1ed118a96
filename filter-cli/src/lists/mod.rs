//! Reads list text: a file in any of the dialects below comes in, one [`Entry`] for every name
//! it lists goes out, and every line is accounted for in a [`Tally`].
//!
//! The same line means different things to different tools. This is what it means here; the
//! file of each dialect has the details.
//!
//! | dialect | line | covers |
//! |---|---|---|
//! | [`Format::Domains`], [`Format::SquidGuard`] | `name` | the name and everything below it |
//! | [`Format::Hosts`] | `0.0.0.0 name …` | each name alone |
//! | [`Format::Adblock`] | `\|\|name^`, `@@\|\|name^`; `name` | name and below; the name alone |
//! | [`Format::Wildcard`] | `*.name`; `.name`, `name` | below only; name and below |
//! | [`Format::Dnsmasq`] | `address=/name/…` | name and below |
//! | [`Format::Unbound`] | `local-zone: "name." type` | name and below, block or allow by type |
//! | [`Format::Rpz`] | `name CNAME .`; `*.name CNAME .` | the name alone; below only |
//!
//! Reading streams: memory stays bounded whatever the size of the file. A bad line is counted
//! and sampled with its [`Reason`], never fatal; a file that is no list at all is refused with
//! a [`ListError`].

mod adblock;
mod detect;
mod dialect;
mod dnsmasq;
mod domains;
mod error;
mod hosts;
mod lines;
mod normalize;
#[cfg(test)]
mod properties;
mod read;
mod reason;
mod rpz;
mod source;
mod unbound;
mod wildcard;

pub use detect::detect;
pub use error::{Fault, ListError};
pub use normalize::{admit, normalize};
pub use read::{Sink, read, read_text};
pub use reason::{Reason, Rejected};
pub use source::Unread;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use filter_core::{Action, Name, Scope};

/// One name a list speaks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name, normalized.
    pub name: Name,
    /// Which names around it are meant.
    pub scope: Scope,
    /// Whether they are to be blocked or let through.
    pub action: Action,
    /// Whether the rule wins over every rule that is not (`$important`).
    pub important: bool,
}

/// How to read one list.
#[derive(Clone, Debug)]
pub struct Options {
    /// The dialect; `None` to find it out from the content.
    pub format: Option<Format>,
    /// The scope every entry gets, whatever the dialect says.
    pub scope: Option<Scope>,
    /// The action every entry gets, whatever the dialect says.
    pub action: Option<Action>,
    /// How many rejections are kept as samples; one of each reason is kept on top of that.
    pub samples: usize,
    /// How many bytes a packed file may unpack to.
    pub max_unpacked: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { format: None, scope: None, action: None, samples: 20, max_unpacked: 4 << 30 }
    }
}

/// What became of the lines of a list: `rules + rejected + comments + blanks == lines`.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// The dialect the list was read in.
    pub format: Format,
    /// Lines in the file.
    pub lines: u64,
    /// Lines that gave at least one entry.
    pub rules: u64,
    /// Lines that say something but gave no entry.
    pub rejected: u64,
    /// Comments, headers and housekeeping such as `server:` or an RPZ zone's SOA.
    pub comments: u64,
    /// Empty lines.
    pub blanks: u64,
    /// Entries given; a line can give several.
    pub entries: u64,
    /// Names dropped from lines that count as rules because of their other names.
    pub rejected_names: u64,
    /// Rejected lines by [`Reason::as_str`] of their first rejection; adds up to `rejected`.
    pub by_reason: BTreeMap<&'static str, u64>,
    /// The first rejections, and the first of each reason.
    pub samples: Vec<Rejected>,
    /// Files of a squidGuard directory that hold no domain names.
    pub unread: Vec<Unread>,
}

/// The dialects of list text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// One name a line (UT1 and squidGuard `domains` files).
    #[default]
    Domains,
    /// `hosts(5)`: an address and the names it stands for.
    Hosts,
    /// Adblock-style DNS rules, as AdGuard reads them.
    Adblock,
    /// Names with `*.` or `.` before them, as dnscrypt-proxy reads them.
    Wildcard,
    /// A dnsmasq configuration file.
    Dnsmasq,
    /// An Unbound configuration file.
    Unbound,
    /// A response policy zone in master-file form.
    Rpz,
    /// A squidGuard directory, of which the `domains` file is read.
    SquidGuard,
}

impl Format {
    /// All dialects.
    pub const ALL: [Format; 8] = [
        Format::Domains,
        Format::Hosts,
        Format::Adblock,
        Format::Wildcard,
        Format::Dnsmasq,
        Format::Unbound,
        Format::Rpz,
        Format::SquidGuard,
    ];

    /// The word used in `gardefou.toml` and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Format::Domains => "domains",
            Format::Hosts => "hosts",
            Format::Adblock => "adblock",
            Format::Wildcard => "wildcard",
            Format::Dnsmasq => "dnsmasq",
            Format::Unbound => "unbound",
            Format::Rpz => "rpz",
            Format::SquidGuard => "squidguard",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Format, UnknownFormat> {
        Format::ALL
            .into_iter()
            .find(|format| format.as_str() == word)
            .ok_or_else(|| UnknownFormat(word.to_owned()))
    }
}

/// A word that names no [`Format`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown list format `{0}`: use domains, hosts, adblock, wildcard, dnsmasq, unbound, rpz or \
     squidguard"
)]
pub struct UnknownFormat(pub String);
