//! Counts what it costs to deal with a frame, for the budgets: from waking up to going to sleep again,
//! interrupts included. Part of the firmware with the feature `count` only.
//!
//! With QEMU's `-icount shift=6` an instruction takes 64 ns, and the clock's counter ticks every 40
//! ns. The host reads words of 32 bits out of memory, [`COUNTS`]: the ticks until clients were
//! answered, how many frames there were, and the ticks of each, as many as there is room for.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::board::{COUNTS, Register};
use crate::clock::COUNT;

/// Where the counter was when the processor woke up.
static WOKEN: AtomicU32 = AtomicU32::new(u32::MAX);
/// Whether a frame came or went since.
static HAS_FRAME: AtomicBool = AtomicBool::new(false);

const WORD_LEN: usize = 4;

/// The processor has woken up.
pub(crate) fn wake() {
    WOKEN.store(COUNT.read(), Ordering::Relaxed);
}

/// A frame came or went.
pub(crate) fn frame() {
    HAS_FRAME.store(true, Ordering::Relaxed);
}

/// The processor is about to sleep.
pub(crate) fn sleep() {
    if !HAS_FRAME.swap(false, Ordering::Relaxed) {
        return;
    }
    let ticks = WOKEN.load(Ordering::Relaxed).wrapping_sub(COUNT.read());
    let frames = word(1).read();
    word(1).write(frames + 1);
    let place = frames as usize + 2;
    if place < COUNTS.1 / WORD_LEN {
        word(place).write(ticks);
    }
}

/// Clients are answered.
pub(crate) fn listening() {
    word(0).write(u32::MAX - COUNT.read());
}

fn word(index: usize) -> Register {
    // SAFETY: it is part of a region that is for this alone.
    #[allow(unsafe_code)]
    unsafe {
        Register::at(COUNTS.0 + index * WORD_LEN)
    }
}
