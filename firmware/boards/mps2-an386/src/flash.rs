//! A part of the PSRAM as if it were flash: writing turns ones into zeros, a word at a time, and only
//! erasing a page turns them back. It survives the board when the host has PSRAM in a file.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

use crate::board::{Register, STORAGE};

const WORD_LEN: usize = 4;
const PAGE_LEN: usize = 4096;
const ERASED: u32 = u32::MAX;

/// The flash; addresses are those within it.
pub(crate) struct Flash;

impl Flash {
    pub(crate) const LEN: u32 = STORAGE.1 as u32;
}

impl ErrorType for Flash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = WORD_LEN;

    fn read(&mut self, offset: u32, octets: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, octets.len())?;
        let words = octets.as_chunks_mut::<WORD_LEN>().0.iter_mut();
        words.zip(words_from(offset)).for_each(|(word, place)| *word = place.read().to_le_bytes());
        Ok(())
    }

    fn capacity(&self) -> usize {
        STORAGE.1
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD_LEN;
    const ERASE_SIZE: usize = PAGE_LEN;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to)?;
        let words = (to - from) as usize / WORD_LEN;
        words_from(from).take(words).for_each(|place| place.write(ERASED));
        Ok(())
    }

    fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, octets.len())?;
        let words = octets.as_chunks::<WORD_LEN>().0.iter();
        words
            .zip(words_from(offset))
            .for_each(|(word, place)| place.write(place.read() & u32::from_le_bytes(*word)));
        Ok(())
    }
}

/// The words from an address on, up to the end of the flash.
fn words_from(offset: u32) -> impl Iterator<Item = Register> {
    (offset as usize..STORAGE.1).step_by(WORD_LEN).map(|place| {
        // SAFETY: the region is for this alone.
        #[allow(unsafe_code)]
        unsafe {
            Register::at(STORAGE.0 + place)
        }
    })
}
