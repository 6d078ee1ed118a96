//! Configurations: each of the four files is read, or refused with a message that names a file.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use filter_cli::config::Config;

/// Puts text in the place of one of the files of a sound configuration, chosen by the first
/// octet, and loads it.
pub fn config(octets: &[u8]) {
    let Some((&choice, text)) = octets.split_first() else { return };
    let (replaced, sound) = FILES[usize::from(choice) % FILES.len()];
    let path = FOLDER.join(replaced);
    fs::write(&path, text).unwrap();
    let loaded = Config::load(&FOLDER.join(FILES[0].0));
    fs::write(&path, sound).unwrap();

    match loaded {
        Ok(config) => {
            let ids: BTreeSet<&str> = config.lists.iter().map(|list| list.id.as_str()).collect();
            assert_eq!(ids.len(), config.lists.len(), "each list has an id of its own");
            for list in &config.lists {
                let category = config.categories.find(&list.category);
                assert!(category.is_some_and(|category| category.set() == list.categories));
            }
            let _ = config.keywords.compile();
        }
        // Often the file replaced, but a category that is gone is missed where it is used.
        Err(problems) => {
            let text = problems.to_string();
            assert!(FILES.iter().any(|(file, _)| text.contains(file)), "{text}");
        }
    }
}

/// Each file with what it says when it is not the one replaced.
const FILES: [(&str, &str); 4] = [
    ("manifest.toml", MANIFEST),
    ("categories.toml", CATEGORIES),
    ("words.toml", WORDS),
    ("never-block.txt", "help.example\tsubtree\thelp\thttps://help.example/\n"),
];

const MANIFEST: &str = r#"schema = 1
title = "Fuzz"
[categories]
path = "categories.toml"
[keywords]
files = ["words.toml"]
threshold = 100
[never_block]
path = "never-block.txt"
[[list]]
id = "gambling"
category = "gambling"
path = "gambling.txt"
licence = "CC0-1.0"
optional = true
"#;

const CATEGORIES: &str = r#"schema = 1
[[category]]
bit = 20
id = "gambling"
title_en = "Gambling"
risk = "consumer"
default = "block_child"
description = "Games of chance."
"#;

const WORDS: &str = r#"schema = 1
language = "en"
[[word]]
text = "casino"
category = "gambling"
weight = 100
boundary = "anywhere"
[[exception]]
text = "occasino"
weight = 100
"#;

/// A folder of this process that holds the four files.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("gardefou-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for (file, sound) in FILES {
        fs::write(folder.join(file), sound).unwrap();
    }
    folder
});
