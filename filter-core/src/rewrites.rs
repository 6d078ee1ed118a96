//! Hosts that restrict themselves: search engines and video sites that, asked under another name,
//! leave out what is not for children. Takes a name, gives the name to ask for instead.
//!
//! # Layout
//!
//! | what | octets |
//! |---|---|
//! | length of the table, itself left out | u16 |
//! | sites | count (u8); for each: kind (u8: 0 search, 1 video), the strict host and the moderate host, each a name on the wire behind its length (u8); of one that cannot restrict itself both are of length 0 |
//! | names | a packed set of the names to be asked for under another one, whose values are sites |

use crate::name::Name;
use crate::octets::Octets;
use crate::set::SetLayout;
use crate::set::key::Key;

/// How much a site that can restrict itself is asked to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Restriction {
    /// Not at all.
    #[default]
    Off = 0,
    /// As its moderate mode does, where it has one.
    Moderate = 1,
    /// As much as it can.
    Strict = 2,
}

/// What a site that can restrict itself is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SiteKind {
    /// A search engine.
    Search = 0,
    /// A video site.
    Video = 1,
}

/// Octets a name that leads to another one, or is led to, has on the wire at most: a gateway has to
/// keep both while it waits. The longest in use has half as many.
#[cfg(any(feature = "build", feature = "gateway"))]
pub(crate) const HOST_LEN_MAX: usize = 64;

/// What a restriction makes of a name.
#[allow(clippy::large_enum_variant, reason = "there is no heap to put a name on")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restricted {
    /// This host is to be asked for instead.
    Host(Name),
    /// There is none: a site that cannot restrict itself is not to be had where it must.
    Unavailable,
}

/// Where the parts of the section lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RewritesLayout {
    sites_end: usize,
    pub(crate) names: SetLayout,
}

/// Octets of the length of the table.
const TABLE_LEN_LEN: usize = 2;

impl RewritesLayout {
    /// Reads and checks a section; O(sites). `None` when it is none.
    pub(crate) fn read(section: &[u8]) -> Option<RewritesLayout> {
        let mut octets = Octets::new(section);
        let table_len = usize::from(octets.u16()?);
        let sites = octets.take(table_len)?;
        let mut sites_left = Octets::new(sites);
        // Ends because a count does.
        for _ in 0..sites_left.u8()? {
            Site::read(&mut sites_left)?;
        }
        let names = SetLayout::read(octets.rest())?;
        Some(RewritesLayout { sites_end: TABLE_LEN_LEN + table_len, names })
    }

    /// The packed set in the section this was read from.
    pub(crate) fn names_of<'a>(&self, section: &'a [u8]) -> &'a [u8] {
        section.get(self.sites_end..).unwrap_or(&[])
    }

    /// What becomes of a name at these restrictions; one search.
    pub(crate) fn find(
        &self,
        section: &[u8],
        name: &Name,
        search: Restriction,
        video: Restriction,
    ) -> Option<Restricted> {
        let names = self.names.view(self.names_of(section))?;
        let key = Key::new(name);
        let key = key.symbols();
        let found = names.matches(key).next().filter(|found| found.key_len == key.len())?;
        let mut sites = Octets::new(section.get(TABLE_LEN_LEN..self.sites_end)?);
        let count = sites.u8()?;
        let site = (0..count).map_while(|_| Site::read(&mut sites)).nth(found.value.into())?;
        let restriction = if site.is_video { video } else { search };
        let host = match restriction {
            Restriction::Off => return None,
            Restriction::Moderate => site.moderate,
            Restriction::Strict => site.strict,
        };
        if host.is_empty() {
            return (restriction == Restriction::Strict).then_some(Restricted::Unavailable);
        }
        Name::from_wire(host).ok().map(Restricted::Host)
    }
}

/// A row of the table.
struct Site<'a> {
    is_video: bool,
    strict: &'a [u8],
    moderate: &'a [u8],
}

impl<'a> Site<'a> {
    fn read(octets: &mut Octets<'a>) -> Option<Site<'a>> {
        let is_video = octets.u8()? == SiteKind::Video as u8;
        let mut host = || {
            let len = octets.u8()?;
            octets.take(len.into())
        };
        Some(Site { is_video, strict: host()?, moderate: host()? })
    }
}

/// Writes the section.
#[cfg(feature = "build")]
pub(crate) mod build {
    use std::collections::BTreeMap;
    use std::vec::Vec;

    use super::SiteKind;
    use crate::name::Name;
    use crate::set::build::{BlockShape, SetBuilder, SetError};

    /// What a site is, and its strict and its moderate host, if it can restrict itself.
    pub(crate) type Site = (SiteKind, Option<(Name, Name)>);

    /// Sites and the names that lead to them.
    #[derive(Default)]
    pub(crate) struct Writer {
        sites: Vec<Site>,
        names: BTreeMap<Vec<u8>, u16>,
    }

    impl Writer {
        /// The number of a site, which is added when it is new. `None` when there are too many.
        pub(crate) fn site(&mut self, site: Site) -> Option<u16> {
            let known = self.sites.iter().position(|other| *other == site);
            let index = known.unwrap_or_else(|| {
                self.sites.push(site);
                self.sites.len() - 1
            });
            u8::try_from(index).ok().filter(|&index| index < u8::MAX).map(u16::from)
        }

        /// Leads a name, by its key, to a site.
        pub(crate) fn lead(&mut self, key: &[u8], site: u16) {
            self.names.insert(key.to_vec(), site);
        }

        pub(crate) fn finish(self) -> Result<Option<Vec<u8>>, SetError> {
            if self.names.is_empty() {
                return Ok(None);
            }
            let mut table = Vec::from([self.sites.len() as u8]);
            for (kind, hosts) in &self.sites {
                table.push(*kind as u8);
                let Some((strict, moderate)) = hosts else {
                    table.extend([0, 0]);
                    continue;
                };
                for host in [strict, moderate] {
                    table.push(host.as_wire().len() as u8);
                    table.extend(host.as_wire());
                }
            }
            let mut section = (table.len() as u16).to_le_bytes().to_vec();
            section.extend(table);
            // The set is small and asked for every name: a block for each entry.
            let mut set = SetBuilder::new(BlockShape { interval: 1, sub_blocks: 1 });
            for (key, &site) in &self.names {
                let has_parent =
                    crate::compile::parents(key).any(|parent| self.names.contains_key(parent));
                set.push(key, site, has_parent)?;
            }
            section.extend(set.finish()?);
            Ok(Some(section))
        }
    }
}
