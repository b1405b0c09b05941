//! Unwrapping key material that is imported.
//!
//! RSA_AES_KEY_WRAP is two steps, one blob (PKCS#11 `CKM_RSA_AES_KEY_WRAP`):
//!
//! ```text
//! RSAES-OAEP(an AES key of 256 bits) ‖ AES-KWP(that key, material)        AES-KWP: RFC 5649, SP 800-38F section 6.3
//! ```

use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
use zeroize::Zeroizing;

use super::{EncryptionAlgorithm, KeyUseError, rsa};
use crate::secret::{Key256, SecretBytes};

/// The ways to wrap key material for an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyWrapping {
    /// RSAES-PKCS1-v1_5. That it fails tells something about the plaintext (Bleichenbacher's attack), so whoever offers
    /// it must not let strangers try; AWS has not offered it since 2023.
    RsaesPkcs1V15,
    /// RSAES-OAEP with SHA-1.
    RsaesOaepSha1,
    /// RSAES-OAEP with SHA-256.
    RsaesOaepSha256,
    /// An AES key by RSAES-OAEP with SHA-1, and the material under it.
    RsaAesKeyWrapSha1,
    /// An AES key by RSAES-OAEP with SHA-256, and the material under it.
    RsaAesKeyWrapSha256,
    /// SM2 encryption of the material itself.
    Sm2Pke,
}

/// Unwraps with a key pair, which `pkcs8` is too.
pub(super) fn unwrap(
    pair: &rsa::Pair,
    pkcs8: &[u8],
    algorithm: KeyWrapping,
    wrapped: &[u8],
) -> Result<SecretBytes, KeyUseError> {
    match algorithm {
        KeyWrapping::RsaesPkcs1V15 => rsa::decrypt_pkcs1(pkcs8, wrapped),
        KeyWrapping::RsaesOaepSha1 => pair.decrypt(EncryptionAlgorithm::RsaesOaepSha1, wrapped),
        KeyWrapping::RsaesOaepSha256 => pair.decrypt(EncryptionAlgorithm::RsaesOaepSha256, wrapped),
        KeyWrapping::RsaAesKeyWrapSha1 => in_two_steps(pair, EncryptionAlgorithm::RsaesOaepSha1, wrapped),
        KeyWrapping::RsaAesKeyWrapSha256 => in_two_steps(pair, EncryptionAlgorithm::RsaesOaepSha256, wrapped),
        KeyWrapping::Sm2Pke => Err(KeyUseError::Incompatible),
    }
}

fn in_two_steps(
    pair: &rsa::Pair,
    oaep: EncryptionAlgorithm,
    wrapped: &[u8],
) -> Result<SecretBytes, KeyUseError> {
    let (key, material) =
        wrapped.split_at_checked(pair.modulus_bytes()).ok_or(KeyUseError::InvalidCiphertext)?;
    let key = Key256::from_slice(pair.decrypt(oaep, key)?.expose()).ok_or(KeyUseError::InvalidCiphertext)?;
    unwrap_padded(&key, material).ok_or(KeyUseError::InvalidCiphertext)
}

/// AES-KWP with a key of 256 bits.
pub(super) fn unwrap_padded(key: &Key256, wrapped: &[u8]) -> Option<SecretBytes> {
    let mut space = Zeroizing::new(vec![0; wrapped.len()]);
    let unwrapped =
        AesKek::new(&AES_256, key.expose()).ok()?.unwrap_with_padding(wrapped, &mut space).ok()?;
    Some(unwrapped.to_vec().into())
}
