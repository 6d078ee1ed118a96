//! What is measured: images of a given number of rules, and names to ask them about. All of it
//! is chosen by counting, so the same lists give the same inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::slice;

use anyhow::{Result, ensure};
use filter_cli::config::Config;
use filter_cli::lists::{Entry, Options};
use filter_core::compile::{self, BlockShape, Compiler, ListInfo};
use filter_core::keyword::{self, Boundary, Exception, Keywords, Word};
use filter_core::{Action, CategorySet, Facet, Filter, Key, Name, Scope};

use crate::lists::{DataSet, root, shared_data};

/// The rules of all lists, without those a rule for a parent makes redundant.
pub(super) struct Rules {
    /// By the symbols of the [`Key`], the order of the compiler.
    facets: BTreeMap<Vec<u8>, Vec<Facet>>,
    list_count: u8,
}

impl Rules {
    /// Reads lists and folders of lists; lists are numbered in the order of the paths, those of
    /// a folder by name.
    pub(super) fn read(paths: &[PathBuf]) -> Result<Rules> {
        let mut facets: BTreeMap<Vec<u8>, Vec<Facet>> = BTreeMap::new();
        let mut list_count = 0;
        for path in paths {
            let set = DataSet::new("device", slice::from_ref(path))?;
            let before = list_count;
            set.read(&Options::default(), &mut |entry, number| {
                let Entry { name, scope, action, important } = entry;
                let list = u8::try_from(before + number).map_err(io::Error::other)?;
                let (lists, categories) = ([list].into_iter().collect(), categories(list));
                let facet = Facet { scope, action, important, categories, lists };
                facets.entry(Key::new(&name).symbols().to_vec()).or_default().push(facet);
                Ok(())
            })?;
            list_count += set.paths().count();
        }
        let list_count = u8::try_from(list_count)?;
        let mut redundancy = with_lists(Compiler::new(1), list_count)?;
        let mut rules = BTreeMap::new();
        for (key, facets) in facets {
            if redundancy.entry(&key, &compile::merge(facets.clone()))? {
                rules.insert(key, facets);
            }
        }
        Ok(Rules { facets: rules, list_count })
    }

    pub(super) fn len(&self) -> usize {
        self.facets.len()
    }

    /// An image of about so many rules, with the keywords and the never-block names we ship:
    /// whole lists in order while they fit, then names of the next one, evenly spread over it.
    /// As for a device, or as for a server, with a prefilter.
    pub(super) fn image(&self, size: usize, is_for_servers: bool) -> Result<Vec<u8>> {
        let list = |facet: &Facet| facet.lists.iter().next();
        let first = |facets: &[Facet]| facets.iter().filter_map(list).min();
        // What each list adds to those before it.
        let mut added = vec![0usize; usize::from(self.list_count)];
        for list in self.facets.values().filter_map(|facets| first(facets)) {
            added[usize::from(list)] += 1;
        }
        let mut missing = size;
        let mut last = 0;
        while let Some(&count) = added.get(usize::from(last)).filter(|&&count| count <= missing) {
            missing -= count;
            last += 1;
        }
        let of_last = added.get(usize::from(last)).copied().unwrap_or(1);

        let compiler = match is_for_servers {
            true => Compiler::new(1).with_shape(BlockShape::SERVER).with_prefilter(&[]),
            false => Compiler::new(1),
        };
        let mut compiler = with_lists(compiler, self.list_count)?;
        let mut seen = 0;
        for (key, facets) in &self.facets {
            let number = first(facets).unwrap_or(0);
            if number == last {
                seen += 1;
            }
            // So that `missing` of `of_last` are taken.
            let takes = number < last
                || number == last && seen * missing / of_last > (seen - 1) * missing / of_last;
            if takes {
                let mut facets = facets.clone();
                facets.retain(|facet| list(facet) <= Some(last));
                compiler.entry(key, &compile::merge(facets))?;
            }
        }
        let config = shipped()?;
        for never_block in config.never_block.iter() {
            compiler.never_block(&never_block.name, never_block.scope)?;
        }
        compiler.keywords(config.keywords.compile()?);
        Ok(compiler.finish()?.octets)
    }
}

/// The public lists beside the repository.
pub(super) fn public_lists() -> Option<Vec<PathBuf>> {
    let data = shared_data()?;
    Some(["ut1", "formats", "churn", "large"].map(|folder| data.join(folder)).into())
}

/// A compiler that knows the lists, each of a category of its own as far as there are some.
fn with_lists(mut compiler: Compiler, list_count: u8) -> Result<Compiler> {
    for list in 0..list_count {
        compiler.list(ListInfo::new(&list.to_string(), categories(list)))?;
    }
    Ok(compiler)
}

fn categories(list: u8) -> CategorySet {
    CategorySet::of(2 + list % 29)
}

/// The configuration we ship.
fn shipped() -> Result<Config> {
    Ok(Config::load(&root().join("blocklists/gardefou.toml"))?)
}

/// Four names people ask for to one subdomain of a listed name, both evenly spread over what
/// there is.
pub(super) fn questions(benign: &str, image: &[u8], count: usize) -> Result<Vec<Name>> {
    let filter = Filter::from_bytes(image)?;
    let benign: Vec<Name> = benign.lines().filter_map(|name| Name::from_text(name).ok()).collect();
    let listed: Vec<Name> = filter.rules().map(|rule| rule.name).collect();
    let of_listed = count / 5;
    let of_benign = count - of_listed;
    ensure!(benign.len() >= of_benign, "{of_benign} benign names are wanted");
    ensure!(listed.len() >= of_listed, "{of_listed} listed names are wanted");
    let spread = |names: &[Name], number: usize, count: usize| -> Name {
        names[number * names.len() / count].clone()
    };
    let below = |name: Name| Name::from_text(format!("www.{name}")).unwrap_or(name);
    let benign = (0..of_benign).map(|number| spread(&benign, number, of_benign));
    let listed = (0..of_listed).map(|number| below(spread(&listed, number, of_listed)));
    Ok(benign.chain(listed).collect())
}

/// An image with one rule, the words and exceptions we ship, and made words of three syllables up
/// to 300 words.
pub(super) fn keyword_image() -> Result<Vec<u8>> {
    const WORDS: usize = 300;
    const SYLLABLES: [&str; 24] = [
        "ca", "si", "no", "por", "bet", "ling", "sex", "ta", "re", "mi", "cha", "dro", "gue", "lo",
        "ter", "pa", "ri", "play", "ju", "ego", "win", "kra", "vo", "st",
    ];
    let made = |number: usize| {
        [number, number / 24, number * 7 / 5].map(|part| SYLLABLES[part % 24]).concat()
    };
    let made: Vec<String> = (0..WORDS).map(made).collect();
    let shipped = shipped()?.keywords.compile()?;
    let shipped = Keywords::from_section(&shipped)?;
    let made = made.iter().enumerate().map(|(number, text)| Word {
        text,
        categories: CategorySet::of(2),
        weight: 60,
        boundary: Boundary::ALL[number % Boundary::ALL.len()],
    });
    let words: Vec<Word<'_>> = shipped.words().chain(made).take(WORDS).collect();
    let exceptions: Vec<Exception<'_>> = shipped.exceptions().collect();
    let section = keyword::compile(&words, &exceptions, shipped.threshold())?;
    let mut compiler = with_lists(Compiler::new(1), 1)?;
    let facet = Facet {
        scope: Scope::Subtree,
        action: Action::Block,
        important: false,
        categories: categories(0),
        lists: [0].into_iter().collect(),
    };
    compiler.entry(Key::new(&Name::from_text("listed.test")?).symbols(), &[facet])?;
    compiler.keywords(section);
    Ok(compiler.finish()?.octets)
}

/// The distinct names of two labels above the benign ones, under top-level domains of three
/// letters and more, where the automaton walks the first label; A-labels left out, of which it
/// walks a part.
pub(super) fn registrable_names(benign: &str) -> Vec<Name> {
    let texts: BTreeSet<String> = benign
        .lines()
        .filter_map(|line| Name::from_text(line).ok()?.suffix(2))
        .filter(|name| name.labels().last().is_some_and(|top| top.len() > 2))
        .filter(|name| !name.as_wire()[1..].starts_with(b"xn--"))
        .map(|name| name.to_string())
        .collect();
    texts.iter().filter_map(|text| Name::from_text(text).ok()).collect()
}
