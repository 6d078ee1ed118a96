//! Lists as maps, read once: a list whose content and options were seen before is not parsed
//! again.
//!
//! A list is known by the BLAKE3 of its bytes, its options and the parser. Under that name the
//! cache holds two files: the [`ListMap`], and a sidecar in JSON with the [`Reading`] and the
//! hash of the map, without which the map is not trusted. What is damaged or foreign is read
//! anew, what was not used for a month is removed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::config::ListSource;
use crate::embedded::Place;
use crate::list_map::{ListMap, ListMapBuilder};
use crate::lists::{self, Entry, Fault, ListError, Options, Rejected, Tally};
use crate::output::hinted;
use crate::replace::Replacement;

/// The version of the sidecar.
const VERSION: u32 = 2;
/// How long an unused map is kept.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// A directory of maps.
#[derive(Debug)]
pub struct Cache {
    directory: PathBuf,
}

/// A list that was read.
pub struct ReadList {
    /// What was to be read.
    pub source: ListSource,
    /// Its rules.
    pub map: ListMap,
    /// What became of its lines.
    pub reading: Reading,
    /// Whether the cache had it.
    pub cached: bool,
}

/// What became of the lines of a list; see [`Tally`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// The dialect it was read in.
    pub format: String,
    /// Octets of the file.
    pub bytes: u64,
    /// Lines.
    pub lines: u64,
    /// Lines that gave an entry.
    pub rules: u64,
    /// Lines that gave none.
    pub rejected: u64,
    /// Comments, headers, housekeeping.
    pub comments: u64,
    /// Empty lines.
    pub blanks: u64,
    /// Entries given.
    pub entries: u64,
    /// Names dropped from lines that count as rules.
    pub rejected_names: u64,
    /// Rejected lines by reason.
    pub by_reason: BTreeMap<String, u64>,
    /// The first rejections, and the first of each reason.
    pub samples: Vec<Sample>,
    /// Files of a squidGuard directory that hold no names, with their lines.
    pub unread: BTreeMap<String, u64>,
}

/// A rejected line, or a rejected name of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The line's number, from 1.
    pub line: u32,
    /// What stands there, safe to print.
    pub text: String,
    /// The reason's word.
    pub reason: String,
    /// The reason for people.
    pub detail: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sidecar {
    version: u32,
    map_hash: String,
    reading: Reading,
}

impl Cache {
    /// The cache in this directory, or where caches belong: `$XDG_CACHE_HOME/gardefou`, else
    /// `~/.cache/gardefou`, else the directory of temporary files.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn open(directory: Option<&Path>) -> anyhow::Result<Cache> {
        let directory = directory.map_or_else(default_directory, Path::to_owned);
        match fs::create_dir_all(&directory) {
            Ok(()) => Ok(Cache { directory }),
            Err(error) => Err(hinted(
                format_args!("cannot make the cache {}: {error}", directory.display()),
                "name a directory you may write to with --cache",
            )),
        }
    }

    /// The list, from the cache or from its file. `progress` is told now and then how many
    /// entries were read since.
    ///
    /// # Errors
    /// When the list cannot be read or is none, or the cache cannot be written.
    pub fn read(
        &self,
        source: &ListSource,
        progress: &(dyn Fn(u64) + Sync),
    ) -> anyhow::Result<ReadList> {
        let (key, bytes) = content_key(&source.place, &source.options)
            .map_err(|error| open_error(&source.place, error))?;
        if let Some((map, reading)) = self.find(&key) {
            progress(reading.entries);
            return Ok(ReadList { source: source.clone(), map, reading, cached: true });
        }
        let map_path = self.directory.join(format!("{key}.map"));
        let cannot_write = || format!("cannot write to the cache {}", self.directory.display());
        let mut builder = ListMapBuilder::new(ListMapBuilder::RUN_OCTETS);
        let tally = parse(source, &mut builder, progress)?;
        let reading = Reading::new(tally, bytes);
        let map = builder.finish();
        // A file that changed while it was read must not be remembered as what it was.
        let unchanged = content_key(&source.place, &source.options).is_ok_and(|now| now.0 == key);
        anyhow::ensure!(unchanged, "{}: the file changed while it was read", source.place);
        let sidecar = Sidecar {
            version: VERSION,
            map_hash: blake3::hash(map.as_bytes()).to_hex().to_string(),
            reading,
        };
        let write = |path: &Path, octets: &[u8]| {
            let mut file = Replacement::new(path)?;
            file.write_all(octets)?;
            file.commit_without_sync()
        };
        write(&map_path, map.as_bytes()).with_context(cannot_write)?;
        let json = serde_json::to_vec(&sidecar)?;
        write(&map_path.with_extension("json"), &json).with_context(cannot_write)?;
        Ok(ReadList { source: source.clone(), map, reading: sidecar.reading, cached: false })
    }

    /// Removes what was not used for a month. What cannot be removed stays.
    pub fn prune(&self) {
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            let ours = path.extension().is_some_and(|end| end == "map" || end == "json")
                && path.file_stem().is_some_and(|stem| stem.len() == blake3::OUT_LEN * 2);
            let used = entry.metadata().and_then(|data| data.modified());
            let age = used.ok().and_then(|used| SystemTime::now().duration_since(used).ok());
            if ours && age.is_some_and(|age| age > KEPT) {
                let _ = fs::remove_file(path);
            }
        }
    }

    /// A map that is there and whole.
    fn find(&self, key: &str) -> Option<(ListMap, Reading)> {
        let map_path = self.directory.join(format!("{key}.map"));
        let sidecar_path = map_path.with_extension("json");
        let sidecar: Sidecar = serde_json::from_slice(&fs::read(&sidecar_path).ok()?).ok()?;
        let octets = fs::read(&map_path).ok()?;
        let whole = sidecar.version == VERSION
            && blake3::hash(&octets).to_hex().as_str() == sidecar.map_hash;
        if !whole {
            return None;
        }
        for path in [&map_path, &sidecar_path] {
            // Only its age would be wrong.
            let _ = File::options()
                .append(true)
                .open(path)
                .and_then(|file| file.set_modified(SystemTime::now()));
        }
        Some((ListMap::new(octets)?, sidecar.reading))
    }
}

impl Reading {
    fn new(tally: Tally, bytes: u64) -> Reading {
        let unread = tally.unread.iter().map(|unread| (unread.file.to_owned(), unread.lines));
        Reading {
            format: tally.format.as_str().to_owned(),
            bytes,
            lines: tally.lines,
            rules: tally.rules,
            rejected: tally.rejected,
            comments: tally.comments,
            blanks: tally.blanks,
            entries: tally.entries,
            rejected_names: tally.rejected_names,
            by_reason: tally.by_reason.iter().map(|(&reason, &n)| (reason.to_owned(), n)).collect(),
            unread: unread.collect(),
            samples: tally.samples.iter().map(Sample::new).collect(),
        }
    }

    /// How much of what should be rules was not understood, in percent of it. An address or a
    /// cosmetic rule is rejected, too, but says nothing against the list or its format.
    pub fn misfit_percent(&self) -> f64 {
        let understood = ["ip-address", "local-name", "out-of-scope"];
        let understood = understood.iter().filter_map(|&reason| self.by_reason.get(reason));
        let misfits = self.rejected - understood.sum::<u64>().min(self.rejected);
        let meant = self.rules + self.rejected;
        if meant == 0 { 0.0 } else { misfits as f64 * 100.0 / meant as f64 }
    }
}

impl Sample {
    fn new(rejected: &Rejected) -> Sample {
        Sample {
            line: rejected.line,
            text: rejected.text.clone(),
            reason: rejected.reason.as_str().to_owned(),
            detail: rejected.reason.to_string(),
        }
    }
}

/// Entries between two reports of progress.
const STEP: u64 = 1 << 15;

fn parse(
    source: &ListSource,
    builder: &mut ListMapBuilder,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Tally, ListError> {
    let mut count = 0;
    let mut sink = |entry: Entry, line: u32| {
        count += 1;
        if count % STEP == 0 {
            progress(STEP);
        }
        builder.add(&entry, line);
        Ok(())
    };
    match &source.place {
        Place::Disk(path) => lists::read(path, &source.options, &mut sink),
        Place::BuiltIn(_) => {
            let at = |fault| ListError { path: source.place.shown(), fault };
            let text = source.place.read().map_err(|error| at(Fault::Open(error)))?;
            lists::read_text(&mut &*text, &source.options, &mut sink).map_err(at)
        }
    }
}

/// The name of a list in the cache, and the size of its file.
fn content_key(place: &Place, options: &Options) -> io::Result<(String, u64)> {
    let mut hasher = blake3::Hasher::new();
    let Options { format, scope, action, samples, max_unpacked } = options;
    let parser = env!("PARSER_FINGERPRINT");
    let context = format!("{parser} {format:?} {scope:?} {action:?} {samples} {max_unpacked}\n");
    hasher.update(context.as_bytes());
    let mut bytes = 0;
    match place {
        Place::Disk(path) if path.is_dir() => {
            for file in ["domains", "urls", "expressions"] {
                let path = path.join(file);
                hasher.update(&[u8::from(path.is_file())]);
                if path.is_file() {
                    let size = hash_file(&mut hasher, &path)?;
                    bytes += if file == "domains" { size } else { 0 };
                }
            }
        }
        Place::Disk(path) => bytes = hash_file(&mut hasher, path)?,
        Place::BuiltIn(_) => {
            let text = place.read()?;
            hasher.update(&text);
            bytes = text.len() as u64;
        }
    }
    Ok((hasher.finalize().to_hex().to_string(), bytes))
}

fn hash_file(hasher: &mut blake3::Hasher, path: &Path) -> io::Result<u64> {
    let before = hasher.count();
    hasher.update_reader(BufReader::with_capacity(1 << 16, File::open(path)?))?;
    let size = hasher.count() - before;
    hasher.update(&size.to_le_bytes());
    Ok(size)
}

fn open_error(place: &Place, error: io::Error) -> anyhow::Error {
    ListError { path: place.shown(), fault: Fault::Open(error) }.into()
}

fn default_directory() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let base = variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".cache")));
    base.unwrap_or_else(std::env::temp_dir).join("gardefou")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn source(path: &Path) -> ListSource {
        let mut config = Config::load_default().unwrap();
        let mut source = config.lists.swap_remove(0);
        source.place = Place::Disk(path.to_owned());
        source
    }

    #[test]
    fn a_list_is_read_again_only_when_it_must_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.txt");
        fs::write(&path, "a.example\nb.example\na.example\n# comment\n1.2.3.4\n").unwrap();
        let cache = Cache::open(Some(&folder.path().join("cache"))).unwrap();
        let mut source = source(&path);
        let read = |source: &ListSource| {
            let list = cache.read(source, &|_| {}).unwrap();
            (list.cached, list.map.len(), list.reading.entries, list.reading.rejected)
        };
        assert_eq!(read(&source), (false, 2, 3, 1));
        assert_eq!(read(&source), (true, 2, 3, 1));
        source.options.scope = Some(filter_core::Scope::Exact);
        assert!(!read(&source).0);
        fs::write(&path, "c.example\n").unwrap();
        assert_eq!(read(&source), (false, 1, 1, 0));

        // Damage of any of the files is noticed, and mended.
        for entry in fs::read_dir(folder.path().join("cache")).unwrap() {
            let path = entry.unwrap().path();
            let mut octets = fs::read(&path).unwrap();
            let middle = octets.len() / 2;
            octets[middle] ^= 0x04;
            fs::write(&path, octets).unwrap();
        }
        assert_eq!(read(&source), (false, 1, 1, 0));
        assert_eq!(read(&source), (true, 1, 1, 0));
    }

    #[test]
    fn a_list_that_cannot_be_read_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.txt");
        fs::write(&path, "<html>").unwrap();
        let directory = folder.path().join("cache");
        let cache = Cache::open(Some(&directory)).unwrap();
        let error = cache.read(&source(&path), &|_| {}).err().unwrap();
        assert!(error.to_string().contains("list.txt"), "{error}");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
    }
}
