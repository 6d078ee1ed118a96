//! The worker: an engine, and the sockets whose events go in and on which its actions are done.

use core::cell::{Cell, RefCell};
use core::net::IpAddr;

use embassy_net::{Ipv4Cidr, Stack};
use embassy_time::{Duration, Instant, Ticker};
use filter_core::gateway::{
    Action, Client, Context, Event, Exceptions, Settings, Transport, Upstream,
};
use filter_core::policy::Clock;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::Rng as _;

use crate::connections::Connections;
use crate::datagrams::Listener;
use crate::image::Loaded;
use crate::memory::Engine;
use crate::neighbors::Neighbors;
use crate::orders::Orders;
use crate::pages::Pages;
use crate::panel::{Pause, State, Switch};
use crate::ports::{self, Port};
use crate::storage::Kept;
use crate::streams::Streams;

pub(crate) const DNS_PORT: u16 = 53;
/// How often the engine is told that time passes.
const TICK: Duration = Duration::from_millis(50);
const SETTINGS: Settings = Settings { source_ports: ports::COUNT as u16, ..Settings::DEFAULT };

/// The worker, as seen by its own tasks.
pub(crate) struct Worker {
    pub(crate) core: RefCell<Core>,
    pub(crate) stack: Stack<'static>,
    pub(crate) switch: &'static Switch,
    pub(crate) may_pause: bool,
    /// Our own network, when there is one.
    pub(crate) network: Cell<Option<Ipv4Cidr>>,
    pub(crate) listener: Listener,
    pub(crate) connections: Connections,
    pub(crate) ports: [Port; ports::COUNT],
    pub(crate) streams: Streams,
    pub(crate) orders: RefCell<Orders>,
    pub(crate) pages: Pages,
    pub(crate) kept: Kept,
    pub(crate) neighbors: &'static Neighbors,
}

/// What is needed to decide.
pub(crate) struct Core {
    pub(crate) engine: &'static mut Engine,
    pub(crate) loaded: &'static Loaded,
    /// Names above allowed ones, when they are found.
    pub(crate) exceptions: Option<&'static Exceptions>,
    /// The time when the board began, in seconds since 1970, when it is known.
    pub(crate) started_s: Option<i64>,
    /// The minute whose schedules are gone by.
    pub(crate) minute: Clock,
    pub(crate) pause: Pause,
    /// Since when all of this holds.
    pub(crate) since_ms: u64,
    pub(crate) random: ChaCha12Rng,
}

impl Worker {
    /// Whether clients at this address are served: those of private and link-local networks, and of
    /// our own.
    pub(crate) fn serves(&self, address: IpAddr) -> bool {
        let IpAddr::V4(address) = address else { return false };
        let is_ours = self.network.get().is_some_and(|network| network.contains_addr(&address));
        address.is_private() || address.is_link_local() || is_ours
    }

    /// Asks these from now on.
    pub(crate) fn set_upstreams(&self, upstreams: &[Upstream]) {
        self.core.borrow_mut().engine.set_upstreams(upstreams);
    }

    /// Goes by these from now on.
    pub(crate) fn set_exceptions(&self, exceptions: &'static Exceptions) {
        let core = &mut *self.core.borrow_mut();
        (core.exceptions, core.since_ms) = (Some(exceptions), Instant::now().as_millis());
    }

    /// Is at this address from now on.
    pub(crate) fn set_network(&self, network: Option<Ipv4Cidr>) {
        self.network.set(network);
        let core = &mut *self.core.borrow_mut();
        if core.loaded.set_page(network.map(|network| network.address())) {
            core.since_ms = Instant::now().as_millis();
        }
    }

    /// Knows the time from now on.
    pub(crate) fn set_time(&self, unix_s: i64) {
        let core = &mut *self.core.borrow_mut();
        core.started_s = Some(unix_s - Instant::now().as_secs() as i64);
        core.loaded.date(unix_s, &self.kept);
    }

    /// Goes by the schedules of this minute, and by the button.
    fn follow_time(&self) {
        let Core { loaded, started_s, minute, pause, since_ms, .. } = &mut *self.core.borrow_mut();
        let now = Instant::now();
        let now_ms = now.as_millis();
        let was_paused = pause.is_on();
        pause.step(self.switch.take_tap() && self.may_pause, now_ms);
        if self.switch.take_hold() {
            self.pages.forget_owner(&self.kept);
        }
        let is_paused = pause.is_on();
        self.switch.set_state(match self.network.get() {
            Some(_) if loaded.is_sound && is_paused => State::Paused,
            Some(_) if loaded.is_sound => State::Protected,
            _ => State::Unprotected,
        });
        let clock = started_s.map_or(Clock::Unset, |started_s| {
            let unix_s = started_s + now.as_secs() as i64;
            Clock::Unix(unix_s - unix_s.rem_euclid(60))
        });
        if *minute != clock || is_paused != was_paused {
            *minute = clock;
            if loaded.set_clock(clock, is_paused) {
                *since_ms = now_ms;
            }
        }
    }

    /// A number nobody can foresee.
    pub(crate) fn random(&self) -> u64 {
        self.core.borrow_mut().random.next_u64()
    }

    /// Takes an event in, and does what it leads to. Nothing here waits.
    pub(crate) fn handle(&self, mut event: Event<'_>) {
        let Core { engine, loaded, exceptions, since_ms, random, .. } =
            &mut *self.core.borrow_mut();
        let orders = self.orders.borrow();
        if let Event::Query { client, .. } = &mut event {
            let address = client.address.ip();
            client.profile = orders.profile_of(address, self.neighbors.card(address), loaded);
        }
        let (policies, random) = (loaded.policies.borrow(), RefCell::new(random));
        let context = Context {
            now_ms: Instant::now().as_millis(),
            filter: &loaded.filter,
            exceptions: *exceptions,
            overrides: &orders.overrides,
            policies: &policies,
            settings: &SETTINGS,
            unchanged_since_ms: Some(*since_ms),
            random: &mut || random.borrow_mut().next_u32(),
        };
        let mut actions = engine.handle(event, context);
        // Ends because an event leads to finitely many actions.
        while let Some(action) = actions.next() {
            match action {
                Action::Reply { client, message } => self.reply(&client, message),
                Action::Ask { to, transport: Transport::Udp, port, message } => {
                    let Some(port) = self.ports.get(usize::from(port)) else { continue };
                    port.send(to, message, &mut || random.borrow_mut().next_u32());
                }
                Action::Ask { to, transport: Transport::Tcp, message, .. } => {
                    self.streams.ask(to, message);
                }
            }
        }
    }

    fn reply(&self, client: &Client, message: &[u8]) {
        match client.transport {
            Transport::Udp => self.listener.reply(client.address, message),
            Transport::Tcp => self.connections.reply(client, message),
        }
    }
}

/// Goes by the time as it passes, and tells the engine; for ever.
#[embassy_executor::task]
pub(crate) async fn tick(worker: &'static Worker) {
    let mut clock = Ticker::every(TICK);
    loop {
        clock.next().await;
        worker.follow_time();
        worker.handle(Event::Tick);
    }
}
