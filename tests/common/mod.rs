//! What several test runners share: the oracle and the way to the real lists.
#![allow(dead_code, unreachable_pub, reason = "each runner uses its part of it")]

pub mod oracle;

use std::path::PathBuf;

/// A file or folder of the real lists that live beside a developer's checkout, or `None` with
/// a word on standard error where they are absent: a clone has only `tests/data/`.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let file = root.join(path);
    if !file.exists() {
        eprintln!("skipped: ../shared/data/{path} is not here");
        return None;
    }
    Some(file)
}

/// A file under `tests/data/`.
pub fn data(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(path)
}

/// The names of a list of one name a line; other lines are skipped.
pub fn names(text: &str) -> impl Iterator<Item = filter_core::Name> {
    text.lines().filter_map(|line| filter_core::Name::from_text(line.trim()).ok())
}

/// A small generator of numbers, the same on every machine (Marsaglia, *Xorshift RNGs*, 2003).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }
}
