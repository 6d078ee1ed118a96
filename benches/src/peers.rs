//! What images are measured against, each built and asked as well as its library allows.
//!
//! Every peer is asked about a [`Name`], as an image is, and turns it around or hashes it itself:
//! on the stack, and inside what is timed.

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use filter_core::compile::Image;
use filter_core::{CategorySet, Facet, Filter, Name};
use foldhash::quality::FixedState;
use hashbrown::HashTable;
use xorf::{BinaryFuse8, Filter as _};

/// The structures that can be built and asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Structure {
    /// An image of this project.
    Image,
    /// `fst::Map`, label-reversed, with the class of each name as its value.
    Fst,
    /// MARISA, label-reversed, names alone.
    Marisa,
    /// `hashbrown`, a table of 64-bit hashes of names.
    Hashbrown,
    /// `xorf::BinaryFuse8`, a filter of 8-bit fingerprints.
    Fuse,
}

impl Structure {
    /// All of them, images first.
    pub const ALL: [Structure; 5] = [
        Structure::Image,
        Structure::Fst,
        Structure::Marisa,
        Structure::Hashbrown,
        Structure::Fuse,
    ];

    /// What it is called in tables and figures.
    pub const fn label(self) -> &'static str {
        match self {
            Structure::Image => "image",
            Structure::Fst => "fst::Map",
            Structure::Marisa => "MARISA",
            Structure::Hashbrown => "hashbrown, hashes",
            Structure::Fuse => "BinaryFuse8",
        }
    }
}

impl fmt::Display for Structure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// Something that can be asked whether a name or a parent of it is listed.
pub trait Peer {
    /// The octets it takes, in memory or in a file.
    fn octets(&self) -> u64;

    /// Whether the name or a parent of it is listed.
    fn is_listed(&mut self, name: &Name) -> bool;

    /// How many of the names are. One call through a table of functions serves them all.
    fn count_listed(&mut self, names: &[Name]) -> usize {
        names.iter().filter(|name| self.is_listed(name)).count()
    }
}

// -- Names as peers want them ------------------------------------------------------------------

/// The names of an image, as their peers want them.
pub struct Names {
    /// Label-reversed text, sorted, with the class of each name.
    pub keys: Keys,
    /// The hash of each name.
    pub hashes: Vec<u64>,
    /// Label-reversed text in the order of the image, a name a line.
    pub text: Vec<u8>,
}

impl Names {
    /// Decodes the rules of an image.
    ///
    /// # Errors
    /// When there are more classes than an image can have.
    pub fn of(filter: &Filter<Vec<u8>>) -> Result<Names> {
        let mut classes: hashbrown::HashMap<Vec<Facet>, u16, FixedState> = Default::default();
        let mut names = Names { keys: Keys::default(), hashes: Vec::new(), text: Vec::new() };
        for rule in filter.rules() {
            let next = u16::try_from(classes.len()).context("too many classes")?;
            let class = *classes.entry(rule.facets().collect()).or_insert(next);
            let mut buffer = [0; Name::MAX_LEN];
            let key = reversed(&rule.name, &mut buffer);
            names.keys.push(key, class);
            names.hashes.push(hash(&rule.name));
            names.text.extend(key);
            names.text.push(b'\n');
        }
        names.keys.sort();
        Ok(names)
    }
}

/// Keys with a value each, behind each other in one piece of memory.
#[derive(Default)]
pub struct Keys {
    octets: Vec<u8>,
    rows: Vec<Row>,
}

#[derive(Clone, Copy)]
struct Row {
    start: u32,
    value: u16,
    len: u8,
}

impl Row {
    fn key(self, octets: &[u8]) -> &[u8] {
        &octets[self.start as usize..][..usize::from(self.len)]
    }
}

impl Keys {
    /// Adds a key of at most 255 octets; all keys together have less than 4 GiB.
    pub fn push(&mut self, key: &[u8], value: u16) {
        self.rows.push(Row { start: self.octets.len() as u32, value, len: key.len() as u8 });
        self.octets.extend(key);
    }

    /// Sorts the keys and drops those that came before.
    pub fn sort(&mut self) {
        let octets = &self.octets;
        self.rows.sort_unstable_by(|a, b| a.key(octets).cmp(b.key(octets)));
        self.rows.dedup_by(|a, b| a.key(octets) == b.key(octets));
    }

    /// The keys with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], u16)> {
        self.rows.iter().map(|row| (row.key(&self.octets), row.value))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// `com.example.www` for `www.example.com`, written into the buffer.
pub fn reversed<'a>(name: &Name, buffer: &'a mut [u8; Name::MAX_LEN]) -> &'a [u8] {
    let len = name.as_wire().len().saturating_sub(2);
    let mut end = len;
    for label in name.labels() {
        let start = end - label.len();
        buffer[start..end].copy_from_slice(label);
        if start > 0 {
            buffer[start - 1] = b'.';
            end = start - 1;
        }
    }
    &buffer[..len]
}

/// The 64-bit hash of a name of two labels or more.
pub fn hash(name: &Name) -> u64 {
    let mut last = 0;
    any_parent(name, |hash| {
        last = hash;
        false
    });
    last
}

/// Whether `probe` says yes to the hash of the name or of a parent of it, the shortest first. A
/// single label is never listed and not probed: in a filter it would falsely block a whole
/// top-level domain.
fn any_parent(name: &Name, mut probe: impl FnMut(u64) -> bool) -> bool {
    let wire = name.as_wire();
    let mut starts = [0u8; 128];
    let mut count = 0;
    let mut position = 0;
    while wire[position] != 0 {
        starts[count] = position as u8;
        count += 1;
        position += 1 + usize::from(wire[position]);
    }
    let mut hasher = FixedState::with_seed(0).build_hasher();
    for (depth, &start) in starts[..count].iter().rev().enumerate() {
        let start = usize::from(start);
        hasher.write(&wire[start + 1..][..usize::from(wire[start])]);
        if depth > 0 && probe(hasher.finish()) {
            return true;
        }
    }
    false
}

// -- The structures ----------------------------------------------------------------------------

/// An image of this project.
pub struct ImagePeer {
    filter: Filter<Vec<u8>>,
    rule_octets: u64,
}

impl ImagePeer {
    /// Opens an image.
    ///
    /// # Errors
    /// When it is not sound.
    pub fn new(image: Image) -> Result<ImagePeer> {
        let rule_octets = image.rule_octets;
        Ok(ImagePeer { filter: Filter::from_bytes(image.octets)?, rule_octets })
    }
}

impl Peer for ImagePeer {
    fn octets(&self) -> u64 {
        self.rule_octets
    }

    fn is_listed(&mut self, name: &Name) -> bool {
        self.filter.check(name, CategorySet::ALL).is_block()
    }
}

/// An `fst::Map` of label-reversed names: one walk passes every parent.
pub struct FstPeer(fst::Map<Vec<u8>>);

impl FstPeer {
    /// Builds it from sorted keys.
    ///
    /// # Errors
    /// When keys are not sorted.
    pub fn build(keys: &Keys) -> Result<FstPeer> {
        let rows = keys.iter().map(|(key, value)| (key, u64::from(value)));
        Ok(FstPeer(fst::Map::from_iter(rows)?))
    }
}

impl Peer for FstPeer {
    fn octets(&self) -> u64 {
        self.0.as_fst().size() as u64
    }

    fn is_listed(&mut self, name: &Name) -> bool {
        let fst = self.0.as_fst();
        let mut buffer = [0; Name::MAX_LEN];
        let mut node = fst.root();
        for &octet in reversed(name, &mut buffer) {
            if octet == b'.' && node.is_final() {
                return true;
            }
            let Some(index) = node.find_input(octet) else { return false };
            node = fst.node(node.transition(index).addr);
        }
        node.is_final()
    }
}

/// A MARISA trie of label-reversed names: one search gives every key the name begins with.
pub struct MarisaPeer {
    trie: rsmarisa::Trie,
    agent: rsmarisa::Agent,
}

impl MarisaPeer {
    /// Builds it with the library's defaults.
    ///
    /// # Errors
    /// When a key is too long.
    pub fn build(keys: &Keys) -> Result<MarisaPeer> {
        let mut set = rsmarisa::Keyset::new();
        for (key, _) in keys.iter() {
            set.push_back_bytes(key, 1.0)?;
        }
        let mut trie = rsmarisa::Trie::new();
        trie.build(&mut set, 0);
        Ok(MarisaPeer { trie, agent: rsmarisa::Agent::new() })
    }
}

impl Peer for MarisaPeer {
    fn octets(&self) -> u64 {
        self.trie.io_size() as u64
    }

    fn is_listed(&mut self, name: &Name) -> bool {
        let mut buffer = [0; Name::MAX_LEN];
        let key = reversed(name, &mut buffer);
        self.agent.set_query_bytes(key);
        // Ends because each key found is longer than the one before.
        while self.trie.common_prefix_search(&mut self.agent) {
            let len = self.agent.key().length();
            if key.get(len).is_none_or(|&octet| octet == b'.') {
                return true;
            }
        }
        false
    }
}

/// A table of 64-bit hashes: one probe for the name and each parent.
pub struct HashbrownPeer(HashTable<u64>);

impl HashbrownPeer {
    /// Builds it, with room made beforehand.
    pub fn build(hashes: &[u64]) -> HashbrownPeer {
        let mut table = HashTable::with_capacity(hashes.len());
        for &hash in hashes {
            table.entry(hash, |&other| other == hash, |&hash| hash).or_insert(hash);
        }
        HashbrownPeer(table)
    }
}

impl Peer for HashbrownPeer {
    fn octets(&self) -> u64 {
        self.0.allocation_size() as u64
    }

    fn is_listed(&mut self, name: &Name) -> bool {
        any_parent(name, |hash| self.0.find(hash, |&other| other == hash).is_some())
    }
}

/// A binary fuse filter: one probe for the name and each parent, and wrong now and then.
pub struct FusePeer(BinaryFuse8);

impl FusePeer {
    /// Builds it from hashes, each of which may come once.
    ///
    /// # Errors
    /// When its graph cannot be peeled.
    pub fn build(mut hashes: Vec<u64>) -> Result<FusePeer> {
        hashes.sort_unstable();
        hashes.dedup();
        Ok(FusePeer(BinaryFuse8::try_from(hashes).map_err(anyhow::Error::msg)?))
    }
}

impl Peer for FusePeer {
    fn octets(&self) -> u64 {
        self.0.fingerprints.len() as u64
    }

    fn is_listed(&mut self, name: &Name) -> bool {
        any_parent(name, |hash| self.0.contains(&hash))
    }
}
