//! Chance for tests, from a seed: the same rolls for the same seed.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A generator of random numbers that are good enough to choose with (SplitMix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The rolls that follow from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A seed that is another each time.
    pub fn any_seed() -> u64 {
        RandomState::new().build_hasher().finish()
    }

    /// Dice of its own for another roller.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(self.roll())
    }

    /// A number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("at most 64 bits");
        usize::try_from(self.roll() % bound).expect("below a bound of this type")
    }

    /// A number of a range.
    pub fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        range.start + self.roll() % (range.end - range.start)
    }

    /// Yes, `percent` times of 100.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        std::iter::repeat_with(|| self.roll().to_be_bytes()).flatten().take(length).collect()
    }
}
