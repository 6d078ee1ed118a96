//! What survives a loss of power: a few values by their keys, in a part of the flash.
//!
//! A value is either the one there was or the new one, whenever the power goes. Values are written
//! behind each other through all pages, so that none wears out before the others.

use core::cell::RefCell;
use core::fmt;
use core::ops::Range;

use embassy_futures::block_on;
use embedded_storage::nor_flash::{self, NorFlash};
use embedded_storage_async::nor_flash as waiting;
use heapless::Vec;
use sequential_storage::Error;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::map::{MapConfig, MapStorage};

use crate::notice::Notice;

/// Octets of the longest value.
pub const VALUE_LEN_MAX: usize = 256;
/// With its key, and up to the end of a word of any flash.
const ITEM_LEN_MAX: usize = VALUE_LEN_MAX + 32;

/// What there is to keep. Numbers stay what they are: they lie in flashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Key {
    /// What the owner's PIN is checked against.
    Pin = 1,
    /// The id of the profile of clients that have no other.
    Profile = 2,
    /// Which image it was seen to be, and since when.
    Image = 3,
}

/// A value.
pub type Value = Vec<u8, VALUE_LEN_MAX>;

/// Why a value is not kept or not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageError {
    /// It is longer than [`VALUE_LEN_MAX`], or than a page.
    TooLong,
    /// There is no room beside the other values.
    Full,
    /// What lies there is not ours; [`Keep::reset`] makes it so.
    Damaged,
    /// The flash does not do what it should.
    Flash,
}

/// Keeps values, on whatever flash.
pub trait Keep {
    /// A value; empty when there is none. O(pages and octets of values).
    ///
    /// # Errors
    /// [`StorageError::Damaged`] and [`StorageError::Flash`].
    fn get(&mut self, key: Key) -> Result<Value, StorageError>;

    /// Keeps a value instead of the one there was; an empty one is none.
    ///
    /// # Errors
    /// All of them; the value there was is still there then, unless the flash is broken.
    fn set(&mut self, key: Key, value: &[u8]) -> Result<(), StorageError>;

    /// Forgets all values.
    ///
    /// # Errors
    /// [`StorageError::Flash`].
    fn reset(&mut self) -> Result<(), StorageError>;
}

/// Values in a part of a flash of at least two pages.
///
/// Its drivers block: who runs from a flash cannot go on while it is written to.
pub struct Storage<F: NorFlash> {
    map: MapStorage<u8, Blocking<F>, Cache<Uncached, Uncached, Uncached, u8>>,
}

impl<F: NorFlash> Storage<F> {
    /// The values in this range of addresses; `None` when it is not of whole pages, or of less than
    /// two.
    pub fn new(flash: F, range: Range<u32>) -> Option<Storage<F>> {
        let config = MapConfig::try_new(range).ok()?;
        Some(Storage { map: MapStorage::new(Blocking(flash), config, Cache::new_uncached()) })
    }
}

impl<F: NorFlash> Keep for Storage<F> {
    fn get(&mut self, key: Key) -> Result<Value, StorageError> {
        let mut item = [0; ITEM_LEN_MAX];
        let value: Option<&[u8]> = block_on(self.map.fetch_item(&mut item, &(key as u8)))?;
        Value::from_slice(value.unwrap_or_default()).map_err(|_| StorageError::Damaged)
    }

    fn set(&mut self, key: Key, value: &[u8]) -> Result<(), StorageError> {
        if value.len() > VALUE_LEN_MAX {
            return Err(StorageError::TooLong);
        }
        let mut item = [0; ITEM_LEN_MAX];
        Ok(block_on(self.map.store_item(&mut item, &(key as u8), &value))?)
    }

    fn reset(&mut self) -> Result<(), StorageError> {
        Ok(block_on(self.map.erase_all())?)
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StorageError::TooLong => "too long",
            StorageError::Full => "no room",
            StorageError::Damaged => "not written by this firmware",
            StorageError::Flash => "the flash does not work",
        })
    }
}

impl<E> From<Error<E>> for StorageError {
    fn from(error: Error<E>) -> StorageError {
        match error {
            Error::Storage { .. } => StorageError::Flash,
            Error::FullStorage => StorageError::Full,
            Error::ItemTooBig | Error::BufferTooSmall(_) => StorageError::TooLong,
            _ => StorageError::Damaged,
        }
    }
}

/// What a gateway keeps, as far as its board can; where it cannot, values last as long as the power.
pub(crate) struct Kept {
    pub(crate) storage: RefCell<Option<&'static mut dyn Keep>>,
    pub(crate) notice: fn(Notice),
}

impl Kept {
    /// A value; empty when there is none. What is damaged is forgotten, so that there is room again.
    pub(crate) fn get(&self, key: Key) -> Value {
        let mut storage = self.storage.borrow_mut();
        let Some(storage) = &mut *storage else { return Value::new() };
        let value = storage.get(key).or_else(|error| {
            (self.notice)(Notice::Storage { error });
            storage.reset().map(|()| Value::new())
        });
        value.unwrap_or_default()
    }

    /// Keeps a value.
    pub(crate) fn set(&self, key: Key, value: &[u8]) {
        if let Some(storage) = &mut *self.storage.borrow_mut()
            && let Err(error) = storage.set(key, value)
        {
            (self.notice)(Notice::Storage { error });
        }
    }
}

/// A driver that blocks, for whoever would wait.
struct Blocking<F>(F);

impl<F: nor_flash::ErrorType> waiting::ErrorType for Blocking<F> {
    type Error = F::Error;
}

impl<F: NorFlash> waiting::ReadNorFlash for Blocking<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    async fn read(&mut self, offset: u32, octets: &mut [u8]) -> Result<(), F::Error> {
        self.0.read(offset, octets)
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl<F: NorFlash> waiting::NorFlash for Blocking<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), F::Error> {
        self.0.erase(from, to)
    }

    async fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), F::Error> {
        self.0.write(offset, octets)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use embedded_storage::nor_flash::{ErrorType, NorFlashError, NorFlashErrorKind, ReadNorFlash};

    const PAGE_LEN: usize = 256;
    const WORD_LEN: usize = 4;
    const LEN: u32 = 4 * PAGE_LEN as u32;
    const KEYS: [Key; 2] = [Key::Pin, Key::Profile];

    /// A flash whose power goes after so many words.
    #[derive(Clone)]
    struct Flash {
        octets: std::vec::Vec<u8>,
        words_left: usize,
        /// What the last word and an erased page get to be.
        cut: Cut,
    }

    #[derive(Clone, Copy, Debug)]
    enum Cut {
        Before,
        Halfway,
        After,
    }

    #[derive(Debug)]
    struct NoPower;

    impl NorFlashError for NoPower {
        fn kind(&self) -> NorFlashErrorKind {
            NorFlashErrorKind::Other
        }
    }

    impl Flash {
        fn new() -> Flash {
            let octets = std::vec![0xFF; LEN as usize];
            Flash { octets, words_left: usize::MAX, cut: Cut::After }
        }

        /// Writes a word or erases a page, as far as there is power.
        fn set(&mut self, start: usize, octets: &[u8]) -> Result<(), NoPower> {
            self.words_left = self.words_left.checked_sub(1).ok_or(NoPower)?;
            let len = match self.cut {
                _ if self.words_left > 0 => octets.len(),
                Cut::Before => 0,
                Cut::Halfway => octets.len() / 2,
                Cut::After => octets.len(),
            };
            self.octets[start..][..len].copy_from_slice(&octets[..len]);
            if self.words_left > 0 { Ok(()) } else { Err(NoPower) }
        }
    }

    impl ErrorType for Flash {
        type Error = NoPower;
    }

    impl ReadNorFlash for Flash {
        const READ_SIZE: usize = 1;

        fn read(&mut self, offset: u32, octets: &mut [u8]) -> Result<(), NoPower> {
            octets.copy_from_slice(&self.octets[offset as usize..][..octets.len()]);
            Ok(())
        }

        fn capacity(&self) -> usize {
            self.octets.len()
        }
    }

    impl NorFlash for Flash {
        const WRITE_SIZE: usize = WORD_LEN;
        const ERASE_SIZE: usize = PAGE_LEN;

        fn erase(&mut self, from: u32, to: u32) -> Result<(), NoPower> {
            for page in (from as usize..to as usize).step_by(PAGE_LEN) {
                self.set(page, &[0xFF; PAGE_LEN])?;
            }
            Ok(())
        }

        fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), NoPower> {
            let places = &self.octets[offset as usize..][..octets.len()];
            // A word whose writing was cut may be written once more, the same.
            let is_fit = places.iter().zip(octets).all(|(place, octet)| place & octet == *octet);
            assert!(is_fit, "written without an erasure");
            for (index, word) in octets.chunks(WORD_LEN).enumerate() {
                self.set(offset as usize + index * WORD_LEN, word)?;
            }
            Ok(())
        }
    }

    /// Keeps in memory.
    pub(crate) fn kept(octet: u8) -> Kept {
        let octets = std::vec![octet; LEN as usize];
        let storage = std::boxed::Box::new(storage(Flash { octets, ..Flash::new() }));
        Kept { storage: RefCell::new(Some(std::boxed::Box::leak(storage))), notice: |_| () }
    }

    fn storage(flash: Flash) -> Storage<Flash> {
        Storage::new(flash, 0..LEN).unwrap()
    }

    fn get(storage: &mut Storage<Flash>, key: Key) -> Option<std::vec::Vec<u8>> {
        Some(storage.get(key).unwrap().to_vec()).filter(|value| !value.is_empty())
    }

    /// The value a key has after so many changes of all.
    fn value(key: Key, turn: usize) -> std::vec::Vec<u8> {
        std::vec![turn as u8 + 1; 10 + 17 * key as usize + turn % 5]
    }

    #[test]
    fn values_stay_and_can_be_replaced() {
        let mut storage = storage(Flash::new());
        for turn in 0..100 {
            for key in KEYS {
                storage.set(key, &value(key, turn)).unwrap();
            }
            for key in KEYS {
                assert_eq!(get(&mut storage, key), Some(value(key, turn)));
            }
        }
        storage.set(Key::Pin, &[]).unwrap();
        assert_eq!(get(&mut storage, Key::Pin), None);
        assert_eq!(get(&mut storage, Key::Profile), Some(value(Key::Profile, 99)));
        storage.reset().unwrap();
        assert_eq!(get(&mut storage, Key::Profile), None);
    }

    #[test]
    fn a_value_that_does_not_fit_leaves_the_one_there_was() {
        let mut storage = storage(Flash::new());
        storage.set(Key::Pin, b"1234").unwrap();
        for len in [PAGE_LEN, VALUE_LEN_MAX, VALUE_LEN_MAX + 1] {
            let result = storage.set(Key::Pin, &std::vec![1; len]);
            assert_eq!(result, Err(StorageError::TooLong));
            assert_eq!(get(&mut storage, Key::Pin), Some(b"1234".to_vec()));
        }
        for range in [0..PAGE_LEN as u32, 0..LEN - 1, 1..LEN] {
            assert!(Storage::new(Flash::new(), range).is_none());
        }
    }

    #[test]
    fn what_is_damaged_is_forgotten_and_there_is_room_again() {
        let kept = kept(0);
        assert!(kept.get(Key::Pin).is_empty());
        kept.set(Key::Pin, b"1234");
        assert_eq!(kept.get(Key::Pin), b"1234");
    }

    /// Through all pages more than once, with the power gone at every word.
    #[test]
    fn whenever_the_power_goes_a_value_is_the_old_or_the_new_one() {
        const TURNS: usize = 40;
        for cut in [Cut::Before, Cut::Halfway, Cut::After] {
            let mut words = 0;
            loop {
                words += 1;
                let mut before = storage(Flash { words_left: words, cut, ..Flash::new() });
                // How often each key was changed for sure, and which change was cut.
                let mut changed = [0; KEYS.len()];
                let mut interrupted = None;
                'changes: for turn in 0..TURNS {
                    for (key, changed) in KEYS.into_iter().zip(&mut changed) {
                        if before.set(key, &value(key, turn)).is_err() {
                            interrupted = Some(key);
                            break 'changes;
                        }
                        *changed = turn + 1;
                    }
                }
                let (Blocking(mut flash), _) = before.map.destroy();
                flash.words_left = usize::MAX;
                let mut after = storage(flash);
                for (key, changed) in KEYS.into_iter().zip(changed) {
                    let is = get(&mut after, key);
                    let old = changed.checked_sub(1).map(|turn| value(key, turn));
                    let new = (interrupted == Some(key)).then(|| value(key, changed));
                    assert!(
                        is == old || new.is_some() && is == new,
                        "{words} words, {cut:?}, {key:?}"
                    );
                }
                for key in KEYS {
                    after.set(key, b"then").unwrap();
                    assert_eq!(get(&mut after, key), Some(b"then".to_vec()), "{words}, {cut:?}");
                }
                if interrupted.is_none() {
                    break;
                }
            }
            assert!(words > 1000, "{words}");
        }
    }
}
