//! The words: keyword files become the keyword section of the image, and bring the rows that
//! must come out as stated.

use filter_core::keyword::{self, Boundary};
use filter_core::{CategorySet, Name};
use serde::Deserialize;
use toml::Spanned;

use super::categories::Categories;
use super::document::{Document, Problems};
use crate::embedded::Place;

/// The words of all keyword files, in the order of the manifest.
#[derive(Clone, Debug)]
pub struct Keywords {
    /// The score from which on a name is blocked.
    pub threshold: u16,
    words: Vec<Word>,
    exceptions: Vec<(String, u16)>,
    /// What must come out as stated.
    pub expectations: Vec<Expectation>,
    /// Names that mean no harm, to try the words on.
    pub benign: Option<Place>,
    /// How many of 10,000 benign names the words may block.
    pub max_per_10000: f64,
}

#[derive(Clone, Debug)]
struct Word {
    text: String,
    categories: CategorySet,
    weight: u16,
    boundary: Boundary,
    place: Place,
    line: usize,
}

/// A name and what the words alone must make of it.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// The name.
    pub name: Name,
    /// Whether it must be blocked.
    pub block: bool,
    /// The file that says so.
    pub place: Place,
    /// Its line.
    pub line: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: Spanned<u32>,
    #[serde(rename = "language")]
    _language: String,
    #[serde(rename = "title")]
    _title: Option<String>,
    #[serde(rename = "licence")]
    _license: Option<String>,
    #[serde(rename = "source")]
    _source: Option<String>,
    #[serde(default)]
    word: Vec<WordRow>,
    #[serde(default)]
    exception: Vec<ExceptionRow>,
    #[serde(default)]
    expect: Vec<ExpectRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WordRow {
    text: Spanned<String>,
    category: Spanned<String>,
    weight: Spanned<u16>,
    boundary: Spanned<String>,
    #[serde(rename = "note")]
    _note: Option<String>,
    #[serde(rename = "source")]
    _source: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExceptionRow {
    text: Spanned<String>,
    weight: Spanned<u16>,
    #[serde(rename = "note")]
    _note: Option<String>,
    #[serde(rename = "source")]
    _source: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectRow {
    name: Spanned<String>,
    verdict: Spanned<String>,
    /// What is tempting about the name; for people.
    #[serde(rename = "contains")]
    _contains: Option<String>,
    #[serde(rename = "origin")]
    _origin: Option<String>,
    #[serde(rename = "note")]
    _note: Option<String>,
}

/// No words, and the usual limits.
impl Default for Keywords {
    fn default() -> Keywords {
        Keywords {
            threshold: 100,
            words: Vec::new(),
            exceptions: Vec::new(),
            expectations: Vec::new(),
            benign: None,
            max_per_10000: 1.0,
        }
    }
}

impl Keywords {
    /// Adds the words of a file.
    pub(super) fn read(
        &mut self,
        place: &Place,
        text: &str,
        categories: &Categories,
        problems: &mut Problems,
    ) {
        let document = Document::new(place, text);
        let Some(file) = document.read::<File>(problems) else { return };
        document.check_schema(problems, &file.schema);
        for row in file.word {
            self.add_word(&document, place, row, categories, problems);
        }
        for row in file.exception {
            check_text(&document, &row.text, problems);
            check_weight(&document, &row.weight, problems);
            let (text, weight) = (row.text.into_inner(), row.weight.into_inner());
            // An exception of two languages is one exception, and the heavier one counts.
            match self.exceptions.iter_mut().find(|(known, _)| *known == text) {
                Some((_, known)) => *known = weight.max(*known),
                None => self.exceptions.push((text, weight)),
            }
        }
        for row in file.expect {
            self.add_expectation(&document, place, row, problems);
        }
    }

    /// The keyword section of an image.
    ///
    /// # Errors
    /// When there are too many words for one image.
    pub fn compile(&self) -> anyhow::Result<Vec<u8>> {
        let words = self.words.iter().map(|word| keyword::Word {
            text: &word.text,
            categories: word.categories,
            weight: word.weight,
            boundary: word.boundary,
        });
        let exceptions = self.exceptions.iter();
        let exceptions =
            exceptions.map(|(text, weight)| keyword::Exception { text, weight: *weight });
        let (words, exceptions): (Vec<_>, Vec<_>) = (words.collect(), exceptions.collect());
        keyword::compile(&words, &exceptions, self.threshold).map_err(|error| {
            let word = self.words.iter().find(|word| Some(&word.text) == error.text.as_ref());
            match word {
                Some(word) => anyhow::anyhow!("{}:{}: {error}", word.place, word.line),
                None => anyhow::anyhow!("keywords: {error}"),
            }
        })
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there is no word.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    fn add_word(
        &mut self,
        document: &Document<'_>,
        place: &Place,
        row: WordRow,
        categories: &Categories,
        problems: &mut Problems,
    ) {
        check_text(document, &row.text, problems);
        check_weight(document, &row.weight, problems);
        let category = categories.find(row.category.get_ref()).map(|category| category.set());
        let forbidden = CategorySet::MANDATED.union(CategorySet::SELF_HARM);
        match category {
            None => document.unknown_category(problems, &row.category, categories),
            Some(category) if category.intersects(forbidden) => {
                let message = format!("no words may speak for `{}`", row.category.get_ref());
                let hint = "there the words are those of the sites that help; use lists";
                document.problem(problems, row.category.span(), message, hint.to_owned());
            }
            Some(_) => {}
        }
        let boundary = row.boundary.get_ref();
        let boundary = Boundary::ALL.into_iter().find(|known| known.word() == boundary);
        if boundary.is_none() {
            let hint = "use token, prefix, suffix or anywhere".to_owned();
            document.problem(problems, row.boundary.span(), "unknown boundary", hint);
        }
        let (Some(categories), Some(boundary)) = (category, boundary) else { return };
        let text = row.text.get_ref();
        let same = |word: &&Word| {
            word.text == *text && word.boundary == boundary && word.categories == categories
        };
        if let Some(known) = self.words.iter().find(same) {
            let message = format!("`{text}` stands in {}:{} already", known.place, known.line);
            let hint = "keep one of the two".to_owned();
            document.problem(problems, row.text.span(), message, hint);
            return;
        }
        self.words.push(Word {
            text: text.clone(),
            categories,
            weight: *row.weight.get_ref(),
            boundary,
            place: place.clone(),
            line: document.position(&row.text.span()).0,
        });
    }

    fn add_expectation(
        &mut self,
        document: &Document<'_>,
        place: &Place,
        row: ExpectRow,
        problems: &mut Problems,
    ) {
        let block = match row.verdict.get_ref().as_str() {
            "block" => Some(true),
            "pass" => Some(false),
            _ => {
                let hint = "use pass or block".to_owned();
                document.problem(problems, row.verdict.span(), "unknown verdict", hint);
                None
            }
        };
        match (Name::from_text(row.name.get_ref()), block) {
            (Ok(name), Some(block)) => {
                let line = document.position(&row.name.span()).0;
                self.expectations.push(Expectation { name, block, place: place.clone(), line });
            }
            (Err(error), _) => document.problem(problems, row.name.span(), error, None),
            (_, None) => {}
        }
    }
}

fn check_text(document: &Document<'_>, text: &Spanned<String>, problems: &mut Problems) {
    let fits = |octet: &u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || *octet == b'-';
    let octets = text.get_ref().as_bytes();
    if !(1..=63).contains(&octets.len()) || !octets.iter().all(fits) {
        let hint = "1 to 63 of a-z, 0-9 and `-`: write a word as names do, without accents";
        document.problem(problems, text.span(), "not a word", hint.to_owned());
    }
}

fn check_weight(document: &Document<'_>, weight: &Spanned<u16>, problems: &mut Problems) {
    if *weight.get_ref() == 0 {
        document.problem(problems, weight.span(), "a weight of 0 says nothing", None);
    }
}
