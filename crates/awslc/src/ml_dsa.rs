//! ML-DSA (FIPS 204) over a μ that was computed elsewhere: section 6.2, from line 7 of algorithm 7 on.

use std::os::raw::c_int;

use aws_lc_sys::{
    EVP_PKEY_pqdsa_new_raw_private_key, EVP_PKEY_pqdsa_new_raw_public_key, EVP_PKEY_sign, EVP_PKEY_sign_init,
    EVP_PKEY_verify, EVP_PKEY_verify_init, NID_MLDSA44, NID_MLDSA65, NID_MLDSA87,
};

use crate::owned::{Context, Key};

/// The parameter sets of FIPS 204 section 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MlDsa {
    /// ML-DSA-44.
    MlDsa44,
    /// ML-DSA-65.
    MlDsa65,
    /// ML-DSA-87.
    MlDsa87,
}

impl MlDsa {
    const fn nid(self) -> c_int {
        match self {
            Self::MlDsa44 => NID_MLDSA44,
            Self::MlDsa65 => NID_MLDSA65,
            Self::MlDsa87 => NID_MLDSA87,
        }
    }

    const fn signature_bytes(self) -> usize {
        match self {
            Self::MlDsa44 => 2420,
            Self::MlDsa65 => 3309,
            Self::MlDsa87 => 4627,
        }
    }
}

/// Signs `mu` with a private key: the seed of 32 bytes, or the expanded key. Nothing if it is neither.
///
/// Hedged (FIPS 204 section 3.4): two signatures of one μ differ.
#[must_use]
pub fn ml_dsa_sign_mu(set: MlDsa, private: &[u8], mu: &[u8; 64]) -> Option<Vec<u8>> {
    // SAFETY: the pointer is valid for the length given; the key that comes back is ours.
    let key =
        unsafe { Key::own(EVP_PKEY_pqdsa_new_raw_private_key(set.nid(), private.as_ptr(), private.len())) }?;
    let context = Context::of(&key)?;
    // Exactly the length of a signature: the FIPS module refuses a larger buffer.
    let mut signature = vec![0; set.signature_bytes()];
    let mut length = signature.len();
    // SAFETY: the context is valid, of a key with a private part; the pointers are valid for the lengths given.
    let done = unsafe {
        EVP_PKEY_sign_init(context.as_ptr()) == 1
            && EVP_PKEY_sign(context.as_ptr(), signature.as_mut_ptr(), &raw mut length, mu.as_ptr(), mu.len())
                == 1
    };
    (done && length == signature.len()).then_some(signature)
}

/// Whether `signature` is one of `mu` under the raw public key `public`.
#[must_use]
pub fn ml_dsa_verify_mu(set: MlDsa, public: &[u8], mu: &[u8; 64], signature: &[u8]) -> bool {
    verify_mu(set, public, mu, signature).is_some()
}

fn verify_mu(set: MlDsa, public: &[u8], mu: &[u8; 64], signature: &[u8]) -> Option<()> {
    // SAFETY: the pointer is valid for the length given; the key that comes back is ours.
    let key =
        unsafe { Key::own(EVP_PKEY_pqdsa_new_raw_public_key(set.nid(), public.as_ptr(), public.len())) }?;
    let context = Context::of(&key)?;
    // SAFETY: the context is valid; the pointers are valid for the lengths given.
    let valid = unsafe {
        EVP_PKEY_verify_init(context.as_ptr()) == 1
            && EVP_PKEY_verify(context.as_ptr(), signature.as_ptr(), signature.len(), mu.as_ptr(), mu.len())
                == 1
    };
    valid.then_some(())
}

// Fixtures and vectors: in trent-crypto, which has the rest of ML-DSA.
#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{KeyPair, ML_DSA_44_SIGNING, PqdsaKeyPair};

    use super::*;

    #[test]
    fn a_signature_of_mu_verifies_and_of_another_does_not() {
        let pair = PqdsaKeyPair::from_seed(&ML_DSA_44_SIGNING, &[7; 32]).unwrap();
        let public = pair.public_key().as_ref();
        let signature = ml_dsa_sign_mu(MlDsa::MlDsa44, &[7; 32], &[1; 64]).unwrap();
        assert!(ml_dsa_verify_mu(MlDsa::MlDsa44, public, &[1; 64], &signature));
        assert!(!ml_dsa_verify_mu(MlDsa::MlDsa44, public, &[2; 64], &signature));
        assert!(!ml_dsa_verify_mu(MlDsa::MlDsa65, public, &[1; 64], &signature));
    }

    #[test]
    fn what_is_no_key_or_no_signature_is_refused() {
        assert!(ml_dsa_sign_mu(MlDsa::MlDsa44, &[], &[1; 64]).is_none());
        assert!(ml_dsa_sign_mu(MlDsa::MlDsa44, &[7; 33], &[1; 64]).is_none());
        assert!(ml_dsa_sign_mu(MlDsa::MlDsa44, &[7; 2560], &[1; 64]).is_none());
        assert!(!ml_dsa_verify_mu(MlDsa::MlDsa44, &[], &[1; 64], &[]));
        let pair = PqdsaKeyPair::from_seed(&ML_DSA_44_SIGNING, &[7; 32]).unwrap();
        assert!(!ml_dsa_verify_mu(MlDsa::MlDsa44, pair.public_key().as_ref(), &[1; 64], &[]));
    }
}
