//! ML-KEM, FIPS 203.

use aws_lc_rs::digest::{SHA3_256, digest};
use aws_lc_rs::kem::{
    Algorithm, Ciphertext, DecapsulationKey, EncapsulationKey, ML_KEM_512, ML_KEM_768, ML_KEM_1024,
};
use subtle::ConstantTimeEq;
use trent_awslc::{MlKem, ml_kem_from_seed};
use zeroize::Zeroizing;

use super::{Form, InvalidKey, KeyUseError};
use crate::secret::SecretBytes;

/// The length of the seed d ‖ z (section 7.1).
pub(super) const SEED_BYTES: usize = 64;
/// What ends an expanded private key (algorithm 16): H(ek) ‖ z.
const TAIL_BYTES: usize = 64;

const fn algorithm(set: MlKem) -> &'static Algorithm {
    match set {
        MlKem::MlKem512 => &ML_KEM_512,
        MlKem::MlKem768 => &ML_KEM_768,
        MlKem::MlKem1024 => &ML_KEM_1024,
    }
}

/// The length of an expanded private key (section 8, table 3).
pub(super) const fn expanded_bytes(set: MlKem) -> usize {
    match set {
        MlKem::MlKem512 => 1632,
        MlKem::MlKem768 => 2400,
        MlKem::MlKem1024 => 3168,
    }
}

const fn public_bytes(set: MlKem) -> usize {
    match set {
        MlKem::MlKem512 => 800,
        MlKem::MlKem768 => 1184,
        MlKem::MlKem1024 => 1568,
    }
}

const fn ciphertext_bytes(set: MlKem) -> usize {
    match set {
        MlKem::MlKem512 => 768,
        MlKem::MlKem768 => 1088,
        MlKem::MlKem1024 => 1568,
    }
}

/// A shared secret, and how the other party learns it.
pub struct Encapsulated {
    /// For the holder of the private key.
    pub ciphertext: Vec<u8>,
    /// 32 bytes.
    pub shared_secret: SecretBytes,
}

/// A key pair.
pub(super) struct Pair {
    set: MlKem,
    key: DecapsulationKey,
}

impl Pair {
    /// The key pair of a private key, and its public key.
    pub(super) fn new(set: MlKem, form: Form, private: &[u8]) -> Result<(Self, Vec<u8>), InvalidKey> {
        let (public, expanded) = match form {
            Form::Short => {
                let seed = private.try_into().map_err(|_| InvalidKey::Malformed)?;
                let keys = ml_kem_from_seed(set, seed).ok_or(InvalidKey::Inconsistent)?;
                (keys.public, keys.private)
            }
            Form::Expanded => {
                let public = public_of(set, private).ok_or(InvalidKey::Malformed)?;
                (public.to_vec(), Zeroizing::new(private.to_vec()))
            }
        };
        let key = DecapsulationKey::new(algorithm(set), &expanded).map_err(|_| InvalidKey::Inconsistent)?;
        let pair = Self { set, key };
        if form == Form::Expanded && !pair.is_consistent(&expanded, &public) {
            return Err(InvalidKey::Inconsistent);
        }
        Ok((pair, public))
    }

    pub(super) fn decapsulate(&self, ciphertext: &[u8]) -> Result<SecretBytes, KeyUseError> {
        if ciphertext.len() != ciphertext_bytes(self.set) {
            return Err(KeyUseError::InvalidCiphertext);
        }
        let secret = self.key.decapsulate(Ciphertext::from(ciphertext)).map_err(|_| KeyUseError::Failed)?;
        Ok(secret.as_ref().to_vec().into())
    }

    pub(super) fn expands_to(&self, expanded: &[u8]) -> bool {
        self.key.key_bytes().is_ok_and(|own| own.as_ref().ct_eq(expanded).into())
    }

    /// Section 7.3, hash check; and a secret made for the public part reaches the private one.
    fn is_consistent(&self, expanded: &[u8], public: &[u8]) -> bool {
        let hash = expanded.last_chunk::<TAIL_BYTES>().and_then(|tail| tail.first_chunk::<32>());
        if hash.map(<[u8; 32]>::as_slice) != Some(digest(&SHA3_256, public).as_ref()) {
            return false;
        }
        let Ok(made) = encapsulate(self.set, public) else { return false };
        self.decapsulate(&made.ciphertext).is_ok_and(|secret| secret == made.shared_secret)
    }
}

/// The public key inside an expanded private key: dk_PKE ‖ ek ‖ H(ek) ‖ z.
fn public_of(set: MlKem, expanded: &[u8]) -> Option<&[u8]> {
    if expanded.len() != expanded_bytes(set) {
        return None;
    }
    let end = expanded.len() - TAIL_BYTES;
    expanded.get(end - public_bytes(set)..end)
}

pub(super) fn encapsulate(set: MlKem, public: &[u8]) -> Result<Encapsulated, KeyUseError> {
    let key = EncapsulationKey::new(algorithm(set), public).map_err(|_| KeyUseError::InvalidPublicKey)?;
    let (ciphertext, secret) = key.encapsulate().map_err(|_| KeyUseError::InvalidPublicKey)?;
    Ok(Encapsulated {
        ciphertext: ciphertext.as_ref().to_vec(),
        shared_secret: secret.as_ref().to_vec().into(),
    })
}
