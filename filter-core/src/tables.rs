//! The two tables of an image that are for people: categories, and the lists rules come from.

use crate::octets::{Octets, u32_at};
use crate::rule::CategorySet;

/// See [`Filter::categories`](crate::Filter::categories).
#[derive(Clone)]
pub struct Categories<'a> {
    octets: Octets<'a>,
}

impl<'a> Categories<'a> {
    pub(crate) fn new(section: &'a [u8]) -> Categories<'a> {
        Categories { octets: Octets::new(section) }
    }

    /// The name of one of them. Those before it are passed unread.
    pub(crate) fn name(mut self, bit: u8) -> Option<&'a str> {
        // Ends because the octets do.
        while self.octets.u8()? != bit {
            let len = self.octets.u8()?;
            self.octets.take(usize::from(len))?;
        }
        self.octets.text()
    }
}

impl<'a> Iterator for Categories<'a> {
    type Item = (u8, &'a str);

    fn next(&mut self) -> Option<(u8, &'a str)> {
        Some((self.octets.u8()?, self.octets.text()?))
    }
}

/// The front of the lists section: the categories of each list.
#[derive(Clone, Copy)]
pub(crate) struct ListTable<'a> {
    categories: &'a [u8],
    records: &'a [u8],
}

impl<'a> ListTable<'a> {
    /// O(1). `None` when the section is shorter than its table.
    pub(crate) fn new(section: &'a [u8]) -> Option<ListTable<'a>> {
        let mut octets = Octets::new(section);
        let count = usize::from(octets.u16()?);
        let categories = octets.take(count * 4)?;
        Some(ListTable { categories, records: octets.rest() })
    }

    pub(crate) fn categories(&self, list: u8) -> CategorySet {
        u32_at(self.categories, usize::from(list) * 4).map_or(CategorySet::EMPTY, CategorySet)
    }
}

/// See [`Filter::lists`](crate::Filter::lists).
#[derive(Clone)]
pub struct Lists<'a> {
    categories: Octets<'a>,
    records: Octets<'a>,
}

impl<'a> Lists<'a> {
    pub(crate) fn new(section: &'a [u8]) -> Lists<'a> {
        let table = ListTable::new(section).unwrap_or(ListTable { categories: &[], records: &[] });
        Lists { categories: Octets::new(table.categories), records: Octets::new(table.records) }
    }
}

/// What an image says about one of its lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListInfo<'a> {
    /// Short and stable: what verdicts and reports show.
    pub id: &'a str,
    /// For people.
    pub title: &'a str,
    /// SPDX identifier, or what the publisher says.
    pub license: &'a str,
    /// Where it comes from: an address or a sentence.
    pub source: &'a str,
    /// Why its names are listed.
    pub categories: CategorySet,
    /// Rules it gave before redundant ones were dropped.
    pub entry_count: u32,
    /// Days after which it should not be trusted any more; 0 for never.
    pub expires_days: u16,
}

impl<'a> ListInfo<'a> {
    /// A list with an id and categories; the other fields are empty.
    pub const fn new(id: &'a str, categories: CategorySet) -> ListInfo<'a> {
        ListInfo {
            id,
            title: "",
            license: "",
            source: "",
            categories,
            entry_count: 0,
            expires_days: 0,
        }
    }
}

impl<'a> Iterator for Lists<'a> {
    type Item = ListInfo<'a>;

    fn next(&mut self) -> Option<ListInfo<'a>> {
        Some(ListInfo {
            categories: CategorySet(self.categories.u32()?),
            entry_count: self.records.u32()?,
            expires_days: self.records.u16()?,
            id: self.records.text()?,
            title: self.records.text()?,
            license: self.records.text()?,
            source: self.records.text()?,
        })
    }
}
