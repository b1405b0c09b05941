//! Values that must not be printed, copied or left behind in memory.
//!
//! A [`Secret`] has no `Debug` of its content, no `Clone` and no `Serialize`, compares in constant time, and is
//! wiped when it goes. Its bytes come out through [`Secret::expose`] alone.
//!
//! What this does not do: a secret that moves leaves its old bytes on the stack until they are written over, and
//! pages may be swapped. Keys that live long belong into [`crate::locked`].

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::random::{Random, RandomError};

/// A value that is wiped when dropped and shown only on request.
///
/// ```compile_fail
/// let key = trent_crypto::Key256::new([0; 32]);
/// let copy = key.clone(); // There is no way to copy a secret by accident.
/// ```
pub struct Secret<T: Zeroize>(T);

/// Secret bytes of any length: plaintexts, private keys, passphrases.
pub type SecretBytes = Secret<Vec<u8>>;

/// A secret key of 256 bits.
pub type Key256 = Secret<[u8; 32]>;

impl<T: Zeroize> Secret<T> {
    /// Takes a value into custody. Copies that the caller made of it before are the caller's to wipe.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Every place that touches secret bytes names this method.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl SecretBytes {
    /// Lets `write` put the secret straight into zeroed memory of `length` bytes, which is wiped if that fails.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn try_fill<E>(length: usize, write: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut secret = Self(vec![0; length]);
        write(&mut secret.0)?;
        Ok(secret)
    }

    /// Fresh random bytes.
    ///
    /// # Errors
    /// When there is no randomness to be had.
    pub fn generate(length: usize, random: &dyn Random) -> Result<Self, RandomError> {
        Self::try_fill(length, |bytes| random.fill(bytes))
    }
}

impl Key256 {
    /// Lets `write` put the key straight into zeroed memory, which is wiped if that fails.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn try_fill<E>(write: impl FnOnce(&mut [u8; 32]) -> Result<(), E>) -> Result<Self, E> {
        let mut key = Self([0; 32]);
        write(&mut key.0)?;
        Ok(key)
    }

    /// A fresh random key.
    ///
    /// # Errors
    /// When there is no randomness to be had.
    pub fn generate(random: &dyn Random) -> Result<Self, RandomError> {
        Self::try_fill(|bytes| random.fill(bytes))
    }

    /// The key that `bytes` are, if they are 32.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// In constant time for equal lengths. Lengths are not secret.
impl<T: Zeroize + AsRef<[u8]>> PartialEq for Secret<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_ref().ct_eq(other.0.as_ref()).into()
    }
}

impl<T: Zeroize + AsRef<[u8]>> Eq for Secret<T> {}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    /// Notes that it was wiped.
    struct Witness(Rc<Cell<bool>>);

    impl Zeroize for Witness {
        fn zeroize(&mut self) {
            self.0.set(true);
        }
    }

    #[test]
    fn a_dropped_secret_is_wiped() {
        let wiped = Rc::new(Cell::new(false));
        drop(Secret::new(Witness(Rc::clone(&wiped))));
        assert!(wiped.get());
    }

    #[test]
    fn debug_output_has_no_content() {
        assert_eq!(format!("{:?}", Key256::new([7; 32])), "Secret(..)");
        assert_eq!(format!("{:?}", SecretBytes::from(b"hunter2".to_vec())), "Secret(..)");
    }

    #[test]
    fn equality_compares_content_and_length() {
        assert_eq!(SecretBytes::from(b"abc".to_vec()), SecretBytes::from(b"abc".to_vec()));
        assert_ne!(SecretBytes::from(b"abc".to_vec()), SecretBytes::from(b"abd".to_vec()));
        assert_ne!(SecretBytes::from(b"abc".to_vec()), SecretBytes::from(b"ab".to_vec()));
    }

    #[test]
    fn a_key_has_32_bytes() {
        assert!(Key256::from_slice(&[1; 32]).is_some());
        assert!(Key256::from_slice(&[1; 31]).is_none());
        assert!(Key256::from_slice(&[1; 33]).is_none());
    }

    #[test]
    fn a_failing_source_gives_no_secret() {
        assert_eq!(Key256::try_fill(|_| Err("dry")).unwrap_err(), "dry");
        assert_eq!(SecretBytes::try_fill(5, |_| Err("dry")).unwrap_err(), "dry");
    }
}
