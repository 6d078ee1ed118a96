//! QEMU: builds the firmware of `benches/device`, runs it and reads what it prints.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use filter_core::Name;
use serde::Serialize;

use crate::lists::root;

const QEMU: &str = "qemu-system-arm";
const TARGET: &str = "thumbv7em-none-eabi";
/// Where the firmware expects image and names; see `benches/device/src/board.rs`.
const IMAGE: u32 = 0x2100_0000;
const NAMES: u32 = 0x21E0_0000;
const PSRAM_END: u32 = 0x21FF_FFF8;
/// A run takes seconds.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// What the firmware is optimized for.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Optimized {
    /// `opt-level = 3`, as it is shipped.
    Speed,
    /// `opt-level = "s"`.
    Size,
}

impl Optimized {
    pub(super) const ALL: [Optimized; 2] = [Optimized::Speed, Optimized::Size];

    /// The profile in `benches/device/Cargo.toml`.
    fn profile(self) -> &'static str {
        match self {
            Optimized::Speed => "release",
            Optimized::Size => "small",
        }
    }
}

impl fmt::Display for Optimized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Optimized::Speed => "speed",
            Optimized::Size => "size",
        })
    }
}

/// Everything a run printed.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Report {
    /// Instructions to open the image.
    pub(super) open: u32,
    /// The most octets of stack a check took.
    pub(super) stack: u32,
    /// By name, in the order of the names.
    pub(super) costs: Vec<Cost>,
}

/// What one name cost, in instructions.
#[derive(PartialEq, Eq)]
pub(super) struct Cost {
    /// To read it from a message.
    pub(super) name: u32,
    /// To check it.
    pub(super) check: u32,
    /// To look for words in it, which a check does only if no rule spoke.
    pub(super) keywords: u32,
    pub(super) blocked: bool,
}

/// The firmware and the plugin, ready to run.
pub(super) struct Emulator {
    target_dir: PathBuf,
}

impl Emulator {
    /// Builds both in a folder beside the running program, where cargo keeps the rest.
    pub(super) fn build() -> Result<Emulator> {
        let version = Command::new(QEMU).arg("--version").output();
        let Ok(version) = version else {
            bail!("no {QEMU}: install it (Debian: apt-get install qemu-system-arm)");
        };
        let program = std::env::current_exe()?;
        let target_dir = program.ancestors().nth(2).context("no target folder")?.join("device");
        let emulator = Emulator { target_dir };
        for optimized in Optimized::ALL {
            let profile = optimized.profile();
            emulator.cargo(&["-p", "device", "--profile", profile, "--target", TARGET], "")?;
        }
        emulator.cargo(&["-p", "reads", "--release"], plugin_version(&version.stdout))?;
        Ok(emulator)
    }

    fn cargo(&self, arguments: &[&str], plugin_version: &str) -> Result<()> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args(["build", "--quiet", "--locked", "--manifest-path"])
            .arg(root().join("benches/device/Cargo.toml"))
            .arg("--target-dir")
            .arg(&self.target_dir)
            .args(arguments)
            .env("QEMU_PLUGIN_VERSION", plugin_version)
            .status()?;
        ensure!(status.success(), "benches/device does not build");
        Ok(())
    }

    /// Asks about the names twice; both runs must print the same.
    pub(super) fn run(&self, optimized: Optimized, image: &[u8], names: &[Name]) -> Result<Report> {
        let folder = tempfile::tempdir()?;
        let first = self.start(folder.path(), optimized, image, names, None)?;
        let second = self.start(folder.path(), optimized, image, names, None)?;
        ensure!(first == second, "two runs differ");
        ensure!(first.costs.len() == names.len(), "the device did not answer for every name");
        Ok(first)
    }

    /// The distinct octets of the image each check reads, and the distinct lines of 32 octets
    /// they lie in.
    pub(super) fn trace(&self, image: &[u8], names: &[Name]) -> Result<Vec<(u32, u32)>> {
        let folder = tempfile::tempdir()?;
        let out = folder.path().join("reads");
        let mut plugin: OsString = self.target_dir.join("release/libreads.so").into();
        plugin.push(",out=");
        plugin.push(&out);
        self.start(folder.path(), Optimized::Speed, image, names, Some(plugin))?;
        let text = fs::read_to_string(out)?;
        let pair = |line: &str| -> Option<(u32, u32)> {
            let (octets, lines) = line.split_once(' ')?;
            Some((octets.parse().ok()?, lines.parse().ok()?))
        };
        let reads: Option<Vec<_>> = text.lines().map(pair).collect();
        let reads = reads.context("the plugin wrote something else than two numbers")?;
        ensure!(reads.len() == names.len(), "the plugin did not see every check");
        Ok(reads)
    }

    /// One run of the board.
    fn start(
        &self,
        folder: &Path,
        optimized: Optimized,
        image: &[u8],
        names: &[Name],
        plugin: Option<OsString>,
    ) -> Result<Report> {
        let mut job = (image.len() as u32).to_le_bytes().to_vec();
        job.extend((names.len() as u32).to_le_bytes());
        names.iter().for_each(|name| job.extend(name.as_wire()));
        ensure!(image.len() <= (NAMES - IMAGE) as usize, "the image does not fit the board");
        ensure!(job.len() <= (PSRAM_END - NAMES) as usize, "the names do not fit the board");
        fs::write(folder.join("image"), image)?;
        fs::write(folder.join("names"), job)?;

        let firmware = self.target_dir.join(TARGET).join(optimized.profile()).join("device");
        let mut qemu = Command::new(QEMU);
        qemu.args("-M mps2-an386 -display none -monitor none -serial none".split(' '))
            .args("-icount shift=6,sleep=off,align=off".split(' '))
            .args("-semihosting-config enable=on,target=native -kernel".split(' '))
            .arg(firmware)
            .args(["-device", &format!("loader,file=image,addr={IMAGE},force-raw=on")])
            .args(["-device", &format!("loader,file=names,addr={NAMES},force-raw=on")]);
        if let Some(plugin) = plugin {
            qemu.arg("-plugin").arg(plugin);
        }
        let out = folder.join("out");
        let mut qemu =
            qemu.current_dir(folder).stdin(Stdio::null()).stdout(File::create(&out)?).spawn()?;
        let start = Instant::now();
        let status = loop {
            if let Some(status) = qemu.try_wait()? {
                break status;
            }
            if start.elapsed() > TIME_LIMIT {
                qemu.kill()?;
                bail!("no answer from QEMU in {TIME_LIMIT:?}");
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let text = fs::read_to_string(out)?;
        ensure!(status.success(), "the firmware failed: {}", text.lines().last().unwrap_or("?"));
        Report::read(&text).context("the firmware printed something unknown")
    }
}

impl Report {
    fn read(text: &str) -> Option<Report> {
        let mut report = Report::default();
        for line in text.lines() {
            let mut words = line.split(' ');
            let what = words.next()?;
            let numbers = words.map(|word| word.parse().ok()).collect::<Option<Vec<u32>>>()?;
            match (what, numbers.as_slice()) {
                ("open", &[open]) => report.open = open,
                ("stack", &[stack]) => report.stack = stack,
                ("name", &[name, check, keywords, blocked]) => {
                    report.costs.push(Cost { name, check, keywords, blocked: blocked == 1 });
                }
                ("end", &[]) => return Some(report),
                _ => return None,
            }
        }
        None
    }
}

/// The version of the plugin interface that a QEMU wants, from what `--version` prints.
fn plugin_version(printed: &[u8]) -> &'static str {
    let printed = String::from_utf8_lossy(printed);
    let major = printed.split("version ").nth(1).and_then(|rest| rest.split('.').next());
    match major.and_then(|major| major.parse::<u32>().ok()) {
        Some(0..=8) => "1",
        _ => "2",
    }
}
