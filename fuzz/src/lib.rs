//! What must hold for any octets: one function for each boundary where octets from outside
//! come in. Each takes what the fuzzer made up and returns when everything held; a panic, a
//! hang or an endless allocation is a finding.
//!
//! The bodies are ordinary functions, so that `tests/replay.rs` runs them on a stable
//! toolchain too: over every past finding in `regressions/`, and over some made-up octets.
//! `examples/mutate.rs` makes damaged images without a fuzzer, by the million.

mod config;
mod image;
mod list_line;
mod mutate;
mod name;
mod random;

pub use config::config;
pub use image::image;
pub use list_line::list_line;
pub use mutate::{examine, mutated};
pub use name::dns_name;
pub use random::XorShift;
