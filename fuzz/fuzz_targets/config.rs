//! Reads manifests. See `gardefou_fuzz::config`.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|octets: &[u8]| gardefou_fuzz::config(octets));

#[cfg(not(fuzzing))]
fn main() {}
