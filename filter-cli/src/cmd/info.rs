//! `gardefou info`: what an image holds, without asking it anything.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;

use filter_core::{SectionId, VERSION};
use serde::Serialize;

use crate::image::ImageFile;
use crate::output::{ExitStatus, HEADING, Output};
use crate::report::{Table, grouped};

/// Show what an image holds: serial, sections, categories, lists
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The image to look into
    #[arg(value_name = "IMAGE", default_value = crate::image::DEFAULT_PATH)]
    image: PathBuf,
}

impl Args {
    /// Runs the command.
    ///
    /// # Errors
    /// When the image cannot be opened.
    pub fn run(&self, output: &Output) -> anyhow::Result<ExitStatus> {
        let image = ImageFile::open(&self.image)?;
        let info = Info::new(&image);
        let text = match output.json {
            true => serde_json::to_string_pretty(&info)? + "\n",
            false => info.render(output),
        };
        io::stdout().write_all(text.as_bytes())?;
        Ok(ExitStatus::Success)
    }
}

/// The object of `--json`.
#[derive(Serialize)]
struct Info<'a> {
    version: u32,
    command: &'static str,
    path: String,
    format_version: u16,
    serial: u64,
    bytes: usize,
    names: u32,
    rule_bytes: u32,
    bytes_per_name: f64,
    classes: usize,
    never_block: u32,
    keywords: usize,
    sections: Vec<Section>,
    categories: Vec<Category<'a>>,
    lists: Vec<List<'a>>,
}

#[derive(Serialize)]
struct Section {
    name: String,
    bytes: u32,
}

#[derive(Serialize)]
struct Category<'a> {
    bit: u8,
    id: &'a str,
    lists: usize,
    entries: u64,
}

#[derive(Serialize)]
struct List<'a> {
    id: &'a str,
    title: &'a str,
    license: &'a str,
    source: &'a str,
    categories: Vec<&'a str>,
    entries: u32,
    /// Absent: the list does not expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_days: Option<u16>,
}

impl<'a> Info<'a> {
    fn new(image: &'a ImageFile) -> Info<'a> {
        let filter = image.filter();
        let is_rules = |code| {
            matches!(SectionId::from_code(code), Some(SectionId::Classes | SectionId::Rules))
        };
        let rule_bytes =
            filter.sections().filter(|it| is_rules(it.code)).map(|it| it.len_octets).sum();
        let section = |section: filter_core::SectionInfo| Section {
            name: SectionId::from_code(section.code)
                .map_or_else(|| format!("section {}", section.code), |id| id.word().to_owned()),
            bytes: section.len_octets,
        };
        let category = |(bit, id)| {
            let lists = || filter.lists().filter(|it| it.categories.iter().any(|it| it == bit));
            let entries = lists().map(|list| u64::from(list.entry_count)).sum();
            Category { bit, id, lists: lists().count(), entries }
        };
        let list = |list: filter_core::ListInfo<'a>| List {
            id: list.id,
            title: list.title,
            license: list.license,
            source: list.source,
            categories: image.category_ids(list.categories),
            entries: list.entry_count,
            expires_days: (list.expires_days > 0).then_some(list.expires_days),
        };
        Info {
            version: 1,
            command: "info",
            path: image.path().display().to_string(),
            format_version: VERSION,
            serial: filter.header().serial,
            bytes: filter.as_bytes().len(),
            names: filter.rule_count(),
            rule_bytes,
            bytes_per_name: f64::from(rule_bytes) / f64::from(filter.rule_count().max(1)),
            classes: filter.class_count(),
            never_block: filter.never_block_count(),
            keywords: filter.keywords().map_or(0, |keywords| keywords.len()),
            sections: filter.sections().map(section).collect(),
            categories: filter.categories().map(category).collect(),
            lists: filter.lists().map(list).collect(),
        }
    }

    fn render(&self, output: &Output) -> String {
        let mut text = String::new();
        let rules = format!(
            "{} for {} names, {:.2} a name, {} classes",
            grouped(self.rule_bytes.into()),
            grouped(self.names.into()),
            self.bytes_per_name,
            grouped(self.classes as u64),
        );
        for (title, value) in [
            ("image", self.path.clone()),
            ("format", self.format_version.to_string()),
            ("serial", self.serial.to_string()),
            ("bytes", grouped(self.bytes as u64)),
            ("rule bytes", rules),
            ("never-block", format!("{} names", grouped(self.never_block.into()))),
            ("keywords", grouped(self.keywords as u64)),
        ] {
            let title = output.paint(HEADING, format_args!("{title:<12}"));
            // Writing to a string does not fail.
            let _ = writeln!(text, "{title} {value}");
        }

        let mut sections = Table::new(&["section", "bytes", "share"]);
        (sections.numbers_from, sections.numbers_to) = (1, 3);
        for section in &self.sections {
            let share = f64::from(section.bytes) * 100.0 / self.bytes.max(1) as f64;
            sections.rows.push(vec![
                section.name.clone(),
                grouped(section.bytes.into()),
                format!("{share:.1} %"),
            ]);
        }
        let mut categories = Table::new(&["category", "bit", "lists", "entries"]);
        (categories.numbers_from, categories.numbers_to) = (1, 4);
        for category in &self.categories {
            categories.rows.push(vec![
                category.id.to_owned(),
                category.bit.to_string(),
                category.lists.to_string(),
                grouped(category.entries),
            ]);
        }
        let mut lists =
            Table::new(&["list", "entries", "expires", "category", "license", "title", "source"]);
        (lists.numbers_from, lists.numbers_to) = (1, 3);
        for list in &self.lists {
            let expires = list.expires_days.map_or("never".to_owned(), |days| format!("{days} d"));
            lists.rows.push(vec![
                list.id.to_owned(),
                grouped(list.entries.into()),
                expires,
                list.categories.join(","),
                list.license.to_owned(),
                list.title.to_owned(),
                list.source.to_owned(),
            ]);
        }
        for table in [sections, categories, lists] {
            text.push('\n');
            text += &table.render(output);
        }
        text
    }
}
