//! Lists with faults, read from files.

use std::fs;

use super::*;

const MANIFEST: &str = r#"
schema = 1

[categories]
path = "categories.toml"

[never_block]
path = "never-block.txt"

[[list]]
id = "casinos"
category = "gambling"
path = "casinos.txt"

[[list]]
id = "shops"
category = "shopping"
path = "shops.txt"

[[list]]
id = "ours"
category = "local_policy"
path = "ours.txt"
action = "allow"

[[list]]
id = "later"
category = "shopping"
path = "later.txt"
optional = true
"#;

const CATEGORIES: &str = r#"
schema = 1
[[category]]
bit = 1
id = "illegal_other"
[[category]]
bit = 20
id = "gambling"
[[category]]
bit = 21
id = "shopping"
[[category]]
bit = 31
id = "local_policy"
"#;

fn lint(folder: &Path, files: &[(&str, &str)]) -> serde_json::Value {
    let defaults = [
        ("gardefou.toml", MANIFEST),
        ("categories.toml", CATEGORIES),
        ("never-block.txt", "help.example\tsubtree\thelp\tsynthetic\n"),
        ("casinos.txt", "casino.example\n"),
        ("shops.txt", "shop.example\n"),
        ("ours.txt", "ours.example\n"),
    ];
    for (file, text) in defaults.iter().chain(files) {
        fs::write(folder.join(file), text).unwrap();
    }
    let args = Args {
        config: Some(folder.join("gardefou.toml")),
        against: None,
        cache: Some(folder.join("cache")),
        files: Vec::new(),
    };
    serde_json::to_value(args.report().unwrap()).unwrap()
}

#[test]
fn sound_lists_are_clean() {
    let folder = tempfile::tempdir().unwrap();
    let report = lint(folder.path(), &[]);
    assert_eq!(report["conflicts"], serde_json::json!([]));
    assert_eq!(report["absent"], serde_json::json!(["later"]));
    assert_eq!(report["lists"][0]["rejected"], 0);
}

#[test]
fn faults_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let casinos =
        "casino.example\nwww.casino.example\ncasino.example\n192.0.2.1\nco.uk\nhelp.example\n";
    let files = [
        ("casinos.txt", casinos),
        ("shops.txt", "shop.example\ncasino.example\n"),
        ("ours.txt", "shop.example\n"),
    ];
    let report = lint(folder.path(), &files);
    let list = &report["lists"][0];
    assert_eq!(list["by_reason"], serde_json::json!({ "ip-address": 1, "public-suffix": 1 }));
    assert_eq!((list["duplicates"].as_u64(), list["redundant"].as_u64()), (Some(1), Some(1)));
    let conflicts: Vec<(&str, u64)> = report["conflicts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["kind"].as_str().unwrap(), it["names"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        conflicts,
        [("allowed-and-blocked", 1), ("never-blocked", 1), ("several-categories", 1)]
    );
    let example = report["conflicts"][0]["examples"][0].as_str().unwrap();
    assert!(
        example.starts_with("shop.example: block of ") && example.contains("line 1"),
        "{example}"
    );
}

#[test]
fn what_is_no_list_is_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    let report = lint(folder.path(), &[("shops.txt", "<!doctype html>\n<html>\n")]);
    let error = report["lists"][0]["error"].as_str().unwrap();
    assert!(error.contains("shops.txt"), "{error}");
}
