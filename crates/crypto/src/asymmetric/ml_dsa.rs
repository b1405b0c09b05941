//! ML-DSA, FIPS 204: pure, with an empty context (section 5.2), hedged (section 3.4).
//!
//! A signature over an external μ (section 6.2) is the same as one over the message it was computed from.

use aws_lc_rs::encoding::AsRawBytes;
use aws_lc_rs::signature::{
    KeyPair as _, ML_DSA_44, ML_DSA_44_SIGNING, ML_DSA_65, ML_DSA_65_SIGNING, ML_DSA_87, ML_DSA_87_SIGNING,
    PqdsaKeyPair, PqdsaSigningAlgorithm, PqdsaVerificationAlgorithm, UnparsedPublicKey,
};
use subtle::ConstantTimeEq;
use trent_awslc::{MlDsa, ml_dsa_sign_mu, ml_dsa_verify_mu};

use super::{Form, InvalidKey, KeyUseError, Message, SigningAlgorithm};

/// The length of the seed ξ (algorithm 1).
pub(super) const SEED_BYTES: usize = 32;

const fn signing(set: MlDsa) -> &'static PqdsaSigningAlgorithm {
    match set {
        MlDsa::MlDsa44 => &ML_DSA_44_SIGNING,
        MlDsa::MlDsa65 => &ML_DSA_65_SIGNING,
        MlDsa::MlDsa87 => &ML_DSA_87_SIGNING,
    }
}

const fn verifying(set: MlDsa) -> &'static PqdsaVerificationAlgorithm {
    match set {
        MlDsa::MlDsa44 => &ML_DSA_44,
        MlDsa::MlDsa65 => &ML_DSA_65,
        MlDsa::MlDsa87 => &ML_DSA_87,
    }
}

/// The length of an expanded private key (section 4, table 2).
pub(super) const fn expanded_bytes(set: MlDsa) -> usize {
    match set {
        MlDsa::MlDsa44 => 2560,
        MlDsa::MlDsa65 => 4032,
        MlDsa::MlDsa87 => 4896,
    }
}

/// A key pair.
pub(super) struct Pair {
    set: MlDsa,
    pair: PqdsaKeyPair,
}

impl Pair {
    /// The key pair of a private key, and its public key. Of an expanded one AWS-LC recomputes what it can: t0, tr, and
    /// the ranges of s1 and s2.
    pub(super) fn new(set: MlDsa, form: Form, private: &[u8]) -> Result<(Self, Vec<u8>), InvalidKey> {
        let length = match form {
            Form::Short => SEED_BYTES,
            Form::Expanded => expanded_bytes(set),
        };
        if private.len() != length {
            return Err(InvalidKey::Malformed);
        }
        let pair = match form {
            Form::Short => PqdsaKeyPair::from_seed(signing(set), private),
            Form::Expanded => PqdsaKeyPair::from_raw_private_key(signing(set), private),
        };
        let pair = pair.map_err(|_| InvalidKey::Inconsistent)?;
        let public = pair.public_key().as_ref().to_vec();
        Ok((Self { set, pair }, public))
    }

    /// `private` is what this pair was made of: AWS-LC takes it again for a μ.
    pub(super) fn sign(
        &self,
        algorithm: SigningAlgorithm,
        message: Message<'_>,
        private: &[u8],
    ) -> Result<Vec<u8>, KeyUseError> {
        match checked(algorithm, message)? {
            Checked::Pure(message) => {
                let mut signature = vec![0; signing(self.set).signature_len()];
                let signed = self.pair.sign(message, &mut signature);
                signed.map(|_| signature).map_err(|_| KeyUseError::Failed)
            }
            Checked::Mu(mu) => ml_dsa_sign_mu(self.set, private, mu).ok_or(KeyUseError::Failed),
        }
    }

    pub(super) fn expands_to(&self, expanded: &[u8]) -> bool {
        let own = self.pair.private_key().as_raw_bytes();
        own.is_ok_and(|own| own.as_ref().ct_eq(expanded).into())
    }
}

pub(super) fn verify(
    set: MlDsa,
    public: &[u8],
    algorithm: SigningAlgorithm,
    message: Message<'_>,
    signature: &[u8],
) -> Result<(), KeyUseError> {
    let valid = match checked(algorithm, message)? {
        Checked::Pure(message) => {
            UnparsedPublicKey::new(verifying(set), public).verify(message, signature).is_ok()
        }
        Checked::Mu(mu) => ml_dsa_verify_mu(set, public, mu, signature),
    };
    valid.then_some(()).ok_or(KeyUseError::InvalidSignature)
}

/// A message of a type that ML-DSA takes.
enum Checked<'a> {
    Pure(&'a [u8]),
    Mu(&'a [u8; 64]),
}

fn checked(algorithm: SigningAlgorithm, message: Message<'_>) -> Result<Checked<'_>, KeyUseError> {
    match (algorithm, message) {
        (SigningAlgorithm::MlDsaShake256, Message::Raw(message)) => Ok(Checked::Pure(message)),
        (SigningAlgorithm::MlDsaShake256, Message::ExternalMu(mu)) => {
            mu.try_into().map(Checked::Mu).map_err(|_| KeyUseError::DigestLength)
        }
        (SigningAlgorithm::MlDsaShake256, Message::Digest(_)) => Err(KeyUseError::MessageType),
        _ => Err(KeyUseError::Incompatible),
    }
}
