//! What a change in one list costs: `gardefou build` on forty lists, with its cache empty, with
//! nothing changed, and with one line more in one list.
//!
//! Every build is the command itself, in a process of its own, index and report included; its
//! processor time is that of all its threads.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::Parser as _;
use filter_cli::args::Cli;
use filter_cli::lists::Options;
use serde::Serialize;

use crate::lists::DataSet;
use crate::measure::{self, median, process_cpu_seconds};
use crate::record::decimals;

/// The lists the names are dealt to.
const LISTS: usize = 40;

/// What one kind of build costs.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Where the names come from; they are dealt to forty lists in order.
    pub lists: String,
    /// Lines of all lists in the beginning.
    pub names: u64,
    /// What changed since the build before.
    pub build: &'static str,
    /// Processor seconds.
    #[serde(serialize_with = "decimals")]
    pub seconds: f64,
    /// Beside the build with an empty cache.
    #[serde(serialize_with = "decimals")]
    pub to_first: f64,
}

/// Builds forty lists, once with an empty cache and twice more, so many times.
///
/// # Errors
/// When a list cannot be read or a build fails, or its image depends on what was in the cache.
pub fn measure(set: &DataSet, rounds: usize) -> Result<Vec<Row>> {
    let progress = measure::progress(format!("rebuild of {}: dealing names", set.label));
    let folder = tempfile::tempdir()?;
    let (lists, names) = deal(set, folder.path())?;
    let steps = ["all is new", "nothing changed", "a line more in a list"];
    let mut seconds: [Vec<f64>; 3] = Default::default();
    let mut latest: Option<Vec<u8>> = None;
    for round in 1..=rounds {
        let cache = folder.path().join(format!("cache-{round}"));
        for (step, times) in seconds.iter_mut().enumerate() {
            progress.set_message(format!("rebuild: {} ({round}/{rounds})", steps[step]));
            if step == 2 {
                let mut list = File::options().append(true).open(&lists[round % LISTS])?;
                writeln!(list, "one-more-{round}.example")?;
            }
            times.push(in_own_process(folder.path(), &lists, &cache)?);
            let image = fs::read(folder.path().join(IMAGE))?;
            let same = latest.as_ref().is_none_or(|latest| (*latest == image) == (step != 2));
            ensure!(same, "the image of round {round} depends on the cache: {}", steps[step]);
            latest = Some(image);
        }
    }
    let seconds = seconds.map(median);
    let row = |(build, seconds_here): (&'static str, f64)| Row {
        lists: set.label.clone(),
        names,
        build,
        seconds: seconds_here,
        to_first: seconds_here / seconds[0],
    };
    Ok(steps.into_iter().zip(seconds).map(row).collect())
}

const IMAGE: &str = "image.gfi";

/// Writes the names of a set into forty lists of about as many lines.
fn deal(set: &DataSet, folder: &Path) -> Result<(Vec<PathBuf>, u64)> {
    let mut names = Vec::new();
    set.read(&Options::default(), &mut |entry, _list| {
        names.push(entry.name);
        Ok(())
    })?;
    let mut lists = Vec::new();
    for (number, part) in names.chunks(names.len().div_ceil(LISTS)).enumerate() {
        let path = folder.join(format!("part-{number}.txt"));
        let mut file = BufWriter::new(File::create(&path)?);
        part.iter().try_for_each(|name| writeln!(file, "{name}"))?;
        file.flush()?;
        lists.push(path);
    }
    ensure!(lists.len() == LISTS, "{} has too few names for {LISTS} lists", set.label);
    Ok((lists, names.len() as u64))
}

/// The processor seconds of a build.
fn in_own_process(folder: &Path, lists: &[PathBuf], cache: &Path) -> Result<f64> {
    let mut command = Command::new(std::env::current_exe()?);
    // Away from the manifest of the repository: that of the program has the same categories.
    command.current_dir(folder).arg("build-as-gardefou");
    command.args(["--quiet", "build", "--output", IMAGE, "--cache"]).arg(cache);
    for (number, path) in lists.iter().enumerate() {
        command.arg("--list").arg(format!("phishing={},id=part-{number}", path.display()));
    }
    let output = command.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let seconds = text.lines().last().context("a build that says nothing")?;
    Ok(seconds.parse()?)
}

/// Runs a command line of `gardefou` and prints, last, the processor seconds it took.
///
/// # Errors
/// What the command says.
pub fn run_gardefou(arguments: &[String]) -> Result<()> {
    let program = std::iter::once("gardefou");
    Cli::try_parse_from(program.chain(arguments.iter().map(String::as_str)))?.run()?;
    println!("{}", process_cpu_seconds());
    Ok(())
}
