//! Regions of flash that are read where they lie; a board's `memory.x` says where that is.
//!
//! The firmware lies in a region of its own, so that flashing it leaves these alone.

use core::ptr;

#[allow(unsafe_code)]
// SAFETY: nothing but the linker gives these a meaning, which is an address or a length.
unsafe extern "C" {
    static _settings_start: u8;
    static _settings_len: u8;
    static _image_start: u8;
    static _image_len: u8;
}

/// The region that begins with the image.
pub(crate) fn image() -> &'static [u8] {
    region(&raw const _image_start, &raw const _image_len)
}

/// The region that begins with the settings.
pub(crate) fn settings() -> &'static [u8] {
    region(&raw const _settings_start, &raw const _settings_len)
}

/// The length is the address of a symbol, as is usual between linker scripts and programs.
fn region(start: *const u8, len: *const u8) -> &'static [u8] {
    // SAFETY: `memory.x` names regions of flash, which nothing writes to while the gateway runs.
    #[allow(unsafe_code)]
    unsafe {
        core::slice::from_raw_parts(ptr::with_exposed_provenance(start.addr()), len.addr())
    }
}
