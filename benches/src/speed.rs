//! Time of a full check, a name and all its parents, beside the same question to others.
//!
//! All of them are asked the same names in turns, round by round, and each keeps the median of
//! its rounds: a busy moment of the machine strikes all. Quote ratios of one run, not times.

use std::collections::HashSet;
use std::fs;
use std::hint::black_box;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use filter_core::compile::BlockShape;
use filter_core::{Filter, Name};
use serde::Serialize;

use crate::density::DENSE_IMAGE;
use crate::lists::{self, DataSet};
use crate::measure::{self, median, timed};
use crate::peers::{
    FstPeer, FusePeer, HashbrownPeer, ImagePeer, MarisaPeer, Names, Peer, Structure, reversed,
};
use crate::record::decimals;
use crate::synthetic;

/// An image in the shape for servers, with a prefilter.
pub const PREFILTERED_IMAGE: &str = "image, prefilter";

/// The speed of one structure.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Which lists, every entry read as "block the name and everything below".
    pub lists: String,
    /// Names in the image, and in everything beside it.
    pub names: u64,
    /// What was asked.
    pub structure: String,
    /// Of an image: sub-blocks × names of its blocks.
    pub shape: String,
    /// Its size by name.
    #[serde(serialize_with = "decimals")]
    pub octets_per_name: f64,
    /// Nanoseconds of a check: four popular names to one subdomain of a listed name.
    #[serde(serialize_with = "decimals")]
    pub mixed_ns: f64,
    /// The same, of the names among them that are listed or below a listed one.
    #[serde(serialize_with = "decimals")]
    pub hit_ns: f64,
    /// The same, of the others.
    #[serde(serialize_with = "decimals")]
    pub miss_ns: f64,
    /// `mixed_ns` beside the walk in the `fst::Map` of the same run.
    #[serde(serialize_with = "decimals")]
    pub mixed_to_fst: f64,
    /// `hit_ns` beside it.
    #[serde(serialize_with = "decimals")]
    pub hit_to_fst: f64,
    /// `miss_ns` beside it.
    #[serde(serialize_with = "decimals")]
    pub miss_to_fst: f64,
    /// Of names that are not listed: the share it calls listed, in percent.
    #[serde(serialize_with = "decimals")]
    pub false_percent: f64,
}

/// How often and what is asked.
pub struct Plan<'a> {
    /// Popular names, one a line; synthetic ones without.
    pub popular: Option<&'a Path>,
    /// Rounds; the median counts.
    pub rounds: usize,
    /// How many questions a round asks at most.
    pub questions_max: usize,
}

impl Default for Plan<'_> {
    fn default() -> Self {
        Plan { popular: None, rounds: 9, questions_max: 125_000 }
    }
}

/// Something that is asked, and what was measured of it.
struct Asked {
    structure: &'static str,
    shape: String,
    peer: Box<dyn Peer>,
    false_percent: f64,
    /// Nanoseconds by round: mixed, hits, misses.
    rounds: [Vec<f64>; 3],
}

impl Asked {
    fn new(structure: &'static str, shape: &str, peer: impl Peer + 'static) -> Asked {
        let (peer, shape) = (Box::new(peer), shape.to_owned());
        Asked { structure, shape, peer, false_percent: 0.0, rounds: Default::default() }
    }
}

/// Asks an image of the lists, in blocks of every shape, and its peers with the same names.
///
/// # Errors
/// When something cannot be built, or an exact structure gives a wrong answer.
pub fn measure(set: &DataSet, plan: &Plan<'_>) -> Result<Vec<Row>> {
    let progress = measure::progress(format!("speed on {}: building", set.label));
    let filter = Filter::from_bytes(set.compile(&lists::as_names())?.octets)?;
    let names = Names::of(&filter)?;
    let mut asked = Vec::new();
    for (shape, block_shape) in lists::shapes() {
        let image = lists::reshaped(&filter, block_shape, false)?;
        let label = match block_shape {
            BlockShape::DENSE => DENSE_IMAGE,
            _ => Structure::Image.label(),
        };
        asked.push(Asked::new(label, &shape, ImagePeer::new(image)?));
    }
    let image = lists::reshaped(&filter, BlockShape::SERVER, true)?;
    asked.push(Asked::new(PREFILTERED_IMAGE, "server", ImagePeer::new(image)?));
    let fst_place = asked.len();
    asked.push(Asked::new(Structure::Fst.label(), "", FstPeer::build(&names.keys)?));
    asked.push(Asked::new(Structure::Marisa.label(), "", MarisaPeer::build(&names.keys)?));
    let hashes = names.hashes;
    asked.push(Asked::new(Structure::Hashbrown.label(), "", HashbrownPeer::build(&hashes)));
    asked.push(Asked::new(Structure::Fuse.label(), "", FusePeer::build(hashes)?));

    progress.set_message(format!("speed on {}: checking the answers", set.label));
    let mixed = questions(&popular(set, plan)?, &lists::subdomains_of_listed(&filter));
    let mixed = &mixed[..mixed.len().min(plan.questions_max)];
    let oracle = Oracle(names.keys.iter().map(|(key, _)| key).collect());
    let (hits, misses): (Vec<Name>, Vec<Name>) =
        mixed.iter().cloned().partition(|name| oracle.is_listed(name));
    ensure!(!hits.is_empty() && !misses.is_empty(), "too few names to ask about");
    for asked in &mut asked {
        let false_misses = hits.len() - asked.peer.count_listed(&hits);
        let false_hits = asked.peer.count_listed(&misses);
        let exact = asked.structure != Structure::Fuse.label();
        ensure!(
            false_misses == 0 && (false_hits == 0 || !exact),
            "{} {}: {false_misses} of {} hits and {false_hits} of {} misses are wrong",
            asked.structure,
            asked.shape,
            hits.len(),
            misses.len(),
        );
        asked.false_percent = 100.0 * false_hits as f64 / misses.len() as f64;
    }

    for round in 1..=plan.rounds {
        progress.set_message(format!("speed on {}: round {round}/{}", set.label, plan.rounds));
        for asked in &mut asked {
            for (names, times) in [mixed, &hits, &misses].into_iter().zip(&mut asked.rounds) {
                let (listed, seconds) = timed(|| asked.peer.count_listed(names));
                black_box(listed);
                times.push(seconds * 1e9 / names.len() as f64);
            }
        }
    }
    let fst_ns = asked[fst_place].rounds.clone().map(median);
    let row = |asked: Asked| {
        let [mixed_ns, hit_ns, miss_ns] = asked.rounds.map(median);
        Row {
            lists: set.label.clone(),
            names: filter.rule_count().into(),
            structure: asked.structure.to_owned(),
            shape: asked.shape,
            octets_per_name: asked.peer.octets() as f64 / f64::from(filter.rule_count()),
            mixed_ns,
            hit_ns,
            miss_ns,
            mixed_to_fst: mixed_ns / fst_ns[0],
            hit_to_fst: hit_ns / fst_ns[1],
            miss_to_fst: miss_ns / fst_ns[2],
            false_percent: asked.false_percent,
        }
    };
    Ok(asked.into_iter().map(row).collect())
}

/// Names people ask for, the most popular first; without a file of them, synthetic ones.
fn popular(set: &DataSet, plan: &Plan<'_>) -> Result<Vec<Name>> {
    let Some(path) = plan.popular else {
        let model = synthetic::Model::train(set)?;
        return Ok(model.names(1).take(plan.questions_max).collect());
    };
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok(text.lines().filter_map(|line| Name::from_text(line.trim()).ok()).collect())
}

/// Four popular names to each subdomain of a listed one, in a fixed order.
pub fn questions(popular: &[Name], listed: &[Name]) -> Vec<Name> {
    let mut questions = Vec::new();
    for (number, name) in popular.iter().enumerate() {
        questions.push(name.clone());
        if number % 4 == 3 && !listed.is_empty() {
            questions.push(listed[number / 4 % listed.len()].clone());
        }
    }
    questions
}

/// The names themselves, in a set: slow, and right.
struct Oracle<'a>(HashSet<&'a [u8]>);

impl Oracle<'_> {
    fn is_listed(&self, name: &Name) -> bool {
        let mut parents = (1..=name.label_count()).filter_map(|labels| name.suffix(labels));
        parents.any(|parent| self.0.contains(reversed(&parent, &mut [0; Name::MAX_LEN])))
    }
}
