//! Configuration text with all its mistakes at once: a [`Document`] is a TOML file taken apart
//! table by table, and what is wrong with it goes to [`Problems`] with file, line, column and
//! hint.

use std::fmt;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

use super::categories::Categories;
use crate::embedded::Place;

/// The version of all files of the configuration.
const SCHEMA: u32 = 1;

/// Everything found wrong in the configuration.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

/// One mistake.
#[derive(Debug)]
struct Problem {
    place: String,
    /// Line and column, from 1; `None` for the file as a whole.
    at: Option<(usize, usize)>,
    message: String,
    hint: Option<String>,
}

impl Problems {
    /// Adds what is wrong with a file as a whole.
    pub(super) fn add_file(&mut self, place: &Place, message: impl fmt::Display, hint: &str) {
        self.add(place, None, message, Some(hint.to_owned()));
    }

    /// Adds what is wrong on a line; line and column count from 1.
    pub(super) fn add_line(
        &mut self,
        place: &Place,
        (line, column): (usize, usize),
        message: impl fmt::Display,
        hint: impl Into<Option<String>>,
    ) {
        self.add(place, Some((line, column)), message, hint.into());
    }

    /// Fine when there are none.
    ///
    /// # Errors
    /// The problems themselves.
    pub(super) fn into_result(self) -> Result<(), Problems> {
        if self.0.is_empty() { Ok(()) } else { Err(self.sorted()) }
    }

    /// In the order of the files' lines.
    fn sorted(mut self) -> Problems {
        self.0.sort_by(|a, b| (&a.place, a.at).cmp(&(&b.place, b.at)));
        self
    }

    fn add(
        &mut self,
        place: &Place,
        at: Option<(usize, usize)>,
        message: impl fmt::Display,
        hint: Option<String>,
    ) {
        let (place, message) = (place.to_string(), message.to_string());
        self.0.push(Problem { place, at, message, hint });
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [problem] = self.0.as_slice() {
            return problem.fmt(f);
        }
        write!(f, "{} mistakes in the configuration", self.0.len())?;
        self.0.iter().try_for_each(|problem| write!(f, "\n{problem}"))
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        if let Some((line, column)) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n    hint: {hint}")?;
        }
        Ok(())
    }
}

/// A TOML file.
pub(super) struct Document<'a> {
    place: &'a Place,
    text: &'a str,
}

impl<'a> Document<'a> {
    /// The document with this text.
    pub(super) fn new(place: &'a Place, text: &'a str) -> Document<'a> {
        Document { place, text }
    }

    /// Reads the document as a `T`. Where a value does not fit, it is reported and left out,
    /// so that what stands behind it is looked at, too; a table that lacks a field is left out
    /// as a whole. `None` when nothing of use remains.
    pub(super) fn read<T: DeserializeOwned>(&self, problems: &mut Problems) -> Option<T> {
        let (mut root, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            self.report(problems, error, None);
        }
        if !errors.is_empty() {
            return None;
        }
        let mut removed: Vec<String> = Vec::new();
        // Ends because every turn but the last takes a value out of the document.
        loop {
            let error = match T::deserialize(Deserializer::from(root.clone())) {
                Ok(value) => return Some(value),
                Err(error) => error,
            };
            let missing = error.message().strip_prefix("missing field ");
            let field = missing.map(|field| field.trim_matches('`').to_owned());
            // A field that was taken out for its own mistake is not reported as missing.
            if !field.as_ref().is_some_and(|field| removed.contains(field)) {
                self.report(problems, &error, field);
            }
            let span = error.span()?;
            removed.push(remove(root.get_mut(), &span)?);
        }
    }

    /// Reports what is wrong with the value at `span`.
    pub(super) fn problem(
        &self,
        problems: &mut Problems,
        span: Range<usize>,
        message: impl fmt::Display,
        hint: impl Into<Option<String>>,
    ) {
        problems.add(self.place, Some(position(self.text, span.start)), message, hint.into());
    }

    /// Reports a schema this version does not know.
    pub(super) fn check_schema(&self, problems: &mut Problems, schema: &Spanned<u32>) {
        if *schema.get_ref() != SCHEMA {
            let hint = format!("this version reads schema {SCHEMA}");
            self.problem(problems, schema.span(), "unknown schema", hint);
        }
    }

    /// Reports a category that is not there.
    pub(super) fn unknown_category(
        &self,
        problems: &mut Problems,
        id: &Spanned<String>,
        categories: &Categories,
    ) {
        let message = format!("unknown category `{}`", id.get_ref());
        self.problem(problems, id.span(), message, categories.hint());
    }

    /// What a word stands for; one that stands for nothing is reported.
    pub(super) fn choice<T: Copy>(
        &self,
        problems: &mut Problems,
        word: Option<Spanned<String>>,
        known: &[(&str, T)],
    ) -> Option<T> {
        let word = word?;
        let found = known.iter().find(|(known, _)| known == word.get_ref());
        if found.is_none() {
            let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
            let message = format!("unknown word `{}`", word.get_ref());
            let hint = format!("use one of {}", words.join(", "));
            self.problem(problems, word.span(), message, hint);
        }
        found.map(|(_, value)| *value)
    }

    /// Line and column of a span, from 1.
    pub(super) fn position(&self, span: &Range<usize>) -> (usize, usize) {
        position(self.text, span.start)
    }

    fn report(&self, problems: &mut Problems, error: &toml::de::Error, missing: Option<String>) {
        let hint = missing.map(|field| format!("add a line `{field} = …` to this table"));
        let at = error.span().map(|span| position(self.text, span.start));
        problems.add(self.place, at, error.message(), hint);
    }
}

/// Line and column, from 1, of an offset.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Takes the innermost value at `span` out and gives its key.
fn remove<'a>(table: &mut DeTable<'a>, span: &Range<usize>) -> Option<String> {
    let at = |range: Range<usize>| range.start <= span.start && span.start < range.end;
    for (_, value) in table.iter_mut() {
        match value.get_mut() {
            DeValue::Table(inner) => {
                if let Some(key) = remove(inner, span) {
                    return Some(key);
                }
            }
            DeValue::Array(items) => {
                for item in items.iter_mut() {
                    if let DeValue::Table(inner) = item.get_mut()
                        && let Some(key) = remove(inner, span)
                    {
                        return Some(key);
                    }
                }
                let is_faulty =
                    |item: &Spanned<DeValue<'a>>| item.get_ref().is_table() && at(item.span());
                if items.iter().any(is_faulty) {
                    let rest = std::mem::replace(items, DeArray::new()).into_iter();
                    *items = rest.filter(|item| !is_faulty(item)).collect();
                    return Some(String::new());
                }
            }
            _ => {}
        }
    }
    let mut keys = table.iter().filter(|(key, value)| at(key.span()) || at(value.span()));
    let key = keys.next()?.0.clone();
    table.remove(&key);
    Some(key.into_inner().into_owned())
}
