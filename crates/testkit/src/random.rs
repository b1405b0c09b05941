//! Randomness from a seed: the same bytes in every run, and useless for anything but tests.

use std::sync::atomic::{AtomicU64, Ordering};

use trent_crypto::kdf;
use trent_crypto::{Random, RandomError};

/// Bytes derived from a seed and a counter.
pub struct SeededRandom {
    seed: [u8; 32],
    counter: AtomicU64,
}

impl SeededRandom {
    /// The bytes that follow from `seed`.
    pub fn new(seed: u64) -> Self {
        let mut key = [0; 32];
        let (start, _) = key.split_at_mut(8);
        start.copy_from_slice(&seed.to_be_bytes());
        Self { seed: key, counter: AtomicU64::new(0) }
    }
}

impl Random for SeededRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        for chunk in out.chunks_mut(32) {
            let counter = self.counter.fetch_add(1, Ordering::SeqCst).to_be_bytes();
            let block = kdf::derive(&self.seed, b"test", &counter);
            chunk.iter_mut().zip(block.expose()).for_each(|(out, byte)| *out = *byte);
        }
        Ok(())
    }
}
