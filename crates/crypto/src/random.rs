//! Randomness, passed in wherever it is needed, so that a test can replay a run from a seed.
//!
//! Not here: the seeded source, which belongs to tests.

use aws_lc_rs::rand::{SecureRandom, SystemRandom as AwsLcRandom};

/// A source of random bytes fit for keys and nonces.
pub trait Random: Send + Sync {
    /// Fills all of `out`. One call for many bytes is cheaper than many calls: about 0.5 µs each.
    ///
    /// # Errors
    /// When the source failed. What `out` then holds must not be used.
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError>;
}

/// The source of random bytes failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no random bytes to be had")]
pub struct RandomError;

/// The generator of AWS-LC: a CTR-DRBG per thread (NIST SP 800-90A 10.2.1), seeded by the operating system.
#[derive(Debug, Default)]
pub struct SystemRandom(AwsLcRandom);

impl SystemRandom {
    /// The generator of this process.
    #[must_use]
    pub fn new() -> Self {
        Self(AwsLcRandom::new())
    }
}

impl Random for SystemRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        self.0.fill(out).map_err(|_| RandomError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_fills_differ() {
        let (mut first, mut second) = ([0; 32], [0; 32]);
        SystemRandom::new().fill(&mut first).unwrap();
        SystemRandom::new().fill(&mut second).unwrap();
        assert_ne!(first, second);
        assert_ne!(first, [0; 32]);
    }
}
