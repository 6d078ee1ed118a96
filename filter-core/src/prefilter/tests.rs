use std::format;
use std::string::String;
use std::vec::Vec;

use proptest::prelude::*;

use super::{Prefilter, PrefilterLayout, build};
use crate::compile::{Compiler, ListInfo};
use crate::image::{self, CHECKSUM_LEN};
use crate::suffix::SuffixHashes;
use crate::{Action, CategorySet, Filter, FormatError, Name, Scope, SectionId};

fn opened(section: &[u8]) -> Option<Prefilter<'_>> {
    PrefilterLayout::read(section)?.view(section)
}

fn name(text: &str) -> Name {
    Name::from_text(text).unwrap()
}

/// An image that blocks the names, each in another scope, with some never to block.
fn image(names: &[String], often_asked: Option<&[Name]>) -> Filter<Vec<u8>> {
    let mut compiler = Compiler::new(1);
    if let Some(often_asked) = often_asked {
        compiler = compiler.with_prefilter(often_asked);
    }
    let list = compiler.list(ListInfo::new("test", CategorySet::of(20))).unwrap();
    for (index, text) in names.iter().enumerate() {
        compiler.rule(&name(text), Scope::ALL[index % 3], Action::Block, list).unwrap();
    }
    compiler.never_block(&name("help.zone1.example"), Scope::Subtree).unwrap();
    Filter::from_bytes(compiler.finish().unwrap().octets).unwrap()
}

fn section(filter: &Filter<Vec<u8>>) -> &[u8] {
    let mut sections = filter.sections();
    let found = sections.find(|section| section.code == SectionId::Prefilter as u16).unwrap();
    &filter.as_bytes()[found.offset as usize..][..found.len_octets as usize]
}

/// Names of two and three labels.
fn names(count: usize) -> Vec<String> {
    let name =
        |number| format!("n{}.{}zone{}.example", number * 7, ["", "a."][number % 2], number % 97);
    (0..count).map(name).collect()
}

/// Names that have no parent in common with [`names`] but `example`.
fn strangers() -> impl Iterator<Item = Name> {
    (0..100_000).map(|number| name(&format!("s{number}.example")))
}

fn verdicts_agree(names: &[String], questions: impl Iterator<Item = Name>) {
    let (with, without) = (image(names, Some(&[])), image(names, None));
    for question in questions {
        let verdict = with.check(&question, CategorySet::ALL);
        assert_eq!(verdict, without.check(&question, CategorySet::ALL), "{question}");
    }
}

#[test]
fn listed_names_and_their_children_get_the_same_verdicts() {
    for count in [0, 1, 2, 3, 10, 100, 1000, 20_000] {
        let names = names(count);
        let below = ["", "www.", "a.b.c.d.", "\\000."];
        let question = |text| below.iter().map(move |below| name(&format!("{below}{text}")));
        verdicts_agree(&names, names.iter().flat_map(question).chain(strangers().take(5000)));
    }
}

#[test]
fn every_rule_passes_and_one_stranger_in_256() {
    let filter = image(&names(30_000), Some(&[]));
    let prefilter = opened(section(&filter)).unwrap();
    for rule in filter.rules() {
        assert!(
            prefilter.may_hold(SuffixHashes::of(&rule.name, &mut [0; 128]).last().unwrap()),
            "{}",
            rule.name
        );
    }
    let passes = |name: &Name| {
        SuffixHashes::of(name, &mut [0; 128]).nth(1).is_some_and(|it| prefilter.may_hold(it))
    };
    let passed = strangers().filter(passes).count();
    assert!((200..600).contains(&passed), "{passed} of 100,000");
}

#[test]
fn a_name_costs_at_most_115_hundredths_of_an_octet() {
    for count in [100_000, 122_680, 170_000] {
        let filter = image(&names(count), Some(&[]));
        let octets = section(&filter).len();
        assert!(octets * 100 <= filter.rule_count() as usize * 115, "{octets} for {count}");
    }
}

#[test]
fn single_labels_are_told_exactly() {
    let mut listed: Vec<String> = ["zip", "mov", "xn--p1ai"].map(String::from).into();
    listed.extend(names(1000));
    let filter = image(&listed, Some(&[]));
    let prefilter = opened(section(&filter)).unwrap();
    let passes = |text: &str| {
        prefilter.may_hold_label(SuffixHashes::of(&name(text), &mut [0; 128]).next().unwrap())
    };
    assert!(["zip", "mov", "xn--p1ai"].into_iter().all(passes));
    let strange = (0..100_000).filter(|number| passes(&format!("s{number}"))).count();
    assert_eq!(strange, 0);
    let questions = ["zip", "a.zip", "b.a.zip", "mov", "a.mov", "xn--p1ai", "a.xn--p1ai", "a.com"];
    verdicts_agree(&listed, questions.into_iter().chain([".", "com"]).map(name));
}

#[test]
fn names_asked_often_are_not_searched_for_nothing() {
    let mut often: Vec<Name> = (0..200).map(|number| name(&format!("co.tld{number}"))).collect();
    let listed = names(2000);
    // One that is listed passes all the same, and a single label is not looked up.
    often.extend([name(&listed[5]), name("com")]);
    let filter = image(&listed, Some(&often));
    let prefilter = opened(section(&filter)).unwrap();
    let passes = |name: &&Name| build::hash_of(name).is_some_and(|hash| prefilter.may_hold(hash));
    let passed: Vec<&Name> = often.iter().filter(passes).collect();
    assert_eq!(passed, [&name(&listed[5])]);
}

#[test]
fn same_rules_give_same_octets() {
    let names = names(500);
    assert_eq!(image(&names, Some(&[])).as_bytes(), image(&names, Some(&[])).as_bytes());
}

#[test]
fn parts_that_do_not_fill_the_section_are_refused() {
    let filter = image(&names(50), Some(&[]));
    let sound = section(&filter).to_vec();
    for len in 0..sound.len() {
        assert!(opened(&sound[..len]).is_none(), "{len}");
    }
    let longer = [&sound[..], &[0]].concat();
    assert!(opened(&longer).is_none());
    for (at, octet) in [(4, 2), (4, 0), (7, 0x80), (8, 0), (11, 0xFF), (12, 1), (15, 255)] {
        let mut damaged = sound.clone();
        damaged[at] = octet;
        assert!(opened(&damaged).is_none(), "{octet} at {at}");
    }
    // The same in an image: the error names the section.
    let mut octets = filter.as_bytes().to_vec();
    let start = octets.len() - CHECKSUM_LEN - sound.len();
    octets[start + 15] = 255;
    let body = octets.len() - CHECKSUM_LEN;
    let checksum = image::checksum(&octets[..body]);
    octets[body..].copy_from_slice(&checksum.to_le_bytes());
    let error = Filter::from_bytes(octets).err();
    assert_eq!(error, Some(FormatError::Section { code: SectionId::Prefilter as u16 }));
}

proptest! {
    #[test]
    fn random_names_get_the_same_verdicts(
        listed in prop::collection::vec("([a-c]{1,2}\\.){0,3}[a-c]{1,2}", 0..60),
        asked in prop::collection::vec("([a-c]{1,2}\\.){0,4}[a-c]{1,2}", 100),
    ) {
        verdicts_agree(&listed, asked.iter().map(|text| name(text)));
    }

    #[test]
    fn any_octets_are_asked_without_panic(
        seed: u32, segments in 0..70u32, segment_len in 0..20u32, labels in 0..5u32,
        rest in prop::collection::vec(any::<u8>(), 0..1100), hash: u64,
    ) {
        let mut section = seed.to_le_bytes().to_vec();
        section.extend(segments.to_le_bytes());
        section.extend(segment_len.to_le_bytes());
        section.extend(labels.to_le_bytes());
        section.extend(&rest);
        // Of the right length, if there is one.
        section.resize((16 + 8 * labels + segments * segment_len) as usize, 7);
        if let Some(prefilter) = opened(&section) {
            let _ = (prefilter.may_hold(hash), prefilter.may_hold_label(hash));
        }
        let _ = opened(&rest);
    }
}
