//! Opens damaged images and asks them. See `gardefou_fuzz::image`.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|octets: &[u8]| gardefou_fuzz::image(octets));

#[cfg(not(fuzzing))]
fn main() {}
