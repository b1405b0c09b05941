//! The algorithms of key pairs, and the three shapes that a message to be signed may have.

use aws_lc_rs::digest::{self, Digest, digest};

use super::KeyUseError;

/// The signing algorithms there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is what its name says")]
pub enum SigningAlgorithm {
    RsassaPssSha256,
    RsassaPssSha384,
    RsassaPssSha512,
    RsassaPkcs1V15Sha256,
    RsassaPkcs1V15Sha384,
    RsassaPkcs1V15Sha512,
    EcdsaSha256,
    EcdsaSha384,
    EcdsaSha512,
    Ed25519Sha512,
    Ed25519PhSha512,
    MlDsaShake256,
    #[cfg(feature = "sm")]
    Sm2Dsa,
}

/// The encryption algorithms of key pairs there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EncryptionAlgorithm {
    /// RSAES-OAEP with SHA-1, which is sound in this use.
    RsaesOaepSha1,
    /// RSAES-OAEP with SHA-256.
    RsaesOaepSha256,
    /// SM2 encryption, C1 ‖ C3 ‖ C2 in DER.
    #[cfg(feature = "sm")]
    Sm2Pke,
}

/// A message to be signed, or whose signature is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// The message itself.
    Raw(&'a [u8]),
    /// Its digest: the first hash of the algorithm is left out. Not so with Ed25519ph, which hashes it once more.
    Digest(&'a [u8]),
    /// The μ of ML-DSA (FIPS 204 algorithm 7, line 6), of an empty context.
    ExternalMu(&'a [u8]),
}

impl Message<'_> {
    /// The digest that is signed.
    pub(super) fn digest(self, algorithm: &'static digest::Algorithm) -> Result<Digest, KeyUseError> {
        match self {
            Self::Raw(message) => Ok(digest(algorithm, message)),
            Self::Digest(bytes) => {
                Digest::import_less_safe(bytes, algorithm).map_err(|_| KeyUseError::DigestLength)
            }
            Self::ExternalMu(_) => Err(KeyUseError::MessageType),
        }
    }
}
