//! The gateway on WIZnet's W5500-EVB-Pico2: an RP2350 and, at its SPI, a W5500 with an Ethernet
//! socket. Nothing has to be wired; a button may be, from GPIO 22 to ground.

#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_net_wiznet::chip::W5500;
use embassy_net_wiznet::{Device, State};
use embassy_rp::bind_interrupts;
use embassy_rp::dma;
use embassy_rp::flash::{self, Blocking};
use embassy_rp::gpio::{Input, Level, Output, Pull};
use embassy_rp::otp;
use embassy_rp::peripherals::{DMA_CH0, DMA_CH1, FLASH, SPI0, TRNG};
use embassy_rp::spi::{self, Async, Spi};
use embassy_rp::trng::{self, Trng};
use embassy_rp::watchdog::Watchdog;
use embassy_time::Delay;
use embedded_hal::digital::PinState;
use embedded_hal_bus::spi::ExclusiveDevice;
use static_cell::{ConstStaticCell, StaticCell};

bind_interrupts!(struct Interrupts {
    DMA_IRQ_0 => dma::InterruptHandler<DMA_CH0>, dma::InterruptHandler<DMA_CH1>;
    TRNG_IRQ => trng::InterruptHandler<TRNG>;
});

/// The Ethernet chip, alone on its bus.
type Bus = ExclusiveDevice<Spi<'static, SPI0, Async>, Output<'static>, Delay>;

type Flash = flash::Flash<'static, FLASH, Blocking, FLASH_LEN>;

const FLASH_LEN: usize = 2 << 20;
/// What the W5500's data sheet warrants; it may do more, but nobody warrants that.
const BUS_HZ: u32 = 33_300_000;

/// Frames that wait on either side.
static FRAMES: ConstStaticCell<State<8, 8>> = ConstStaticCell::new(State::new());

static STORAGE: StaticCell<metal::Storage<Flash>> = StaticCell::new();

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let board = embassy_rp::init(Default::default());
    let mut watchdog = Watchdog::new(board.WATCHDOG);
    watchdog.start(metal::PATIENCE);

    let mut seed = [0; metal::SEED_LEN];
    Trng::new(board.TRNG, Interrupts, trng::Config::default()).fill_bytes(&mut seed).await;
    let chip = otp::get_chipid().unwrap_or_else(|_| metal::fail("the chip has no number"));

    let mut config = spi::Config::default();
    config.frequency = BUS_HZ;
    let bus = Spi::new(
        board.SPI0,
        board.PIN_18,
        board.PIN_19,
        board.PIN_16,
        board.DMA_CH0,
        board.DMA_CH1,
        Interrupts,
        config,
    );
    let select = Output::new(board.PIN_17, Level::High);
    let Ok(bus) = ExclusiveDevice::new(bus, select, Delay);
    let (device, driver) = embassy_net_wiznet::new(
        metal::hardware_address(&chip.to_le_bytes()),
        FRAMES.take(),
        bus,
        Input::new(board.PIN_21, Pull::Up),
        Output::new(board.PIN_20, Level::High),
    )
    .await
    .unwrap_or_else(|_| metal::fail("the Ethernet chip does not answer"));

    let storage = metal::storage(Flash::new_blocking(board.FLASH), &STORAGE);
    let runner = metal::begin(spawner, device, seed, storage);
    // Each is the only one of its kind, so there is room for it.
    ethernet(driver).into_iter().for_each(|task| spawner.spawn(task));
    network(runner).into_iter().for_each(|task| spawner.spawn(task));
    let light = Output::new(board.PIN_25, Level::Low);
    let button = Input::new(board.PIN_22, Pull::Up);
    panel(light, button).into_iter().for_each(|task| spawner.spawn(task));
    metal::keep_fed(|| watchdog.feed(metal::PATIENCE)).await;
}

#[embassy_executor::task]
async fn ethernet(
    driver: embassy_net_wiznet::Runner<'static, W5500, Bus, Input<'static>, Output<'static>>,
) -> ! {
    driver.run().await
}

#[embassy_executor::task]
async fn network(mut runner: metal::Runner<Device<'static>>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn panel(light: Output<'static>, button: Input<'static>) -> ! {
    metal::look_after(light, button, PinState::Low).await
}
