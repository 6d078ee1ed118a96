//! What the system says about a server.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

/// Processor nanoseconds so far of all its threads, those that have ended and the system's work for it
/// included.
pub(crate) fn processor_ns(pid: u32) -> Result<u64> {
    let pid = Pid::from_raw(pid.try_into()?);
    let used: Duration = clock_getcpuclockid(pid).context("the server is gone")?.now()?.into();
    Ok(used.as_nanos().try_into()?)
}

/// A line of `/proc/PID/status`, in kB.
pub(super) fn status_kb(pid: u32, field: &str) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).context("the server is gone")?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)).context("no such field")?;
    Ok(line.trim_matches([':', ' ', '\t', 'k', 'B']).parse()?)
}

/// Forgets the peak of its memory so far (proc(5), `clear_refs`).
pub(super) fn forget_peak(pid: u32) -> Result<()> {
    Ok(fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
}
