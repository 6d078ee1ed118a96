//! Matches DNS names against a compressed blocklist image, in place, exactly.
//!
//! A gateway of ten euros has no room for a list of a million names, and none for an allocator.
//! This crate asks an *image*: one file, a fifth of the list's text, read where it lies, in
//! flash, in a memory map or in a `Vec`. It never allocates, recurses, does input or output,
//! reads a clock or logs, and it answers any bytes without panic.
//!
//! # In the order of a query
//!
//! | step | type | module |
//! |---|---|---|
//! | octets of a DNS message, or text, become a name | [`Name`] | `name` |
//! | a file becomes something verified that can be asked | [`Filter`], [`FormatError`] | `image`, `filter` |
//! | the name is turned around: `com.example.www` | [`Key`] | `set::key` |
//! | a sketch of the rules, if there is one, tells most names that are not listed | | `prefilter` |
//! | one search finds it and all its listed parents | | `set` |
//! | the words in it are weighed, if no rule spoke | [`keyword::Keywords`] | [`keyword`] |
//! | precedence decides | [`Verdict`], [`Hit`], [`Tier`] | `filter`, `verdict` |
//!
//! What to *do* about a verdict (NXDOMAIN, a block page, nothing) is policy and the caller's.
//!
//! ```
//! use filter_core::{CategorySet, Filter, FormatError, Name, Verdict};
//!
//! /// Whether the question of a DNS query is to be kept away.
//! fn is_blocked(image: &[u8], query: &[u8]) -> Result<bool, FormatError> {
//!     let filter = Filter::from_bytes(image)?; // once, at start
//!     let Ok((name, _)) = Name::from_message(query, 12) else { return Ok(false) };
//!     Ok(matches!(filter.check(&name, CategorySet::ALL), Verdict::Block(_)))
//! }
//! # assert_eq!(is_blocked(b"not an image, at least 24 octets", b""), Err(FormatError::Magic));
//! ```
//!
//! # Cost
//!
//! A check decodes a few dozen code words: one to three microseconds on a desktop. Its stack
//! stays under 2 kB, its heap is nothing. Opening an image reads all of it once, for the
//! checksum.
//!
//! # The packed set
//!
//! Two sections of an image are dictionaries of names with values:
#![doc = include_str!("set/format.md")]
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | none | everything a device needs; no allocator |
//! | `std` | a larger checksum table, which verifies images faster |
//! | `gateway` | `gateway::Gateway`: a DNS forwarder that filters; no allocator; wants compare-and-swap |
//! | `build` | `compile::Compiler` and `keyword::compile`: rules in, image out; `std` and an allocator |
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(any(test, feature = "std"))]
extern crate std;

mod class;
#[cfg(feature = "build")]
pub mod compile;
mod filter;
#[cfg(feature = "gateway")]
pub mod gateway;
mod image;
pub mod keyword;
mod name;
mod octets;
#[cfg(feature = "gateway")]
pub mod policy;
mod prefilter;
mod rewrites;
mod rule;
mod set;
mod suffix;
mod tables;
mod verdict;
mod zones;

pub use class::Facet;
pub use filter::{Filter, NeverBlock, Rule, Rules};
pub use image::{FormatError, Header, MAGIC, SectionId, SectionInfo, VERSION};
pub use name::{Labels, Name, NameError};
pub use rewrites::{Restricted, Restriction, SiteKind};
pub use rule::{Action, CategorySet, ListSet, Scope};
pub use set::key::Key;
pub use tables::{Categories, ListInfo, Lists};
pub use verdict::{Hit, Tier, Trigger, Verdict};

/// The example of the README must compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
