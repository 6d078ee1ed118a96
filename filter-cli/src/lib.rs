//! The host half of Gardefou: lists and configuration in, images and answers out. The binary
//! `gardefou` is [`args::Cli`] and nothing more.
//!
//! In the order of the flow: [`config`] says which [`lists`] are read; [`cache`] keeps each as
//! a [`list_map`]; [`limits`] stops what must be looked at first; [`merge`] unites the maps for
//! the compiler; [`audit`] tries the words of the image; [`replace`] puts image and [`why`]
//! index in place; [`report`] shows what became of every line; [`assemble`] is the way from lists
//! to an image as a whole. [`cmd`] has the commands; `serve` is the filtering DNS server and `board`
//! the one of a microcontroller, on Linux.

pub mod args;
pub mod assemble;
pub mod audit;
#[cfg(all(feature = "serve", target_os = "linux"))]
pub mod board;
pub mod cache;
pub mod cmd;
pub mod config;
pub mod dialects;
pub mod embedded;
pub mod image;
pub mod limits;
pub mod list_map;
pub mod lists;
pub mod merge;
pub mod output;
pub mod replace;
pub mod report;
#[cfg(all(feature = "serve", target_os = "linux"))]
pub mod serve;
pub mod why;
