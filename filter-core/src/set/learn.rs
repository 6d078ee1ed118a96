//! Learns from all entries of a set what codes them: a pass for tails, then one for the rest.

use std::vec::Vec;

use super::build::SetBuilder;
use super::cluster::Histogram;
use super::code::ModelWriter;
use super::contexts;
use super::cursor::VALUE_ESCAPE;
use super::key::SYMBOL_COUNT;
use super::model::{NARROW, WIDE};
use super::parse::{CutTails, TailAt, Tails, TokenWriter};
use super::send::{Entry, Sink, send_block};

/// What codes the parts of a set.
pub(super) struct Models {
    pub(super) shared: ModelWriter,
    pub(super) forks: ModelWriter,
    pub(super) values: ModelWriter,
    pub(super) tails: TokenWriter,
    /// What the symbol before weighs in contexts that are pairs.
    pub(super) scale: usize,
    pub(super) cut: CutTails,
}

impl Models {
    /// From so many entries on, forks and first tokens are told apart by the symbol before.
    const PAIRS_FROM: usize = 20_000;

    /// From all entries of a set.
    pub(super) fn train(set: &SetBuilder) -> Models {
        let interval = usize::from(set.shape.interval);
        let mut collector = Collector(Vec::with_capacity(set.len()));
        set.blocks().for_each(|block| send_block(&block, interval, &mut collector));
        let tails = Tails { symbols: &set.symbols, rows: collector.0 };
        let scale = if set.len() < Models::PAIRS_FROM { 0 } else { SYMBOL_COUNT };
        let (tails, cut) = TokenWriter::train(tails, scale, set.shape.effort());

        let value_max = set.values.iter().max().copied().unwrap_or(0).min(VALUE_ESCAPE);
        let mut counter = Counter {
            shared: Histogram::new(contexts::SHARED_COUNT, 256 * contexts::STYLE_COUNT),
            forks: Histogram::new(contexts::PAIR_COUNT, SYMBOL_COUNT),
            values: Histogram::new(contexts::VALUE_COUNT, usize::from(value_max) + 1),
            tails: TailReader::of(&cut),
        };
        set.blocks().for_each(|block| send_block(&block, interval, &mut counter));
        let folded = counter.forks.fold(SYMBOL_COUNT);
        Models {
            shared: ModelWriter::train(&counter.shared, WIDE),
            forks: ModelWriter::train(if scale == 0 { &folded } else { &counter.forks }, NARROW),
            values: ModelWriter::train(&counter.values, WIDE),
            tails,
            scale,
            cut,
        }
    }

    pub(super) fn all(&self) -> [&ModelWriter; 4] {
        [&self.shared, &self.forks, &self.tails.model, &self.values]
    }

    /// Which contexts are pairs, 1 of forks and 2 of first tokens, and 4 for styles.
    pub(super) fn flags(&self) -> u8 {
        let pairs = if self.scale > 0 { 3 } else { 0 };
        pairs | if self.cut.styles.is_empty() { 0 } else { 4 }
    }
}

/// Collects tails.
struct Collector(Vec<TailAt>);

impl Sink for Collector {
    fn style(&self) -> u8 {
        0
    }

    fn head(&mut self) {}
    fn begin_sub_block(&mut self) {}
    fn shared(&mut self, _context: usize, _shared: u8) {}
    fn fork(&mut self, _context: usize, _fork: u8) {}
    fn value(&mut self, _context: usize, _value: u16) {}
    fn mark(&mut self, _shared: usize, _fork: Option<u8>) {}

    fn tail(&mut self, entry: Entry<'_>, from: usize, before: u8, fork: u8) {
        self.0.push(TailAt {
            start: (entry.start + from) as u32,
            len: (entry.key.len() - from) as u8,
            context: contexts::pair(before, fork, SYMBOL_COUNT) as u16,
        });
    }
}

/// Counts symbols by context.
struct Counter<'t> {
    shared: Histogram,
    forks: Histogram,
    values: Histogram,
    tails: TailReader<'t>,
}

impl Sink for Counter<'_> {
    fn style(&self) -> u8 {
        self.tails.style()
    }

    fn head(&mut self) {}
    fn begin_sub_block(&mut self) {}

    fn shared(&mut self, context: usize, shared: u8) {
        self.shared.add(context, self.tails.shared_symbol(shared));
    }

    fn fork(&mut self, context: usize, fork: u8) {
        self.forks.add(context, fork.into());
    }

    fn value(&mut self, context: usize, value: u16) {
        self.values.add(context, value.min(VALUE_ESCAPE));
    }

    fn mark(&mut self, _shared: usize, _fork: Option<u8>) {}

    fn tail(&mut self, _entry: Entry<'_>, _from: usize, _before: u8, _fork: u8) {
        self.tails.pass_style();
    }
}

/// Walks what was learned of tails, in the order of the blocks.
#[derive(Clone, Copy)]
pub(super) struct TailReader<'t> {
    /// The tokens of tails yet to come.
    pub(super) path: &'t [u16],
    /// Their styles; empty where there is one.
    styles: &'t [u8],
    pub(super) has_styles: bool,
}

impl<'t> TailReader<'t> {
    pub(super) fn of(tails: &'t CutTails) -> TailReader<'t> {
        let has_styles = !tails.styles.is_empty();
        TailReader { path: &tails.path, styles: &tails.styles, has_styles }
    }

    pub(super) fn style(&self) -> u8 {
        self.styles.first().copied().unwrap_or(0)
    }

    pub(super) fn pass_style(&mut self) {
        self.styles = self.styles.get(1..).unwrap_or(&[]);
    }

    /// What stands for a shared length before a tail of the next style.
    pub(super) fn shared_symbol(&self, shared: u8) -> u16 {
        let shared = u16::from(shared);
        if self.has_styles { 2 * shared + u16::from(self.style()) } else { shared }
    }
}
