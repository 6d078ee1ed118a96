//! The image: one file that holds everything a filter needs, read in place.
//!
//! # Layout of format version 2
//!
//! Numbers are little-endian; nothing is aligned.
//!
//! | offset | octets | what |
//! |---|---|---|
//! | 0 | 8 | magic, `GARDEFOU` |
//! | 8 | 2 | format version, 2 |
//! | 10 | 2 | sections |
//! | 12 | 4 | length of the image, checksum included |
//! | 16 | 8 | serial: grows with every list a place publishes |
//! | 24 | 12 each | section table: id (u16), zero (u16), offset (u32), length (u32); ids ascend, sections follow each other without gaps |
//! | … | … | sections |
//! | length − 4 | 4 | CRC-32C (RFC 3720 appendix B.4) of everything before it |
//!
//! An unknown version is an error; an unknown section is skipped. The same inputs give the
//! same octets: there is no date and no address in an image.
//!
//! | id | section | contents |
//! |---|---|---|
//! | 1 | categories | for each: bit (u8), name (text) |
//! | 2 | classes | count (u32), for each where it begins behind the table (u32), then the classes: facets (u8), for each flags (u8: bits 0–1 scope, bit 2 allow, bit 3 important), categories (u32), lists less one (u8), list numbers (u8 each) |
//! | 3 | rules | a [packed set](crate#the-packed-set) whose values are classes |
//! | 4 | keywords | see [`keyword`](crate::keyword) |
//! | 5 | never-block | a packed set whose values are scopes |
//! | 6 | rewrites | optional: sites that restrict themselves, see the module `rewrites` |
//! | 7 | policy | optional: profiles, schedules and clients, see the module `policy::section` |
//! | 8 | lists | count (u16), for each its categories (u32); then for each entries (u32), days until it expires or 0 (u16), id, title, license, source (text) |
//! | 9 | sealed | reserved |
//! | 10 | signature | reserved: the last section, covering all octets before it |
//! | 11 | prefilter | optional: a sketch of the rules that spares misses the search, see the module `prefilter` |
//!
//! A text is UTF-8 behind its length (u8). Sections 1, 2, 3 and 8 are always there.

use core::fmt;

use crate::octets::Octets;

/// The first eight octets of every image.
pub const MAGIC: [u8; 8] = *b"GARDEFOU";
/// The format this crate reads and writes.
pub const VERSION: u16 = 2;
/// Octets before the section table.
pub(crate) const HEADER_LEN: usize = 24;
/// Octets of an entry of the section table.
pub(crate) const TABLE_ENTRY_LEN: usize = 12;
/// Octets of the checksum.
pub(crate) const CHECKSUM_LEN: usize = 4;

/// What a section holds; the number is its id on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum SectionId {
    /// Names of the categories.
    Categories = 1,
    /// The distinct values of rules.
    Classes = 2,
    /// The packed set of rules.
    Rules = 3,
    /// The keyword automaton.
    Keywords = 4,
    /// The packed set of names never to block.
    NeverBlock = 5,
    /// Sites that restrict themselves, and the names that lead to them.
    Rewrites = 6,
    /// Profiles, schedules, clients.
    Policy = 7,
    /// The lists rules come from.
    Lists = 8,
    /// Reserved: keyed tags of the sealed category.
    Sealed = 9,
    /// Reserved: a signature over all octets before it.
    Signature = 10,
    /// A sketch of the rules, which spares misses the search.
    Prefilter = 11,
}

impl SectionId {
    const ALL: [SectionId; 11] = [
        SectionId::Categories,
        SectionId::Classes,
        SectionId::Rules,
        SectionId::Keywords,
        SectionId::NeverBlock,
        SectionId::Rewrites,
        SectionId::Policy,
        SectionId::Lists,
        SectionId::Sealed,
        SectionId::Signature,
        SectionId::Prefilter,
    ];

    /// The section with this id on the wire, or `None` for one a later version added.
    pub fn from_code(code: u16) -> Option<SectionId> {
        SectionId::ALL.into_iter().find(|&id| id as u16 == code)
    }

    /// The section's name in output.
    pub const fn word(self) -> &'static str {
        match self {
            SectionId::Categories => "categories",
            SectionId::Classes => "classes",
            SectionId::Rules => "rules",
            SectionId::Keywords => "keywords",
            SectionId::NeverBlock => "never-block",
            SectionId::Rewrites => "rewrites",
            SectionId::Policy => "policy",
            SectionId::Lists => "lists",
            SectionId::Sealed => "sealed",
            SectionId::Signature => "signature",
            SectionId::Prefilter => "prefilter",
        }
    }
}

/// What the first 24 octets of an image say; enough to choose between two slots of flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Grows with every list a place publishes.
    pub serial: u64,
    /// Octets of the image, checksum included.
    pub len_octets: u32,
    /// Entries of the section table.
    pub section_count: u16,
}

impl Header {
    /// Reads the header; O(1). The checksum is not looked at.
    ///
    /// # Errors
    /// [`FormatError::Truncated`], [`FormatError::Magic`] or [`FormatError::Version`].
    pub fn read(octets: &[u8]) -> Result<Header, FormatError> {
        let mut octets = Octets::new(octets);
        if octets.array::<8>().ok_or(FormatError::Truncated)? != MAGIC {
            return Err(FormatError::Magic);
        }
        let version = octets.u16().ok_or(FormatError::Truncated)?;
        if version != VERSION {
            return Err(FormatError::Version { found: version });
        }
        let section_count = octets.u16().ok_or(FormatError::Truncated)?;
        let len_octets = octets.u32().ok_or(FormatError::Truncated)?;
        let serial = octets.u64().ok_or(FormatError::Truncated)?;
        Ok(Header { serial, len_octets, section_count })
    }
}

/// Where a section lies in an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectionInfo {
    /// The id on the wire; see [`SectionId::from_code`].
    pub code: u16,
    /// Offset from the start of the image.
    pub offset: u32,
    /// Octets of the section.
    pub len_octets: u32,
}

/// Walks the section table of an image whose header was read.
#[derive(Clone)]
pub(crate) struct Sections<'a> {
    table: Octets<'a>,
}

impl<'a> Sections<'a> {
    /// `None` when the table is longer than the image.
    pub(crate) fn new(image: &'a [u8], header: &Header) -> Option<Sections<'a>> {
        let table_len = usize::from(header.section_count) * TABLE_ENTRY_LEN;
        let table = image.get(HEADER_LEN..)?.get(..table_len)?;
        Some(Sections { table: Octets::new(table) })
    }
}

impl Iterator for Sections<'_> {
    type Item = SectionInfo;

    fn next(&mut self) -> Option<SectionInfo> {
        let code = self.table.u16()?;
        let _zero = self.table.u16()?;
        let offset = self.table.u32()?;
        let len_octets = self.table.u32()?;
        Some(SectionInfo { code, offset, len_octets })
    }
}

/// Checks header, length, checksum and section table; O(length of the image).
pub(crate) fn verify(image: &[u8]) -> Result<Header, FormatError> {
    let header = Header::read(image)?;
    let expected = header.len_octets as usize;
    if image.len() < expected {
        return Err(FormatError::Truncated);
    }
    if image.len() > expected {
        return Err(FormatError::Trailing);
    }
    let (body, stored) = image.split_last_chunk::<CHECKSUM_LEN>().ok_or(FormatError::Truncated)?;
    let stored = u32::from_le_bytes(*stored);
    let computed = checksum(body);
    if stored != computed {
        return Err(FormatError::Checksum { stored, computed });
    }
    let sections = Sections::new(body, &header).ok_or(FormatError::Section { code: 0 })?;
    let mut end = HEADER_LEN + usize::from(header.section_count) * TABLE_ENTRY_LEN;
    let mut last_code = 0;
    for section in sections {
        let follows = section.offset as usize == end && section.code > last_code;
        end = end.saturating_add(section.len_octets as usize);
        if !follows || end > body.len() {
            return Err(FormatError::Section { code: section.code });
        }
        last_code = section.code;
    }
    if end != body.len() {
        return Err(FormatError::Trailing);
    }
    Ok(header)
}

/// CRC-32C of octets: on a host by the instructions most processors have for it.
#[cfg(feature = "std")]
pub(crate) fn checksum(octets: &[u8]) -> u32 {
    crc32c::crc32c(octets)
}

/// CRC-32C of octets: on a device by a kilobyte of table.
#[cfg(not(feature = "std"))]
pub(crate) fn checksum(octets: &[u8]) -> u32 {
    static CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);
    CRC.checksum(octets)
}

/// Why octets are not an image this crate can ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatError {
    /// The checksum does not fit: octets were damaged on their way. Fetch the image again.
    Checksum {
        /// What the image says.
        stored: u32,
        /// What its octets give.
        computed: u32,
    },
    /// The first octets are not those of an image: this is another kind of file.
    Magic,
    /// A section is missing, out of place or not what its id promises, although the checksum
    /// fits: the tool that built the image is at fault. Build it again.
    Section {
        /// The section's id.
        code: u16,
    },
    /// There are octets behind the image or behind its last section.
    Trailing,
    /// The image ends early: the copy stopped before its end. Fetch it again.
    Truncated,
    /// The image is of a format version this crate does not know. Update the program, or build
    /// the image with this version.
    Version {
        /// The version found.
        found: u16,
    },
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            FormatError::Checksum { stored, computed } => write!(
                f,
                "checksum {stored:08x} does not fit the octets ({computed:08x}): the image is \
                 damaged, fetch or build it again"
            ),
            FormatError::Magic => f.write_str("not an image: it does not begin with `GARDEFOU`"),
            FormatError::Section { code } => match SectionId::from_code(code) {
                Some(id) => write!(f, "section `{}` is missing or malformed", id.word()),
                None => write!(f, "section table: entry {code} is malformed"),
            },
            FormatError::Trailing => f.write_str("there are octets behind the end of the image"),
            FormatError::Truncated => f.write_str("the image is cut off: fetch or build it again"),
            FormatError::Version { found } => write!(
                f,
                "format version {found} is not known (this program reads {VERSION}): update the \
                 program or build the image again"
            ),
        }
    }
}

impl core::error::Error for FormatError {}
