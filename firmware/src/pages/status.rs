//! The owner's page: whether the place is protected, what was counted, and what can be changed.
//!
//! Numbers are those of one moment, for a page is made in several turns.

use core::cell::RefCell;
use core::fmt::{self, Display};
use core::net::SocketAddr;

use filter_core::gateway::{Counters, Health};
use filter_core::{CategorySet, Tier, Trigger};
use heapless::Vec;

use super::helplines::Helpline;
use super::html::{Escaped, FOOT, Head};
use super::words::Words;
use crate::image::Loaded;
use crate::orders::{Explanation, Orders};

/// What the owner is shown.
pub(super) struct StatusPage<'a> {
    pub(super) words: &'a Words,
    pub(super) loaded: &'a Loaded,
    pub(super) orders: &'a RefCell<Orders>,
    /// The time, in seconds since 1970, when it is known.
    pub(super) unix_s: Option<i64>,
    /// Whether the button lets everything through.
    pub(super) is_paused: bool,
    pub(super) counters: Counters,
    pub(super) upstreams: Vec<Health, 8>,
    pub(super) helpline: Option<Helpline<'a>>,
    pub(super) now_ms: u64,
    /// What came of the last order.
    pub(super) note: Note,
}

/// What came of an order.
#[expect(clippy::large_enum_variant, reason = "there is no heap to put it on")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// Nothing to be said.
    None,
    /// What holds for a name now.
    Explained(Explanation),
    /// There was no name in it.
    NoName,
    /// As many names are allowed as there is room for.
    TooMany,
}

impl Display for StatusPage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = &self.words.status;
        let (class, sign, glance) = self.glance();
        write!(f, "{}", Head { words: self.words, title: "Gardefou" })?;
        writeln!(f, "<p role=\"status\" class=\"{class}\">{sign} {glance}</p>")?;
        self.write_note(f)?;
        self.write_questions(f)?;
        self.write_allowed(f)?;
        self.write_profiles(f)?;
        writeln!(f, "<h2>{}</h2>", words.list)?;
        let serial = self.loaded.filter.header().serial;
        let rules = self.loaded.filter.rule_count();
        let age = self.days().map(|days| (words.age, days));
        write_rows(
            f,
            [(words.serial, serial), (words.rules, rules.into())].into_iter().chain(age),
        )?;
        self.write_counters(f)?;
        self.write_upstreams(f)?;
        if let Some(line) = &self.helpline {
            write!(f, "<h2>{}</h2>\n{line}\n", words.helpline)?;
            if line.year > 0 {
                writeln!(f, "<p>{}: {}</p>", words.source, line.year)?;
            }
        }
        write_button(f, "leave", format_args!(""), words.sign_out)?;
        f.write_str(FOOT)
    }
}

impl StatusPage<'_> {
    /// Whole days that the list is here, when the time is known.
    fn days(&self) -> Option<u64> {
        Some((self.unix_s? - self.loaded.since_s.get()?).max(0) as u64 / 86_400)
    }

    /// Whether the place is protected: a class, a sign and a sentence.
    fn glance(&self) -> (&'static str, char, &'static str) {
        let words = &self.words.status;
        let is_closed = self.loaded.policies.borrow().iter().any(|policy| policy.is_closed);
        if !self.loaded.is_sound {
            let text = if is_closed { words.no_list_closed } else { words.no_list_open };
            ("bad", '✖', text)
        } else if self.is_paused {
            ("bad", '✖', words.paused)
        } else if self.upstreams.iter().all(|health| health.is_down) {
            ("bad", '✖', words.no_upstream)
        } else {
            ("good", '✔', words.protected)
        }
    }

    fn write_note(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = &self.words.status;
        let explanation = match &self.note {
            Note::None => return Ok(()),
            Note::NoName => return writeln!(f, "<p role=\"alert\">{}</p>", words.no_name),
            Note::TooMany => return writeln!(f, "<p role=\"alert\">{}</p>", words.too_many),
            Note::Explained(explanation) => explanation,
        };
        let Explanation { name, verdict } = explanation;
        let verdict_words = match verdict.word() {
            "block" => words.blocked,
            "allow" => words.allowed,
            _ => words.unlisted,
        };
        write!(f, "<p role=\"alert\"><b><bdi>{name}</bdi></b> {verdict_words}")?;
        if let Some(hit) = verdict.hit() {
            // What the law mandates is not told further, even here: who could ask which names its
            // lists hold could read them out.
            let is_by_law = hit.tier == Tier::Mandated;
            if is_by_law {
                write!(f, " ({})", words.by_law)?;
            } else if hit.tier == Tier::Rule || hit.tier == Tier::Keyword {
                write!(f, "<br>{}:", words.category)?;
                for bit in hit.categories.iter() {
                    write!(f, " <bdi>{}</bdi>", Escaped(self.category(bit)))?;
                }
            }
            let suffix = match hit.trigger {
                Trigger::Suffix { labels } if !is_by_law => name.suffix(labels.into()),
                _ => None,
            };
            if let Some(suffix) = suffix {
                write!(f, "<br>{}: <bdi>{suffix}</bdi>", words.rule)?;
            }
        }
        writeln!(f, "</p>")
    }

    /// Two forms for a name: why, and allow.
    fn write_questions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = &self.words.status;
        for (way, title, button) in
            [("why", words.why, words.look), ("allow", words.allow, words.allow_hour)]
        {
            write!(
                f,
                "<h2>{title}</h2>\n<form method=\"post\" action=\"/gardefou/{way}\">\
                <label for=\"{way}\">{}</label><input id=\"{way}\" name=\"name\" \
                required autocapitalize=\"none\" dir=\"ltr\"> \
                <button>{button}</button></form>\n",
                words.name
            )?;
        }
        Ok(())
    }

    fn write_allowed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = &self.words.status;
        for order in &self.orders.borrow().overrides {
            let left_ms = order.expires_ms.unwrap_or(u64::MAX).saturating_sub(self.now_ms);
            if left_ms == 0 {
                continue;
            }
            let (name, minutes) = (&order.name, left_ms.div_ceil(60_000));
            write!(f, "<p><bdi>{name}</bdi>: {minutes} {}</p>", words.minutes_left)?;
            let hidden = format_args!("<input type=\"hidden\" name=\"name\" value=\"{name}\">");
            write_button(f, "end", hidden, words.end_now)?;
        }
        Ok(())
    }

    /// The form for the profile, where there is a choice.
    fn write_profiles(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = &self.words.status;
        let Some(policies) = self.loaded.filter.policies() else { return Ok(()) };
        let usual = self.orders.borrow().usual_profile(self.loaded);
        write!(
            f,
            "<h2>{}</h2>\n<form method=\"post\" action=\"/gardefou/profile\">\
            <label for=\"profile\">{}</label><select id=\"profile\" name=\"profile\">",
            words.profile, words.profile_text
        )?;
        let count = self.loaded.policies.borrow().len();
        for (index, profile) in (0u8..).zip(policies.profiles().take(count)) {
            let selected = if index == usual { " selected" } else { "" };
            write!(f, "<option value=\"{index}\"{selected}>{}</option>", Escaped(profile.id))?;
        }
        writeln!(f, "</select> <button>{}</button></form>", words.change)
    }

    fn write_counters(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (words, counters) = (&self.words.status, &self.counters);
        writeln!(f, "<h2>{}</h2>", words.counted)?;
        let rows = [
            (words.queries, counters.queries),
            (words.asked, counters.asked),
            (words.failed, counters.failed),
        ];
        write_rows(f, rows)?;
        let is_mandated = |bit| CategorySet::of(bit).intersects(CategorySet::MANDATED);
        let counted = || (0u8..).zip(counters.blocked).filter(|(_, count)| *count > 0);
        let by_law: u64 = counted().filter(|(bit, _)| is_mandated(*bit)).map(|(_, n)| n).sum();
        if counted().next().is_none() {
            return Ok(());
        }
        writeln!(f, "<h3>{}</h3>\n<table>", words.blocked)?;
        if by_law > 0 {
            write_row(f, words.by_law, by_law)?;
        }
        for (bit, count) in counted().filter(|(bit, _)| !is_mandated(*bit)) {
            write_row(f, self.category(bit), count)?;
        }
        writeln!(f, "</table>")
    }

    fn write_upstreams(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = &self.words.status;
        writeln!(f, "<h2>{}</h2>\n<table>", words.upstreams)?;
        for health in &self.upstreams {
            let state = if health.is_down { words.down } else { words.up };
            let SocketAddr::V4(address) = health.upstream.address else { continue };
            let address = address.ip();
            write!(f, "<tr><th scope=\"row\"><bdi>{address}</bdi></th><td>{state}</td></tr>")?;
        }
        writeln!(f, "</table>")
    }

    /// The name of a category; its number where the image has none.
    fn category(&self, bit: u8) -> &str {
        self.loaded.filter.category_name(bit).unwrap_or("–")
    }
}

fn write_rows<'a>(
    f: &mut fmt::Formatter<'_>,
    rows: impl IntoIterator<Item = (&'a str, u64)>,
) -> fmt::Result {
    f.write_str("<table>")?;
    rows.into_iter().try_for_each(|(what, count)| write_row(f, what, count))?;
    writeln!(f, "</table>")
}

fn write_row(f: &mut fmt::Formatter<'_>, what: &str, count: u64) -> fmt::Result {
    let what = Escaped(what);
    write!(f, "<tr><th scope=\"row\"><bdi>{what}</bdi></th><td>{count}</td></tr>")
}

/// A form of a button, and of what goes with it.
fn write_button(
    f: &mut fmt::Formatter<'_>,
    way: &str,
    hidden: fmt::Arguments<'_>,
    button: &str,
) -> fmt::Result {
    write!(f, "<form method=\"post\" action=\"/gardefou/{way}\">{hidden}")?;
    writeln!(f, "<button>{button}</button></form>")
}

#[cfg(test)]
mod tests {
    use filter_core::compile::{Compiler, ListInfo};
    use filter_core::gateway::{Gateway, Transport, Upstream};
    use filter_core::policy::{Policy, PolicyBuilder};
    use filter_core::{Action, Name, Scope};
    use static_cell::StaticCell;

    use super::super::{check, helplines, words};
    use super::*;
    use crate::Settings;

    const GAMBLING: CategorySet = CategorySet::of(20);

    /// An image with a law, a list and two profiles.
    fn loaded() -> &'static Loaded {
        let mut compiler = Compiler::new(7);
        compiler.category(1, "secret").unwrap();
        compiler.category(20, "gambling").unwrap();
        let law = compiler.list(ListInfo::new("law", CategorySet::of(1))).unwrap();
        let list = compiler.list(ListInfo::new("demo", GAMBLING)).unwrap();
        for (name, list) in [("law.example", law), ("bet.example", list)] {
            let name = Name::from_text(name).unwrap();
            compiler.rule(&name, Scope::Subtree, Action::Block, list).unwrap();
        }
        let mut builder = PolicyBuilder::new();
        builder.profile("everyone", Policy::new(GAMBLING)).unwrap();
        builder.profile("<staff>", Policy::new(CategorySet::EMPTY)).unwrap();
        compiler.policy(builder.finish().unwrap());
        let image = std::vec::Vec::leak(compiler.finish().unwrap().octets);
        let place = std::boxed::Box::leak(std::boxed::Box::new(StaticCell::new()));
        Loaded::open(image, &Settings::default(), place).unwrap()
    }

    fn page<'a>(
        words: &'a Words,
        loaded: &'a Loaded,
        orders: &'a RefCell<Orders>,
    ) -> StatusPage<'a> {
        let counters = *Gateway::<8, 8, 8, 1024, 1232>::new().counters();
        let address = ([192, 0, 2, 53], 53).into();
        let upstream = Upstream { address, transport: Transport::Udp };
        let health = Health { upstream, timeouts: 0, is_down: false };
        let upstreams = [health].into_iter().collect();
        let helpline = helplines::of_country("KE");
        let (is_paused, now_ms, note) = (false, 0, Note::None);
        let unix_s = Some(1_800_000_000 + 3 * 86_400);
        StatusPage {
            words,
            loaded,
            orders,
            unix_s,
            is_paused,
            counters,
            upstreams,
            helpline,
            now_ms,
            note,
        }
    }

    #[test]
    fn it_is_small_and_sound_in_every_language() {
        let (loaded, orders) = (loaded(), RefCell::default());
        for words in words::ALL {
            let mut page = page(words, loaded, &orders);
            page.counters.blocked = [1_000_000; 32];
            let name = Name::from_text("www.bet.example").unwrap();
            page.note = Note::Explained(orders.borrow().explain(name, loaded, 0));
            let text = std::format!("{page}");
            check::document(words, &text);
            std::println!("status page, {}: {} octets", words.code, text.len());
            assert!(text.contains(words.status.protected) && text.contains("&lt;staff&gt;"));
            loaded.since_s.set(Some(1_800_000_001));
            assert!(!text.contains(words.status.age));
            let row = std::format!("{}</bdi></th><td>2</td>", words.status.age);
            assert!(std::format!("{page}").contains(&row));
            loaded.since_s.set(None);
            assert!(text.contains("gambling") && text.contains("<bdi>bet.example</bdi>"));
            page.is_paused = true;
            assert!(std::format!("{page}").contains(words.status.paused));
            page.is_paused = false;
            page.upstreams[0].is_down = true;
            assert!(std::format!("{page}").contains(words.status.no_upstream));
        }
    }

    #[test]
    fn what_the_law_mandates_is_not_told() {
        let (loaded, orders) = (loaded(), RefCell::default());
        let mut page = page(words::ALL[0], loaded, &orders);
        page.counters.blocked[1] = 3;
        let name = Name::from_text("www.law.example").unwrap();
        page.note = Note::Explained(orders.borrow().explain(name, loaded, 0));
        let text = std::format!("{page}");
        assert!(
            text.contains("www.law.example</bdi></b> is blocked (required by law)</p>"),
            "{text}"
        );
        assert!(!text.contains("secret") && !text.contains("<bdi>law.example"), "{text}");
    }
}
