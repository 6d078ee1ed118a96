//! The categories: `categories.toml` gives each bit its id.

use filter_core::CategorySet;
use serde::Deserialize;
use toml::Spanned;

use super::document::{Document, Problems};
use crate::embedded::Place;

/// The categories by bit.
#[derive(Clone, Debug, Default)]
pub struct Categories(Vec<Category>);

/// A category.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// Its bit: 0 to 31.
    pub bit: u8,
    /// The word used in manifests, on the command line and in output.
    pub id: String,
    /// What profiles do about it, where they say no more: a word of theirs.
    default: String,
}

/// The file holds more for people and other tools, so unknown fields are fine here.
#[derive(Deserialize)]
struct File {
    schema: Spanned<u32>,
    #[serde(default)]
    category: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    bit: Spanned<u8>,
    id: Spanned<String>,
    #[serde(default)]
    default: String,
}

impl Categories {
    pub(super) fn read(place: &Place, text: &str, problems: &mut Problems) -> Categories {
        let document = Document::new(place, text);
        let mut categories = Categories::default();
        let Some(file) = document.read::<File>(problems) else { return categories };
        document.check_schema(problems, &file.schema);
        for row in file.category {
            let (bit, id) = (*row.bit.get_ref(), row.id.get_ref());
            if bit > 31 {
                let hint = "an image has room for 32 categories".to_owned();
                document.problem(problems, row.bit.span(), "a bit over 31", hint);
            } else if categories.0.iter().any(|known| known.bit == bit) {
                let message = format!("bit {bit} is given twice");
                document.problem(problems, row.bit.span(), message, None);
            } else if categories.find(id).is_some() {
                let message = format!("category `{id}` is given twice");
                document.problem(problems, row.id.span(), message, None);
            } else if !is_id(id) {
                let hint = "use up to 64 of a-z, 0-9, `_` and `-`".to_owned();
                document.problem(problems, row.id.span(), "not an id", hint);
            } else {
                categories.0.push(Category { bit, id: id.clone(), default: row.default });
            }
        }
        categories.0.sort_by_key(|category| category.bit);
        categories
    }

    /// The category with this id.
    pub fn find(&self, id: &str) -> Option<&Category> {
        self.0.iter().find(|category| category.id == id)
    }

    /// Those with this default; `None` when no category has it.
    pub fn with_default(&self, default: &str) -> Option<CategorySet> {
        let found = self.0.iter().filter(|category| category.default == default);
        found.map(Category::set).reduce(CategorySet::union)
    }

    /// All of them, in the order of their bits.
    pub fn iter(&self) -> impl Iterator<Item = &Category> {
        self.0.iter()
    }

    /// What to tell someone who named an unknown category.
    pub fn hint(&self) -> String {
        let sealed = |category: &&Category| CategorySet::SEALED == category.set();
        let ids = self.0.iter().filter(|category| !sealed(category));
        let ids: Vec<&str> = ids.map(|category| category.id.as_str()).collect();
        format!("the categories are {}", ids.join(", "))
    }
}

impl Category {
    /// The set of this category alone.
    pub fn set(&self) -> CategorySet {
        CategorySet::of(self.bit)
    }
}

/// Whether a text can name a category or a list.
pub(super) fn is_id(text: &str) -> bool {
    let fits = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-' | b'.');
    (1..=64).contains(&text.len()) && text.as_bytes().iter().all(fits)
}
