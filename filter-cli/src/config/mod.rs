//! The configuration of a build: a manifest (`gardefou.toml`) and the files it names become a
//! [`Config`], or [`Problems`] that name every mistake with file, line, column and hint.
//!
//! What a manifest leaves out comes from the one in the binary: `[categories]` and
//! `[never_block]` always, so that the names of help lines stay reachable whatever is built.

mod categories;
mod document;
mod hours;
mod keywords;
mod manifest;
mod never_block;
mod on_the_line;
mod policy;
mod sites;

use std::path::{Path, PathBuf};

use filter_core::CategorySet;
use filter_core::policy::PolicyBuilder;

use crate::embedded::Place;
use crate::lists::Options;

pub use categories::{Categories, Category};
pub use document::Problems;
pub use keywords::{Expectation, Keywords};
pub use never_block::{NeverBlock, NeverBlocked, Overlaps};
pub use on_the_line::ListArgument;
pub use policy::BLOCK_ANSWERS;
pub use sites::Site;

/// What a build is made from.
#[derive(Clone, Debug)]
pub struct Config {
    /// The manifest.
    pub place: Place,
    /// The manifest's title.
    pub title: String,
    /// What stops a build.
    pub limits: Limits,
    /// The categories.
    pub categories: Categories,
    /// The lists, in the order of their numbers in the image.
    pub lists: Vec<ListSource>,
    /// The words.
    pub keywords: Keywords,
    /// The names never to block.
    pub never_block: NeverBlock,
    /// Who is kept from what.
    pub policy: Option<PolicyBuilder>,
    /// The names that are led to hosts that restrict themselves.
    pub sites: Vec<Site>,
}

/// What stops a build until someone has looked at it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// How much of a list's lines may be rejected, in percent. Lines that are understood, and
    /// rejected because they are not about names, do not count.
    pub rejected_max_percent: f64,
    /// How much smaller a list may be than in the last image, in percent of that.
    pub max_shrink_percent: f64,
    /// How much bigger.
    pub max_growth_percent: f64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { rejected_max_percent: 20.0, max_shrink_percent: 50.0, max_growth_percent: 200.0 }
    }
}

/// A list to read.
#[derive(Clone, Debug)]
pub struct ListSource {
    /// Short and stable: what verdicts and reports show.
    pub id: String,
    /// For people.
    pub title: String,
    /// SPDX identifier, or what the publisher says.
    pub license: String,
    /// Where it can be fetched, or where it comes from.
    pub url: String,
    /// The id of its category.
    pub category: String,
    /// Its category.
    pub categories: CategorySet,
    /// The file.
    pub place: Place,
    /// How it is read.
    pub options: Options,
    /// Days after which it should not be trusted any more; 0 for never.
    pub expires_days: u16,
    /// Whether a build goes on without it when the file is absent.
    pub optional: bool,
    /// The list's own limit; see [`Limits`].
    pub rejected_max_percent: Option<f64>,
}

impl Config {
    /// Loads the manifest at `path`.
    ///
    /// # Errors
    /// [`Problems`], all that were found.
    pub fn load(path: &Path) -> Result<Config, Problems> {
        manifest::load(Place::Disk(path.to_owned()))
    }

    /// Loads the manifest that holds here: `blocklists/gardefou.toml` in the current directory
    /// or a parent of it, else the one in the binary.
    ///
    /// # Errors
    /// [`Problems`], all that were found.
    pub fn load_default() -> Result<Config, Problems> {
        manifest::load(default_manifest())
    }

    /// Loads the manifest in the binary.
    ///
    /// # Errors
    /// [`Problems`], all that were found.
    pub fn built_in() -> Result<Config, Problems> {
        manifest::load(Place::built_in_manifest())
    }

    /// Adds the lists of the command line.
    ///
    /// # Errors
    /// When a category is unknown or an id is taken.
    pub fn add_lists(&mut self, arguments: &[ListArgument]) -> anyhow::Result<()> {
        on_the_line::add(self, arguments)
    }
}

/// Reads a policy apart from a manifest, with the categories of the binary.
///
/// # Errors
/// [`Problems`], all that were found.
pub fn load_policy(path: &Path) -> Result<PolicyBuilder, Problems> {
    let mut problems = Problems::default();
    let categories = built_in_categories(&mut problems);
    let place = Place::Disk(path.to_owned());
    let text = read_text(&place, &mut problems);
    let read = |text: String| policy::read(&place, &text, &categories, &mut problems);
    let policy = text.map(read).unwrap_or_default();
    problems.into_result()?;
    Ok(policy)
}

/// The categories in the binary.
fn built_in_categories(problems: &mut Problems) -> Categories {
    let place = Place::built_in_manifest().beside("categories.toml");
    let text = read_text(&place, problems);
    text.map(|text| Categories::read(&place, &text, problems)).unwrap_or_default()
}

fn default_manifest() -> Place {
    let here = std::env::current_dir().unwrap_or_default();
    let manifest = Path::new("blocklists").join("gardefou.toml");
    // Relative to here where it can be, so that messages stay short.
    let mut up = PathBuf::new();
    for _ in here.ancestors() {
        let path = up.join(&manifest);
        if path.is_file() {
            return Place::Disk(path);
        }
        up.push("..");
    }
    Place::built_in_manifest()
}

/// Reads a file of the configuration as text; what fails is reported.
fn read_text(place: &Place, problems: &mut Problems) -> Option<String> {
    let hint = "check the path and the permissions of the file";
    let octets = match place.read() {
        Ok(octets) => octets,
        Err(error) => {
            problems.add_file(place, format_args!("cannot read it: {error}"), hint);
            return None;
        }
    };
    match String::from_utf8(octets.into_owned()) {
        Ok(text) => Some(text),
        Err(error) => {
            let offset = error.utf8_error().valid_up_to();
            let message = format!("not UTF-8 at byte {offset}");
            problems.add_file(place, message, "save the file as UTF-8");
            None
        }
    }
}
