//! The clock: one timer counts on, another one interrupts every millisecond.
//!
//! A sleep of at most a millisecond costs a real board nothing worth saving, and QEMU needs it: its
//! user networking is looked after when the guest wakes, else up to half a second later.

use core::cell::RefCell;
use core::task::Waker;

use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::{Driver, time_driver_impl};
use embassy_time_queue_utils::Queue;

use crate::board::{Interrupt, MHZ, PERIPHERALS, Register};

/// Both timers count with the processor.
const TICKS_PER_US: u32 = MHZ;
const TICKS_PER_MS: u32 = 1000 * TICKS_PER_US;

/// The first timer of the CMSDK dual timer, which counts down.
const COUNT_LOAD: Register = register(0x2000);
pub(crate) const COUNT: Register = register(0x2004);
const COUNT_CONTROL: Register = register(0x2008);
/// Enabled, 32 bits, no interrupt.
const FREE_RUNNING: u32 = 0x82;

/// CMSDK timer 0.
const BEAT_CONTROL: Register = register(0x0000);
const BEAT_VALUE: Register = register(0x0004);
const BEAT_RELOAD: Register = register(0x0008);
const BEAT_CLEAR: Register = register(0x000C);
/// Enabled, with an interrupt.
const BEATING: u32 = 0b1001;

time_driver_impl!(static CLOCK: Clock = Clock(Mutex::new(RefCell::new(State {
    now_us: 0,
    count: u32::MAX,
    queue: Queue::new(),
    next_us: u64::MAX,
}))));

struct Clock(Mutex<RefCell<State>>);

struct State {
    now_us: u64,
    /// Where the counter was at that time.
    count: u32,
    /// The tasks that sleep, and when the first of them is to be woken.
    queue: Queue,
    next_us: u64,
}

impl State {
    /// What time it is. To be asked more often than the counter wraps, which is every 171 seconds.
    fn now_us(&mut self) -> u64 {
        let elapsed_us = self.count.wrapping_sub(COUNT.read()) / TICKS_PER_US;
        self.count = self.count.wrapping_sub(elapsed_us * TICKS_PER_US);
        self.now_us += u64::from(elapsed_us);
        self.now_us
    }

    /// Wakes whose time has come.
    fn wake(&mut self) {
        let now_us = self.now_us();
        if now_us >= self.next_us {
            self.next_us = self.queue.next_expiration(now_us);
        }
    }
}

impl Clock {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        critical_section::with(|section: CriticalSection<'_>| {
            work(&mut self.0.borrow_ref_mut(section))
        })
    }
}

impl Driver for Clock {
    fn now(&self) -> u64 {
        self.with(State::now_us)
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        self.with(|state| {
            if state.queue.schedule_wake(at, waker) {
                state.next_us = state.next_us.min(at);
            }
        });
    }
}

/// Starts both timers.
pub(crate) fn start() {
    COUNT_LOAD.write(u32::MAX);
    COUNT_CONTROL.write(FREE_RUNNING);
    BEAT_VALUE.write(TICKS_PER_MS - 1);
    BEAT_RELOAD.write(TICKS_PER_MS - 1);
    BEAT_CONTROL.write(BEATING);
    Interrupt::Clock.enable();
}

/// A millisecond is over.
pub(crate) fn on_interrupt() {
    BEAT_CLEAR.write(1);
    CLOCK.with(State::wake);
}

/// Microseconds since the start.
pub(crate) fn now_us() -> u64 {
    CLOCK.now()
}

const fn register(offset: usize) -> Register {
    // SAFETY: the addresses above are those of the board's documentation (Arm AN386, section 4.1).
    #[allow(unsafe_code)]
    unsafe {
        Register::at(PERIPHERALS + offset)
    }
}
