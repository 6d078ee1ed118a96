//! What would be answered about a name, and why: takes what is in service, gives an
//! [`Explanation`]. It says which lists hold a name to the operator alone, and never of a category
//! that the law mandates: who could ask which names those lists hold could read them out.

use std::net::IpAddr;

use filter_core::policy::Override;
use filter_core::{CategorySet, ListSet, Name, Restricted, Tier, Trigger};
use serde::{Deserialize, Serialize};

use super::profiles;
use super::status::{Overseer, span};

/// What would be answered about a name.
#[derive(Debug, Serialize, Deserialize)]
pub struct Explanation {
    name: String,
    /// The profile of who would ask.
    profile: String,
    /// `pass`, `allow` or `block`.
    verdict: String,
    /// The level of precedence that decided.
    tier: Option<String>,
    /// The name the rule is written for, when it is a parent of this one.
    suffix: Option<String>,
    categories: Vec<String>,
    lists: Vec<String>,
    /// The host that is asked instead, so that a site restricts itself; `none` when it must and
    /// cannot.
    safe_search: Option<String>,
    /// For how many seconds the operator's word holds.
    left_s: Option<u64>,
}

impl Overseer {
    /// What would be answered if `client` asked now.
    pub(super) fn explain(&self, name: &Name, client: Option<IpAddr>) -> Explanation {
        let loaded = self.current().load();
        let image = &loaded.image;
        let profile = match client {
            Some(address) => loaded.profiles.of(address, None),
            None => loaded.profiles.usual(),
        };
        let policies = loaded.policies(profiles::clock());
        let policy = policies.get(usize::from(profile));
        let enabled = policy.map_or(CategorySet::EMPTY, |policy| policy.enabled);
        let (said, now_ms) = (self.overrides().load(), self.overrides().now_ms());
        let verdict = image.filter().check(name, enabled);
        let verdict = Override::revise(verdict, name, &said, now_ms);
        let hit = verdict.hit();
        let suffix = hit.and_then(|hit| match hit.trigger {
            Trigger::Suffix { labels } => name.suffix(labels.into()),
            Trigger::Exact | Trigger::Keyword { .. } => None,
        });
        let decisive = suffix.as_ref().unwrap_or(name).to_string();
        let row = self.overrides().rows().into_iter().find(|row| row.name == decisive);
        let (categories, lists) = match hit {
            Some(hit) if hit.tier != Tier::Mandated => (hit.categories, hit.lists),
            _ => (CategorySet::EMPTY, ListSet::EMPTY),
        };
        let restricted = policy
            .filter(|_| !verdict.is_block())
            .and_then(|policy| image.filter().restricted(name, policy.search, policy.video));
        Explanation {
            name: name.to_string(),
            profile: loaded.profiles.id(profile).to_owned(),
            verdict: verdict.word().to_owned(),
            tier: hit.map(|hit| hit.tier.word().to_owned()),
            suffix: suffix.map(|suffix| suffix.to_string()),
            categories: owned(image.category_ids(categories)),
            lists: owned(image.list_ids(lists)),
            safe_search: restricted.map(|restricted| match restricted {
                Restricted::Host(host) => host.to_string(),
                Restricted::Unavailable => "none".to_owned(),
            }),
            left_s: hit.filter(|hit| hit.tier == Tier::Local).and(row).and_then(|row| row.left_s),
        }
    }
}

fn owned(words: Vec<&str>) -> Vec<String> {
    words.into_iter().map(str::to_owned).collect()
}

impl Explanation {
    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!("{}: {}", self.name, self.verdict);
        if let Some(tier) = &self.tier {
            text += &format!(" ({tier})");
        }
        if let Some(left_s) = self.left_s {
            text += &format!(", for {} more", span(left_s));
        }
        text += &format!("\nprofile    {}\n", self.profile);
        for (label, value) in [
            ("rule", self.suffix.iter().cloned().collect::<Vec<_>>()),
            ("category", self.categories.clone()),
            ("list", self.lists.clone()),
            ("safe", self.safe_search.iter().cloned().collect()),
        ] {
            if !value.is_empty() {
                text += &format!("{label:<10} {}\n", value.join(", "));
            }
        }
        text
    }
}
