//! Reads bits, most significant first, from bytes that may be anything.

/// How many bits [`Bits::peek`] shows, and the longest code word.
pub(crate) const WINDOW: u32 = 15;

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
    #[inline]
    pub(crate) fn peek(&self) -> Option<u32> {
        let octets = self.data.get(self.position >> 3..)?.first_chunk::<4>()?;
        Some(u32::from_be_bytes(*octets) << (self.position & 7) >> (32 - WINDOW))
    }

    #[inline]
    pub(crate) fn skip(&mut self, count: u32) {
        self.position = self.position.saturating_add(count as usize);
    }

    /// A length: eleven bits behind a 0, or twenty-four bits behind a 1.
    pub(crate) fn length(&mut self) -> Option<usize> {
        let window = self.peek()?;
        if window >> (WINDOW - 1) == 0 {
            self.skip(12);
            return Some((window >> (WINDOW - 12)) as usize);
        }
        self.skip(1);
        let high = self.peek()? >> (WINDOW - 12);
        self.skip(12);
        let low = self.peek()? >> (WINDOW - 12);
        self.skip(12);
        Some((high << 12 | low) as usize)
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

    /// The counterpart of [`Bits::length`]; `None` when the length needs more than 24 bits.
    pub(crate) fn push_length(&mut self, length: usize) -> Option<()> {
        match length {
            0..0x800 => self.push(length as u32, 12),
            0x800..0x100_0000 => {
                self.push(1, 1);
                self.push(length as u32, 24);
            }
            _ => return None,
        }
        Some(())
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
