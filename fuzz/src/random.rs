//! Numbers drawn the same way each time.

/// Marsaglia's generator ("Xorshift RNGs", 2003); good enough to stumble over things.
pub struct XorShift(u64);

impl XorShift {
    /// The generator of a seed: those of neighbors have nothing in common.
    pub fn new(seed: u64) -> XorShift {
        // Odd, so that no seed gives zero, from which the generator would not move.
        let mut random = XorShift((seed << 1 | 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        (0..4).for_each(|_| _ = random.draw());
        random
    }

    /// A number below `limit`, which is not zero.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.draw() % limit as u64) as usize
    }

    /// Any octet.
    pub fn octet(&mut self) -> u8 {
        self.draw() as u8
    }

    fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 32
    }
}
