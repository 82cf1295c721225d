//! Decisions that a seed repeats.

/// `SplitMix64`.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// From 0 to one less than that.
    pub fn below(&mut self, sides: u64) -> u64 {
        self.next() % sides
    }

    /// In so many cases of a hundred.
    pub fn per_cent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    /// Dice of their own, for somebody else.
    pub fn further(&mut self) -> Self {
        Self(self.next())
    }
}
