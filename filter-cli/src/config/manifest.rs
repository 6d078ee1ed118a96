//! The manifest itself: from TOML to a [`Config`], mistakes to [`Problems`].

use std::str::FromStr;

use filter_core::{Action, CategorySet, Scope};
use serde::Deserialize;
use toml::Spanned;

use super::categories::is_id;
use super::document::Document;
use super::{
    Categories, Config, Keywords, Limits, ListSource, NeverBlock, Problems, policy, read_text,
    sites,
};
use crate::embedded::Place;
use crate::lists::{Format, Options};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    schema: Option<Spanned<u32>>,
    title: Option<String>,
    build: Option<BuildTable>,
    categories: Option<FileTable>,
    #[serde(default)]
    list: Vec<ListTable>,
    keywords: Option<KeywordsTable>,
    never_block: Option<FileTable>,
    policy: Option<FileTable>,
    safe_search: Option<FileTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTable {
    path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BuildTable {
    rejected_max_percent: Option<Spanned<f64>>,
    max_shrink_percent: Option<Spanned<f64>>,
    max_growth_percent: Option<Spanned<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeywordsTable {
    files: Vec<String>,
    threshold: Option<Spanned<u16>>,
    benign: Option<String>,
    max_per_10000: Option<Spanned<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListTable {
    id: Spanned<String>,
    title: Option<Spanned<String>>,
    category: Spanned<String>,
    path: Spanned<String>,
    format: Option<Spanned<String>>,
    scope: Option<Spanned<String>>,
    action: Option<Spanned<String>>,
    licence: Option<Spanned<String>>,
    url: Option<Spanned<String>>,
    source_note: Option<Spanned<String>>,
    expires_days: Option<u16>,
    optional: Option<bool>,
    rejected_max_percent: Option<Spanned<f64>>,
}

/// Loads a manifest and everything it names.
pub(super) fn load(place: Place) -> Result<Config, Problems> {
    let mut problems = Problems::default();
    let Some(text) = read_text(&place, &mut problems) else { return Err(problems) };
    let document = Document::new(&place, &text);
    let mut reader = Reader { place: &place, document, problems };
    let Some(manifest) = reader.document.read::<Manifest>(&mut reader.problems) else {
        return Err(reader.problems);
    };
    match &manifest.schema {
        Some(schema) => reader.document.check_schema(&mut reader.problems, schema),
        None => {
            let hint = "begin the file with `schema = 1`";
            reader.problems.add_file(&place, "no schema", hint);
        }
    }
    let categories = reader.categories(manifest.categories);
    let keywords = reader.keywords(manifest.keywords, &categories);
    let never_block = reader.never_block(manifest.never_block);
    let policy = reader.file(manifest.policy, |place, text, problems| {
        policy::read(place, text, &categories, problems)
    });
    let sites = reader.file(manifest.safe_search, sites::read).unwrap_or_default();
    let limits = reader.limits(manifest.build);
    let mut lists: Vec<ListSource> = Vec::new();
    for table in manifest.list {
        if lists.iter().any(|list| list.id == *table.id.get_ref()) {
            reader.problem(&table.id, "the id is taken", "give every list its own id");
        }
        lists.extend(reader.list(table, &categories));
    }
    reader.problems.into_result()?;
    let title = manifest.title.unwrap_or_default();
    Ok(Config { title, limits, categories, lists, keywords, never_block, policy, sites, place })
}

struct Reader<'a> {
    place: &'a Place,
    document: Document<'a>,
    problems: Problems,
}

impl Reader<'_> {
    fn categories(&mut self, table: Option<FileTable>) -> Categories {
        match table {
            Some(table) => self.file(Some(table), Categories::read).unwrap_or_default(),
            None => super::built_in_categories(&mut self.problems),
        }
    }

    /// What the file a table names is read as, if there is such a table.
    fn file<T>(
        &mut self,
        table: Option<FileTable>,
        read: impl FnOnce(&Place, &str, &mut Problems) -> T,
    ) -> Option<T> {
        let place = self.place.beside(&table?.path);
        let text = read_text(&place, &mut self.problems)?;
        Some(read(&place, &text, &mut self.problems))
    }

    fn never_block(&mut self, table: Option<FileTable>) -> NeverBlock {
        let place = match table {
            Some(table) => self.place.beside(&table.path),
            None => Place::built_in_manifest().beside("never-block.txt"),
        };
        let text = read_text(&place, &mut self.problems);
        let read = |text: String| NeverBlock::read(&place, &text, &mut self.problems);
        text.map(read).unwrap_or_default()
    }

    fn keywords(&mut self, table: Option<KeywordsTable>, categories: &Categories) -> Keywords {
        let mut keywords = Keywords::default();
        let Some(table) = table else { return keywords };
        if let Some(threshold) = table.threshold {
            keywords.threshold = *threshold.get_ref();
            if keywords.threshold == 0 {
                self.problem(&threshold, "a threshold of 0 blocks every name", "100 is usual");
            }
        }
        if let Some(limit) = self.percentage(table.max_per_10000, 10_000.0) {
            keywords.max_per_10000 = limit;
        }
        keywords.benign = table.benign.map(|path| self.place.beside(&path));
        for path in table.files {
            let place = self.place.beside(&path);
            if let Some(text) = read_text(&place, &mut self.problems) {
                keywords.read(&place, &text, categories, &mut self.problems);
            }
        }
        keywords
    }

    fn limits(&mut self, table: Option<BuildTable>) -> Limits {
        let mut limits = Limits::default();
        let Some(table) = table else { return limits };
        for (value, most, limit) in [
            (table.rejected_max_percent, 100.0, &mut limits.rejected_max_percent),
            (table.max_shrink_percent, 100.0, &mut limits.max_shrink_percent),
            (table.max_growth_percent, f64::MAX, &mut limits.max_growth_percent),
        ] {
            if let Some(value) = self.percentage(value, most) {
                *limit = value;
            }
        }
        limits
    }

    fn list(&mut self, table: ListTable, categories: &Categories) -> Option<ListSource> {
        if !is_id(table.id.get_ref()) {
            self.problem(&table.id, "not an id", "use up to 64 of a-z, 0-9, `.`, `_` and `-`");
        }
        for text in [&table.title, &table.licence, &table.url, &table.source_note] {
            let too_long = text.as_ref().filter(|text| text.get_ref().len() > 255);
            if let Some(text) = too_long {
                self.problem(text, "longer than 255 bytes", "shorten it");
            }
        }
        let format = self.word::<Format>(table.format);
        let known = Scope::ALL.map(|scope| (scope.word(), scope));
        let scope = self.choice(table.scope, &known);
        let known = [Action::Block, Action::Allow].map(|action| (action.word(), action));
        let action = self.choice(table.action, &known);
        let rejected_max_percent = self.percentage(table.rejected_max_percent, 100.0);
        let category = categories.find(table.category.get_ref());
        match category {
            None => {
                self.document.unknown_category(&mut self.problems, &table.category, categories);
            }
            Some(category) if category.set() == CategorySet::SEALED => {
                let message = format!("`{}` is sealed", category.id);
                self.problem(&table.category, message, SEALED_HINT);
            }
            Some(_) => {}
        }
        let inner = |text: Option<Spanned<String>>| text.map(Spanned::into_inner);
        let url = inner(table.url).or(inner(table.source_note)).unwrap_or_default();
        Some(ListSource {
            title: inner(table.title).unwrap_or_default(),
            license: inner(table.licence).unwrap_or_default(),
            url,
            category: category?.id.clone(),
            categories: category?.set(),
            place: self.place.beside(table.path.get_ref()),
            options: Options { format, scope, action, ..Options::default() },
            expires_days: table.expires_days.unwrap_or(0),
            optional: table.optional.unwrap_or(false),
            rejected_max_percent,
            id: table.id.into_inner(),
        })
    }

    fn percentage(&mut self, value: Option<Spanned<f64>>, most: f64) -> Option<f64> {
        let value = value?;
        if !(0.0..=most).contains(value.get_ref()) {
            self.problem(&value, "out of range", format!("use a number from 0 to {most}"));
        }
        Some(*value.get_ref())
    }

    fn word<T: FromStr<Err: std::fmt::Display>>(
        &mut self,
        word: Option<Spanned<String>>,
    ) -> Option<T> {
        let word = word?;
        match word.get_ref().parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let span = word.span();
                self.document.problem(&mut self.problems, span, error, None);
                None
            }
        }
    }

    fn choice<T: Copy>(&mut self, word: Option<Spanned<String>>, known: &[(&str, T)]) -> Option<T> {
        self.document.choice(&mut self.problems, word, known)
    }

    fn problem<T>(
        &mut self,
        value: &Spanned<T>,
        message: impl std::fmt::Display,
        hint: impl Into<String>,
    ) {
        let hint: String = hint.into();
        self.document.problem(&mut self.problems, value.span(), message, hint);
    }
}

/// What to do about a list of the sealed category.
pub(super) const SEALED_HINT: &str =
    "its names never enter an image in the clear; leave the list out";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn load_text(text: &str) -> Result<Config, Problems> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gardefou.toml");
        fs::write(&path, text).unwrap();
        load(Place::Disk(path))
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let text = r#"schema = 1
titel = "x"

[build]
rejected_max_percent = 120

[[list]]
id = "a b"
category = "casino"
path = "a.txt"
format = "hots"
colour = "red"

[[list]]
id = "c"
path = "c.txt"

[[list]]
id = "d"
category = "gambling"
path = 7
optional = "yes"

[[list]]
id = "e"
category = "illegal_csam"
path = "e.txt"
scope = "all"

[[list]]
id = "e"
category = "gambling"
path = "f.txt"
"#;
        let problems = load_text(text).unwrap_err().to_string();
        for expected in [
            "gardefou.toml:2:1: unknown field `titel`",
            "gardefou.toml:5:24: out of range",
            "gardefou.toml:8:6: not an id",
            "gardefou.toml:9:12: unknown category `casino`",
            "gardefou.toml:11:10: unknown list format `hots`",
            "gardefou.toml:12:1: unknown field `colour`",
            "gardefou.toml:14:1: missing field `category`",
            "gardefou.toml:21:8: invalid type: integer `7`",
            "gardefou.toml:22:12: invalid type: string \"yes\"",
            "gardefou.toml:26:12: `illegal_csam` is sealed",
            "gardefou.toml:28:9: unknown word `all`",
            "gardefou.toml:31:6: the id is taken",
        ] {
            assert!(problems.contains(expected), "{expected}\n{problems}");
        }
        assert!(problems.starts_with("12 mistakes"), "{problems}");
    }

    #[test]
    fn syntax_errors_have_their_place() {
        let problems = load_text("schema = 1\n[[list]\nid = 1\n").unwrap_err().to_string();
        assert!(problems.contains("gardefou.toml:2:8: unclosed"), "{problems}");
        let problems = load_text("").unwrap_err().to_string();
        assert!(problems.contains("no schema"), "{problems}");
    }

    #[test]
    fn what_is_left_out_comes_from_the_binary() {
        let text = "schema = 1\n[[list]]\nid = \"a\"\ncategory = \"gambling\"\npath = \"a.txt\"\n";
        let config = load_text(text).unwrap();
        assert!(config.never_block.iter().count() > 10);
        assert_eq!(config.lists[0].categories, CategorySet::of(20));
        assert_eq!(config.limits, Limits::default());
        assert!(config.keywords.is_empty());
        let built_in = load(Place::built_in_manifest()).unwrap();
        assert!(!built_in.keywords.is_empty());
        assert!(built_in.lists.iter().all(|list| list.optional || list.place.exists()));
    }
}
