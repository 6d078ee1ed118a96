//! What every command shares towards the terminal: how it may talk ([`Output`]), how it ends
//! ([`ExitStatus`]), and errors that carry a hint ([`Hint`]).
//!
//! Data go to standard output, everything else to standard error.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

/// How a command may talk.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// JSON instead of text on standard output.
    pub json: bool,
    /// Colors on standard output: it is a terminal, and `NO_COLOR` is not set.
    pub color: bool,
    /// No progress and no notices on standard error.
    pub quiet: bool,
}

impl Output {
    /// What suits the place the command runs in.
    pub fn new(json: bool, quiet: bool) -> Output {
        let color = !json && io::stdout().is_terminal() && color_is_welcome();
        Output { json, color, quiet }
    }

    /// Whether long work may show its progress.
    pub fn shows_progress(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// A line on standard error about something that is no error.
    pub fn notice(&self, text: impl fmt::Display) {
        if !self.quiet {
            // Nobody may be listening, which is no reason to fail.
            let _ = writeln!(io::stderr(), "gardefou: {text}");
        }
    }

    /// The text in a style, or as it is where colors are not wanted. Never the only carrier of
    /// a meaning.
    pub fn paint(&self, style: Style, text: impl fmt::Display) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_string() }
    }
}

/// Headings.
pub const HEADING: Style = Style::new().bold();
/// What is fine.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What wants attention.
pub const WARNING: Style = AnsiColor::Yellow.on_default();
/// What is blocked or wrong.
pub const BAD: Style = AnsiColor::Red.on_default();
/// What matters less.
pub const DIM: Style = Style::new().dimmed();

/// How a command ends; the numbers are its exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// The work is done, and nothing was found.
    Success = 0,
    /// `check` found a blocked name, `lint` a finding, `diff` a difference.
    Found = 1,
    /// The work could not be done.
    Error = 2,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> ExitCode {
        ExitCode::from(status as u8)
    }
}

/// Adds to an error what to do about it; shown as `hint: …` under the error.
pub trait Hint<T> {
    /// The hint, made only when there is an error.
    fn hint<H: fmt::Display>(self, hint: impl FnOnce() -> H) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> Hint<T> for Result<T, E> {
    fn hint<H: fmt::Display>(self, hint: impl FnOnce() -> H) -> anyhow::Result<T> {
        self.map_err(|error| Hinted { error: error.into(), hint: hint().to_string() }.into())
    }
}

/// An error with what to do about it.
pub fn hinted(error: impl fmt::Display, hint: impl fmt::Display) -> anyhow::Error {
    Hinted { error: anyhow::Error::msg(error.to_string()), hint: hint.to_string() }.into()
}

#[derive(Debug)]
struct Hinted {
    error: anyhow::Error,
    hint: String,
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Hinted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// Ends a command: prints its error, if it has one, and gives the exit code. That nobody reads
/// the output any more (`gardefou … | head`) is no error.
pub fn finish(result: anyhow::Result<ExitStatus>) -> ExitCode {
    let error = match result {
        Ok(status) => return status.into(),
        Err(error) => error,
    };
    let io_errors = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    if io_errors.into_iter().any(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        return ExitStatus::Success.into();
    }
    report(&error);
    ExitStatus::Error.into()
}

/// Shows an error that does not end the command.
pub fn report(error: &anyhow::Error) {
    let color = io::stderr().is_terminal() && color_is_welcome();
    let _ = io::stderr().write_all(describe(error, color).as_bytes());
}

fn describe(error: &anyhow::Error, color: bool) -> String {
    let style = if color { BAD } else { Style::new() };
    let mut text = format!("gardefou: {style}error{style:#}: {error:#}\n");
    for hinted in error.chain().filter_map(|cause| cause.downcast_ref::<Hinted>()) {
        text += &format!("\nhint: {}\n", hinted.hint);
    }
    text
}

fn color_is_welcome() -> bool {
    // https://no-color.org: any value but the empty one.
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !no_color && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn an_error_shows_its_chain_once_and_the_hint_below() {
        let failed: Result<(), _> = Err(io::Error::other("no room"));
        let error = failed.hint(|| "make room").context("cannot write x.gfi").unwrap_err();
        assert_eq!(
            describe(&error, false),
            "gardefou: error: cannot write x.gfi: no room\n\nhint: make room\n"
        );
        assert_eq!(
            describe(&hinted("no list", "name one"), false),
            "gardefou: error: no list\n\nhint: name one\n"
        );
    }

    #[test]
    fn a_closed_pipe_is_success() {
        let error = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).context("x");
        assert_eq!(format!("{:?}", finish(Err(error))), format!("{:?}", ExitCode::SUCCESS));
    }
}
