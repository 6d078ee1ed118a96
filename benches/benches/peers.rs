//! `cargo bench`: our own lists in an image and in its peers, side by side in one run.
//!
//! Divan prints all of them as one tree, which is how they are to be read: beside each other.
//! For large lists, other shapes of blocks and memory there is the report of the benches.

use std::hint::black_box;
use std::sync::LazyLock;

use benches::lists::{self, DataSet};
use benches::peers::{
    FstPeer, FusePeer, HashbrownPeer, ImagePeer, MarisaPeer, Names, Peer, Structure,
};
use benches::speed;
use benches::synthetic::{self, Model};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use filter_core::compile::{Compiler, Image, ListInfo};
use filter_core::{CategorySet, Facet, Filter, Key, Name};

fn main() {
    divan::main();
}

/// The image of our own lists, its names for its peers, and names to ask about.
struct Own {
    image: Image,
    rules: Vec<(Key, Vec<Facet>)>,
    names: Names,
    questions: Vec<Name>,
}

static OWN: LazyLock<Own> = LazyLock::new(|| own().expect("our own lists make an image"));

fn own() -> anyhow::Result<Own> {
    let set = DataSet::own()?;
    let image = set.compile(&lists::as_names())?;
    let filter = Filter::from_bytes(image.octets.clone())?;
    let names = Names::of(&filter)?;
    let rules = filter.rules().map(|rule| (Key::new(&rule.name), rule.facets().collect()));
    let rules = rules.collect();
    // Random names in the place of popular ones, which nobody needs to have beside the repository.
    let others: Vec<Name> = Model::train(&set)?.names(synthetic::SEED).take(800).collect();
    let questions = speed::questions(&others, &lists::subdomains_of_listed(&filter));
    Ok(Own { image, rules, names, questions })
}

impl Own {
    fn build(&self, structure: Structure) -> anyhow::Result<Box<dyn Peer>> {
        let Names { keys, hashes, .. } = &self.names;
        Ok(match structure {
            Structure::Image => Box::new(ImagePeer::new(self.compile()?)?),
            Structure::Fst => Box::new(FstPeer::build(keys)?),
            Structure::Marisa => Box::new(MarisaPeer::build(keys)?),
            Structure::Hashbrown => Box::new(HashbrownPeer::build(hashes)),
            Structure::Fuse => Box::new(FusePeer::build(hashes.clone())?),
        })
    }

    fn compile(&self) -> anyhow::Result<Image> {
        let mut compiler = Compiler::new(1);
        compiler.list(ListInfo::new("own", CategorySet::of(2)))?;
        for (key, facets) in &self.rules {
            compiler.entry(key.symbols(), facets)?;
        }
        Ok(compiler.finish()?)
    }
}

/// A name and all its parents: 800 random names, 200 subdomains of listed ones.
#[divan::bench(args = Structure::ALL)]
fn check(bencher: Bencher<'_, '_>, structure: Structure) {
    let mut peer = OWN.build(structure).expect("what is built once is built again");
    let count = ItemsCount::new(OWN.questions.len());
    bencher.counter(count).bench_local(|| peer.count_listed(black_box(&OWN.questions)));
}

/// The same names, read from DNS queries first.
#[divan::bench]
fn parse_and_check(bencher: Bencher<'_, '_>) {
    let filter = Filter::from_bytes(&OWN.image.octets).expect("a sound image");
    let query = |name: &Name| [&[0; 12], name.as_wire(), &[0, 1, 0, 1]].concat();
    let queries: Vec<Vec<u8>> = OWN.questions.iter().map(query).collect();
    let is_blocked = |query: &&Vec<u8>| {
        let name = Name::from_message(query, 12);
        name.is_ok_and(|(name, _)| filter.check(&name, CategorySet::ALL).is_block())
    };
    let count = ItemsCount::new(queries.len());
    bencher.counter(count).bench(|| black_box(&queries).iter().filter(is_blocked).count());
}

/// Verifies and opens an image.
#[divan::bench]
fn open(bencher: Bencher<'_, '_>) {
    let octets = &OWN.image.octets;
    bencher.counter(BytesCount::of_slice(octets)).bench(|| Filter::from_bytes(black_box(octets)));
}

/// Sorted keys, or hashes, to a structure that can be asked.
#[divan::bench(args = Structure::ALL)]
fn build(bencher: Bencher<'_, '_>, structure: Structure) {
    let count = ItemsCount::new(OWN.rules.len());
    bencher.counter(count).bench(|| OWN.build(structure).map(|peer| peer.octets()));
}
