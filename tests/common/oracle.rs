//! What the rules mean, worked out the naive way: a map of rules, walked label by label. It
//! shares no code with the image beyond the vocabulary.

use std::collections::BTreeMap;

use filter_core::{Action, CategorySet, Name, Scope, Tier};

#[derive(Clone, Copy, Debug)]
pub struct OracleRule {
    pub scope: Scope,
    pub action: Action,
    pub important: bool,
    pub categories: CategorySet,
}

/// What the oracle expects: who decides, what, and in which categories at the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    pub action: Action,
    pub tier: Tier,
    pub categories: CategorySet,
}

#[derive(Default)]
pub struct Oracle {
    rules: BTreeMap<Labels, Vec<OracleRule>>,
    never_block: BTreeMap<Labels, Scope>,
}

/// A name as its labels, from the left.
type Labels = Vec<Vec<u8>>;

impl Oracle {
    pub fn rule(&mut self, name: &str, rule: OracleRule) {
        self.rules.entry(split(name)).or_default().push(rule);
    }

    pub fn never_block(&mut self, name: &str, scope: Scope) {
        self.never_block.insert(split(name), scope);
    }

    /// The names rules are written for.
    pub fn names(&self) -> impl Iterator<Item = Name> {
        self.rules.keys().map(|labels| Name::from_text(labels.join(&b'.')).expect("a name"))
    }

    /// What the rules say; keywords are not the oracle's business.
    pub fn check(&self, name: &Name, enabled: CategorySet) -> Option<Expected> {
        let enabled = enabled.union(CategorySet::MANDATED);
        let labels: Labels = name.labels().map(<[u8]>::to_vec).collect();
        let covers = |scope: Scope, depth: usize| match scope {
            Scope::Exact => depth == 0,
            Scope::Subtree => true,
            Scope::Below => depth > 0,
        };
        // Rules that cover the name, from the name itself upward.
        let covering: Vec<Vec<OracleRule>> = suffixes(&labels)
            .enumerate()
            .map(|(depth, suffix)| {
                let rules = self.rules.get(suffix).into_iter().flatten();
                rules.filter(|rule| covers(rule.scope, depth)).copied().collect()
            })
            .collect();
        let contest = |of: CategorySet, tier: Tier| contest(&covering, of, enabled, tier);

        let mandated = contest(CategorySet::MANDATED, Tier::Mandated);
        if mandated.is_some_and(|expected| expected.action == Action::Block) {
            return mandated;
        }
        let safe = suffixes(&labels)
            .enumerate()
            .any(|(depth, name)| self.never_block.get(name).is_some_and(|&s| covers(s, depth)));
        if safe {
            let categories = CategorySet::EMPTY;
            return Some(Expected { action: Action::Allow, tier: Tier::NeverBlock, categories });
        }
        let others = CategorySet(enabled.0 & !CategorySet::MANDATED.0 & !CategorySet::LOCAL.0);
        let local = CategorySet(enabled.0 & CategorySet::LOCAL.0);
        contest(local, Tier::Local).or_else(|| contest(others, Tier::Rule))
    }
}

/// The most specific of the rules of some categories, important ones first.
fn contest(
    covering: &[Vec<OracleRule>],
    of: CategorySet,
    enabled: CategorySet,
    tier: Tier,
) -> Option<Expected> {
    for important in [true, false] {
        for rules in covering {
            for action in [Action::Allow, Action::Block] {
                let winners = rules.iter().filter(|rule| {
                    rule.important == important
                        && rule.action == action
                        && rule.categories.intersects(of)
                });
                let categories = winners.fold(0, |sum, rule| sum | rule.categories.0);
                if categories != 0 {
                    let categories = CategorySet(categories & enabled.0);
                    return Some(Expected { action, tier, categories });
                }
            }
        }
    }
    None
}

fn split(name: &str) -> Labels {
    name.to_ascii_lowercase().split('.').map(|label| label.as_bytes().to_vec()).collect()
}

/// The name, its parent, and so on up to the top-level domain.
fn suffixes(labels: &[Vec<u8>]) -> impl Iterator<Item = &[Vec<u8>]> {
    (0..labels.len()).map(|depth| &labels[depth..])
}
