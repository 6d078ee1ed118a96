//! The loop over the lines of a list: asks the dialect what a line says, settles the names,
//! hands the entries on and counts every line.

use std::io::{self, BufRead, Read};
use std::path::Path;

use super::dialect::{Dialect, Line, RawEntry};
use super::lines::{self, Text};
use super::source::{self, Source};
use super::{Entry, Fault, ListError, Options, Reason, Rejected, Tally, admit, detect, normalize};

/// Reads the list at `path`: a plain, gzip or zstd file, or a squidGuard directory. `sink` gets
/// each entry with the number of its line, from 1, in the order of the file.
///
/// # Errors
/// When the file cannot be read or is no list; the [`ListError`] names the file, the place and
/// the remedy. Entries given to `sink` before that are to be thrown away.
pub fn read(path: &Path, options: &Options, sink: &mut Sink<'_>) -> Result<Tally, ListError> {
    let at = |fault| ListError { path: path.to_owned(), fault };
    let mut source = Source::open(path, options.max_unpacked).map_err(at)?;
    let options = Options { format: options.format.or(source.format), ..options.clone() };
    let mut tally = read_text(&mut source.text, &options, sink)
        .map_err(|fault| ListError { path: source.path.clone(), fault })?;
    tally.unread = source.unread;
    Ok(tally)
}

/// Reads list text that is already unpacked; otherwise as [`read`].
///
/// # Errors
/// When reading fails or the text is no list; see [`Fault`].
pub fn read_text(
    text: &mut dyn BufRead,
    options: &Options,
    sink: &mut Sink<'_>,
) -> Result<Tally, Fault> {
    let head = source::head(text)?;
    source::refuse(&head)?;
    let format = options.format.unwrap_or_else(|| detect(&head));
    let mut reader = Reader {
        dialect: Dialect::of(format),
        options,
        sink,
        tally: Tally { format, ..Tally::default() },
    };
    let mut whole = head.as_slice().chain(text);
    lines::each(&mut whole, |line| reader.line(line))?;
    let tally = reader.tally;
    if tally.lines == tally.blanks {
        return Err(Fault::Empty);
    }
    Ok(tally)
}

/// Takes the entries of a list, each with its line number. An error stops the reading.
pub type Sink<'a> = dyn FnMut(Entry, u32) -> io::Result<()> + 'a;

/// The loop over the lines: asks the dialect, settles names, counts.
struct Reader<'a, 'b> {
    dialect: Dialect,
    options: &'a Options,
    sink: &'a mut Sink<'b>,
    tally: Tally,
}

impl Reader<'_, '_> {
    fn line(&mut self, line: Text<'_>) -> Result<(), Fault> {
        self.tally.lines += 1;
        let text = match line {
            Text::Whole(text) => text.trim_ascii_end(),
            Text::TooLong(start) => {
                self.reject_line(start, Reason::TooLongLine);
                return Ok(());
            }
        };
        match self.dialect.line(text) {
            Line::Blank => self.tally.blanks += 1,
            Line::Comment => self.tally.comments += 1,
            Line::Rejected(reason) => self.reject_line(text, reason),
            Line::Rules(first, more) if more.is_empty() => match self.settle(&first) {
                Ok(entry) => {
                    self.give(entry)?;
                    self.tally.rules += 1;
                }
                Err(reason) => self.reject_line(text, reason),
            },
            Line::Rules(first, more) => self.several(text, first, more)?,
        }
        Ok(())
    }

    /// A line with several names: a rule when one of them is good, whatever the others are.
    fn several(
        &mut self,
        text: &[u8],
        first: RawEntry<'_>,
        more: Vec<RawEntry<'_>>,
    ) -> Result<(), Fault> {
        let mut rejections = Vec::new();
        let mut good = false;
        for raw in std::iter::once(first).chain(more) {
            match self.settle(&raw) {
                Ok(entry) => {
                    self.give(entry)?;
                    good = true;
                }
                Err(reason) => rejections.push((raw.text, reason)),
            }
        }
        if good {
            self.tally.rules += 1;
            self.tally.rejected_names += rejections.len() as u64;
            let line = self.number();
            for (name, reason) in rejections {
                self.tally.sample(line, &name, reason, self.options.samples);
            }
        } else if let Some((_, reason)) = rejections.into_iter().next() {
            self.reject_line(text, reason);
        }
        Ok(())
    }

    /// Makes an entry of a raw one: the list's own overrides first, then the name.
    fn settle(&self, raw: &RawEntry<'_>) -> Result<Entry, Reason> {
        let scope = self.options.scope.unwrap_or(raw.scope);
        let action = self.options.action.unwrap_or(raw.action);
        let name = normalize(&raw.text)?;
        admit(&name, scope, action)?;
        Ok(Entry { name, scope, action, important: raw.important })
    }

    fn give(&mut self, entry: Entry) -> Result<(), Fault> {
        self.tally.entries += 1;
        let line = self.number();
        (self.sink)(entry, line).map_err(Fault::Sink)
    }

    fn reject_line(&mut self, text: &[u8], reason: Reason) {
        self.tally.rejected += 1;
        *self.tally.by_reason.entry(reason.as_str()).or_default() += 1;
        self.tally.sample(self.number(), text, reason, self.options.samples);
    }

    /// The number of the current line, from 1.
    fn number(&self) -> u32 {
        u32::try_from(self.tally.lines).unwrap_or(u32::MAX)
    }
}

impl Tally {
    /// Keeps the rejection when there is room, or when it is the first of its reason.
    fn sample(&mut self, line: u32, text: &[u8], reason: Reason, room: usize) {
        let known = |sample: &Rejected| sample.reason.as_str() == reason.as_str();
        if self.samples.len() < room || !self.samples.iter().any(known) {
            self.samples.push(Rejected::new(line, text, reason));
        }
    }
}
