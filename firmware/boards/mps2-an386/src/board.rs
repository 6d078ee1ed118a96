//! What the board has and where: registers, memory, interrupts.

use core::ptr;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;

/// The first part of 16 MiB of PSRAM, which stands for the flash of a real board: the host has put
/// the image there.
const IMAGE: (usize, usize) = (0x2100_0000, 0x00FD_0000);
/// The rest of it, behind a part that `count.rs` is for: what the owner has set.
const SETTINGS: (usize, usize) = (0x21FF_0000, 0x0001_0000);
/// Between image and counts: what survives a loss of power, where the host keeps it in a file.
pub(crate) const STORAGE: (usize, usize) = (0x21FD_0000, 0x0000_4000);

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
    Clock = 8,
    Ethernet = 13,
}

// SAFETY: the numbers are those of the board's documentation (Arm AN386, section 4.4).
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
