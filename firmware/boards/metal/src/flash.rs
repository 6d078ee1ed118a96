//! Regions of flash; a board's `memory.x` says where they are. Image and settings are read where they
//! lie, and the storage by the driver that writes to it.
//!
//! The firmware lies in a region of its own, so that flashing it leaves these alone.

use core::ops::Range;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError as _, NorFlashErrorKind, ReadNorFlash,
};

#[allow(unsafe_code)]
// SAFETY: nothing but the linker gives these a meaning, which is an address or a length.
unsafe extern "C" {
    static _settings_start: u8;
    static _settings_len: u8;
    static _image_start: u8;
    static _image_len: u8;
    static _storage_offset: u8;
    static _storage_len: u8;
}

/// The region that begins with the image.
pub(crate) fn image() -> &'static [u8] {
    region(&raw const _image_start, &raw const _image_len)
}

/// The region that begins with the settings.
pub(crate) fn settings() -> &'static [u8] {
    region(&raw const _settings_start, &raw const _settings_len)
}

/// The region of what survives a loss of power, from the beginning of the flash on.
pub(crate) fn storage() -> Range<u32> {
    let (start, len) = (&raw const _storage_offset, &raw const _storage_len);
    start.addr() as u32..(start.addr() + len.addr()) as u32
}

/// The length is the address of a symbol, as is usual between linker scripts and programs.
fn region(start: *const u8, len: *const u8) -> &'static [u8] {
    // SAFETY: `memory.x` names regions of flash, which nothing writes to while the gateway runs.
    #[allow(unsafe_code)]
    unsafe {
        core::slice::from_raw_parts(ptr::with_exposed_provenance(start.addr()), len.addr())
    }
}

/// A flash of which nothing is read any more where the last try ended in a fault: a word whose writing
/// the loss of power has cut fails its check, and some processors give up then. An error makes the
/// storage erase it.
pub struct Wary<F> {
    flash: F,
    has_failed: bool,
}

/// Says that something is being read.
const READING: u32 = 0x6C65_6765;

// Not cleared when the processor starts.
#[allow(unsafe_code)]
#[unsafe(link_section = ".uninit.is_reading")]
static IS_READING: AtomicU32 = AtomicU32::new(0);

impl<F> Wary<F> {
    pub(crate) fn new(flash: F) -> Wary<F> {
        let has_failed = IS_READING.load(Ordering::Relaxed) == READING;
        IS_READING.store(0, Ordering::Relaxed);
        Wary { flash, has_failed }
    }
}

impl<F> ErrorType for Wary<F> {
    type Error = NorFlashErrorKind;
}

impl<F: ReadNorFlash> ReadNorFlash for Wary<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    fn read(&mut self, offset: u32, octets: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        if self.has_failed {
            return Err(NorFlashErrorKind::Other);
        }
        IS_READING.store(READING, Ordering::SeqCst);
        let result = self.flash.read(offset, octets);
        IS_READING.store(0, Ordering::SeqCst);
        result.map_err(|error| error.kind())
    }

    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl<F: NorFlash> NorFlash for Wary<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        self.has_failed = false;
        self.flash.erase(from, to).map_err(|error| error.kind())
    }

    fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), NorFlashErrorKind> {
        self.flash.write(offset, octets).map_err(|error| error.kind())
    }
}
