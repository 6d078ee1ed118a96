//! A gateway with a clock, a die and people around it, set up from a few lines of text. It is the
//! engine alone, or a [`Server`] around one.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use filter_core::compile::{Compiler, ListInfo};
use filter_core::gateway::{
    Action, Budget, Client, Context, Event, Exceptions, Gateway, Settings, Transport, Upstream,
};
use filter_core::policy::{BlockAnswer, Override, Policy, Reason};
use filter_core::{
    Action as RuleAction, CategorySet, Facet, Filter, Name, Restriction, Scope, SiteKind,
};

use crate::common::Random;
use crate::dns::Message;

/// The categories scripts speak of.
const CATEGORIES: &[(u8, &str)] = &[(1, "by_law"), (2, "adult"), (20, "gambling"), (31, "local")];

/// Small enough that scripts can fill it.
type SmallGateway = Gateway<8, 16, 32, 8192, 4096>;

pub struct Conversation {
    pub gateway: Box<SmallGateway>,
    pub now_ms: u64,
    /// What was sent upstream, in order.
    pub asked: Vec<Asked>,
    random: Random,
    filter: Filter<Vec<u8>>,
    exceptions: Option<Exceptions>,
    overrides: Vec<Override>,
    policies: Vec<Policy>,
    pub upstreams: Vec<Upstream>,
    pub settings: Settings,
    /// When that was last changed; without it, nothing is repeated.
    pub unchanged_since_ms: Option<u64>,
    /// People by name, in the order they came.
    people: Vec<String>,
    /// What each one asked, by id.
    pub queries: BTreeMap<(String, u16), Vec<u8>>,
    /// What the gateway did and no step has looked at.
    pub done: VecDeque<Done>,
    /// Where in which script this is.
    pub at: String,
    /// With one, it is this and not the engine here that the conversation is held with.
    pub server: Option<Box<dyn Server>>,
}

/// A server around an engine, which does what is to be done when it comes to it.
pub trait Server {
    /// Sends what someone asks.
    fn query(&mut self, who: &str, transport: Transport, octets: &[u8]);
    /// Sends what an upstream answers to the question with this number.
    fn answer(&mut self, number: u16, octets: &[u8]);
    /// What it did next, if it does something in this time. The port of a question is its number.
    fn next(&mut self, patience: Duration) -> Option<Done>;
    /// What it has counted.
    fn counter(&self, name: &str) -> u64;
}

/// How long a server may take for what it has to do, and how long is waited for what it has not.
const PATIENCE: Duration = Duration::from_secs(10);
const DISTRUST: Duration = Duration::from_millis(10);

/// An action, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    Reply { who: String, transport: Transport, octets: Vec<u8> },
    Ask { to: SocketAddr, transport: Transport, port: u16, octets: Vec<u8> },
}

#[derive(Clone, Debug)]
pub struct Asked {
    pub to: SocketAddr,
    pub transport: Transport,
    pub port: u16,
    pub query: Message,
}

impl Conversation {
    pub fn new(config: &str) -> Conversation {
        let mut all = Policy::new(CategorySet::ALL);
        all.set_operator("School of Example");
        let mut conversation = Conversation {
            gateway: Box::new(Gateway::new()),
            now_ms: 1_000_000,
            asked: Vec::new(),
            random: Random(0x2545_F491_4F6C_DD1D),
            filter: filter(&[]),
            exceptions: None,
            overrides: Vec::new(),
            policies: vec![all],
            upstreams: Vec::new(),
            settings: Settings::DEFAULT,
            unchanged_since_ms: Some(0),
            people: Vec::new(),
            queries: BTreeMap::new(),
            done: VecDeque::new(),
            at: "the configuration".into(),
            server: None,
        };
        let lines: Vec<&str> = config.lines().filter(|line| is_said(line)).collect();
        conversation.load(&lines);
        for line in lines {
            conversation.configure(line.trim());
        }
        conversation.gateway.set_upstreams(&conversation.upstreams);
        conversation
    }

    /// What the filter is made of.
    pub fn image(&self) -> &[u8] {
        self.filter.as_bytes()
    }

    /// What was done next, that must be, or must not.
    pub fn next_done(&mut self, is_due: bool) -> Option<Done> {
        let Some(server) = &mut self.server else { return self.done.pop_front() };
        let done = server.next(if is_due { PATIENCE } else { DISTRUST });
        if let Some(Done::Ask { to, transport, port, octets }) = &done {
            let query = Message::from_octets(octets);
            self.asked.push(Asked { to: *to, transport: *transport, port: *port, query });
        }
        done
    }

    pub fn counter(&self, name: &str) -> u64 {
        if let Some(server) = &self.server {
            return server.counter(name);
        }
        let counters = self.gateway.counters();
        match name {
            "queries" => counters.queries,
            "dropped" => counters.dropped,
            "refused" => counters.refused,
            "local" => counters.local,
            "cached" => counters.cached,
            "joined" => counters.joined,
            "asked" => counters.asked,
            "failed" => counters.failed,
            "strangers" => counters.strangers,
            category => counters.blocked[usize::from(bit(category))],
        }
    }

    /// Any octets from someone.
    pub fn query_octets(
        &mut self,
        who: &str,
        transport: Transport,
        profile: u8,
        octets: &[u8],
    ) -> Vec<Done> {
        if let Some(server) = &mut self.server {
            server.query(who, transport, octets);
            return Vec::new();
        }
        let number = self.people.iter().position(|name| name == who).unwrap_or_else(|| {
            self.people.push(who.into());
            self.people.len() - 1
        });
        let address = SocketAddr::from(([10, 0, 0, number as u8 + 1], 40_000));
        let client = Client { key: number as u64, profile, transport, address, socket: 3 };
        self.handle(Event::Query { client, message: octets })
    }

    /// Any octets that came to a source port.
    pub fn answer(
        &mut self,
        from: IpAddr,
        transport: Transport,
        port: u16,
        octets: &[u8],
    ) -> Vec<Done> {
        if let Some(server) = &mut self.server {
            server.answer(port, octets);
            return Vec::new();
        }
        let from = SocketAddr::new(from, 53);
        self.handle(Event::Answer { from, transport, port, message: octets })
    }

    pub fn tick(&mut self) -> Vec<Done> {
        self.handle(Event::Tick)
    }

    fn handle(&mut self, event: Event<'_>) -> Vec<Done> {
        let Conversation {
            gateway,
            random,
            filter,
            exceptions,
            overrides,
            policies,
            settings,
            unchanged_since_ms,
            people,
            ..
        } = self;
        let context = Context {
            now_ms: self.now_ms,
            filter,
            exceptions: exceptions.as_ref(),
            overrides,
            policies,
            settings,
            unchanged_since_ms: *unchanged_since_ms,
            random: &mut || random.below(1 << 32) as u32,
        };
        let mut list = Vec::new();
        let mut actions = gateway.handle(event, context);
        while let Some(action) = actions.next() {
            list.push(match action {
                Action::Reply { client, message } => Done::Reply {
                    who: people[client.key as usize].clone(),
                    transport: client.transport,
                    octets: message.to_vec(),
                },
                Action::Ask { to, transport, port, message } => {
                    let query = Message::from_octets(message);
                    self.asked.push(Asked { to, transport, port, query });
                    Done::Ask { to, transport, port, octets: message.to_vec() }
                }
            });
        }
        list
    }

    /// The operator says something about a name, for so many seconds.
    pub fn say(&mut self, action: RuleAction, name: &str, seconds: &str) {
        let name = Name::from_text(name).unwrap();
        let expires_ms = Some(self.now_ms + 1000 * seconds.parse::<u64>().unwrap());
        self.overrides.push(Override { name, action, expires_ms });
        self.changed();
    }

    fn changed(&mut self) {
        self.unchanged_since_ms = self.unchanged_since_ms.map(|_| self.now_ms);
    }

    // -- Configuration -------------------------------------------------------------------------

    /// Compiles the rules among the lines.
    pub fn load(&mut self, lines: &[&str]) {
        self.filter = filter(lines);
        let is_unknown = lines.iter().any(|line| line.trim() == "exceptions: unknown");
        self.exceptions = (!is_unknown).then(|| Exceptions::of(&self.filter));
        self.changed();
    }

    fn configure(&mut self, line: &str) {
        let (key, value) = line.split_once(": ").unwrap_or_else(|| panic!("not a setting: {line}"));
        let words: Vec<&str> = value.split_whitespace().collect();
        match (key, &words[..]) {
            ("block" | "allow" | "never-block" | "exceptions" | "site", _) => {}
            ("upstream", [address, options @ ..]) => self.upstreams.push(Upstream {
                address: SocketAddr::new(address.parse().unwrap(), 53),
                transport: options.first().map_or(Transport::Udp, |word| parse_transport(word)),
            }),
            ("profile", [number, options @ ..]) => {
                let number: usize = number.parse().unwrap();
                let usual = self.policies[0].clone();
                self.policies.resize(number.max(self.policies.len() - 1) + 1, usual);
                for option in options {
                    set_policy(&mut self.policies[number], option);
                }
            }
            ("settings", options) => options.iter().for_each(|option| self.set(option)),
            _ => panic!("no such setting: {line}"),
        }
    }

    fn set(&mut self, option: &str) {
        let (key, value) = option.split_once('=').unwrap();
        let budget = || {
            let (per_second, burst) = value.split_once('/').unwrap();
            Budget { per_second: per_second.parse().unwrap(), burst: burst.parse().unwrap() }
        };
        let settings = &mut self.settings;
        match key {
            "timeout-ms" => settings.timeout_ms = value.parse().unwrap(),
            "timeouts-max" => settings.timeouts_max = value.parse().unwrap(),
            "ttl-max" => settings.ttl_max_s = value.parse().unwrap(),
            "negative-ttl-max" => settings.negative_ttl_max_s = value.parse().unwrap(),
            "queries" => settings.queries = budget(),
            "names" => settings.names = budget(),
            #[cfg(feature = "structured-errors")]
            "structured-errors" => settings.structured_errors = Some(value.parse().unwrap()),
            _ => panic!("no such setting: {option}"),
        }
    }
}

pub fn is_said(line: &str) -> bool {
    !line.trim().is_empty() && !line.starts_with(';')
}

pub fn parse_transport(word: &str) -> Transport {
    match word {
        "udp" => Transport::Udp,
        "tcp" => Transport::Tcp,
        _ => panic!("udp or tcp, not {word}"),
    }
}

pub fn bit(category: &str) -> u8 {
    let found = CATEGORIES.iter().find(|(_, name)| *name == category);
    found.unwrap_or_else(|| panic!("no category {category}")).0
}

fn set_policy(policy: &mut Policy, option: &str) {
    let (key, value) = option.split_once('=').unwrap();
    match key {
        "enabled" => {
            let bits = value.split(',').filter(|word| !word.is_empty()).map(bit);
            policy.enabled =
                bits.fold(CategorySet::EMPTY, |set, bit| set.union(CategorySet::of(bit)));
        }
        "reason" => {
            policy.reason = if value == "request" { Reason::Request } else { Reason::Operator };
        }
        "operator" => policy.set_operator(&value.replace('_', " ")),
        "contact" => policy.set_contact(value),
        "search" => policy.search = restriction(value),
        "video" => policy.video = restriction(value),
        "closed" => policy.is_closed = value == "yes",
        "page4" => policy.page.ipv4 = Some(value.parse().unwrap()),
        "page6" => policy.page.ipv6 = Some(value.parse().unwrap()),
        "ttl" => policy.ttl_s = value.parse().unwrap(),
        "keeps-resolver" => policy.keeps_resolver = value == "yes",
        category => policy.set_answer(
            CategorySet::of(bit(category)),
            match value {
                "NXDOMAIN" => BlockAnswer::NxDomain,
                "NODATA" => BlockAnswer::NoData,
                "NULL" => BlockAnswer::NullAddress,
                "PAGE" => BlockAnswer::Page,
                "REFUSED" => BlockAnswer::Refused,
                _ => panic!("no answer {value}"),
            },
        ),
    }
}

fn restriction(word: &str) -> Restriction {
    match word {
        "off" => Restriction::Off,
        "moderate" => Restriction::Moderate,
        "strict" => Restriction::Strict,
        _ => panic!("off, moderate or strict, not {word}"),
    }
}

/// A filter of the rules among the lines: `block: NAME [SCOPE] [CATEGORY]`, `allow:` likewise,
/// `never-block: NAME`, `site: NAME search|video [STRICT MODERATE]`.
fn filter(lines: &[&str]) -> Filter<Vec<u8>> {
    let mut compiler = Compiler::new(1);
    for &(bit, name) in CATEGORIES {
        compiler.category(bit, name).unwrap();
        compiler.list(ListInfo::new(name, CategorySet::of(bit))).unwrap();
    }
    for line in lines {
        let Some((key, value)) = line.trim().split_once(": ") else { continue };
        let words: Vec<&str> = value.split_whitespace().collect();
        let name = || Name::from_text(words[0]).unwrap();
        let action = match key {
            "block" => RuleAction::Block,
            "allow" => RuleAction::Allow,
            "never-block" => {
                compiler.never_block(&name(), Scope::Subtree).unwrap();
                continue;
            }
            "site" => {
                let kind = if words[1] == "video" { SiteKind::Video } else { SiteKind::Search };
                let hosts: Vec<Name> =
                    words[2..].iter().map(|host| Name::from_text(host).unwrap()).collect();
                let hosts = hosts.first().zip(hosts.get(1));
                compiler.rewrite(&name(), kind, hosts).unwrap();
                continue;
            }
            _ => continue,
        };
        let (mut scope, mut category) = (Scope::Subtree, "gambling");
        for word in &words[1..] {
            match Scope::ALL.into_iter().find(|scope| scope.word() == *word) {
                Some(found) => scope = found,
                None => category = word,
            }
        }
        let list = CATEGORIES.iter().position(|(_, name)| *name == category).unwrap() as u8;
        let categories = CategorySet::of(bit(category));
        let lists = [list].into_iter().collect();
        let facet = Facet { scope, action, important: false, categories, lists };
        compiler.facet(&name(), facet).unwrap();
    }
    Filter::from_bytes(compiler.finish().unwrap().octets).unwrap()
}
