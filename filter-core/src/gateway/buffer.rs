//! Where messages are written: octets up to a length, one part behind the other.

use core::ops::{Deref, DerefMut};

/// A message, as far as it is written.
///
/// Unlike a vector, it is filled a slice at a time and not an octet at a time.
pub(super) struct Buffer<const LEN: usize> {
    octets: [u8; LEN],
    len: usize,
}

/// There is no room for more.
pub(super) struct Full;

impl<const LEN: usize> Buffer<LEN> {
    pub(super) const fn new() -> Buffer<LEN> {
        Buffer { octets: [0; LEN], len: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    pub(super) fn push(&mut self, octets: &[u8]) -> Result<(), Full> {
        let end = self.len + octets.len();
        self.octets.get_mut(self.len..end).ok_or(Full)?.copy_from_slice(octets);
        self.len = end;
        Ok(())
    }

    /// The same of so few octets that they are better written here than copied by a call.
    pub(super) fn push_array<const COUNT: usize>(
        &mut self,
        octets: [u8; COUNT],
    ) -> Result<(), Full> {
        let rest = self.octets.get_mut(self.len..).ok_or(Full)?;
        *rest.first_chunk_mut().ok_or(Full)? = octets;
        self.len += COUNT;
        Ok(())
    }

    /// The same of numbers, in the order of the network.
    pub(super) fn push_numbers<const COUNT: usize>(
        &mut self,
        numbers: [u16; COUNT],
    ) -> Result<(), Full> {
        let end = self.len + 2 * COUNT;
        let places = self.octets.get_mut(self.len..end).ok_or(Full)?.as_chunks_mut().0;
        for (place, number) in places.iter_mut().zip(numbers) {
            *place = number.to_be_bytes();
        }
        self.len = end;
        Ok(())
    }
}

impl<const LEN: usize> Deref for Buffer<LEN> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or(&[])
    }
}

impl<const LEN: usize> DerefMut for Buffer<LEN> {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.octets.get_mut(..self.len).unwrap_or(&mut [])
    }
}
