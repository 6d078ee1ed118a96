//! The board: QEMU's `mps2-an386`, with its user networking, in which this machine's loopback is
//! 10.0.2.2 and the board is reached at ports of this machine.

use std::env;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use tempfile::TempDir;
use tokio::net::UdpSocket;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::Options;
use super::firmware::Firmware;
use crate::output::{Hint, hinted};

const QEMU: &str = "qemu-system-arm";
/// Runs a program that is to end with us, however we end.
const BINDER: &str = "setpriv";
/// Makes text of the board's log.
const LOG_READER: &str = "defmt-print";
/// Where the firmware looks for image and settings; see `firmware/boards/mps2-an386/src/board.rs`.
const IMAGE: u32 = 0x2100_0000;
const IMAGE_LEN_MAX: usize = 0xFD_0000;
const SETTINGS: u32 = 0x21FF_0000;
const SETTINGS_LEN_MAX: usize = 0x1_0000;
/// All of it, and the part of it that is flash the firmware writes to.
const MEMORY_LEN: u64 = 0x100_0000;
const STORAGE: u64 = 0xFD_0000;
const STORAGE_LEN: usize = 0x4000;
/// This machine, seen from inside.
const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
/// A board has long begun by then.
const PATIENCE: Duration = Duration::from_secs(60);
const ANSWER_TIME: Duration = Duration::from_millis(500);

/// A board that runs, and ends with this.
pub(super) struct Emulator {
    qemu: Child,
    _log: Option<Child>,
    /// Locked, as long as this runs.
    _memory: File,
    folder: TempDir,
}

/// Whether QEMU is there.
pub(super) fn require() -> anyhow::Result<()> {
    match find(QEMU) {
        true => Ok(()),
        false => Err(hinted(
            format!("there is no {QEMU}"),
            "apt-get install qemu-system-arm, or what your system calls it",
        )),
    }
}

/// Whether the board's log can be read.
pub(super) fn has_log() -> bool {
    find(LOG_READER)
}

fn find(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// An address of this machine's as the board has to call it.
pub(super) fn seen_from_inside(address: SocketAddrV4) -> SocketAddrV4 {
    if address.ip().is_loopback() { SocketAddrV4::new(HOST, address.port()) } else { address }
}

impl Emulator {
    /// Switches a board on that has this in its flash.
    pub(super) fn boot(
        firmware: &Firmware,
        image: &[u8],
        options: &Options,
    ) -> anyhow::Result<Emulator> {
        let settings = options.settings();
        if image.len() > IMAGE_LEN_MAX || settings.len() > SETTINGS_LEN_MAX {
            return Err(hinted(
                format!("an image of {} octets does not fit the board", image.len()),
                "build a smaller one: leave lists out, or use --shape dense",
            ));
        }
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("image"), image)?;
        fs::write(folder.path().join("settings"), settings)?;
        let (path, memory) = match &options.state {
            Some(path) => (std::path::absolute(path)?, open_memory(path)?),
            None => (folder.path().join("memory"), open_memory(&folder.path().join("memory"))?),
        };
        // A comma ends a value, and two are one.
        let path = path.display().to_string().replace(',', ",,");
        let (ip, port) = (options.listen.ip(), options.listen.port());
        let pages = options.pages;
        let load =
            |file, address: u32| format!("loader,file={file},addr={address:#x},force-raw=on");
        let mut qemu = bound(QEMU);
        qemu.args("-M mps2-an386,memory-backend=psram".split(' '))
            .arg("-object")
            .arg(format!("memory-backend-file,id=psram,size=16M,share=on,mem-path={path}"))
            .args("-display none -monitor none -serial none".split(' '))
            .args("-semihosting-config enable=on,target=native".split(' '))
            .arg("-nic")
            .arg(format!(
                "user,model=lan9118,hostfwd=udp:{ip}:{port}-:53,hostfwd=tcp:{ip}:{port}-:53,\
                hostfwd=tcp:{pages}-:80"
            ))
            .args(["-device", &load("image", IMAGE), "-device", &load("settings", SETTINGS)])
            .arg("-kernel")
            .arg(&firmware.path)
            .current_dir(folder.path());
        // A signal of the terminal is for us, who end it.
        qemu.process_group(0).kill_on_drop(true).stdin(Stdio::null());
        // It has something to say for each datagram that is lost.
        qemu.stderr(File::create(folder.path().join("said"))?);
        qemu.stdout(if has_log() { Stdio::piped() } else { Stdio::null() });
        let mut qemu = qemu.spawn().context("cannot start QEMU")?;
        let log = qemu.stdout.take().map(|log| read_log(log.try_into()?, firmware)).transpose()?;
        Ok(Emulator { qemu, _log: log, _memory: memory, folder })
    }

    /// Ends it, and waits until it is gone and its ports are free.
    pub(super) async fn stop(&mut self) {
        // It may have ended by itself.
        let _ = self.qemu.kill().await;
    }

    /// Waits until it has ended by itself, and gives its last words.
    pub(super) async fn end(&mut self) -> anyhow::Result<String> {
        let status = self.qemu.wait().await?;
        let said = fs::read_to_string(self.folder.path().join("said")).unwrap_or_default();
        Ok(format!("QEMU has ended ({status}): {}", said.trim_end()))
    }
}

/// A program that ends with us even when we are killed, where the system has a way.
fn bound(program: &str) -> Command {
    if !find(BINDER) {
        return Command::new(program);
    }
    let mut command = Command::new(BINDER);
    command.args(["--pdeathsig", "KILL", program]);
    command
}

/// The file that is the board's memory, for nobody else: made where there is none, with flash that is
/// erased.
fn open_memory(path: &Path) -> anyhow::Result<File> {
    let hint = || "name another file with --state";
    let cannot = || format!("cannot use `{}` for the board's state", path.display());
    let mut how = File::options();
    how.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = how.open(path).with_context(cannot).hint(hint)?;
    file.try_lock().with_context(cannot).hint(|| "another gateway has it: end that one")?;
    match file.metadata()?.len() {
        0 => {
            file.set_len(MEMORY_LEN)?;
            file.write_all_at(&[0xFF; STORAGE_LEN], STORAGE)?;
        }
        MEMORY_LEN => {}
        _ => return Err(hinted(format!("`{}` is no board's state", path.display()), hint())),
    }
    Ok(file)
}

/// Shows the board's log among our own words.
fn read_log(log: Stdio, firmware: &Firmware) -> anyhow::Result<Child> {
    let mut reader = Command::new(LOG_READER);
    reader.arg("-e").arg(&firmware.path).stdin(log).stdout(std::io::stderr());
    reader.process_group(0).kill_on_drop(true);
    reader.spawn().with_context(|| format!("cannot start {LOG_READER}"))
}

/// Waits until the board answers.
pub(super) async fn ready(address: SocketAddrV4) -> anyhow::Result<()> {
    // A name every name server knows by itself (RFC 6761 section 6.3).
    const QUERY: &[u8] = b"\0\0\x01\0\0\x01\0\0\0\0\0\0\x09localhost\0\0\x01\0\x01";
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    let answers = async {
        loop {
            let mut buffer = [0; 512];
            let answer = async {
                socket.send_to(QUERY, address).await?;
                socket.recv(&mut buffer).await
            };
            if let Ok(Ok(_)) = timeout(ANSWER_TIME, answer).await {
                return;
            }
            // Where nobody listens yet, that is said at once.
            tokio::time::sleep(ANSWER_TIME / 10).await;
        }
    };
    let hint = "see its log: cargo install defmt-print";
    timeout(PATIENCE, answers)
        .await
        .map_err(|_| hinted(format!("the board has not answered for {PATIENCE:?}"), hint))
}
