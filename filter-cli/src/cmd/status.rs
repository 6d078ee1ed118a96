//! `gardefou status`: asks a running server how it fares.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use crate::output::{ExitStatus, Hint, Output};
use crate::serve::Status;

/// Show how a running server fares: counters by category, age of the list, upstreams
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 shown; 2 error, also when no server answers.")]
pub struct Args {
    /// The socket the server was given with --admin
    #[arg(long, value_name = "PATH", default_value = "/run/gardefou/admin.sock")]
    admin: PathBuf,
}

/// How long a server may take; it waits for its workers.
const TIME_MAX: Duration = Duration::from_secs(5);

impl Args {
    /// Runs the command.
    ///
    /// # Errors
    /// When no server answers.
    pub fn run(&self, output: &Output) -> anyhow::Result<ExitStatus> {
        let text = self
            .ask()
            .with_context(|| format!("no server answers at {}", self.admin.display()))
            .hint(|| "start it with `gardefou serve --admin PATH`, and name that path here")?;
        let status: Status = serde_json::from_str(&text)
            .context("the server cannot tell how it fares")
            .hint(|| "a worker may be stuck, or it is of another version: start it anew")?;
        let text = if output.json { text } else { status.text() };
        io::stdout().write_all(text.as_bytes())?;
        Ok(ExitStatus::Success)
    }

    fn ask(&self) -> io::Result<String> {
        let mut stream = UnixStream::connect(&self.admin)?;
        stream.set_read_timeout(Some(TIME_MAX))?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }
}
