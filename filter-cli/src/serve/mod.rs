//! `gardefou serve`: a filtering DNS server for a Linux router, around the engine of
//! [`filter_core::gateway`].
//!
//! ```text
//!                 files, signals                      clients                 upstreams
//!                       │                          │           ▲                ▲  │
//!                    reload ── swaps ──► image     ▼           │                │  ▼
//!                                          └──► datagrams, connections,  ports, streams, links
//!                                               https
//!  status ◄── admin, metrics                       └── Event ──► worker ── Action ──┘
//!     └────────────── asks ──────────────────────────────────────► │ (engine, one per thread)
//! ```
//!
//! Each worker is a thread with an engine, sockets and a cache of its own; they share the image,
//! which is only read. The main thread has no part in answering: it loads, reloads, tells how
//! things are, and waits for the end.
//!
//! # What it promises
//!
//! - The list comes first: sockets are bound when the image is loaded and verified. Before that
//!   nobody is listening, so no query is let through, and a client asks its next server or again.
//! - A new image is opened and verified aside and takes the place of the old one between two
//!   queries. One that is not sound is reported, and the old one stays.
//! - A reply leaves from the address its query came to.
//! - Whoever is outside the networks it serves gets no answer.
//! - An upstream over TLS that is not who it has to be is not asked, and nothing is asked in the open
//!   instead.
//! - What a client can make this hold is bounded: connections, replies not yet read, questions.
//! - Nothing is written down about who asks or what: there are counters, and no log of queries.

mod access;
mod admin;
mod connections;
mod datagrams;
mod explain;
mod https;
mod image;
mod inbox;
mod links;
mod metrics;
mod neighbors;
mod outbox;
mod overrides;
mod ports;
mod privileges;
mod profiles;
mod reload;
mod sockets;
mod status;
mod streams;
mod systemd;
mod tls;
mod upstreams;
mod ways;
mod worker;

use std::future::pending;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::Context;
use arc_swap::ArcSwap;
use filter_core::gateway::{Budget, Settings};
use filter_core::policy::ClientMatch;
use tokio::runtime::LocalRuntime;
use tokio::signal::unix::{SignalKind, signal};

use crate::output::{Output, hinted, report};

pub use self::access::prefix;
pub use self::admin::{Answer, Request};
pub use self::image::{Source, WithoutImage};
pub use self::profiles::{AnswerArgument, Wishes};
pub use self::sockets::Listen;
pub use self::status::Status;
pub use self::upstreams::{HTTPS_PORT, PORT, Server, TLS_PORT, address};

use self::access::Access;
use self::image::{Loaded, Stamps};
use self::overrides::Overrides;
use self::status::Overseer;
use self::tls::{Identity, Trust};
use self::worker::{Common, Crew};

/// What is served, where, and to whom.
pub struct Options {
    /// The image and what is done with it.
    pub source: Source,
    /// What is done while there is none.
    pub without_image: WithoutImage,
    /// Where clients ask.
    pub listen: Listen,
    /// The files of our certificate and its key, for clients over TLS.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The networks whose clients are answered; the usual ones when there are none.
    pub allow_from: Vec<ClientMatch>,
    /// Who is asked; the name servers of the system when there are none.
    pub upstreams: Vec<Server>,
    /// Certificates of whom vouches for upstreams over TLS; the system knows some when there is no
    /// file.
    pub upstream_authorities: Option<PathBuf>,
    /// Threads that answer.
    pub workers: usize,
    /// Messages a client may send each second; `None` for any number.
    pub queries_per_second: Option<u32>,
    /// New names a client may ask about each second; `None` for any number.
    pub names_per_second: Option<u32>,
    /// The EDNS option that asks for structured errors.
    #[cfg(feature = "structured-errors")]
    pub structured_errors: Option<u16>,
    /// Whom to become when the sockets are bound.
    pub user: Option<String>,
    /// The socket `gardefou status` asks.
    pub admin: Option<PathBuf>,
    /// Where metrics are collected.
    pub metrics: Option<SocketAddr>,
}

/// Serves until a signal ends it.
///
/// # Errors
/// When the image cannot be loaded, a socket cannot be bound, there is nobody to ask, or a worker
/// is lost.
pub fn run(options: Options, output: &Output) -> anyhow::Result<()> {
    let servers = upstreams::choose(&options.upstreams)?;
    let is_secure = servers.iter().any(|server| server.secure.is_some());
    let authorities = options.upstream_authorities.as_deref();
    let trust = is_secure.then(|| Trust::new(authorities)).transpose()?;
    let files = options.identity.as_ref();
    let identity = files.map(|(certificate, key)| Identity::load(certificate, key)).transpose()?;
    let (loaded, stamps) = options.first_image(output)?;
    let current = Arc::new(ArcSwap::from_pointee(loaded));

    privileges::allow_more_files();
    let sockets = sockets::open(&options.listen, options.workers, output)?;
    let places = sockets::places(&sockets)?;
    let addresses: Vec<_> = places.iter().map(|place| place.address).collect();
    upstreams::refuse_loops(&servers, &addresses)?;
    let admin = options.admin.as_deref().map(admin::bind).transpose()?;
    let metrics = options.metrics.map(metrics::bind).transpose()?;
    if let Some(user) = &options.user {
        privileges::become_user(user)?;
    }

    let common = Common {
        servers,
        trust,
        identity,
        settings: options.settings(),
        access: Access::new(&options.allow_from, &addresses),
        current,
        overrides: Arc::new(Overrides::new()),
    };
    let (crew, mut lost) = Crew::start(sockets, &common)?;
    let Common { servers, identity, current, overrides, .. } = common;
    let overseer = Rc::new(Overseer::new(crew, current, overrides, &places));
    let result = LocalRuntime::new()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let hangup = signal(SignalKind::hangup())?;
        tokio::task::spawn_local(reload::keep_current(
            Arc::new(options.source),
            stamps,
            hangup,
            Rc::clone(&overseer),
            *output,
        ));
        if let Some(listener) = admin {
            tokio::task::spawn_local(admin::serve(listener, Rc::clone(&overseer)));
        }
        if let Some(listener) = metrics {
            tokio::task::spawn_local(metrics::serve(listener, Rc::clone(&overseer)));
        }
        if let Some(identity) = identity {
            tokio::task::spawn_local(identity.keep_current());
        }
        tokio::task::spawn_local(systemd::watchdog(Rc::clone(&overseer)));
        output.notice(overseer.greeting(&servers));
        systemd::ready();
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
            () = async {
                if lost.recv().await.is_none() {
                    pending::<()>().await;
                }
            } => {
                Err(hinted("a worker has ended by itself", "this is a bug; please report it"))
            }
        }
    });
    systemd::stopping();
    if let Some(path) = &options.admin {
        admin::remove(path);
    }
    result.context("cannot go on serving")
}

impl Options {
    /// The image that is served first: what stands for it, when it is not there and the place wants
    /// to go on.
    fn first_image(&self, output: &Output) -> anyhow::Result<(Loaded, Option<Stamps>)> {
        let error = match self.source.load(output) {
            Err(error) if self.without_image != WithoutImage::Stop => error,
            result => return result,
        };
        let is_closed = self.without_image == WithoutImage::Closed;
        let stand_in = self.source.stand_in(is_closed)?;
        let meanwhile = if is_closed { "nothing is answered" } else { "everything is let through" };
        report(&error.context(format!("{meanwhile} until there is an image")));
        Ok((stand_in, None))
    }

    fn settings(&self) -> Settings {
        let budget = |per_second: Option<u32>, usual: Budget| match per_second {
            // As many at once as the usual budget has for its rate.
            Some(n) => {
                Budget { per_second: n, burst: n.saturating_mul(usual.burst / usual.per_second) }
            }
            None => Budget { per_second: u32::MAX, burst: u32::MAX },
        };
        Settings {
            source_ports: ports::COUNT,
            queries: budget(self.queries_per_second, Settings::DEFAULT.queries),
            names: budget(self.names_per_second, Settings::DEFAULT.names),
            #[cfg(feature = "structured-errors")]
            structured_errors: self.structured_errors,
            ..Settings::DEFAULT
        }
    }
}
