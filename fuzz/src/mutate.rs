//! Damaged images, numbered: what a number stands for is the same on every machine, so a finding
//! is one number. Unlike the fuzzer, which follows the code, this goes everywhere alike.

use std::sync::LazyLock;

use filter_core::{Filter, Name};

use crate::image::{ENTRY_LEN, HEADER_LEN, ask, put_in_order, repair_checksum, sound_images};
use crate::random::XorShift;

/// A sound image, damaged in the way of this number, with a checksum that fits.
pub fn mutated(number: u64) -> Vec<u8> {
    let mut random = XorShift::new(number);
    let images = &*SOUND;
    let mut image = images[random.below(images.len())].clone();
    let spans = sections(&image);
    let everywhere = (0, image.len());
    let table = (HEADER_LEN, HEADER_LEN + spans.len() * ENTRY_LEN);
    let (start, len) = spans[random.below(spans.len())];
    // Counts and offsets stand in front, where an octet does the most harm.
    let front = (start, start + len.min(64));
    let mut keeps_order = random.below(2) == 0;
    match number % 8 {
        0 => patch(&mut image, everywhere, 1, &mut random),
        1 => {
            let count = 2 + random.below(7);
            patch(&mut image, everywhere, count, &mut random);
        }
        2 => {
            for _ in 0..1 + random.below(3) {
                let bit = random.below(8 * image.len());
                image[bit / 8] ^= 1 << (bit % 8);
            }
        }
        3 => image.truncate(random.below(image.len())),
        4 => {
            let count = 1 + random.below(4);
            patch(&mut image, table, count, &mut random);
            keeps_order = false;
        }
        5 => {
            let count = 1 + random.below(3);
            patch(&mut image, front, count, &mut random);
        }
        6 => {
            let start = random.below(image.len());
            let end = image.len().min(start + 1 + random.below(64));
            let filling = [0, u8::MAX, random.octet()][random.below(3)];
            image[start..end].fill(filling);
        }
        _ => {
            let (from, to) = (random.below(image.len()), random.below(image.len()));
            let len = random.below(256).min(image.len() - from.max(to));
            image.copy_within(from..from + len, to);
        }
    }
    if keeps_order {
        put_in_order(&mut image)
    } else {
        repair_checksum(&mut image)
    }
    image
}

/// Overwrites octets between two offsets.
fn patch(image: &mut [u8], (start, end): (usize, usize), count: usize, random: &mut XorShift) {
    for _ in 0..count {
        let at = start + random.below(end.saturating_sub(start).max(1));
        image[at] = random.octet();
    }
}

/// Opens an image and, when it opens, asks it a dozen names and shows some of what is in it.
/// Whether it opened.
pub fn examine(image: Vec<u8>) -> bool {
    let Ok(filter) = Filter::from_bytes(image) else { return false };
    QUESTIONS.iter().for_each(|name| ask(&filter, name));
    let facets = filter.rules().take(SHOWN_MAX).map(|rule| rule.facets().count());
    assert!(facets.max() <= Some(usize::from(u8::MAX)));
    assert!(filter.never_block().take(SHOWN_MAX).count() <= filter.never_block_count() as usize);
    let described = filter.sections().count() + filter.categories().count();
    assert!(described + filter.lists().count() <= filter.as_bytes().len());
    if let Some(keywords) = filter.keywords() {
        assert!(keywords.words().count() <= keywords.len());
        assert!(keywords.exceptions().all(|exception| exception.weight > 0));
    }
    true
}

/// How many names of a set are decoded; the sound images have fewer.
const SHOWN_MAX: usize = 1000;

static SOUND: LazyLock<Vec<Vec<u8>>> = LazyLock::new(sound_images);

/// Listed names and names beside them, never blocked ones, words, and the limits of a name.
static QUESTIONS: LazyLock<Vec<Name>> = LazyLock::new(|| {
    let longest = ["a"; 127].join(".");
    let widest = ["z".repeat(63).as_str(); 3].join(".") + "." + &"0".repeat(61);
    let texts = [
        "name0.example",
        "www.name595.test",
        "a.b.name757.test",
        "name758.example",
        "help.example",
        "x.name1.test",
        "alphabet-casino.example",
        "bet.co.uk",
        "example",
        ".",
        longest.as_str(),
        widest.as_str(),
        r"a\.b\000.name0.example",
    ];
    texts.iter().map(|text| Name::from_text(text).unwrap()).collect()
});

/// Where the sections of a sound image lie: offset and length.
fn sections(image: &[u8]) -> Vec<(usize, usize)> {
    let filter = Filter::from_bytes(image).unwrap();
    let sections = filter.sections();
    sections.map(|section| (section.offset as usize, section.len_octets as usize)).collect()
}
