//! Images: whatever opens answers every question, and answers about the name it was asked.
//!
//! A checksum keeps random damage out, and a fuzzer with it. So the octets are put into order
//! first: header, section table and checksum are made to fit what is there.

use std::sync::LazyLock;

use crc::{CRC_32_ISCSI, Crc};
use filter_core::compile::{BlockShape, Compiler, ListInfo};
use filter_core::keyword::{self, Boundary, Exception, Word};
use filter_core::{Action, CategorySet, Filter, MAGIC, Name, Scope, Trigger, VERSION, Verdict};

/// Damages a sound image and asks what is left of it. The first octet says how many patches
/// follow, each an offset (u16, little-endian) and the octet to put there; names are read from
/// the octets behind them. 255 patches mean none: the octets themselves are the image.
pub fn image(octets: &[u8]) {
    let Some((&patch_count, octets)) = octets.split_first() else { return };
    let (mut image, names) = match patch_count {
        u8::MAX => (octets.to_vec(), octets),
        _ => {
            let patches_len = octets.len().min(3 * usize::from(patch_count));
            let (patches, names) = octets.split_at(patches_len);
            (patched(patches), names)
        }
    };
    put_in_order(&mut image);
    let Ok(filter) = Filter::from_bytes(image) else { return };

    for offset in 0..names.len().min(64) {
        if let Ok((name, _)) = Name::from_message(names, offset) {
            ask(&filter, &name);
        }
    }
    let mut rules = 0;
    for rule in filter.rules().take(RULES_MAX) {
        if rules % ASK_EVERY == 0 {
            ask(&filter, &rule.name);
        }
        assert!(rule.facets().count() <= usize::from(u8::MAX));
        rules += 1;
    }
    assert!(rules <= filter.rule_count() as usize);
    for (name, _) in filter.never_block().take(RULES_MAX) {
        ask(&filter, &name);
    }
    let described = filter.sections().count() + filter.categories().count();
    assert!(described + filter.lists().count() <= filter.as_bytes().len());
    if let Some(keywords) = filter.keywords() {
        assert!(keywords.words().count() <= keywords.len());
        assert!(keywords.exceptions().all(|exception| exception.weight > 0));
    }
}

/// How many rules of one image are decoded; one that claims billions ends where its octets do.
const RULES_MAX: usize = 1000;
/// Not every one of them is asked about: neighbors take the same way through the image.
const ASK_EVERY: usize = 16;

pub(crate) fn ask(filter: &Filter<Vec<u8>>, name: &Name) {
    let enabled = CategorySet(0xAAAA_AAAA);
    let verdict = filter.check(name, enabled);
    let Some(hit) = verdict.hit() else { return };
    assert!(enabled.union(CategorySet::MANDATED).contains(hit.categories));
    match hit.trigger {
        Trigger::Exact => {}
        Trigger::Suffix { labels } => assert!(usize::from(labels) < name.label_count()),
        Trigger::Keyword { word } => {
            assert!(matches!(verdict, Verdict::Block(_)));
            assert!(filter.keywords().is_some_and(|keywords| keywords.word(word).is_some()));
        }
    }
}

/// The sound image with some octets replaced.
fn patched(patches: &[u8]) -> Vec<u8> {
    let mut image = SOUND.clone();
    for &[low, high, octet] in patches.as_chunks().0 {
        let at = usize::from(u16::from_le_bytes([low, high])) % image.len();
        image[at] = octet;
    }
    image
}

/// Gives octets a header, a section table and a checksum that fit. Ids and lengths of the
/// sections stay as they are, as far as the octets reach.
pub(crate) fn put_in_order(image: &mut [u8]) {
    if image.len() < HEADER_LEN + CHECKSUM_LEN {
        return;
    }
    let end = image.len() - CHECKSUM_LEN;
    let section_count = u16::from_le_bytes([image[10], image[11]]);
    let section_count = section_count.min(((end - HEADER_LEN) / ENTRY_LEN).min(16) as u16);
    image[..8].copy_from_slice(&MAGIC);
    image[8..10].copy_from_slice(&VERSION.to_le_bytes());
    image[10..12].copy_from_slice(&section_count.to_le_bytes());

    let mut offset = HEADER_LEN + usize::from(section_count) * ENTRY_LEN;
    for index in 0..usize::from(section_count) {
        let entry = &mut image[HEADER_LEN + index * ENTRY_LEN..][..ENTRY_LEN];
        let wanted = u32::from_le_bytes([entry[8], entry[9], entry[10], entry[11]]) as usize;
        let is_last = index + 1 == usize::from(section_count);
        let len = if is_last { end - offset } else { wanted.min(end - offset) };
        entry[4..8].copy_from_slice(&(offset as u32).to_le_bytes());
        entry[8..12].copy_from_slice(&(len as u32).to_le_bytes());
        offset += len;
    }
    repair_checksum(image);
}

/// Makes length and checksum fit, and nothing else.
pub(crate) fn repair_checksum(image: &mut [u8]) {
    let len_octets = image.len() as u32;
    if let Some(slot) = image.get_mut(12..16) {
        slot.copy_from_slice(&len_octets.to_le_bytes());
    }
    if let Some((body, stored)) = image.split_last_chunk_mut::<CHECKSUM_LEN>() {
        *stored = CRC.checksum(body).to_le_bytes();
    }
}

static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// As in the layout of format version 1.
pub(crate) const HEADER_LEN: usize = 24;
pub(crate) const ENTRY_LEN: usize = 12;
const CHECKSUM_LEN: usize = 4;

static SOUND: LazyLock<Vec<u8>> = LazyLock::new(|| sound(Compiler::new(7).with_prefilter(&[])));

/// Sound images in blocks of several shapes, with a prefilter and without.
pub(crate) fn sound_images() -> Vec<Vec<u8>> {
    let small = BlockShape { interval: 3, sub_blocks: 2 };
    let shaped = |shape| Compiler::new(7).with_shape(shape);
    let mut images = vec![SOUND.clone()];
    images.extend([small, BlockShape::SERVER, BlockShape::DENSE].map(|shape| sound(shaped(shape))));
    images
}

/// A small image that uses every section and several blocks.
fn sound(mut compiler: Compiler) -> Vec<u8> {
    let lists: Vec<u8> = [(1, "mandated"), (2, "adult"), (21, "gambling"), (31, "local")]
        .into_iter()
        .map(|(bit, name)| {
            compiler.category(bit, name).unwrap();
            compiler.list(ListInfo::new(name, CategorySet::of(bit))).unwrap()
        })
        .collect();
    for number in 0..300usize {
        let zone = format!("name{}.{}", number * 7919 % 1000, ["example", "test"][number % 2]);
        let name = if number % 5 == 0 { format!("www.{zone}") } else { zone };
        let scope = Scope::ALL[number % 3];
        let action = if number % 11 == 0 { Action::Allow } else { Action::Block };
        let name = Name::from_text(name).unwrap();
        compiler.rule(&name, scope, action, lists[number % lists.len()]).unwrap();
    }
    for name in ["help.example", "name1.test"] {
        compiler.never_block(&Name::from_text(name).unwrap(), Scope::Subtree).unwrap();
    }
    let word =
        |text, boundary| Word { text, categories: CategorySet::of(21), weight: 60, boundary };
    let words = [
        word("casino", Boundary::Anywhere),
        word("bet", Boundary::Token),
        word("poker", Boundary::Prefix),
        word("slots", Boundary::Suffix),
    ];
    let exceptions = [Exception { text: "alphabet", weight: 60 }];
    compiler.keywords(keyword::compile(&words, &exceptions, 60).unwrap());
    compiler.finish().unwrap().octets
}
