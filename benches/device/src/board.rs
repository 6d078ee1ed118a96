//! The board, QEMU's `mps2-an386`: a counter of instructions, the memory the host has filled,
//! and paint on the stack. All `unsafe` of the bench is here.

use core::arch::asm;
use core::hint::black_box;
use core::ptr;

/// The image to measure, at the start of the board's 16 MiB of PSRAM.
const IMAGE: usize = 0x2100_0000;
/// Behind it: octets of the image (4), number of names (4), names as on the wire.
const NAMES: usize = 0x21E0_0000;
/// Written before and after a check, so that a tracer outside knows which reads are its.
const CHECK_BEGINS: usize = 0x21FF_FFF8;
const CHECK_ENDS: usize = 0x21FF_FFFC;

/// The first of the two timers of the CMSDK dual timer, counting down at 25 MHz.
const TIMER_LOAD: usize = 0x4000_2000;
const TIMER_VALUE: usize = 0x4000_2004;
const TIMER_CONTROL: usize = 0x4000_2008;
/// Enabled, 32 bits, no interrupt.
const TIMER_FREE_RUNNING: u32 = 0x82;

/// What the host has put into memory: the image, how many names, and their octets with
/// whatever lies behind them.
pub(crate) fn job() -> (&'static [u8], u32, &'static [u8]) {
    let image_len = read(NAMES) as usize;
    let name_count = read(NAMES + 4);
    let names = NAMES + 8;
    (memory(IMAGE, image_len.min(NAMES - IMAGE)), name_count, memory(names, CHECK_BEGINS - names))
}

/// Starts the counter of [`instructions`].
pub(crate) fn start_counter() {
    write(TIMER_LOAD, u32::MAX);
    write(TIMER_CONTROL, TIMER_FREE_RUNNING);
}

/// Does `work` and counts its instructions, up to 2.6 thousand million of them. With QEMU's
/// `-icount shift=6` an instruction takes 64 ns, and the timer ticks every 40 ns.
pub(crate) fn instructions<T>(work: impl FnOnce() -> T) -> (T, u32) {
    let before = read(TIMER_VALUE);
    let result = black_box(work());
    let ticks = before.wrapping_sub(read(TIMER_VALUE));
    (result, (u64::from(ticks) * 40 / 64) as u32)
}

/// Does `work` between two writes that a tracer outside sees.
pub(crate) fn traced<T>(work: impl FnOnce() -> T) -> T {
    write(CHECK_BEGINS, 1);
    let result = black_box(work());
    write(CHECK_ENDS, 1);
    result
}

/// Octets of stack that `work` and all it calls take below the caller's frame, 16 KiB at most.
#[inline(never)]
pub(crate) fn stack_octets(work: impl FnOnce()) -> u32 {
    const PAINT: u32 = 0xA5A5_A5A5;
    const WORDS: usize = 4096;
    /// Not painted, for the functions that paint.
    const GAP: usize = 32;
    let top = stack_pointer();
    let words = || (GAP..=WORDS).map(|word| top - 4 * word);
    words().for_each(|address| write(address, PAINT));
    work();
    let untouched = words().rev().take_while(|&address| read(address) == PAINT).count();
    (4 * (WORDS - untouched)) as u32
}

fn stack_pointer() -> usize {
    let pointer;
    // SAFETY: copies a register.
    #[allow(unsafe_code)]
    unsafe {
        asm!("mov {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    pointer
}

fn read(address: usize) -> u32 {
    // SAFETY: the callers pass word-aligned addresses of this board's timer, of its PSRAM or
    // of free stack; no value is invalid as a `u32`.
    #[allow(unsafe_code)]
    unsafe {
        ptr::with_exposed_provenance::<u32>(address).read_volatile()
    }
}

fn write(address: usize, value: u32) {
    // SAFETY: as in `read`; nothing in Rust's hands lies at any of these addresses. The paint
    // goes below all frames in use: below that of its caller and the gap for this one.
    #[allow(unsafe_code)]
    unsafe {
        ptr::with_exposed_provenance_mut::<u32>(address).write_volatile(value);
    }
}

fn memory(start: usize, len: usize) -> &'static [u8] {
    // SAFETY: `job` alone calls this, for parts of the PSRAM that nothing writes to and that
    // last as long as the board.
    #[allow(unsafe_code)]
    unsafe {
        core::slice::from_raw_parts(ptr::with_exposed_provenance(start), len)
    }
}
