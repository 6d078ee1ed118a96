//! The binary `gardefou`: reads the command line, runs one command, ends with its exit code.

use std::process::ExitCode;

use clap::Parser;
use filter_cli::args::Cli;
use filter_cli::output;

fn main() -> ExitCode {
    let cli = Cli::parse();
    output::finish(cli.run())
}
