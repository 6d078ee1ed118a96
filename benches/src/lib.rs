//! Measures images beside their peers, in one run, on any lists.
//!
//! [`lists`] reads lists and packs them, [`peers`] builds and asks everything else with the same
//! names, [`synthetic`] makes more names than there are lists for. [`density`], [`speed`],
//! [`build`], [`rebuild`] and `device` measure; [`report`] runs them and has their rows kept by [`record`], set
//! side by side by `table`, and shown by `figures`, which [`plot`] draws.
//!
//! Sizes are exact and the same everywhere. Times are those of one thread and mean something as
//! ratios of one run.

pub mod build;
pub mod density;
mod device;
#[cfg(target_os = "linux")]
mod dns;
mod figures;
#[cfg(target_os = "linux")]
mod gateway;
pub mod lists;
pub mod measure;
pub mod peers;
pub mod plot;
pub mod rebuild;
pub mod record;
pub mod report;
pub mod speed;
pub mod synthetic;
mod table;

use std::io;
use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

use lists::DataSet;
use peers::Structure;

/// Measures images beside their peers, in one run.
#[derive(Parser)]
enum Command {
    /// Octets by name, beside others of the same names; as CSV.
    Density {
        /// Lists, or folders of lists, packed together. Without any: the public lists beside
        /// this repository, or our own.
        lists: Vec<PathBuf>,
    },
    /// Time of a check of a name and all its parents, beside others; as CSV.
    Speed {
        /// Lists, or folders of lists, as for `density`.
        lists: Vec<PathBuf>,
        /// Names people ask for, one a line. Without: the popular names beside this repository,
        /// or synthetic ones.
        #[arg(long)]
        popular: Option<PathBuf>,
        /// Rounds; the median counts.
        #[arg(long, default_value_t = 9)]
        rounds: usize,
    },
    /// Time and memory from text to structure, beside others; as CSV.
    Build {
        /// How many synthetic names.
        #[arg(long, value_delimiter = ',', default_values_t = report::SIZES)]
        names: Vec<usize>,
        /// Rounds; the median counts.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// Time of `gardefou build` on forty lists: all new, unchanged, a line more; as CSV.
    Rebuild {
        /// Lists, or folders of lists, as for `density`.
        lists: Vec<PathBuf>,
        /// Rounds; the median counts.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// Writes a list of synthetic names.
    Synthetic {
        /// How many.
        names: usize,
        /// The list to write.
        #[arg(long)]
        out: PathBuf,
        /// Another seed gives other names.
        #[arg(long, default_value_t = synthetic::SEED)]
        seed: u64,
        /// What they are made after: lists, or folders of lists, as for `density`.
        #[arg(long)]
        like: Vec<PathBuf>,
    },
    /// Instructions and octets read on an emulated microcontroller.
    Device(device::Args),
    /// Answers a second of the gateway on an emulated board, beside a firmware that says to everything
    /// that there is no such name.
    #[cfg(target_os = "linux")]
    Gateway(gateway::Args),
    /// The client of `benches/serve.sh`, and its counterparts.
    #[cfg(target_os = "linux")]
    #[command(subcommand)]
    Dns(dns::Command),
    /// Everything above: rows, one table, and a figure each.
    Report(report::Args),
    /// Builds one structure from one list and prints what it cost, in a process of its own.
    #[command(hide = true)]
    BuildOne { structure: Structure, list: PathBuf },
    /// Runs a command of `gardefou` and prints its processor seconds, in a process of its own.
    #[command(hide = true)]
    BuildAsGardefou {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

/// The program.
///
/// # Errors
/// When something cannot be read, built or written, or an answer is wrong.
pub fn run() -> Result<()> {
    match Command::parse() {
        Command::Density { lists } => {
            let rows = sets(&lists)?.iter().map(density::measure).collect::<Result<Vec<_>>>()?;
            print(&rows.concat())
        }
        Command::Speed { lists, popular, rounds } => {
            let popular = popular.or_else(lists::popular_names);
            let plan = speed::Plan { popular: popular.as_deref(), rounds, ..Default::default() };
            let measure = |set| speed::measure(set, &plan);
            print(&sets(&lists)?.iter().map(measure).collect::<Result<Vec<_>>>()?.concat())
        }
        Command::Build { names, rounds } => {
            let sets = sets(&[])?;
            let plan = build::Plan { sizes: &names, rounds, model: &sets[0], real: sets.last() };
            print(&build::measure(&plan)?)
        }
        Command::Rebuild { lists, rounds } => print(&rebuild::measure(&sets(&lists)?[0], rounds)?),
        Command::Synthetic { names, out, seed, like } => {
            synthetic::write(names, seed, &sets(&like)?[0], &out)
        }
        Command::Device(args) => device::run(&args),
        #[cfg(target_os = "linux")]
        Command::Gateway(args) => gateway::run(&args),
        #[cfg(target_os = "linux")]
        Command::Dns(command) => dns::run(command),
        Command::Report(args) => report::run(&args),
        Command::BuildOne { structure, list } => {
            let built = build::build_one(structure, &list)?;
            println!("{}", serde_json::to_string(&built)?);
            Ok(())
        }
        Command::BuildAsGardefou { arguments } => rebuild::run_gardefou(&arguments),
    }
}

/// The given lists as one set, or the public ones, or our own.
fn sets(lists: &[PathBuf]) -> Result<Vec<DataSet>> {
    if !lists.is_empty() {
        return Ok(vec![DataSet::new("lists", lists)?]);
    }
    let public = DataSet::public()?;
    if public.is_empty() { Ok(vec![DataSet::own()?]) } else { Ok(public) }
}

fn print<R: serde::Serialize>(rows: &[R]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(io::stdout());
    rows.iter().try_for_each(|row| writer.serialize(row))?;
    Ok(writer.flush()?)
}
