//! The gateway: a DNS forwarder that filters, without input, output, clock or heap.
//!
//! Takes [`Event`]s (a client's query, an upstream's answer, time that passed), gives [`Action`]s
//! (a reply to a client, a query to an upstream). `gardefou serve` on a host and the firmware of a
//! microcontroller are loops around it.
//!
//! ```text
//! query ─ read ─► budget ─► filter ─► special names ─► cache ─► budget of names ─► pending ─► ask
//!           │        │         │            │            │             │              ▲        │
//!           ▼        ▼         ▼            ▼            ▼             ▼            retry      ▼
//!         reject   drop      block        local       inspect       refuse            │     upstream
//!                                                        ▲                            │        │
//!                                    reply to all ◄──────┴── cache ◄── match ◄────────┴────────┘
//! ```
//!
//! # What it promises
//!
//! - A verdict is made for each query, before the cache is looked at, and again for each answer,
//!   of the names it leads to. What we said of a blocked name or out of the cache is said again to the
//!   same query; for a minute, and only while the caller knows that nothing it was made of has
//!   changed.
//! - An answer is taken only from the address asked, at the port, with the id, and for the
//!   question spelled as it was sent (RFC 5452 section 9.1). Any other changes nothing.
//! - A reply is never longer than its client takes, and nothing is replied to a response.
//! - No octets make it panic; every loop ends, and says why; its memory is what its type says.
//! - It keeps no record of what was asked, but for answers in the cache, without who asked.
//!
//! # Memory
//!
//! [`Gateway`]`<PENDING, CLIENTS, ANSWERS, OCTETS, MESSAGE>` takes about 500 octets for each query
//! that can wait, 32 for each client with a budget, 32 for each answer or reply in the cache and
//! the `OCTETS` those lie in, and the longest `MESSAGE`: `Gateway<64, 64, 512, 65536, 1232>`, for a
//! microcontroller, 119 kB. [`Gateway::new`] is `const` and all zeros, so a static of it takes no
//! room in flash.

mod actions;
mod answer;
mod ask;
mod block;
mod budget;
mod buffer;
mod cache;
mod compose;
mod counters;
mod event;
mod exceptions;
mod inspect;
mod pending;
mod query;
mod question;
mod repeats;
mod reply;
mod restrict;
mod serve;
mod settings;
mod special;
#[cfg(feature = "structured-errors")]
mod structured;
mod upstream;

use self::actions::Work;
use self::budget::Clients;
use self::cache::Cache;
use self::pending::Pending;
use self::query::UDP_LEN_MAX;
use self::reply::Writer;
use self::upstream::Upstreams;
use crate::filter::Filter;
use crate::name::Name;
use crate::policy::{Override, Policy};
use crate::rule::Action as RuleAction;
use crate::verdict::Verdict;

pub use self::actions::Actions;
pub use self::budget::Budget;
pub use self::counters::Counters;
pub use self::event::{Action, Client, Event, Transport};
pub use self::exceptions::{Exceptions, Search};
pub use self::settings::Settings;
pub use self::upstream::{Health, Upstream};

/// The state of a gateway; see the [module](self) for its sizes.
///
/// - `PENDING`: how many queries can wait for an upstream, below 65,536. When there are more,
///   those about the oldest question wait no longer; they get no reply and may ask again.
/// - `CLIENTS`: of how many clients the budgets are remembered, a multiple of 8; with 0 there are
///   no budgets.
/// - `ANSWERS` and `OCTETS`: how many answers the cache holds, a multiple of 8, and how many
///   octets they may take together; with 0 there is no cache.
/// - `MESSAGE`: octets of the longest reply over a stream, at least 1232. Whoever asks for a longer
///   one is told that it is truncated.
///
/// ```
/// # #[cfg(feature = "build")] {
/// use core::net::SocketAddr;
/// use filter_core::compile::{Compiler, ListInfo};
/// use filter_core::gateway::{Action, Client, Context, Event, Exceptions, Gateway, Settings};
/// use filter_core::gateway::{Transport, Upstream};
/// use filter_core::policy::Policy;
/// use filter_core::{Action as RuleAction, CategorySet, Filter, Name, Scope};
///
/// let mut compiler = Compiler::new(1);
/// compiler.category(20, "gambling")?;
/// let list = compiler.list(ListInfo::new("demo", CategorySet::of(20)))?;
/// compiler.rule(&Name::from_text("bet.example")?, Scope::Subtree, RuleAction::Block, list)?;
/// let filter = Filter::from_bytes(compiler.finish()?.octets)?;
///
/// let mut gateway: Box<Gateway<64, 64, 64, 8192, 1232>> = Box::new(Gateway::new());
/// let address = SocketAddr::from(([192, 0, 2, 53], 53));
/// gateway.set_upstreams(&[Upstream { address, transport: Transport::Udp }]);
///
/// let laptop = SocketAddr::from(([10, 0, 0, 2], 40_000));
/// let client =
///     Client { key: 0x0A00_0002, profile: 0, transport: Transport::Udp, address: laptop, socket: 0 };
/// let message = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x03bet\x07example\0\0\x01\0\x01";
/// let context = Context {
///     now_ms: 0,
///     filter: &filter,
///     exceptions: Some(&Exceptions::of(&filter)),
///     overrides: &[],
///     policies: &[Policy::new(CategorySet::of(20))],
///     settings: &Settings::DEFAULT,
///     unchanged_since_ms: None,
///     random: &mut || 4, // from the system's generator of random numbers
/// };
/// let mut actions = gateway.handle(Event::Query { client, message }, context);
/// while let Some(action) = actions.next() {
///     let Action::Reply { client, message } = action else { panic!("blocked names stay here") };
///     assert_eq!((client.address, message[3] & 0x0F), (laptop, 3)); // NXDOMAIN
/// }
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Gateway<
    const PENDING: usize,
    const CLIENTS: usize,
    const ANSWERS: usize,
    const OCTETS: usize,
    const MESSAGE: usize,
> {
    upstreams: Upstreams,
    clients: Clients<CLIENTS>,
    cache: Cache<ANSWERS, OCTETS>,
    pending: Pending<PENDING>,
    writer: Writer<MESSAGE>,
    counters: Counters,
}

/// What the gateway needs to know of the world around it, at each event anew: so a filter, a
/// policy or a setting that changed counts from the next event on.
pub struct Context<'a, D> {
    /// Milliseconds from a clock that only goes forward.
    pub now_ms: u64,
    /// What is listed.
    pub filter: &'a Filter<D>,
    /// Names above those the filter allows. `None`: not known yet, so that each name may be one, which
    /// is always safe.
    pub exceptions: Option<&'a Exceptions>,
    /// What the operator said since the filter was made.
    pub overrides: &'a [Override],
    /// What is blocked, by [`Client::profile`].
    pub policies: &'a [Policy],
    /// Times, limits and budgets.
    pub settings: &'a Settings,
    /// Since when filter, exceptions, overrides, policies and settings are what they are, on the same
    /// clock; replies are repeated since. `None`: not known, and none is repeated. That an
    /// override ends is no change.
    pub unchanged_since_ms: Option<u64>,
    /// Numbers nobody can foresee, from a cryptographic generator: ids, ports and spellings are
    /// made of them, some ten for a query.
    pub random: &'a mut dyn FnMut() -> u32,
}

impl<D: AsRef<[u8]>> Context<'_, D> {
    /// What holds for a name under a policy.
    fn check(&self, name: &Name, policy: &Policy) -> Verdict {
        let verdict = self.filter.check(name, policy.enabled);
        Override::revise(verdict, name, self.overrides, self.now_ms)
    }

    /// Whether a name below this one may be allowed.
    fn may_be_above_allowed(&self, name: &Name) -> bool {
        let is_above = |other: &Override| {
            other.action == RuleAction::Allow
                && other.holds(self.now_ms)
                && other.name.is_within(name)
                && other.name != *name
        };
        self.exceptions.is_none_or(|exceptions| exceptions.may_be_above_one(name))
            || self.overrides.iter().any(is_above)
    }
}

impl<
    const PENDING: usize,
    const CLIENTS: usize,
    const ANSWERS: usize,
    const OCTETS: usize,
    const MESSAGE: usize,
> Gateway<PENDING, CLIENTS, ANSWERS, OCTETS, MESSAGE>
{
    /// A gateway without upstreams: it answers what it can by itself.
    pub const fn new() -> Self {
        const {
            assert!(PENDING <= u16::MAX as usize, "PENDING is at most 65,535");
            assert!(MESSAGE >= UDP_LEN_MAX as usize, "MESSAGE is at least 1232");
        }
        Gateway {
            upstreams: Upstreams::new(),
            clients: Clients::new(),
            cache: Cache::new(),
            pending: Pending::new(),
            writer: Writer::new(),
            counters: Counters::ZERO,
        }
    }

    /// Asks these from now on, the first of them first; at most eight. Questions on their way
    /// to others are asked again when their time runs out.
    pub fn set_upstreams(&mut self, upstreams: &[Upstream]) {
        self.upstreams.set(upstreams);
    }

    /// Takes one event in, and gives what is to be done, to be taken out before the next one.
    ///
    /// Cost of a query: reading it, a check, a look into the cache, and a scan of `PENDING` words
    /// if it is not there. Of an answer: such a scan, and what its records take, for each client
    /// that waits. Of a tick: a walk over the questions on their way. Under 8 kB of stack on a
    /// Cortex-M4, no heap, no panic on any octets.
    pub fn handle<'a, D: AsRef<[u8]>>(
        &'a mut self,
        event: Event<'a>,
        mut context: Context<'a, D>,
    ) -> Actions<'a, D, PENDING, CLIENTS, ANSWERS, OCTETS, MESSAGE> {
        let work = match event {
            Event::Query { client, message } => self.on_query(client, message, &mut context),
            Event::Answer { from, transport, port, message } => {
                self.on_answer(from, transport, port, message, &mut context)
            }
            Event::Tick => Work::Overdue,
        };
        Actions { gateway: self, context, work, is_tick: matches!(event, Event::Tick) }
    }

    /// When the next [`Event::Tick`] is due, if something is on its way; a walk over all of it.
    pub fn next_tick_ms(&self) -> Option<u64> {
        self.pending.next_deadline_ms()
    }

    /// How the upstreams fare, first choice first.
    pub fn upstreams(&self, now_ms: u64) -> impl Iterator<Item = Health> {
        self.upstreams.health(now_ms)
    }

    /// What was counted so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}

impl<
    const PENDING: usize,
    const CLIENTS: usize,
    const ANSWERS: usize,
    const OCTETS: usize,
    const MESSAGE: usize,
> Default for Gateway<PENDING, CLIENTS, ANSWERS, OCTETS, MESSAGE>
{
    fn default() -> Self {
        Gateway::new()
    }
}

/// What the [module](self) says of its size.
const _: () = assert!(size_of::<Gateway<64, 64, 512, 65536, 1232>>() <= 119_000);
