//! Encryption with an external key, as `trent xks-proxy` does it: AES-256-GCM under a key of the message's own.
//!
//! ```text
//! metadata   01 ‖ version of the external key (3, big-endian) ‖ nonce (16)
//! key        KDF(external key, "trent/external/v1", nonce)
//! IV         12 random bytes
//! ```
//!
//! The metadata travel with the ciphertext, and must be part of the associated data, which the caller puts together.
//! Why derive: see `message.rs`; a busy store would come to 2^32 messages in a month.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::kdf::derive;
use crate::random::{Random, RandomError};
use crate::secret::SecretBytes;

const LABEL: &[u8] = b"trent/external/v1";
/// The construction, in case there ever is another.
const VARIANT: u8 = 1;
/// The largest version of a key that the metadata can tell.
pub const VERSION_MAX: u32 = 0x00ff_ffff;
/// Length of the metadata.
pub const METADATA_BYTES: usize = 20;
/// Length of the initialisation vector.
pub const IV_BYTES: usize = 12;
/// Length of the tag.
pub const TAG_BYTES: usize = 16;

/// What is fresh for each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What must come back to decrypt.
    pub metadata: [u8; METADATA_BYTES],
    /// The initialisation vector.
    pub iv: [u8; IV_BYTES],
}

impl Header {
    /// The header of a new message under a version of a key, [`VERSION_MAX`] at most.
    ///
    /// # Errors
    /// When there is no randomness to be had.
    pub fn fresh(version: u32, random: &dyn Random) -> Result<Self, RandomError> {
        let [_, version @ ..] = version.to_be_bytes();
        let mut metadata = [0; METADATA_BYTES];
        let mut iv = [0; IV_BYTES];
        let (head, nonce) = metadata.split_at_mut(4);
        random.fill(nonce)?;
        random.fill(&mut iv)?;
        for (to, from) in head.iter_mut().zip([VARIANT].into_iter().chain(version)) {
            *to = from;
        }
        Ok(Self { metadata, iv })
    }

    /// The header of a message that was received, if it can be one of ours.
    #[must_use]
    pub fn read(metadata: &[u8], iv: &[u8]) -> Option<Self> {
        let header = Self { metadata: metadata.try_into().ok()?, iv: iv.try_into().ok()? };
        (header.metadata.first() == Some(&VARIANT)).then_some(header)
    }

    /// The version of the key.
    #[must_use]
    pub const fn version(&self) -> u32 {
        let [_, a, b, c, ..] = self.metadata;
        u32::from_be_bytes([0, a, b, c])
    }

    /// Encrypts; gives ciphertext and tag. `None` when AES-GCM itself fails.
    #[must_use]
    pub fn encrypt(
        &self,
        key: &[u8; 32],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Option<(Vec<u8>, [u8; TAG_BYTES])> {
        // Not wiped on failure: AES-GCM fails only for lengths that no caller has.
        let mut text = plaintext.to_vec();
        let (key, iv) = self.key_and_iv(key)?;
        let tag = key.seal_in_place_separate_tag(iv, Aad::from(aad), &mut text).ok()?;
        Some((text, tag.as_ref().try_into().ok()?))
    }

    /// Decrypts, if everything is as it was.
    #[must_use]
    pub fn decrypt(&self, key: &[u8; 32], aad: &[u8], ciphertext: &[u8], tag: &[u8]) -> Option<SecretBytes> {
        let (key, iv) = self.key_and_iv(key)?;
        SecretBytes::try_fill(ciphertext.len(), |plaintext| {
            key.open_separate_gather(iv, Aad::from(aad), ciphertext, tag, plaintext)
        })
        .ok()
    }

    fn key_and_iv(&self, key: &[u8; 32]) -> Option<(LessSafeKey, Nonce)> {
        let (_, nonce) = self.metadata.split_at_checked(4)?;
        let key = derive(key, LABEL, nonce);
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.expose()).ok()?);
        Some((key, Nonce::assume_unique_for_key(self.iv)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    #[test]
    fn what_is_encrypted_decrypts_with_the_same_key_header_and_data_alone() {
        let header = Header::fresh(0x01_02_03, &SystemRandom::new()).unwrap();
        assert_eq!((&header.metadata[..4], header.version()), (&[1, 1, 2, 3][..], 0x01_02_03));
        let (ciphertext, tag) = header.encrypt(&[7; 32], b"aad", b"text").unwrap();
        let again = Header::read(&header.metadata, &header.iv).unwrap();
        assert_eq!(again.decrypt(&[7; 32], b"aad", &ciphertext, &tag).unwrap().expose(), b"text");
        assert!(again.decrypt(&[8; 32], b"aad", &ciphertext, &tag).is_none());
        assert!(again.decrypt(&[7; 32], b"", &ciphertext, &tag).is_none());
        assert!(again.decrypt(&[7; 32], b"aad", &ciphertext, &tag[..12]).is_none());
        let mut other = again;
        other.metadata[19] ^= 1;
        assert!(other.decrypt(&[7; 32], b"aad", &ciphertext, &tag).is_none());
    }

    #[test]
    fn headers_of_others_are_not_taken_for_ours() {
        let good = Header::fresh(1, &SystemRandom::new()).unwrap();
        assert_ne!(good, Header::fresh(1, &SystemRandom::new()).unwrap());
        assert!(Header::read(&good.metadata[..19], &good.iv).is_none());
        assert!(Header::read(&good.metadata, &[0; 16]).is_none());
        assert!(Header::read(&[2; 20], &good.iv).is_none());
    }
}
