//! The clock, the gauge of memory and the progress that all measurements share.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use indicatif::ProgressBar;
use rustix::time::{ClockId, clock_gettime};

/// Seconds this thread has had a processor. Unlike a wall clock it does not count the time that
/// other processes took from it.
pub fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Seconds all threads of this process have had a processor.
pub fn process_cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// What `work` gives, and the processor seconds it took.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = cpu_seconds();
    let result = work();
    (result, cpu_seconds() - start)
}

/// The most octets of memory this process has ever held (Linux).
///
/// # Errors
/// When the system does not tell.
pub fn peak_octets() -> Result<u64> {
    let status =
        fs::read_to_string("/proc/self/status").context("peak memory is asked of Linux")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB"));
    let kibibytes: u64 = kibibytes.context("no VmHWM in /proc/self/status")?.trim().parse()?;
    Ok(kibibytes << 10)
}

/// The value in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Says on a terminal what is being done, until it is dropped.
pub fn progress(message: impl Into<String>) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(message.into());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
