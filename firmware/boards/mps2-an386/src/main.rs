//! The gateway on QEMU's `mps2-an386`, a Cortex-M4 with an Ethernet interface that has been made of
//! software. `gardefou gateway` builds it and boots it.
//!
//! The host puts the image at 0x2100_0000 and the settings at 0x21FF_0000, as text, which would be
//! flash on a real board:
//!
//! ```text
//! qemu-system-arm -M mps2-an386 -nographic -semihosting-config enable=on,target=native \
//!     -nic user,model=lan9118,hostfwd=udp:127.0.0.1:5353-:53,hostfwd=tcp:127.0.0.1:5353-:53 \
//!     -device loader,file=gardefou.gfi,addr=0x21000000,force-raw=on \
//!     -device loader,file=settings.txt,addr=0x21ff0000,force-raw=on \
//!     -kernel mps2-an386 | defmt-print -e mps2-an386
//! ```

#![no_std]
#![no_main]
#![cfg_attr(feature = "bare", allow(dead_code, unused, reason = "there is no gateway then"))]

#[cfg(feature = "bare")]
mod bare;
mod board;
mod callers;
mod clock;
#[cfg(feature = "count")]
mod count;
mod ethernet;
mod executor;
mod flash;
mod watchdog;

use core::panic::PanicInfo;

use cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, entry, exception};
use defmt::{Display2Format, error, info};
use defmt_semihosting as _;
use embassy_executor::Spawner;
use embassy_net::{Runner, Stack};
use firmware::panel::Switch;
use firmware::storage::{Keep, Storage};
use firmware::{Board, Learning, Memory, Neighbors, Notice, Settings, Sockets};
use static_cell::{ConstStaticCell, StaticCell};

use board::Interrupt;
use ethernet::Ethernet;
use flash::Flash;

static MEMORY: ConstStaticCell<Memory> = ConstStaticCell::new(Memory::new());
static ETHERNET: ConstStaticCell<Ethernet> = ConstStaticCell::new(Ethernet::new());
static NEIGHBORS: ConstStaticCell<Neighbors> = ConstStaticCell::new(Neighbors::new());
/// Nobody sees the lights of an emulated board.
static SWITCH: Switch = Switch::new();
static STORAGE: StaticCell<Storage<Flash>> = StaticCell::new();
static SOCKETS: ConstStaticCell<Sockets> = ConstStaticCell::new(Sockets::new());

#[entry]
fn main() -> ! {
    clock::start();
    watchdog::start();
    let settings = Settings::read(board::settings()).unwrap_or_else(|line| {
        log(Notice::Settings { line });
        Settings::default()
    });
    let (seed, network_seed) = (random(), random());
    let neighbors: &Neighbors = NEIGHBORS.take();
    let (stack, runner) = embassy_net::new(
        Learning::new(ETHERNET.take().start(), neighbors),
        settings.network(),
        SOCKETS.take(),
        u64::from_le_bytes(network_seed),
    );
    executor::run(|spawner| {
        let image = board::image();
        let storage = Storage::new(Flash, 0..Flash::LEN);
        let storage = storage.map(|storage| STORAGE.init(storage) as &mut dyn Keep);
        let (notice, switch) = (log, &SWITCH);
        let board = Board { image, settings, seed, notice, switch, neighbors, storage };
        // Each is the only one of its kind, so there is room for it.
        network(runner).into_iter().for_each(|task| spawner.spawn(task));
        #[cfg(not(feature = "bare"))]
        gateway(spawner, stack, board).into_iter().for_each(|task| spawner.spawn(task));
        #[cfg(feature = "bare")]
        bare::serve(stack).into_iter().for_each(|task| spawner.spawn(task));
    })
}

#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Learning<&'static mut Ethernet>>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn gateway(spawner: Spawner, stack: Stack<'static>, board: Board) {
    match firmware::run(spawner, stack, MEMORY.take(), board).await {
        Err(error) => error!("the firmware is damaged: {}", Display2Format(&error)),
    }
}

/// Octets of the host's generator, for the board has none. Without it there is nothing to go by: who
/// can foresee what is asked can forge the answers.
fn random<const N: usize>() -> [u8; N] {
    let mut octets = [0; N];
    if semihosting::experimental::random::fill_bytes(&mut octets).is_err() {
        fail("the host has no random numbers");
    }
    octets
}

fn log(notice: Notice) {
    #[cfg(feature = "count")]
    if notice == Notice::Listening {
        count::listening();
    }
    info!("{}", Display2Format(&notice));
}

defmt::timestamp!("{=u64:us}", clock::now_us());

// -- When something is wrong -----------------------------------------------------------------------

#[exception]
#[allow(unsafe_code)]
// SAFETY: it touches nothing an interrupt must not.
unsafe fn DefaultHandler(number: i16) {
    match Interrupt::from_number(number) {
        Some(Interrupt::Clock) => clock::on_interrupt(),
        Some(Interrupt::Ethernet) => ethernet::on_interrupt(),
        None => fail("an interrupt nobody has asked for"),
    }
}

#[exception]
#[allow(unsafe_code)]
// SAFETY: it does not return.
unsafe fn NonMaskableInt() -> ! {
    error!("nothing has come to an end for eight seconds");
    reset_by_callers()
}

#[exception]
#[allow(unsafe_code)]
// SAFETY: it does not return.
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    error!("hard fault at {=u32:#x}, called from {=u32:#x}", frame.pc(), frame.lr());
    SCB::sys_reset()
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    error!("panicked");
    reset_by_callers()
}

/// Logs where the processor is, and begins anew.
fn reset_by_callers() -> ! {
    callers::callers().for_each(|address| error!("called from {=u32:#x}", address));
    SCB::sys_reset()
}

/// Begins anew: a room without protection for a second is better off than one without any.
fn fail(why: &str) -> ! {
    error!("{}", why);
    SCB::sys_reset()
}
