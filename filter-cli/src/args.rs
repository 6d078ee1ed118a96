//! The command line: the one definition that parsing, `--help`, the man pages and the shell
//! completions come from.

use clap::{Parser, Subcommand};

use crate::cmd;
use crate::output::{ExitStatus, Output};

/// Build DNS blocklist images and ask them about names
///
/// Gardefou keeps children away from harmful names on the Internet. `build` turns lists into
/// one small image; gateways, resolvers and the other commands ask that image.
#[derive(Debug, Parser)]
#[command(
    name = "gardefou",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done; 1 found something (check: a blocked name; lint: a \
                  finding; diff: a difference); 2 error.\n`gardefou COMMAND --help` has examples.",
    after_long_help = LONG_HELP,
)]
pub struct Cli {
    /// Print JSON instead of text
    #[arg(long, global = true)]
    json: bool,
    /// Show no progress and no notices
    #[arg(short, long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

const LONG_HELP: &str = "\
Exit codes:
  0  done; nothing found
  1  found something: `check` a blocked name, `lint` a finding, `diff` a difference
  2  error

Environment:
  NO_COLOR        no colors, when set to anything
  XDG_CACHE_HOME  where `build` keeps lists it has read (under gardefou/); else ~/.cache

Examples:
  gardefou build                                  the lists that come with gardefou
  gardefou build --list gambling=my-list.txt      a list of your own
  gardefou check www.example.com                  what the image makes of a name
  gardefou explain www.example.com                ... and why
  gardefou serve --listen 192.0.2.1               a DNS server that blocks what is listed";

#[derive(Debug, Subcommand)]
enum Command {
    Build(cmd::build::Args),
    Check(cmd::check::Args),
    Explain(cmd::explain::Args),
    Info(cmd::info::Args),
    Verify(cmd::verify::Args),
    Lint(cmd::lint::Args),
    Diff(cmd::diff::Args),
    Export(cmd::export::Args),
    Generate(cmd::generate::Args),
    #[cfg(all(feature = "serve", target_os = "linux"))]
    Serve(Box<cmd::serve::Args>),
    #[cfg(all(feature = "serve", target_os = "linux"))]
    Gateway(cmd::gateway::Args),
    #[cfg(all(feature = "serve", target_os = "linux"))]
    Status(cmd::status::Args),
    #[cfg(all(feature = "serve", target_os = "linux"))]
    Allow(cmd::say::Allow),
    #[cfg(all(feature = "serve", target_os = "linux"))]
    Deny(cmd::say::Deny),
    #[cfg(all(feature = "serve", target_os = "linux"))]
    Forget(cmd::say::Forget),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// What the command says.
    pub fn run(&self) -> anyhow::Result<ExitStatus> {
        let output = Output::new(self.json, self.quiet);
        match &self.command {
            Command::Build(args) => args.run(&output),
            Command::Check(args) => args.run(&output),
            Command::Explain(args) => args.run(&output),
            Command::Info(args) => args.run(&output),
            Command::Verify(args) => args.run(&output),
            Command::Lint(args) => args.run(&output),
            Command::Diff(args) => args.run(&output),
            Command::Export(args) => args.run(&output),
            Command::Generate(args) => args.run(&output),
            #[cfg(all(feature = "serve", target_os = "linux"))]
            Command::Serve(args) => args.run(&output),
            #[cfg(all(feature = "serve", target_os = "linux"))]
            Command::Gateway(args) => args.run(&output),
            #[cfg(all(feature = "serve", target_os = "linux"))]
            Command::Status(args) => args.run(&output),
            #[cfg(all(feature = "serve", target_os = "linux"))]
            Command::Allow(args) => args.run(&output),
            #[cfg(all(feature = "serve", target_os = "linux"))]
            Command::Deny(args) => args.run(&output),
            #[cfg(all(feature = "serve", target_os = "linux"))]
            Command::Forget(args) => args.run(&output),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
