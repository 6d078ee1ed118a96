//! What stops a build until someone has looked: a list that is hardly understood, and a list
//! that is much smaller or bigger than in the image it would replace.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use filter_core::{Filter, MAGIC};

use crate::cache::ReadList;
use crate::config::Limits;
use crate::output::{Hint, Output, hinted};

/// Lists with fewer lines than this may hold as much dirt as they like, as long as one line is
/// good; and their size may change.
const SMALL: u64 = 50;

/// Stops the build when too much of a list is not understood, or nothing of it can be used: it
/// is damaged, or read in the wrong format.
///
/// # Errors
/// Names the lists, their first faults and the remedy.
pub fn check_rejections(lists: &[ReadList], limits: &Limits) -> anyhow::Result<()> {
    let mut text = String::new();
    for ReadList { source, reading, .. } in lists {
        let limit = source.rejected_max_percent.unwrap_or(limits.rejected_max_percent);
        let percent = reading.misfit_percent();
        let useless = reading.rules == 0 && reading.rejected > 0;
        let small = reading.rules + reading.rejected < SMALL;
        let format = &reading.format;
        if useless && limit < 100.0 {
            text += &format!("\n{}: not one line gives a rule (read as {format})", source.place);
        } else if percent > limit && !small {
            text += &format!(
                "\n{}: {percent:.1} % of the lines are not understood (read as {format}; \
                 {limit} % are allowed)",
                source.place
            );
        } else {
            continue;
        }
        for sample in reading.samples.iter().take(5) {
            text += &format!("\n  line {}: {}: {}", sample.line, sample.text, sample.detail);
        }
    }
    if text.is_empty() {
        return Ok(());
    }
    let hint = "check the format (format = \"…\" in the manifest, format=… behind --list); if \
                the list is as it should be, raise its rejected_max_percent";
    Err(hinted(format!("too many lines are no rules{text}"), hint))
}

/// Stops the build when a list has become much smaller or bigger than in the image there.
///
/// # Errors
/// Names the lists, their sizes and the remedy.
pub fn check_sizes(
    lists: &[ReadList],
    previous: &HashMap<String, u32>,
    limits: &Limits,
) -> anyhow::Result<()> {
    let mut text = String::new();
    for ReadList { source, map, .. } in lists {
        let Some(&before) = previous.get(&source.id) else { continue };
        let (before, now) = (u64::from(before), map.len());
        if before.max(now) < SMALL {
            continue;
        }
        let change = (now as f64 - before as f64) * 100.0 / before.max(1) as f64;
        if change < -limits.max_shrink_percent || change > limits.max_growth_percent {
            let place = &source.place;
            text += &format!("\n{place}: {before} rules before, {now} now ({change:+.0} %)");
        }
    }
    if text.is_empty() {
        return Ok(());
    }
    let hint = "look at the lists; if they are as they should be, build with --force";
    Err(hinted(format!("lists changed suspiciously since the last image{text}"), hint))
}

/// How many rules each list gave to the image that is about to be replaced. An image that is
/// damaged counts as none.
///
/// # Errors
/// When what is there is no image.
pub fn previous_sizes(path: &Path, output: &Output) -> anyhow::Result<HashMap<String, u32>> {
    let octets = match fs::read(path) {
        Ok(octets) => octets,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashMap::new()),
        Err(error) => {
            let error =
                anyhow::Error::from(error).context(format!("cannot read {}", path.display()));
            return Err(error).hint(|| "name another file with --output");
        }
    };
    if !octets.starts_with(&MAGIC) {
        let error = format!("{} is not an image, and is not overwritten", path.display());
        return Err(hinted(error, "name another file with --output, or remove this one"));
    }
    match Filter::from_bytes(octets) {
        Ok(filter) => {
            let lists = filter.lists();
            Ok(lists.map(|list| (list.id.to_owned(), list.entry_count)).collect())
        }
        Err(error) => {
            let path = path.display();
            output.notice(format_args!("{path} will be replaced; it cannot be used: {error}"));
            Ok(HashMap::new())
        }
    }
}
