//! Where the processor is: the addresses that calls return to, found on the stack, to be read with
//! `llvm-addr2line -e mps2-an386`.
//!
//! A panic is logged with these and not with its words and its place in a file: all words and places
//! together take 22 kB of flash.

use cortex_m::register::msp;

use crate::board::Register;

/// How far it is followed.
const CALLERS_MAX: usize = 16;

// Of the start-up code's script: where code begins and ends, and where the stack began.
#[allow(unsafe_code)]
unsafe extern "C" {
    static __stext: u8;
    static __etext: u8;
    static _stack_start: u32;
}

/// Those on the stack, the last call first. An address a function has left there may be among them.
pub(crate) fn callers() -> impl Iterator<Item = u32> {
    let words = (msp::read() as usize..(&raw const _stack_start).addr()).step_by(4);
    let word = |address| {
        // SAFETY: the stack is memory, and reading it changes nothing.
        #[allow(unsafe_code)]
        unsafe {
            Register::at(address).read()
        }
    };
    words.map(word).filter(|&word| follows_call(word)).take(CALLERS_MAX)
}

/// Whether this is where a call returns to: behind a BL or a BLX (Armv7-M architecture, sections A7.7.18
/// and A7.7.19), with the lowest bit set.
fn follows_call(address: u32) -> bool {
    let begin = &raw const __stext;
    let len = (&raw const __etext).addr() - begin.addr();
    // SAFETY: the script has them enclose the code, which nobody writes to.
    #[allow(unsafe_code)]
    let code = unsafe { core::slice::from_raw_parts(begin, len) };
    let before = (address as usize & !1)
        .checked_sub(begin.addr())
        .and_then(|offset| code.get(..offset)?.last_chunk());
    let Some(&[a, b, c, d]) = before else { return false };
    let [first, second] = [[a, b], [c, d]].map(u16::from_le_bytes);
    let is_bl = first & 0xF800 == 0xF000 && second & 0xD000 == 0xD000;
    let is_blx = second & 0xFF87 == 0x4780;
    address & 1 == 1 && (is_bl || is_blx)
}
