//! Keeps what was measured, with the date, the machine and the commit it was measured on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context as _, Result};
use serde::{Serialize, Serializer};

use crate::lists::root;

/// When, where and on what a measurement was made; the last columns of every row.
#[derive(Clone, Debug, Serialize)]
pub struct Origin {
    /// The day, in UTC.
    pub date: String,
    /// The commit, with `-dirty` behind it when files were changed since.
    pub commit: String,
    /// The processor and how many of its cores there are.
    pub machine: String,
    /// The compiler.
    pub rustc: String,
}

impl Origin {
    /// Here and now. What cannot be found out is called unknown.
    pub fn here() -> Origin {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model =
            cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let commit = output("git", &["rev-parse", "--short=12", "HEAD"]);
        let changes = output("git", &["status", "--porcelain"]);
        let is_dirty = changes.is_none_or(|changes| !changes.is_empty());
        let unknown = || "unknown".to_owned();
        Origin {
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            commit: commit.map_or_else(unknown, |commit| {
                if is_dirty { format!("{commit}-dirty") } else { commit }
            }),
            machine: format!("{}, {cores} cores", model.unwrap_or("unknown processor")),
            rustc: output("rustc", &["--version"]).unwrap_or_else(unknown),
        }
    }
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).current_dir(root()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// A folder of records.
pub struct Records {
    folder: PathBuf,
    /// Where the measurements of this run come from.
    pub origin: Origin,
}

impl Records {
    /// Opens or makes a folder.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(folder: &Path) -> Result<Records> {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        Ok(Records { folder: folder.to_owned(), origin: Origin::here() })
    }

    /// `<date>-<kind>.<ending>` in this folder.
    pub fn path(&self, kind: &str, ending: &str) -> PathBuf {
        self.folder.join(format!("{}-{kind}.{ending}", self.origin.date))
    }

    /// Writes rows, each with its origin, into `<date>-<kind>.csv`.
    ///
    /// # Errors
    /// When writing fails.
    pub fn rows<R: Serialize>(&self, kind: &str, rows: &[R]) -> Result<()> {
        let path = self.path(kind, "csv");
        let mut writer =
            csv::Writer::from_path(&path).with_context(|| path.display().to_string())?;
        for row in rows {
            writer.serialize((row, &self.origin))?;
        }
        Ok(writer.flush()?)
    }

    /// Writes `<kind>.svg`, which shows the latest rows and keeps its name.
    ///
    /// # Errors
    /// When writing fails.
    pub fn figure(&self, kind: &str, figure: &svg::Document) -> Result<()> {
        Ok(svg::save(self.folder.join(format!("{kind}.svg")), figure)?)
    }

    /// Writes `<date>-<kind>.md`, and says where.
    ///
    /// # Errors
    /// When writing fails.
    pub fn text(&self, kind: &str, text: &str) -> Result<PathBuf> {
        let path = self.path(kind, "md");
        fs::write(&path, text)?;
        Ok(path)
    }

    /// The latest `<date>-<kind>.csv`.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn latest(&self, kind: &str) -> Result<Option<PathBuf>> {
        let ending = format!("-{kind}.csv");
        let mut latest = None;
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let is_kind =
                path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(&ending));
            if is_kind {
                latest = latest.max(Some(path));
            }
        }
        Ok(latest)
    }
}

/// Writes a figure with the four decimals that may mean something.
///
/// # Errors
/// What the serializer says.
pub fn decimals<S: Serializer>(value: &f64, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_f64((value * 1e4).round() / 1e4)
}
