//! Makes damaged images by the million, opens each and asks it; see `gardefou_fuzz::mutated`.
//!
//! `mutate COUNT [FIRST]` ends well when no image panicked and none took longer than a second. An
//! example and not a binary, because `cargo fuzz` takes every binary for a target of its own.

use std::panic;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gardefou_fuzz::{examine, mutated};

/// What one image may take. It takes microseconds; the rest is for a busy machine.
const TIME_MAX: Duration = Duration::from_secs(1);

/// The image that is being examined, for who watches over the time.
static CURRENT: AtomicU64 = AtomicU64::new(0);

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>().ok());
    let (Some(Some(count)), first) = (numbers.next(), numbers.next().flatten().unwrap_or(0)) else {
        eprintln!("usage: mutate COUNT [FIRST]");
        return ExitCode::from(2);
    };
    thread::spawn(watch);
    let (mut opened, mut panicked, mut slowest) = (0u64, 0u64, (Duration::ZERO, first));
    for number in first..first + count {
        CURRENT.store(number, Ordering::Relaxed);
        let (outcome, mut time) = timed(number);
        if time > slowest.0 {
            // Once more: another process may have had the processor meanwhile.
            time = time.min(timed(number).1);
        }
        match outcome {
            Ok(is_open) => opened += u64::from(is_open),
            Err(_) => {
                eprintln!("image {number} panicked; again: mutate 1 {number}");
                panicked += 1;
            }
        }
        slowest = slowest.max((time, number));
    }
    let refused = count - opened - panicked;
    let panics = if panicked == 0 { "no panic".to_owned() } else { format!("{panicked} panics") };
    let (time, number) = slowest;
    println!(
        "{count} images: {opened} opened, {refused} refused, {panics}, slowest {:.1} ms (image \
         {number})",
        time.as_secs_f64() * 1e3
    );
    ExitCode::from(u8::from(panicked > 0 || time > TIME_MAX))
}

/// Whether the image opened, unless it panicked, and how long that took.
fn timed(number: u64) -> (thread::Result<bool>, Duration) {
    let image = mutated(number);
    let start = Instant::now();
    (panic::catch_unwind(|| examine(image)), start.elapsed())
}

/// Ends the program when one image takes much too long: it may never end by itself.
fn watch() {
    let mut seen = u64::MAX;
    loop {
        thread::sleep(10 * TIME_MAX);
        let current = CURRENT.load(Ordering::Relaxed);
        if current == seen {
            eprintln!("image {current} hangs; again: mutate 1 {current}");
            std::process::exit(1);
        }
        seen = current;
    }
}
