//! Names that look real and are random: as many as wanted, from lists of any size.
//!
//! A model is learned from lists, zone by zone: a *zone* is a registrable name, or, where that is
//! not listed, the names listed below it. To make a zone, the suffix and the number of names are
//! drawn together from the zones of the lists, so `com` is as frequent as it is there and crowded
//! zones are as crowded; the registrable label, and what stands before it in names below, are
//! spelled letter by letter, each drawn from what follows the `ORDER` octets before it in the
//! lists. Draws come from a seeded generator that gives the same names on every machine.
//!
//! One name in fifty exists in the lists by chance; nothing is meant by it. What the model does
//! not know, such as one word used in many zones, synthetic names do not have: they compress
//! less than real ones, and are for time and memory, not for density.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Result, ensure};
use filter_cli::lists::admit;
use filter_core::{Action, Name, Scope};
use foldhash::quality::FixedState;
use hashbrown::{HashMap, HashSet};
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

use crate::lists::{self, DataSet};
use crate::measure;
use crate::peers::hash;

/// The seed of recorded measurements.
pub const SEED: u64 = 10;

/// How many octets decide what the next one may be. With fewer, words fall apart; with more, names
/// of the lists come back.
const ORDER: usize = 5;

/// Closes a text, and stands before its start.
const END: u8 = b'\n';

/// What names look like.
pub struct Model {
    zones: Vec<Zone>,
    registrable: Spelling,
    below: Spelling,
}

/// What is kept of a zone of the lists.
struct Zone {
    suffix: String,
    /// How many names below it are listed; 0 when it is listed itself, for then an image needs
    /// none of them.
    below: u32,
}

impl Model {
    /// Learns from lists.
    ///
    /// # Errors
    /// When a list cannot be read.
    pub fn train(set: &DataSet) -> Result<Model> {
        // In the order of names, so that the order of lists does not matter.
        let mut listed: BTreeMap<String, (bool, BTreeSet<String>)> = BTreeMap::new();
        set.read(&lists::as_names(), &mut |entry, _list| {
            let name = entry.name.to_string();
            let Some(domain) = psl::domain_str(&name) else { return Ok(()) };
            let (apex, below) = listed.entry(domain.to_owned()).or_default();
            match name.strip_suffix(domain).and_then(|below| below.strip_suffix('.')) {
                Some(left) => drop(below.insert(left.to_owned())),
                None => *apex = true,
            }
            Ok(())
        })?;
        let mut model =
            Model { zones: Vec::new(), registrable: Spelling::new(), below: Spelling::new() };
        for (domain, (apex, below)) in listed {
            let Some((label, suffix)) = domain.split_once('.') else { continue };
            model.registrable.learn(label);
            let count = if apex { 0 } else { below.len() as u32 };
            model.zones.push(Zone { suffix: suffix.to_owned(), below: count });
            below.iter().for_each(|left| model.below.learn(left));
        }
        ensure!(!model.zones.is_empty(), "no names in {}", set.label);
        Ok(model)
    }

    /// Names, each once, zone by zone. Ends when the model has nothing new to say.
    pub fn names(&self, seed: u64) -> impl Iterator<Item = Name> {
        let (rng, seen) = (Pcg64Mcg::seed_from_u64(seed), HashSet::default());
        Names { model: self, rng, seen, domain: String::new(), below: 0 }
    }

    /// Writes a list of so many names, a name a line.
    ///
    /// # Errors
    /// When the model does not give as many, or writing fails.
    pub fn write(&self, count: usize, seed: u64, path: &Path) -> Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        let mut written = 0;
        for name in self.names(seed).take(count) {
            writeln!(file, "{name}")?;
            written += 1;
        }
        ensure!(written == count, "the lists suffice for {written} different names only");
        Ok(file.flush()?)
    }
}

/// See [`Model::names`].
struct Names<'a> {
    model: &'a Model,
    rng: Pcg64Mcg,
    seen: HashSet<u64, FixedState>,
    /// The zone names are being made for, and how many are still to be made below it.
    domain: String,
    below: u32,
}

impl Names<'_> {
    fn draw(&mut self) -> String {
        if self.below == 0 {
            let index = self.rng.random_range(..self.model.zones.len() as u32);
            let zone = &self.model.zones[index as usize];
            let label = self.model.registrable.draw(&mut self.rng);
            self.domain = format!("{label}.{}", zone.suffix);
            self.below = zone.below;
            if zone.below == 0 {
                return self.domain.clone();
            }
        }
        self.below -= 1;
        let left = self.model.below.draw(&mut self.rng);
        format!("{left}.{}", self.domain)
    }
}

impl Iterator for Names<'_> {
    type Item = Name;

    fn next(&mut self) -> Option<Name> {
        /// Drawing nothing new so often means that there is nothing.
        const DRAWS_MAX: usize = 100_000;
        for _ in 0..DRAWS_MAX {
            let Ok(name) = Name::from_text(self.draw()) else { continue };
            let is_listable = admit(&name, Scope::Subtree, Action::Block).is_ok();
            if is_listable && self.seen.insert(hash(&name)) {
                return Some(name);
            }
        }
        None
    }
}

/// What follows what: a node for each run of octets, with all octets that came behind it, as
/// often as they came, and the node each leads to.
struct Spelling {
    nodes: Vec<Vec<(u8, u32)>>,
    numbers: HashMap<[u8; ORDER], u32, FixedState>,
}

impl Spelling {
    /// The run before the first octet of a text.
    const START: [u8; ORDER] = [END; ORDER];

    fn new() -> Spelling {
        let numbers = [(Spelling::START, 0)].into_iter().collect();
        Spelling { nodes: vec![Vec::new()], numbers }
    }

    fn learn(&mut self, text: &str) {
        let mut run = Spelling::START;
        let mut node = 0;
        for octet in text.bytes().chain([END]) {
            run.rotate_left(1);
            run[ORDER - 1] = octet;
            let next = *self.numbers.entry(run).or_insert(self.nodes.len() as u32);
            if next as usize == self.nodes.len() {
                self.nodes.push(Vec::new());
            }
            self.nodes[node as usize].push((octet, next));
            node = next;
        }
    }

    fn draw(&self, rng: &mut Pcg64Mcg) -> String {
        let mut text = String::new();
        let mut node = 0;
        // A text that grows longer than a name is refused by its reader.
        while text.len() < Name::MAX_LEN {
            let next = &self.nodes[node as usize];
            let (octet, next) = next[rng.random_range(..next.len() as u32) as usize];
            if octet == END {
                break;
            }
            text.push(char::from(octet));
            node = next;
        }
        text
    }
}

/// Writes synthetic names made after the lists at the paths, or after the public or our own.
///
/// # Errors
/// When lists cannot be read or names not be written.
pub fn write(count: usize, seed: u64, set: &DataSet, path: &Path) -> Result<()> {
    let _progress = measure::progress(format!("making {count} names after {}", set.label));
    Model::train(set)?.write(count, seed, path)
}
