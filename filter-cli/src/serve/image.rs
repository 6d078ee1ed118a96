//! The image that is served and what is done with it: takes the options of the command line, gives
//! [`Loaded`], which workers read at every event. Also tells when a file is another one.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use filter_core::CategorySet;
use filter_core::compile::Compiler;
use filter_core::gateway::Exceptions;
use filter_core::policy::{Clock, Policy};

use super::profiles::{Profiles, Wishes};
use crate::assemble;
use crate::image::ImageFile;
use crate::output::Output;

/// Where the image comes from, and what is done with it.
pub struct Source {
    /// The image; without one, it is built from the lists in the binary.
    pub file: Option<PathBuf>,
    /// Where a build keeps lists that were read.
    pub cache: Option<PathBuf>,
    /// What is said about profiles.
    pub wishes: Wishes,
    /// Whether nothing is answered while the image is older than its lists may get.
    pub closes_when_expired: bool,
}

/// What is done while there is no sound image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum WithoutImage {
    /// End, so that nobody is listening
    Stop,
    /// Answer everybody that this is not ready (SERVFAIL)
    Closed,
    /// Let everything through, what the law forbids included
    Open,
}

/// An image in service.
pub(super) struct Loaded {
    pub(super) image: Arc<ImageFile>,
    /// Names above allowed ones, when they are found.
    pub(super) exceptions: Option<Exceptions>,
    /// When the file was written; unknown for the lists in the binary.
    pub(super) written: Option<SystemTime>,
    pub(super) since: SystemTime,
    pub(super) profiles: Arc<Profiles>,
    /// How old the lists may get that may get least old.
    age_max: Option<Duration>,
    closes_when_expired: bool,
    /// Whether this stands for an image that is not there; and whether nothing is let through then.
    pub(super) stand_in: Option<IsClosed>,
}

/// Whether nothing is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IsClosed(pub(super) bool);

/// So many rules are walked over in some ten milliseconds.
const RULES_AT_ONCE: u32 = 50_000;

/// What a file is known by: another one in its place has another number, and one that was written
/// to another time or length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    len_octets: u64,
    changed_ns: (i64, i64),
}

impl Source {
    /// Opens and verifies the image, and reads the policy. The stamps are those from before they were
    /// read, so that a file written to meanwhile is read again.
    pub(super) fn load(&self, output: &Output) -> anyhow::Result<(Loaded, Option<Stamps>)> {
        let stamps = self.stamps();
        let image = match &self.file {
            Some(path) => ImageFile::open(path)?,
            None => {
                let octets = assemble::built_in(self.cache.as_deref(), output)?;
                ImageFile::from_octets(Path::new("built-in"), octets)?
            }
        };
        let written = self.file.as_ref().and_then(|path| fs::metadata(path).ok()?.modified().ok());
        let loaded = Loaded {
            written,
            closes_when_expired: self.closes_when_expired,
            ..Loaded::new(image, &self.wishes)?
        };
        let filter = loaded.image.filter();
        let is_quick = !filter.has_exceptions() || filter.rule_count() <= RULES_AT_ONCE;
        Ok((if is_quick { loaded.with_exceptions() } else { loaded }, stamps))
    }

    /// What is served while there is no sound image.
    pub(super) fn stand_in(&self, is_closed: bool) -> anyhow::Result<Loaded> {
        let octets = Compiler::new(0).finish()?.octets;
        let image = ImageFile::from_octets(Path::new("none"), octets)?;
        let loaded = Loaded::new(image, &Wishes::default())?;
        Ok(Loaded { stand_in: Some(IsClosed(is_closed)), ..loaded }.with_exceptions())
    }

    /// What the files are known by now, if they are there.
    pub(super) fn stamps(&self) -> Option<Stamps> {
        let files = [self.file.as_ref(), self.wishes.file.as_ref()];
        files.into_iter().flatten().map(|path| stamp(path)).collect()
    }
}

pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some(Stamp {
        inode: metadata.ino(),
        len_octets: metadata.len(),
        changed_ns: (metadata.mtime(), metadata.mtime_nsec()),
    })
}

/// Those of all files that are served.
pub(super) type Stamps = Vec<Stamp>;

impl Loaded {
    fn new(image: ImageFile, wishes: &Wishes) -> anyhow::Result<Loaded> {
        let days = image.filter().lists().map(|list| list.expires_days).filter(|&days| days > 0);
        let age_max = days.min().map(|days| Duration::from_secs(86_400 * u64::from(days)));
        Ok(Loaded {
            profiles: Arc::new(Profiles::load(wishes, &image)?),
            image: Arc::new(image),
            // Always safe. Finding them takes a walk over all rules, for which no query should wait
            // where there are many; see `Loaded::with_exceptions`.
            exceptions: None,
            written: None,
            since: SystemTime::now(),
            age_max,
            closes_when_expired: false,
            stand_in: None,
        })
    }

    /// The same, knowing which names are above an allowed one.
    pub(super) fn with_exceptions(&self) -> Loaded {
        Loaded {
            image: Arc::clone(&self.image),
            exceptions: Some(Exceptions::of(self.image.filter())),
            profiles: Arc::clone(&self.profiles),
            ..*self
        }
    }

    /// Whether the image is older than one of its lists may get. Without a clock nobody can tell.
    pub(super) fn is_expired(&self, clock: Clock) -> bool {
        let age = self.written.and_then(|written| written.elapsed().ok());
        clock != Clock::Unset && age.zip(self.age_max).is_some_and(|(age, age_max)| age > age_max)
    }

    /// What each profile means now.
    pub(super) fn policies(&self, clock: Clock) -> Vec<Policy> {
        let mut policies = self.profiles.at(clock);
        let is_closed = match self.stand_in {
            Some(IsClosed(is_closed)) => is_closed,
            None => self.closes_when_expired && self.is_expired(clock),
        };
        for policy in &mut policies {
            policy.is_closed = is_closed;
            if self.stand_in.is_some() {
                policy.enabled = CategorySet::EMPTY;
            }
        }
        policies
    }
}
