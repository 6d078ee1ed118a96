//! Text to structure: processor time and memory, from 100,000 to 10 million names.
//!
//! Each structure of each size is built in a process of its own, so that peaks of memory do not
//! mix: it reads the text of one list, notes its peak, then parses, sorts and builds.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum as _;
use filter_cli::lists::{Format, Options, read_text};
use filter_core::compile::{Compiler, ListInfo};
use filter_core::{Action, CategorySet, Facet, Key, Name, Scope};
use serde::{Deserialize, Serialize};

use crate::lists::{self, DataSet};
use crate::measure::{self, median, peak_octets, timed};
use crate::peers::{FstPeer, FusePeer, HashbrownPeer, Keys, MarisaPeer, Peer as _, Structure};
use crate::peers::{hash, reversed};
use crate::record::decimals;
use crate::synthetic;

/// What building one structure costs.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Where the names come from: `synthetic`, or lists.
    pub lists: String,
    /// How many there are.
    pub names: u64,
    /// What was built.
    pub structure: String,
    /// Processor seconds from text to structure.
    #[serde(serialize_with = "decimals")]
    pub seconds: f64,
    /// Of these: lines become names, and names keys or hashes.
    #[serde(serialize_with = "decimals")]
    pub parse_seconds: f64,
    /// Of these: keys are sorted. A hash needs none of it.
    #[serde(serialize_with = "decimals")]
    pub sort_seconds: f64,
    /// `seconds` by name, in nanoseconds.
    #[serde(serialize_with = "decimals")]
    pub ns_per_name: f64,
    /// The most memory held above the text.
    pub peak_octets: u64,
    /// The same by name.
    #[serde(serialize_with = "decimals")]
    pub peak_octets_per_name: f64,
    /// The size of what was built.
    pub octets: u64,
}

/// What a process measured of itself; it says so in one line of JSON.
#[derive(Serialize, Deserialize)]
pub struct Built {
    names: u64,
    parse_seconds: f64,
    sort_seconds: f64,
    build_seconds: f64,
    peak_octets: u64,
    octets: u64,
}

/// What is built, and how often.
pub struct Plan<'a> {
    /// Numbers of synthetic names.
    pub sizes: &'a [usize],
    /// Rounds; the median counts.
    pub rounds: usize,
    /// What synthetic names are made after.
    pub model: &'a DataSet,
    /// Real lists built besides.
    pub real: Option<&'a DataSet>,
}

/// Builds every structure from every number of names.
///
/// # Errors
/// When names cannot be made or a process fails.
pub fn measure(plan: &Plan<'_>) -> Result<Vec<Row>> {
    let progress = measure::progress("build: learning what names look like");
    let folder = tempfile::tempdir()?;
    let mut inputs: Vec<(String, PathBuf)> = Vec::new();
    let model = synthetic::Model::train(plan.model)?;
    let largest = plan.sizes.iter().copied().max().unwrap_or(0);
    progress.set_message(format!("build: making {largest} names"));
    let all = folder.path().join("all");
    model.write(largest, synthetic::SEED, &all)?;
    let text = fs::read(all)?;
    for &size in plan.sizes {
        let path = folder.path().join(size.to_string());
        fs::write(&path, head(&text, size))?;
        inputs.push(("synthetic".to_owned(), path));
    }
    drop(text);
    drop(model);
    if let Some(set) = plan.real {
        let path = folder.path().join("real");
        write_names(set, &path)?;
        inputs.push((set.label.clone(), path));
    }
    let mut rows = Vec::new();
    for (label, path) in &inputs {
        let mut rounds: [Vec<Built>; Structure::ALL.len()] = Default::default();
        for _ in 0..plan.rounds {
            for (structure, rounds) in Structure::ALL.into_iter().zip(&mut rounds) {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                progress.set_message(format!("build: {} of {name} names", structure.label()));
                rounds.push(in_own_process(structure, path)?);
            }
        }
        let measured = Structure::ALL.into_iter().zip(rounds);
        rows.extend(measured.map(|(structure, rounds)| row(label, structure, &rounds)));
    }
    Ok(rows)
}

/// The first lines: the first names of a long list are those of a shorter one.
fn head(text: &[u8], lines: usize) -> &[u8] {
    let lengths = text.split_inclusive(|&octet| octet == b'\n').take(lines).map(<[u8]>::len);
    &text[..lengths.sum()]
}

fn row(lists: &str, structure: Structure, rounds: &[Built]) -> Row {
    let middle = |of: fn(&Built) -> f64| median(rounds.iter().map(of).collect());
    let seconds = middle(|built| built.parse_seconds + built.sort_seconds + built.build_seconds);
    let peak_octets = middle(|built| built.peak_octets as f64) as u64;
    let names = rounds[0].names;
    Row {
        lists: lists.to_owned(),
        names,
        structure: structure.label().to_owned(),
        seconds,
        parse_seconds: middle(|built| built.parse_seconds),
        sort_seconds: middle(|built| built.sort_seconds),
        ns_per_name: seconds * 1e9 / names as f64,
        peak_octets,
        peak_octets_per_name: peak_octets as f64 / names as f64,
        octets: rounds[0].octets,
    }
}

fn in_own_process(structure: Structure, path: &Path) -> Result<Built> {
    let value = structure.to_possible_value().context("every structure has a name")?;
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.arg("build-one").arg(value.get_name()).arg(path).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Writes the names of lists into one file, a name a line.
fn write_names(set: &DataSet, path: &Path) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    set.read(&lists::as_names(), &mut |entry, _list| writeln!(file, "{}", entry.name))?;
    Ok(file.flush()?)
}

/// Builds one structure from a list of domains, and measures this process.
///
/// # Errors
/// When the list cannot be read or the structure not be built.
pub fn build_one(structure: Structure, path: &Path) -> Result<Built> {
    let text = fs::read(path).with_context(|| path.display().to_string())?;
    let before = peak_octets()?;
    let mut built = match structure {
        Structure::Image => from_keys(&text, push_symbols, image_octets)?,
        Structure::Fst => {
            from_keys(&text, push_reversed, |keys| Ok(FstPeer::build(keys)?.octets()))?
        }
        Structure::Marisa => {
            from_keys(&text, push_reversed, |keys| Ok(MarisaPeer::build(keys)?.octets()))?
        }
        Structure::Hashbrown => {
            from_hashes(&text, |hashes| Ok(HashbrownPeer::build(&hashes).octets()))?
        }
        Structure::Fuse => from_hashes(&text, |hashes| Ok(FusePeer::build(hashes)?.octets()))?,
    };
    built.peak_octets = peak_octets()? - before;
    Ok(built)
}

fn from_keys(
    text: &[u8],
    push: fn(&mut Keys, &Name),
    build: fn(&Keys) -> Result<u64>,
) -> Result<Built> {
    let mut keys = Keys::default();
    let (read, parse_seconds) = timed(|| each_name(text, &mut |name| push(&mut keys, &name)));
    read?;
    let ((), sort_seconds) = timed(|| keys.sort());
    let (octets, build_seconds) = timed(|| build(&keys));
    let names = keys.len() as u64;
    Ok(Built { names, parse_seconds, sort_seconds, build_seconds, peak_octets: 0, octets: octets? })
}

fn from_hashes(text: &[u8], build: fn(Vec<u64>) -> Result<u64>) -> Result<Built> {
    let mut hashes = Vec::new();
    let (read, parse_seconds) = timed(|| each_name(text, &mut |name| hashes.push(hash(&name))));
    read?;
    let names = hashes.len() as u64;
    let (octets, build_seconds) = timed(|| build(hashes));
    let octets = octets?;
    Ok(Built { names, parse_seconds, sort_seconds: 0.0, build_seconds, peak_octets: 0, octets })
}

fn each_name(mut text: &[u8], sink: &mut dyn FnMut(Name)) -> Result<()> {
    let options = Options { format: Some(Format::Domains), ..Options::default() };
    read_text(&mut text, &options, &mut |entry, _line| {
        sink(entry.name);
        io::Result::Ok(())
    })?;
    Ok(())
}

fn push_symbols(keys: &mut Keys, name: &Name) {
    keys.push(Key::new(name).symbols(), 0);
}

fn push_reversed(keys: &mut Keys, name: &Name) {
    keys.push(reversed(name, &mut [0; Name::MAX_LEN]), 0);
}

fn image_octets(keys: &Keys) -> Result<u64> {
    let mut compiler = Compiler::new(1);
    let categories = CategorySet::of(2);
    let lists = [compiler.list(ListInfo::new("names", categories))?].into_iter().collect();
    let (scope, action) = (Scope::Subtree, Action::Block);
    let facet = Facet { scope, action, important: false, categories, lists };
    for (key, _) in keys.iter() {
        compiler.entry(key, std::slice::from_ref(&facet))?;
    }
    Ok(compiler.finish()?.rule_octets)
}
