//! Rules in, image out: the host's half of the format.
//!
//! Entries come in the order of [`Key`]s; each is compared with the listed parents it has, and
//! what they already say is dropped. The same calls give the same octets.

use core::fmt;
use std::collections::BTreeMap;
use std::string::String;
use std::vec::Vec;

use hashbrown::HashMap;

use crate::class::{self, Facet};
use crate::image::{self, SectionId};
use crate::name::Name;
use crate::prefilter;
use crate::rewrites::{self, SiteKind};
use crate::rule::{Action, CategorySet, ListSet, Scope};
use crate::set::build::{SetBuilder, SetError};
use crate::set::key::{Key, SEPARATOR};

pub use crate::set::build::BlockShape;
pub use crate::tables::ListInfo;

/// Collects categories, lists, rules, keywords and never-block names, and writes the image.
///
/// Rules come either through [`Compiler::rule`] in any order (kept in a map until the end: for
/// tests and small sets), or through [`Compiler::entry`] in the order of keys (streamed: heap
/// of about 25 octets a name). One compiler takes one kind.
///
/// The example of [`Filter`](crate::Filter) shows the whole way.
pub struct Compiler {
    serial: u64,
    shape: BlockShape,
    categories: BTreeMap<u8, String>,
    lists: Vec<List>,
    unsorted: BTreeMap<Vec<u8>, Vec<Facet>>,
    never_block: BTreeMap<Vec<u8>, Scope>,
    keywords: Option<Vec<u8>>,
    rewrites: rewrites::build::Writer,
    policy: Option<Vec<u8>>,
    /// With a prefilter: the hashes of names asked often.
    prefilter: Option<Vec<u64>>,
    packer: Packer,
}

struct List {
    record: Vec<u8>,
    categories: CategorySet,
    entry_count: u32,
}

/// A finished image and what went into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The image, ready for [`Filter::from_bytes`](crate::Filter::from_bytes).
    pub octets: Vec<u8>,
    /// Names with at least one facet that was kept.
    pub name_count: u64,
    /// Distinct sets of facets.
    pub class_count: usize,
    /// Octets of the sections rules need at query time: classes and packed set.
    pub rule_octets: u64,
    /// Octets of the prefilter; 0 without.
    pub prefilter_octets: u64,
}

impl Compiler {
    /// An empty compiler. `serial` grows with every list a place publishes; it is the only
    /// clock in an image.
    pub fn new(serial: u64) -> Compiler {
        Compiler {
            serial,
            shape: BlockShape::default(),
            categories: BTreeMap::new(),
            lists: Vec::new(),
            unsorted: BTreeMap::new(),
            never_block: BTreeMap::new(),
            keywords: None,
            rewrites: rewrites::build::Writer::default(),
            policy: None,
            prefilter: None,
            packer: Packer::new(BlockShape::default()),
        }
    }

    /// Cuts the packed set of rules into other blocks than the default. Call it before the
    /// first entry.
    #[must_use]
    pub fn with_shape(mut self, shape: BlockShape) -> Compiler {
        self.shape = shape;
        self.packer = Packer::new(shape);
        self
    }

    /// Adds a prefilter, which spares most names that are not listed the search of the rules and
    /// changes no verdict. From 100,000 names on it costs at most 1.15 octets a name, below that
    /// more: 1.25 for 10,000, 1.5 for 1,000, and at least 37 octets in all.
    ///
    /// One suffix in 256 is searched for nothing. `often_asked` are names with two labels or
    /// more for which that would be felt, such as `co.uk`: as long as they are few, up to some
    /// hundred, the prefilter is made so that none of them is, unless it is listed.
    ///
    /// Takes about 19 octets of heap a name in [`Compiler::finish`], when the rules are packed.
    #[must_use]
    pub fn with_prefilter(mut self, often_asked: &[Name]) -> Compiler {
        self.prefilter = Some(often_asked.iter().filter_map(prefilter::build::hash_of).collect());
        self
    }

    /// Names a category.
    ///
    /// # Errors
    /// When the bit is 32 or more, has another name already, or the name is empty or longer
    /// than 255 octets.
    pub fn category(&mut self, bit: u8, name: &str) -> Result<(), CompileError> {
        if bit >= 32 {
            return Err(CompileError::CategoryBit { bit });
        }
        check_text("category name", name)?;
        match self.categories.insert(bit, name.into()) {
            Some(other) if other != name => Err(CompileError::CategoryBit { bit }),
            _ => Ok(()),
        }
    }

    /// Adds a list and returns its number. `entry_count` may be set later with
    /// [`Compiler::set_entry_count`].
    ///
    /// # Errors
    /// [`CompileError::Sealed`] for the sealed category, [`CompileError::TooMany`] behind 256
    /// lists, [`CompileError::Text`] for a text of more than 255 octets.
    pub fn list(&mut self, list: ListInfo<'_>) -> Result<u8, CompileError> {
        if list.categories.intersects(CategorySet::SEALED) {
            return Err(CompileError::Sealed);
        }
        let number = u8::try_from(self.lists.len());
        let number = number.map_err(|_| CompileError::TooMany { what: "lists" })?;
        check_text("list id", list.id)?;
        let mut record = list.expires_days.to_le_bytes().to_vec();
        for text in [list.id, list.title, list.license, list.source] {
            let length = u8::try_from(text.len());
            record.push(length.map_err(|_| CompileError::Text { what: "text of a list" })?);
            record.extend(text.as_bytes());
        }
        let categories = list.categories;
        self.lists.push(List { record, categories, entry_count: list.entry_count });
        Ok(number)
    }

    /// Says how many rules a list gave.
    pub fn set_entry_count(&mut self, list: u8, entry_count: u32) {
        if let Some(list) = self.lists.get_mut(usize::from(list)) {
            list.entry_count = entry_count;
        }
    }

    /// Adds one rule of a list, in any order.
    ///
    /// # Errors
    /// [`CompileError::Unlistable`] when the name holds an octet outside `[a-z0-9_-]` or no
    /// label, [`CompileError::UnknownList`].
    pub fn rule(
        &mut self,
        name: &Name,
        scope: Scope,
        action: Action,
        list: u8,
    ) -> Result<(), CompileError> {
        let categories = self.lists.get(usize::from(list)).map(|list| list.categories);
        let categories = categories.ok_or(CompileError::UnknownList)?;
        let lists = ListSet::from_iter([list]);
        self.facet(name, Facet { scope, action, important: false, categories, lists })
    }

    /// Adds one facet of a name, in any order.
    ///
    /// # Errors
    /// As [`Compiler::rule`]; [`CompileError::Sealed`] for the sealed category.
    pub fn facet(&mut self, name: &Name, facet: Facet) -> Result<(), CompileError> {
        let key = Key::new(name);
        if !key.is_listable() {
            return Err(CompileError::Unlistable);
        }
        check_facet(&facet)?;
        self.unsorted.entry(key.symbols().to_vec()).or_default().push(facet);
        Ok(())
    }

    /// Adds all facets of a name; keys must ascend. Returns whether the name was kept: it is
    /// dropped when a listed parent says already all that its facets say.
    ///
    /// # Errors
    /// [`CompileError::Order`] when the key does not sort behind the one before,
    /// [`CompileError::Sealed`], [`CompileError::TooMany`] behind 16,384 distinct classes or
    /// 255 facets of a name.
    pub fn entry(&mut self, key: &[u8], facets: &[Facet]) -> Result<bool, CompileError> {
        self.packer.push(key, facets)
    }

    /// Adds a name that is never blocked.
    ///
    /// # Errors
    /// [`CompileError::Unlistable`].
    pub fn never_block(&mut self, name: &Name, scope: Scope) -> Result<(), CompileError> {
        let key = Key::new(name);
        if !key.is_listable() {
            return Err(CompileError::Unlistable);
        }
        let kept = self.never_block.entry(key.symbols().to_vec()).or_insert(scope);
        if *kept != scope {
            *kept = Scope::Subtree;
        }
        Ok(())
    }

    /// Sets the keywords section, see [`keyword::compile`](crate::keyword::compile).
    pub fn keywords(&mut self, section: Vec<u8>) {
        self.keywords = Some(section);
    }

    /// Leads those who ask for `name`, alone, to a host of the same site that restricts itself: the
    /// strict one of `hosts` or the moderate one, which are the same where the site has one. Without
    /// hosts the site cannot restrict itself, and is not to be had where it must.
    ///
    /// # Errors
    /// [`CompileError::Unlistable`]; [`CompileError::TooMany`] behind 254 sites;
    /// [`CompileError::Host`] when one of the names has more than 64 octets on the wire, or leads to
    /// itself.
    pub fn rewrite(
        &mut self,
        name: &Name,
        kind: SiteKind,
        hosts: Option<(&Name, &Name)>,
    ) -> Result<(), CompileError> {
        let key = Key::new(name);
        if !key.is_listable() {
            return Err(CompileError::Unlistable);
        }
        let fits = |name: &Name| name.as_wire().len() <= rewrites::HOST_LEN_MAX;
        let leads_well = |host: &Name| fits(host) && host != name;
        if !fits(name) || !hosts.is_none_or(|(one, other)| leads_well(one) && leads_well(other)) {
            return Err(CompileError::Host);
        }
        let hosts = hosts.map(|(strict, moderate)| (strict.clone(), moderate.clone()));
        let site = self.rewrites.site((kind, hosts));
        self.rewrites.lead(key.symbols(), site.ok_or(CompileError::TooMany { what: "sites" })?);
        Ok(())
    }

    /// Sets the policy section, see `PolicyBuilder` of the module `policy`.
    pub fn policy(&mut self, section: Vec<u8>) {
        self.policy = Some(section);
    }

    /// Writes the image.
    ///
    /// # Errors
    /// [`CompileError::Size`] when a section or the image outgrows 4 GiB, and what
    /// [`Compiler::entry`] says of rules given in any order.
    pub fn finish(mut self) -> Result<Image, CompileError> {
        for (key, facets) in std::mem::take(&mut self.unsorted) {
            self.packer.push(&key, &merge(facets))?;
        }
        let never_block = self.never_block_section()?;
        let categories = self.categories_section();
        let lists = self.lists_section();
        let name_count = self.packer.set.len() as u64;
        let (classes, rules, class_count) = self.packer.finish()?;
        let rule_octets = (classes.len() + rules.len()) as u64;
        let often_asked = self.prefilter.as_deref();
        let prefilter = often_asked.and_then(|often| prefilter::build::write(&rules, often));
        let prefilter_octets = prefilter.as_ref().map_or(0, Vec::len) as u64;
        let mut sections = Vec::from([
            (SectionId::Categories, categories),
            (SectionId::Classes, classes),
            (SectionId::Rules, rules),
        ]);
        sections.extend(self.keywords.map(|section| (SectionId::Keywords, section)));
        sections.extend(never_block.map(|section| (SectionId::NeverBlock, section)));
        let rewrites = self.rewrites.finish()?;
        sections.extend(rewrites.map(|section| (SectionId::Rewrites, section)));
        sections.extend(self.policy.map(|section| (SectionId::Policy, section)));
        sections.push((SectionId::Lists, lists));
        sections.extend(prefilter.map(|section| (SectionId::Prefilter, section)));
        let octets = write_image(self.serial, sections)?;
        Ok(Image { octets, name_count, class_count, rule_octets, prefilter_octets })
    }

    fn categories_section(&self) -> Vec<u8> {
        let mut section = Vec::new();
        for (&bit, name) in &self.categories {
            section.extend([bit, name.len() as u8]);
            section.extend(name.as_bytes());
        }
        section
    }

    fn lists_section(&self) -> Vec<u8> {
        let mut section = (self.lists.len() as u16).to_le_bytes().to_vec();
        for list in &self.lists {
            section.extend(list.categories.0.to_le_bytes());
        }
        for list in &self.lists {
            section.extend(list.entry_count.to_le_bytes());
            section.extend(&list.record);
        }
        section
    }

    /// The never-block set, without names a listed parent covers.
    fn never_block_section(&self) -> Result<Option<Vec<u8>>, CompileError> {
        if self.never_block.is_empty() {
            return Ok(None);
        }
        // The set is small and asked for every name: a block for each entry, found by the index.
        let mut set = SetBuilder::new(BlockShape { interval: 1, sub_blocks: 1 });
        for (key, scope) in &self.never_block {
            let parents = parents(key).filter_map(|parent| self.never_block.get(parent));
            if !parents.clone().any(|scope| scope.covers_below()) {
                set.push(key, u16::from(scope.code()), parents.count() > 0)?;
            }
        }
        Ok(Some(set.finish()?))
    }
}

/// The keys of a key's parents, longest first.
pub(crate) fn parents(key: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let cuts = (0..key.len()).rev().filter(|&at| key[at] == SEPARATOR);
    cuts.map(|at| &key[..at])
}

/// One facet for each scope, action and importance: categories and lists of equal ones are
/// united.
pub fn merge(mut facets: Vec<Facet>) -> Vec<Facet> {
    facets.sort_unstable();
    facets.dedup_by(|next, kept| {
        let same = kept.scope == next.scope
            && kept.action == next.action
            && kept.important == next.important;
        if same {
            kept.categories = kept.categories.union(next.categories);
            kept.lists = kept.lists.union(next.lists);
        }
        same
    });
    facets
}

/// Drops what is redundant, numbers the classes and fills the packed set.
struct Packer {
    set: SetBuilder,
    numbers: HashMap<Vec<Facet>, u16>,
    classes: Vec<Vec<Facet>>,
    /// The number of the class asked for last: neighbors tend to have the same.
    latest: u16,
    /// The key pushed last.
    key: Vec<u8>,
    /// Its parents, and itself, as far as they speak of names below: how many symbols of the key
    /// are theirs, and the number of their class.
    ancestors: Vec<(usize, u16)>,
}

impl Packer {
    fn new(shape: BlockShape) -> Packer {
        Packer {
            set: SetBuilder::new(shape),
            numbers: HashMap::new(),
            classes: Vec::new(),
            latest: 0,
            key: Vec::new(),
            ancestors: Vec::new(),
        }
    }

    fn push(&mut self, key: &[u8], facets: &[Facet]) -> Result<bool, CompileError> {
        if facets.len() > usize::from(u8::MAX) {
            return Err(CompileError::TooMany { what: "facets of a name" });
        }
        facets.iter().try_for_each(check_facet)?;
        let is_gone = |&mut (len, _): &mut (usize, u16)| !is_parent(&self.key[..len], key);
        while self.ancestors.pop_if(is_gone).is_some() {}
        self.key.clear();
        self.key.extend_from_slice(key);
        if facets.iter().all(|facet| self.is_redundant(facet, facets)) {
            return Ok(false);
        }
        let number = self.number(facets)?;
        self.set.push(key, number, !self.ancestors.is_empty())?;
        if facets.iter().any(|facet| facet.scope.covers_below()) {
            self.ancestors.push((key.len(), number));
        }
        Ok(true)
    }

    /// Whether a parent says the same for all categories of `facet`, and nothing in between,
    /// the name itself included, says the opposite.
    fn is_redundant(&self, facet: &Facet, siblings: &[Facet]) -> bool {
        let opposes = |other: &Facet| other.action != facet.action;
        if siblings.iter().any(opposes) {
            return false;
        }
        for &(_, number) in self.ancestors.iter().rev() {
            let parents = &self.classes[usize::from(number)];
            let covers = |parent: &Facet| {
                parent.scope.covers_below()
                    && parent.action == facet.action
                    && parent.important == facet.important
                    && parent.categories.contains(facet.categories)
            };
            if parents.iter().any(opposes) {
                return false;
            }
            if parents.iter().any(covers) {
                return true;
            }
        }
        false
    }

    fn number(&mut self, facets: &[Facet]) -> Result<u16, CompileError> {
        if self.classes.get(usize::from(self.latest)).is_some_and(|latest| latest == facets) {
            return Ok(self.latest);
        }
        if let Some(&number) = self.numbers.get(facets) {
            self.latest = number;
            return Ok(number);
        }
        if self.classes.len() >= SetBuilder::VALUES_MAX {
            return Err(CompileError::TooMany { what: "distinct combinations of lists" });
        }
        let number = self.classes.len() as u16;
        self.classes.push(facets.to_vec());
        self.numbers.insert(facets.to_vec(), number);
        Ok(number)
    }

    /// The classes and rules sections; frequent classes get small numbers.
    fn finish(mut self) -> Result<(Vec<u8>, Vec<u8>, usize), CompileError> {
        let counts = self.set.value_counts(self.classes.len());
        let mut order: Vec<u16> = (0..self.classes.len() as u16).collect();
        order.sort_by_key(|&number| (u64::MAX - counts[usize::from(number)], number));
        let mut numbers = std::vec![0; order.len()];
        for (new, &old) in order.iter().enumerate() {
            numbers[usize::from(old)] = new as u16;
        }
        self.set.renumber(&numbers);
        let take = |&old: &u16| std::mem::take(&mut self.classes[usize::from(old)]);
        let classes: Vec<Vec<Facet>> = order.iter().map(take).collect();
        Ok((class::write(&classes), self.set.finish()?, classes.len()))
    }
}

fn is_parent(parent: &[u8], key: &[u8]) -> bool {
    key.strip_prefix(parent).is_some_and(|rest| rest.first() == Some(&SEPARATOR))
}

fn check_facet(facet: &Facet) -> Result<(), CompileError> {
    if facet.categories.intersects(CategorySet::SEALED) {
        return Err(CompileError::Sealed);
    }
    if facet.lists.is_empty() {
        return Err(CompileError::UnknownList);
    }
    Ok(())
}

fn check_text(what: &'static str, text: &str) -> Result<(), CompileError> {
    match text.len() {
        1..=255 => Ok(()),
        _ => Err(CompileError::Text { what }),
    }
}

/// Joins the sections; each is freed as soon as it is in the image.
fn write_image(serial: u64, sections: Vec<(SectionId, Vec<u8>)>) -> Result<Vec<u8>, CompileError> {
    let table_end = image::HEADER_LEN + sections.len() * image::TABLE_ENTRY_LEN;
    let body: usize = sections.iter().map(|(_, section)| section.len()).sum();
    let length = u32::try_from(table_end + body + image::CHECKSUM_LEN);
    let length = length.map_err(|_| CompileError::Size)?;
    let mut octets = Vec::with_capacity(length as usize);
    octets.extend(image::MAGIC);
    octets.extend(image::VERSION.to_le_bytes());
    octets.extend((sections.len() as u16).to_le_bytes());
    octets.extend(length.to_le_bytes());
    octets.extend(serial.to_le_bytes());
    let mut offset = table_end as u32;
    for (id, section) in &sections {
        octets.extend((*id as u16).to_le_bytes());
        octets.extend([0, 0]);
        octets.extend(offset.to_le_bytes());
        octets.extend((section.len() as u32).to_le_bytes());
        offset += section.len() as u32;
    }
    sections.into_iter().for_each(|(_, section)| octets.extend_from_slice(&section));
    octets.extend(image::checksum(&octets).to_le_bytes());
    Ok(octets)
}

/// Why an image cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompileError {
    /// A category bit of 32 or more, or one named twice.
    CategoryBit {
        /// The bit.
        bit: u8,
    },
    /// A host of a site that restricts itself is too long, or leads to itself.
    Host,
    /// Entries did not come in the order of their keys.
    Order,
    /// The sealed category never enters rules or keywords.
    Sealed,
    /// The image would outgrow 4 GiB.
    Size,
    /// A text that is empty or longer than 255 octets.
    Text {
        /// Which text.
        what: &'static str,
    },
    /// More of something than the format has numbers for.
    TooMany {
        /// Of what.
        what: &'static str,
    },
    /// A rule of no list, or of a list not added before.
    UnknownList,
    /// A name with an octet outside `[a-z0-9_-]`, or the root.
    Unlistable,
}

impl From<SetError> for CompileError {
    fn from(error: SetError) -> CompileError {
        match error {
            SetError::Order => CompileError::Order,
            SetError::Size => CompileError::Size,
        }
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CompileError::CategoryBit { bit } => {
                write!(f, "category bit {bit} is over 31 or named twice")
            }
            CompileError::Host => f.write_str("a host is longer than 64 octets or leads to itself"),
            CompileError::Order => f.write_str("entries must ascend in the order of their keys"),
            CompileError::Sealed => f.write_str(
                "the sealed category never enters rules or keywords: leave it out of this build",
            ),
            CompileError::Size => f.write_str("the image would outgrow 4 GiB: use fewer lists"),
            CompileError::Text { what } => {
                write!(f, "{what} is empty or longer than 255 octets: shorten it")
            }
            CompileError::TooMany { what } => write!(f, "too many {what} for one image"),
            CompileError::UnknownList => f.write_str("a rule must belong to a list added before"),
            CompileError::Unlistable => {
                f.write_str("a listed name has labels of letters, digits, `-` and `_` only")
            }
        }
    }
}

impl core::error::Error for CompileError {}
