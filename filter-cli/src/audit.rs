//! Tries the words on names before the image is put in place: what the keyword files state must
//! hold, and of names that mean no harm hardly any may be blocked.

use aho_corasick::AhoCorasick;
use anyhow::{Context, ensure};
use filter_core::{CategorySet, Filter, Hit, Name, Tier, Trigger};

use crate::config::{Expectation, Keywords};
use crate::output::hinted;

/// What the audit found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Stated rows that hold.
    pub expectations: usize,
    /// Benign names tried: those no rule speaks about.
    pub benign: u64,
    /// Benign names the words block.
    pub blocked: u64,
}

/// How many names and rows an error shows.
const SHOWN: usize = 20;

/// Audits the words of an image.
///
/// # Errors
/// When a stated row does not hold, or more benign names are blocked than the configuration
/// allows.
pub fn audit<D: AsRef<[u8]>>(filter: &Filter<D>, keywords: &Keywords) -> anyhow::Result<Audit> {
    check_expectations(filter, &keywords.expectations)?;
    let mut audit = Audit { expectations: keywords.expectations.len(), ..Audit::default() };
    let Some(place) = &keywords.benign else { return Ok(audit) };
    let text = place.read().with_context(|| format!("cannot read {place}"))?;
    let witness = Witness::new(filter)?;
    let mut blocked = Vec::new();
    for line in String::from_utf8_lossy(&text).lines() {
        let Ok(name) = Name::from_text(line.trim()) else { continue };
        let verdict = filter.check(&name, CategorySet::ALL);
        match verdict.hit() {
            // A name that is listed on purpose says nothing about words.
            Some(hit) if hit.tier != Tier::Keyword => continue,
            Some(hit) => {
                ensure!(
                    witness.confirms(hit, &name),
                    "{name}: the image sees a word that is not there; please report this"
                );
                blocked.push(name);
            }
            None => {}
        }
        audit.benign += 1;
    }
    audit.blocked = blocked.len() as u64;
    let allowed = keywords.max_per_10000 * audit.benign as f64 / 10_000.0;
    if audit.blocked as f64 > allowed {
        let mut text = format!(
            "{place}: the words block {} of {} benign names; {allowed} are allowed",
            audit.blocked, audit.benign
        );
        for name in blocked.iter().take(SHOWN) {
            text += &format!("\n{name}");
        }
        let hint = "give the words a stricter boundary or less weight, or add exceptions; \
                    `max_per_10000` in [keywords] is the limit";
        return Err(hinted(text, hint));
    }
    Ok(audit)
}

/// The words of an image once more, in an automaton that shares no code with the image's.
struct Witness {
    words: AhoCorasick,
}

impl Witness {
    fn new<D: AsRef<[u8]>>(filter: &Filter<D>) -> anyhow::Result<Witness> {
        let words = filter.keywords().into_iter().flat_map(|keywords| keywords.words());
        Ok(Witness { words: AhoCorasick::new(words.map(|word| word.text))? })
    }

    /// Whether the word that weighed most is in the name.
    fn confirms(&self, hit: &Hit, name: &Name) -> bool {
        let Trigger::Keyword { word } = hit.trigger else { return false };
        let text = name.to_string();
        let mut found = self.words.find_overlapping_iter(&text);
        found.any(|found| found.pattern().as_usize() == usize::from(word))
    }
}

fn check_expectations<D: AsRef<[u8]>>(
    filter: &Filter<D>,
    expectations: &[Expectation],
) -> anyhow::Result<()> {
    let blocks = |name: &Name| {
        let keywords = filter.keywords();
        keywords.is_some_and(|keywords| keywords.check(name, CategorySet::ALL).is_some())
    };
    let failed = expectations.iter().filter(|row| blocks(&row.name) != row.block);
    let failed: Vec<&Expectation> = failed.collect();
    if failed.is_empty() {
        return Ok(());
    }
    let mut text = format!("{} rows of the keyword files do not hold", failed.len());
    for row in failed.iter().take(SHOWN) {
        let (stated, found) = if row.block { ("block", "pass") } else { ("pass", "block") };
        let Expectation { name, place, line, .. } = row;
        text += &format!("\n{place}:{line}: {name}: the row says {stated}, the words say {found}");
    }
    Err(hinted(text, "change the words or the rows, whichever is wrong"))
}
