//! Lists: in every dialect each line is accounted for, and each entry is a name in its final
//! form.

use filter_cli::lists::{Entry, Format, Options, normalize, read_text};

/// Reads list text; the first octet chooses the dialect, or to find it out.
pub fn list_line(octets: &[u8]) {
    let Some((&choice, text)) = octets.split_first() else { return };
    let choice = usize::from(choice) % (Format::ALL.len() + 1);
    let options = Options { format: Format::ALL.get(choice).copied(), ..Options::default() };

    let mut entries = 0;
    let mut last_line = 1;
    let mut take = |entry: Entry, line: u32| {
        assert!(line >= last_line, "lines come in order");
        last_line = line;
        entries += 1;
        let again = normalize(entry.name.to_string().as_bytes());
        assert_eq!(again.as_ref(), Ok(&entry.name), "a name in its final form stays as it is");
        Ok(())
    };
    let Ok(tally) = read_text(&mut &*text, &options, &mut take) else { return };

    assert_eq!(tally.rules + tally.rejected + tally.comments + tally.blanks, tally.lines);
    assert_eq!(tally.by_reason.values().sum::<u64>(), tally.rejected);
    assert_eq!(tally.entries, entries);
    assert!(tally.rules <= tally.entries && u64::from(last_line) <= tally.lines.max(1));
    assert!(tally.samples.iter().all(|sample| !sample.text.chars().any(char::is_control)));
}
