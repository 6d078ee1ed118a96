//! What holds for all pages, for their tests.

use std::vec::Vec;

use super::words::Words;

/// Octets of the longest page.
const LEN_MAX: usize = 8192;

/// Panics unless a page is small, whole, readable for a screen reader and without anything of others.
pub(super) fn document(words: &Words, text: &str) {
    assert!(text.len() < LEN_MAX, "{} octets", text.len());
    let root = std::format!("<html lang=\"{}\" dir=\"{}\">", words.code, words.direction);
    assert!(text.contains(&root));
    assert_eq!(words.direction == "rtl", words.code == "ar");
    assert_eq!((text.matches("<main>").count(), text.matches("<h1>").count()), (1, 1));
    for foreign in ["<script", "<img", "src=", "@import", "url(", " on"] {
        let is_there = text.split('<').any(|tag| {
            std::format!("<{}", tag.split('>').next().unwrap_or_default()).contains(foreign)
        });
        assert!(!is_there, "{foreign}");
    }
    balanced(text);
    // Whatever is to be filled in has a label.
    for id in text.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(text.contains(&std::format!("for=\"{id}\"")), "{id}");
    }
}

fn balanced(text: &str) {
    const VOID: [&str; 5] = ["!DOCTYPE", "meta", "link", "input", "br"];
    let mut open = Vec::new();
    for tag in text.split('<').skip(1) {
        let tag = tag.split(['>', ' ', '\n']).next().unwrap_or_default();
        match tag.strip_prefix('/') {
            Some(tag) => assert_eq!(open.pop(), Some(tag)),
            None if VOID.contains(&tag) => {}
            None => open.push(tag),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}
