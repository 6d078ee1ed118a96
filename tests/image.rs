//! The image as a file: old ones still load, same inputs give the same octets, and damaged
//! ones are refused, or at worst answered from without panic.

mod common;

use std::fs;

use common::{Random, data};
use filter_core::compile::{BlockShape, Compiler, ListInfo};
use filter_core::keyword::{self, Boundary, Exception, Word};
use filter_core::{Action, CategorySet, Facet, Filter, FormatError, Name, Scope, Verdict};

/// Everything format version 2 has, in a few kilobytes.
fn small_image(shape: BlockShape) -> Vec<u8> {
    let mut compiler = Compiler::new(7).with_shape(shape);
    compiler.category(1, "illegal_other").unwrap();
    compiler.category(20, "gambling").unwrap();
    compiler.category(31, "local_policy").unwrap();
    let gambling = ListInfo {
        title: "Gambling",
        license: "CC0-1.0",
        source: "https://lists.example/gambling.txt",
        expires_days: 30,
        entry_count: 40,
        ..ListInfo::new("gambling-test", CategorySet::of(20))
    };
    let gambling = compiler.list(gambling).unwrap();
    let court = compiler.list(ListInfo::new("court-test", CategorySet::of(1))).unwrap();
    let local = compiler.list(ListInfo::new("local-test", CategorySet::LOCAL)).unwrap();
    for index in 0..30 {
        let name = name(&format!("casino-{index}.bets{}.example", index % 4));
        compiler.rule(&name, Scope::ALL[index % 3], Action::Block, gambling).unwrap();
    }
    compiler.rule(&name("bets1.example"), Scope::Subtree, Action::Block, gambling).unwrap();
    compiler.rule(&name("a.casino-5.bets1.example"), Scope::Exact, Action::Allow, local).unwrap();
    compiler.rule(&name("ordered.example"), Scope::Subtree, Action::Block, court).unwrap();
    let important = Facet {
        scope: Scope::Subtree,
        action: Action::Block,
        important: true,
        categories: CategorySet::of(20),
        lists: [gambling].into_iter().collect(),
    };
    compiler.facet(&name("strong.test"), important).unwrap();
    compiler.never_block(&name("help.bets1.example"), Scope::Subtree).unwrap();
    compiler.never_block(&name("captive.example"), Scope::Exact).unwrap();
    let word =
        |text, weight, boundary| Word { text, weight, boundary, categories: CategorySet::of(20) };
    let words = [word("casino", 100, Boundary::Anywhere), word("bet", 100, Boundary::Token)];
    let exceptions = [Exception { text: "prevention", weight: 100 }];
    compiler.keywords(keyword::compile(&words, &exceptions, 100).unwrap());
    compiler.finish().unwrap().octets
}

fn name(text: &str) -> Name {
    Name::from_text(text).unwrap()
}

const QUESTIONS: [(&str, &str); 12] = [
    ("casino-0.bets0.example", "block"),
    ("casino-3.bets3.example", "block"),
    ("x.casino-3.bets3.example", "pass"),
    ("casino-2.bets2.example", "pass"),
    ("x.casino-2.bets2.example", "block"),
    ("a.casino-5.bets1.example", "allow"),
    ("b.casino-5.bets1.example", "block"),
    ("www.help.bets1.example", "allow"),
    ("ordered.example", "block"),
    ("x.strong.test", "block"),
    ("best-casino.test", "block"),
    ("casino-prevention.test", "pass"),
];

fn assert_answers(filter: &Filter<Vec<u8>>) {
    for (question, expected) in QUESTIONS {
        let verdict = filter.check(&name(question), CategorySet::ALL);
        assert_eq!(verdict.word(), expected, "{question}: {verdict:?}");
    }
}

/// Regenerate with `UPDATE_GOLDEN=1 cargo test -p filter-cli --test image`, and only together
/// with a new format version or before the first release.
#[test]
fn format_version_2_still_loads() {
    let golden = data("images/v2.gfi");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(golden.parent().unwrap()).unwrap();
        fs::write(&golden, small_image(BlockShape::default())).unwrap();
    }
    let octets = fs::read(&golden).unwrap();
    let filter = Filter::from_bytes(octets.clone()).unwrap();
    assert_eq!(filter.header().serial, 7);
    let lists: Vec<_> = filter.lists().map(|list| list.id).collect();
    assert_eq!(lists, ["gambling-test", "court-test", "local-test"]);
    assert_eq!(filter.rules().count(), filter.rule_count() as usize);
    assert_answers(&filter);
    assert!(octets == small_image(BlockShape::default()), "this build writes other octets");
}

#[test]
fn same_inputs_give_same_octets() {
    let shape = BlockShape { interval: 4, sub_blocks: 2 };
    assert_eq!(small_image(shape), small_image(shape));
}

#[test]
fn any_alignment_will_do() {
    let image = small_image(BlockShape::default());
    for offset in 0..4 {
        let mut shifted = vec![0; offset];
        shifted.extend(&image);
        let filter = Filter::from_bytes(&shifted[offset..]).unwrap();
        assert!(filter.check(&name("casino-0.bets0.example"), CategorySet::ALL).is_block());
    }
}

#[test]
fn every_truncation_is_refused() {
    let image = small_image(BlockShape::default());
    for len in 0..image.len() {
        assert_eq!(Filter::from_bytes(&image[..len]).err(), Some(FormatError::Truncated), "{len}");
    }
    let longer = [image.as_slice(), &[0]].concat();
    assert_eq!(Filter::from_bytes(longer).err(), Some(FormatError::Trailing));
}

#[test]
fn every_flipped_bit_is_refused() {
    let mut image = small_image(BlockShape::default());
    for bit in 0..image.len() * 8 {
        image[bit / 8] ^= 1 << (bit % 8);
        assert!(Filter::from_bytes(image.as_slice()).is_err(), "bit {bit}");
        image[bit / 8] ^= 1 << (bit % 8);
    }
}

/// The checksum is no defense against who can compute it: behind a fitting one, any octets.
#[test]
fn damage_behind_a_fitting_checksum_costs_answers_at_worst() {
    for shape in [BlockShape::default(), BlockShape { interval: 3, sub_blocks: 2 }] {
        let image = small_image(shape);
        for bit in 0..(image.len() - 4) * 8 {
            let mut damaged = image.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            ask(damaged);
        }
        for len in 28..image.len() {
            let mut cut = image[..len].to_vec();
            let length = (len as u32).to_le_bytes();
            cut[12..16].copy_from_slice(&length);
            ask(cut);
        }
        let mut random = Random(42);
        for _ in 0..20_000 {
            let mut damaged = image.clone();
            for _ in 0..1 + random.below(6) {
                let at = random.below(damaged.len());
                damaged[at] = random.below(256) as u8;
            }
            ask(damaged);
        }
    }
}

/// Repairs the checksum, and where the image loads, asks it everything.
fn ask(mut image: Vec<u8>) {
    let body = image.len() - 4;
    let checksum = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(&image[..body]);
    image[body..].copy_from_slice(&checksum.to_le_bytes());
    let Ok(filter) = Filter::from_bytes(image) else { return };
    for (question, _) in QUESTIONS {
        let name = name(question);
        if let Verdict::Block(hit) = filter.check(&name, CategorySet::ALL) {
            let _ = hit.lists.iter().count();
        }
    }
    let _ = filter.rules().take(1000).map(|rule| rule.facets().count()).sum::<usize>();
    let _ = filter.never_block().take(1000).count();
    let _ = (filter.lists().count(), filter.categories().count(), filter.sections().count());
}
