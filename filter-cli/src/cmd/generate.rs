//! `gardefou generate`: man pages and shell completions, made from the command line's own
//! definition.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;

use crate::args::Cli;
use crate::output::{ExitStatus, Output};

/// Write man pages or shell completions
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 written, 2 error.\n\nExamples:\n  \
    gardefou generate man --out ~/.local/share/man/man1\n  \
    gardefou generate completions bash --out ~/.local/share/bash-completion/completions")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Write a man page for every command
    Man {
        /// The directory to write to; made when it is not there
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
    },
    /// Write the completions of a shell
    Completions {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: ShellName,
        /// The directory to write to; made when it is not there
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ShellName {
    Bash,
    Zsh,
    Fish,
}

impl Args {
    /// Runs the command.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn run(&self, output: &Output) -> anyhow::Result<ExitStatus> {
        let mut command = Cli::command();
        let (What::Man { out } | What::Completions { out, .. }) = &self.what;
        let cannot_write = || format!("cannot write to {}", out.display());
        fs::create_dir_all(out).with_context(cannot_write)?;
        match self.what {
            What::Man { .. } => {
                clap_mangen::generate_to(command, out).with_context(cannot_write)?
            }
            What::Completions { shell, .. } => {
                let shell = match shell {
                    ShellName::Bash => Shell::Bash,
                    ShellName::Zsh => Shell::Zsh,
                    ShellName::Fish => Shell::Fish,
                };
                clap_complete::generate_to(shell, &mut command, "gardefou", out)
                    .with_context(cannot_write)?;
            }
        }
        output.notice(format_args!("written to {}", out.display()));
        Ok(ExitStatus::Success)
    }
}
