//! `gardefou gateway`: the firmware on an emulated board. The work is in [`crate::board`].

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

use crate::board::{self, Options};
use crate::output::{ExitStatus, Output};

/// Try the firmware of a microcontroller, on an emulated board
///
/// Builds the firmware, which is the gateway on a Cortex-M4 with 160 kB of memory, and boots it in
/// QEMU with a real network: it gets an address by DHCP, answers at a port of this machine, and asks
/// real upstreams. Wants qemu-system-arm and a clone of the repository. SIGTERM and SIGINT end it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 ended by a signal, 2 error.", after_long_help = LONG_HELP)]
pub struct Args {
    /// The image to put into its flash; without it, the lists that come with this program are built
    #[arg(long, value_name = "IMAGE")]
    image: Option<PathBuf>,
    /// Build the image by this manifest, its profiles, clients and schedules included
    #[arg(long, value_name = "FILE", conflicts_with = "image")]
    config: Option<PathBuf>,
    /// Where a build keeps lists that were read
    #[arg(long, value_name = "DIR", conflicts_with = "image")]
    cache: Option<PathBuf>,
    /// A file for what its owner chooses, PIN and profile, that survives its end
    ///
    /// It stands for the flash of a board, and is made where there is none. Left out, a board begins
    /// with nothing chosen.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Where to reach its port 53, over UDP and TCP
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5300")]
    listen: SocketAddrV4,
    /// Where to reach its pages, over HTTP
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pages: SocketAddrV4,
    /// Whom it asks, first choice first; may be given up to eight times
    ///
    /// Left out, it is the name servers of this machine.
    #[arg(long = "upstream", value_name = "ADDRESS[:PORT]", value_parser = address)]
    upstreams: Vec<SocketAddrV4>,
    /// Who runs this place, to be shown with the reason of a block
    #[arg(long, value_name = "TEXT")]
    operator: Option<String>,
    /// Where this place is, such as KE: whose helpline the block page shows
    #[arg(long, value_name = "CODE", value_parser = country)]
    country: Option<String>,
    /// What it does while there is no sound image
    #[arg(long, value_name = "WHAT", default_value = "closed")]
    without_image: WithoutImage,
}

/// What the board does while there is no sound image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum WithoutImage {
    /// Answer everybody that it is not ready (SERVFAIL)
    Closed,
    /// Let everything through, what the law forbids included
    Open,
}

const LONG_HELP: &str = "\
Exit codes:
  0  ended by a signal
  2  error

Examples:
  gardefou gateway                                at port 5300 of this machine
  gardefou gateway --image school.gfi --upstream 192.0.2.53
  gardefou gateway --config school.toml --state school.state";

impl Args {
    /// Runs the command, until a signal ends it.
    ///
    /// # Errors
    /// When the firmware cannot be built or booted, or ends by itself.
    pub fn run(&self, output: &Output) -> anyhow::Result<ExitStatus> {
        let options = Options {
            image: self.image.clone(),
            config: self.config.clone(),
            state: self.state.clone(),
            cache: self.cache.clone(),
            listen: self.listen,
            pages: self.pages,
            upstreams: self.upstreams.clone(),
            operator: self.operator.clone(),
            country: self.country.clone(),
            is_open_without_image: self.without_image == WithoutImage::Open,
        };
        board::run(&options, output)?;
        Ok(ExitStatus::Success)
    }
}

/// The code of a country.
fn country(text: &str) -> Result<String, String> {
    let is_code = text.len() == 2 && text.bytes().all(|octet| octet.is_ascii_uppercase());
    let error = || "is no code of a country: write two letters, such as KE".to_owned();
    is_code.then(|| text.to_owned()).ok_or_else(error)
}

/// An address, at the port of DNS unless it has one.
fn address(text: &str) -> Result<SocketAddrV4, String> {
    let at_53 = || text.parse::<Ipv4Addr>().map(|address| SocketAddrV4::new(address, 53));
    text.parse()
        .or_else(|_| at_53())
        .map_err(|_| "is no address of IPv4: write 192.0.2.53 or 192.0.2.53:5300".to_owned())
}
