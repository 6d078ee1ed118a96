//! The firmware of the emulated board.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

/// The firmware, built where `gardefou gateway` builds it.
pub fn firmware() -> PathBuf {
    static BUILT: Once = Once::new();
    let target =
        Path::new(env!("CARGO_BIN_EXE_gardefou")).ancestors().nth(2).unwrap().join("boards");
    BUILT.call_once(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware/boards/mps2-an386");
        let mut cargo = Command::new("cargo");
        cargo.args(["build", "--release", "--locked", "--quiet", "--target-dir"]).arg(&target);
        assert!(cargo.current_dir(folder).status().unwrap().success());
    });
    target.join("thumbv7em-none-eabi/release/mps2-an386")
}
