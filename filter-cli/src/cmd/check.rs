//! `gardefou check`: asks an image about names, one line of answer for each.
//!
//! Names stream from standard input to standard output in order; no line costs an allocation.
//! Answers are flushed whenever the next name has to be waited for, so that another program can
//! talk to this one line by line.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;

use filter_core::{CategorySet, Hit, Name, Tier, Trigger, Verdict};
use memchr::memchr;
use serde::Serialize;

use crate::image::ImageFile;
use crate::lists;
use crate::output::{ExitStatus, Output};

/// Say what an image makes of names
///
/// Prints a line for each name: VERDICT, NAME, CATEGORIES, TRIGGER and LISTS with tabs between
/// them, `-` for an empty field. VERDICT is `pass`, `allow` or `block`. TRIGGER says what
/// matched: `exact`, `suffix:example.com`, `keyword:word` or `never-block:example.com`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gardefou check www.example.com
  gardefou check --categories adult,gambling --image school.gfi www.example.com
  gardefou check - < names.txt

Exit codes: 0 nothing blocked; 1 something blocked; 2 error, also when a line is no name.")]
pub struct Args {
    /// The image to ask
    #[arg(long, value_name = "IMAGE", default_value = crate::image::DEFAULT_PATH)]
    image: PathBuf,
    /// The enabled categories; all of them when left out, the mandated ones in any case
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    categories: Vec<String>,
    /// Names to ask about; `-` reads them from standard input, one a line
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

impl Args {
    /// Runs the command.
    ///
    /// # Errors
    /// When the image cannot be asked, or input and output fail.
    pub fn run(&self, output: &Output) -> anyhow::Result<ExitStatus> {
        let image = ImageFile::open(&self.image)?;
        let enabled = image.enabled(&self.categories)?;
        let out = BufWriter::with_capacity(CHUNK_LEN, io::stdout().lock());
        let mut questions = Questions::new(&image, enabled, output.json, out);
        for (index, name) in self.names.iter().enumerate() {
            if name == "-" {
                let input = BufReader::with_capacity(CHUNK_LEN, io::stdin().lock());
                questions.stream(input)?;
            } else {
                let name = name.as_bytes().trim_ascii();
                questions.ask(name, format_args!("argument {}", index + 1))?;
            }
        }
        questions.out.flush()?;
        Ok(questions.status())
    }
}

/// Bytes read and written at once.
const CHUNK_LEN: usize = 256 << 10;
/// The longest line: more than any name in any escaping.
const LINE_LEN_MAX: u64 = 4096;

/// Asks and answers, and keeps the worst that came up.
struct Questions<'a, W> {
    image: &'a ImageFile,
    enabled: CategorySet,
    json: bool,
    out: W,
    blocked: bool,
    failed: bool,
}

impl<'a, W: Write> Questions<'a, W> {
    fn new(image: &'a ImageFile, enabled: CategorySet, json: bool, out: W) -> Questions<'a, W> {
        Questions { image, enabled, json, out, blocked: false, failed: false }
    }

    /// Asks about every line. Blank lines are skipped.
    fn stream<R: Read>(&mut self, mut input: BufReader<R>) -> io::Result<()> {
        let mut line = Vec::new();
        // Ends because every turn takes a line off the input.
        for number in 1u64.. {
            // Nearly every line lies in the buffer as a whole.
            if let Some(end) = memchr(b'\n', input.buffer()) {
                self.line(&input.buffer()[..end], number)?;
                input.consume(end + 1);
                continue;
            }
            self.out.flush()?;
            line.clear();
            if (&mut input).take(LINE_LEN_MAX).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if line.len() as u64 == LINE_LEN_MAX && line.last() != Some(&b'\n') {
                input.skip_until(b'\n')?;
            }
            self.line(&line, number)?;
        }
        Ok(())
    }

    /// Asks about a line of standard input.
    fn line(&mut self, line: &[u8], number: u64) -> io::Result<()> {
        match line.trim_ascii() {
            [] => Ok(()),
            text => self.ask(text, format_args!("standard input, line {number}")),
        }
    }

    /// Asks about one name without blanks around it; `place` says where it stands.
    fn ask(&mut self, text: &[u8], place: std::fmt::Arguments<'_>) -> io::Result<()> {
        let name = name(text);
        let name = match &name {
            Ok(name) => name,
            Err(why) => {
                self.failed = true;
                let shown = String::from_utf8_lossy(&text[..text.len().min(80)]);
                let shown = shown.escape_debug();
                let _ = writeln!(io::stderr(), "gardefou: error: {place}: `{shown}`: {why}");
                return Ok(());
            }
        };
        let verdict = self.image.filter().check(name, self.enabled);
        self.blocked |= verdict.is_block();
        match self.json {
            true => self.answer_json(text, name, &verdict),
            false => self.answer(text, name, &verdict),
        }
    }

    fn answer(&mut self, text: &[u8], name: &Name, verdict: &Verdict) -> io::Result<()> {
        let out = &mut self.out;
        out.write_all(verdict.word().as_bytes())?;
        out.write_all(b"\t")?;
        out.write_all(text)?;
        let Some(hit) = verdict.hit() else { return out.write_all(b"\t-\t-\t-\n") };
        out.write_all(b"\t")?;
        self.image.write_categories(hit.categories, out)?;
        out.write_all(b"\t")?;
        write_trigger(self.image, name, hit, out)?;
        out.write_all(b"\t")?;
        self.image.write_lists(hit.lists, out)?;
        out.write_all(b"\n")
    }

    fn answer_json(&mut self, text: &[u8], name: &Name, verdict: &Verdict) -> io::Result<()> {
        let answer = Answer {
            version: 1,
            command: "check",
            name: String::from_utf8_lossy(text),
            verdict: verdict.word(),
            tier: verdict.hit().map(|hit| hit.tier.word()),
            categories: verdict
                .hit()
                .map_or(Vec::new(), |hit| self.image.category_ids(hit.categories)),
            trigger: verdict.hit().map(|hit| trigger_text(self.image, name, hit)),
            lists: verdict.hit().map_or(Vec::new(), |hit| self.image.list_ids(hit.lists)),
        };
        serde_json::to_writer(&mut self.out, &answer)?;
        self.out.write_all(b"\n")
    }

    fn status(&self) -> ExitStatus {
        match (self.failed, self.blocked) {
            (true, _) => ExitStatus::Error,
            (false, true) => ExitStatus::Found,
            (false, false) => ExitStatus::Success,
        }
    }
}

/// A line of `--json`.
#[derive(Serialize)]
struct Answer<'a> {
    version: u32,
    command: &'static str,
    name: Cow<'a, str>,
    verdict: &'static str,
    tier: Option<&'static str>,
    categories: Vec<&'a str>,
    trigger: Option<String>,
    lists: Vec<&'a str>,
}

/// Reads a name as people and logs write it: ASCII in presentation form, or U-labels.
#[inline]
pub(super) fn name(text: &[u8]) -> Result<Name, String> {
    let kinds = text.iter().fold(0, |kinds, &octet| kinds | KINDS[usize::from(octet)]);
    match kinds {
        0 => Name::from_text(text).map_err(|error| error.to_string()),
        _ => name_of(text, kinds),
    }
}

/// Reads text that has some of these kinds of octets in it.
#[cold]
fn name_of(text: &[u8], kinds: u8) -> Result<Name, String> {
    if kinds & NOT_ASCII != 0 {
        return lists::normalize(text).map_err(|reason| reason.to_string());
    }
    if kinds & BLANK != 0 {
        return Err("a blank or control character inside a name".to_owned());
    }
    Err("a URL or an address: give the host name alone".to_owned())
}

/// Kinds of octets that are in no name in presentation form, though some are told apart.
const NOT_ASCII: u8 = 1;
const BLANK: u8 = 2;
const OF_A_URL: u8 = 4;

/// The kind of each octet; none where it may be in a name. A table, because every octet of the
/// input is looked up.
static KINDS: [u8; 256] = {
    let mut kinds = [NOT_ASCII; 256];
    let mut octet = 0u8;
    while octet < 0x80 {
        kinds[octet as usize] = match octet {
            b'/' | b':' | b'@' => OF_A_URL,
            _ if octet.is_ascii_graphic() => 0,
            _ => BLANK,
        };
        octet += 1;
    }
    kinds
};

/// Writes what matched.
pub(super) fn write_trigger(
    image: &ImageFile,
    name: &Name,
    hit: &Hit,
    out: &mut impl Write,
) -> io::Result<()> {
    let never_block = hit.tier == Tier::NeverBlock;
    match hit.trigger {
        Trigger::Exact if never_block => {
            out.write_all(b"never-block:")?;
            write_suffix(name, usize::MAX, out)
        }
        Trigger::Exact => out.write_all(b"exact"),
        Trigger::Suffix { labels } => {
            out.write_all(if never_block { b"never-block:" } else { b"suffix:" })?;
            write_suffix(name, labels.into(), out)
        }
        Trigger::Keyword { word } => {
            let keywords = image.filter().keywords();
            let word = keywords.and_then(|keywords| keywords.word(word));
            out.write_all(b"keyword:")?;
            out.write_all(word.map_or("?", |word| word.text).as_bytes())
        }
    }
}

/// What matched, as text.
pub(super) fn trigger_text(image: &ImageFile, name: &Name, hit: &Hit) -> String {
    let mut text = Vec::new();
    // Writing to a vector does not fail.
    let _ = write_trigger(image, name, hit, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Writes the last labels of a name. What matched has labels of listed names only, so there is
/// nothing to escape.
fn write_suffix(name: &Name, labels: usize, out: &mut impl Write) -> io::Result<()> {
    let skipped = name.label_count().saturating_sub(labels);
    let mut separator: &[u8] = b"";
    for label in name.labels().skip(skipped) {
        out.write_all(separator)?;
        out.write_all(label)?;
        separator = b".";
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use filter_core::compile::{Compiler, ListInfo};
    use filter_core::keyword::{self, Boundary, Word};
    use filter_core::{Action, Scope};

    use super::*;

    fn image() -> ImageFile {
        let gambling = CategorySet::of(20);
        let mut compiler = Compiler::new(1);
        compiler.category(20, "gambling").unwrap();
        compiler.category(21, "dating").unwrap();
        let one = compiler.list(ListInfo::new("one", gambling)).unwrap();
        let two = compiler.list(ListInfo::new("two", CategorySet::of(21))).unwrap();
        let mut rule = |name: &str, scope, action, list| {
            compiler.rule(&name.parse().unwrap(), scope, action, list).unwrap();
        };
        rule("casino.example", Scope::Subtree, Action::Block, one);
        rule("casino.example", Scope::Subtree, Action::Block, two);
        rule("ok.casino.example", Scope::Exact, Action::Allow, one);
        compiler.never_block(&"help.casino.example".parse().unwrap(), Scope::Subtree).unwrap();
        let (weight, boundary) = (100, Boundary::Anywhere);
        let word = Word { text: "jackpot", categories: gambling, weight, boundary };
        compiler.keywords(keyword::compile(&[word], &[], 100).unwrap());
        let octets = compiler.finish().unwrap().octets;
        ImageFile::from_octets(Path::new("x.gfi"), octets).unwrap()
    }

    fn answers(input: &str, enabled: &[String], json: bool) -> (String, ExitStatus) {
        let image = image();
        let enabled = image.enabled(enabled).unwrap();
        let mut questions = Questions::new(&image, enabled, json, Vec::new());
        questions.stream(BufReader::new(input.as_bytes())).unwrap();
        let status = questions.status();
        (String::from_utf8(questions.out).unwrap(), status)
    }

    #[test]
    fn each_name_gets_a_line() {
        let input = " Casino.Example. \r\n\nwww.casino.example\nok.casino.example\n\
                     a.help.casino.example\nhelp.casino.example\nmy-jackpot.example\nx.example";
        let (text, status) = answers(input, &[], false);
        assert_eq!(
            text,
            "block\tCasino.Example.\tgambling,dating\texact\tone,two\n\
             block\twww.casino.example\tgambling,dating\tsuffix:casino.example\tone,two\n\
             allow\tok.casino.example\tgambling\texact\tone\n\
             allow\ta.help.casino.example\t-\tnever-block:help.casino.example\t-\n\
             allow\thelp.casino.example\t-\tnever-block:help.casino.example\t-\n\
             block\tmy-jackpot.example\tgambling\tkeyword:jackpot\t-\n\
             pass\tx.example\t-\t-\t-\n"
        );
        assert_eq!(status, ExitStatus::Found);
    }

    #[test]
    fn only_enabled_categories_count() {
        let (text, status) = answers("casino.example\n", &["dating".to_owned()], false);
        assert_eq!(text, "block\tcasino.example\tdating\texact\ttwo\n");
        assert_eq!(status, ExitStatus::Found);
        let error = image().enabled(&["shopping".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("`shopping` is no category"));
    }

    #[test]
    fn json_is_an_object_a_line() {
        let (text, _) = answers("www.casino.example\nx.example\n", &[], true);
        let answers: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(answers[0]["trigger"], "suffix:casino.example");
        assert_eq!(answers[0]["categories"], serde_json::json!(["gambling", "dating"]));
        assert_eq!((&answers[1]["verdict"], &answers[1]["version"]), (&"pass".into(), &1.into()));
    }

    #[test]
    fn what_is_no_name_is_an_error_and_the_rest_goes_on() {
        let long = "a".repeat(10_000);
        let input = format!("a b\n..\n{long}\nhttps://x.example/\nÉCOLE.example\nx.example\n");
        let (text, status) = answers(&input, &[], false);
        assert_eq!(text, "pass\tÉCOLE.example\t-\t-\t-\npass\tx.example\t-\t-\t-\n");
        assert_eq!(status, ExitStatus::Error);
        assert_eq!(name("ÉCOLE.example".as_bytes()).unwrap().to_string(), "xn--cole-9oa.example");
    }
}
