//! Reads list text in every dialect. See `gardefou_fuzz::list_line`.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|octets: &[u8]| gardefou_fuzz::list_line(octets));

#[cfg(not(fuzzing))]
fn main() {}
