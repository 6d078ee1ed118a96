//! Reads names from messages and from text. See `gardefou_fuzz::dns_name`.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|octets: &[u8]| gardefou_fuzz::dns_name(octets));

#[cfg(not(fuzzing))]
fn main() {}
