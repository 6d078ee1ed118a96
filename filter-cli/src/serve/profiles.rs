//! Who is kept from what: takes the policy section of an image, or a file of its own, and what the
//! command line says; gives the profile of a client, and what each profile means now.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use filter_core::CategorySet;
use filter_core::policy::{BlockAnswer, ClientMatch, Clock, Policies, Policy, PolicyBuilder};

use crate::config::{self, BLOCK_ANSWERS};
use crate::image::ImageFile;
use crate::output::hinted;

/// What is said about profiles besides what the image says.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// A policy that takes the place of the image's.
    pub file: Option<PathBuf>,
    /// The profile of clients that are not listed.
    pub profile: Option<String>,
    /// The ids of the categories that are blocked, in all profiles.
    pub categories: Vec<String>,
    /// How blocked names are answered, in all profiles; later ones win.
    pub answers: Vec<AnswerArgument>,
    /// The addresses of a page that explains.
    pub page: Vec<IpAddr>,
    /// Who runs this place.
    pub operator: Option<String>,
}

/// The profiles in service.
pub(super) struct Profiles {
    section: Vec<u8>,
    clients: Vec<(u8, ClientMatch)>,
    usual: u8,
    changes: Changes,
}

/// What the command line makes of every profile.
struct Changes {
    enabled: Option<CategorySet>,
    answers: Vec<(CategorySet, BlockAnswer)>,
    page: Vec<IpAddr>,
    operator: Option<String>,
}

impl Profiles {
    /// The profiles of a place. An image without any has one, that blocks all categories.
    pub(super) fn load(wishes: &Wishes, image: &ImageFile) -> anyhow::Result<Profiles> {
        let section = match &wishes.file {
            Some(path) => config::load_policy(path)?.finish()?,
            None => match image.policy_section() {
                Some(section) => section.to_vec(),
                None => everything()?,
            },
        };
        let unsound = || hinted("the policy cannot be read", "this is a bug; please report it");
        let policies = Policies::from_section(&section).ok_or_else(unsound)?;
        let usual = match &wishes.profile {
            None => policies.usual_profile(),
            Some(id) => policies.find(id).ok_or_else(|| {
                let known: Vec<&str> = policies.profiles().map(|profile| profile.id).collect();
                let hint = format!("the profiles are {}", known.join(", "));
                hinted(format!("there is no profile `{id}`"), hint)
            })?,
        };
        let enabled = match wishes.categories.as_slice() {
            [] => None,
            ids => Some(image.enabled(ids)?),
        };
        let mut answers = Vec::new();
        for AnswerArgument { category, answer } in &wishes.answers {
            let categories = match category {
                Some(id) => image.enabled(std::slice::from_ref(id))?,
                None => CategorySet::ALL,
            };
            answers.push((categories, *answer));
        }
        let (page, operator) = (wishes.page.clone(), wishes.operator.clone());
        let changes = Changes { enabled, answers, page, operator };
        let clients = policies.clients().collect();
        let profiles = Profiles { clients, usual, changes, section };
        profiles.check_pages()?;
        Ok(profiles)
    }

    /// Whom an address, or a network card, belongs to.
    pub(super) fn of(&self, address: IpAddr, mac: Option<[u8; 6]>) -> u8 {
        if self.clients.is_empty() {
            return self.usual;
        }
        let address = address.to_canonical();
        let listed = self.clients.iter().find(|(_, client)| client.is(address, mac));
        listed.map_or(self.usual, |(profile, _)| *profile)
    }

    /// Whether some clients are known by their network cards.
    pub(super) fn know_cards(&self) -> bool {
        self.clients.iter().any(|(_, client)| matches!(client, ClientMatch::Mac(_)))
    }

    /// What each of them means at a time.
    pub(super) fn at(&self, clock: Clock) -> Vec<Policy> {
        let policies = self.policies();
        let now = (0..=u8::MAX).map_while(|profile| policies?.policy(profile, clock));
        now.map(|policy| self.changes.apply(policy)).collect()
    }

    /// The id of a profile.
    pub(super) fn id(&self, profile: u8) -> &str {
        let policies = self.policies();
        let found = policies.and_then(|policies| policies.profiles().nth(profile.into()));
        found.map_or("", |profile| profile.id)
    }

    /// The profile of clients that are not listed.
    pub(super) fn usual(&self) -> u8 {
        self.usual
    }

    fn policies(&self) -> Option<Policies<'_>> {
        Policies::from_section(&self.section)
    }

    fn check_pages(&self) -> anyhow::Result<()> {
        let leads_nowhere = |policy: &Policy| {
            let shown = (0..32).any(|bit| policy.answer(CategorySet::of(bit)) == BlockAnswer::Page);
            shown && policy.page.ipv4.is_none() && policy.page.ipv6.is_none()
        };
        if self.at(Clock::Unset).iter().any(leads_nowhere) {
            let error = "there is no address of a page to answer with";
            return Err(hinted(error, "name one with `--page ADDRESS`"));
        }
        Ok(())
    }
}

impl Changes {
    fn apply(&self, mut policy: Policy) -> Policy {
        policy.enabled = self.enabled.unwrap_or(policy.enabled);
        for &(categories, answer) in &self.answers {
            policy.set_answer(categories, answer);
        }
        for address in &self.page {
            match address {
                IpAddr::V4(ipv4) => policy.page.ipv4 = Some(*ipv4),
                IpAddr::V6(ipv6) => policy.page.ipv6 = Some(*ipv6),
            }
        }
        if let Some(operator) = &self.operator {
            policy.set_operator(operator);
        }
        policy
    }
}

/// The section of one profile that blocks all categories.
fn everything() -> anyhow::Result<Vec<u8>> {
    let mut builder = PolicyBuilder::new();
    builder.profile("everything", Policy::new(CategorySet::ALL))?;
    Ok(builder.finish()?)
}

/// The time, unless the system does not know it: what it says before 2025 it says because it has just
/// been switched on.
pub(super) fn clock() -> Clock {
    const BEGIN_2025_S: i64 = 1_735_689_600;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    match i64::try_from(since) {
        Ok(unix_s) if unix_s >= BEGIN_2025_S => Clock::Unix(unix_s),
        _ => Clock::Unset,
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
        let found = BLOCK_ANSWERS.iter().find(|(known, _)| *known == word);
        let &(_, answer) = found.ok_or_else(|| {
            let words = BLOCK_ANSWERS.map(|(word, _)| word).join(", ");
            format!("`{word}` is none of {words}")
        })?;
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
        assert!("adult=paper".parse::<AnswerArgument>().unwrap_err().contains("`paper`"));
    }
}
