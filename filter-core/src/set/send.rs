//! Takes a block of sorted entries apart into what is coded of it, in the order it is coded in.

use std::vec::Vec;

use super::contexts;
use super::key::{END, SYMBOL_COUNT};

/// Entries that are found together.
pub(super) struct Block<'a> {
    pub(super) entries: Vec<Entry<'a>>,
    pub(super) behind: &'a [u8],
}

#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    /// Where all symbols have its key.
    pub(super) start: usize,
    pub(super) key: &'a [u8],
    pub(super) value: u16,
}

/// Receives a block piece by piece, part by part; one collects tails, one counts,
/// one writes.
pub(super) trait Sink {
    /// The style of the next tail.
    fn style(&self) -> u8;
    /// The entry that comes now is the first of its block or sub-block.
    fn head(&mut self);
    /// What comes now belongs to another sub-block; before the first it is the block's head.
    fn begin_sub_block(&mut self);
    fn shared(&mut self, context: usize, shared: u8);
    fn fork(&mut self, context: usize, fork: u8);
    fn value(&mut self, context: usize, value: u16);
    /// How many symbols the first key of the next sub-block shares with that of the sub-block
    /// before, and the first that it does not; no fork behind the last sub-block.
    fn mark(&mut self, shared: usize, fork: Option<u8>);
    /// An entry's symbols from a place on, behind a fork, and the fork and the symbol before it.
    fn tail(&mut self, entry: Entry<'_>, from: usize, before: u8, fork: u8);
}

/// Hands a block to a sink.
pub(super) fn send_block(block: &Block<'_>, interval: usize, sink: &mut impl Sink) {
    let first = block.entries[0];
    sink.head();
    sink.tail(first, 0, END, END);
    sink.value(contexts::VALUE_FIRST, first.value);
    let mut sub_blocks = block.entries.chunks(interval).peekable();
    let mut shared_before = None;
    // Ends because a block has finitely many sub-blocks.
    while let Some(sub_block) = sub_blocks.next() {
        let head = sub_block[0];
        let behind = sub_blocks.peek().map_or(block.behind, |next| next[0].key);
        let shared_behind = common(head.key, behind);
        sink.begin_sub_block();
        if let Some(shared) = shared_before {
            let base = shared_behind.min(shared);
            let (before, fork) = (symbol_before(head.key, base), head.key[base]);
            sink.head();
            if base < shared {
                sink.fork(contexts::FORK_ENTER, fork);
            }
            sink.tail(head, base + 1, before, fork);
            sink.value(contexts::value(first.value, base as u8), head.value);
        }
        let mut shared_context = contexts::SHARED_ENTER;
        for pair in sub_block.windows(2) {
            shared_context = send_next(pair[0], pair[1], shared_context, sink);
        }
        let fork = sub_blocks.peek().map(|next| next[0].key[shared_behind]);
        sink.mark(shared_behind, fork);
        shared_before = Some(shared_behind);
    }
}

/// The symbol before a place in a key.
fn symbol_before(key: &[u8], at: usize) -> u8 {
    at.checked_sub(1).map_or(END, |index| key[index])
}

/// Hands an entry to a sink, as the difference to the one before; returns the context of the
/// next shared length.
fn send_next(
    before: Entry<'_>,
    entry: Entry<'_>,
    shared_context: usize,
    sink: &mut impl Sink,
) -> usize {
    let shared = common(before.key, entry.key);
    let style = sink.style();
    sink.shared(shared_context, shared as u8);
    let near = symbol_before(entry.key, shared);
    let replaced = before.key.get(shared).copied().unwrap_or(END);
    let fork = entry.key[shared];
    sink.fork(contexts::pair(near, replaced, SYMBOL_COUNT), fork);
    sink.tail(entry, shared + 1, near, fork);
    sink.value(contexts::value(before.value, shared as u8), entry.value);
    contexts::shared(shared as u8, style, shared_context)
}

/// How many symbols two keys share.
fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
