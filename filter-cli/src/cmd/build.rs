//! `gardefou build`: lists in, image out. The old image stays untouched until everything has
//! been read, merged, compiled and tried.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;
use filter_core::compile::{BlockShape, Compiler, Image};
use filter_core::{Filter, SectionId};

use crate::assemble::{compile, leave_out_absent, read_lists};
use crate::audit::{Audit, audit};
use crate::cache::{Cache, ReadList};
use crate::config::{Config, Keywords, ListArgument, ListSource};
use crate::embedded::Place;
use crate::image::DEFAULT_PATH;
use crate::limits::{check_rejections, check_sizes, previous_sizes};
use crate::output::{ExitStatus, Hint, Output};
use crate::replace::Replacement;
use crate::report::{FileReport, ImageReport, ListReport, Report, SectionReport};
use crate::why;

/// Build an image from lists
///
/// Without --config and --list, the lists of blocklists/gardefou.toml in the current directory
/// or a parent of it are built; where there is none, those that come with this program.
///
/// Lists that did not change since the last build are taken from a cache. Every line of every
/// list is accounted for in the report. The image at the output path is replaced only when all
/// went well. The same inputs give the same image, byte for byte: there is no date in it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 built, 2 error (the old image is untouched).", after_long_help = LONG_HELP)]
pub struct Args {
    /// The manifest that names lists, words and limits
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A list to read: CATEGORY=PATH, and options behind it
    ///
    /// PATH is a plain, gzip or zstd file or a squidGuard directory. Options follow behind
    /// commas: format=F (domains, hosts, adblock, wildcard, dnsmasq, unbound, rpz, squidguard;
    /// found out from the content when left out), scope=exact|subtree|below and
    /// action=block|allow (instead of what the lines say), id=ID, rejected_max_percent=N.
    /// Together with --config, the lists are added to those of the manifest. Alone, they are the
    /// only lists, and no words are looked for; categories and the names never to block still
    /// come from the manifest a build without options would use.
    #[arg(long = "list", value_name = "CATEGORY=PATH[,OPTION=VALUE]...")]
    lists: Vec<ListArgument>,
    /// The image to write
    #[arg(short, long, value_name = "IMAGE", default_value = DEFAULT_PATH)]
    output: PathBuf,
    /// The serial of the image
    ///
    /// Devices take an image only when its serial is higher than that of the one they have, so
    /// count up with every image you publish. The default never changes, so that builds can be
    /// compared.
    #[arg(long, value_name = "N", default_value_t = 1)]
    serial: u64,
    /// Where lists that were read are kept
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Write no why-index (IMAGE.why), and remove an old one
    ///
    /// The index tells `explain` which line of which list a rule comes from. It stays on the
    /// host; devices do without.
    #[arg(long)]
    no_why: bool,
    /// How names are packed
    #[arg(long, value_enum, default_value_t = Shape::Device)]
    shape: Shape,
    /// Spare names that are not listed the search: faster, for about 1.13 octets more a name
    #[arg(long)]
    prefilter: bool,
    /// Build although a list shrank or grew suspiciously since the image there
    #[arg(long)]
    force: bool,
}

/// What size may cost in time; see [`BlockShape`].
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shape {
    /// For hosts: the fastest, and the largest
    Server,
    /// For gateways: a balance
    Device,
    /// For small flash and slow links: the smallest, and the slowest
    Dense,
}

impl From<Shape> for BlockShape {
    fn from(shape: Shape) -> BlockShape {
        match shape {
            Shape::Server => BlockShape::SERVER,
            Shape::Device => BlockShape::DEVICE,
            Shape::Dense => BlockShape::DENSE,
        }
    }
}

const LONG_HELP: &str = "\
Exit codes:
  0  built
  2  error; the old image is untouched

Examples:
  gardefou build
  gardefou build --config school.toml -o school.gfi --serial 42
  gardefou build --list adult=adult/domains --list local_policy=allow.txt,action=allow
  gardefou build --list gambling=hosts.txt.gz,format=hosts,scope=subtree --json";

impl Args {
    /// Runs the command.
    ///
    /// # Errors
    /// When the configuration or a list is at fault, or writing fails.
    pub fn run(&self, output: &Output) -> anyhow::Result<ExitStatus> {
        let mut config = self.load()?;
        let previous = previous_sizes(&self.output, output)?;
        // Nobody should wait for lists to be read only to hear that there is no such folder.
        let cannot_write = || format!("cannot write {}", self.output.display());
        Replacement::new(&self.output)
            .with_context(cannot_write)
            .hint(|| "make the folder, or name another file with --output")?;
        let absent = leave_out_absent(&mut config.lists)?;
        notice_expired(&config.lists, output);
        let cache = Cache::open(self.cache.as_deref())?;
        let lists = read_lists(&cache, &config.lists, output)?;
        check_rejections(&lists, &config.limits)?;
        if !self.force {
            check_sizes(&lists, &previous, &config.limits)?;
        }

        let mut compiler = Compiler::new(self.serial).with_shape(self.shape.into());
        if self.prefilter {
            compiler = compiler.with_prefilter(&[]);
        }
        let (image, counters) = compile(compiler, &config, &lists, output)?;
        let filter = Filter::from_bytes(image.octets.as_slice())
            .context("the image that was built cannot be opened; please report this")?;
        let audit = audit(&filter, &config.keywords)?;

        let why = self.write(&image, &lists).with_context(cannot_write)?;
        cache.prune();
        let lists = lists.iter().zip(&counters);
        let lists = lists.map(|(list, counters)| ListReport::new(list, counters)).collect();
        let image = self.image_report(&image, &filter, audit, why);
        let report = Report::new(config.place.to_string(), lists, absent, image);
        io::stdout().write_all(report.render(output)?.as_bytes())?;
        Ok(ExitStatus::Success)
    }

    fn load(&self) -> anyhow::Result<Config> {
        let mut config = match &self.config {
            Some(path) => Config::load(path)?,
            None => Config::load_default()?,
        };
        if self.config.is_none() && !self.lists.is_empty() {
            config.lists.clear();
            config.keywords = Keywords::default();
            (config.policy, config.sites) = (None, Vec::new());
        }
        config.add_lists(&self.lists)?;
        Ok(config)
    }

    /// Puts image and index in place.
    fn write(&self, image: &Image, lists: &[ReadList]) -> io::Result<Option<FileReport>> {
        let mut image_file = Replacement::new(&self.output)?;
        image_file.write_all(&image.octets)?;
        let index_path = why::path_beside(&self.output);
        if self.no_why {
            image_file.commit()?;
            match fs::remove_file(&index_path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => return Ok(None),
            }
        }
        let mut index_file = Replacement::new(&index_path)?;
        let record = |list: &ReadList| {
            let ListSource { id, place, categories, .. } = &list.source;
            why::ListRecord::new(id, &place.text_file().to_string(), *categories, &list.map)
        };
        let records: Vec<_> = lists.iter().map(|list| (record(list), &list.map)).collect();
        why::write(&mut index_file, &image.octets, &records)?;
        // Between the two, the index belongs to another image than the one there, and says so.
        index_file.commit()?;
        image_file.commit()?;
        let bytes = fs::metadata(&index_path)?.len();
        Ok(Some(FileReport { path: index_path.display().to_string(), bytes }))
    }

    fn image_report(
        &self,
        image: &Image,
        filter: &Filter<&[u8]>,
        audit: Audit,
        why: Option<FileReport>,
    ) -> ImageReport {
        let sections = filter.sections().map(|section| {
            let id = SectionId::from_code(section.code);
            let name = id.map_or_else(|| section.code.to_string(), |id| id.word().to_owned());
            SectionReport { name, bytes: section.len_octets }
        });
        ImageReport {
            path: self.output.display().to_string(),
            serial: self.serial,
            names: image.name_count,
            bytes: image.octets.len() as u64,
            rule_bytes: image.rule_octets,
            classes: image.class_count,
            never_block: filter.never_block_count(),
            keywords: filter.keywords().map_or(0, |keywords| keywords.len()),
            sections: sections.collect(),
            why,
            benign_tried: audit.benign,
            benign_blocked: audit.blocked,
        }
    }
}

/// Says which files are older than their lists may get. The image does not depend on it.
fn notice_expired(lists: &[ListSource], output: &Output) {
    for list in lists.iter().filter(|list| list.expires_days > 0) {
        let Place::Disk(path) = list.place.text_file() else { continue };
        let changed = fs::metadata(&path).and_then(|file| file.modified()).ok();
        let days =
            changed.and_then(|time| time.elapsed().ok()).map_or(0, |age| age.as_secs() / 86_400);
        if days > u64::from(list.expires_days) {
            let ListSource { id, place, expires_days, url, .. } = list;
            output.notice(format_args!(
                "list `{id}` ({place}) is {days} days old and expires after {expires_days}; \
                 download it again: {url}"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use filter_core::Name;

    use super::*;
    use crate::why::WhyIndex;

    const QUIET: Output = Output { json: false, color: false, quiet: true };

    /// A folder with one list and the arguments to build it.
    struct Place {
        folder: tempfile::TempDir,
        args: Args,
    }

    impl Place {
        fn new(category: &str) -> Place {
            let folder = tempfile::tempdir().unwrap();
            let list = format!("{category}={},id=mine", folder.path().join("mine.txt").display());
            let args = Args {
                config: None,
                lists: vec![list.parse().unwrap()],
                output: folder.path().join("x.gfi"),
                serial: 1,
                cache: Some(folder.path().join("cache")),
                no_why: false,
                shape: Shape::Device,
                prefilter: false,
                force: false,
            };
            Place { folder, args }
        }

        fn build(&self, list: &str) -> Result<Vec<u8>, String> {
            fs::write(self.folder.path().join("mine.txt"), list).unwrap();
            let result = self.args.run(&QUIET);
            result.map_err(|error| format!("{error:#}"))?;
            Ok(fs::read(&self.args.output).unwrap())
        }

        fn files(&self) -> Vec<String> {
            let entries = fs::read_dir(self.folder.path()).unwrap();
            let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
            let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap())).collect();
            names.sort();
            names
        }
    }

    fn names(count: usize) -> String {
        (0..count).map(|number| format!("n{number}.example\n")).collect()
    }

    #[test]
    fn same_lists_give_the_same_image_and_an_index_that_fits() {
        let place = Place::new("gambling");
        let image = place.build("b.example\na.b.example\n").unwrap();
        assert_eq!(place.build("b.example\na.b.example\n").unwrap(), image);
        let index = WhyIndex::beside(&place.args.output, &image).unwrap().unwrap();
        let evidence = index.evidence(&Name::from_text("x.a.b.example").unwrap());
        let lines: Vec<u32> = evidence.iter().map(|evidence| evidence.line).collect();
        assert_eq!(lines, [2, 1]);
        assert_eq!(place.files(), ["cache", "mine.txt", "x.gfi", "x.gfi.why"]);
    }

    #[test]
    fn a_suspicious_change_stops_the_build_and_leaves_the_old_image() {
        let mut place = Place::new("gambling");
        let image = place.build(&names(100)).unwrap();
        let error = place.build(&names(10)).unwrap_err();
        assert!(error.contains("mine.txt: 100 rules before, 10 now (-90 %)"), "{error}");
        assert_eq!(fs::read(&place.args.output).unwrap(), image);
        assert_eq!(place.files(), ["cache", "mine.txt", "x.gfi", "x.gfi.why"]);
        place.args.force = true;
        assert_ne!(place.build(&names(10)).unwrap(), image);
    }

    #[test]
    fn a_category_blocked_by_law_must_not_hold_a_help_line() {
        let place = Place::new("illegal_other");
        let error = place.build("fine.example\nwww.inhope.org\n").unwrap_err();
        assert!(error.contains("mine.txt:2: www.inhope.org would block inhope.org"), "{error}");
        assert_eq!(place.files(), ["cache", "mine.txt"]);
        assert!(Place::new("gambling").build("www.inhope.org\n").is_ok());
        let error = Place::new("illegal_csam").build("fine.example\n").unwrap_err();
        assert!(error.contains("sealed"), "{error}");
    }

    #[test]
    fn a_list_in_the_wrong_format_and_a_foreign_output_are_refused() {
        let place = Place::new("gambling");
        let odd: String = (0..60).map(|number| format!("what is {number} ?\n")).collect();
        let error = place.build(&odd).unwrap_err();
        assert!(error.contains("mine.txt: not one line gives a rule"), "{error}");
        let error = place.build(&(names(60) + &odd)).unwrap_err();
        assert!(error.contains("50.0 % of the lines are not understood"), "{error}");
        fs::write(&place.args.output, "my notes").unwrap();
        let error = place.build(&names(2)).unwrap_err();
        assert!(error.contains("is not an image"), "{error}");
        assert_eq!(fs::read(&place.args.output).unwrap(), b"my notes");
    }
}
