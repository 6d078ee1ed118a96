//! `gardefou verify`: whether an image can be relied on.
//!
//! Opening an image checks its header, checksum and sections. This goes on where devices cannot
//! afford to: it decodes every rule and asks the filter for every name again.

use std::cmp::Ordering;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use filter_core::{CategorySet, Filter, Key, ListSet, Name, Scope, Tier};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::image::ImageFile;
use crate::output::{ExitStatus, GOOD, Output, hinted};
use crate::report::grouped;
use crate::why::WhyIndex;

/// Check that an image is whole and answers for every name in it
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 sound; 2 not.")]
pub struct Args {
    /// The image to check
    #[arg(value_name = "IMAGE", default_value = crate::image::DEFAULT_PATH)]
    image: PathBuf,
}

/// Problems shown before the rest is only counted.
const SHOWN: usize = 10;

impl Args {
    /// Runs the command.
    ///
    /// # Errors
    /// When the image is not sound; the error says what to do.
    pub fn run(&self, output: &Output) -> anyhow::Result<ExitStatus> {
        let opened = ImageFile::open(&self.image);
        let (problems, has_index) = match &opened {
            Ok(image) => self.verify(image, output),
            Err(error) => {
                if output.json {
                    let mut problems = Problems::default();
                    problems.add(format!("{error:#}"));
                    print_json(&problems, 0, false)?;
                }
                return opened.map(|_| ExitStatus::Error);
            }
        };
        let names = opened.map_or(0, |image| image.filter().rule_count());
        if output.json {
            print_json(&problems, names, has_index)?;
            return Ok(if problems.count == 0 { ExitStatus::Success } else { ExitStatus::Error });
        }
        if problems.count > 0 {
            let mut text = format!("image `{}` is not sound", self.image.display());
            for problem in &problems.shown {
                text += &format!("\n  {problem}");
            }
            if problems.count > problems.shown.len() {
                text += &format!("\n  … and {} more", problems.count - problems.shown.len());
            }
            return Err(hinted(text, REMEDY));
        }
        let mut out = io::stdout().lock();
        let sound = output.paint(GOOD, "sound");
        let why = if has_index { "" } else { ", no why-index" };
        writeln!(out, "{}: {sound}: {} names{why}", self.image.display(), grouped(names.into()))?;
        Ok(ExitStatus::Success)
    }

    fn verify(&self, image: &ImageFile, output: &Output) -> (Problems, bool) {
        let filter = image.filter();
        let mut problems = Problems::default();
        check_tables(filter, &mut problems);
        check_never_block(filter, &mut problems);
        check_rules(filter, output, &mut problems);
        let has_index = check_index(&self.image, filter, &mut problems);
        (problems, has_index)
    }
}

const REMEDY: &str = "keep the image that is in use, and build or fetch this one again; when a \
                      new build has the same problem, report it with the lists";

fn print_json(problems: &Problems, names: u32, has_index: bool) -> anyhow::Result<()> {
    let report = json!({
        "version": 1,
        "command": "verify",
        "sound": problems.count == 0,
        "names": names,
        "why_index": has_index,
        "problem_count": problems.count,
        "problems": problems.shown,
    });
    writeln!(io::stdout(), "{report}")?;
    Ok(())
}

/// What is wrong: all counted, the first ones kept.
#[derive(Default)]
struct Problems {
    count: usize,
    shown: Vec<String>,
}

impl Problems {
    fn add(&mut self, problem: String) {
        self.count += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(problem);
        }
    }
}

/// Categories and lists: bits and ids are there once, and lists are of named categories.
fn check_tables(filter: &Filter<Vec<u8>>, problems: &mut Problems) {
    let mut named = CategorySet::EMPTY;
    for (bit, id) in filter.categories() {
        let category = CategorySet::of(bit);
        if category.is_empty() || named.intersects(category) {
            problems.add(format!("category `{id}` has bit {bit}, which is taken or over 31"));
        }
        named = named.union(category);
    }
    let mut ids: Vec<&str> = Vec::new();
    for list in filter.lists() {
        if ids.contains(&list.id) {
            problems.add(format!("two lists have the id `{}`", list.id));
        }
        if !named.contains(list.categories) {
            problems.add(format!("list `{}` is of a category without a name", list.id));
        }
        ids.push(list.id);
    }
}

/// Every rule: keys ascend, the count fits, classes and lists exist, and asking finds it.
fn check_rules(filter: &Filter<Vec<u8>>, output: &Output, problems: &mut Problems) {
    let known: ListSet = (0u8..=u8::MAX).take(filter.lists().count()).collect();
    let bar = progress_bar(output, filter.rule_count());
    let mut before: Option<Key> = None;
    let mut count = 0u32;
    for rule in filter.rules() {
        count += 1;
        if count.is_multiple_of(STEP) {
            bar.inc(STEP.into());
        }
        let name = &rule.name;
        let key = Key::new(name);
        if !ascends(before.as_ref(), &key) {
            problems.add(format!("`{name}` is out of order"));
        }
        before = Some(key);
        let mut scopes = Vec::new();
        for facet in rule.facets() {
            if facet.lists.is_empty() || facet.lists.union(known) != known {
                problems.add(format!("`{name}` is of a list the image does not have"));
            }
            if facet.categories.is_empty() {
                problems.add(format!("`{name}` has a rule without a category"));
            }
            if facet.categories.intersects(CategorySet::SEALED) {
                // Its name is not for any eye.
                problems.add("a name of the sealed category is in the clear".to_owned());
            }
            scopes.push(facet.scope);
        }
        if scopes.is_empty() {
            problems.add(format!("`{name}` has a class the image does not have"));
        } else if !is_found(filter, name, &scopes) {
            problems.add(format!("`{name}` is listed but not found"));
        }
    }
    bar.finish_and_clear();
    if count != filter.rule_count() {
        problems.add(format!("{count} of {} names can be read", filter.rule_count()));
    }
}

/// Whether the filter finds some rule for a name of the set.
fn is_found(filter: &Filter<Vec<u8>>, name: &Name, scopes: &[Scope]) -> bool {
    let by_rule = |name: &Name| {
        let verdict = filter.check(name, CategorySet::ALL);
        verdict.hit().is_some_and(|hit| hit.tier != Tier::Keyword)
    };
    let own = scopes.iter().any(|scope| scope.covers_self());
    let below = scopes.iter().any(|scope| scope.covers_below());
    let child = Name::from_wire(&[b"\x01*", name.as_wire()].concat());
    (!own || by_rule(name)) && (!below || child.is_err() || child.is_ok_and(|it| by_rule(&it)))
}

fn check_never_block(filter: &Filter<Vec<u8>>, problems: &mut Problems) {
    let mut before: Option<Key> = None;
    let mut count = 0;
    for (name, scope) in filter.never_block() {
        count += 1;
        let key = Key::new(&name);
        if !ascends(before.as_ref(), &key) {
            problems.add(format!("never-block name `{name}` is out of order"));
        }
        before = Some(key);
        if !is_found(filter, &name, &[scope]) {
            problems.add(format!("`{name}` is never to be blocked, but not found"));
        }
    }
    if count != filter.never_block_count() {
        let all = filter.never_block_count();
        problems.add(format!("{count} of {all} never-block names can be read"));
    }
}

/// The why-index: there may be none, but one that is there must be of this image.
fn check_index(path: &Path, filter: &Filter<Vec<u8>>, problems: &mut Problems) -> bool {
    let index = match WhyIndex::beside(path, filter.as_bytes()) {
        Ok(Some(index)) => index,
        Ok(None) => return false,
        Err(error) => {
            problems.add(format!("why-index: {error:#}"));
            return true;
        }
    };
    let same = index.lists().map(|list| list.id.as_str()).eq(filter.lists().map(|list| list.id));
    if !same {
        problems.add("the why-index has other lists than the image".to_owned());
    }
    true
}

fn ascends(before: Option<&Key>, key: &Key) -> bool {
    let ordering = before.map_or(Ordering::Less, |before| before.symbols().cmp(key.symbols()));
    ordering == Ordering::Less && key.is_listable()
}

/// Names between two reports of progress.
const STEP: u32 = 1 << 14;

fn progress_bar(output: &Output, names: u32) -> ProgressBar {
    if !output.shows_progress() || names < STEP {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("verifying {wide_bar} {human_pos}/{human_len} names");
    let bar = ProgressBar::new(names.into());
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use filter_core::Action;
    use filter_core::compile::{Compiler, ListInfo};

    use super::*;

    fn image(name: &str) -> Vec<u8> {
        let mut compiler = Compiler::new(1);
        compiler.category(20, "gambling").unwrap();
        let list = compiler.list(ListInfo::new("demo", CategorySet::of(20))).unwrap();
        for (index, scope) in Scope::ALL.into_iter().cycle().take(300).enumerate() {
            let name = format!("{name}{index}.example").parse().unwrap();
            compiler.rule(&name, scope, Action::Block, list).unwrap();
        }
        compiler.never_block(&"help.example".parse().unwrap(), Scope::Subtree).unwrap();
        compiler.finish().unwrap().octets
    }

    #[test]
    fn a_sound_image_and_one_with_a_foreign_index() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.gfi");
        std::fs::write(&path, image("a")).unwrap();
        let args = Args { image: path.clone() };
        let output = Output { json: false, color: false, quiet: true };
        let problems = || args.verify(&ImageFile::open(&path).unwrap(), &output);
        assert_eq!(problems().0.shown, Vec::<String>::new());
        assert_eq!(args.run(&output).unwrap(), ExitStatus::Success);

        let mut index = Vec::new();
        crate::why::write(&mut index, &image("b"), &[]).unwrap();
        std::fs::write(crate::why::path_beside(&path), index).unwrap();
        assert!(problems().0.shown[0].contains("another image"));

        std::fs::write(&path, b"GARDEFOU, or not").unwrap();
        assert!(args.run(&output).is_err());
    }
}
