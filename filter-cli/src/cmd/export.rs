//! `gardefou export`: writes what the rules of an image mean in the words of other tools.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use filter_core::compile::Compiler;
use filter_core::{CategorySet, Filter, Key};
use serde_json::json;

use crate::dialects::{self, Dialect, Unsaid};
use crate::image::ImageFile;
use crate::output::{ExitStatus, Output};
use crate::replace::Replacement;

/// Write the rules of an image as a list for another tool
///
/// What the tool's format cannot say is left out or made narrower, never wider, and counted on
/// standard error. Keywords are not written: no format has them. Names that are never blocked
/// are written as exceptions where the format has any.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gardefou export --format rpz -o /etc/bind/gardefou.rpz
  gardefou export --format adblock --categories adult,gambling > block.txt")]
pub struct Args {
    /// The image to read
    #[arg(long, value_name = "IMAGE", default_value = crate::image::DEFAULT_PATH)]
    image: PathBuf,
    /// What to write
    #[arg(long, value_name = "FORMAT")]
    format: Dialect,
    /// The categories to write; all of them when left out, the mandated ones in any case
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    categories: Vec<String>,
    /// Leave out the names that are never blocked
    #[arg(long)]
    rules_only: bool,
    /// The file to write; standard output when left out
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Args {
    /// Runs the command.
    ///
    /// # Errors
    /// When the image cannot be asked or the list cannot be written; a file that was there
    /// before is then untouched.
    pub fn run(&self, output: &Output) -> anyhow::Result<ExitStatus> {
        let image = ImageFile::open(&self.image)?;
        let enabled = image.enabled(&self.categories)?;
        let unsaid = match &self.output {
            Some(path) => self
                .replace(path, &image, enabled)
                .with_context(|| format!("cannot write `{}`", path.display()))?,
            None => {
                let mut text = BufWriter::with_capacity(256 << 10, io::stdout().lock());
                let unsaid = self.write(&image, enabled, &mut text)?;
                text.flush()?;
                unsaid
            }
        };
        self.report(&image, &unsaid, output)
    }

    fn replace(
        &self,
        path: &Path,
        image: &ImageFile,
        enabled: CategorySet,
    ) -> anyhow::Result<Unsaid> {
        let mut text = Replacement::new(path)?;
        let unsaid = self.write(image, enabled, &mut text)?;
        text.commit()?;
        Ok(unsaid)
    }

    fn write(
        &self,
        image: &ImageFile,
        enabled: CategorySet,
        text: &mut dyn Write,
    ) -> anyhow::Result<Unsaid> {
        let unsaid = if self.rules_only {
            let rules = without_never_block(image.filter())?;
            dialects::write(&rules, enabled, self.format, text)
        } else {
            dialects::write(image.filter(), enabled, self.format, text)
        };
        Ok(unsaid?)
    }

    /// Says on standard error what the list does not say.
    fn report(
        &self,
        image: &ImageFile,
        unsaid: &Unsaid,
        output: &Output,
    ) -> anyhow::Result<ExitStatus> {
        let words = image.filter().keywords().map_or(0, |keywords| keywords.len());
        if output.json {
            let losses: Vec<_> = unsaid
                .iter()
                .map(|(loss, count, examples)| {
                    json!({ "loss": loss.as_str(), "names": count, "examples": examples })
                })
                .collect();
            let report = json!({
                "version": 1,
                "command": "export",
                "format": self.format,
                "keywords_left_out": words,
                "losses": losses,
            });
            // Standard output may be taken by the list itself.
            match self.output {
                Some(_) => writeln!(io::stdout(), "{report}")?,
                None => writeln!(io::stderr(), "{report}")?,
            }
            return Ok(ExitStatus::Success);
        }
        for (loss, count, examples) in unsaid.iter() {
            let examples = examples.join(", ");
            output.notice(format_args!("warning: {count} {}: {examples}", loss.sentence()));
        }
        if words > 0 {
            output.notice(format_args!("warning: {words} keywords are left out"));
        }
        Ok(ExitStatus::Success)
    }
}

/// The same rules in an image without never-block names.
fn without_never_block<D: AsRef<[u8]>>(filter: &Filter<D>) -> anyhow::Result<Filter<Vec<u8>>> {
    let mut compiler = Compiler::new(filter.header().serial);
    for (bit, name) in filter.categories() {
        compiler.category(bit, name)?;
    }
    for list in filter.lists() {
        compiler.list(list)?;
    }
    for rule in filter.rules() {
        let facets: Vec<_> = rule.facets().collect();
        compiler.entry(Key::new(&rule.name).symbols(), &facets)?;
    }
    Ok(Filter::from_bytes(compiler.finish()?.octets)?)
}
