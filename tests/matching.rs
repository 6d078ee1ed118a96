//! `tests/data/match/*.toml`: rules and names, and what the image and the oracle both say.
//!
//! A case has `[[rule]]` tables (`name`, `scope`, `action`, `categories`, `important`),
//! `never_block` rows and `[[check]]` tables: `name`, `expect` (`pass`, `allow` or `block`),
//! and if wanted `enabled`, `tier`, `trigger` and `categories`.

mod common;

use std::collections::BTreeMap;
use std::fs;

use common::oracle::{Oracle, OracleRule};
use common::{Random, data};
use filter_core::compile::{Compiler, ListInfo};
use filter_core::{Action, CategorySet, Facet, Filter, Name, Scope, Trigger, Verdict};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    #[serde(default)]
    rule: Vec<CaseRule>,
    #[serde(default)]
    never_block: BTreeMap<String, String>,
    check: Vec<Check>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseRule {
    name: String,
    #[serde(default = "subtree")]
    scope: String,
    #[serde(default = "block")]
    action: String,
    #[serde(default = "gambling")]
    categories: Vec<u8>,
    #[serde(default)]
    important: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    name: String,
    expect: String,
    enabled: Option<Vec<u8>>,
    tier: Option<String>,
    trigger: Option<String>,
    categories: Option<Vec<u8>>,
}

fn subtree() -> String {
    "subtree".into()
}

fn block() -> String {
    "block".into()
}

fn gambling() -> Vec<u8> {
    vec![20]
}

fn scope(word: &str) -> Scope {
    Scope::ALL.into_iter().find(|scope| scope.word() == word).expect("a scope")
}

fn action(word: &str) -> Action {
    if word == "allow" { Action::Allow } else { Action::Block }
}

fn set(bits: &[u8]) -> CategorySet {
    bits.iter().fold(CategorySet::EMPTY, |set, &bit| set.union(CategorySet::of(bit)))
}

/// An image and an oracle of the same rules, each category from a list of its own.
struct Pair {
    compiler: Compiler,
    oracle: Oracle,
}

impl Pair {
    fn new() -> Pair {
        let mut compiler = Compiler::new(1);
        for bit in 0..32 {
            compiler.category(bit, &format!("category-{bit}")).unwrap();
            if bit > 0 {
                let id = format!("list-{bit}");
                compiler.list(ListInfo::new(&id, CategorySet::of(bit))).unwrap();
            }
        }
        Pair { compiler, oracle: Oracle::default() }
    }

    fn rule(&mut self, name: &str, rule: OracleRule) {
        let lists = rule.categories.iter().map(|bit| bit - 1).collect();
        let OracleRule { scope, action, important, categories } = rule;
        let facet = Facet { scope, action, important, categories, lists };
        self.compiler.facet(&Name::from_text(name).unwrap(), facet).unwrap();
        self.oracle.rule(name, rule);
    }

    fn never_block(&mut self, name: &str, scope: Scope) {
        self.compiler.never_block(&Name::from_text(name).unwrap(), scope).unwrap();
        self.oracle.never_block(name, scope);
    }

    fn finish(self) -> (Filter<Vec<u8>>, Oracle) {
        (Filter::from_bytes(self.compiler.finish().unwrap().octets).unwrap(), self.oracle)
    }
}

/// The image must say what the oracle says; it may name more categories, where a parent's
/// rule stands for one that was dropped because the parent covers it.
fn compare(
    filter: &Filter<Vec<u8>>,
    oracle: &Oracle,
    name: &Name,
    enabled: CategorySet,
) -> Verdict {
    let verdict = filter.check(name, enabled);
    let expected = oracle.check(name, enabled);
    match (&verdict, expected) {
        (Verdict::Pass, None) => {}
        (Verdict::Allow(hit), Some(expected)) | (Verdict::Block(hit), Some(expected)) => {
            let action = if verdict.is_block() { Action::Block } else { Action::Allow };
            assert_eq!((action, hit.tier), (expected.action, expected.tier), "{name} {enabled:?}");
            assert!(hit.categories.contains(expected.categories), "{name} {hit:?} {expected:?}");
            let from_lists = hit.lists.iter().fold(0, |sum, list| sum | 1u32 << (list + 1));
            assert_eq!(hit.categories.0, from_lists, "{name}: lists and categories agree");
        }
        _ => panic!("{name} {enabled:?}: image {verdict:?}, oracle {expected:?}"),
    }
    verdict
}

#[test]
fn cases_hold() {
    let mut count = 0;
    let mut files: Vec<_> =
        fs::read_dir(data("match")).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let case: Case = toml::from_str(&text).unwrap_or_else(|e| panic!("{file:?}: {e}"));
        let mut pair = Pair::new();
        for rule in &case.rule {
            let rule_of = OracleRule {
                scope: scope(&rule.scope),
                action: action(&rule.action),
                important: rule.important,
                categories: set(&rule.categories),
            };
            pair.rule(&rule.name, rule_of);
        }
        for (name, word) in &case.never_block {
            pair.never_block(name, scope(word));
        }
        let (filter, oracle) = pair.finish();
        for check in &case.check {
            let at = format!("{file:?} ({}): {}", case.about, check.name);
            let name = Name::from_text(&check.name).unwrap();
            let enabled = check.enabled.as_deref().map_or(CategorySet::ALL, set);
            let verdict = compare(&filter, &oracle, &name, enabled);
            assert_eq!(verdict.word(), check.expect, "{at}");
            let hit = verdict.hit();
            if let Some(tier) = &check.tier {
                assert_eq!(hit.map(|hit| hit.tier.word()), Some(tier.as_str()), "{at}");
            }
            if let Some(trigger) = &check.trigger {
                let found = match hit.expect(&at).trigger {
                    Trigger::Exact => "exact".to_string(),
                    Trigger::Suffix { labels } => name.suffix(labels.into()).unwrap().to_string(),
                    Trigger::Keyword { word } => format!("keyword {word}"),
                };
                assert_eq!(&found, trigger, "{at}");
            }
            if let Some(categories) = &check.categories {
                assert_eq!(hit.map(|hit| hit.categories), Some(set(categories)), "{at}");
            }
            count += 1;
        }
    }
    assert!(count > 30, "only {count} checks were found");
}

/// Random rules over a small alphabet, so that parents, siblings and repeats abound.
#[test]
fn random_rules_agree_with_the_oracle() {
    for seed in 1..=40u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut pair = Pair::new();
        let label = |random: &mut Random| ["a", "b", "a-b", "ab", "0", "c_d"][random.below(6)];
        let name = |random: &mut Random| {
            let labels: Vec<&str> = (0..1 + random.below(5)).map(|_| label(random)).collect();
            labels.join(".")
        };
        for _ in 0..random.below(400) {
            let bits = [20, 22, 1, 31, 5];
            let mut categories = set(&[bits[random.below(5)]]);
            if random.below(3) == 0 {
                categories = categories.union(set(&[bits[random.below(5)]]));
            }
            let rule = OracleRule {
                scope: Scope::ALL[random.below(3)],
                action: if random.below(3) == 0 { Action::Allow } else { Action::Block },
                important: random.below(10) == 0,
                categories,
            };
            let name = name(&mut random);
            pair.rule(&name, rule);
        }
        for _ in 0..random.below(4) {
            let name = name(&mut random);
            pair.never_block(&name, Scope::ALL[random.below(3)]);
        }
        let (filter, oracle) = pair.finish();
        for _ in 0..3000 {
            let name = Name::from_text(name(&mut random)).unwrap();
            let enabled = [CategorySet::ALL, set(&[20]), set(&[22, 31]), set(&[5, 20])];
            compare(&filter, &oracle, &name, enabled[random.below(4)]);
        }
    }
}
