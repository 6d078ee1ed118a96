//! `gardefou explain`: why a name gets the verdict it gets, and what can be done about it, for
//! the owner of a café as well as for an engineer.

mod findings;
mod phrases;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::path::PathBuf;

use filter_core::{Action, CategorySet, Name, Scope, Tier, Trigger, Verdict};
use serde_json::json;

use super::check;
use crate::image::ImageFile;
use crate::output::{BAD, ExitStatus, GOOD, HEADING, Output, hinted};
use crate::why::{self, WhyIndex};
use findings::{Effect, Finding, Question, Reason};
use phrases::{Language, Phrases, fill};

/// Say why a name gets its verdict and what can be done about it
///
/// Shows what matched, which list and which line of it says so, which other rules there are
/// for the name and its parents, and what overrode them. Lists and lines come from the
/// why-index beside the image (IMAGE.why); without it, the image alone is asked.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gardefou explain www.example.com
  gardefou explain --lang fr --categories adult www.example.com
  gardefou explain --admin /run/gardefou/admin.sock --client 192.168.1.7 www.example.com")]
pub struct Args {
    /// The image to ask
    #[arg(long, value_name = "IMAGE", default_value = crate::image::DEFAULT_PATH)]
    image: PathBuf,
    /// The enabled categories; all of them when left out, the mandated ones in any case
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    categories: Vec<String>,
    /// Ask the running server with this socket what it would answer now
    #[cfg(all(feature = "serve", target_os = "linux"))]
    #[arg(long, value_name = "PATH", conflicts_with_all = ["image", "categories", "lang"])]
    admin: Option<PathBuf>,
    /// ... to the client with this address
    #[cfg(all(feature = "serve", target_os = "linux"))]
    #[arg(long, value_name = "ADDRESS", requires = "admin")]
    client: Option<std::net::IpAddr>,
    /// The language of the answer; that of the environment when left out
    #[arg(long, value_name = "LANGUAGE")]
    lang: Option<Language>,
    /// The name to explain
    #[arg(value_name = "NAME")]
    name: String,
}

impl Args {
    /// Runs the command.
    ///
    /// # Errors
    /// When the image cannot be asked, or the name is none.
    pub fn run(&self, output: &Output) -> anyhow::Result<ExitStatus> {
        #[cfg(all(feature = "serve", target_os = "linux"))]
        if let Some(admin) = &self.admin {
            let (name, client) = (self.name.clone(), self.client);
            let answer = crate::serve::Request::Explain { name, client }.send(admin)?;
            return super::say::show(&answer, output);
        }
        let image = ImageFile::open(&self.image)?;
        let enabled = image.enabled(&self.categories)?;
        let name = check::name(self.name.trim().as_bytes()).map_err(|why| {
            hinted(format!("`{}`: {why}", self.name), "write a name such as www.example.com")
        })?;
        let index =
            WhyIndex::beside(&self.image, image.filter().as_bytes()).unwrap_or_else(|error| {
                output.notice(format_args!("{error:#}"));
                None
            });
        let language = self.lang.unwrap_or_else(Language::of_environment);
        let explanation = Explanation::new(&image, index.as_ref(), &name, enabled, language);
        let text = match output.json {
            true => explanation.to_json().to_string() + "\n",
            false => explanation.render(output),
        };
        io::stdout().write_all(text.as_bytes())?;
        Ok(ExitStatus::Success)
    }
}

/// All there is to say about one name.
struct Explanation<'a> {
    image: &'a ImageFile,
    question: Question<'a>,
    findings: Vec<Finding>,
    index: Option<&'a WhyIndex>,
    phrases: &'static Phrases,
}

impl<'a> Explanation<'a> {
    fn new(
        image: &'a ImageFile,
        index: Option<&'a WhyIndex>,
        name: &'a Name,
        enabled: CategorySet,
        language: Language,
    ) -> Explanation<'a> {
        let verdict = image.filter().check(name, enabled);
        let question = Question { name, enabled, verdict };
        let findings = question.findings(image, index);
        let phrases = language.phrases();
        Explanation { image, question, findings, index, phrases }
    }

    fn render(&self, output: &Output) -> String {
        let say = self.phrases;
        let name = self.question.name.to_string();
        let (headline, style) = match self.question.verdict {
            Verdict::Block(_) => (say.block, BAD),
            Verdict::Allow(_) => (say.allow, GOOD),
            Verdict::Pass => (say.pass, GOOD),
        };
        let mut text = output.paint(style, fill(headline, &[("name", &name)])) + "\n";
        for line in self.reason() {
            text += &line;
            text.push('\n');
        }
        text.push('\n');
        match self.findings.is_empty() {
            true => text += &output.paint(HEADING, say.no_rules),
            false => text += &output.paint(HEADING, say.rules),
        }
        text.push('\n');
        for finding in &self.findings {
            text += &self.describe(finding);
        }
        if self.index.is_none() && self.question.verdict.hit().is_some() {
            let file = why::path_beside(self.image.path()).display().to_string();
            text += &fill(say.no_index, &[("file", &file)]);
            text.push('\n');
        }
        text.push('\n');
        text += &output.paint(HEADING, say.advice);
        text.push('\n');
        for advice in self.advice() {
            text += &format!("- {}\n", advice.replace('\n', "\n  "));
        }
        text
    }

    /// The sentences behind the verdict.
    fn reason(&self) -> Vec<String> {
        let Some(hit) = self.question.verdict.hit() else { return Vec::new() };
        let say = self.phrases;
        let by = self.by();
        let word = self.keyword();
        let number = |value: i64| value.to_string();
        let values = [
            ("by", by.as_str()),
            ("weight", &word.map_or(String::new(), |word| number(word.weight.into()))),
            ("score", &word.map_or(String::new(), |word| number(word.score.into()))),
            ("threshold", &word.map_or(String::new(), |word| number(word.threshold.into()))),
        ];
        let phrase = match hit.tier {
            Tier::Mandated => say.by_mandated,
            Tier::NeverBlock => say.by_never_block,
            Tier::Local => say.by_local,
            Tier::Rule => say.by_rule,
            Tier::Keyword => say.by_keyword,
        };
        let mut lines = vec![fill(phrase, &values)];
        if !hit.categories.is_empty() {
            let categories = self.image.category_ids(hit.categories).join(", ");
            lines.push(fill(say.categories, &[("categories", &categories)]));
        }
        lines
    }

    /// A rule, where it stands, and what became of it.
    fn describe(&self, finding: &Finding) -> String {
        let say = self.phrases;
        let name = finding.name.to_string();
        let covered = fill(
            match finding.scope {
                Scope::Exact => say.exact,
                Scope::Subtree => say.subtree,
                Scope::Below => say.below,
            },
            &[("name", &name)],
        );
        let mut what = match finding.action {
            Action::Block => say.action_block.to_owned(),
            Action::Allow => say.action_allow.to_owned(),
        };
        if finding.important {
            what += &format!(", {}", say.important);
        }
        what += &format!(", {}", self.image.category_ids(finding.categories).join(", "));
        let mut place = fill(say.list, &[("list", &finding.lists.join(", "))]);
        if let Some((file, line)) = &finding.place {
            let values = [("file", file.as_str()), ("line", &line.to_string())];
            place += &format!(", {}", fill(say.line, &values));
        }
        let effect = fill(
            match finding.effect {
                Effect::Decides => say.decides,
                Effect::Agrees => say.agrees,
                Effect::DoesNotCover => say.does_not_cover,
                Effect::Disabled => say.disabled,
                Effect::Overridden(reason) => match reason {
                    Reason::Mandated => say.lost_to_mandated,
                    Reason::NeverBlock => say.lost_to_never_block,
                    Reason::Local => say.lost_to_local,
                    Reason::Important => say.lost_to_important,
                    Reason::Specific => say.lost_to_specific,
                    Reason::Exception => say.lost_to_exception,
                },
            },
            &[("by", &self.by())],
        );
        format!("  {covered}: {what}\n    {place}\n    {effect}\n")
    }

    /// What the operator can do.
    fn advice(&self) -> Vec<String> {
        let say = self.phrases;
        let by = self.by();
        let tier = self.question.verdict.hit().map(|hit| hit.tier);
        let mut advice = Vec::new();
        if tier == Some(Tier::NeverBlock) {
            return vec![fill(say.never_block, &[("by", &by)])];
        }
        if tier == Some(Tier::Mandated) {
            return self.about_lists(say.mandated);
        }
        if tier == Some(Tier::Local) {
            let own = |list: &str| fill(say.own_list, &[("list", list), ("by", &by)]);
            return self.deciding_lists().iter().map(|list| own(list)).collect();
        }
        if self.question.verdict.is_block() {
            advice.push(self.listing(
                say.let_through,
                say.let_through_listed,
                "local-allow",
                Action::Allow,
            ));
        } else {
            advice.push(self.listing(say.keep_away, say.keep_away_listed, "local", Action::Block));
        }
        match (tier, self.keyword()) {
            (Some(Tier::Keyword), Some(word)) => {
                let (label, weight) = (self.label(), word.threshold.to_string());
                advice.push(fill(say.keyword, &[("label", &label), ("weight", &weight)]));
            }
            _ if self.question.verdict.is_block() => advice.extend(self.about_lists(say.report)),
            _ => {}
        }
        advice
    }

    /// How to get the name into a list of the operator's own: into the file of the list with
    /// this id, or into a new one.
    fn listing(&self, new: &str, listed: &str, id: &str, action: Action) -> String {
        let name = self.question.name.to_string();
        let local = match self.image.category(31) {
            "category-31" => "local_policy",
            named => named,
        };
        let own = self.image.list_info(id).filter(|list| list.categories == CategorySet::LOCAL);
        let record = self.index.and_then(|index| index.lists().find(|list| list.id == id));
        let file = record.map_or(String::new(), |list| format!(" ({})", list.path));
        let values = [
            ("name", &*name),
            ("id", id),
            ("file", &*file),
            ("local", local),
            ("action", action.word()),
        ];
        match own {
            Some(_) => fill(listed, &values),
            None => fill(new, &values) + "\n" + &fill(phrases::LISTING, &values),
        }
    }

    /// A sentence for each list that decides, with its source.
    fn about_lists(&self, phrase: &str) -> Vec<String> {
        let sentence = |list: &String| {
            let source = self.image.list_info(list).map_or("", |info| info.source);
            let source = if source.is_empty() { self.phrases.no_source } else { source };
            fill(phrase, &[("list", list), ("source", source)])
        };
        self.deciding_lists().iter().map(sentence).collect()
    }

    fn deciding_lists(&self) -> Vec<String> {
        let lists = self.question.verdict.hit().map(|hit| self.image.list_ids(hit.lists));
        lists.unwrap_or_default().into_iter().map(str::to_owned).collect()
    }

    /// What decided: a name, or a word.
    fn by(&self) -> String {
        match self.question.verdict.hit().map(|hit| hit.trigger) {
            Some(Trigger::Keyword { word }) => {
                let keywords = self.image.filter().keywords();
                let word = keywords.and_then(|keywords| keywords.word(word));
                word.map_or(String::new(), |word| word.text.to_owned())
            }
            _ => self.question.matched().map_or(String::new(), |name| name.to_string()),
        }
    }

    /// What the words in the name weigh, when they decided.
    fn keyword(&self) -> Option<WordInfo> {
        let Trigger::Keyword { word } = self.question.verdict.hit()?.trigger else { return None };
        let keywords = self.image.filter().keywords()?;
        let found = keywords.check(self.question.name, self.question.enabled)?;
        let weight = keywords.word(word)?.weight;
        Some(WordInfo { weight, score: found.score, threshold: keywords.threshold() })
    }

    /// The label with the word in it: of several, the one nearest to the top-level domain.
    fn label(&self) -> String {
        let by = self.by();
        let labels = self.question.name.labels();
        let texts = labels.map(|label| String::from_utf8_lossy(label).into_owned());
        texts.filter(|label| label.contains(&by)).last().unwrap_or(by)
    }

    fn to_json(&self) -> serde_json::Value {
        let hit = self.question.verdict.hit();
        let rule = |finding: &Finding| {
            let reason = match finding.effect {
                Effect::Overridden(reason) => Some(reason.word()),
                _ => None,
            };
            json!({
                "name": finding.name.to_string(),
                "scope": finding.scope.word(),
                "action": finding.action.word(),
                "important": finding.important,
                "categories": self.image.category_ids(finding.categories),
                "lists": finding.lists,
                "path": finding.place.as_ref().map(|(path, _)| path),
                "line": finding.place.as_ref().map(|(_, line)| line),
                "effect": finding.effect.word(),
                "overridden_by": reason,
            })
        };
        json!({
            "version": 1,
            "command": "explain",
            "name": self.question.name.to_string(),
            "verdict": self.question.verdict.word(),
            "tier": hit.map(|hit| hit.tier.word()),
            "trigger": hit.map(|hit| check::trigger_text(self.image, self.question.name, hit)),
            "categories": hit.map_or(Vec::new(), |hit| self.image.category_ids(hit.categories)),
            "lists": self.deciding_lists(),
            "why_index": self.index.is_some(),
            "rules": self.findings.iter().map(rule).collect::<Vec<_>>(),
            "keyword": self.keyword().map(|word| json!({
                "weight": word.weight,
                "score": word.score,
                "threshold": word.threshold,
            })),
            "advice": self.advice(),
        })
    }
}

/// How the words in a name weigh.
#[derive(Clone, Copy)]
struct WordInfo {
    weight: u16,
    score: i32,
    threshold: u16,
}
