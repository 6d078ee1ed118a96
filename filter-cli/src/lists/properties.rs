//! Properties that hold for any input, checked with generated ones.

use std::io;

use proptest::prelude::*;

use super::{Entry, Format, Options, normalize, read_text, reason};

/// Text made of the pieces that lists are made of, and of dirt.
fn list_text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[a-z0-9._-]{1,20}".prop_map(String::into_bytes),
        "[a-z]{1,8}\\.(com|co\\.uk|example|github\\.io)".prop_map(String::into_bytes),
        prop::sample::select(vec![
            "||",
            "^",
            "@@",
            "$important",
            "$",
            ",",
            "|",
            "*.",
            ".",
            "#",
            " # ",
            "##",
            "!",
            "/",
            "address=/",
            "server=/",
            "local-zone: \"",
            "\" static",
            "local-data: \"",
            "0.0.0.0 ",
            "::1 ",
            " CNAME .",
            " CNAME rpz-passthru.",
            "@ SOA (",
            ")",
            ";",
            "\"",
            "$ORIGIN ",
            "$TTL 1",
            " IN A 0.0.0.0",
            "*",
            "=",
            ":",
            " ",
            "\t",
            "\r\n",
            "\n",
            "\n",
            "é",
            "。",
            "xn--",
            "\u{feff}",
            "[",
            "]",
            "%",
            "?",
            "1.2.3.4",
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// Checks what holds for the lines of any text, in any dialect.
fn check(text: &[u8], format: Option<Format>) -> Result<(), TestCaseError> {
    let options = Options { format, ..Options::default() };
    let mut entries = 0;
    let mut last = 0;
    let mut sink = |entry: Entry, line: u32| {
        entries += 1;
        assert!(line >= last && line > 0);
        last = line;
        let text = entry.name.to_string();
        assert_eq!(normalize(text.as_bytes()), Ok(entry.name));
        Ok(())
    };
    let Ok(tally) = read_text(&mut &*text, &options, &mut sink) else {
        return Ok(());
    };
    let lines = text.split(|&byte| byte == b'\n').count() as u64;
    prop_assert_eq!(tally.lines, lines - u64::from(text.ends_with(b"\n")));
    prop_assert_eq!(tally.rules + tally.rejected + tally.comments + tally.blanks, tally.lines);
    prop_assert_eq!(tally.by_reason.values().sum::<u64>(), tally.rejected);
    prop_assert_eq!(tally.entries, entries);
    prop_assert!(tally.entries >= tally.rules);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn every_line_is_accounted_for(text in list_text(), format in 0..=Format::ALL.len()) {
        check(&text, Format::ALL.get(format).copied())?;
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        text in prop::collection::vec(any::<u8>(), 0..600),
        format in 0..=Format::ALL.len(),
    ) {
        check(&text, Format::ALL.get(format).copied())?;
    }

    #[test]
    fn chunks_do_not_matter(text in list_text(), chunk in 1..20_usize) {
        let read = |text: &mut dyn io::BufRead| {
            let mut entries = Vec::new();
            let mut sink = |entry: Entry, line| {
                entries.push((entry, line));
                Ok(())
            };
            let tally = read_text(text, &Options::default(), &mut sink);
            (tally.map(|tally| tally.by_reason).map_err(|fault| fault.to_string()), entries)
        };
        let mut small = io::BufReader::with_capacity(chunk, &*text);
        prop_assert_eq!(read(&mut small), read(&mut &*text));
    }

    #[test]
    fn normalizing_again_changes_nothing(text in "\\PC{0,40}(\\.\\PC{1,10})?") {
        if let Ok(name) = normalize(text.as_bytes()) {
            let again = name.to_string();
            prop_assert!(again.bytes().all(|b| b.is_ascii_lowercase()
                || b.is_ascii_digit()
                || b"-_.".contains(&b)));
            prop_assert_eq!(normalize(again.as_bytes()), Ok(name));
        }
    }

    #[test]
    fn case_and_trailing_dot_do_not_matter(text in "[a-zA-Z0-9_-]{1,20}(\\.[a-zA-Z0-9-]{1,20}){0,4}") {
        let dotted = format!("  {}.\t", text.to_ascii_uppercase());
        prop_assert_eq!(normalize(text.as_bytes()), normalize(dotted.as_bytes()));
    }

    #[test]
    fn samples_are_safe_to_print(text in prop::collection::vec(any::<u8>(), 0..1000)) {
        let shown = reason::excerpt(&text);
        prop_assert!(!shown.chars().any(char::is_control));
    }
}
