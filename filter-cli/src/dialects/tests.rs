//! Rules go out in a dialect, come back in through our own reader, and must mean the same.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use filter_core::compile::{Compiler, ListInfo};
use filter_core::{Action, CategorySet, Facet, Filter, ListSet, Name, Scope, Verdict};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Dialect, Loss, Unsaid, write};
use crate::lists::{self, Format, Options};

type Image = Filter<Vec<u8>>;

/// A rule: name, scope, action, importance, bit of its category.
type Rule = (String, Scope, Action, bool, u8);

/// A mandated category, an operator's own and two others.
const BITS: [u8; 4] = [1, 20, 21, 31];

fn image(rules: &[Rule], never_block: &[(String, Scope)]) -> Image {
    let mut compiler = Compiler::new(7);
    for bit in BITS {
        compiler.category(bit, &format!("c{bit}")).unwrap();
        compiler.list(ListInfo::new(&format!("l{bit}"), CategorySet::of(bit))).unwrap();
    }
    for (name, scope, action, important, bit) in rules {
        let facet = Facet {
            scope: *scope,
            action: *action,
            important: *important,
            categories: CategorySet::of(*bit),
            lists: ListSet::from_iter(BITS.iter().position(|it| it == bit).map(|at| at as u8)),
        };
        compiler.facet(&name.parse().unwrap(), facet).unwrap();
    }
    for (name, scope) in never_block {
        compiler.never_block(&name.parse().unwrap(), *scope).unwrap();
    }
    Filter::from_bytes(compiler.finish().unwrap().octets).unwrap()
}

fn export(image: &Image, dialect: Dialect) -> (String, Unsaid) {
    let mut text = Vec::new();
    let unsaid = write(image, CategorySet::ALL, dialect, &mut text).unwrap();
    (String::from_utf8(text).unwrap(), unsaid)
}

/// Reads exported text as a list and builds an image of it.
fn import(text: &str, dialect: Dialect) -> Image {
    let format = match dialect {
        Dialect::Domains => Format::Domains,
        Dialect::Hosts => Format::Hosts,
        Dialect::Adblock => Format::Adblock,
        Dialect::Dnsmasq => Format::Dnsmasq,
        Dialect::Unbound => Format::Unbound,
        Dialect::Rpz => Format::Rpz,
    };
    let mut compiler = Compiler::new(8);
    let list = compiler.list(ListInfo::new("back", CategorySet::of(20))).unwrap();
    let options = Options { format: Some(format), ..Options::default() };
    let tally = lists::read_text(&mut text.as_bytes(), &options, &mut |entry, _| {
        let facet = Facet {
            scope: entry.scope,
            action: entry.action,
            important: entry.important,
            categories: CategorySet::of(20),
            lists: ListSet::from_iter([list]),
        };
        compiler.facet(&entry.name, facet).unwrap();
        Ok(())
    })
    .unwrap();
    assert_eq!(tally.rejected, 0, "{:?}\n{text}", tally.samples);
    Filter::from_bytes(compiler.finish().unwrap().octets).unwrap()
}

fn word(image: &Image, name: &str) -> &'static str {
    image.check(&name.parse().unwrap(), CategorySet::ALL).word()
}

/// Names of up to four labels under `test`, so that they meet often.
fn names() -> impl Strategy<Value = String> {
    vec(prop::sample::select(vec!["a", "b", "w-1"]), 1..=4)
        .prop_map(|labels| format!("{}.test", labels.join(".")))
}

fn scopes() -> impl Strategy<Value = Scope> {
    prop::sample::select(Scope::ALL.to_vec())
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let actions = prop::sample::select(vec![Action::Block, Action::Block, Action::Allow]);
    let bits = prop::sample::select(BITS.to_vec());
    vec((names(), scopes(), actions, prop::bool::weighted(0.1), bits), 0..14)
}

fn never_blocks() -> impl Strategy<Value = Vec<(String, Scope)>> {
    vec((names(), scopes()), 0..3)
}

/// All names in question: every combination, siblings and grandchildren included.
static QUESTIONS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let mut names = BTreeSet::from(["test".to_owned()]);
    for _ in 0..5 {
        let longer = names
            .iter()
            .flat_map(|name| ["a", "b", "w-1", "other"].map(|label| format!("{label}.{name}")));
        names.extend(longer.collect::<Vec<_>>());
    }
    names
});

/// Whether a name got its verdict back. A mandated exception, which only ends a mandated block,
/// comes back as an exception to all blocks.
fn is_same(rules: &[Rule], meant: &str, said: &str) -> bool {
    let mandated = |rule: &Rule| rule.2 == Action::Allow && rule.4 == 1;
    meant == said || (meant, said) == ("pass", "allow") && rules.iter().any(mandated)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn adblock_and_rpz_say_all(rules in rules(), never_block in never_blocks()) {
        let image = image(&rules, &never_block);
        for dialect in [Dialect::Adblock, Dialect::Rpz] {
            let (text, unsaid) = export(&image, dialect);
            prop_assert!(unsaid.iter().all(|(loss, ..)| loss == Loss::Order), "{:?}", unsaid);
            let back = import(&text, dialect);
            for name in QUESTIONS.iter() {
                let (meant, said) = (word(&image, name), word(&back, name));
                prop_assert!(is_same(&rules, meant, said), "{} {} {}\n{}", name, meant, said, text);
            }
        }
    }

    #[test]
    fn no_dialect_blocks_more(rules in rules(), never_block in never_blocks()) {
        let image = image(&rules, &never_block);
        for dialect in [Dialect::Domains, Dialect::Hosts, Dialect::Dnsmasq, Dialect::Unbound] {
            let (text, unsaid) = export(&image, dialect);
            let back = import(&text, dialect);
            for name in QUESTIONS.iter() {
                let (meant, said) = (word(&image, name), word(&back, name));
                prop_assert!(said != "block" || meant == "block", "{}\n{}", name, text);
                prop_assert!(!unsaid.is_empty() || is_same(&rules, meant, said), "{}\n{}", name, text);
            }
        }
    }

    #[test]
    fn dnsmasq_and_unbound_say_subtrees(
        rules in vec((names(), prop::bool::ANY), 0..14),
        never_block in vec(names(), 0..3),
    ) {
        let action = |block| if block { Action::Block } else { Action::Allow };
        let rule = |(name, block)| (name, Scope::Subtree, action(block), false, 20);
        let rules: Vec<Rule> = rules.into_iter().map(rule).collect();
        let never_block: Vec<_> = never_block.into_iter().map(|it| (it, Scope::Subtree)).collect();
        let image = image(&rules, &never_block);
        for dialect in [Dialect::Dnsmasq, Dialect::Unbound] {
            let (text, unsaid) = export(&image, dialect);
            prop_assert!(unsaid.is_empty());
            let back = import(&text, dialect);
            for name in QUESTIONS.iter() {
                prop_assert_eq!(word(&image, name), word(&back, name), "{}\n{}", name, text);
            }
        }
    }

    #[test]
    fn domains_and_hosts_say_their_own(names in vec(names(), 0..14)) {
        for (dialect, scope) in [(Dialect::Domains, Scope::Subtree), (Dialect::Hosts, Scope::Exact)]
        {
            let rule = |name: &String| (name.clone(), scope, Action::Block, false, 20);
            let image = image(&names.iter().map(rule).collect::<Vec<_>>(), &[]);
            let (text, unsaid) = export(&image, dialect);
            prop_assert!(unsaid.is_empty());
            let back = import(&text, dialect);
            for name in QUESTIONS.iter() {
                prop_assert_eq!(word(&image, name), word(&back, name), "{}\n{}", name, text);
            }
        }
    }

    /// RFC 4592: a wildcard answers only for names whose closest existing parent is its own.
    #[test]
    fn zones_have_no_holes(rules in rules(), never_block in never_blocks()) {
        let image = image(&rules, &never_block);
        let (text, _) = export(&image, Dialect::Rpz);
        let records: Vec<(&str, &str)> = text
            .lines()
            .filter(|line| line.contains(" CNAME "))
            .map(|line| line.split_once(" CNAME ").unwrap())
            .collect();
        let exists = |name: &str| {
            records.iter().any(|(owner, _)| {
                *owner == name || owner.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'))
            })
        };
        for name in QUESTIONS.iter() {
            let owner = if exists(name) {
                name.clone()
            } else {
                let mut parent = name.as_str();
                loop {
                    parent = parent.split_once('.').map_or("", |(_, parent)| parent);
                    if parent.is_empty() || exists(parent) {
                        break format!("*.{parent}");
                    }
                }
            };
            let said = match records.iter().find(|(it, _)| *it == owner) {
                None => "pass",
                Some((_, ".")) => "block",
                Some(_) => "allow",
            };
            let meant = word(&image, name);
            prop_assert!(is_same(&rules, meant, said), "{} {} {}\n{}", name, meant, said, text);
        }
    }
}

fn rule(name: &str, scope: Scope, action: Action) -> Rule {
    (name.to_owned(), scope, action, false, 20)
}

/// The rules of a text, without the lines every text begins with.
fn lines(text: &str) -> Vec<&str> {
    let is_rule = |line: &&str| {
        !line.starts_with(['#', '!', ';', '[', '$', '@']) && *line != "server:"
            || line.starts_with("@@")
    };
    text.lines().filter(is_rule).collect()
}

#[test]
fn each_dialect_has_its_words() {
    let image = image(
        &[
            rule("a.test", Scope::Subtree, Action::Block),
            rule("ok.a.test", Scope::Subtree, Action::Allow),
            rule("bad.ok.a.test", Scope::Subtree, Action::Block),
            rule("b.test", Scope::Exact, Action::Block),
            rule("c.test", Scope::Below, Action::Block),
        ],
        &[("help.test".to_owned(), Scope::Subtree)],
    );
    let texts: [(Dialect, &[&str]); 6] = [
        (Dialect::Domains, &["bad.ok.a.test"]),
        (Dialect::Hosts, &["0.0.0.0 a.test", "0.0.0.0 bad.ok.a.test", "0.0.0.0 b.test"]),
        (
            Dialect::Adblock,
            &[
                "||a.test^",
                "@@||ok.a.test^",
                "||bad.ok.a.test^$important",
                "|b.test^",
                "||*.c.test^",
                "@@||help.test^",
            ],
        ),
        (
            Dialect::Dnsmasq,
            &[
                "address=/a.test/",
                "server=/ok.a.test/#",
                "address=/bad.ok.a.test/",
                "address=/*.c.test/",
                "server=/help.test/#",
            ],
        ),
        (
            Dialect::Unbound,
            &[
                "local-zone: \"a.test.\" always_nxdomain",
                "local-zone: \"ok.a.test.\" always_transparent",
                "local-zone: \"bad.ok.a.test.\" always_nxdomain",
                "local-zone: \"help.test.\" always_transparent",
            ],
        ),
        (
            Dialect::Rpz,
            &[
                "a.test CNAME .",
                "*.a.test CNAME .",
                "ok.a.test CNAME rpz-passthru.",
                "*.ok.a.test CNAME rpz-passthru.",
                "bad.ok.a.test CNAME .",
                "*.bad.ok.a.test CNAME .",
                "b.test CNAME .",
                "*.c.test CNAME .",
                "help.test CNAME rpz-passthru.",
                "*.help.test CNAME rpz-passthru.",
            ],
        ),
    ];
    for (dialect, expected) in texts {
        assert_eq!(lines(&export(&image, dialect).0), expected, "{dialect:?}");
    }
    let (_, unsaid) = export(&image, Dialect::Domains);
    let losses: Vec<_> = unsaid.iter().map(|(loss, count, _)| (loss, count)).collect();
    assert_eq!(losses, [(Loss::Name, 2), (Loss::Below, 1), (Loss::Exception, 2)]);
}

#[test]
fn an_exception_that_grows_keeps_the_blocks_inside() {
    let image = image(
        &[
            rule("a.test", Scope::Subtree, Action::Block),
            rule("www.a.test", Scope::Exact, Action::Allow),
            // Not important by itself: `a.test` says so already, and the compiler drops it
            // unless it says more.
            ("x.www.a.test".to_owned(), Scope::Subtree, Action::Block, false, 21),
        ],
        &[],
    );
    let (text, unsaid) = export(&image, Dialect::Unbound);
    assert_eq!(
        lines(&text),
        [
            "local-zone: \"a.test.\" always_nxdomain",
            "local-zone: \"www.a.test.\" always_transparent",
            "local-zone: \"x.www.a.test.\" always_nxdomain",
        ]
    );
    assert_eq!(unsaid.iter().map(|(loss, ..)| loss).collect::<Vec<_>>(), [Loss::WiderException]);
}

#[test]
fn a_name_too_long_for_a_zone_is_left_out() {
    let label = "a".repeat(63);
    let long = format!("{label}.{label}.{label}.test");
    let longest = format!("{label}.{label}.{label}.{}.test", "b".repeat(56));
    assert_eq!(longest.parse::<Name>().unwrap().as_wire().len(), Name::MAX_LEN);
    let rules = [long.as_str(), &longest].map(|it| rule(it, Scope::Subtree, Action::Block));
    let image = image(&rules, &[]);
    let (text, unsaid) = export(&image, Dialect::Rpz);
    assert_eq!(lines(&text).len(), 2);
    assert_eq!(unsaid.iter().map(|(loss, ..)| loss).collect::<Vec<_>>(), [Loss::Length]);
    assert_eq!(lines(&export(&image, Dialect::Unbound).0).len(), 2);
    assert!(matches!(
        import(&text, Dialect::Rpz).check(&long.parse().unwrap(), CategorySet::ALL),
        Verdict::Block(_)
    ));
}

#[test]
fn a_mandated_exception_ends_a_mandated_block() {
    let rules = [("a.test", Action::Block), ("ok.a.test", Action::Allow)]
        .map(|(name, action)| (name.to_owned(), Scope::Subtree, action, false, 1));
    let image = image(&rules, &[]);
    assert_eq!(word(&image, "ok.a.test"), "pass");
    assert_eq!(lines(&export(&image, Dialect::Adblock).0), ["||a.test^", "@@||ok.a.test^"]);
}

#[test]
fn disabled_categories_are_not_written() {
    let image = image(
        &[
            rule("a.test", Scope::Subtree, Action::Block),
            ("b.test".to_owned(), Scope::Subtree, Action::Block, false, 21),
            ("c.test".to_owned(), Scope::Subtree, Action::Block, false, 1),
        ],
        &[],
    );
    let mut text = Vec::new();
    write(&image, CategorySet::of(21), Dialect::Domains, &mut text).unwrap();
    assert_eq!(lines(&String::from_utf8(text).unwrap()), ["b.test", "c.test"]);
}
