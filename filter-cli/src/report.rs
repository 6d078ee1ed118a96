//! What a build says when it is done: a table of the lists that accounts for every line and
//! every rule, what was rejected and why, and the image. Text for people, JSON for programs.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use serde::Serialize;

use crate::cache::{ReadList, Sample};
use crate::merge::Counters;
use crate::output::{HEADING, Output, WARNING};

/// The report of a build.
#[derive(Debug, Serialize)]
pub struct Report {
    version: u32,
    command: &'static str,
    /// The manifest.
    pub config: String,
    /// The lists, in the order of their numbers.
    pub lists: Vec<ListReport>,
    /// Optional lists whose files are not there.
    pub absent: Vec<AbsentList>,
    /// The image.
    pub image: ImageReport,
}

/// What became of a list: `rules + rejected + comments + blanks == lines`, and
/// `duplicates + shared + redundant + kept == entries`.
#[derive(Debug, Serialize)]
pub struct ListReport {
    id: String,
    category: String,
    path: String,
    format: String,
    bytes: u64,
    cached: bool,
    lines: u64,
    rules: u64,
    rejected: u64,
    comments: u64,
    blanks: u64,
    rejected_by_reason: BTreeMap<String, u64>,
    /// Names dropped from lines that count as rules.
    rejected_names: u64,
    rejected_samples: Vec<Sample>,
    /// Lines of files of a squidGuard directory that hold no names.
    unread_lines: BTreeMap<String, u64>,
    /// Rules given: a line can give several.
    entries: u64,
    /// Given on another line of the list before.
    duplicates: u64,
    /// Given by an earlier list.
    shared: u64,
    /// Said by a rule for a parent.
    redundant: u64,
    /// In the image because of this list.
    kept: u64,
    /// Overridden by names that are never blocked, in whole or in part.
    protected: u64,
    protected_samples: Vec<ProtectedReport>,
}

#[derive(Debug, Serialize)]
struct ProtectedReport {
    name: String,
    line: u32,
    never_block: String,
}

/// An optional list that is not there.
#[derive(Debug, Serialize)]
pub struct AbsentList {
    /// Its id.
    pub id: String,
    /// Where its file would be.
    pub path: String,
    /// Where it can be fetched.
    pub url: String,
}

/// The image that was built.
#[derive(Debug, Serialize)]
pub struct ImageReport {
    /// Where it stands.
    pub path: String,
    /// Its serial.
    pub serial: u64,
    /// Names with at least one rule.
    pub names: u64,
    /// Octets.
    pub bytes: u64,
    /// Octets of classes and rules.
    pub rule_bytes: u64,
    /// Distinct sets of rules.
    pub classes: usize,
    /// Names that are never blocked.
    pub never_block: u32,
    /// Words.
    pub keywords: usize,
    /// Octets of each section.
    pub sections: Vec<SectionReport>,
    /// The why-index beside it, and its octets.
    pub why: Option<FileReport>,
    /// Benign names the words were tried on, and how many they block.
    pub benign_tried: u64,
    /// See `benign_tried`.
    pub benign_blocked: u64,
}

/// A section of the image.
#[derive(Debug, Serialize)]
pub struct SectionReport {
    /// Its name.
    pub name: String,
    /// Its octets.
    pub bytes: u32,
}

/// A file that was written.
#[derive(Debug, Serialize)]
pub struct FileReport {
    /// Where it stands.
    pub path: String,
    /// Its octets.
    pub bytes: u64,
}

impl Report {
    /// The report of these parts.
    pub fn new(
        config: String,
        lists: Vec<ListReport>,
        absent: Vec<AbsentList>,
        image: ImageReport,
    ) -> Report {
        Report { version: 1, command: "build", config, lists, absent, image }
    }

    /// The report as it is printed.
    ///
    /// # Errors
    /// None to be expected.
    pub fn render(&self, output: &Output) -> anyhow::Result<String> {
        if output.json {
            return Ok(serde_json::to_string_pretty(self)? + "\n");
        }
        let mut text = self.list_table().render(output);
        self.rejections(&mut text, output)?;
        self.overridden(&mut text, output)?;
        self.absent(&mut text)?;
        self.image.write(&mut text, output)?;
        Ok(text)
    }

    fn list_table(&self) -> Table {
        let mut table = Table::new(&[
            "list",
            "category",
            "format",
            "",
            "bytes",
            "lines",
            "rules",
            "rejected",
            "comments",
            "blanks",
            "duplicates",
            "shared",
            "redundant",
            "kept",
        ]);
        table.numbers_from = 4;
        let mut sums = [0; 10];
        for list in &self.lists {
            let numbers = list.numbers();
            sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
            let state = if list.cached { "cached" } else { "read" };
            let mut row = vec![list.id.clone(), list.category.clone(), list.format.clone()];
            row.push(state.to_owned());
            row.extend(numbers.map(grouped));
            table.rows.push(row);
        }
        if self.lists.len() > 1 {
            let mut row = vec![format!("{} lists", self.lists.len())];
            row.resize(4, String::new());
            row.extend(sums.map(grouped));
            table.rows.push(row);
        }
        table
    }

    fn rejections(&self, text: &mut String, output: &Output) -> fmt::Result {
        let mut table = Table::new(&["rejected", "reason", "count", "first"]);
        table.numbers_from = 2;
        table.numbers_to = 3;
        for list in &self.lists {
            for (reason, &count) in &list.rejected_by_reason {
                let sample = list.rejected_samples.iter().find(|sample| sample.reason == *reason);
                let first = sample.map(|sample| {
                    format!("line {}: {}: {}", sample.line, sample.text, sample.detail)
                });
                let first = first.unwrap_or_default();
                table.rows.push(vec![list.id.clone(), reason.clone(), grouped(count), first]);
            }
            for (file, &lines) in &list.unread_lines {
                let first = format!("the lines of `{file}` are no names");
                table.rows.push(vec![list.id.clone(), "unread".into(), grouped(lines), first]);
            }
        }
        if table.rows.is_empty() {
            return Ok(());
        }
        write!(text, "\n{}", table.render(output))
    }

    fn overridden(&self, text: &mut String, output: &Output) -> fmt::Result {
        let mut lists = self.lists.iter().filter(|list| list.protected > 0).peekable();
        if lists.peek().is_some() {
            let heading = "rules that names never to block override, in whole or in part";
            writeln!(text, "\n{}", output.paint(WARNING, heading))?;
        }
        for list in lists {
            writeln!(text, "  {}: {}", list.id, grouped(list.protected))?;
            for ProtectedReport { name, line, never_block } in &list.protected_samples {
                writeln!(text, "    {}:{line}: {name} (never blocked: {never_block})", list.path)?;
            }
        }
        Ok(())
    }

    fn absent(&self, text: &mut String) -> fmt::Result {
        match self.absent.len() {
            0 => Ok(()),
            count => writeln!(
                text,
                "\n{count} optional lists of {} are not here: download those you want from the \
                 addresses in it",
                self.config
            ),
        }
    }
}

impl ListReport {
    /// The report of a list.
    pub fn new(list: &ReadList, counters: &Counters) -> ListReport {
        let reading = list.reading.clone();
        let protected = counters.protected_samples.iter().map(|protected| ProtectedReport {
            name: protected.name.to_string(),
            line: protected.line,
            never_block: protected.never_block.to_string(),
        });
        ListReport {
            id: list.source.id.clone(),
            category: list.source.category.clone(),
            path: list.source.place.text_file().to_string(),
            format: reading.format,
            bytes: reading.bytes,
            cached: list.cached,
            lines: reading.lines,
            rules: reading.rules,
            rejected: reading.rejected,
            comments: reading.comments,
            blanks: reading.blanks,
            rejected_by_reason: reading.by_reason,
            rejected_names: reading.rejected_names,
            rejected_samples: reading.samples,
            unread_lines: reading.unread,
            entries: reading.entries,
            duplicates: reading.entries - list.map.len(),
            shared: counters.shared,
            redundant: counters.redundant,
            kept: counters.kept,
            protected: counters.protected,
            protected_samples: protected.collect(),
        }
    }

    fn numbers(&self) -> [u64; 10] {
        [
            self.bytes,
            self.lines,
            self.rules,
            self.rejected,
            self.comments,
            self.blanks,
            self.duplicates,
            self.shared,
            self.redundant,
            self.kept,
        ]
    }
}

impl ImageReport {
    fn write(&self, text: &mut String, output: &Output) -> fmt::Result {
        let per_name = |bytes: u64| bytes as f64 / self.names.max(1) as f64;
        let path = output.paint(HEADING, &self.path);
        writeln!(text, "\n{path}  serial {}", self.serial)?;
        let (names, bytes) = (grouped(self.names), grouped(self.bytes));
        writeln!(text, "  names     {names}")?;
        writeln!(text, "  size      {bytes} bytes, {:.2} per name", per_name(self.bytes))?;
        let (bytes, classes) = (grouped(self.rule_bytes), self.classes);
        let rules = per_name(self.rule_bytes);
        writeln!(text, "  rules     {bytes} bytes, {rules:.2} per name, in {classes} classes")?;
        let sections = self.sections.iter();
        let sections =
            sections.map(|section| format!("{} {}", section.name, grouped(section.bytes.into())));
        writeln!(text, "  sections  {}", sections.collect::<Vec<_>>().join(", "))?;
        writeln!(text, "  never     {} names are never blocked", self.never_block)?;
        write!(text, "  words     {}", self.keywords)?;
        if self.benign_tried > 0 {
            let (blocked, tried) = (grouped(self.benign_blocked), grouped(self.benign_tried));
            write!(text, "; they block {blocked} of {tried} benign names")?;
        }
        writeln!(text)?;
        if let Some(why) = &self.why {
            writeln!(text, "  why       {}, {} bytes", why.path, grouped(why.bytes))?;
        }
        Ok(())
    }
}

/// Rows in aligned columns.
pub struct Table {
    header: Vec<String>,
    /// The rows; each has as many cells as there are columns.
    pub rows: Vec<Vec<String>>,
    /// The first column that is aligned to the right.
    pub numbers_from: usize,
    /// The first column behind those.
    pub numbers_to: usize,
}

impl Table {
    /// An empty table with these columns.
    pub fn new(header: &[&str]) -> Table {
        let header: Vec<String> = header.iter().map(|&title| title.to_owned()).collect();
        let columns = header.len();
        Table { header, rows: Vec::new(), numbers_from: columns, numbers_to: columns }
    }

    /// The table, a line for each row.
    pub fn render(&self, output: &Output) -> String {
        let mut widths: Vec<usize> = self.header.iter().map(|title| title.len()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let line = |cells: &[String]| {
            let mut line = String::new();
            for (column, (cell, &width)) in cells.iter().zip(&widths).enumerate() {
                let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
                let is_number = (self.numbers_from..self.numbers_to).contains(&column);
                line += &if is_number { padding + cell } else { cell.clone() + &padding };
                line += "  ";
            }
            line.truncate(line.trim_end().len());
            line
        };
        let mut text = output.paint(HEADING, line(&self.header)) + "\n";
        for row in &self.rows {
            text += &line(row);
            text.push('\n');
        }
        text
    }
}

/// A number with its thousands kept apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_columns_aligned() {
        assert_eq!(["0", "999", "1,000", "1,234,567"], [0, 999, 1000, 1_234_567].map(grouped)[..]);
        let mut table = Table::new(&["list", "lines"]);
        table.numbers_from = 1;
        table.rows.push(vec!["a".into(), "1,000".into()]);
        table.rows.push(vec!["longer".into(), "7".into()]);
        let output = Output { json: false, color: false, quiet: true };
        assert_eq!(table.render(&output), "list    lines\na       1,000\nlonger      7\n");
    }
}
