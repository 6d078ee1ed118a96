//! The gateway on a microcontroller, without its hardware: DNS over UDP and TCP for a room, by the
//! same engine as `gardefou serve`, on a network stack a board brings.
//!
//! ```text
//! flash ── image ────► Loaded ─┐                       ┌─► ports ───► upstreams over UDP
//!       └─ settings ─► Settings┼─► Worker ◄──► engine ─┼─► streams ─► upstreams over TCP
//! clients ─► datagrams ────────┤                       └─► replies
//!         └► connections ──────┘
//! ```
//!
//! Visitors of blocked sites are led to a page of the board's own, and the owner has pages there, too.
//!
//! Beside this way of a query, `room` gives out addresses, asks for the time and answers to a name;
//! [`panel`] looks after a light and a button, and [`storage`] keeps what must survive a loss of
//! power.
//!
//! A board has clock, executor, network driver and log; it makes a [`Stack`] with a driver that is
//! [`Learning`], spawns its runner, and [`run`]s the gateway in a [`Memory`] of its own. There is no
//! heap: all there is to fill is filled when it begins, and what does not fit later is turned away.
//!
//! The image is read where it lies. It is verified while DHCP takes its time, and clients are
//! answered when it has been, not before. Where it is not sound,
//! [`Settings::is_open_without_image`] says what becomes of them.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod address;
mod connections;
mod datagrams;
mod image;
mod memory;
mod neighbors;
mod network;
mod notice;
mod orders;
mod pages;
pub mod panel;
mod ports;
mod room;
mod settings;
pub mod storage;
mod streams;
mod worker;

use core::cell::{Cell, RefCell};
use core::convert::Infallible;

use embassy_executor::{SpawnError, SpawnToken, Spawner};
use embassy_futures::join::join;
use embassy_futures::yield_now;
use embassy_net::Stack;
use filter_core::FormatError;
use filter_core::policy::Clock;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;

pub use memory::{Memory, Sockets};
pub use neighbors::{Learning, Neighbors};
pub use notice::Notice;
pub use pages::helplines::OwnHelpline;
pub use settings::Settings;

use connections::Connections;
use datagrams::Listener;
use image::Loaded;
use orders::Orders;
use pages::Pages;
use panel::{Pause, Switch};
use ports::Port;
use room::Room;
use storage::{Keep, Kept};
use streams::Streams;
use worker::{Core, Worker};

/// What a board brings.
pub struct Board {
    /// The region of flash at whose beginning the image lies.
    pub image: &'static [u8],
    /// What the owner has set.
    pub settings: Settings,
    /// Numbers nobody can foresee.
    pub seed: [u8; 32],
    /// Where to say what happens.
    pub notice: fn(Notice),
    /// Those that [`Learning`] learns of.
    pub neighbors: &'static Neighbors,
    /// What survives a loss of power, where there is room for it.
    pub storage: Option<&'static mut dyn Keep>,
    /// What a light and a button have to do with it, where there are some.
    pub switch: &'static Switch,
}

/// Serves; for ever.
///
/// # Errors
/// [`FormatError`] when not even the image in the firmware itself is sound: the flash is damaged.
pub async fn run(
    spawner: Spawner,
    stack: Stack<'static>,
    memory: &'static mut Memory,
    mut board: Board,
) -> Result<Infallible, FormatError> {
    // The network has its turn first: DHCP is asked before the processor is busy with the image.
    yield_now().await;
    let (worker, room) = begin(spawner, stack, memory, &mut board)?;
    (board.notice)(Notice::Listening);
    let network = network::keep_current(worker, &board.settings, board.notice);
    let room = room.serve(worker, &board.settings, board.notice);
    Ok(join(network, room).await.1)
}

/// Verifies the image, and starts a worker that goes by it.
// Not inlined, so that its frame is given back.
#[inline(never)]
fn begin(
    spawner: Spawner,
    stack: Stack<'static>,
    memory: &'static mut Memory,
    board: &mut Board,
) -> Result<(&'static Worker, &'static mut Room), FormatError> {
    let Memory { engine, loaded: place, exceptions, replies, worker, clients, ports, room } =
        memory;
    let loaded = match Loaded::open(board.image, &board.settings, place) {
        Ok(loaded) => {
            let (serial, rules) = (loaded.filter.header().serial, loaded.filter.rule_count());
            (board.notice)(Notice::Image { serial, rules });
            loaded
        }
        Err(error) => {
            let is_open = board.settings.is_open_without_image;
            (board.notice)(Notice::NoImage { error, is_open });
            Loaded::stand_in(&board.settings, place)?
        }
    };
    let kept = Kept { storage: RefCell::new(board.storage.take()), notice: board.notice };
    let (orders, pages) = (Orders::restore(&kept, loaded), Pages::restore(&kept, &board.settings));
    let random = ChaCha12Rng::from_seed(board.seed);
    let core = Core {
        engine,
        loaded,
        exceptions: None,
        started_s: None,
        minute: Clock::Unset,
        pause: Pause::default(),
        since_ms: 0,
        random,
    };
    let listener = Listener::new(clients.socket(stack));
    let ports = ports.each_mut().map(|buffers| Port::new(buffers.socket(stack)));
    let worker: &'static Worker = worker.init_with(|| Worker {
        core: RefCell::new(core),
        stack,
        switch: board.switch,
        may_pause: board.settings.may_pause,
        network: Cell::new(None),
        listener,
        connections: Connections::new(replies),
        ports,
        streams: Streams::new(),
        orders: RefCell::new(orders),
        pages,
        kept,
        neighbors: board.neighbors,
    });
    start(spawner, worker);
    spawn(spawner, image::find_exceptions(worker, loaded, exceptions));
    Ok((worker, room))
}

/// Starts all tasks of a worker.
fn start(spawner: Spawner, worker: &'static Worker) {
    for (number, port) in (0..).zip(&worker.ports) {
        spawn(spawner, ports::listen(worker, number, port));
    }
    for number in 0..streams::COUNT {
        spawn(spawner, streams::ask(worker, number));
    }
    for number in 0..connections::COUNT as u16 {
        spawn(spawner, connections::serve(worker, number));
    }
    for _ in 0..pages::COUNT {
        spawn(spawner, pages::serve(worker));
    }
    spawn(spawner, datagrams::serve(worker));
    spawn(spawner, worker::tick(worker));
}

/// Starts a task, for which there is room.
fn spawn<S>(spawner: Spawner, task: Result<SpawnToken<S>, SpawnError>) {
    if let Ok(task) = task {
        spawner.spawn(task);
    }
}
