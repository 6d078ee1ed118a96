//! `device`: what a check costs on a microcontroller, counted on an emulated Cortex-M4.
//!
//! Images of given sizes and names to ask about go into the memory of QEMU's `mps2-an386`; the
//! firmware of `benches/device` asks and prints a line for each name. QEMU counts instructions
//! and nothing else (`-icount`), so two runs must print the same; every run is done twice, and
//! every verdict is compared with the host's. Instructions are not cycles: what caches and
//! serial flash add is not in them, and is why the octets read are counted too.
//!
//! [`inputs`] has images and names, [`emulator`] has QEMU, this file has the figures.

mod emulator;
mod inputs;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use filter_core::{CategorySet, Filter, Name, SectionId};
use serde::Serialize;

use emulator::{Cost, Emulator, Optimized};
use inputs::Rules;

use crate::lists::popular_names;
use crate::record::Origin;

/// Instructions of a check on an emulated Cortex-M4.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Lists, or folders of lists. An image takes whole lists in this order as long as they
    /// fit, and names of the next one, evenly spread over it, for the rest. Without any: the
    /// public lists beside the repository.
    lists: Vec<PathBuf>,
    /// Names people ask for, one a line: four of five questions. Without: those beside the
    /// repository.
    #[arg(long)]
    benign: Option<PathBuf>,
    /// About how many rules the images have: few names turn out to be redundant.
    #[arg(long, value_delimiter = ',', default_values_t = [100_000, 500_000, 1_400_000])]
    rules: Vec<usize>,
    /// How many names are asked about.
    #[arg(long, default_value_t = 10_000)]
    names: usize,
    /// Adds the figures to this CSV file.
    #[arg(long)]
    record: Option<PathBuf>,
}

/// Builds, runs, prints, records.
///
/// # Errors
/// When something is missing (one line says what), when two runs differ, or when the device
/// answers otherwise than the host.
pub(crate) fn run(args: &Args) -> Result<()> {
    let emulator = Emulator::build()?;
    let benign = args.benign.clone().or_else(popular_names).context("--benign is wanted")?;
    let benign = fs::read_to_string(&benign).with_context(|| benign.display().to_string())?;
    let rules = match args.lists.as_slice() {
        [] => Rules::read(&inputs::public_lists().context("lists are wanted")?)?,
        lists => Rules::read(lists)?,
    };
    let mut figures = Vec::new();
    for &size in &args.rules {
        if size > rules.len() {
            println!("{size} rules left out: the lists have {}", rules.len());
            continue;
        }
        for is_for_servers in [false, true] {
            let image = rules.image(size, is_for_servers)?;
            let names = inputs::questions(&benign, &image, args.names)?;
            figures.extend(check_figures(&emulator, &image, is_for_servers, &names)?);
        }
    }
    figures.extend(keyword_figures(&emulator, &benign)?);
    print(&figures);
    if let Some(path) = &args.record {
        record(&figures, path)?;
    }
    Ok(())
}

/// One measured thing.
#[derive(Serialize)]
struct Figure {
    image: String,
    image_octets: usize,
    optimized_for: Optimized,
    figure: &'static str,
    unit: &'static str,
    /// How many names it was measured with, each giving a value; 1 where one value is for all.
    names: usize,
    /// Empty where there is one value.
    median: Option<u32>,
    p99: Option<u32>,
    max: u32,
}

/// What is measured: an image, and the firmware that reads it.
struct Subject {
    image: String,
    image_octets: usize,
    optimized_for: Optimized,
}

impl Subject {
    fn of(&self, figure: &'static str, unit: &'static str, mut values: Vec<u32>) -> Figure {
        values.sort_unstable();
        // The smallest value that so many of a hundred do not exceed.
        let percentile = |percent: usize| {
            (values.len() > 1).then(|| values[(values.len() * percent).div_ceil(100) - 1])
        };
        Figure {
            image: self.image.clone(),
            image_octets: self.image_octets,
            optimized_for: self.optimized_for,
            figure,
            unit,
            names: values.len(),
            median: percentile(50),
            p99: percentile(99),
            max: values.last().copied().unwrap_or(0),
        }
    }
}

fn check_figures(
    emulator: &Emulator,
    image: &[u8],
    is_for_servers: bool,
    names: &[Name],
) -> Result<Vec<Figure>> {
    let made_as = if is_for_servers { ", as for servers" } else { "" };

    let filter = Filter::from_bytes(image)?;
    let mut figures = Vec::new();
    for optimized_for in Optimized::ALL {
        let report = emulator.run(optimized_for, image, names)?;
        for (name, cost) in names.iter().zip(&report.costs) {
            let blocked = filter.check(name, CategorySet::ALL).is_block();
            ensure!(cost.blocked == blocked, "the device says otherwise than the host: {name}");
        }
        let subject = Subject {
            image: format!("{} rules{made_as}", filter.rule_count()),
            image_octets: image.len(),
            optimized_for,
        };
        let each = |value: fn(&Cost) -> u32| report.costs.iter().map(value).collect();
        figures.extend([
            subject.of("check", "instructions", each(|cost| cost.check)),
            subject.of(
                "name read, then check",
                "instructions",
                each(|cost| cost.name + cost.check),
            ),
            subject.of("stack of a check", "octets", vec![report.stack]),
            subject.of("image opened", "instructions", vec![report.open]),
        ]);
        if optimized_for == Optimized::Speed {
            let reads = emulator.trace(image, names)?;
            let (octets, lines) = reads.into_iter().unzip();
            figures.extend([
                subject.of("image read by a check", "octets", octets),
                subject.of("image read by a check", "lines of 32 octets", lines),
            ]);
        }
    }
    Ok(figures)
}

/// The keyword stage alone, with 300 words.
///
/// The names are registrable ones, so that it is known which octets the automaton walks: those
/// of the first label. Where no pattern is in them it walks once, and a line is fitted through
/// these names; in the others it walks twice and weighs what it finds.
fn keyword_figures(emulator: &Emulator, benign: &str) -> Result<Vec<Figure>> {
    let image = inputs::keyword_image()?;
    let filter = Filter::from_bytes(image.as_slice())?;
    let keywords = filter.keywords().context("the image has no words")?;
    let sections = filter.sections().filter(|section| section.code == SectionId::Keywords as u16);
    let section_octets: Vec<u32> = sections.map(|section| section.len_octets).collect();
    let mut patterns: Vec<&str> = keywords.words().map(|word| word.text).collect();
    patterns.extend(keywords.exceptions().map(|exception| exception.text));

    let names = inputs::registrable_names(benign);
    let mut figures = Vec::new();
    for optimized_for in Optimized::ALL {
        let report = emulator.run(optimized_for, &image, &names)?;
        let subject = Subject {
            image: format!("{} words", keywords.len()),
            image_octets: image.len(),
            optimized_for,
        };
        let (mut with, mut without, mut points) = (Vec::new(), Vec::new(), Vec::new());
        for (name, cost) in names.iter().zip(&report.costs) {
            let name = name.to_string();
            let (label, _) = name.split_once('.').unwrap_or((&name, ""));
            if patterns.iter().any(|&pattern| label.contains(pattern)) {
                with.push(cost.keywords);
            } else {
                without.push(cost.keywords);
                points.push((label.len() as f64, f64::from(cost.keywords)));
            }
        }
        let (fixed, slope) = line_through(&points);
        let (fixed, slope) = (fixed.round() as u32, (100.0 * slope).round() as u32);
        figures.extend([
            subject.of("section of the words", "octets", section_octets.clone()),
            subject.of("words in a name without any", "instructions", without),
            subject.of("  of these fixed", "instructions", vec![fixed]),
            subject.of("  of these by 100 octets", "instructions", vec![slope]),
            subject.of("words in a name with some", "instructions", with),
        ]);
    }
    Ok(figures)
}

/// Least squares: where the line begins at 0, and its slope.
fn line_through(points: &[(f64, f64)]) -> (f64, f64) {
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let covariance: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let slope = covariance / variance;
    (mean_y - slope * mean_x, slope)
}

fn print(figures: &[Figure]) {
    let cell = |value: Option<u32>| value.map_or(String::new(), |value| value.to_string());
    let mut above = String::new();
    for figure in figures {
        let Figure { image, image_octets, optimized_for, .. } = figure;
        let heading = format!("{image}, {image_octets} octets; optimized for {optimized_for}");
        if heading != above {
            println!("\n{heading}");
            println!("  {:<44} {:>9} {:>9} {:>9} {:>9}", "", "names", "median", "p99", "max");
            above = heading;
        }
        let Figure { figure, unit, names, median, p99, max, .. } = figure;
        let what = format!("{figure}: {unit}");
        println!("  {what:<44} {names:>9} {:>9} {:>9} {max:>9}", cell(*median), cell(*p99));
    }
}

/// Adds the rows, and before the first one what they are called.
fn record(figures: &[Figure], path: &Path) -> Result<()> {
    let origin = Origin::here();
    let is_new = !path.exists();
    let file = fs::OpenOptions::new().create(true).append(true).open(path);
    let file = file.with_context(|| path.display().to_string())?;
    let mut writer = csv::WriterBuilder::new().has_headers(is_new).from_writer(file);
    for figure in figures {
        writer.serialize((figure, &origin))?;
    }
    Ok(writer.flush()?)
}
