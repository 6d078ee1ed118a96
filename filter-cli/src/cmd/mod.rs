//! The commands, one file each: its arguments, and `run`, which does the work and says how it
//! ended.

pub mod build;
pub mod check;
pub mod diff;
pub mod explain;
pub mod export;
#[cfg(target_os = "linux")]
pub mod gateway;
pub mod generate;
pub mod info;
pub mod lint;
#[cfg(target_os = "linux")]
pub mod say;
#[cfg(target_os = "linux")]
pub mod serve;
#[cfg(target_os = "linux")]
pub mod status;
pub mod verify;
