//! `gardefou allow`, `deny` and `forget`: what the operator says about a name to a running server.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use crate::output::{ExitStatus, Output};
use crate::serve::{Answer, Request};

/// Have a running server let a name through, with all below it
///
/// Holds at once, above all lists, for the time that is said. What the law forbids stays blocked.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 said; 2 error, also when no server answers.

Examples:
  gardefou allow www.example.com --for 1h
  gardefou forget www.example.com")]
pub struct Allow {
    #[command(flatten)]
    said: Said,
    /// For how long, such as 90s, 30m or 1h; until the server ends when left out
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    time: Option<Duration>,
}

/// Have a running server block a name, with all below it
///
/// Holds at once, above all lists, for the time that is said. Names of help lines and the like are
/// never blocked.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 said; 2 error, also when no server answers.

Example:
  gardefou deny games.example.com --for 2h")]
pub struct Deny {
    #[command(flatten)]
    said: Said,
    /// For how long, such as 90s, 30m or 1h; until the server ends when left out
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    time: Option<Duration>,
}

/// Have a running server forget what was said with `allow` or `deny`
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 forgotten; 2 error, also when nothing was said.")]
pub struct Forget {
    #[command(flatten)]
    said: Said,
}

#[derive(Debug, clap::Args)]
struct Said {
    /// The socket the server was given with --admin
    #[arg(long, value_name = "PATH", default_value = super::status::ADMIN)]
    admin: PathBuf,
    /// The name
    #[arg(value_name = "NAME")]
    name: String,
}

impl Allow {
    /// Runs the command.
    ///
    /// # Errors
    /// When no server answers, or it will not.
    pub fn run(&self, output: &Output) -> anyhow::Result<ExitStatus> {
        let for_s = self.time.map(|time| time.as_secs());
        self.said.send(&Request::Allow { name: self.said.name.clone(), for_s }, output)
    }
}

impl Deny {
    /// Runs the command.
    ///
    /// # Errors
    /// When no server answers, or it will not.
    pub fn run(&self, output: &Output) -> anyhow::Result<ExitStatus> {
        let for_s = self.time.map(|time| time.as_secs());
        self.said.send(&Request::Deny { name: self.said.name.clone(), for_s }, output)
    }
}

impl Forget {
    /// Runs the command.
    ///
    /// # Errors
    /// When no server answers, or nothing was said.
    pub fn run(&self, output: &Output) -> anyhow::Result<ExitStatus> {
        self.said.send(&Request::Forget { name: self.said.name.clone() }, output)
    }
}

impl Said {
    fn send(&self, request: &Request, output: &Output) -> anyhow::Result<ExitStatus> {
        show(&request.send(&self.admin)?, output)
    }
}

/// Prints what a server says.
pub(super) fn show(answer: &Answer, output: &Output) -> anyhow::Result<ExitStatus> {
    let text = match answer {
        _ if output.json => serde_json::to_string(answer)? + "\n",
        Answer::Status(status) => status.text(),
        Answer::Explanation(explanation) => explanation.text(),
        Answer::Error { error } => error.clone() + "\n",
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitStatus::Success)
}
