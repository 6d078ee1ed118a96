//! Runs the tasks, and lets the processor sleep while there is nothing to do.
//!
//! Embassy's own executor for a Cortex-M waits for an event (WFE), at which QEMU does not wait at
//! all. This one waits for an interrupt (WFI).

use core::sync::atomic::{AtomicBool, Ordering};

use embassy_executor::{Spawner, raw};
use static_cell::StaticCell;

#[cfg(feature = "count")]
use crate::count;
use crate::watchdog;

static EXECUTOR: StaticCell<raw::Executor> = StaticCell::new();
/// Whether a task has something to do.
static IS_PENDING: AtomicBool = AtomicBool::new(true);

// SAFETY: the name and the signature are those embassy-executor calls, and nobody else has it.
#[allow(unsafe_code)]
#[unsafe(export_name = "__pender")]
fn pend(_context: *mut ()) {
    IS_PENDING.store(true, Ordering::Release);
}

/// Spawns the first tasks, and runs all there are; for ever.
pub(crate) fn run(begin: impl FnOnce(Spawner)) -> ! {
    let executor: &'static raw::Executor = EXECUTOR.init(raw::Executor::new(core::ptr::null_mut()));
    begin(executor.spawner());
    loop {
        if IS_PENDING.swap(false, Ordering::Acquire) {
            // SAFETY: nobody else polls it, for `run` is called once.
            #[allow(unsafe_code)]
            unsafe {
                executor.poll();
            }
            watchdog::feed();
        }
        // An interrupt that comes between the look and the sleep ends the sleep, masked as it is.
        cortex_m::interrupt::free(|_| {
            if !IS_PENDING.load(Ordering::Acquire) {
                #[cfg(feature = "count")]
                count::sleep();
                cortex_m::asm::wfi();
                #[cfg(feature = "count")]
                count::wake();
            }
        });
    }
}
