//! Reads bits, most significant first, from bytes that may be anything.

/// How many bits [`Bits::peek`] shows, and the longest code word.
pub(crate) const WINDOW: u32 = 15;

/// The longest number [`Bits::number`] reads.
pub(crate) const NUMBER_BITS_MAX: u32 = 25;

/// A position in a run of bits.
#[derive(Clone, Copy)]
pub(crate) struct Bits<'a> {
    data: &'a [u8],
    /// Counted in bits.
    position: usize,
}

impl<'a> Bits<'a> {
    pub(crate) fn new(data: &'a [u8], position: usize) -> Bits<'a> {
        Bits { data, position }
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn seek(&mut self, position: usize) {
        self.position = position;
    }

    /// The next 15 bits, unread. `None` less than four octets before the end: the writer
    /// closes the payload with [`PADDING`] octets, so only a corrupt image gets there.
    #[inline(always)]
    pub(crate) fn peek(&self) -> Option<u32> {
        Some(self.next_32()? >> (32 - WINDOW))
    }

    /// The next bits, 25 or more, from the most significant down.
    #[inline(always)]
    fn next_32(&self) -> Option<u32> {
        let at = self.position >> 3;
        let octets = self.data.get(at..at + 4)?.first_chunk::<4>()?;
        Some(u32::from_be_bytes(*octets) << (self.position & 7))
    }

    #[inline(always)]
    pub(crate) fn skip(&mut self, count: u32) {
        // Does not wrap: what was read before lies in memory.
        self.position = self.position.wrapping_add(count as usize);
    }

    /// Reads a number of `count` bits, at most [`NUMBER_BITS_MAX`].
    #[inline(always)]
    pub(crate) fn number(&mut self, count: u32) -> Option<u32> {
        let bits = self.next_32()?;
        self.skip(count);
        Some(bits.checked_shr(32 - count.min(NUMBER_BITS_MAX)).unwrap_or(0))
    }
}

/// Octets behind the last bit, so that every [`Bits::peek`] of a sound image is whole.
#[cfg(feature = "build")]
pub(crate) const PADDING: usize = 4;

/// Collects bits, most significant first.
#[cfg(feature = "build")]
#[derive(Default)]
pub(crate) struct BitWriter {
    octets: std::vec::Vec<u8>,
    /// Bits not yet in `octets`, in the low end.
    open: u64,
    open_count: u32,
}

#[cfg(feature = "build")]
impl BitWriter {
    pub(crate) fn push(&mut self, bits: u32, count: u32) {
        self.open = self.open << count | u64::from(bits);
        self.open_count += count;
        while self.open_count >= 8 {
            self.open_count -= 8;
            self.octets.push((self.open >> self.open_count) as u8);
        }
    }

    pub(crate) fn len_bits(&self) -> usize {
        self.octets.len() * 8 + self.open_count as usize
    }

    /// Appends all bits of `other`.
    pub(crate) fn append(&mut self, other: &BitWriter) {
        for &octet in &other.octets {
            self.push(u32::from(octet), 8);
        }
        if other.open_count > 0 {
            let mask = (1u64 << other.open_count) - 1;
            self.push((other.open & mask) as u32, other.open_count);
        }
    }

    /// Fills the last octet with zero bits and hands out whole octets.
    pub(crate) fn align(&mut self) -> &[u8] {
        if self.open_count > 0 {
            self.push(0, 8 - self.open_count);
        }
        &self.octets
    }
}
