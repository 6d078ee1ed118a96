//! The gateway on ST's Nucleo-F767ZI: an STM32F767, a Cortex-M7, and an Ethernet socket. Nothing
//! has to be wired.

#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_stm32::eth::{self, GenericPhy, PacketQueue, Sma};
use embassy_stm32::flash::{self, Blocking};
use embassy_stm32::gpio::{Input, Level, Output, Pull, Speed};
use embassy_stm32::peripherals::{ETH, ETH_SMA, RNG};
use embassy_stm32::rcc::*;
use embassy_stm32::rng::{self, Rng};
use embassy_stm32::time::Hertz;
use embassy_stm32::wdg::IndependentWatchdog;
use embassy_stm32::{Config, bind_interrupts, uid};
use embedded_hal::digital::PinState;
use static_cell::{ConstStaticCell, StaticCell};

bind_interrupts!(struct Interrupts {
    ETH => eth::InterruptHandler;
    RNG => rng::InterruptHandler<RNG>;
});

type Ethernet = eth::Ethernet<'static, ETH, GenericPhy<Sma<'static, ETH_SMA>>>;
type Flash = flash::Flash<'static, Blocking>;

/// Frames that wait on either side.
static FRAMES: ConstStaticCell<PacketQueue<8, 8>> = ConstStaticCell::new(PacketQueue::new());

static STORAGE: StaticCell<metal::Storage<Flash>> = StaticCell::new();

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let board = embassy_stm32::init(clocks());
    let mut watchdog = IndependentWatchdog::new(board.IWDG, metal::PATIENCE.as_micros() as u32);
    watchdog.unleash();
    // Flash is slow beside the processor. Data is not cached, for the network driver shares it.
    if let Some(mut core) = cortex_m::Peripherals::take() {
        core.SCB.enable_icache();
    }

    let mut seed = [0; metal::SEED_LEN];
    if Rng::new(board.RNG, Interrupts).async_fill_bytes(&mut seed).await.is_err() {
        metal::fail("the generator has no random numbers");
    }
    let ethernet = Ethernet::new(
        FRAMES.take(),
        board.ETH,
        Interrupts,
        board.PA1,
        board.PA7,
        board.PC4,
        board.PC5,
        board.PG13,
        board.PB13,
        board.PG11,
        metal::hardware_address(&uid::uid()),
        board.ETH_SMA,
        board.PA2,
        board.PC1,
    );

    let storage = metal::storage(Flash::new_blocking(board.FLASH), &STORAGE);
    let runner = metal::begin(spawner, ethernet, seed, storage);
    // Each is the only one of its kind, so there is room for it.
    network(runner).into_iter().for_each(|task| spawner.spawn(task));
    let light = Output::new(board.PB0, Level::Low, Speed::Low);
    let button = Input::new(board.PC13, Pull::Down);
    panel(light, button).into_iter().for_each(|task| spawner.spawn(task));
    metal::keep_fed(|| watchdog.pet()).await;
}

#[embassy_executor::task]
async fn panel(light: Output<'static>, button: Input<'static>) -> ! {
    metal::look_after(light, button, PinState::High).await
}

#[embassy_executor::task]
async fn network(mut runner: metal::Runner<Ethernet>) -> ! {
    runner.run().await
}

/// 216 MHz, from the 8 MHz the debug probe on the board gives; and 48 MHz for random numbers.
fn clocks() -> Config {
    let mut config = Config::default();
    let clocks = &mut config.rcc;
    clocks.hse = Some(Hse { freq: Hertz(8_000_000), mode: HseMode::Bypass });
    clocks.pll_src = PllSource::HSE;
    clocks.pll = Some(Pll {
        prediv: PllPreDiv::DIV4,
        mul: PllMul::MUL216,
        divp: Some(PllPDiv::DIV2),
        divq: Some(PllQDiv::DIV9),
        divr: None,
    });
    clocks.sys = Sysclk::PLL1_P;
    clocks.apb1_pre = APBPrescaler::DIV4;
    clocks.apb2_pre = APBPrescaler::DIV2;
    config
}
