//! The value of a rule: what it covers, what it asks for, and whose it is.

use crate::octets::{Octets, u32_at};
use crate::rule::{Action, CategorySet, ListSet, Scope};

/// One statement about a name. A name may have several: one list blocks the exact name, another
/// allows everything below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Facet {
    /// Which names it covers.
    pub scope: Scope,
    /// What it asks for.
    pub action: Action,
    /// Wins over every facet of the same tier that is not important, however specific
    /// (`$important` of AdGuard's rules).
    pub important: bool,
    /// Why.
    pub categories: CategorySet,
    /// Which lists say so.
    pub lists: ListSet,
}

const SCOPE: u8 = 0b0011;
const ALLOW: u8 = 0b0100;
const IMPORTANT: u8 = 0b1000;

/// The classes section: all distinct sets of facets.
#[derive(Clone, Copy)]
pub(crate) struct Classes<'a> {
    starts: &'a [u8],
    records: &'a [u8],
}

impl<'a> Classes<'a> {
    /// O(1). `None` when the section is shorter than its table.
    pub(crate) fn new(section: &'a [u8]) -> Option<Classes<'a>> {
        let mut octets = Octets::new(section);
        let count = octets.u32()? as usize;
        let starts = octets.take(count.checked_mul(4)?)?;
        Some(Classes { starts, records: octets.rest() })
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.len() / 4
    }

    /// The facets of a class; none for a number the section does not have.
    pub(crate) fn facets(&self, class: u16) -> Facets<'a> {
        let start = u32_at(self.starts, usize::from(class) * 4);
        let record = start.and_then(|start| self.records.get(start as usize..));
        let mut octets = Octets::new(record.unwrap_or(&[]));
        let remaining = octets.u8().unwrap_or(0);
        Facets { octets, remaining }
    }
}

/// The facets of one class, without their lists spelled out.
#[derive(Clone)]
pub(crate) struct Facets<'a> {
    octets: Octets<'a>,
    /// Facets not yet given; decreases.
    remaining: u8,
}

/// A facet as the image holds it.
#[derive(Clone, Copy)]
pub(crate) struct StoredFacet<'a> {
    pub(crate) scope: Scope,
    pub(crate) action: Action,
    pub(crate) important: bool,
    pub(crate) categories: CategorySet,
    /// Numbers of the lists, ascending.
    pub(crate) lists: &'a [u8],
}

impl StoredFacet<'_> {
    pub(crate) fn to_facet(self) -> Facet {
        Facet {
            scope: self.scope,
            action: self.action,
            important: self.important,
            categories: self.categories,
            lists: self.lists.iter().copied().collect(),
        }
    }
}

impl<'a> Iterator for Facets<'a> {
    type Item = StoredFacet<'a>;

    fn next(&mut self) -> Option<StoredFacet<'a>> {
        self.remaining = self.remaining.checked_sub(1)?;
        let flags = self.octets.u8()?;
        let categories = CategorySet(self.octets.u32()?);
        let list_count = usize::from(self.octets.u8()?) + 1;
        Some(StoredFacet {
            scope: Scope::from_code(flags & SCOPE)?,
            action: if flags & ALLOW == 0 { Action::Block } else { Action::Allow },
            important: flags & IMPORTANT != 0,
            categories,
            lists: self.octets.take(list_count)?,
        })
    }
}

/// Writes the classes section.
#[cfg(feature = "build")]
pub(crate) fn write(classes: &[std::vec::Vec<Facet>]) -> std::vec::Vec<u8> {
    let mut starts = std::vec::Vec::new();
    let mut records = std::vec::Vec::new();
    for facets in classes {
        starts.extend((records.len() as u32).to_le_bytes());
        records.push(facets.len() as u8);
        for facet in facets {
            let allow = if facet.action == Action::Allow { ALLOW } else { 0 };
            let important = if facet.important { IMPORTANT } else { 0 };
            records.push(facet.scope.code() | allow | important);
            records.extend(facet.categories.0.to_le_bytes());
            let lists: std::vec::Vec<u8> = facet.lists.iter().collect();
            records.push((lists.len() - 1) as u8);
            records.extend(lists);
        }
    }
    let mut section = (classes.len() as u32).to_le_bytes().to_vec();
    section.extend(starts);
    section.extend(records);
    section
}
