//! The construction under both sealed formats: a fresh key for every message, and AES-256-GCM under it.
//!
//! ```text
//! prefix ‖ nonce (16) ‖ IV (12) ‖ ciphertext ‖ tag (16)
//!     key               KDF(base key, label, nonce)
//!     associated data   prefix ‖ nonce ‖ IV ‖ what the format adds
//! ```
//!
//! Why derive: under one AES-GCM key, random 96-bit IVs are good for 2^32 messages (NIST SP 800-38D 8.3). With a key
//! per 128-bit nonce, and a random IV on top, the bound is out of reach of any base key's life.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroize;

use crate::join::join;
use crate::kdf::derive;
use crate::random::{Random, RandomError};
use crate::secret::{Key256, SecretBytes};

/// Length of the random value a message's key is derived from.
pub(crate) const NONCE_BYTES: usize = 16;
/// Length of the GCM initialisation vector.
pub(crate) const IV_BYTES: usize = 12;
/// Length of the GCM tag.
pub(crate) const TAG_BYTES: usize = 16;
/// What sealing adds to prefix and plaintext.
pub(crate) const OVERHEAD_BYTES: usize = NONCE_BYTES + IV_BYTES + TAG_BYTES;

/// Why nothing was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// There were no random bytes for nonce and IV.
    #[error("sealing needs random bytes")]
    Random(#[from] RandomError),
    /// The plaintext is longer than the format allows.
    #[error("the plaintext is too long to be sealed")]
    TooLong,
    /// AES-GCM itself failed.
    #[error("AES-GCM could not seal")]
    Failed,
}

/// A format: under which label it derives keys, and how long its prefix is.
pub(crate) struct Format {
    pub(crate) label: &'static [u8],
    pub(crate) prefix_bytes: usize,
}

impl Format {
    /// Seals `plaintext` after `prefix`; `added` is authenticated with it but not written.
    pub(crate) fn seal(
        &self,
        base: &[u8; 32],
        prefix: &[u8],
        added: &[u8],
        plaintext: &[u8],
        random: &dyn Random,
    ) -> Result<Vec<u8>, SealError> {
        debug_assert_eq!(prefix.len(), self.prefix_bytes, "the prefix of a format has one length");
        // Nonce and IV in one fill: a call costs half a microsecond.
        let mut fresh = [0; NONCE_BYTES + IV_BYTES];
        random.fill(&mut fresh)?;

        let mut message = Vec::with_capacity(prefix.len() + plaintext.len() + OVERHEAD_BYTES);
        message.extend_from_slice(prefix);
        message.extend_from_slice(&fresh);
        message.extend_from_slice(plaintext);
        let (header, body) = message.split_at_mut(prefix.len() + fresh.len());
        let Some(tag) = self.encrypt(base, header, added, body) else {
            message.zeroize();
            return Err(SealError::Failed);
        };
        message.extend_from_slice(&tag);
        Ok(message)
    }

    /// The plaintext of `message`, if base key, prefix and `added` are those it was sealed with.
    pub(crate) fn open(&self, base: &[u8; 32], added: &[u8], message: &[u8]) -> Option<SecretBytes> {
        let (header, rest) = message.split_at_checked(self.prefix_bytes + NONCE_BYTES + IV_BYTES)?;
        let (body, tag) = rest.split_last_chunk::<TAG_BYTES>()?;
        let (key, iv) = self.key_and_iv(base, header)?;
        join(&[header, added], |aad| open_gcm(&key, iv, aad, body, tag))
    }

    /// Encrypts `body` where it lies and gives the tag.
    fn encrypt(
        &self,
        base: &[u8; 32],
        header: &[u8],
        added: &[u8],
        body: &mut [u8],
    ) -> Option<[u8; TAG_BYTES]> {
        let (key, iv) = self.key_and_iv(base, header)?;
        let (key, iv) = prepared(&key, iv)?;
        let tag = join(&[header, added], |aad| key.seal_in_place_separate_tag(iv, Aad::from(aad), body));
        tag.ok()?.as_ref().try_into().ok()
    }

    /// The message's own key, and its IV: both follow from the header.
    fn key_and_iv<'h>(&self, base: &[u8; 32], header: &'h [u8]) -> Option<(Key256, &'h [u8; IV_BYTES])> {
        let (nonce, iv) = header.get(self.prefix_bytes..)?.split_first_chunk::<NONCE_BYTES>()?;
        Some((derive(base, self.label, nonce), iv.try_into().ok()?))
    }
}

/// AES-256-GCM under the message's own key.
pub(crate) fn open_gcm(
    key: &Key256,
    iv: &[u8; IV_BYTES],
    aad: &[u8],
    body: &[u8],
    tag: &[u8; TAG_BYTES],
) -> Option<SecretBytes> {
    let (key, iv) = prepared(key, iv)?;
    SecretBytes::try_fill(body.len(), |plaintext| {
        key.open_separate_gather(iv, Aad::from(aad), body, tag, plaintext)
    })
    .ok()
}

fn prepared(key: &Key256, iv: &[u8; IV_BYTES]) -> Option<(LessSafeKey, Nonce)> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.expose()).ok()?);
    Some((key, Nonce::assume_unique_for_key(*iv)))
}
