//! An image on disk, opened for asking: the filter, and the words its numbers stand for.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use filter_core::{CategorySet, Filter, ListInfo, ListSet, SectionId};

use crate::output::{Hint, hinted};

/// The image that commands ask when none is named.
pub const DEFAULT_PATH: &str = "gardefou.gfi";

/// An opened image.
pub struct ImageFile {
    path: PathBuf,
    filter: Filter<Vec<u8>>,
    /// The id of each category, by bit.
    categories: Vec<String>,
    /// Whether the image names the category.
    named: CategorySet,
    /// The id of each list, by number.
    lists: Vec<String>,
}

impl ImageFile {
    /// Reads and verifies the image at `path`.
    ///
    /// # Errors
    /// When the file cannot be read or is no sound image; the error has a hint.
    pub fn open(path: &Path) -> anyhow::Result<ImageFile> {
        let octets = fs::read(path)
            .hint(|| match path == Path::new(DEFAULT_PATH) {
                true => "build one with `gardefou build`, or name one with `--image`".to_owned(),
                false => format!("build it with `gardefou build -o {}`", path.display()),
            })
            .with_context(|| format!("image `{}`", path.display()))?;
        ImageFile::from_octets(path, octets)
    }

    /// Verifies an image that was read from `path`.
    ///
    /// # Errors
    /// When it is no sound image.
    pub fn from_octets(path: &Path, octets: Vec<u8>) -> anyhow::Result<ImageFile> {
        let filter = Filter::from_bytes(octets)
            .hint(|| "build it again, or fetch it again from where it was published")
            .with_context(|| format!("image `{}`", path.display()))?;
        let mut categories: Vec<String> = (0..32).map(|bit| format!("category-{bit}")).collect();
        let mut named = CategorySet::EMPTY;
        for (bit, name) in filter.categories() {
            if let Some(slot) = categories.get_mut(usize::from(bit)) {
                name.clone_into(slot);
                named = named.union(CategorySet::of(bit));
            }
        }
        let lists = filter.lists().map(|list| list.id.to_owned()).collect();
        Ok(ImageFile { path: path.to_owned(), filter, categories, named, lists })
    }

    /// Where the image was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The filter.
    pub fn filter(&self) -> &Filter<Vec<u8>> {
        &self.filter
    }

    /// The octets of the policy section, if the image has one.
    pub fn policy_section(&self) -> Option<&[u8]> {
        let code = SectionId::Policy as u16;
        let section = self.filter.sections().find(|section| section.code == code)?;
        let start = section.offset as usize;
        self.filter.as_bytes().get(start..start.checked_add(section.len_octets as usize)?)
    }

    /// The categories with these ids; all when there are none.
    ///
    /// # Errors
    /// When the image has no category of that id.
    pub fn enabled(&self, ids: &[String]) -> anyhow::Result<CategorySet> {
        if ids.is_empty() {
            return Ok(CategorySet::ALL);
        }
        let mut enabled = CategorySet::EMPTY;
        for id in ids {
            let known = self.named.iter().find(|&bit| self.category(bit) == id);
            let bit = known.ok_or_else(|| {
                let known: Vec<&str> = self.named.iter().map(|bit| self.category(bit)).collect();
                hinted(
                    format!("`{id}` is no category of image `{}`", self.path.display()),
                    format!("its categories are {}", known.join(", ")),
                )
            })?;
            enabled = enabled.union(CategorySet::of(bit));
        }
        Ok(enabled)
    }

    /// The id of a category.
    pub fn category(&self, bit: u8) -> &str {
        self.categories.get(usize::from(bit)).map_or("", String::as_str)
    }

    /// The ids of categories.
    pub fn category_ids(&self, categories: CategorySet) -> Vec<&str> {
        categories.iter().map(|bit| self.category(bit)).collect()
    }

    /// The ids of lists.
    pub fn list_ids(&self, lists: ListSet) -> Vec<&str> {
        lists.iter().map(|list| self.list(list)).collect()
    }

    /// What the image says about the list with this id.
    pub fn list_info(&self, id: &str) -> Option<ListInfo<'_>> {
        self.filter.lists().find(|list| list.id == id)
    }

    /// Writes the ids of categories with commas between them, `-` when there are none.
    ///
    /// # Errors
    /// When `text` cannot be written.
    pub fn write_categories(
        &self,
        categories: CategorySet,
        text: &mut impl Write,
    ) -> io::Result<()> {
        write_joined(categories.iter().map(|bit| self.category(bit)), text)
    }

    /// Writes the ids of lists with commas between them, `-` when there are none.
    ///
    /// # Errors
    /// When `text` cannot be written.
    pub fn write_lists(&self, lists: ListSet, text: &mut impl Write) -> io::Result<()> {
        write_joined(lists.iter().map(|list| self.list(list)), text)
    }

    fn list(&self, number: u8) -> &str {
        self.lists.get(usize::from(number)).map_or("", String::as_str)
    }
}

fn write_joined<'a>(words: impl Iterator<Item = &'a str>, text: &mut impl Write) -> io::Result<()> {
    let mut separator: &[u8] = b"";
    for word in words {
        text.write_all(separator)?;
        text.write_all(word.as_bytes())?;
        separator = b",";
    }
    if separator.is_empty() { text.write_all(b"-") } else { Ok(()) }
}
