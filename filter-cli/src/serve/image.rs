//! The image that is served and what is blocked of it: takes the options of the command line, gives
//! [`Loaded`], which workers read at every event. Also tells when the file is another one.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

use filter_core::CategorySet;
use filter_core::gateway::{BlockAnswer, Exceptions, Policy};

use crate::assemble;
use crate::image::ImageFile;
use crate::output::Output;

/// Where the image comes from, and what is blocked of it.
pub struct Source {
    /// The image; without one, it is built from the lists in the binary.
    pub file: Option<PathBuf>,
    /// Where a build keeps lists that were read.
    pub cache: Option<PathBuf>,
    /// The ids of the categories that are blocked; all when there are none.
    pub categories: Vec<String>,
    /// How blocked names are answered; later ones win.
    pub answers: Vec<AnswerArgument>,
    /// Who runs this place.
    pub operator: String,
}

/// An image in service.
pub(super) struct Loaded {
    pub(super) image: Arc<ImageFile>,
    pub(super) exceptions: Exceptions,
    /// Whether that is more than that every name may be above an allowed one.
    pub(super) knows_exceptions: bool,
    /// When the file was written; unknown for the lists in the binary.
    pub(super) written: Option<SystemTime>,
    pub(super) since: SystemTime,
    policy: Policy<'static>,
    operator: Arc<str>,
}

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
    /// Opens and verifies the image. The stamp is that from before it was read, so that a file
    /// written to meanwhile is read again.
    pub(super) fn load(&self, output: &Output) -> anyhow::Result<(Loaded, Option<Stamp>)> {
        let stamp = self.stamp();
        let image = match &self.file {
            Some(path) => ImageFile::open(path)?,
            None => {
                let octets = assemble::built_in(self.cache.as_deref(), output)?;
                ImageFile::from_octets(Path::new("built-in"), octets)?
            }
        };
        let mut policy = Policy::new(image.enabled(&self.categories)?);
        for AnswerArgument { category, answer } in &self.answers {
            let categories = match category {
                Some(id) => image.enabled(std::slice::from_ref(id))?,
                None => CategorySet::ALL,
            };
            policy.set_answer(categories, *answer);
        }
        let written = self.file.as_ref().and_then(|path| fs::metadata(path).ok()?.modified().ok());
        let loaded = Loaded {
            image: Arc::new(image),
            // Always safe. Finding them takes a walk over all rules, for which no query should wait
            // where there are many; see `Loaded::with_exceptions`.
            exceptions: Exceptions::UNKNOWN,
            knows_exceptions: false,
            written,
            since: SystemTime::now(),
            policy,
            operator: self.operator.as_str().into(),
        };
        let is_short = loaded.image.filter().rule_count() <= RULES_AT_ONCE;
        Ok((if is_short { loaded.with_exceptions() } else { loaded }, stamp))
    }

    /// What the file is known by now, if it is there.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let metadata = fs::metadata(self.file.as_ref()?).ok()?;
        Some(Stamp {
            inode: metadata.ino(),
            len_octets: metadata.len(),
            changed_ns: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

impl Loaded {
    /// The same, knowing which names are above an allowed one.
    pub(super) fn with_exceptions(&self) -> Loaded {
        Loaded {
            image: Arc::clone(&self.image),
            exceptions: Exceptions::of(self.image.filter()),
            knows_exceptions: true,
            operator: Arc::clone(&self.operator),
            ..*self
        }
    }

    pub(super) fn policy(&self) -> Policy<'_> {
        // A copy, because a policy borrows what lies beside it here.
        let mut policy: Policy<'_> = self.policy;
        policy.operator = &self.operator;
        policy
    }
}

/// An answer of the command line: `ANSWER` for all categories, `CATEGORY=ANSWER` for one.
#[derive(Clone, Debug)]
pub struct AnswerArgument {
    category: Option<String>,
    answer: BlockAnswer,
}

impl FromStr for AnswerArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<AnswerArgument, String> {
        let (category, word) = match text.split_once('=') {
            Some((category, word)) => (Some(category.to_owned()), word),
            None => (None, text),
        };
        let answer = match word {
            "nxdomain" => BlockAnswer::NxDomain,
            "nodata" => BlockAnswer::NoData,
            "null" => BlockAnswer::NullAddress,
            "refused" => BlockAnswer::Refused,
            _ => return Err(format!("`{word}` is none of nxdomain, nodata, null, refused")),
        };
        Ok(AnswerArgument { category, answer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_for_one_category_or_all() {
        let argument: AnswerArgument = "adult=null".parse().unwrap();
        assert_eq!(argument.category.as_deref(), Some("adult"));
        assert_eq!(argument.answer, BlockAnswer::NullAddress);
        assert!("nodata".parse::<AnswerArgument>().unwrap().category.is_none());
        assert!("adult=page".parse::<AnswerArgument>().unwrap_err().contains("`page`"));
    }
}
