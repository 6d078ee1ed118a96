//! Measures images beside their peers, in one run, on any lists.
//!
//! `density` packs lists and compares the sections rules need at query time with `xz -9e` of
//! the same names and with an `fst::Map` of the same names and values; then it asks image and
//! map about the same names. Sizes are exact; times are medians of five rounds and mean
//! something only as ratios of one run.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use filter_cli::lists::{self, Options};
use filter_core::compile::{Compiler, Image, ListInfo};
use filter_core::{CategorySet, Facet, Filter, Name};
use liblzma::stream::Stream;
use liblzma::write::XzEncoder;

/// Measures images beside their peers.
#[derive(Parser)]
enum Command {
    /// Bytes by name and time by check, beside xz and fst.
    Density {
        /// Lists, or folders of lists, packed together into one image. Without any: our own
        /// lists.
        lists: Vec<PathBuf>,
        /// Names people ask for, one a line, for the times.
        #[arg(long)]
        benign: Option<PathBuf>,
        /// Adds the row to this CSV file.
        #[arg(long)]
        record: Option<PathBuf>,
        /// What the row is called.
        #[arg(long, default_value = "lists")]
        label: String,
    },
}

fn main() -> Result<()> {
    let Command::Density { mut lists, benign, record, label } = Command::parse();
    if lists.is_empty() {
        lists.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("../blocklists/lists"));
    }
    let row = density(&list_files(&lists)?, benign.as_deref(), label)?;
    println!("{row}");
    if let Some(path) = record {
        let is_new = !path.exists();
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&path)?;
        if is_new {
            writeln!(file, "{}", Row::CSV_HEADER)?;
        }
        writeln!(file, "{}", row.csv())?;
    }
    Ok(())
}

/// One measured set of lists.
struct Row {
    label: String,
    names: u64,
    classes: usize,
    rule_octets: u64,
    xz_octets: usize,
    fst_octets: usize,
    check_ns: Option<f64>,
    fst_walk_ns: Option<f64>,
}

impl Row {
    const CSV_HEADER: &str = "label,names,classes,rule_octets,octets_per_name,xz_octets,\
        ratio_to_xz,fst_octets,ratio_to_fst,check_ns,fst_walk_ns";

    fn per_name(&self, octets: usize) -> f64 {
        octets as f64 / self.names as f64
    }

    fn csv(&self) -> String {
        let time = |ns: Option<f64>| ns.map_or(String::new(), |ns| format!("{ns:.0}"));
        format!(
            "{},{},{},{},{:.3},{},{:.3},{},{:.3},{},{}",
            self.label,
            self.names,
            self.classes,
            self.rule_octets,
            self.per_name(self.rule_octets as usize),
            self.xz_octets,
            self.rule_octets as f64 / self.xz_octets as f64,
            self.fst_octets,
            self.rule_octets as f64 / self.fst_octets as f64,
            time(self.check_ns),
            time(self.fst_walk_ns),
        )
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}: {} names, {} classes", self.label, self.names, self.classes)?;
        let mut line = |what: &str, octets: usize| {
            writeln!(f, "  {what:<28} {octets:>12} octets {:>8.3} by name", self.per_name(octets))
        };
        line("image, rules with values", self.rule_octets as usize)?;
        line("xz -9e of the names alone", self.xz_octets)?;
        line("fst::Map, with values", self.fst_octets)?;
        let ratio = self.rule_octets as f64;
        writeln!(
            f,
            "  image / xz {:.3}   image / fst {:.3}",
            ratio / self.xz_octets as f64,
            ratio / self.fst_octets as f64
        )?;
        if let (Some(check), Some(walk)) = (self.check_ns, self.fst_walk_ns) {
            writeln!(
                f,
                "  full check {check:.0} ns, fst parent walk {walk:.0} ns, ratio {:.2} \
                 (80 % benign names, 20 % subdomains of listed ones)",
                check / walk
            )?;
        }
        Ok(())
    }
}

fn density(files: &[PathBuf], benign: Option<&Path>, label: String) -> Result<Row> {
    let image = build(files)?;
    let (rule_octets, classes) = (image.rule_octets, image.class_count);
    let filter = Filter::from_bytes(image.octets)?;

    let mut text = Vec::new();
    let mut keys = Vec::new();
    let mut listed = Vec::new();
    for (number, rule) in filter.rules().enumerate() {
        let key = reversed(&rule.name);
        text.extend(&key);
        text.push(b'\n');
        let first = rule.facets().next().context("a rule without facets")?;
        keys.push((key, u64::from(first.categories.0.trailing_zeros())));
        if number % 50 == 7 {
            listed.push(Name::from_text(format!("www.{}", rule.name)).unwrap_or(rule.name));
        }
    }
    keys.sort_unstable();
    let map = fst::Map::from_iter(keys)?;
    let (check_ns, fst_walk_ns) = match benign {
        Some(path) => {
            let questions = questions(&fs::read_to_string(path)?, &listed);
            let (check, walk) = times(&filter, &map, &questions);
            (Some(check), Some(walk))
        }
        None => (None, None),
    };
    Ok(Row {
        label,
        names: filter.rule_count().into(),
        classes,
        rule_octets,
        xz_octets: xz(&text)?,
        fst_octets: map.as_fst().size(),
        check_ns,
        fst_walk_ns,
    })
}

/// `com.example.www` for `www.example.com`.
fn reversed(name: &Name) -> Vec<u8> {
    let mut labels: Vec<&[u8]> = name.labels().collect();
    labels.reverse();
    labels.join(&b'.')
}

/// Packs all files into one image, each a list of a category of its own as far as there are
/// categories.
fn build(files: &[PathBuf]) -> Result<Image> {
    let mut compiler = Compiler::new(1);
    let mut octets = 0;
    for (number, file) in files.iter().enumerate() {
        let categories = CategorySet::of(2 + (number % 29) as u8);
        let list = compiler.list(ListInfo::new(&number.to_string(), categories))?;
        lists::read(file, &Options::default(), &mut |entry, _line| {
            let lists::Entry { name, scope, action, important } = entry;
            let lists = [list].into_iter().collect();
            octets += name.as_wire().len();
            let facet = Facet { scope, action, important, categories, lists };
            compiler.facet(&name, facet).map_err(std::io::Error::other)
        })?;
    }
    ensure!(octets > 0, "no names in the given lists");
    Ok(compiler.finish()?)
}

/// Every file below the given paths that can be a list, in order.
fn list_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    /// What UT1 keeps beside its domains.
    const NOT_LISTS: [&str; 6] = [
        "urls",
        "usage",
        "expressions",
        "very_restrictive_expression",
        "global_usage",
        "README.md",
    ];
    let mut files = Vec::new();
    let mut pending = paths.to_vec();
    // Ends because folders hold finitely many files; links are not followed twice in a list.
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            for entry in fs::read_dir(&path).with_context(|| path.display().to_string())? {
                pending.push(entry?.path());
            }
        } else if !NOT_LISTS.iter().any(|name| path.file_name().is_some_and(|file| file == *name)) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn xz(text: &[u8]) -> Result<usize> {
    /// `LZMA_PRESET_EXTREME` of liblzma: the `e` of `xz -9e`.
    const EXTREME: u32 = 1 << 31;
    let stream = Stream::new_easy_encoder(9 | EXTREME, liblzma::stream::Check::Crc64)?;
    let mut encoder = XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(text)?;
    Ok(encoder.finish()?.len())
}

/// Four benign names for each subdomain of a listed one, in a fixed order.
fn questions(benign: &str, listed: &[Name]) -> Vec<Name> {
    let benign: Vec<Name> =
        benign.lines().filter_map(|line| Name::from_text(line.trim()).ok()).collect();
    let mut questions = Vec::new();
    for (number, name) in benign.iter().enumerate() {
        questions.push(name.clone());
        if let (3, Some(index)) = (number % 4, (number / 4).checked_rem(listed.len())) {
            questions.push(listed[index].clone());
        }
    }
    questions
}

/// Median nanoseconds of a check, and of looking a name and its parents up in the map.
fn times(filter: &Filter<Vec<u8>>, map: &fst::Map<Vec<u8>>, questions: &[Name]) -> (f64, f64) {
    let mut checks = Vec::new();
    let mut walks = Vec::new();
    for _ in 0..5 {
        checks.push(time(questions, |name| filter.check(name, CategorySet::ALL).is_block()));
        walks.push(time(questions, |name| parent_walk(map, name)));
    }
    checks.sort_by(f64::total_cmp);
    walks.sort_by(f64::total_cmp);
    (checks[2], walks[2])
}

fn time(questions: &[Name], mut ask: impl FnMut(&Name) -> bool) -> f64 {
    let start = Instant::now();
    let blocked = questions.iter().filter(|name| ask(name)).count();
    std::hint::black_box(blocked);
    start.elapsed().as_nanos() as f64 / questions.len().max(1) as f64
}

/// Whether the map holds the name or a parent of it: one pass down the automaton.
fn parent_walk(map: &fst::Map<Vec<u8>>, name: &Name) -> bool {
    let fst = map.as_fst();
    let mut node = fst.root();
    for octet in reversed(name) {
        if octet == b'.' && node.is_final() {
            return true;
        }
        let Some(index) = node.find_input(octet) else { return false };
        node = fst.node(node.transition(index).addr);
    }
    node.is_final()
}
