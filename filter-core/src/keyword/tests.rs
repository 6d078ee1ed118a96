//! The automaton against two oracles, a naive substring search and the `aho-corasick` crate,
//! and the reader against damaged bytes.

use super::build::compile_with_rows;
use super::*;
use aho_corasick::AhoCorasick;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

const ADULT: CategorySet = CategorySet::of(2);
const GAMBLING: CategorySet = CategorySet::of(20);
const DATING: CategorySet = CategorySet::of(15);

fn word(text: &str, categories: CategorySet, weight: u16, boundary: Boundary) -> Word<'_> {
    Word { text, categories, weight, boundary }
}

fn check(section: &[u8], name: &str, enabled: CategorySet) -> Option<KeywordMatch> {
    Keywords::from_section(section).unwrap().check(&Name::from_text(name).unwrap(), enabled)
}

fn small_section() -> Vec<u8> {
    let words = [
        word("sex", ADULT, 60, Boundary::Anywhere),
        word("xxx", ADULT, 100, Boundary::Token),
        word("casino", GAMBLING, 100, Boundary::Anywhere),
        word("bet", GAMBLING, 70, Boundary::Prefix),
        word("bets", GAMBLING, 40, Boundary::Suffix),
        word("club", ADULT.union(GAMBLING), 50, Boundary::Anywhere),
        word("bingo", GAMBLING.union(CategorySet::LOCAL), 100, Boundary::Token),
    ];
    let exceptions = [
        Exception { text: "sussex", weight: 100 },
        Exception { text: "alphabet", weight: 30 },
        Exception { text: "education", weight: 80 },
    ];
    compile(&words, &exceptions, 100).unwrap()
}

#[test]
fn scores_reach_the_threshold_or_not() {
    let section = small_section();
    let found = |categories, word, score| Some(KeywordMatch { categories, word, score });
    for (name, expected) in [
        ("sex.test", None),
        ("sexclub.test", found(ADULT, 0, 110)),
        ("clubsex-sexclub.test", found(ADULT, 0, 110)),
        ("sussexclub.test", None),
        ("sexclub-education.test", None),
        ("xxx.test", found(ADULT, 1, 100)),
        ("xxxx.test", None),
        ("my-xxx_pix.test", found(ADULT, 1, 100)),
        ("axxx.test", None),
        ("1xxx2.test", found(ADULT, 1, 100)),
        ("mycasino.test", found(GAMBLING, 2, 100)),
        ("bets.test", found(GAMBLING, 3, 110)),
        ("betsy.test", None),
        ("mybets.test", None),
        ("bet-club.test", found(GAMBLING, 3, 120)),
        ("alphabet-bets.test", None),
        ("casino-sexclub.test", found(ADULT.union(GAMBLING), 2, 150)),
        ("bingo.test", found(GAMBLING.union(CategorySet::LOCAL), 6, 100)),
        ("CASINO.Test", found(GAMBLING, 2, 100)),
        ("casino", None),
        (".", None),
    ] {
        assert_eq!(check(&section, name, CategorySet::ALL), expected, "{name}");
    }
    let only = check(&section, "casino-sexclub.test", ADULT);
    assert_eq!(only, found(ADULT, 0, 110));
    assert_eq!(check(&section, "casino.test", DATING), None);
}

#[test]
fn only_the_registrable_label_is_scanned() {
    let section = small_section();
    // `zz` is no country's code (ISO 3166-1 leaves it to its users).
    let blocks = |name| check(&section, name, CategorySet::ALL).is_some();
    assert!(blocks("www.casino.test"));
    assert!(blocks("www.casino.zz"));
    assert!(blocks("www.casino.co.zz"));
    assert!(blocks("a.b.casino.com.zz"));
    assert!(!blocks("casino.www.test"));
    assert!(!blocks("casino.example.co.zz"));
    // `co` is generic under a country's top-level domain only.
    assert!(!blocks("casino.co.test"));
    assert!(!blocks("casino.zz.test"));
    assert!(!blocks("co.zz"));
    assert!(!blocks("test.casino"));
    // A longer label than any in the table.
    assert!(!blocks("casino.comcomcomcom.zz"));
    assert!(blocks("www.casinocasino.zz"));
}

#[test]
fn of_an_a_label_the_literal_part_is_text() {
    let section = small_section();
    let blocks = |name| check(&section, name, CategorySet::ALL).is_some();
    assert!(blocks("xn--casino-hva.test"));
    assert!(blocks("xn--bets-hva.test"));
    assert!(!blocks("xn--hva-casino.test"));
    assert!(!blocks("xn--casino.test"));
    assert!(!blocks("xn--.test"));
}

#[test]
fn texts_come_back() {
    let section = small_section();
    let keywords = Keywords::from_section(&section).unwrap();
    let texts: Vec<&str> = keywords.words().map(|word| word.text).collect();
    assert_eq!(texts, ["sex", "xxx", "casino", "bet", "bets", "club", "bingo"]);
    assert_eq!(keywords.len(), 7);
    assert_eq!(keywords.word(4).unwrap(), word("bets", GAMBLING, 40, Boundary::Suffix));
    assert_eq!(keywords.word(7), None);
    assert_eq!(keywords.threshold(), 100);
    let exceptions: Vec<_> = keywords.exceptions().map(|e| (e.text, e.weight)).collect();
    assert_eq!(exceptions, [("sussex", 100), ("alphabet", 30), ("education", 80)]);
}

#[test]
fn no_words_match_nothing() {
    let section = compile(&[], &[Exception { text: "a", weight: 1 }], 1).unwrap();
    assert_eq!(check(&section, "banana.test", CategorySet::ALL), None);
    let section = compile(&[], &[], 1).unwrap();
    assert!(Keywords::from_section(&section).unwrap().is_empty());
    assert_eq!(check(&section, "banana.test", CategorySet::ALL), None);
}

#[test]
fn faults_name_the_word() {
    let good = word("casino", GAMBLING, 100, Boundary::Token);
    let fault = |bad: Word<'_>| {
        let error = compile(&[good, bad], &[], 100).unwrap_err();
        assert_eq!(error.text.as_deref(), Some(bad.text));
        assert!(format!("{error}").starts_with("keyword \""));
        error.problem
    };
    for text in ["", "Casino", "ca sino", "café", "a_b", "a.b", "xn--caf-dma"] {
        assert_eq!(fault(Word { text, ..good }), Problem::BadText, "{text}");
    }
    assert_eq!(fault(Word { text: &"a".repeat(64), ..good }), Problem::BadText);
    assert_eq!(fault(Word { weight: 0, ..good }), Problem::ZeroWeight);
    assert_eq!(fault(Word { categories: CategorySet::EMPTY, ..good }), Problem::NoCategory);
    for bit in [0, 1, 7] {
        let categories = GAMBLING.union(CategorySet::of(bit));
        assert_eq!(fault(Word { categories, ..good }), Problem::ForbiddenCategory);
    }
    let both = ADULT.union(GAMBLING);
    assert_eq!(fault(Word { categories: both, ..good }), Problem::Duplicate);
    assert!(compile(&[good, Word { categories: ADULT, ..good }], &[], 100).is_ok());
    assert!(compile(&[good, Word { boundary: Boundary::Suffix, ..good }], &[], 100).is_ok());

    let exception = Exception { text: "casino", weight: 1 };
    assert!(compile(&[good], &[exception], 100).is_ok());
    let error = compile(&[good], &[exception, exception], 100).unwrap_err();
    assert_eq!(error.problem, Problem::Duplicate);
    assert_eq!(compile(&[good], &[], 0).unwrap_err().problem, Problem::ZeroThreshold);
}

#[test]
fn limits_are_errors() {
    let texts: Vec<String> = (0..4097).map(|number| format!("{number}")).collect();
    let mut words: Vec<Word<'_>> =
        texts.iter().map(|text| word(text, ADULT, 1, Boundary::Token)).collect();
    assert_eq!(compile(&words, &[], 1).unwrap_err().problem, Problem::TooManyPatterns);
    words[4095].weight = 2;
    let section = compile(&words[..4096], &[], 1).unwrap();
    assert_eq!(check(&section, "4095.test", ADULT).unwrap().word, 4095);

    let texts: Vec<String> = (0..1100).map(|number| format!("{number:0>40}")).collect();
    let words: Vec<Word<'_>> =
        texts.iter().map(|text| word(text, ADULT, 1, Boundary::Token)).collect();
    assert!(compile(&words, &[], 1).is_ok());
    let texts: Vec<String> = (0..1100).map(|number| format!("{number}{:0>40}", "")).collect();
    let words: Vec<Word<'_>> =
        texts.iter().map(|text| word(text, ADULT, 1, Boundary::Token)).collect();
    assert_eq!(compile(&words, &[], 1).unwrap_err().problem, Problem::TooManyStates);
    let texts: Vec<String> = (0..1100).map(|number| format!("{number:0>60}")).collect();
    let words: Vec<Word<'_>> =
        texts.iter().map(|text| word(text, ADULT, 1, Boundary::Token)).collect();
    assert_eq!(compile(&words, &[], 1).unwrap_err().problem, Problem::TooMuchText);
}

/// A section of the size the design speaks of: 300 words and 100 exceptions of 4 to 14
/// letters, made of syllables so that they share prefixes as words do.
#[test]
fn three_hundred_words_stay_small() {
    const SYLLABLES: [&str; 24] = [
        "ca", "si", "no", "por", "bet", "ling", "sex", "ta", "re", "mi", "cha", "dro", "gue", "lo",
        "ter", "pa", "ri", "play", "ju", "ego", "win", "kra", "vo", "st",
    ];
    let mut random = 7u32;
    let mut texts = BTreeSet::new();
    while texts.len() < 400 {
        let mut text = String::new();
        while text.len() < 4 || !random.is_multiple_of(5) {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) >> 1;
            text.push_str(SYLLABLES[random as usize / 7 % SYLLABLES.len()]);
            if text.len() > 10 {
                break;
            }
        }
        texts.insert(text);
    }
    let texts: Vec<String> = texts.into_iter().collect();
    let (mut words, mut exceptions) = (Vec::new(), Vec::new());
    for (index, text) in texts.iter().enumerate() {
        if index % 4 == 3 {
            exceptions.push(Exception { text, weight: 50 });
        } else {
            words.push(word(text, ADULT, 60, Boundary::ALL[index % 3]));
        }
    }
    let section = compile(&words, &exceptions, 100).unwrap();
    let keywords = Keywords::from_section(&section).unwrap();
    std::println!(
        "{} words and {} exceptions, {} letters: {} octets; {keywords:?}: {} rows, {} nodes, {} matches",
        words.len(),
        exceptions.len(),
        keywords.text.len(),
        section.len(),
        keywords.rows.len(),
        keywords.nodes.len(),
        keywords.matches.len(),
    );
    assert!(section.len() <= 32 * 1024, "{}", section.len());
}

#[test]
fn damaged_bytes_never_panic() {
    let words = [
        word("aab", ADULT, 60, Boundary::Anywhere),
        word("ab", ADULT.union(GAMBLING), 100, Boundary::Token),
        word("b-b", GAMBLING, 70, Boundary::Suffix),
    ];
    let exceptions = [Exception { text: "bab", weight: 30 }];
    let names = ["xaab-b.co.zz", "xn--babb-ab-a.test", "ab-b_aaab1ab.test"];
    let names = names.map(|name| Name::from_text(name).unwrap());
    let ask = |keywords: Keywords<'_>| {
        for name in &names {
            keywords.check(name, CategorySet::ALL);
        }
        keywords.words().for_each(drop);
        keywords.exceptions().for_each(drop);
    };
    for rows in [1, 3] {
        let section = compile_with_rows(&words, &exceptions, 100, rows).unwrap();
        let mut refused = 0;
        for position in 0..section.len() {
            for value in 1..=255 {
                let mut damaged = section.clone();
                damaged[position] ^= value;
                match Keywords::from_section(&damaged) {
                    Ok(keywords) => ask(keywords),
                    Err(_) => refused += 1,
                }
                Keywords::reopen(&damaged).map(ask);
            }
        }
        assert!(refused > section.len() * 255 / 3, "{refused} of {}", section.len() * 255);
        for end in 0..section.len() {
            assert!(Keywords::from_section(&section[..end]).is_err());
        }
        let longer = [section.as_slice(), &[0]].concat();
        assert!(Keywords::from_section(&longer).is_err());
    }
}

/// The documented semantics with nothing but substring search.
fn naive_check(
    words: &[Word<'_>],
    exceptions: &[Exception<'_>],
    threshold: u16,
    label: &str,
    enabled: CategorySet,
) -> Option<KeywordMatch> {
    let text = label.as_bytes();
    let at = |pattern: &str, start: usize| text[start..].starts_with(pattern.as_bytes());
    let separator = |octet: u8| octet.is_ascii_digit() || octet == b'-' || octet == b'_';
    let counts = |word: &&(usize, &Word<'_>)| {
        let length = word.1.text.len();
        (0..text.len()).any(|start| {
            at(word.1.text, start)
                && match word.1.boundary {
                    Boundary::Token => {
                        (start == 0 || separator(text[start - 1]))
                            && (start + length == text.len() || separator(text[start + length]))
                    }
                    Boundary::Prefix => start == 0,
                    Boundary::Suffix => start + length == text.len(),
                    Boundary::Anywhere => true,
                }
        })
    };
    let numbered: Vec<(usize, &Word<'_>)> = words.iter().enumerate().collect();
    let found: Vec<&(usize, &Word<'_>)> = numbered.iter().filter(counts).collect();
    let less: i32 = exceptions
        .iter()
        .filter(|exception| label.contains(exception.text))
        .map(|exception| i32::from(exception.weight))
        .sum();
    let mut result: Option<KeywordMatch> = None;
    for bit in enabled.iter() {
        let category = CategorySet::of(bit);
        let of_category = found.iter().filter(|(_, word)| word.categories.intersects(category));
        let score = of_category.map(|(_, word)| i32::from(word.weight)).sum::<i32>() - less;
        if score >= i32::from(threshold) {
            let so_far =
                result.unwrap_or(KeywordMatch { categories: CategorySet::EMPTY, word: 0, score });
            let categories = so_far.categories.union(category);
            result = Some(KeywordMatch { categories, word: 0, score: score.max(so_far.score) });
        }
    }
    let categories = result?.categories;
    let heaviest = found
        .iter()
        .filter(|(_, word)| word.categories.intersects(categories))
        .map(|(_, word)| word.weight)
        .max()?;
    let (first, _) = found
        .iter()
        .find(|(_, word)| word.weight == heaviest && word.categories.intersects(categories))?;
    result.map(|result| KeywordMatch { word: *first as u16, ..result })
}

/// Words that share letters, so that failures, overlaps and nested matches abound.
fn any_word() -> impl Strategy<Value = (String, u32, u16, usize)> {
    ("[ab]{1,4}|[abc1-]{1,5}|[a-c]{2}[0-9a-z-]{0,3}", 1u32..16, 1u16..60, 0usize..4)
}

fn distinct(words: &[(String, u32, u16, usize)]) -> Vec<Word<'_>> {
    let mut seen = BTreeSet::new();
    words
        .iter()
        .filter(|(text, _, _, boundary)| seen.insert((text, boundary)))
        .map(|(text, bits, weight, boundary)| {
            word(text, CategorySet(bits << 2), *weight, Boundary::ALL[*boundary])
        })
        .collect()
}

proptest! {
    #[test]
    fn agrees_with_substring_search(
        words in prop::collection::vec(any_word(), 0..20),
        exceptions in prop::collection::btree_map("[abc]{1,4}", 1u16..40, 0..4),
        labels in prop::collection::vec("[ab]{1,20}|[abc1_-]{1,40}|[a-c]{1,63}|[a-z0-9-]{1,63}", 1..20),
        threshold in 1u16..120,
        enabled in any::<u32>(),
        rows in 1usize..60,
    ) {
        let words = distinct(&words);
        let exceptions: Vec<Exception<'_>> = exceptions
            .iter()
            .map(|(text, &weight)| Exception { text, weight })
            .collect();
        let section = compile_with_rows(&words, &exceptions, threshold, rows).unwrap();
        let keywords = Keywords::from_section(&section).unwrap();
        for label in labels.iter().filter(|label| !label.starts_with("xn--")) {
            for enabled in [CategorySet(enabled), CategorySet::ALL] {
                let name = Name::from_text(format!("www.{label}.test")).unwrap();
                prop_assert_eq!(
                    keywords.check(&name, enabled),
                    naive_check(&words, &exceptions, threshold, label, enabled),
                    "{}", label
                );
            }
        }
        prop_assert_eq!(keywords.words().collect::<Vec<_>>(), words.clone());
        let again = compile_with_rows(&words, &exceptions, threshold, rows).unwrap();
        prop_assert!(again == section);
    }

    #[test]
    fn agrees_with_the_aho_corasick_crate(
        words in prop::collection::vec(any_word(), 1..60),
        labels in prop::collection::vec("[ab]{1,63}|[abc1-]{1,63}", 1..20),
        rows in 1usize..60,
    ) {
        let anywhere: Vec<_> = words.iter().map(|(t, b, w, _)| (t.clone(), *b, *w, 3)).collect();
        let words = distinct(&anywhere);
        let section = compile_with_rows(&words, &[], 1, rows).unwrap();
        let keywords = Keywords::from_section(&section).unwrap();
        let oracle = AhoCorasick::new(words.iter().map(|word| word.text)).unwrap();
        for label in &labels {
            let mut expected: Vec<usize> = oracle
                .find_overlapping_iter(label)
                .map(|found| found.pattern().as_usize())
                .collect();
            let mut found: Vec<usize> =
                keywords.occurrences(label.as_bytes()).map(|p| p.index.into()).collect();
            expected.sort_unstable();
            found.sort_unstable();
            prop_assert_eq!(found, expected, "{}", label);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_answer(
        head in prop::array::uniform8(0u16..12),
        rest in prop::collection::vec(any::<u8>(), 0..2000),
        name in "[a-z-]{1,20}\\.[a-z]{2}",
    ) {
        let mut section: Vec<u8> = head.iter().flat_map(|number| number.to_le_bytes()).collect();
        let [_, levels, rows, nodes, matches, words, exceptions, text] = head.map(usize::from);
        let size = 8 * levels + 74 * rows + 5 * nodes + 4 * matches
            + 12 * (words + exceptions) + text;
        section.extend(rest.iter().copied().chain(core::iter::repeat(1)).take(size));
        let name = Name::from_text(name).unwrap();
        let keywords = Keywords::reopen(&section).unwrap();
        keywords.check(&name, CategorySet::ALL);
        if let Ok(keywords) = Keywords::from_section(&section) {
            keywords.check(&name, CategorySet::ALL);
        }
    }
}

#[test]
fn codes_are_places() {
    for (place, boundary) in Boundary::ALL.into_iter().enumerate() {
        assert_eq!(usize::from(boundary.code()), place);
        assert_eq!(Boundary::from_code(boundary.code()), Some(boundary));
    }
    assert_eq!(Boundary::from_code(4), None);
    assert_eq!(vec![Boundary::Token.word()], ["token"]);
}
