//! Links with the start-up code's script, the log's and the board's memory.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    // By another name than the linker's, which would take it from here.
    let mut memory = include_str!("regions.x").to_owned();
    if env::var_os("CARGO_FEATURE_AN505").is_some() {
        memory = memory.replace("0x00000000", "0x10000000").replace("0x20000000", "0x38000000");
    }
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(folder.join("memory.x"), memory).expect("cargo has made the folder");
    println!("cargo:rustc-link-search={}", folder.display());
    for argument in ["--nmagic", "-Tlink.x", "-Tdefmt.x"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    println!("cargo:rerun-if-changed=regions.x");
}
