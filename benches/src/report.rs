//! Everything measured in one run, as one table, with the rows and a figure of each part.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Parser as _;
use serde::Deserialize;

use crate::lists::{self, DataSet};
use crate::record::{Origin, Records};
use crate::{build, density, device, figures, rebuild, speed, synthetic, table};

/// Numbers of synthetic names that are built.
pub const SIZES: [usize; 5] = [100_000, 300_000, 1_000_000, 3_000_000, 10_000_000];
/// About how many names samples of whole lists have.
const SAMPLES: [usize; 4] = [10_000, 30_000, 100_000, 300_000];

/// All measurements with sensible defaults.
#[derive(clap::Args)]
pub struct Args {
    /// Our own lists only, few names, few rounds, no device: shows in a minute that all works.
    #[arg(long)]
    quick: bool,
    /// Leaves the emulated device out, which wants QEMU; the latest record is shown instead.
    #[arg(long)]
    no_device: bool,
    /// Where records go; `benches/record`, or `target/report` when quick.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Everything that was measured.
pub struct Measured {
    /// Sizes of whole sets of lists.
    pub density: Vec<density::Row>,
    /// Sizes of samples of whole lists.
    pub samples: Vec<density::Row>,
    /// Times of checks.
    pub speed: Vec<speed::Row>,
    /// Times and memory of building.
    pub build: Vec<build::Row>,
    /// Times of building again.
    pub rebuild: Vec<rebuild::Row>,
    /// The latest record of the device.
    pub device: Vec<DeviceRow>,
}

/// A row of a record of `device`.
#[derive(Clone, Debug, Deserialize)]
pub struct DeviceRow {
    /// What was asked.
    pub image: String,
    /// Its size.
    pub image_octets: u64,
    /// What the firmware was optimized for.
    pub optimized_for: String,
    /// What was measured.
    pub figure: String,
    /// In which unit.
    pub unit: String,
    /// Of how many names.
    pub names: u64,
    /// The middle value; none where there is one value.
    pub median: Option<u64>,
    /// What 99 of 100 do not exceed.
    pub p99: Option<u64>,
    /// The largest value.
    pub max: u64,
}

/// Measures and writes everything.
///
/// # Errors
/// When something cannot be read, built or written, or an answer is wrong.
pub fn run(args: &Args) -> Result<()> {
    let default = if args.quick { "target/report" } else { "benches/record" };
    let records = Records::open(&args.out.clone().unwrap_or_else(|| lists::root().join(default)))?;
    let own = DataSet::own()?;
    let public = if args.quick { Vec::new() } else { DataSet::public()? };
    if !args.quick && !args.no_device {
        // First: it is the part that may want something installed.
        measure_device(&public, &own, &records).context("`--no-device` leaves this out")?;
    }
    let measured = measure(args.quick, &public, &own, &records)?;
    let origin = &records.origin;
    let densities = [measured.density.as_slice(), &measured.samples].concat();
    records.rows("density", &densities)?;
    records.rows("speed", &measured.speed)?;
    records.rows("build", &measured.build)?;
    records.rows("rebuild", &measured.rebuild)?;
    records.figure("density", &figures::density(&measured, origin).draw())?;
    records.figure("speed", &figures::speed(&measured, origin).draw())?;
    records.figure("build", &figures::build(&measured, origin).draw())?;
    if !measured.device.is_empty() {
        records.figure("device", &figures::device(&measured).draw())?;
    }
    let table = table::markdown(&measured, origin);
    println!("{table}");
    eprintln!("written: {}", records.text("report", &table)?.display());
    Ok(())
}

fn measure(quick: bool, public: &[DataSet], own: &DataSet, records: &Records) -> Result<Measured> {
    let main = public.first().unwrap_or(own);
    let mut density = Vec::new();
    for set in public.iter().chain([own]) {
        density.extend(density::measure(set)?);
    }
    let mut samples = Vec::new();
    for set in main.samples(if quick { &[1_000] } else { &SAMPLES })? {
        samples.extend(density::measure(&set)?);
    }
    let popular = if quick { None } else { lists::popular_names() };
    let mut plan = speed::Plan { popular: popular.as_deref(), ..Default::default() };
    if quick {
        (plan.rounds, plan.questions_max) = (3, 10_000);
    }
    let mut speed = Vec::new();
    for set in if public.is_empty() { std::slice::from_ref(own) } else { public } {
        speed.extend(speed::measure(set, &plan)?);
    }
    let sizes: &[usize] = if quick { &[10_000, 30_000] } else { &SIZES };
    let rounds = if quick { 1 } else { 3 };
    let build = build::measure(&build::Plan { sizes, rounds, model: main, real: public.last() })?;
    let rebuild = rebuild::measure(main, if quick { 1 } else { 5 })?;
    Ok(Measured { density, samples, speed, build, rebuild, device: latest_device(records)? })
}

/// What `device` wants on its command line, made up here.
#[derive(clap::Parser)]
struct Device {
    #[command(flatten)]
    args: device::Args,
}

fn measure_device(public: &[DataSet], own: &DataSet, records: &Records) -> Result<()> {
    let record = records.path("device", "csv");
    // It adds rows; a run replaces those of the same day.
    let _ = fs::remove_file(&record);
    let folder = tempfile::tempdir()?;
    let popular = lists::popular_names().map_or_else(|| synthetic_names(own, folder.path()), Ok)?;
    let mut arguments: Vec<PathBuf> = vec!["device".into()];
    if public.is_empty() {
        arguments.extend(["--rules", "5000"].map(PathBuf::from));
        arguments.extend(own.paths());
    } else {
        arguments.extend(public.iter().flat_map(DataSet::paths));
    }
    arguments.extend(["--benign".into(), popular, "--record".into(), record]);
    device::run(&Device::try_parse_from(arguments)?.args)
}

fn synthetic_names(set: &DataSet, folder: &Path) -> Result<PathBuf> {
    let path = folder.join("names");
    let mut text = Vec::new();
    for name in synthetic::Model::train(set)?.names(synthetic::SEED).take(10_000) {
        writeln!(text, "{name}")?;
    }
    fs::write(&path, text)?;
    Ok(path)
}

fn latest_device(records: &Records) -> Result<Vec<DeviceRow>> {
    let Some(path) = records.latest("device")? else { return Ok(Vec::new()) };
    let mut reader = csv::Reader::from_path(&path)?;
    let rows: Result<Vec<DeviceRow>, _> = reader.deserialize().collect();
    rows.with_context(|| path.display().to_string())
}

/// Where, when and on what, in a line.
pub fn provenance(origin: &Origin) -> String {
    let Origin { date, commit, machine, rustc } = origin;
    format!("{date}, commit {commit}, {machine}, {rustc}")
}
