//! What tests need: a clock set by hand, randomness from a seed, and the whole service in this process.
//!
//! Used by tests alone; nothing that ships depends on it.

mod clock;
mod kms;
mod random;

pub use clock::TestClock;
pub use kms::{ACCOUNT, Answer, REGION, TestKms};
pub use random::SeededRandom;
