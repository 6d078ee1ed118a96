//! `gardefou lint`: what is wrong with lists, before they are built.
//!
//! Each list is read as a build would read it; then all lists are walked side by side, name by
//! name. What makes a build worse is a *finding*; what is only worth knowing is a *note*.

mod across;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use filter_core::CategorySet;
use serde::Serialize;

use crate::cache::{Cache, ReadList, Reading};
use crate::config::{Config, ListSource};
use crate::embedded::Place;
use crate::image::ImageFile;
use crate::lists::Options;
use crate::output::{BAD, DIM, ExitStatus, GOOD, HEADING, Output, WARNING, hinted};
use crate::report::grouped;
use across::{Across, Kind};

/// Report what a build would reject and where lists contradict each other
///
/// Without files, the lists of the manifest are read: the one --config names, else the one a
/// build without options would use.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gardefou lint
  gardefou lint --config school.toml --against school.gfi
  gardefou lint my-list.txt your-list.txt.gz

Exit codes: 0 clean; 1 findings; 2 error.")]
pub struct Args {
    /// The manifest whose lists are read
    #[arg(long, value_name = "FILE", conflicts_with = "files")]
    config: Option<PathBuf>,
    /// An image built before: lists that shrank or grew much since then are findings
    #[arg(long, value_name = "IMAGE")]
    against: Option<PathBuf>,
    /// Where lists that were read are kept
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// List files to read instead of those of a manifest
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Lists with fewer rules than this may change their size as they like.
const SMALL: u64 = 50;

impl Args {
    /// Runs the command.
    ///
    /// # Errors
    /// When the manifest or the image to compare with is at fault. A list that cannot be read
    /// is a finding.
    pub fn run(&self, output: &Output) -> anyhow::Result<ExitStatus> {
        let report = self.report()?;
        let text = match output.json {
            true => serde_json::to_string_pretty(&report)? + "\n",
            false => report.render(output),
        };
        io::stdout().write_all(text.as_bytes())?;
        Ok(if report.is_clean() { ExitStatus::Success } else { ExitStatus::Found })
    }

    fn report(&self) -> anyhow::Result<Report> {
        let config = self.config()?;
        let before = match &self.against {
            Some(path) => Some(ImageFile::open(path)?),
            None => None,
        };
        let cache = Cache::open(self.cache.as_deref())?;
        let mut report = Report { version: 1, command: "lint", ..Report::default() };
        let mut lists = Vec::new();
        for source in &config.lists {
            if source.optional && !source.place.exists() {
                report.absent.push(source.id.clone());
                continue;
            }
            match cache.read(source, &|_| {}) {
                Ok(list) => lists.push(list),
                Err(error) => report.lists.push(ListReport::unreadable(source, &error)),
            }
        }
        let across = Across::walk(&lists, &config.never_block);
        for (list, counts) in lists.iter().zip(&across.lists) {
            let mut entry = ListReport::new(list, counts.duplicates, counts.redundant);
            entry.compare(list, before.as_ref(), &config);
            report.lists.push(entry);
        }
        report.conflicts = across.conflicts();
        Ok(report)
    }

    fn config(&self) -> anyhow::Result<Config> {
        let mut config = match &self.config {
            Some(path) => Config::load(path)?,
            None => Config::load_default()?,
        };
        if !self.files.is_empty() {
            config.lists = self.files.iter().map(|path| source(path)).collect();
        }
        if config.lists.is_empty() {
            return Err(hinted("there is no list to read", "name a file, or a manifest"));
        }
        Ok(config)
    }
}

/// A file that no manifest describes.
fn source(path: &Path) -> ListSource {
    ListSource {
        id: path.display().to_string(),
        title: String::new(),
        license: String::new(),
        url: String::new(),
        category: String::new(),
        categories: CategorySet::EMPTY,
        place: Place::Disk(path.to_owned()),
        options: Options::default(),
        expires_days: 0,
        optional: false,
        rejected_max_percent: None,
    }
}

/// The object of `--json`.
#[derive(Default, Serialize)]
struct Report {
    version: u32,
    command: &'static str,
    lists: Vec<ListReport>,
    /// Optional lists whose files are not there.
    absent: Vec<String>,
    conflicts: Vec<Conflict>,
}

/// What there is to say about one list.
#[derive(Serialize)]
struct ListReport {
    id: String,
    path: String,
    /// Why it cannot be read, if it cannot.
    error: Option<String>,
    format: String,
    lines: u64,
    rules: u64,
    rejected: u64,
    by_reason: BTreeMap<String, u64>,
    samples: Vec<crate::cache::Sample>,
    /// Rules the list gives more than once.
    duplicates: u64,
    /// Rules that a rule for a parent in the same list makes needless.
    redundant: u64,
    /// Rules in the image compared with, if it has the list.
    rules_before: Option<u32>,
    rules_now: u64,
    size_is_suspicious: bool,
}

/// A kind of contradiction, how often it occurs, and the first cases.
#[derive(Serialize)]
pub(super) struct Conflict {
    kind: &'static str,
    /// A note is no finding.
    is_note: bool,
    names: u64,
    sentence: &'static str,
    examples: Vec<String>,
}

impl ListReport {
    fn new(list: &ReadList, duplicates: u64, redundant: u64) -> ListReport {
        let Reading { format, lines, rules, rejected, by_reason, samples, .. } =
            list.reading.clone();
        ListReport {
            id: list.source.id.clone(),
            path: list.source.place.to_string(),
            error: None,
            format,
            lines,
            rules,
            rejected,
            by_reason,
            samples,
            duplicates,
            redundant,
            rules_before: None,
            rules_now: list.map.len(),
            size_is_suspicious: false,
        }
    }

    fn unreadable(source: &ListSource, error: &anyhow::Error) -> ListReport {
        ListReport {
            id: source.id.clone(),
            path: source.place.to_string(),
            error: Some(format!("{error:#}")),
            format: String::new(),
            lines: 0,
            rules: 0,
            rejected: 0,
            by_reason: BTreeMap::new(),
            samples: Vec::new(),
            duplicates: 0,
            redundant: 0,
            rules_before: None,
            rules_now: 0,
            size_is_suspicious: false,
        }
    }

    /// Compares the size with that in an image built before.
    fn compare(&mut self, list: &ReadList, before: Option<&ImageFile>, config: &Config) {
        let info = before.and_then(|image| image.list_info(&list.source.id));
        let Some(before) = info.map(|info| info.entry_count) else { return };
        self.rules_before = Some(before);
        let (before, now) = (f64::from(before), self.rules_now as f64);
        let least = before * (1.0 - config.limits.max_shrink_percent / 100.0);
        let most = before * (1.0 + config.limits.max_growth_percent / 100.0);
        let small = before.max(now) < SMALL as f64;
        self.size_is_suspicious = !small && !(least..=most).contains(&now);
    }

    fn is_clean(&self) -> bool {
        self.error.is_none() && self.rejected == 0 && !self.size_is_suspicious
    }

    fn render(&self, output: &Output, text: &mut String) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}  {}", output.paint(HEADING, &self.id), self.path);
        if let Some(error) = &self.error {
            let _ = writeln!(text, "  {}", output.paint(BAD, error));
            return;
        }
        let _ = writeln!(
            text,
            "  {}: {} lines, {} rules; {} given twice, {} needless beside a parent's",
            self.format,
            grouped(self.lines),
            grouped(self.rules),
            grouped(self.duplicates),
            grouped(self.redundant),
        );
        if let (true, Some(before)) = (self.size_is_suspicious, self.rules_before) {
            let sizes = format!("{} rules before, {} now", grouped(before.into()), self.rules_now);
            let _ = writeln!(text, "  {}", output.paint(WARNING, format!("size: {sizes}")));
        }
        let mut by_reason: HashMap<&str, Vec<&crate::cache::Sample>> = HashMap::new();
        for sample in &self.samples {
            by_reason.entry(&sample.reason).or_default().push(sample);
        }
        for (reason, &count) in &self.by_reason {
            let title = format!("rejected, {reason}: {}", grouped(count));
            let _ = writeln!(text, "  {}", output.paint(WARNING, title));
            for sample in by_reason.get(reason.as_str()).into_iter().flatten().take(SAMPLES) {
                let line = format!("line {}: {}: {}", sample.line, sample.text, sample.detail);
                let _ = writeln!(text, "    {}", output.paint(DIM, line));
            }
        }
    }
}

/// Samples shown of each reason.
const SAMPLES: usize = 3;

impl Report {
    fn is_clean(&self) -> bool {
        self.lists.iter().all(ListReport::is_clean) && self.conflicts.iter().all(|it| it.is_note)
    }

    fn render(&self, output: &Output) -> String {
        let mut text = String::new();
        for list in &self.lists {
            list.render(output, &mut text);
        }
        if !self.absent.is_empty() {
            let _ = writeln!(text, "not there, and optional: {}", self.absent.join(", "));
        }
        for conflict in &self.conflicts {
            let style = if conflict.is_note { DIM } else { WARNING };
            let word = if conflict.is_note { "note" } else { "across lists" };
            let title = format!("{word}: {} {}", grouped(conflict.names), conflict.sentence);
            let _ = writeln!(text, "{}", output.paint(style, title));
            for example in &conflict.examples {
                let _ = writeln!(text, "    {example}");
            }
        }
        let clean = self.is_clean();
        let summary = if clean { "clean" } else { "there are findings" };
        let style = if clean { GOOD } else { WARNING };
        let _ = writeln!(text, "{}", output.paint(style, summary));
        text
    }
}

impl Conflict {
    fn new(kind: Kind, names: u64, examples: Vec<String>) -> Conflict {
        Conflict {
            kind: kind.as_str(),
            is_note: kind.is_note(),
            names,
            sentence: kind.sentence(),
            examples,
        }
    }
}
