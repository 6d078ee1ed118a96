//! `gardefou gateway`: the firmware of a microcontroller, on an emulated board with a real network.
//! Takes an image and what the owner sets, builds the firmware, boots it, and looks after it until a
//! signal comes.

mod emulator;
mod firmware;

use std::net::SocketAddrV4;
use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};

use crate::assemble;
use crate::config::Config;
use crate::output::{Hint, Output, hinted};

use self::emulator::Emulator;
use self::firmware::Firmware;

/// What the board serves, where, and to whom it turns.
pub struct Options {
    /// The image; without one, it is built.
    pub image: Option<PathBuf>,
    /// What it is built by; without one, from the lists in the binary.
    pub config: Option<PathBuf>,
    /// Where a build keeps lists that were read.
    pub cache: Option<PathBuf>,
    /// The file of what survives the board; without one, nothing does.
    pub state: Option<PathBuf>,
    /// Where the board's port 53 is reached on this machine.
    pub listen: SocketAddrV4,
    /// Where the pages at its port 80 are reached on this machine.
    pub pages: SocketAddrV4,
    /// Who is asked; the name servers of this machine when there are none.
    pub upstreams: Vec<SocketAddrV4>,
    /// Who runs this place.
    pub operator: Option<String>,
    /// Where this place is, as in ISO 3166.
    pub country: Option<String>,
    /// Whether everything is let through while there is no sound image.
    pub is_open_without_image: bool,
}

/// Runs the gateway until a signal ends it.
///
/// # Errors
/// When the firmware cannot be built or booted, or ends by itself.
pub fn run(options: &Options, output: &Output) -> anyhow::Result<()> {
    emulator::require()?;
    let firmware = Firmware::build(output)?;
    let cache = options.cache.as_deref();
    let image = match (&options.image, &options.config) {
        (Some(path), _) => std::fs::read(path)
            .hint(|| "build one with `gardefou build`, or leave --image out")
            .map_err(|error| error.context(format!("image `{}`", path.display())))?,
        (None, Some(path)) => assemble::fast(Config::load(path)?, cache, output)?,
        (None, None) => assemble::built_in(cache, output)?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut emulator = Emulator::boot(&firmware, &image, options)?;
        let result = tokio::select! {
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
            end = emulator.end() => Err(hinted(end?, "look at what it said above")),
            error = async {
                if let Err(error) = emulator::ready(options.listen).await {
                    return error;
                }
                output.notice(options.greeting());
                if !emulator::has_log() {
                    output.notice("its log is read with defmt-print: cargo install defmt-print");
                }
                std::future::pending().await
            } => Err(error),
        };
        emulator.stop().await;
        result
    })
}

impl Options {
    /// What the owner sets, as the firmware reads it.
    fn settings(&self) -> String {
        let mut text = String::new();
        for upstream in &self.upstreams {
            text += &format!("upstream {}\n", emulator::seen_from_inside(*upstream));
        }
        if let Some(operator) = &self.operator {
            text += &format!("operator {operator}\n");
        }
        if let Some(country) = &self.country {
            text += &format!("country {country}\n");
        }
        if self.is_open_without_image {
            text += "without-image open\n";
        }
        text
    }

    fn greeting(&self) -> String {
        let (ip, port) = (self.listen.ip(), self.listen.port());
        let name = if self.image.is_some() || self.config.is_some() {
            "www.example.com"
        } else {
            "www.pokerstars.com"
        };
        format!(
            "the board is listening on {ip} port {port}; try `dig @{ip} -p {port} {name}`, or open \
            http://{}/gardefou",
            self.pages
        )
    }
}
