//! Explanations of small images.

use std::path::Path;

use filter_core::compile::{Compiler, ListInfo};
use filter_core::keyword::{self, Boundary, Word};
use filter_core::{Facet, ListSet};

use super::*;

const PLAIN: Output = Output { json: false, color: false, quiet: true };

fn image() -> ImageFile {
    let mut compiler = Compiler::new(1);
    let lists = [
        (1, "illegal_other", "order", "https://authority.example/"),
        (20, "gambling", "casinos", "https://lists.example/casinos"),
        (31, "local_policy", "ours", ""),
    ];
    for (bit, category, id, source) in lists {
        compiler.category(bit, category).unwrap();
        compiler.list(ListInfo { source, ..ListInfo::new(id, CategorySet::of(bit)) }).unwrap();
    }
    let mut rule = |name: &str, scope, action, important, list: u8| {
        let categories = CategorySet::of(lists[usize::from(list)].0);
        let lists = ListSet::from_iter([list]);
        let facet = Facet { scope, action, important, categories, lists };
        compiler.facet(&name.parse().unwrap(), facet).unwrap();
    };
    rule("casino.example", Scope::Subtree, Action::Block, false, 1);
    rule("rules.casino.example", Scope::Exact, Action::Allow, false, 1);
    rule("ours.example", Scope::Subtree, Action::Allow, false, 2);
    rule("ours.example", Scope::Subtree, Action::Block, false, 1);
    rule("order.example", Scope::Subtree, Action::Block, false, 0);
    rule("strict.example", Scope::Subtree, Action::Block, true, 1);
    rule("www.strict.example", Scope::Exact, Action::Allow, false, 1);
    compiler.never_block(&"help.casino.example".parse().unwrap(), Scope::Subtree).unwrap();
    let gambling = CategorySet::of(20);
    let words =
        [Word { text: "jackpot", categories: gambling, weight: 100, boundary: Boundary::Anywhere }];
    compiler.keywords(keyword::compile(&words, &[], 100).unwrap());
    ImageFile::from_octets(Path::new("x.gfi"), compiler.finish().unwrap().octets).unwrap()
}

fn explain(name: &str, language: Language) -> String {
    let image = image();
    let name = name.parse().unwrap();
    Explanation::new(&image, None, &name, CategorySet::ALL, language).render(&PLAIN)
}

#[track_caller]
fn says(name: &str, parts: &[&str]) {
    let text = explain(name, Language::En);
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn each_level_of_precedence_is_explained() {
    says(
        "www.casino.example",
        &[
            "www.casino.example is blocked.\nThe rule for casino.example decides.",
            "Categories: gambling.",
            "casino.example and everything below: block, gambling\n    list casinos\n    this decides",
            "x.gfi.why is missing",
            "write `www.casino.example` into a file local-allow.txt",
            "category = \"local_policy\"",
            "tell the publisher of list casinos: https://lists.example/casinos",
        ],
    );
    says(
        "rules.casino.example",
        &[
            "rules.casino.example alone: let through, gambling\n    list casinos\n    this decides",
            "overridden by the more specific rule for rules.casino.example",
        ],
    );
    says("x.rules.casino.example", &["is blocked", "does not reach this name"]);
    says(
        "chat.help.casino.example",
        &[
            "never blocked: help",
            "overridden: help.casino.example is never blocked",
            "[never_block]",
        ],
    );
    says("ours.example", &["Your own rule", "overridden by your own rule", "own list ours"]);
    says("order.example", &["by law", "cannot be lifted", "https://authority.example/"]);
    says("www.strict.example", &["is blocked", "overridden by an important rule"]);
    says(
        "big-jackpot.example",
        &["the word `jackpot`", "score 100", "No list says anything", "text = \"big-jackpot\""],
    );
    says("nothing.example", &["nothing is known against it", "file local.txt"]);
}

#[test]
fn an_own_list_that_exists_is_named() {
    let mut compiler = Compiler::new(1);
    compiler.list(ListInfo::new("local", CategorySet::LOCAL)).unwrap();
    let octets = compiler.finish().unwrap().octets;
    let image = ImageFile::from_octets(Path::new("x.gfi"), octets).unwrap();
    let name = "x.example".parse().unwrap();
    let explanation = Explanation::new(&image, None, &name, CategorySet::ALL, Language::En);
    let advice = explanation.advice().join("\n");
    assert!(advice.contains("your list local and") && !advice.contains("[[list]]"), "{advice}");
}

#[test]
fn french_says_the_same() {
    let text = explain("www.casino.example", Language::Fr);
    assert!(text.starts_with("www.casino.example est bloqué.\nLa règle pour casino.example"));
    for name in
        ["help.casino.example", "ours.example", "order.example", "jackpot.example", "x.test"]
    {
        for language in [Language::En, Language::Fr] {
            let text = explain(name, language);
            assert!(!text.contains(['{', '}']) && text.lines().count() > 4, "{text}");
        }
    }
}

#[test]
fn disabled_categories_are_said_so() {
    let image = image();
    let name = "casino.example".parse().unwrap();
    let enabled = CategorySet::of(5);
    let explanation = Explanation::new(&image, None, &name, enabled, Language::En);
    assert!(explanation.render(&PLAIN).contains("its category is not enabled"));
    let json = explanation.to_json();
    assert_eq!((json["verdict"].as_str(), json["version"].as_u64()), (Some("pass"), Some(1)));
    assert_eq!(json["rules"][0]["effect"], "disabled");
}
