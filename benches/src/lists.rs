//! Lists in, images out: which lists are measured, samples of them, and the shapes of blocks.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use filter_cli::lists::{self, Entry, Options};
use filter_core::compile::{BlockShape, Compiler, Image, ListInfo};
use filter_core::{Action, CategorySet, Facet, Filter, Name, Rule, Scope};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_pcg::Pcg64Mcg;

/// Lists that are packed together into one image.
pub struct DataSet {
    /// What the set is called in tables and figures.
    pub label: String,
    lists: Vec<List>,
}

#[derive(Clone)]
struct List {
    path: PathBuf,
    /// Its place in the whole set, which gives it a category.
    number: usize,
}

/// Where this repository is.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where a folder of public lists may lie beside the repository, see the readme of the benches.
pub fn shared_data() -> Option<PathBuf> {
    Some(root().join("../shared/data")).filter(|path| path.is_dir())
}

/// The names people ask for most, when they lie beside the repository.
pub fn popular_names() -> Option<PathBuf> {
    Some(shared_data()?.join("benign/umbrella-100k.txt")).filter(|path| path.is_file())
}

impl DataSet {
    /// Every list at or below the paths.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn new(label: impl Into<String>, paths: &[PathBuf]) -> Result<DataSet> {
        let files = list_files(paths)?.into_iter().enumerate();
        let lists = files.map(|(number, path)| List { path, number }).collect();
        Ok(DataSet { label: label.into(), lists })
    }

    /// The lists of this repository.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn own() -> Result<DataSet> {
        DataSet::new("own lists", &[root().join("blocklists/lists")])
    }

    /// The public lists beside the repository, all but the large one together; none when they
    /// are not there.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn public() -> Result<Vec<DataSet>> {
        let Some(data) = shared_data() else { return Ok(Vec::new()) };
        let folders = ["ut1", "formats", "churn"].map(|folder| data.join(folder));
        Ok(vec![
            DataSet::new("ut1+formats+churn", &folders)?,
            DataSet::new("large", &[data.join("large")])?,
        ])
    }

    /// The lists, in order.
    pub fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.lists.iter().map(|list| list.path.clone())
    }

    /// Hands every entry of every list on, with the number of its list.
    ///
    /// # Errors
    /// When a list cannot be read, or what `sink` says.
    pub fn read(
        &self,
        options: &Options,
        sink: &mut dyn FnMut(Entry, usize) -> io::Result<()>,
    ) -> Result<()> {
        for list in &self.lists {
            lists::read(&list.path, options, &mut |entry, _line| sink(entry, list.number))?;
        }
        Ok(())
    }

    /// Samples of about so many names each. A sample takes whole lists, in an order drawn for
    /// it, and leaves out those that would make it too large: small lists in which few names
    /// resemble each other stay as they are.
    ///
    /// # Errors
    /// When a list cannot be read.
    pub fn samples(&self, sizes: &[usize]) -> Result<Vec<DataSet>> {
        let mut counts = vec![0; self.lists.len()];
        self.read(&Options::default(), &mut |_entry, list| {
            counts[list] += 1;
            Ok(())
        })?;
        let sample = |&size: &usize| {
            let mut order = self.lists.clone();
            order.shuffle(&mut Pcg64Mcg::seed_from_u64(size as u64));
            let mut room = size;
            order.retain(|list| {
                let fits = counts[list.number] <= room;
                room -= if fits { counts[list.number] } else { 0 };
                fits
            });
            order.sort_by_key(|list| list.number);
            DataSet { label: format!("{}, {}k", self.label, size / 1000), lists: order }
        };
        let whole: usize = counts.iter().sum();
        Ok(sizes.iter().filter(|&&size| size < whole).map(sample).collect())
    }

    /// Packs the lists into one image, each in a category of its own as far as there are
    /// categories.
    ///
    /// # Errors
    /// When a list cannot be read or the compiler refuses.
    pub fn compile(&self, options: &Options) -> Result<Image> {
        let mut compiler = Compiler::new(1);
        let mut numbers = Vec::new();
        for list in &self.lists {
            let id = list.number.to_string();
            numbers.resize(list.number, 0);
            numbers.push(compiler.list(ListInfo::new(&id, category(list.number)))?);
        }
        let mut count = 0u64;
        self.read(options, &mut |entry, list| {
            let Entry { name, scope, action, important } = entry;
            let lists = [numbers[list]].into_iter().collect();
            let facet = Facet { scope, action, important, categories: category(list), lists };
            count += 1;
            compiler.facet(&name, facet).map_err(io::Error::other)
        })?;
        ensure!(count > 0, "no names in {}", self.label);
        Ok(compiler.finish()?)
    }
}

/// Reads every entry as "block this name and everything below": what a set of names can say.
pub fn as_names() -> Options {
    Options { scope: Some(Scope::Subtree), action: Some(Action::Block), ..Options::default() }
}

fn category(list: usize) -> CategorySet {
    CategorySet::of(2 + (list % 29) as u8)
}

/// The shapes of blocks that are compared, as "sub-blocks × names"; the default one comes first.
///
/// This is the only place in the benches that knows what a shape is made of.
pub fn shapes() -> Vec<(String, BlockShape)> {
    let described =
        |shape: BlockShape| (format!("{} × {}", shape.sub_blocks, shape.interval), shape);
    let default = BlockShape::default();
    let longer = [4, 16, 32, 64].map(|interval| BlockShape { interval, sub_blocks: 8 });
    let more = [4, 8, 32].map(|sub_blocks| BlockShape { sub_blocks, ..default });
    let named = [BlockShape::SERVER, BlockShape::DENSE];
    let mut shapes = vec![described(default)];
    for shape in named.into_iter().chain(longer).chain(more).map(described) {
        if shapes.iter().all(|(label, _)| *label != shape.0) {
            shapes.push(shape);
        }
    }
    shapes
}

/// The same rules in blocks of another shape, with a prefilter or without.
///
/// # Errors
/// What the compiler says.
pub fn reshaped(filter: &Filter<Vec<u8>>, shape: BlockShape, prefilter: bool) -> Result<Image> {
    let mut compiler = Compiler::new(1).with_shape(shape);
    if prefilter {
        compiler = compiler.with_prefilter(&[]);
    }
    for list in filter.lists() {
        compiler.list(list)?;
    }
    for rule in filter.rules() {
        let facets: Vec<Facet> = rule.facets().collect();
        compiler.entry(filter_core::Key::new(&rule.name).symbols(), &facets)?;
    }
    Ok(compiler.finish()?)
}

/// A subdomain of every fiftieth name, as people ask for them.
pub fn subdomains_of_listed(filter: &Filter<Vec<u8>>) -> Vec<Name> {
    let below = |rule: Rule<'_>| Name::from_text(format!("www.{}", rule.name)).ok();
    filter.rules().skip(7).step_by(50).filter_map(below).collect()
}

/// Every file at or below the paths that can be a list, in order.
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
    // Ends because folders hold finitely many files.
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
