//! Sorts the rules of a list into a [`ListMap`], whatever its size.

use filter_core::Key;

use super::{Kind, ListMap, ListRule, Union};
use crate::lists::Entry;

/// Sorts the rules of a list into a [`ListMap`].
///
/// Rules are collected up to a limit, sorted, and put aside as a run, which is a map itself; in
/// the end the runs are united. Memory: the limit, and about 17 octets a rule beyond it. Of equal
/// rules the first line is kept.
pub struct ListMapBuilder {
    octets_max: usize,
    /// The current run: the names behind each other, and a row for each rule.
    names: Vec<u8>,
    rows: Vec<Row>,
    runs: Vec<ListMap>,
}

/// A rule of the current run. Most rules are told apart by their first symbols alone.
#[derive(Clone, Copy)]
struct Row {
    /// The first symbols of the name as one number, which sorts as they do.
    first_symbols: u64,
    /// Where in the names stand kind, length and symbols.
    start: u32,
    line: u32,
}

impl Row {
    fn rule(self, names: &[u8]) -> ListRule<'_> {
        let octets = &names[self.start as usize..];
        let symbols = &octets[2..][..usize::from(octets[1])];
        ListRule { symbols, kind: Kind(octets[0]), line: self.line }
    }
}

impl ListMapBuilder {
    /// Octets of a run that suit a host.
    pub const RUN_OCTETS: usize = 64 << 20;

    /// A builder that sorts runs of at most about this many octets.
    pub fn new(octets_max: usize) -> ListMapBuilder {
        // Rows point into the names with 32 bits.
        let octets_max = octets_max.min(1 << 30);
        ListMapBuilder { octets_max, names: Vec::new(), rows: Vec::new(), runs: Vec::new() }
    }

    /// Adds a rule and the line it comes from.
    pub fn add(&mut self, entry: &Entry, line: u32) {
        if self.names.len() + size_of_val(self.rows.as_slice()) >= self.octets_max {
            let run = self.end_run();
            self.runs.push(run);
        }
        let key = Key::new(&entry.name);
        let symbols = key.symbols();
        let start = self.names.len() as u32;
        self.names.extend([Kind::of(entry).0, symbols.len() as u8]);
        self.names.extend_from_slice(symbols);
        self.rows.push(Row { first_symbols: first_symbols(symbols), start, line });
    }

    /// The map.
    pub fn finish(mut self) -> ListMap {
        let last = self.end_run();
        if self.runs.is_empty() {
            return last;
        }
        self.runs.push(last);
        let mut map = Writer::new(self.runs.iter().map(|run| run.octets.len()).sum());
        let mut union = Union::new(&self.runs);
        // The runs are in the order of the lines.
        while let Some((_, rule)) = union.next() {
            map.push(rule);
        }
        map.finish()
    }

    /// The current run as a map.
    fn end_run(&mut self) -> ListMap {
        let names = &self.names;
        self.rows.sort_unstable_by_key(|row| row.first_symbols);
        for equal in self.rows.chunk_by_mut(|a, b| a.first_symbols == b.first_symbols) {
            equal.sort_unstable_by_key(|row| {
                let ListRule { symbols, kind, line } = row.rule(names);
                (symbols, kind, line)
            });
        }
        let mut map = Writer::new(self.names.len());
        for row in &self.rows {
            map.push(row.rule(&self.names));
        }
        self.names.clear();
        self.rows.clear();
        map.finish()
    }
}

/// As many symbols as fit into 64 bits; behind the end of a name stand zeros.
fn first_symbols(symbols: &[u8]) -> u64 {
    const BASE: u64 = 40;
    const COUNT: usize = 12;
    let mut padded = [0; COUNT];
    let count = symbols.len().min(COUNT);
    padded[..count].copy_from_slice(&symbols[..count]);
    padded.iter().fold(0, |number, &symbol| number * BASE + u64::from(symbol))
}

/// Writes rules that come in order; of equal ones the first.
struct Writer {
    octets: Vec<u8>,
    count: u64,
    /// The rule written last.
    symbols: Vec<u8>,
    kind: Kind,
}

impl Writer {
    fn new(capacity: usize) -> Writer {
        let mut octets = Vec::with_capacity(capacity);
        octets.extend([0; ListMap::HEAD_LEN]);
        Writer { octets, count: 0, symbols: Vec::new(), kind: Kind(0) }
    }

    fn push(&mut self, rule: ListRule<'_>) {
        let ListRule { symbols, kind, line } = rule;
        let pairs = self.symbols.iter().zip(symbols);
        let shared = pairs.take_while(|(before, symbol)| before == symbol).count();
        let same_name = shared == symbols.len() && shared == self.symbols.len();
        if same_name && kind == self.kind && self.count > 0 {
            return;
        }
        let fresh = &symbols[shared..];
        self.octets.extend([shared as u8, fresh.len() as u8]);
        self.octets.extend_from_slice(fresh);
        self.octets.push(kind.0);
        let mut line = line;
        // Ends because the line gets smaller.
        while line >= 0x80 {
            self.octets.push(line as u8 | 0x80);
            line >>= 7;
        }
        self.octets.push(line as u8);
        self.symbols.truncate(shared);
        self.symbols.extend_from_slice(fresh);
        self.kind = kind;
        self.count += 1;
    }

    fn finish(mut self) -> ListMap {
        self.octets[..ListMap::HEAD_LEN].copy_from_slice(&self.count.to_le_bytes());
        self.octets.shrink_to_fit();
        ListMap { octets: self.octets }
    }
}
