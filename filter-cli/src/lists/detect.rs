//! Finds out the dialect of a list from its first lines.
//!
//! Every line that carries the mark of a dialect votes for it; a name alone votes for `domains`.
//! The dialect with most marks wins when a fifth of the votes are for it, because most dialects
//! also have lines of a name alone; otherwise the list is `domains`, and so is one of comments
//! only. What stays ambiguous: an adblock or hosts list that begins with 200 plain names is read
//! as `domains`, where a name covers what is below it too; say `format` in such a case.

use super::{Format, lines, normalize::address};

/// How many lines vote.
const VOTERS: usize = 200;

/// The dialect of a list that begins with `head`.
pub fn detect(head: &[u8]) -> Format {
    let mut votes = [0_usize; Format::ALL.len()];
    let lines = lines::without_bom(head).split(|&byte| byte == b'\n');
    for format in lines.filter_map(|line| mark(line.trim_ascii())).take(VOTERS) {
        votes[format as usize] += 1;
    }
    let all: usize = votes.iter().sum();
    votes[Format::Domains as usize] = 0;
    Format::ALL
        .into_iter()
        .filter(|&format| votes[format as usize] > 0 && votes[format as usize] * 5 >= all)
        // On a tie the first, so that the answer is the same every time.
        .rev()
        .max_by_key(|&format| votes[format as usize])
        .unwrap_or_default()
}

/// The dialect a line looks like; `None` when it says nothing.
fn mark(line: &[u8]) -> Option<Format> {
    let starts = |prefixes: &[&[u8]]| prefixes.iter().any(|prefix| line.starts_with(prefix));
    if starts(&[b"||", b"@@", b"[Adblock", b"|"]) || line.ends_with(b"^") {
        Some(Format::Adblock)
    } else if starts(&[b"$TTL", b"$ttl", b"$ORIGIN", b"$origin"]) {
        Some(Format::Rpz)
    } else if line.is_empty() || starts(&[b"#", b"!", b";"]) {
        None
    } else if starts(&[b"address=/", b"server=/", b"local=/"]) {
        Some(Format::Dnsmasq)
    } else if starts(&[b"local-zone:", b"local-data:", b"server:"]) {
        Some(Format::Unbound)
    } else {
        let mut words = lines::words(lines::without_comment(line));
        let first = words.next()?;
        if address(first).is_some() {
            // An address alone is dirt of a plain list.
            return Some(if words.next().is_some() { Format::Hosts } else { Format::Domains });
        }
        // A zone file has wildcards too: its records come first.
        if words.take(3).any(is_record_word) {
            Some(Format::Rpz)
        } else if starts(&[b"*.", b".", b"="]) {
            Some(Format::Wildcard)
        } else {
            Some(Format::Domains)
        }
    }
}

/// Whether the word is a class or type a zone file has behind the owner.
fn is_record_word(word: &[u8]) -> bool {
    let known: [&[u8]; 7] = [b"IN", b"CNAME", b"SOA", b"NS", b"A", b"AAAA", b"TXT"];
    known.iter().any(|known| known.eq_ignore_ascii_case(word))
}
