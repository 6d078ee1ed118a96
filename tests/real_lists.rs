//! The image and the oracle, over every real list at hand: they must agree on each listed name,
//! on its parents, children, siblings and near misses, and on the names people really ask for.
//!
//! Reads `../shared/data/`; skipped, with a word, where that folder is absent.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::oracle::{Oracle, OracleRule};
use common::{Random, shared};
use filter_cli::lists::{Options, read};
use filter_core::compile::{Compiler, ListInfo};
use filter_core::{CategorySet, Facet, Filter, Name, Verdict};

/// An image and an oracle of the same files; each file is a list of a category of its own, as
/// far as there are categories.
fn build(files: &[PathBuf]) -> (Filter<Vec<u8>>, Oracle) {
    build_of(files, |number| 2 + (number % 29) as u8)
}

/// The same, with the category of each file.
fn build_of(files: &[PathBuf], category: impl Fn(usize) -> u8) -> (Filter<Vec<u8>>, Oracle) {
    let mut compiler = Compiler::new(1);
    let mut oracle = Oracle::default();
    for (number, file) in files.iter().enumerate() {
        let categories = CategorySet::of(category(number));
        let list = compiler.list(ListInfo::new(&format!("list-{number}"), categories)).unwrap();
        let tally = read(file, &Options::default(), &mut |entry, _line| {
            let (scope, action, important) = (entry.scope, entry.action, entry.important);
            let lists = [list].into_iter().collect();
            let facet = Facet { scope, action, important, categories, lists };
            compiler.facet(&entry.name, facet).unwrap();
            let rule = OracleRule { scope, action, important, categories };
            oracle.rule(&entry.name.to_string(), rule);
            Ok(())
        });
        let tally = tally.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(tally.rules + tally.rejected + tally.comments + tally.blanks, tally.lines);
    }
    (Filter::from_bytes(compiler.finish().unwrap().octets).unwrap(), oracle)
}

fn compare(filter: &Filter<Vec<u8>>, oracle: &Oracle, name: &Name, enabled: CategorySet) {
    let verdict = filter.check(name, enabled);
    let expected = oracle.check(name, enabled);
    let found = match &verdict {
        Verdict::Pass => None,
        Verdict::Allow(hit) => Some((filter_core::Action::Allow, hit)),
        Verdict::Block(hit) => Some((filter_core::Action::Block, hit)),
    };
    match (found, expected) {
        (None, None) => {}
        (Some((action, hit)), Some(expected)) => {
            assert_eq!((action, hit.tier), (expected.action, expected.tier), "{name}");
            assert!(hit.categories.contains(expected.categories), "{name}: {hit:?} {expected:?}");
        }
        _ => panic!("{name}: image {verdict:?}, oracle {expected:?}"),
    }
}

/// Asks about a listed name and its surroundings.
fn ask_around(filter: &Filter<Vec<u8>>, oracle: &Oracle, name: &Name, random: &mut Random) {
    let enabled = [CategorySet::ALL, CategorySet(random.below(1 << 31) as u32)];
    let text = name.to_string();
    let mut near = text.clone().into_bytes();
    let at = random.below(near.len());
    near[at] = b"abcz019-."[random.below(9)];
    let sibling = text.split_once('.').map_or(text.clone(), |(_, parent)| format!("zz9.{parent}"));
    let questions = [
        text.clone(),
        format!("www.{text}"),
        format!("a.b.{text}"),
        format!("x{text}"),
        sibling,
        String::from_utf8_lossy(&near).into_owned(),
    ];
    for question in questions.iter().filter_map(|text| Name::from_text(text).ok()) {
        compare(filter, oracle, &question, enabled[random.below(2)]);
    }
    for labels in 1..name.label_count() {
        compare(filter, oracle, &name.suffix(labels).unwrap(), CategorySet::ALL);
    }
}

fn ask_benign(filter: &Filter<Vec<u8>>, oracle: &Oracle) {
    let Some(benign) = shared("benign/umbrella-100k.txt") else { return };
    let text = fs::read_to_string(benign).unwrap();
    let mut count = 0;
    for name in common::names(&text) {
        compare(filter, oracle, &name, CategorySet::ALL);
        count += 1;
    }
    assert!(count > 90_000, "only {count} benign names");
}

/// The files below a folder that are lists, in order.
fn list_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(Some(path.join("domains")).filter(|path| path.exists()));
        } else if path.file_name().is_some_and(|name| name != "global_usage") {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn image_and_oracle_agree_on_every_list() {
    let folders = ["ut1", "formats", "churn"].map(shared);
    let [Some(ut1), Some(formats), Some(churn)] = folders else { return };
    let files = [list_files(&ut1), list_files(&formats), list_files(&churn)].concat();
    let (filter, oracle) = build(&files);
    assert!(filter.rule_count() > 500_000);
    let mut random = Random(1);
    for name in oracle.names() {
        ask_around(&filter, &oracle, &name, &mut random);
    }
    ask_benign(&filter, &oracle);
}

#[test]
fn image_and_oracle_agree_on_a_million_names() {
    let Some(folder) = shared("large") else { return };
    let (filter, oracle) = build(&list_files(&folder));
    let mut random = Random(2);
    for (number, name) in oracle.names().enumerate() {
        if number % 4 == 0 {
            ask_around(&filter, &oracle, &name, &mut random);
        } else {
            compare(&filter, &oracle, &name, CategorySet::ALL);
        }
    }
    ask_benign(&filter, &oracle);
}

/// The streaming build of the command line, with its cache and its union of maps, keeps the
/// same rules as the compiler that is given everything at once.
#[test]
fn the_command_line_keeps_the_same_rules() {
    let folders = ["ut1", "formats", "churn"].map(shared);
    let [Some(ut1), Some(formats), Some(churn)] = folders else { return };
    let files = [list_files(&ut1), list_files(&formats), list_files(&churn)].concat();
    let categories = [("gambling", 20), ("phishing", 22), ("local_policy", 31)];
    let place = tempfile::TempDir::new().unwrap();
    let image = place.path().join("image.gfi");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_gardefou"));
    command.args(["build", "--no-why", "--quiet", "--cache"]).arg(place.path().join("cache"));
    command.arg("--output").arg(&image);
    for (number, file) in files.iter().enumerate() {
        let (category, _) = categories[number % 3];
        let options = format!("id=list-{number},rejected_max_percent=100");
        command.arg("--list").arg(format!("{category}={},{options}", file.display()));
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let built = Filter::from_bytes(fs::read(image).unwrap()).unwrap();
    let (expected, _) = build_of(&files, |number| categories[number % 3].1);
    assert_eq!(built.rule_count(), expected.rule_count());
    for (built, expected) in built.rules().zip(expected.rules()) {
        assert_eq!(built.name, expected.name);
        let facets = |rule: &filter_core::Rule<'_>| rule.facets().collect::<Vec<_>>();
        assert_eq!(facets(&built), facets(&expected), "{}", built.name);
    }
}
