//! The commands, one file each: its arguments, and `run`, which does the work and says how it
//! ended.

pub mod build;
pub mod check;
pub mod diff;
pub mod explain;
pub mod export;
#[cfg(all(feature = "serve", target_os = "linux"))]
pub mod gateway;
pub mod generate;
pub mod info;
pub mod lint;
#[cfg(all(feature = "serve", target_os = "linux"))]
pub mod say;
#[cfg(all(feature = "serve", target_os = "linux"))]
pub mod serve;
#[cfg(all(feature = "serve", target_os = "linux"))]
pub mod status;
pub mod verify;
