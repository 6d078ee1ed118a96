//! A worker: a thread with an engine, and the sockets whose events go in and on which its actions
//! are done. [`Crew`] is all of them.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use arc_swap::{ArcSwap, Cache};
use filter_core::gateway::{
    Action, Client, Context, Counters, Event, Gateway, Health, Settings, Transport,
};
use filter_core::policy::{Clock, Override, Policy};
use rand::Rng;
use rand::rngs::ThreadRng;
use tokio::runtime::LocalRuntime;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::spawn_local;
use tokio::time::MissedTickBehavior;

use super::access::Access;
use super::connections::{self, Connections};
use super::datagrams::{self, Listener};
use super::image::Loaded;
use super::inbox::Inbox;
use super::links::Links;
use super::neighbors::Neighbors;
use super::overrides::Overrides;
use super::ports::Ports;
use super::profiles;
use super::sockets::Sockets;
use super::streams::Streams;
use super::tls::{Identity, Trust};
use super::upstreams::Server;
use super::ways::Ways;
use crate::output::report;

/// A thousand questions on their way, budgets of four thousand clients, places for thirty thousand
/// answers and replies in two megabytes, messages as long as they get: 4 MB.
type Engine = Gateway<1024, 4096, 32_768, { 2 << 20 }, 65_535>;

/// All zeros and known to the compiler to be, so that a new one is memory nobody has touched yet: its
/// pages are taken as they are written to.
const NEW_ENGINE: Engine = Engine::new();

/// Room for an engine, which passes over the stack on its way to the heap in a build that is not
/// optimized.
const STACK_LEN: usize = 16 << 20;

/// How often the engine is told that time passes.
const TICK: Duration = Duration::from_millis(50);

/// All workers, as seen from outside.
pub(super) struct Crew(Vec<mpsc::Sender<oneshot::Sender<Account>>>);

/// How a worker fares.
pub(super) struct Account {
    pub(super) counters: Counters,
    pub(super) upstreams: Vec<Health>,
    pub(super) connections: usize,
    /// Messages and connections from outside the networks that are served.
    pub(super) outsiders: u64,
}

/// What all workers have in common.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) servers: Vec<Server>,
    /// There when a server is asked over TLS.
    pub(super) trust: Option<Trust>,
    /// There when clients can ask over TLS.
    pub(super) identity: Option<Identity>,
    pub(super) settings: Settings,
    pub(super) access: Access,
    pub(super) current: Arc<ArcSwap<Loaded>>,
    pub(super) overrides: Arc<Overrides>,
}

impl Crew {
    /// Starts a worker for each set of sockets; also gives where it is told when one is lost.
    pub(super) fn start(
        sockets: Vec<Sockets>,
        common: &Common,
    ) -> anyhow::Result<(Crew, mpsc::Receiver<()>)> {
        let (loss, lost) = mpsc::channel(1);
        let mut crew = Vec::new();
        for (number, sockets) in sockets.into_iter().enumerate() {
            let (sender, questions) = mpsc::channel(1);
            let (common, loss) = (common.clone(), loss.clone());
            thread::Builder::new()
                .name(format!("worker-{number}"))
                .stack_size(STACK_LEN)
                .spawn(move || {
                    // Told however the thread ends, a panic included.
                    let _loss = Loss(loss);
                    if let Err(error) = work(sockets, common, questions) {
                        report(&error);
                    }
                })
                .context("cannot start a worker")?;
            crew.push(sender);
        }
        Ok((Crew(crew), lost))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// How each of them fares; `None` when one has ended.
    pub(super) async fn accounts(&self) -> Option<Vec<Account>> {
        let mut accounts = Vec::new();
        for worker in &self.0 {
            let (sender, account) = oneshot::channel();
            worker.send(sender).await.ok()?;
            accounts.push(account.await.ok()?);
        }
        Some(accounts)
    }
}

struct Loss(mpsc::Sender<()>);

impl Drop for Loss {
    fn drop(&mut self) {
        let _ = self.0.try_send(());
    }
}

/// What a thread does, until nobody has questions any more.
fn work(
    sockets: Sockets,
    common: Common,
    mut questions: mpsc::Receiver<oneshot::Sender<Account>>,
) -> anyhow::Result<()> {
    LocalRuntime::new()?.block_on(async {
        let listeners: Vec<Rc<Listener>> = sockets
            .udp
            .into_iter()
            .map(|socket| Listener::new(socket).map(Rc::new))
            .collect::<Result<_, _>>()?;
        let worker = Rc::new(Worker::new(common, listeners));
        for (number, listener) in worker.listeners.iter().enumerate() {
            spawn_local(datagrams::serve(Rc::clone(&worker), number, Rc::clone(listener)));
        }
        for (number, (carrier, listener)) in sockets.tcp.into_iter().enumerate() {
            let listener = (carrier, tokio::net::TcpListener::from_std(listener)?);
            spawn_local(connections::serve(Rc::clone(&worker), number, listener));
        }
        spawn_local(Rc::clone(&worker).send_replies());
        let mut clock = tokio::time::interval(TICK);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = clock.tick() => worker.handle(Event::Tick),
                question = questions.recv() => match question {
                    // Whoever asked may have gone.
                    Some(question) => drop(question.send(worker.account())),
                    None => return Ok(()),
                },
            }
        }
    })
}

/// One worker, as seen by its own tasks.
pub(super) struct Worker {
    core: RefCell<Core>,
    access: Access,
    outsiders: Cell<u64>,
    listeners: Vec<Rc<Listener>>,
    pub(super) inbox: RefCell<Inbox>,
    /// Told when a listener has replies to send.
    unsent: Notify,
    pub(super) ways: RefCell<Ways>,
    pub(super) connections: Connections,
    identity: Option<Identity>,
    ports: Ports,
    pub(super) streams: Streams,
    links: Links,
}

/// What is needed to decide.
struct Core {
    engine: Box<Engine>,
    current: Cache<Arc<ArcSwap<Loaded>>, Arc<Loaded>>,
    overrides: Arc<Overrides>,
    settings: Settings,
    random: ThreadRng,
    neighbors: Neighbors,
    clock: Clock,
    /// What the profiles mean, and of what and when that was said.
    policies: Vec<Policy>,
    policies_of: Option<(*const Loaded, Clock)>,
    /// What the operator said, and since when all of this holds.
    said: Arc<Vec<Override>>,
    since_ms: u64,
}

impl Worker {
    fn new(common: Common, listeners: Vec<Rc<Listener>>) -> Worker {
        let mut engine = Box::new(NEW_ENGINE);
        let upstreams: Vec<_> = common.servers.iter().map(Server::of_engine).collect();
        engine.set_upstreams(&upstreams);
        let core = Core {
            engine,
            current: Cache::new(common.current),
            overrides: common.overrides,
            settings: common.settings,
            random: rand::rng(),
            neighbors: Neighbors::default(),
            clock: Clock::Unset,
            policies: Vec::new(),
            policies_of: None,
            said: Arc::default(),
            since_ms: 0,
        };
        Worker {
            core: RefCell::new(core),
            access: common.access,
            outsiders: Cell::new(0),
            listeners,
            inbox: RefCell::new(Inbox::new()),
            unsent: Notify::new(),
            ways: RefCell::default(),
            connections: Connections::default(),
            identity: common.identity,
            ports: Ports::default(),
            streams: Streams::default(),
            links: Links::new(&common.servers, common.trust.as_ref()),
        }
    }

    /// Who we are to clients over TLS.
    pub(super) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Whether clients at this address are served; counts those who are not.
    pub(super) fn serves(&self, address: IpAddr) -> bool {
        let is_served = self.access.has(address);
        if !is_served {
            self.outsiders.set(self.outsiders.get() + 1);
        }
        is_served
    }

    /// Sends replies over UDP, those of a moment together; for ever.
    ///
    /// What is ready at the same time has been woken before this is, and so has its turn first.
    async fn send_replies(self: Rc<Self>) {
        loop {
            self.unsent.notified().await;
            self.listeners.iter().for_each(|listener| listener.send());
        }
    }

    /// Takes an event in, and does what it leads to. Nothing here waits.
    pub(super) fn handle(self: &Rc<Self>, mut event: Event<'_>) {
        let Core {
            engine,
            current,
            overrides,
            settings,
            random,
            neighbors,
            clock,
            policies,
            policies_of,
            said,
            since_ms,
        } = &mut *self.core.borrow_mut();
        let loaded = current.load();
        if matches!(event, Event::Tick) || *clock == Clock::Unset {
            *clock = by_minutes(profiles::clock());
        }
        let now_ms = overrides.now_ms();
        let now = Some((Arc::as_ptr(loaded), *clock));
        if *policies_of != now {
            let anew = loaded.policies(*clock);
            let is_other_image = policies_of.is_none_or(|(image, _)| image != Arc::as_ptr(loaded));
            if is_other_image || anew != *policies {
                (*policies, *since_ms) = (anew, now_ms);
            }
            *policies_of = now;
        }
        if !Arc::ptr_eq(said, &overrides.load()) {
            (*said, *since_ms) = (overrides.load_full(), now_ms);
        }
        if let Event::Query { client, .. } = &mut event {
            let address = client.address.ip();
            let knows_cards = loaded.profiles.know_cards();
            let card = knows_cards.then(|| neighbors.card(address, Instant::now())).flatten();
            client.profile = loaded.profiles.of(address, card);
        }
        let context = Context {
            now_ms,
            filter: loaded.image.filter(),
            exceptions: loaded.exceptions.as_ref(),
            overrides: said,
            policies,
            settings,
            unchanged_since_ms: Some(*since_ms),
            random: &mut || random.next_u32(),
        };
        let mut actions = engine.handle(event, context);
        // Ends because an event leads to finitely many actions.
        while let Some(action) = actions.next() {
            match action {
                Action::Reply { client, message } => self.reply(&client, message),
                Action::Ask { to, transport: Transport::Udp, port, message } => {
                    self.ports.send(self, port, to, message);
                }
                Action::Ask { to, transport: Transport::Tcp, message, .. } => {
                    if !self.links.ask(self, to, message) {
                        self.streams.ask(self, to, message);
                    }
                }
            }
        }
    }

    fn reply(&self, client: &Client, message: &[u8]) {
        match client.transport {
            Transport::Udp => {
                let Some(way) = self.ways.borrow().get(client.socket) else { return };
                let Some(listener) = self.listeners.get(way.listener) else { return };
                listener.reply(client.address, way.local, message);
                self.unsent.notify_one();
            }
            Transport::Tcp => self.connections.reply(client, message),
        }
    }

    fn account(&self) -> Account {
        let core = self.core.borrow();
        Account {
            counters: *core.engine.counters(),
            upstreams: core.engine.upstreams(core.overrides.now_ms()).collect(),
            connections: self.connections.len(),
            outsiders: self.outsiders.get(),
        }
    }
}

/// The minute it is: nothing changes in between.
fn by_minutes(clock: Clock) -> Clock {
    match clock {
        Clock::Unset => Clock::Unset,
        Clock::Unix(unix_s) => Clock::Unix(unix_s - unix_s.rem_euclid(60)),
    }
}

/// Whom budgets are counted for: an address, of IPv6 the network of a subscriber.
pub(super) fn client_key(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}

pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
