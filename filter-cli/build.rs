//! Gives the crate two things from beyond its sources.
//!
//! `PARSER_FINGERPRINT`, a number that changes with everything list text is read by: the sources
//! of the parsers and the versions of all dependencies. Cached lists that another parser has
//! read are not used.
//!
//! A copy of `blocklists/` to embed, without the lists somebody downloaded there.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    fingerprint()?;
    println!("cargo::rerun-if-changed=../blocklists");
    let copy = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("blocklists");
    if copy.exists() {
        fs::remove_dir_all(&copy)?;
    }
    copy_folder(Path::new("../blocklists"), &copy)
}

/// Copies files and folders that are ours: no downloads, nothing hidden.
fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == "downloads" || name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to.join(&name))?;
        } else {
            fs::copy(entry.path(), to.join(&name))?;
        }
    }
    Ok(())
}

fn fingerprint() -> io::Result<()> {
    let mut files = Vec::new();
    collect(Path::new("src/lists"), &mut files)?;
    collect(Path::new("src/list_map"), &mut files)?;
    files.sort();
    files.push(PathBuf::from("src/list_map.rs"));
    files.push(PathBuf::from("../filter-core/src/set/key.rs"));
    files.push(PathBuf::from("../Cargo.lock"));
    let mut hash = Fnv::default();
    for file in &files {
        println!("cargo::rerun-if-changed={}", file.display());
        // The lock file is not there when the crate is built from a registry.
        let octets = fs::read(file).unwrap_or_default();
        hash.update(&octets);
    }
    println!("cargo::rerun-if-changed=src/lists");
    println!("cargo::rerun-if-changed=src/list_map");
    println!("cargo::rustc-env=PARSER_FINGERPRINT={:016x}", hash.0);
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// FNV-1a (draft-eastlake-fnv): short, and strong enough to notice an edit.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn update(&mut self, octets: &[u8]) {
        for octet in octets.iter().filter(|octet| **octet != b'\r') {
            self.0 = (self.0 ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
