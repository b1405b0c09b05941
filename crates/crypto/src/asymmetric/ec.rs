//! Elliptic curves: ECDSA (FIPS 186-5 section 6) and ECDH (NIST SP 800-56A section 5.7.1.2).
//!
//! Signatures are DER, SEQUENCE { r, s }. Either s is accepted, and none is preferred. Each curve has one hash.

use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384, ECDH_P521, agree};
use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1,
    ECDSA_P256K1_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_ASN1_SIGNING,
    ECDSA_P521_SHA512_ASN1, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    EcdsaVerificationAlgorithm, KeyPair as _, UnparsedPublicKey,
};

use super::{InvalidKey, KeyUseError, Message, SigningAlgorithm};
use crate::der::{INTEGER, OCTET_STRING, SEQUENCE, element};
use crate::random::{Random, RandomError};
use crate::secret::SecretBytes;

/// The curves there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
    P256k1,
}

impl Curve {
    /// The length of a scalar.
    pub(super) const fn scalar_bytes(self) -> usize {
        match self {
            Self::P256 | Self::P256k1 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    const fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
            Self::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
            Self::P521 => &ECDSA_P521_SHA512_ASN1_SIGNING,
            Self::P256k1 => &ECDSA_P256K1_SHA256_ASN1_SIGNING,
        }
    }

    const fn verifying(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_ASN1,
            Self::P384 => &ECDSA_P384_SHA384_ASN1,
            Self::P521 => &ECDSA_P521_SHA512_ASN1,
            Self::P256k1 => &ECDSA_P256K1_SHA256_ASN1,
        }
    }

    const fn agreement(self) -> Option<&'static agreement::Algorithm> {
        match self {
            Self::P256 => Some(&ECDH_P256),
            Self::P384 => Some(&ECDH_P384),
            Self::P521 => Some(&ECDH_P521),
            Self::P256k1 => None,
        }
    }

    /// The hash of the algorithm, if it is the curve's.
    fn digest(self, algorithm: SigningAlgorithm) -> Result<&'static digest::Algorithm, KeyUseError> {
        match (self, algorithm) {
            (Self::P256 | Self::P256k1, SigningAlgorithm::EcdsaSha256) => Ok(&SHA256),
            (Self::P384, SigningAlgorithm::EcdsaSha384) => Ok(&SHA384),
            (Self::P521, SigningAlgorithm::EcdsaSha512) => Ok(&SHA512),
            _ => Err(KeyUseError::Incompatible),
        }
    }
}

/// A key pair, prepared for its uses.
pub(super) struct Pair {
    curve: Curve,
    signing: EcdsaKeyPair,
    agreement: Option<agreement::PrivateKey>,
}

impl Pair {
    /// The key pair of a scalar, and its public key as an uncompressed point (SEC 1 section 2.3.3).
    pub(super) fn new(curve: Curve, scalar: &[u8]) -> Result<(Self, Vec<u8>), InvalidKey> {
        if scalar.len() != curve.scalar_bytes() {
            return Err(InvalidKey::Malformed);
        }
        // AWS-LC takes a scalar on all four curves only in this frame, and derives the public key that is not there.
        let scalar_element = element(OCTET_STRING, &[scalar]);
        let framed = element(SEQUENCE, &[&[INTEGER, 1, 1], scalar_element.expose()]);
        let signing = EcdsaKeyPair::from_private_key_der(curve.signing(), framed.expose());
        let signing = signing.map_err(|_| InvalidKey::Inconsistent)?;
        let agreement =
            curve.agreement().map(|algorithm| agreement::PrivateKey::from_private_key(algorithm, scalar));
        let agreement = agreement.transpose().map_err(|_| InvalidKey::Inconsistent)?;
        let point = signing.public_key().as_ref().to_vec();
        Ok((Self { curve, signing, agreement }, point))
    }

    pub(super) fn sign(
        &self,
        algorithm: SigningAlgorithm,
        message: Message<'_>,
    ) -> Result<Vec<u8>, KeyUseError> {
        let digest = message.digest(self.curve.digest(algorithm)?)?;
        let signature = self.signing.sign_digest(&digest).map_err(|_| KeyUseError::Failed)?;
        Ok(signature.as_ref().to_vec())
    }

    /// The x coordinate of scalar × `point`. AWS-LC checks that the point is on the curve.
    pub(super) fn agree(&self, point: Result<&[u8], KeyUseError>) -> Result<SecretBytes, KeyUseError> {
        let (Some(private), Some(algorithm)) = (&self.agreement, self.curve.agreement()) else {
            return Err(KeyUseError::Incompatible);
        };
        let peer = agreement::UnparsedPublicKey::new(algorithm, point?);
        agree(private, peer, KeyUseError::InvalidPublicKey, |secret| Ok(secret.to_vec().into()))
    }
}

/// A new scalar: FIPS 186-5 appendix A.2.2, testing candidates.
pub(super) fn generate(curve: Curve, random: &dyn Random) -> Result<SecretBytes, RandomError> {
    // A candidate is out of range with a probability of 2^-32 at the most; so often it is the source that is broken.
    const CANDIDATES_MAX: usize = 8;
    for _ in 0..CANDIDATES_MAX {
        let candidate = SecretBytes::try_fill(curve.scalar_bytes(), |bytes| {
            random.fill(bytes)?;
            if let (Curve::P521, Some(first)) = (curve, bytes.first_mut()) {
                *first &= 1; // 521 bits.
            }
            Ok(())
        })?;
        if Pair::new(curve, candidate.expose()).is_ok() {
            return Ok(candidate);
        }
    }
    Err(RandomError)
}

/// A scalar in its full length. RFC 5915 section 3 wants it written so, but some leave out zeros in front.
pub(super) fn padded(length: usize, scalar: &[u8]) -> Option<SecretBytes> {
    let zeros = length.checked_sub(scalar.len())?;
    SecretBytes::try_fill(length, |bytes| {
        bytes.get_mut(zeros..).map(|end| end.copy_from_slice(scalar)).ok_or(())
    })
    .ok()
}

/// Whether `point` is an uncompressed point on the curve.
pub(super) fn is_public_key(curve: Curve, point: &[u8]) -> bool {
    UnparsedPublicKey::new(curve.verifying(), point).parse().is_ok()
}

pub(super) fn verify(
    curve: Curve,
    point: &[u8],
    algorithm: SigningAlgorithm,
    message: Message<'_>,
    signature: &[u8],
) -> Result<(), KeyUseError> {
    let digest = message.digest(curve.digest(algorithm)?)?;
    UnparsedPublicKey::new(curve.verifying(), point)
        .verify_digest(&digest, signature)
        .map_err(|_| KeyUseError::InvalidSignature)
}
