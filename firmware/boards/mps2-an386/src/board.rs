//! What the board has and where: registers, memory, interrupts. Its sisters of other processors have the
//! same, elsewhere: see the features in `Cargo.toml`.

use core::ptr;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;

/// As the board's documentation says (Arm AN386, section 4), and AN385, which has the same.
#[cfg(not(any(feature = "an500", feature = "an505")))]
mod place {
    pub(super) const PSRAM: usize = 0x2100_0000;
    pub(crate) const PERIPHERALS: usize = 0x4000_0000;
    pub(crate) const WATCHDOG: usize = 0x4000_8000;
    pub(crate) const ETHERNET: usize = 0x4020_0000;
    pub(crate) const MHZ: u32 = 25;
    pub(super) const INTERRUPTS: [u16; 2] = [8, 13];
}

/// Arm AN500.
#[cfg(feature = "an500")]
mod place {
    pub(super) const PSRAM: usize = 0x6000_0000;
    pub(crate) const PERIPHERALS: usize = 0x4000_0000;
    pub(crate) const WATCHDOG: usize = 0x4000_8000;
    pub(crate) const ETHERNET: usize = 0xA000_0000;
    pub(crate) const MHZ: u32 = 25;
    pub(super) const INTERRUPTS: [u16; 2] = [8, 13];
}

/// Arm AN505, where it is secure.
#[cfg(feature = "an505")]
mod place {
    pub(super) const PSRAM: usize = 0x8000_0000;
    pub(crate) const PERIPHERALS: usize = 0x5000_0000;
    pub(crate) const WATCHDOG: usize = 0x5008_1000;
    pub(crate) const ETHERNET: usize = 0x5200_0000;
    pub(crate) const MHZ: u32 = 20;
    pub(super) const INTERRUPTS: [u16; 2] = [3, 48];
}

pub(crate) use place::{ETHERNET, MHZ, PERIPHERALS, WATCHDOG};

/// The first part of 16 MiB of PSRAM, which stands for the flash of a real board: the host has put
/// the image there.
const IMAGE: (usize, usize) = (place::PSRAM, 0x00FD_0000);
/// Behind it: what survives a loss of power, where the host keeps it in a file.
pub(crate) const STORAGE: (usize, usize) = (place::PSRAM + 0x00FD_0000, 0x0000_4000);
/// Behind that: counts.
#[cfg(feature = "count")]
pub(crate) const COUNTS: (usize, usize) = (place::PSRAM + 0x00FE_0000, 0x0001_0000);
/// The end of it: what the owner has set.
const SETTINGS: (usize, usize) = (place::PSRAM + 0x00FF_0000, 0x0001_0000);

/// A register of 32 bits.
#[derive(Clone, Copy)]
pub(crate) struct Register(usize);

impl Register {
    /// # Safety
    /// There is a register at this address; and neither reading it nor writing to it changes
    /// anything in memory.
    #[allow(unsafe_code)]
    pub(crate) const unsafe fn at(address: usize) -> Register {
        Register(address)
    }

    #[allow(unsafe_code)]
    pub(crate) fn read(self) -> u32 {
        // SAFETY: see `at`.
        unsafe { ptr::with_exposed_provenance::<u32>(self.0).read_volatile() }
    }

    #[allow(unsafe_code)]
    pub(crate) fn write(self, value: u32) {
        // SAFETY: see `at`.
        unsafe { ptr::with_exposed_provenance_mut::<u32>(self.0).write_volatile(value) }
    }
}

/// What interrupts the processor.
#[derive(Clone, Copy)]
#[repr(u16)]
pub(crate) enum Interrupt {
    Clock = place::INTERRUPTS[0],
    Ethernet = place::INTERRUPTS[1],
}

// SAFETY: the numbers are those of the board's documentation.
#[allow(unsafe_code)]
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}

impl Interrupt {
    /// Lets it interrupt.
    #[allow(unsafe_code)]
    pub(crate) fn enable(self) {
        // SAFETY: no critical section relies on it being masked.
        unsafe { NVIC::unmask(self) }
    }

    /// Which one this is.
    pub(crate) fn from_number(number: i16) -> Option<Interrupt> {
        let all = [Interrupt::Clock, Interrupt::Ethernet];
        all.into_iter().find(|&interrupt| interrupt as i16 == number)
    }
}

/// The region that begins with the image.
pub(crate) fn image() -> &'static [u8] {
    memory(IMAGE)
}

/// The region that begins with the settings.
pub(crate) fn settings() -> &'static [u8] {
    memory(SETTINGS)
}

fn memory((start, len): (usize, usize)) -> &'static [u8] {
    // SAFETY: both parts of the PSRAM are there as long as the board, and nothing writes to them
    // once it runs.
    #[allow(unsafe_code)]
    unsafe {
        core::slice::from_raw_parts(ptr::with_exposed_provenance(start), len)
    }
}
