//! `gardefou status`: asks a running server how it fares.

use std::path::PathBuf;

use super::say::show;
use crate::output::{ExitStatus, Output};
use crate::serve::Request;

/// Show how a running server fares: counters by category, age of the list, upstreams
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 shown; 2 error, also when no server answers.")]
pub struct Args {
    /// The socket the server was given with --admin
    #[arg(long, value_name = "PATH", default_value = ADMIN)]
    admin: PathBuf,
}

/// Where the units of `packaging/` have the socket.
pub(super) const ADMIN: &str = "/run/gardefou/admin.sock";

impl Args {
    /// Runs the command.
    ///
    /// # Errors
    /// When no server answers.
    pub fn run(&self, output: &Output) -> anyhow::Result<ExitStatus> {
        show(&Request::Status.send(&self.admin)?, output)
    }
}
