//! The firmware: found in a checkout, and built there by cargo.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::output::{Hint, Output, hinted};

const BOARD: &str = "mps2-an386";
const TARGET: &str = "thumbv7em-none-eabi";

/// A program for the board.
pub(super) struct Firmware {
    pub(super) path: PathBuf,
}

impl Firmware {
    /// Builds it, as far as it is not built yet.
    pub(super) fn build(output: &Output) -> anyhow::Result<Firmware> {
        let root = checkout()?;
        let folder = folder(&root);
        install_target(&folder)?;
        let target_dir = match env::var_os("CARGO_TARGET_DIR") {
            Some(path) => root.join(path),
            None => root.join("target"),
        }
        .join("boards");
        let mut cargo = command("cargo", &folder);
        cargo.args(["build", "--release", "--locked", "--target-dir"]).arg(&target_dir);
        if output.quiet {
            cargo.arg("--quiet");
        }
        let hint = || format!("see what `cargo build --release` says in {}", folder.display());
        let status = cargo.status().context("cannot start cargo").hint(hint)?;
        if !status.success() {
            return Err(hinted("the firmware does not build", hint()));
        }
        Ok(Firmware { path: target_dir.join(TARGET).join("release").join(BOARD) })
    }
}

/// The checkout this runs in.
fn checkout() -> anyhow::Result<PathBuf> {
    let here = env::current_dir()?;
    let root = here.ancestors().find(|path| folder(path).join("Cargo.toml").exists());
    root.map(Path::to_owned).ok_or_else(|| {
        let hint = "run it in a clone of Gardefou's repository: `cargo run --release -- gateway`";
        hinted("there is no firmware to build here", hint)
    })
}

fn folder(root: &Path) -> PathBuf {
    root.join("firmware/boards").join(BOARD)
}

/// Installs the standard library for the board's processor, if it is not there.
fn install_target(folder: &Path) -> anyhow::Result<()> {
    let asked =
        command("rustc", folder).args(["--print", "target-libdir", "--target", TARGET]).output();
    let asked = asked.context("cannot start rustc").hint(|| "install Rust: https://rustup.rs")?;
    let libdir = String::from_utf8_lossy(&asked.stdout);
    if Path::new(libdir.trim()).exists() {
        return Ok(());
    }
    let status = command("rustup", folder).args(["target", "add", TARGET]).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => Err(hinted(
            format!("there is no standard library for {TARGET}"),
            format!("rustup target add {TARGET}"),
        )),
    }
}

/// A program of Rust's, for the toolchain of the checkout.
fn command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null());
    command
}
