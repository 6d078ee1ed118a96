//! Asks an image about names on an emulated Cortex-M4 and prints what each question cost.
//!
//! The host has put image and names into memory; `benches/src/device.rs` does that, and reads
//! what is printed here, one line for each figure:
//!
//! | line | meaning |
//! |---|---|
//! | `open N` | instructions of [`Filter::from_bytes`] |
//! | `stack N` | octets of stack below the caller of [`Filter::check`], highest of all names |
//! | `name P C K B` | instructions of [`Name::from_message`], [`Filter::check`] and [`Keywords::check`], and whether the name is blocked, 1 or 0; in the order of the names |
//! | `end` | nothing went wrong |
//!
//! [`Keywords::check`]: filter_core::keyword::Keywords::check
//!
//! There is no heap: no allocator is linked. No interrupt is enabled, so the counts are the
//! same in every run.

#![no_std]
#![no_main]

mod board;

use core::hint::black_box;
use core::panic::PanicInfo;

use cortex_m_rt::entry;
use filter_core::{CategorySet, Filter, Name, Verdict};
use semihosting::{println, process};

#[entry]
fn main() -> ! {
    board::start_counter();
    let (image, name_count, names) = board::job();
    let (filter, open) = board::instructions(|| Filter::from_bytes(image));
    let filter = match filter {
        Ok(filter) => filter,
        Err(error) => fail(format_args!("{error}")),
    };
    println!("open {open}");
    println!("stack {}", stack(&filter, name_count, names));

    let keywords = filter.keywords();
    let mut offset = 0;
    for _ in 0..name_count {
        let (parsed, parse) = board::instructions(|| Name::from_message(names, black_box(offset)));
        let Ok((name, end)) = parsed else { fail(format_args!("no name at {offset}")) };
        offset = end;
        let (verdict, check) = board::traced(|| board::instructions(|| ask(&filter, &name)));
        let (_, words) = board::instructions(|| {
            keywords.as_ref().and_then(|keywords| keywords.check(&name, CategorySet::ALL))
        });
        println!("name {parse} {check} {words} {}", u8::from(verdict.is_block()));
    }
    println!("end");
    process::exit(0)
}

/// Asks about every name and returns how far the stack went down.
fn stack(filter: &Filter<&[u8]>, name_count: u32, names: &[u8]) -> u32 {
    let mut highest = 0;
    let mut offset = 0;
    for _ in 0..name_count {
        let Ok((name, end)) = Name::from_message(names, offset) else { break };
        offset = end;
        let octets = board::stack_octets(|| {
            black_box(ask(filter, &name));
        });
        highest = highest.max(octets);
    }
    highest
}

/// A check as a gateway calls it: a function of its own, with a frame of its own.
#[inline(never)]
fn ask(filter: &Filter<&[u8]>, name: &Name) -> Verdict {
    filter.check(black_box(name), black_box(CategorySet::ALL))
}

fn fail(message: core::fmt::Arguments<'_>) -> ! {
    println!("error: {message}");
    process::exit(1)
}

#[panic_handler]
fn panic(panic: &PanicInfo<'_>) -> ! {
    fail(format_args!("{panic}"))
}
