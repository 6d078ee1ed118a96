//! The why-index: the file `IMAGE.why` beside an image, which knows for every rule the list and
//! the line it comes from. It serves `gardefou explain`, stays on the host, and is refused when
//! it belongs to another image.
//!
//! # Layout
//!
//! | octets | what |
//! |---|---|
//! | 8 | magic, `GARDEWHY` |
//! | 4 | version, 2 (little-endian, as all numbers) |
//! | 8 | length (u32) and checksum (u32) of the image |
//! | 4 | length of the table |
//! | … | the table: a JSON array of the lists, in the order of their numbers |
//! | … | the [`ListMap`] of each list |
//! | 32 | BLAKE3 of everything before it |

use std::cmp::Reverse;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use filter_core::{Action, CategorySet, Name, Scope};
use serde::{Deserialize, Serialize};

use crate::list_map::ListMap;
use crate::output::{Hint, hinted};

const MAGIC: [u8; 8] = *b"GARDEWHY";
const VERSION: u32 = 2;

/// The rules an image was built from, list by list.
pub struct WhyIndex {
    lists: Vec<(ListRecord, ListMap)>,
}

/// What the index says about a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListRecord {
    /// The list's id.
    pub id: String,
    /// The file it was read from.
    pub path: String,
    /// The categories of its rules.
    pub categories: u32,
    /// Octets of its map.
    map_len: u64,
}

impl ListRecord {
    /// The record of a list with this map.
    pub fn new(id: &str, path: &str, categories: CategorySet, map: &ListMap) -> ListRecord {
        ListRecord {
            id: id.to_owned(),
            path: path.to_owned(),
            categories: categories.0,
            map_len: map.as_bytes().len() as u64,
        }
    }
}

/// One rule of one list, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The name the rule is written for.
    pub name: Name,
    /// The list's id.
    pub list: String,
    /// The file of the list.
    pub path: String,
    /// The first line that says so, from 1.
    pub line: u32,
    /// Which names the rule covers.
    pub scope: Scope,
    /// What it asks for.
    pub action: Action,
    /// Whether it is important.
    pub important: bool,
    /// The categories of the list.
    pub categories: CategorySet,
}

impl WhyIndex {
    /// Opens the index beside the image at `path`, whose octets are `image`; `None` when there
    /// is no index.
    ///
    /// # Errors
    /// When the index cannot be read, is damaged, or belongs to another image.
    pub fn beside(path: &Path, image: &[u8]) -> anyhow::Result<Option<WhyIndex>> {
        let path = path_beside(path);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                let error = anyhow::Error::from(error);
                return Err(error.context(format!("cannot open {}", path.display())));
            }
        };
        read(BufReader::new(file), image)
            .map(Some)
            .map_err(|error| error.context(path.display().to_string()))
            .hint(|| "build the image again to get an index that fits")
    }

    /// The rules written for the name and for each of its parents, in that order, whether they
    /// cover the name or not; of equal depth, in the order of the lists. Reads the lists up to
    /// the name: O(rules), but once.
    pub fn evidence(&self, name: &Name) -> Vec<Evidence> {
        let mut evidence = Vec::new();
        for (list, map) in &self.lists {
            let around = map.rules_around(name).into_iter().map(|(name, kind, line)| Evidence {
                name,
                list: list.id.clone(),
                path: list.path.clone(),
                line,
                scope: kind.scope(),
                action: kind.action(),
                important: kind.is_important(),
                categories: CategorySet(list.categories),
            });
            evidence.extend(around);
        }
        evidence.sort_by_key(|evidence| Reverse(evidence.name.label_count()));
        evidence
    }

    /// The lists, in the order of their numbers in the image.
    pub fn lists(&self) -> impl Iterator<Item = &ListRecord> {
        self.lists.iter().map(|(list, _)| list)
    }
}

/// Where the index of the image at `image` lies.
pub fn path_beside(image: &Path) -> PathBuf {
    let mut path = image.as_os_str().to_owned();
    path.push(".why");
    PathBuf::from(path)
}

/// Writes the index of an image.
///
/// # Errors
/// When writing fails.
pub fn write(
    out: &mut dyn Write,
    image: &[u8],
    lists: &[(ListRecord, &ListMap)],
) -> io::Result<()> {
    let mut out = Hashing { inner: out, hasher: blake3::Hasher::new() };
    let records: Vec<&ListRecord> = lists.iter().map(|(record, _)| record).collect();
    let table = serde_json::to_vec(&records)?;
    out.write_all(&MAGIC)?;
    out.write_all(&VERSION.to_le_bytes())?;
    out.write_all(&fingerprint(image))?;
    out.write_all(&(table.len() as u32).to_le_bytes())?;
    out.write_all(&table)?;
    for (_, map) in lists {
        out.write_all(map.as_bytes())?;
    }
    let hash = out.hasher.finalize();
    out.inner.write_all(hash.as_bytes())
}

fn read(file: impl Read, image: &[u8]) -> anyhow::Result<WhyIndex> {
    let mut file = Hashing { inner: file, hasher: blake3::Hasher::new() };
    if file.array()? != MAGIC {
        return Err(hinted("this is not a why-index", "remove the file"));
    }
    anyhow::ensure!(u32::from_le_bytes(file.array()?) == VERSION, "unknown version of the index");
    anyhow::ensure!(file.array()? == fingerprint(image), "the index belongs to another image");
    let table_len = u32::from_le_bytes(file.array()?);
    let table: Vec<ListRecord> = serde_json::from_slice(&file.take(table_len.into())?)?;
    let mut maps = Vec::with_capacity(table.len());
    for record in &table {
        maps.push(file.take(record.map_len)?);
    }
    let computed = *file.hasher.finalize().as_bytes();
    anyhow::ensure!(file.array()? == computed, "the index is damaged");
    let maps: Option<Vec<ListMap>> = maps.into_iter().map(ListMap::new).collect();
    let maps = maps.context("a list of the index is too short")?;
    Ok(WhyIndex { lists: table.into_iter().zip(maps).collect() })
}

/// Length and checksum of an image.
fn fingerprint(image: &[u8]) -> [u8; 8] {
    let mut fingerprint = [0; 8];
    fingerprint[..4].copy_from_slice(&(image.len() as u32).to_le_bytes());
    fingerprint[4..].copy_from_slice(image.last_chunk::<4>().unwrap_or(&[0; 4]));
    fingerprint
}

/// A reader or writer that hashes what goes through it.
struct Hashing<T> {
    inner: T,
    hasher: blake3::Hasher,
}

impl<W: Write> Hashing<W> {
    fn write_all(&mut self, octets: &[u8]) -> io::Result<()> {
        self.hasher.update(octets);
        self.inner.write_all(octets)
    }
}

impl<R: Read> Hashing<R> {
    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut octets = [0; N];
        self.inner.read_exact(&mut octets)?;
        self.hasher.update(&octets);
        Ok(octets)
    }

    /// The next `len` octets; memory is taken only for what is there.
    fn take(&mut self, len: u64) -> io::Result<Vec<u8>> {
        let mut octets = Vec::new();
        (&mut self.inner).take(len).read_to_end(&mut octets)?;
        if octets.len() as u64 != len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.hasher.update(&octets);
        Ok(octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list_map::ListMapBuilder;
    use crate::lists::Entry;

    fn map(rules: &[(&str, u32)]) -> ListMap {
        let mut builder = ListMapBuilder::new(ListMapBuilder::RUN_OCTETS);
        for &(name, line) in rules {
            let name = Name::from_text(name).unwrap();
            let (scope, action) = (Scope::Subtree, Action::Block);
            builder.add(&Entry { name, scope, action, important: false }, line);
        }
        builder.finish()
    }

    #[test]
    fn the_index_answers_for_its_image_only() {
        let maps = [map(&[("a.example", 3)]), map(&[("www.a.example", 7), ("b.example", 1)])];
        let record = |id, map| ListRecord::new(id, "lists/x.txt", CategorySet::of(20), map);
        let lists = [(record("one", &maps[0]), &maps[0]), (record("two", &maps[1]), &maps[1])];
        let mut octets = Vec::new();
        write(&mut octets, b"image", &lists).unwrap();

        let index = read(octets.as_slice(), b"image").unwrap();
        let found: Vec<_> = index
            .evidence(&Name::from_text("www.a.example").unwrap())
            .into_iter()
            .map(|evidence| (evidence.name.to_string(), evidence.list, evidence.line))
            .collect();
        let expected = [("www.a.example", "two", 7), ("a.example", "one", 3)];
        assert_eq!(found, expected.map(|(name, list, line)| (name.into(), list.into(), line)));

        assert!(read(octets.as_slice(), b"other").is_err());
        for end in 0..octets.len() {
            assert!(read(&octets[..end], b"image").is_err());
        }
        let last = octets.len() - 40;
        octets[last] ^= 1;
        assert!(read(octets.as_slice(), b"image").is_err());
    }
}
