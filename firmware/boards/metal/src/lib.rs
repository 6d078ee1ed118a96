//! What every real board of the gateway has, whatever its microcontroller: regions of flash, a log
//! that goes to the debug probe, last words, and how the gateway begins and is watched over.
//!
//! ```text
//! board ── driver, seed ──► begin ── Runner ──► board, which runs the network and feeds the watchdog
//! ```
//!
//! A board's `main.rs` brings clocks, pins, the network driver, random numbers and the watchdog;
//! its `memory.x` says where everything lies.

#![no_std]
#![deny(missing_docs)]

mod flash;
mod last_words;

use core::fmt::Display;

use defmt::{Display2Format, error, info};
use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_net::Stack;
use embassy_net_driver::Driver;
use embassy_time::{Duration, Instant, Timer};
use embedded_hal::digital::{InputPin, OutputPin, PinState};
use embedded_storage::nor_flash::NorFlash;
use firmware::panel::{Panel, Switch};
use firmware::storage::Keep;
use firmware::{Board, Learning, Memory, Neighbors, Notice, Settings, Sockets};
use static_cell::{ConstStaticCell, StaticCell};

pub use flash::Wary;

static MEMORY: ConstStaticCell<Memory> = ConstStaticCell::new(Memory::new());
static NEIGHBORS: ConstStaticCell<Neighbors> = ConstStaticCell::new(Neighbors::new());
static SWITCH: Switch = Switch::new();
static SOCKETS: ConstStaticCell<Sockets> = ConstStaticCell::new(Sockets::new());

/// How long a watchdog waits for its food: longer than an image takes to be verified, and no longer
/// than any of them can wait.
pub const PATIENCE: Duration = Duration::from_secs(8);

/// Octets of chance a gateway begins with.
pub const SEED_LEN: usize = 40;

/// What moves frames between a network driver and the gateway.
pub type Runner<D> = embassy_net::Runner<'static, Learning<D>>;

/// What survives a loss of power, on the driver of a board's flash.
pub type Storage<F> = firmware::storage::Storage<Wary<F>>;

/// What survives a loss of power, where `memory.x` says.
pub fn storage<F: NorFlash>(
    flash: F,
    place: &'static StaticCell<Storage<F>>,
) -> Option<&'static mut dyn Keep> {
    let storage = Storage::new(Wary::new(flash), flash::storage())?;
    Some(place.init(storage))
}

/// Begins the gateway on a network driver. What it gives back is to be run, or nothing moves.
pub fn begin<D: Driver>(
    spawner: Spawner,
    driver: D,
    seed: [u8; SEED_LEN],
    storage: Option<&'static mut dyn Keep>,
) -> Runner<D> {
    if let Some(words) = last_words::take() {
        error!("before the reset: {=str}", words.as_str());
    }
    let settings = Settings::read(flash::settings()).unwrap_or_else(|line| {
        log(Notice::Settings { line });
        Settings::default()
    });
    let (seed, network_seed) = split(seed);
    let network = settings.network();
    let neighbors: &Neighbors = NEIGHBORS.take();
    let (stack, runner) =
        embassy_net::new(Learning::new(driver, neighbors), network, SOCKETS.take(), network_seed);
    let (image, notice, switch) = (flash::image(), log, &SWITCH);
    let board = Board { image, settings, seed, notice, switch, neighbors, storage };
    // It is the only one of its kind, so there is room for it.
    gateway(spawner, stack, board).into_iter().for_each(|task| spawner.spawn(task));
    runner
}

/// Shows how the room is by a light that is on at the high level, and takes what is pressed with a
/// button that is down at the given one; for ever.
pub async fn look_after(light: impl OutputPin, button: impl InputPin, down: PinState) -> ! {
    let panel = Panel::new((light, PinState::High), (button, down));
    panel.run(&SWITCH).await
}

/// Feeds a watchdog, as long as tasks are run at all; for ever.
pub async fn keep_fed(mut feed: impl FnMut()) -> ! {
    loop {
        feed();
        Timer::after(PATIENCE / 8).await;
    }
}

/// An address for a board without one of its own: locally administered, and always the same for
/// the same number of its chip.
pub fn hardware_address(chip: &[u8]) -> [u8; 6] {
    // FNV-1a: chips of a batch differ in few bits only.
    let hash = chip.iter().fold(0xCBF2_9CE4_8422_2325, |hash: u64, &octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01B3)
    });
    let [a, b, c, d, e, ..] = (hash ^ (hash >> 32)).to_le_bytes();
    [0x02, a, b, c, d, e]
}

/// Says why this board cannot serve, and begins anew: a room without protection for a second is
/// better off than one without any.
pub fn fail(why: impl Display) -> ! {
    last_words::reset(format_args!("{why}"))
}

#[embassy_executor::task]
async fn gateway(spawner: Spawner, stack: Stack<'static>, board: Board) {
    match firmware::run(spawner, stack, MEMORY.take(), board).await {
        Err(error) => error!("the firmware is damaged: {}", Display2Format(&error)),
    }
}

/// The seed of the gateway, and that of the network stack.
fn split(seed: [u8; SEED_LEN]) -> ([u8; 32], u64) {
    let (mut gateway, mut network) = ([0; 32], [0; 8]);
    gateway.copy_from_slice(&seed[..32]);
    network.copy_from_slice(&seed[32..]);
    (gateway, u64::from_le_bytes(network))
}

fn log(notice: Notice) {
    info!("{}", Display2Format(&notice));
}

defmt::timestamp!("{=u64:us}", Instant::now().as_micros());
