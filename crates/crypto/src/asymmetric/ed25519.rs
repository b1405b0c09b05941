//! Ed25519 and Ed25519ph, RFC 8032 section 5.1.
//!
//! Ed25519ph, as the API has it, signs the 64 bytes that the caller sends as a message: they are hashed once more.
//! Whoever sends SHA-512(M) gets a signature that verifies as Ed25519ph of the message SHA-512(M).

use aws_lc_rs::digest::{SHA512, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use trent_awslc::{ed25519ph_sign, ed25519ph_verify};

use super::{InvalidKey, KeyUseError, Message, SigningAlgorithm};

/// The length of a private key.
pub(super) const SEED_BYTES: usize = 32;
/// What Ed25519ph takes: a digest by SHA-512.
const DIGEST_BYTES: usize = 64;

/// A key pair.
pub(super) struct Pair {
    pair: Ed25519KeyPair,
    public: [u8; 32],
}

impl Pair {
    /// The key pair of a seed, and its public key.
    pub(super) fn new(seed: &[u8]) -> Result<(Self, Vec<u8>), InvalidKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| InvalidKey::Malformed)?;
        let raw = pair.public_key().as_ref().to_vec();
        let public = raw.as_slice().try_into().map_err(|_| InvalidKey::Inconsistent)?;
        Ok((Self { pair, public }, raw))
    }

    /// `seed` is what this pair was made of: AWS-LC takes it again for Ed25519ph.
    pub(super) fn sign(
        &self,
        algorithm: SigningAlgorithm,
        message: Message<'_>,
        seed: &[u8],
    ) -> Result<Vec<u8>, KeyUseError> {
        match checked(algorithm, message)? {
            Checked::Pure(message) => {
                let signature = self.pair.try_sign(message).map_err(|_| KeyUseError::Failed)?;
                Ok(signature.as_ref().to_vec())
            }
            Checked::Prehashed(hash) => {
                let seed = seed.try_into().map_err(|_| KeyUseError::Failed)?;
                let signature = ed25519ph_sign(seed, &self.public, &hash);
                signature.map(Vec::from).ok_or(KeyUseError::Failed)
            }
        }
    }
}

pub(super) fn verify(
    public: &[u8],
    algorithm: SigningAlgorithm,
    message: Message<'_>,
    signature: &[u8],
) -> Result<(), KeyUseError> {
    let valid = match checked(algorithm, message)? {
        Checked::Pure(message) => UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok(),
        Checked::Prehashed(hash) => match (public.try_into(), signature.try_into()) {
            (Ok(public), Ok(signature)) => ed25519ph_verify(public, &hash, signature),
            _ => false,
        },
    };
    valid.then_some(()).ok_or(KeyUseError::InvalidSignature)
}

/// A message of the type that its algorithm takes.
enum Checked<'a> {
    Pure(&'a [u8]),
    /// PH(M) of RFC 8032: SHA-512 of what was sent.
    Prehashed([u8; 64]),
}

fn checked(algorithm: SigningAlgorithm, message: Message<'_>) -> Result<Checked<'_>, KeyUseError> {
    match (algorithm, message) {
        (SigningAlgorithm::Ed25519Sha512, Message::Raw(message)) => Ok(Checked::Pure(message)),
        (SigningAlgorithm::Ed25519PhSha512, Message::Digest(bytes)) if bytes.len() == DIGEST_BYTES => {
            let hash = digest(&SHA512, bytes);
            hash.as_ref().try_into().map(Checked::Prehashed).map_err(|_| KeyUseError::Failed)
        }
        (SigningAlgorithm::Ed25519PhSha512, Message::Digest(_)) => Err(KeyUseError::DigestLength),
        (SigningAlgorithm::Ed25519Sha512 | SigningAlgorithm::Ed25519PhSha512, _) => {
            Err(KeyUseError::MessageType)
        }
        _ => Err(KeyUseError::Incompatible),
    }
}
