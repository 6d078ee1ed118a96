//! Runs the cases of `tests/data/lists/*.toml` through the list reader, and reads the real lists
//! of `../shared/data` where they are present.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use filter_cli::lists::{self, Entry, Format, ListError, Options, Reason, Tally};
use filter_core::{Action, Scope};
use serde::Deserialize;

/// One file of cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    /// The dialect of all cases; without it, it is found out.
    format: Option<String>,
    case: Vec<Case>,
}

/// A list, given as `line`, `text` or `hex`, and what is to become of it. What is not said is
/// to be zero or empty.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What the case is about.
    #[serde(default)]
    why: String,
    line: Option<String>,
    text: Option<String>,
    hex: Option<String>,
    /// A line of that many bytes is added at the end.
    long_line: Option<usize>,
    /// `gzip`, `gzip-twice` or `zstd`.
    pack: Option<String>,
    /// How much of the packed file is kept.
    keep_percent: Option<usize>,
    /// Where a byte of the packed file is changed.
    flip_percent: Option<usize>,

    scope: Option<String>,
    action: Option<String>,
    max_unpacked: Option<u64>,

    /// `scope action name`, then `important` where it applies; in order.
    #[serde(default)]
    entries: Vec<String>,
    /// `reason` or `reason: part of the explanation` of each rejected line, in order.
    #[serde(default)]
    rejected: Vec<String>,
    /// The same of names dropped from lines that are rules.
    #[serde(default)]
    rejected_names: Vec<String>,
    #[serde(default)]
    comments: u64,
    #[serde(default)]
    blanks: u64,
    detected: Option<String>,
    /// A part of the error that refuses the file.
    error: Option<String>,
}

#[test]
fn cases() {
    let folder = workspace().join("tests/data/lists");
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut failures = Vec::new();
    let mut count = 0;
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "toml")) {
        let cases: Cases = toml::from_str(&fs::read_to_string(file).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let stem = file.file_stem().unwrap().to_str().unwrap();
        for (index, case) in cases.case.iter().enumerate() {
            count += 1;
            let path = scratch(&format!("{stem}-{index}.list"));
            fs::write(&path, case.bytes()).unwrap();
            if let Err(difference) = run(case, cases.format.as_deref(), &path) {
                failures.push(format!("{stem}.toml case {}: {difference}", case.title(index)));
            }
            fs::remove_file(&path).unwrap();
        }
    }
    assert!(count > 100, "only {count} cases in {}", folder.display());
    assert!(failures.is_empty(), "{} of {count} cases:\n{}", failures.len(), failures.join("\n"));
}

fn run(case: &Case, format: Option<&str>, path: &Path) -> Result<(), String> {
    let defaults = Options::default();
    let options = Options {
        format: format.map(|word| word.parse().unwrap()),
        scope: case.scope.as_deref().map(scope),
        action: case.action.as_deref().map(action),
        max_unpacked: case.max_unpacked.unwrap_or(defaults.max_unpacked),
        ..defaults
    };
    let (tally, entries) = match (read(path, &options), &case.error) {
        (Ok(read), None) => read,
        (Err(error), Some(wanted)) => {
            let error = error.to_string();
            let named = error.starts_with(&path.display().to_string()) && error.contains(wanted);
            return named.then_some(()).ok_or(format!("error is {error:?}, not {wanted:?}"));
        }
        (Err(error), None) => return Err(format!("refused: {error}")),
        (Ok(_), Some(wanted)) => return Err(format!("read, not refused with {wanted:?}")),
    };
    check_identities(&tally)?;
    same("entries", &entries.iter().map(show).collect::<Vec<_>>(), &case.entries)?;
    same("comments", &tally.comments, &case.comments)?;
    same("blanks", &tally.blanks, &case.blanks)?;
    same("rejected lines", &tally.rejected, &(case.rejected.len() as u64))?;
    same("rejected names", &tally.rejected_names, &(case.rejected_names.len() as u64))?;
    if let Some(detected) = &case.detected {
        same("format", &tally.format.as_str(), &detected.as_str())?;
    }
    let wanted: Vec<&String> = case.rejected.iter().chain(&case.rejected_names).collect();
    same("samples", &tally.samples.len(), &wanted.len())?;
    for (sample, wanted) in tally.samples.iter().zip(wanted) {
        if !matches(&sample.reason, wanted) {
            let word = sample.reason.as_str();
            return Err(format!("rejected with `{word}: {}`, not `{wanted}`", sample.reason));
        }
    }
    Ok(())
}

/// Whether `reason` is what `wanted` says: its word, and parts of its explanation.
fn matches(reason: &Reason, wanted: &str) -> bool {
    let (word, part) = wanted.split_once(": ").unwrap_or((wanted, ""));
    reason.as_str() == word && reason.to_string().contains(part)
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, wanted: &T) -> Result<(), String> {
    if got == wanted { Ok(()) } else { Err(format!("{what}: got {got:?}, wanted {wanted:?}")) }
}

fn check_identities(tally: &Tally) -> Result<(), String> {
    same(
        "rules + rejected + comments + blanks",
        &(tally.rules + tally.rejected + tally.comments + tally.blanks),
        &tally.lines,
    )?;
    same("sum of the reasons", &tally.by_reason.values().sum(), &tally.rejected)
}

impl Case {
    fn title(&self, index: usize) -> String {
        match (&self.line, self.why.as_str()) {
            (Some(line), "") => format!("{line:?}"),
            (_, "") => format!("number {}", index + 1),
            (_, why) => format!("“{why}”"),
        }
    }

    /// The file of the case.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = match (&self.line, &self.text, &self.hex) {
            (Some(line), None, None) => format!("{line}\n").into_bytes(),
            (None, Some(text), None) => text.clone().into_bytes(),
            (None, None, Some(hex)) => hex
                .split_whitespace()
                .map(|byte| u8::from_str_radix(byte, 16).expect("hex is pairs of digits"))
                .collect(),
            _ => panic!("a case has one of line, text and hex"),
        };
        if let Some(length) = self.long_line {
            bytes.resize(bytes.len() + length, b'a');
            bytes.push(b'\n');
        }
        let mut packed = match self.pack.as_deref() {
            None => bytes,
            Some("gzip") => gzip(&bytes),
            Some("gzip-twice") => [gzip(&bytes), gzip(&bytes)].concat(),
            Some("zstd") => zstd(&bytes),
            Some(other) => panic!("unknown packing {other}"),
        };
        if let Some(percent) = self.flip_percent {
            let place = packed.len() * percent / 100;
            packed[place] ^= 0xFF;
        }
        if let Some(percent) = self.keep_percent {
            packed.truncate(packed.len() * percent / 100);
        }
        packed
    }
}

#[test]
fn a_squidguard_directory_is_its_domains() {
    let folder = scratch("squidguard");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("domains"), "ads.example.test\n192.0.2.1\n").unwrap();
    fs::write(folder.join("urls"), "example.test/ads\nexample.test/more\n").unwrap();
    fs::write(folder.join("expressions"), "banner").unwrap();
    let (tally, entries) = read(&folder, &Options::default()).unwrap();
    assert_eq!(entries.iter().map(show).collect::<Vec<_>>(), ["subtree block ads.example.test"]);
    assert_eq!((tally.format, tally.lines, tally.rejected), (Format::SquidGuard, 2, 1));
    let unread: Vec<_> = tally.unread.iter().map(|unread| (unread.file, unread.lines)).collect();
    assert_eq!(unread, [("urls", 2), ("expressions", 1)]);

    fs::remove_file(folder.join("domains")).unwrap();
    let error = read(&folder, &Options::default()).unwrap_err().to_string();
    assert!(error.contains("no file named `domains`"), "{error}");
    fs::remove_dir_all(&folder).unwrap();
    let error = read(&folder, &Options::default()).unwrap_err().to_string();
    assert!(error.contains("cannot open"), "{error}");
}

#[test]
fn an_error_of_the_sink_stops_the_reading() {
    let mut seen = 0;
    let mut sink = |_, line| {
        seen += 1;
        if line == 2 { Err(std::io::Error::other("disk full")) } else { Ok(()) }
    };
    let text = "a.example.test\nb.example.test\nc.example.test\n";
    let error = lists::read_text(&mut text.as_bytes(), &Options::default(), &mut sink).unwrap_err();
    assert!(error.to_string().contains("disk full"), "{error}");
    assert_eq!(seen, 2);
}

#[test]
fn samples_are_few_but_have_every_reason() {
    let mut text = "192.0.2.1\n".repeat(100);
    text.push_str("http://a.example/\na..example\n");
    let options = Options { samples: 5, ..Options::default() };
    let tally = lists::read_text(&mut text.as_bytes(), &options, &mut |_, _| Ok(())).unwrap();
    let lines: Vec<u32> = tally.samples.iter().map(|sample| sample.line).collect();
    assert_eq!(lines, [1, 2, 3, 4, 5, 101, 102]);
}

#[test]
fn format_words_read_back() {
    for format in Format::ALL {
        assert_eq!(format.as_str().parse(), Ok(format));
    }
    assert!("hostss".parse::<Format>().unwrap_err().to_string().contains("use domains, hosts"));
}

/// The lists people really use: nothing goes missing, and one list in several dialects is one
/// list.
#[test]
fn real_lists() {
    let data = workspace().join("../shared/data");
    if !data.is_dir() {
        eprintln!("skipped: ../shared/data is absent");
        return;
    }
    let mut paths: Vec<PathBuf> = ["formats", "ut1", "churn", "large"]
        .iter()
        .flat_map(|folder| fs::read_dir(data.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() || path.join("domains").is_file())
        .filter(|path| !path.ends_with("global_usage"))
        .collect();
    paths.sort();
    assert!(paths.len() > 30, "only {} lists", paths.len());
    println!("list\tformat\tlines\trules\trejected\tcomments\tblanks\treasons");
    for path in &paths {
        let tally = lists::read(path, &Options::default(), &mut |_, _| Ok(())).unwrap();
        check_identities(&tally).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        println!(
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{:?}",
            path.strip_prefix(&data).unwrap().display(),
            tally.format,
            tally.lines,
            tally.rules,
            tally.rejected,
            tally.comments,
            tally.blanks,
            tally.by_reason,
        );
    }

    let names = |file: &str, format: Format| {
        let (tally, entries) = read(&data.join("formats").join(file), &Options::default()).unwrap();
        assert_eq!(tally.format, format, "{file}");
        entries.iter().map(|entry| entry.name.to_string()).collect::<BTreeSet<String>>()
    };
    let fake = names("fake.unbound.conf", Format::Unbound);
    assert!((7_300..7_400).contains(&fake.len()), "{} names", fake.len());
    assert_eq!(names("fake.adblock.txt", Format::Adblock), fake);
    assert_eq!(names("fake.wildcard.txt", Format::Wildcard), fake);
    assert_eq!(names("scam.hosts.txt", Format::Hosts), names("scam.adblock.txt", Format::Adblock));
    names("basic.dnsmasq.conf", Format::Dnsmasq);
    names("phishing.domains.txt", Format::Domains);
}

fn read(path: &Path, options: &Options) -> Result<(Tally, Vec<Entry>), ListError> {
    let mut entries = Vec::new();
    let mut sink = |entry, _| {
        entries.push(entry);
        Ok(())
    };
    let tally = lists::read(path, options, &mut sink)?;
    Ok((tally, entries))
}

fn show(entry: &Entry) -> String {
    let important = if entry.important { " important" } else { "" };
    format!("{} {} {}{important}", entry.scope, entry.action, entry.name)
}

fn scope(word: &str) -> Scope {
    Scope::ALL.into_iter().find(|scope| scope.word() == word).expect("a scope")
}

fn action(word: &str) -> Action {
    [Action::Block, Action::Allow].into_iter().find(|a| a.word() == word).expect("an action")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 0).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a workspace")
}

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}
