//! How the server fares: takes the accounts of all workers, gives [`Status`], which the admin socket
//! tells as JSON, the metrics as Prometheus' text, and `gardefou status` for people. It has numbers
//! by category, and nothing about who asked for what.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use filter_core::gateway::Counters;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::image::{IsClosed, Loaded};
use super::overrides::{OverrideRow, Overrides};
use super::profiles;
use super::sockets::Place;
use super::upstreams::Server;
use super::worker::{Account, Crew};
use crate::image::ImageFile;
use crate::report::grouped;

/// How long workers have to tell how they fare.
const TIME_MAX: Duration = Duration::from_secs(2);

/// Sees everything, and answers nothing: what the main thread knows.
pub(super) struct Overseer {
    crew: Crew,
    current: Arc<ArcSwap<Loaded>>,
    overrides: Arc<Overrides>,
    listen: Vec<String>,
    began: Instant,
    /// Why the last image was not taken.
    failure: RefCell<Option<String>>,
}

/// How the server fares.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    version: u32,
    command: String,
    uptime_s: u64,
    listen: Vec<String>,
    workers: usize,
    /// Over TCP, now.
    connections: usize,
    image: ImageStatus,
    /// The profile of clients that are not listed.
    profile: String,
    /// What the operator has said since.
    overrides: Vec<OverrideRow>,
    counters: Totals,
    upstreams: Vec<UpstreamStatus>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ImageStatus {
    path: String,
    serial: u64,
    names: u32,
    /// Since the file was written; absent for the lists in the binary.
    age_s: Option<u64>,
    /// Whether it is older than one of its lists may get.
    is_expired: bool,
    /// Since it was loaded.
    loaded_s: u64,
    /// Why a newer one was not taken.
    failure: Option<String>,
}

/// The counters of all workers together; see [`Counters`].
#[derive(Debug, Serialize, Deserialize)]
struct Totals {
    queries: u64,
    dropped: u64,
    refused: u64,
    blocked: BTreeMap<String, u64>,
    local: u64,
    cached: u64,
    joined: u64,
    asked: u64,
    failed: u64,
    strangers: u64,
    outsiders: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct UpstreamStatus {
    address: SocketAddr,
    /// For one worker at least.
    up: bool,
    /// In a row, of the worker that had most.
    timeouts: u8,
}

impl Overseer {
    pub(super) fn new(
        crew: Crew,
        current: Arc<ArcSwap<Loaded>>,
        overrides: Arc<Overrides>,
        places: &[Place],
    ) -> Overseer {
        let listen = places.iter().map(Place::to_string).collect();
        let failure = RefCell::new(None);
        Overseer { crew, current, overrides, listen, began: Instant::now(), failure }
    }

    pub(super) fn current(&self) -> &ArcSwap<Loaded> {
        &self.current
    }

    pub(super) fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    pub(super) fn set_failure(&self, error: Option<&anyhow::Error>) {
        *self.failure.borrow_mut() = error.map(|error| format!("{error:#}"));
    }

    /// How the server fares; `None` when a worker does not answer.
    pub(super) async fn status(&self) -> Option<Status> {
        let accounts = timeout(TIME_MAX, self.crew.accounts()).await.ok()??;
        let loaded = self.current.load();
        let image = &loaded.image;
        Some(Status {
            version: 1,
            command: "status".to_owned(),
            uptime_s: self.began.elapsed().as_secs(),
            listen: self.listen.clone(),
            workers: self.crew.len(),
            connections: accounts.iter().map(|account| account.connections).sum(),
            image: ImageStatus {
                path: image.path().display().to_string(),
                serial: image.filter().header().serial,
                names: image.filter().rule_count(),
                age_s: loaded.written.map(seconds_since),
                is_expired: loaded.is_expired(profiles::clock()),
                loaded_s: seconds_since(loaded.since),
                failure: self.failure.borrow().clone(),
            },
            profile: loaded.profiles.id(loaded.profiles.usual()).to_owned(),
            overrides: self.overrides.rows(),
            counters: Totals::of(&accounts, image),
            upstreams: upstreams(&accounts),
        })
    }

    /// What is said when everything is ready.
    pub(super) fn greeting(&self, servers: &[Server]) -> String {
        let asked: Vec<String> = servers.iter().map(Server::to_string).collect();
        let (listen, asked) = (self.listen.join(", "), asked.join(", "));
        format!("{}; listening on {listen}; asking {asked}", self.loaded_notice())
    }

    /// What is said of an image that was loaded.
    pub(super) fn loaded_notice(&self) -> String {
        let loaded = self.current.load();
        match loaded.stand_in {
            Some(IsClosed(true)) => return "without an image, answering nothing".to_owned(),
            Some(IsClosed(false)) => return "without an image, blocking nothing".to_owned(),
            None => {}
        }
        let image = &loaded.image;
        let names = grouped(image.filter().rule_count().into());
        let (path, serial) = (image.path().display(), image.filter().header().serial);
        format!("serving image `{path}`, serial {serial}, {names} names")
    }
}

fn seconds_since(time: SystemTime) -> u64 {
    time.elapsed().map_or(0, |elapsed| elapsed.as_secs())
}

fn upstreams(accounts: &[Account]) -> Vec<UpstreamStatus> {
    let Some(first) = accounts.first() else { return Vec::new() };
    let status = |index: usize| {
        let of_each = || accounts.iter().filter_map(|account| account.upstreams.get(index));
        UpstreamStatus {
            address: first.upstreams[index].upstream.address,
            up: of_each().any(|health| !health.is_down),
            timeouts: of_each().map(|health| health.timeouts).max().unwrap_or(0),
        }
    };
    (0..first.upstreams.len()).map(status).collect()
}

impl Totals {
    fn of(accounts: &[Account], image: &ImageFile) -> Totals {
        let sum = |field: fn(&Counters) -> u64| {
            accounts.iter().map(|account| field(&account.counters)).sum()
        };
        let blocked = image.filter().categories().map(|(bit, id)| {
            let of_one =
                |account: &Account| account.counters.blocked.get(usize::from(bit)).copied();
            (id.to_owned(), accounts.iter().filter_map(of_one).sum())
        });
        Totals {
            queries: sum(|counters| counters.queries),
            dropped: sum(|counters| counters.dropped),
            refused: sum(|counters| counters.refused),
            blocked: blocked.collect(),
            local: sum(|counters| counters.local),
            cached: sum(|counters| counters.cached),
            joined: sum(|counters| counters.joined),
            asked: sum(|counters| counters.asked),
            failed: sum(|counters| counters.failed),
            strangers: sum(|counters| counters.strangers),
            outsiders: accounts.iter().map(|account| account.outsiders).sum(),
        }
    }

    /// Name, meaning and value of each, but for what is blocked.
    fn rows(&self) -> [(&'static str, &'static str, u64); 10] {
        [
            ("queries", "Queries that could be read", self.queries),
            ("dropped", "Messages without a reply: no queries, or beyond a budget", self.dropped),
            ("refused", "Queries turned down", self.refused),
            ("local", "Answers about names that are answered here", self.local),
            ("cached", "Queries answered from the cache", self.cached),
            ("joined", "Queries that waited for a question on its way", self.joined),
            ("asked", "Messages sent upstream", self.asked),
            ("failed", "Questions no upstream had an answer to", self.failed),
            ("strangers", "Messages to an upstream's port that answer nothing", self.strangers),
            ("outsiders", "Datagrams and connections from networks not served", self.outsiders),
        ]
    }
}

impl Status {
    /// Prometheus' text format, version 0.0.4.
    pub(super) fn metrics(&self) -> String {
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, values: &[(String, u64)]| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "# HELP gardefou_{name} {help}.\n# TYPE gardefou_{name} {kind}");
            for (labels, value) in values {
                let _ = writeln!(text, "gardefou_{name}{labels} {value}");
            }
        };
        let one = |value| vec![(String::new(), value)];
        for (name, help, value) in self.counters.rows() {
            family(&format!("{name}_total"), "counter", help, &one(value));
        }
        let blocked = self.counters.blocked.iter();
        let blocked: Vec<_> =
            blocked.map(|(id, &count)| (format!("{{category=\"{id}\"}}"), count)).collect();
        family("blocked_total", "counter", "Answers that block, by category", &blocked);
        let up = self.upstreams.iter();
        let up: Vec<_> =
            up.map(|it| (format!("{{upstream=\"{}\"}}", it.address), u64::from(it.up))).collect();
        family("upstream_up", "gauge", "Whether an upstream answers", &up);
        family("connections", "gauge", "Connections over TCP", &one(self.connections as u64));
        family("uptime_seconds", "gauge", "Time since the start", &one(self.uptime_s));
        let image = &self.image;
        family("image_names", "gauge", "Names in the image", &one(image.names.into()));
        family("image_loaded_seconds", "gauge", "Time since it was loaded", &one(image.loaded_s));
        if let Some(age_s) = image.age_s {
            family("image_age_seconds", "gauge", "Time since its file was written", &one(age_s));
        }
        let failed = u64::from(image.failure.is_some());
        family("image_expired", "gauge", "Whether it is too old", &one(image.is_expired.into()));
        let said = self.overrides.len() as u64;
        family("overrides", "gauge", "Names the operator has spoken about since", &one(said));
        family("reload_failed", "gauge", "Whether a newer image was not taken", &one(failed));
        text
    }

    /// For people.
    pub fn text(&self) -> String {
        let image = &self.image;
        let mut text = format!(
            "image      {}, serial {}, {} names, loaded {} ago",
            image.path,
            image.serial,
            grouped(image.names.into()),
            span(image.loaded_s)
        );
        if let Some(age_s) = image.age_s {
            text += &format!(", written {} ago", span(age_s));
        }
        if image.is_expired {
            text += "\n           it is older than its lists may get: build or fetch it anew";
        }
        if let Some(failure) = &image.failure {
            text += &format!("\n           a newer one was not taken: {failure}");
        }
        text += &format!("\nlisten     {}, for {}\n", self.listen.join(", "), span(self.uptime_s));
        text += &format!("profile    {}\n", self.profile);
        for row in &self.overrides {
            let left = row.left_s.map_or_else(
                || "until the end".to_owned(),
                |left_s| format!("for {} more", span(left_s)),
            );
            text += &format!("{:<10} {} {left}\n", row.action, row.name);
        }
        for upstream in &self.upstreams {
            let health = if upstream.up { "up" } else { "down" };
            text += &format!("upstream   {} {health}\n", upstream.address);
        }
        for (name, help, value) in self.counters.rows() {
            text += &format!("{name:<10} {:>12}  {help}\n", grouped(value));
        }
        for (id, &count) in self.counters.blocked.iter().filter(|(_, count)| **count > 0) {
            text += &format!("blocked    {:>12}  {id}\n", grouped(count));
        }
        text
    }
}

/// A time in its largest unit.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
