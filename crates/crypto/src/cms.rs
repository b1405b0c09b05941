//! A plaintext in an envelope for the holder of an RSA key: EnvelopedData of CMS (RFC 5652 section 6), as DER.
//!
//! ```text
//! ContentInfo { id-envelopedData, [0] { 2,
//!     SET { { 2, [0] subject key identifier, id-RSAES-OAEP { SHA-256, MGF1 SHA-256 }, encrypted content key } },
//!     { id-data, aes256-CBC { iv }, [0] encrypted content } } }
//! ```
//!
//! The subject key identifier is that of RFC 7093 section 2, method 1. The content is not authenticated: CBC is the mode
//! that readers of `CiphertextForRecipient` expect.

use aws_lc_rs::cipher::{AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;

use crate::asymmetric::{EncryptionAlgorithm, KeyUseError, PublicKey};
use crate::der::{
    INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, context, context_constructed, element,
};
use crate::digest::sha256;
use crate::random::{Random, RandomError};
use crate::secret::{Key256, SecretBytes};

const ENVELOPED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03];
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
const RSAES_OAEP: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07];
const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08];
const SHA_256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
const AES_256_CBC: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a];
const NULL: &[u8] = &[0x05, 0x00];

const IV_BYTES: usize = 16;
const BLOCK_BYTES: usize = 16;
const IDENTIFIER_BYTES: usize = 20;

/// Why nothing was put into an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopError {
    /// There is no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The recipient's key was not used.
    #[error(transparent)]
    Key(#[from] KeyUseError),
}

/// Puts a plaintext into an envelope that `recipient`, an RSA key, opens.
///
/// # Errors
/// When there is no randomness to be had, or the key is none of RSA.
pub fn envelop(
    recipient: &PublicKey,
    plaintext: &[u8],
    random: &dyn Random,
) -> Result<Vec<u8>, EnvelopError> {
    let key = Key256::generate(random)?;
    let encrypted_key = recipient.encrypt(EncryptionAlgorithm::RsaesOaepSha256, key.expose())?;
    let mut iv = [0; IV_BYTES];
    random.fill(&mut iv)?;
    let content = encrypt(&key, iv, plaintext).ok_or(KeyUseError::Failed)?;

    let version = element(INTEGER, &[&[2]]);
    let digest = sha256(&[recipient.raw()]);
    let identifier = element(context(0), &[digest.get(..IDENTIFIER_BYTES).unwrap_or(&digest)]);
    let encrypted_key = element(OCTET_STRING, &[&encrypted_key]);
    let recipient = sequence(&[&version, &identifier, &oaep(), &encrypted_key]);
    let recipients = element(SET, &[recipient.expose()]);

    let algorithm = sequence(&[&object(AES_256_CBC), &element(OCTET_STRING, &[&iv])]);
    let content = sequence(&[&object(DATA), &algorithm, &element(context(0), &[&content])]);

    let enveloped = sequence(&[&version, &recipients, &content]);
    let enveloped = element(context_constructed(0), &[enveloped.expose()]);
    Ok(sequence(&[&object(ENVELOPED_DATA), &enveloped]).expose().clone())
}

/// `RSAES-OAEP-params` of RFC 4055 section 4.1; the label is empty, as it is by default.
fn oaep() -> SecretBytes {
    let sha_256 = element(SEQUENCE, &[object(SHA_256).expose(), NULL]);
    let mgf1 = sequence(&[&object(MGF1), &sha_256]);
    let hash = element(context_constructed(0), &[sha_256.expose()]);
    let mask = element(context_constructed(1), &[mgf1.expose()]);
    sequence(&[&object(RSAES_OAEP), &sequence(&[&hash, &mask])])
}

fn object(identifier: &[u8]) -> SecretBytes {
    element(OBJECT_IDENTIFIER, &[identifier])
}

fn sequence(parts: &[&SecretBytes]) -> SecretBytes {
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.expose().as_slice()).collect();
    element(SEQUENCE, &parts)
}

/// AES-256-CBC with the padding of PKCS#7.
fn encrypt(key: &Key256, iv: [u8; IV_BYTES], plaintext: &[u8]) -> Option<Vec<u8>> {
    let key = UnboundCipherKey::new(&AES_256, key.expose()).ok()?;
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).ok()?;
    // The full capacity from the start: growing would leave a copy of the plaintext behind.
    let mut content = Vec::with_capacity(plaintext.len() + BLOCK_BYTES);
    content.extend_from_slice(plaintext);
    key.less_safe_encrypt(&mut content, EncryptionContext::Iv128(FixedLength::from(iv))).ok()?;
    Some(content)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;
    use crate::asymmetric::{KeyPair, KeyPairSpec};
    use crate::random::SystemRandom;

    /// What OpenSSL finds in an envelope.
    fn opened_by_openssl(key: &KeyPair, envelope: &[u8]) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let (key_file, envelope_file) = (dir.path().join("key.der"), dir.path().join("envelope.der"));
        fs::write(&key_file, key.to_pkcs8().expose()).unwrap();
        fs::write(&envelope_file, envelope).unwrap();
        let opened = Command::new("openssl")
            .args(["cms", "-decrypt", "-binary", "-inform", "DER", "-keyform", "DER", "-in"])
            .arg(&envelope_file)
            .arg("-inkey")
            .arg(&key_file)
            .output()
            .unwrap();
        assert!(opened.status.success(), "{}", String::from_utf8_lossy(&opened.stderr));
        opened.stdout
    }

    #[test]
    fn openssl_opens_envelopes() {
        let random = SystemRandom::new();
        for spec in [KeyPairSpec::Rsa2048, KeyPairSpec::Rsa4096] {
            let key = KeyPair::generate(spec, &random).unwrap();
            for length in [1, 15, 16, 32, 4096] {
                let plaintext = SecretBytes::generate(length, &random).unwrap();
                let envelope = envelop(key.public(), plaintext.expose(), &random).unwrap();
                assert_eq!(&opened_by_openssl(&key, &envelope), plaintext.expose(), "{length} bytes");
            }
        }
    }

    #[test]
    fn no_two_envelopes_are_the_same() {
        let random = SystemRandom::new();
        let key = KeyPair::generate(KeyPairSpec::Rsa2048, &random).unwrap();
        let envelope = || envelop(key.public(), b"text", &random).unwrap();
        let (one, other) = (envelope(), envelope());
        assert_ne!(one, other);
        assert!(!one.windows(4).any(|bytes| bytes == b"text"));
    }

    #[test]
    fn only_rsa_keys_open_envelopes() {
        let random = SystemRandom::new();
        let key = KeyPair::generate(KeyPairSpec::EccNistP384, &random).unwrap();
        assert_eq!(
            envelop(key.public(), b"text", &random).unwrap_err(),
            EnvelopError::Key(KeyUseError::Incompatible)
        );
    }
}
