//! `gardefou diff`: what changed between two images.
//!
//! Rules are compared as they are stored, walked side by side in the order of the set. A rule
//! that went because a parent's rule says the same now is gone here, too; the summary counts how
//! many of the removed names are still blocked. Which lists say so does not count as a change.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::iter::Peekable;
use std::path::PathBuf;

use filter_core::{Action, CategorySet, Facet, Key, Name, Scope};
use serde::Serialize;
use serde_json::json;

use crate::image::ImageFile;
use crate::output::{ExitStatus, Output};
use crate::report::{Table, grouped};

/// Say which names were added, removed or changed between two images
///
/// Prints a line for each name, with tabs between: `+` NAME CATEGORIES for a new one, `-` NAME
/// CATEGORIES for one that is gone, `~` NAME OLD NEW for one that changed. Behind categories
/// stands in brackets what is not a plain block of a name and everything below. A summary by
/// category follows on standard error.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 the same; 1 different; 2 error.")]
pub struct Args {
    /// The older image
    #[arg(value_name = "A")]
    old: PathBuf,
    /// The newer image
    #[arg(value_name = "B")]
    new: PathBuf,
    /// Print the summary only, on standard output
    #[arg(long)]
    summary: bool,
}

impl Args {
    /// Runs the command.
    ///
    /// # Errors
    /// When an image cannot be opened or output fails.
    pub fn run(&self, output: &Output) -> anyhow::Result<ExitStatus> {
        let old = ImageFile::open(&self.old)?;
        let new = ImageFile::open(&self.new)?;
        let lines = (!self.summary).then_some(output.json);
        let mut out = BufWriter::with_capacity(256 << 10, io::stdout().lock());
        let mut diff = Diff { old: &old, new: &new, lines, counts: Counts::default() };
        diff.run(&mut out)?;
        let counts = diff.counts;
        if output.json {
            writeln!(out, "{}", counts.to_json(&old, &new))?;
        } else if self.summary {
            out.write_all(counts.render(output).as_bytes())?;
        }
        out.flush()?;
        if !output.json && !self.summary && !output.quiet {
            io::stderr()
                .write_all(counts.render(&Output { color: false, ..*output }).as_bytes())?;
        }
        let same = counts.is_empty();
        Ok(if same { ExitStatus::Success } else { ExitStatus::Found })
    }
}

struct Diff<'a> {
    old: &'a ImageFile,
    new: &'a ImageFile,
    /// Whether a line is written for each change, and whether as JSON.
    lines: Option<bool>,
    counts: Counts,
}

/// What an image says about one name, in words.
type Says = Vec<String>;

impl Diff<'_> {
    fn run(&mut self, out: &mut impl Write) -> io::Result<()> {
        let (old, new) = (self.old, self.new);
        side_by_side(
            old.filter().rules().map(|rule| (rule.name.clone(), said(rule.facets()))),
            new.filter().rules().map(|rule| (rule.name.clone(), said(rule.facets()))),
            |name, before, after| self.rule(name, before, after, out),
        )?;
        side_by_side(
            old.filter().never_block(),
            new.filter().never_block(),
            |name, before, after| {
                let words = |scope: Option<Scope>| {
                    scope.map(|scope| vec![with_notes(NEVER_BLOCK, [scope_note(scope)])])
                };
                let before = words(before).map(|says| (vec![NEVER_BLOCK.to_owned()], says));
                let after = words(after).map(|says| (vec![NEVER_BLOCK.to_owned()], says));
                self.change(&name.to_string(), before, after, out)
            },
        )?;
        self.words(out)
    }

    fn rule(
        &mut self,
        name: &Name,
        before: Option<Vec<Facet>>,
        after: Option<Vec<Facet>>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        if after.is_none() && self.new.filter().check(name, CategorySet::ALL).is_block() {
            self.counts.still_blocked += 1;
        }
        let before = before.map(|facets| in_words(self.old, &facets));
        let after = after.map(|facets| in_words(self.new, &facets));
        self.change(&name.to_string(), before, after, out)
    }

    /// The keywords, which have no order but are few.
    fn words(&mut self, out: &mut impl Write) -> io::Result<()> {
        let words = |image: &ImageFile| -> BTreeMap<String, (Vec<String>, Says)> {
            let words = image.filter().keywords().into_iter().flat_map(|it| it.words());
            let entry = |word: filter_core::keyword::Word<'_>| {
                let categories = owned(image.category_ids(word.categories));
                let says = format!("{} ({} {})", categories.join(","), word.boundary, word.weight);
                (format!("keyword:{}", word.text), (categories, vec![says]))
            };
            words.map(entry).collect()
        };
        let (mut old, new) = (words(self.old), words(self.new));
        for (word, after) in new {
            let before = old.remove(&word);
            if before.as_ref() != Some(&after) {
                self.change(&word, before, Some(after), out)?;
            }
        }
        old.into_iter().try_for_each(|(word, before)| self.change(&word, Some(before), None, out))
    }

    /// Counts a change by category, and writes its line.
    fn change(
        &mut self,
        name: &str,
        before: Option<(Vec<String>, Says)>,
        after: Option<(Vec<String>, Says)>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let kind = match (&before, &after) {
            (None, _) => Kind::Added,
            (_, None) => Kind::Removed,
            _ => Kind::Changed,
        };
        let mut categories: Vec<&String> =
            before.iter().chain(&after).flat_map(|(categories, _)| categories).collect();
        categories.sort_unstable();
        categories.dedup();
        self.counts.total[kind as usize] += 1;
        for category in categories {
            let counts = self.counts.by_category.entry(category.clone()).or_default();
            counts[kind as usize] += 1;
        }
        let Some(json) = self.lines else { return Ok(()) };
        let (before, after) = (before.map(|(_, says)| says), after.map(|(_, says)| says));
        if json {
            let change = Change {
                version: 1,
                command: "diff",
                change: kind.word(),
                name,
                old: before.as_deref(),
                new: after.as_deref(),
            };
            serde_json::to_writer(&mut *out, &change)?;
            return out.write_all(b"\n");
        }
        write!(out, "{}\t{name}", kind.sign())?;
        for says in [before, after].into_iter().flatten() {
            write!(out, "\t{}", says.join("; "))?;
        }
        out.write_all(b"\n")
    }
}

/// Walks two ascending sequences and gives every name whose values differ.
fn side_by_side<T: PartialEq>(
    old: impl Iterator<Item = (Name, T)>,
    new: impl Iterator<Item = (Name, T)>,
    mut differs: impl FnMut(&Name, Option<T>, Option<T>) -> io::Result<()>,
) -> io::Result<()> {
    fn key<T>(entries: &mut Peekable<impl Iterator<Item = (Name, T)>>) -> Option<Key> {
        entries.peek().map(|(name, _)| Key::new(name))
    }
    let (mut old, mut new) = (old.peekable(), new.peekable());
    let (mut old_key, mut new_key) = (key(&mut old), key(&mut new));
    // Ends because every turn takes an entry off one of the two.
    loop {
        let order = match (&old_key, &new_key) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.symbols().cmp(new.symbols()),
        };
        let before = if order == Ordering::Greater { None } else { old.next() };
        let after = if order == Ordering::Less { None } else { new.next() };
        if before.is_some() {
            old_key = key(&mut old);
        }
        if after.is_some() {
            new_key = key(&mut new);
        }
        match (before, after) {
            (Some((name, before)), Some((_, after))) if before != after => {
                differs(&name, Some(before), Some(after))?;
            }
            (Some((name, before)), None) => differs(&name, Some(before), None)?,
            (None, Some((name, after))) => differs(&name, None, Some(after))?,
            _ => {}
        }
    }
}

/// The facets without their lists, whose numbers mean nothing in another image.
fn said(facets: impl Iterator<Item = Facet>) -> Vec<Facet> {
    let lists = filter_core::ListSet::EMPTY;
    facets.map(|facet| Facet { lists, ..facet }).collect()
}

/// The categories of facets, and each facet in words: its categories, and in brackets what is
/// not the usual.
fn in_words(image: &ImageFile, facets: &[Facet]) -> (Vec<String>, Says) {
    let all = facets.iter().fold(CategorySet::EMPTY, |all, facet| all.union(facet.categories));
    let says = |facet: &Facet| {
        let categories = image.category_ids(facet.categories).join(",");
        let allow = (facet.action == Action::Allow).then_some("allow");
        let important = facet.important.then_some("important");
        with_notes(&categories, [allow, scope_note(facet.scope), important])
    };
    (owned(image.category_ids(all)), facets.iter().map(says).collect())
}

fn scope_note(scope: Scope) -> Option<&'static str> {
    (scope != Scope::Subtree).then_some(scope.word())
}

fn with_notes<'a>(text: &str, notes: impl IntoIterator<Item = Option<&'a str>>) -> String {
    let notes: Vec<&str> = notes.into_iter().flatten().collect();
    if notes.is_empty() { text.to_owned() } else { format!("{text} ({})", notes.join(", ")) }
}

fn owned(words: Vec<&str>) -> Vec<String> {
    words.into_iter().map(str::to_owned).collect()
}

/// What stands for categories with names that are never blocked.
const NEVER_BLOCK: &str = "never-block";

#[derive(Clone, Copy)]
enum Kind {
    Added,
    Removed,
    Changed,
}

impl Kind {
    fn sign(self) -> char {
        match self {
            Kind::Added => '+',
            Kind::Removed => '-',
            Kind::Changed => '~',
        }
    }

    fn word(self) -> &'static str {
        match self {
            Kind::Added => "added",
            Kind::Removed => "removed",
            Kind::Changed => "changed",
        }
    }
}

/// A line of `--json`.
#[derive(Serialize)]
struct Change<'a> {
    version: u32,
    command: &'static str,
    change: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<&'a [String]>,
}

/// Names added, removed, changed.
#[derive(Default)]
struct Counts {
    total: [u64; 3],
    by_category: BTreeMap<String, [u64; 3]>,
    still_blocked: u64,
}

impl Counts {
    fn is_empty(&self) -> bool {
        self.total == [0; 3]
    }

    fn render(&self, output: &Output) -> String {
        let mut table = Table::new(&["category", "added", "removed", "changed"]);
        (table.numbers_from, table.numbers_to) = (1, 4);
        let mut row = |category: &str, counts: &[u64; 3]| {
            let mut row = vec![category.to_owned()];
            row.extend(counts.iter().map(|&count| grouped(count)));
            table.rows.push(row);
        };
        self.by_category.iter().for_each(|(category, counts)| row(category, counts));
        row("all names", &self.total);
        let mut text = table.render(output);
        if self.still_blocked > 0 {
            let count = grouped(self.still_blocked);
            text += &format!("{count} of the removed names are still blocked by another rule.\n");
        }
        text
    }

    fn to_json(&self, old: &ImageFile, new: &ImageFile) -> serde_json::Value {
        let counts = |[added, removed, changed]: [u64; 3]| json!({ "added": added, "removed": removed, "changed": changed });
        let by_category: serde_json::Map<_, _> = self
            .by_category
            .iter()
            .map(|(category, &by_kind)| (category.clone(), counts(by_kind)))
            .collect();
        json!({
            "version": 1,
            "command": "diff",
            "summary": {
                "old_serial": old.filter().header().serial,
                "new_serial": new.filter().header().serial,
                "names": counts(self.total),
                "removed_but_still_blocked": self.still_blocked,
                "by_category": by_category,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use filter_core::compile::{Compiler, ListInfo};

    use super::*;

    fn image(rules: &[(&str, u8, Scope)], never_block: &str) -> ImageFile {
        let mut compiler = Compiler::new(1);
        compiler.category(20, "gambling").unwrap();
        compiler.category(21, "dating").unwrap();
        for bit in [20, 21] {
            compiler.list(ListInfo::new(&format!("list-{bit}"), CategorySet::of(bit))).unwrap();
        }
        for &(name, bit, scope) in rules {
            compiler.rule(&name.parse().unwrap(), scope, Action::Block, bit - 20).unwrap();
        }
        compiler.never_block(&never_block.parse().unwrap(), Scope::Subtree).unwrap();
        ImageFile::from_octets(Path::new("x.gfi"), compiler.finish().unwrap().octets).unwrap()
    }

    #[test]
    fn names_are_added_removed_and_changed() {
        let old = image(
            &[
                ("a.example", 20, Scope::Subtree),
                ("b.example", 20, Scope::Subtree),
                ("www.c.example", 20, Scope::Subtree),
                ("d.example", 21, Scope::Subtree),
            ],
            "help.example",
        );
        let new = image(
            &[
                ("b.example", 20, Scope::Exact),
                ("c.example", 20, Scope::Subtree),
                ("d.example", 20, Scope::Subtree),
            ],
            "aid.example",
        );
        let mut text = Vec::new();
        let counts = Counts::default();
        let mut diff = Diff { old: &old, new: &new, lines: Some(false), counts };
        diff.run(&mut text).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "-\ta.example\tgambling\n\
             ~\tb.example\tgambling\tgambling (exact)\n\
             +\tc.example\tgambling\n\
             -\twww.c.example\tgambling\n\
             ~\td.example\tdating\tgambling\n\
             +\taid.example\tnever-block\n\
             -\thelp.example\tnever-block\n"
        );
        assert_eq!(diff.counts.total, [2, 3, 2]);
        assert_eq!(diff.counts.by_category["gambling"], [1, 2, 2]);
        assert_eq!(diff.counts.still_blocked, 1);

        let counts = Counts::default();
        let mut same = Diff { old: &old, new: &old, lines: Some(true), counts };
        same.run(&mut Vec::new()).unwrap();
        assert!(same.counts.is_empty());
    }
}
