//! The watchdog (CMSDK APB watchdog): who does not feed it for eight seconds is interrupted, which
//! nothing can mask, and after eight more the board begins anew.

use crate::board::{MHZ, Register, WATCHDOG};

const LOAD: Register = register(0x0);
const CONTROL: Register = register(0x8);
const FOOD: Register = register(0xC);
/// It counts with the processor.
const PATIENCE: u32 = 8 * MHZ * 1_000_000;
/// Interrupts, and resets.
const ON: u32 = 0b11;

pub(crate) fn start() {
    LOAD.write(PATIENCE);
    CONTROL.write(ON);
}

pub(crate) fn feed() {
    FOOD.write(1);
}

const fn register(offset: usize) -> Register {
    // SAFETY: it is where the board's documentation says (Arm AN386, section 4.1).
    #[allow(unsafe_code)]
    unsafe {
        Register::at(WATCHDOG + offset)
    }
}
