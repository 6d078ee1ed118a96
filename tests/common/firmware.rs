//! The firmware of the emulated board.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// The firmware, built where `gardefou gateway` builds it.
pub fn firmware() -> PathBuf {
    firmware_of("thumbv7em-none-eabi", &[])
}

/// The firmware for another processor, or another board.
pub fn firmware_of(processor: &str, arguments: &[&str]) -> PathBuf {
    static BUILDING: Mutex<()> = Mutex::new(());
    let target =
        Path::new(env!("CARGO_BIN_EXE_gardefou")).ancestors().nth(2).unwrap().join("boards");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware/boards/mps2-an386");
    let _building = BUILDING.lock();
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--locked", "--quiet", "--target", processor]);
    cargo.args(arguments).arg("--target-dir").arg(&target);
    assert!(cargo.current_dir(folder).status().unwrap().success());
    target.join(processor).join("release/mps2-an386")
}
