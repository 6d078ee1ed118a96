//! What a place wants done: `policy.toml` becomes a [`PolicyBuilder`], which writes the policy
//! section of an image. `blocklists/policy.toml` tells what the fields mean.

use std::collections::BTreeMap;
use std::net::IpAddr;

use filter_core::policy::{BlockAnswer, ClientMatch, Policy, PolicyBuilder, Reason, Schedule};
use filter_core::{Action, CategorySet, Restriction};
use serde::Deserialize;
use toml::Spanned;

use super::categories::{Categories, is_id};
use super::document::{Document, Problems};
use super::hours;
use crate::embedded::Place;

type Text = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: Spanned<u32>,
    operator: Option<Text>,
    contact: Option<Text>,
    time_zone: Option<Text>,
    default_profile: Option<Text>,
    unset_clock: Option<Text>,
    ttl_s: Option<Spanned<u32>>,
    #[serde(default)]
    page: Vec<Text>,
    #[serde(default)]
    profile: Vec<ProfileTable>,
    #[serde(default)]
    schedule: Vec<ScheduleTable>,
    #[serde(default)]
    client: Vec<ClientTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileTable {
    id: Text,
    #[serde(default)]
    block: Vec<Text>,
    reason: Option<Text>,
    search: Option<Text>,
    video: Option<Text>,
    answer: Option<Text>,
    #[serde(default)]
    answers: BTreeMap<Text, Text>,
    keep_resolver: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScheduleTable {
    profile: Text,
    block: Option<Vec<Text>>,
    allow: Option<Vec<Text>>,
    #[serde(default)]
    days: Vec<Text>,
    from: Text,
    to: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientTable {
    profile: Text,
    address: Option<Text>,
    mac: Option<Text>,
}

/// Reads the file. What is wrong is reported and left out.
pub(super) fn read(
    place: &Place,
    text: &str,
    categories: &Categories,
    problems: &mut Problems,
) -> PolicyBuilder {
    let document = Document::new(place, text);
    let mut builder = PolicyBuilder::new();
    let Some(file) = document.read::<File>(problems) else { return builder };
    document.check_schema(problems, &file.schema);
    let mut reader = Reader { document, categories, problems };
    let usual = reader.usual(&file);
    if file.profile.is_empty() {
        let hint = "add a [[profile]] with an id and what it blocks";
        reader.problems.add_file(place, "no profile", hint);
    }
    for table in &file.profile {
        let policy = reader.profile(table, &usual);
        if !is_id(table.id.get_ref()) {
            reader.problem(&table.id, "not an id", "use up to 64 of a-z, 0-9, `_` and `-`");
        } else if let Err(error) = builder.profile(table.id.get_ref(), policy) {
            reader.problem(&table.id, error, "give every profile its own id");
        }
    }
    let ids: Vec<&str> = file.profile.iter().map(|table| table.id.get_ref().as_str()).collect();
    if let Some(index) = file.default_profile.and_then(|id| reader.index(&id, &ids)) {
        builder.usual_profile = index;
    }
    if let Some(zone) = file.time_zone.and_then(|name| reader.time_zone(&name)) {
        builder.time_zone = zone;
    }
    let ways = [("strict", false), ("lenient", true)];
    builder.is_unset_clock_lenient = reader.choice(file.unset_clock, &ways).unwrap_or(false);
    for table in file.schedule {
        if let Some(schedule) = reader.schedule(table, &ids) {
            builder.schedule(schedule);
        }
    }
    for table in file.client {
        if let Some((client, profile)) = reader.client(table, &ids) {
            builder.client(client, profile);
        }
    }
    builder
}

struct Reader<'a, 'p> {
    document: Document<'a>,
    categories: &'a Categories,
    problems: &'p mut Problems,
}

impl Reader<'_, '_> {
    /// What all profiles begin with.
    fn usual(&mut self, file: &File) -> Policy {
        let mut policy = Policy::new(CategorySet::MANDATED);
        if let Some(operator) = &file.operator {
            policy.set_operator(operator.get_ref());
            if policy.operator() != operator.get_ref() {
                self.problem(operator, "longer than 48 bytes", "shorten it");
            }
        }
        if let Some(contact) = &file.contact {
            let uri = contact.get_ref();
            policy.set_contact(uri);
            if !uri.is_empty() && !is_contact(uri) {
                let hint = "write one such as `mailto:appeal@cafe.example` or `tel:+221000000000`";
                self.problem(contact, "not a mail or telephone URI of up to 64 bytes", hint);
            }
        }
        if let Some(ttl_s) = &file.ttl_s {
            policy.ttl_s = *ttl_s.get_ref();
            if policy.ttl_s > 3600 {
                let hint = "use at most 3600: what is allowed again should soon work again";
                self.problem(ttl_s, "too long", hint);
            }
        }
        for address in &file.page {
            match address.get_ref().parse() {
                Ok(IpAddr::V4(ipv4)) => policy.page.ipv4 = Some(ipv4),
                Ok(IpAddr::V6(ipv6)) => policy.page.ipv6 = Some(ipv6),
                Err(_) => self.problem(address, "not an address", "write one such as 192.0.2.1"),
            }
        }
        policy
    }

    fn profile(&mut self, table: &ProfileTable, usual: &Policy) -> Policy {
        let mut policy = usual.clone();
        policy.enabled = policy.enabled.union(self.categories(&table.block));
        let reasons = [("operator", Reason::Operator), ("request", Reason::Request)];
        let choice = self.choice(table.reason.clone(), &reasons);
        policy.reason = choice.unwrap_or(policy.reason);
        policy.search = self.choice(table.search.clone(), &RESTRICTIONS).unwrap_or_default();
        policy.video = self.choice(table.video.clone(), &RESTRICTIONS).unwrap_or_default();
        policy.keeps_resolver = table.keep_resolver.unwrap_or(true);
        if let Some(answer) = self.choice(table.answer.clone(), &BLOCK_ANSWERS) {
            policy.set_answer(CategorySet::ALL, answer);
        }
        for (category, answer) in &table.answers {
            let answer = self.choice(Some(answer.clone()), &BLOCK_ANSWERS);
            let categories = self.categories(std::slice::from_ref(category));
            policy.set_answer(categories, answer.unwrap_or(BlockAnswer::NxDomain));
        }
        let pages = [policy.page.ipv4.is_some(), policy.page.ipv6.is_some()];
        let all = (0..32).map(CategorySet::of);
        let shows_page =
            all.map(|category| policy.answer(category)).any(|it| it == BlockAnswer::Page);
        if shows_page && pages == [false, false] {
            let hint = "add `page = [\"192.0.2.1\"]` above the profiles";
            self.problem(&table.id, "there is no address of a page to answer with", hint);
        }
        policy
    }

    fn schedule(&mut self, table: ScheduleTable, ids: &[&str]) -> Option<Schedule> {
        let profile = self.index(&table.profile, ids);
        let (action, words) = match (table.block, table.allow) {
            (Some(words), None) => (Action::Block, words),
            (None, Some(words)) => (Action::Allow, words),
            _ => {
                let hint = "add `block` or `allow` with a list of categories, one of the two";
                self.problem(&table.profile, "says not what is to be done", hint);
                return None;
            }
        };
        let categories = self.categories(&words);
        if action == Action::Allow && categories.intersects(CategorySet::MANDATED) {
            let hint = "leave out the categories mandated by law";
            let word = words.first().unwrap_or(&table.profile);
            self.problem(word, "no hour allows what the law forbids", hint);
        }
        let days = table.days.iter().map(|word| hours::days(word.get_ref()).ok_or(word));
        let days = days.collect::<Result<Vec<_>, _>>();
        let days = match days {
            Ok(days) if days.is_empty() => filter_core::policy::Days::ALL,
            Ok(days) => filter_core::policy::Days::of(days.into_iter().flatten()),
            Err(word) => {
                self.problem(word, "not a day", "write mon, tue … sun, or a range such as mon-fri");
                return None;
            }
        };
        let [from, to] = [(&table.from, 1439), (&table.to, 1440)].map(|(text, most)| {
            let minute = hours::minute(text.get_ref()).filter(|&minute| minute <= most);
            if minute.is_none() {
                self.problem(text, "not a time of the day", "write one such as 08:00");
            }
            minute
        });
        Some(Schedule { profile: profile?, action, categories, days, from: from?, to: to? })
    }

    fn client(&mut self, table: ClientTable, ids: &[&str]) -> Option<(ClientMatch, u8)> {
        let profile = self.index(&table.profile, ids);
        let client = match (&table.address, &table.mac) {
            (Some(address), None) => {
                let network = network(address.get_ref());
                if network.is_none() {
                    let hint = "write one such as 192.168.1.7 or 192.168.1.0/24";
                    self.problem(address, "neither an address nor a network", hint);
                }
                network
            }
            (None, Some(mac)) => {
                let card = hours::mac(mac.get_ref()).map(ClientMatch::Mac);
                if card.is_none() {
                    let hint = "write one such as 02:00:5e:10:00:01";
                    self.problem(mac, "not the address of a network card", hint);
                }
                card
            }
            _ => {
                let hint = "add `address` or `mac`, one of the two";
                self.problem(&table.profile, "says not which client", hint);
                None
            }
        };
        Some((client?, profile?))
    }

    fn categories(&mut self, words: &[Text]) -> CategorySet {
        let mut set = CategorySet::EMPTY;
        for word in words {
            let found = match word.get_ref().split_once(':') {
                Some(("default", default)) => self.categories.with_default(default),
                _ if word.get_ref() == "all" => Some(CategorySet::ALL),
                _ => self.categories.find(word.get_ref()).map(|category| category.set()),
            };
            match found {
                Some(found) => set = set.union(found),
                None => self.document.unknown_category(self.problems, word, self.categories),
            }
        }
        set
    }

    fn index(&mut self, id: &Text, ids: &[&str]) -> Option<u8> {
        let index = ids.iter().position(|other| other == id.get_ref());
        if index.is_none() {
            let message = format!("unknown profile `{}`", id.get_ref());
            self.problem(id, message, format!("the profiles are {}", ids.join(", ")));
        }
        index.and_then(|index| u8::try_from(index).ok())
    }

    fn time_zone(&mut self, name: &Text) -> Option<filter_core::policy::TimeZone> {
        let zone = hours::time_zone(name.get_ref());
        if zone.is_none() {
            let message = format!("unknown time zone `{}`", name.get_ref());
            self.problem(name, message, "write a name such as Africa/Dakar or Europe/Paris");
        }
        zone
    }

    fn choice<T: Copy>(&mut self, word: Option<Text>, known: &[(&str, T)]) -> Option<T> {
        self.document.choice(self.problems, word, known)
    }

    fn problem<T>(
        &mut self,
        value: &Spanned<T>,
        message: impl std::fmt::Display,
        hint: impl Into<String>,
    ) {
        let hint: String = hint.into();
        self.document.problem(self.problems, value.span(), message, hint);
    }
}

const RESTRICTIONS: [(&str, Restriction); 3] = [
    ("off", Restriction::Off),
    ("moderate", Restriction::Moderate),
    ("strict", Restriction::Strict),
];

/// The words for answers.
pub const BLOCK_ANSWERS: [(&str, BlockAnswer); 5] = [
    ("nxdomain", BlockAnswer::NxDomain),
    ("nodata", BlockAnswer::NoData),
    ("null", BlockAnswer::NullAddress),
    ("page", BlockAnswer::Page),
    ("refused", BlockAnswer::Refused),
];

/// `192.0.2.1`, `192.0.2.0/24` and the same in IPv6.
/// A mail or telephone URI (RFC 6068, RFC 3966), without what would have to be escaped in JSON.
fn is_contact(uri: &str) -> bool {
    let is_plain = |octet: u8| octet.is_ascii_graphic() && !matches!(octet, b'"' | b'\\');
    let rest = uri.strip_prefix("mailto:").filter(|address| address.contains('@'));
    let rest = rest.or_else(|| uri.strip_prefix("tel:"));
    uri.len() <= 64 && rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_plain))
}

fn network(text: &str) -> Option<ClientMatch> {
    let (address, len) = match text.split_once('/') {
        Some((address, len)) => (address, Some(len.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let len_max = if address.is_ipv4() { 32 } else { 128 };
    let len = len.unwrap_or(len_max);
    (len <= len_max).then_some(ClientMatch::Network { address, len })
}

#[cfg(test)]
mod tests {
    use filter_core::policy::{Clock, Policies};

    use super::*;

    fn load(text: &str) -> Result<PolicyBuilder, String> {
        let place = Place::Disk("policy.toml".into());
        let mut problems = Problems::default();
        let categories = super::super::built_in_categories(&mut problems);
        let builder = read(&place, text, &categories, &mut problems);
        problems.into_result().map_err(|problems| problems.to_string())?;
        Ok(builder)
    }

    #[test]
    fn a_place_is_read() {
        let section = load(
            r#"schema = 1
operator = "Cyber Étoile"
contact = "mailto:appel@etoile.example"
time_zone = "Europe/Paris"
default_profile = "open"
page = ["192.0.2.1"]
[[profile]]
id = "child"
block = ["adult", "default:block_child"]
search = "strict"
answer = "page"
answers = { malware = "null", adult = "nodata" }
[[profile]]
id = "open"
[[schedule]]
profile = "child"
block = ["gaming"]
days = ["mon-wed", "sun"]
from = "20:00"
to = "06:30"
[[client]]
profile = "child"
address = "192.168.1.0/24"
[[client]]
profile = "open"
mac = "02:00:5E:10:00:01"
"#,
        )
        .unwrap()
        .finish()
        .unwrap();
        let policies = Policies::from_section(&section).unwrap();
        assert_eq!(policies.profile_of([192, 168, 1, 9].into(), None), 0);
        let card = Some([2, 0, 0x5E, 0x10, 0, 1]);
        assert_eq!(policies.profile_of([192, 168, 1, 9].into(), card), 1);
        assert_eq!(policies.profile_of([10, 0, 0, 1].into(), None), 1);
        // 2026-07-06, a Monday: 18:00 UTC is 20:00 there.
        let at = |unix_s| policies.policy(0, Clock::Unix(unix_s)).unwrap();
        let gaming = CategorySet::of(10);
        assert!(!at(1_783_360_799).enabled.contains(gaming));
        let evening = at(1_783_360_800);
        assert!(evening.enabled.contains(gaming));
        assert!(evening.enabled.contains(CategorySet::of(2).union(CategorySet::of(3))));
        assert_eq!(evening.operator(), "Cyber Étoile");
        assert_eq!(evening.contact(), "mailto:appel@etoile.example");
        assert_eq!(evening.answer(CategorySet::of(2)), BlockAnswer::NoData);
        assert_eq!(evening.answer(CategorySet::of(3)), BlockAnswer::Page);
        assert_eq!(evening.answer(CategorySet::of(23)), BlockAnswer::NullAddress);
        assert_eq!((evening.search, evening.video), (Restriction::Strict, Restriction::Off));
    }

    #[test]
    fn all_mistakes_are_told_with_their_place() {
        let problems = load(
            r#"schema = 1
time_zone = "Europe/Atlantis"
default_profile = "chilld"
page = ["here"]
[[profile]]
id = "child"
block = ["adlt", "default:blok"]
search = "hard"
answer = "page"
[[profile]]
id = "child"
[[schedule]]
profile = "child"
block = ["adult"]
days = ["someday"]
from = "8:00"
to = "16:00"
[[schedule]]
profile = "child"
allow = ["illegal_other"]
from = "25:00"
to = "24:01"
[[schedule]]
profile = "child"
from = "08:00"
to = "16:00"
[[client]]
profile = "child"
address = "192.168.1.0/33"
[[client]]
profile = "child"
mac = "02:00"
[[client]]
profile = "child"
"#,
        )
        .map(|_| ())
        .unwrap_err();
        for expected in [
            "policy.toml:2:13: unknown time zone `Europe/Atlantis`",
            "policy.toml:3:19: unknown profile `chilld`\n    hint: the profiles are child, child",
            "policy.toml:4:9: not an address",
            "policy.toml:6:6: there is no address of a page",
            "policy.toml:7:10: unknown category `adlt`",
            "policy.toml:7:18: unknown category `default:blok`",
            "policy.toml:8:10: unknown word `hard`\n    hint: use one of off, moderate, strict",
            "policy.toml:11:6: profile id `child`",
            "policy.toml:15:9: not a day",
            "policy.toml:20:10: no hour allows what the law forbids",
            "policy.toml:21:8: not a time of the day",
            "policy.toml:22:6: not a time of the day",
            "policy.toml:24:11: says not what is to be done",
            "policy.toml:29:11: neither an address nor a network",
            "policy.toml:32:7: not the address of a network card",
            "policy.toml:34:11: says not which client",
        ] {
            assert!(problems.contains(expected), "{expected}\n{problems}");
        }
        assert!(problems.starts_with("16 mistakes"), "{problems}");
    }
}
