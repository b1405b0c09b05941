//! ML-KEM key pairs from their seed: FIPS 203 section 6.1, algorithm 16.

use std::mem::MaybeUninit;

use aws_lc_sys::{
    CBS, CBS_init, CBS_len, EVP_PKEY_get_raw_private_key, EVP_PKEY_get_raw_public_key, EVP_parse_private_key,
};
use zeroize::Zeroizing;

use crate::owned::Key;

/// The parameter sets of FIPS 203 section 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MlKem {
    /// ML-KEM-512.
    MlKem512,
    /// ML-KEM-768.
    MlKem768,
    /// ML-KEM-1024.
    MlKem1024,
}

impl MlKem {
    /// What precedes the seed in its PKCS#8 document: version 0, the identifier, an OCTET STRING, and in it `[0]`.
    const fn seed_document_head(self) -> [u8; 22] {
        let set = match self {
            Self::MlKem512 => 1,
            Self::MlKem768 => 2,
            Self::MlKem1024 => 3,
        };
        [
            0x30, 0x54, 0x02, 0x01, 0x00, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
            0x04, set, 0x04, 0x42, 0x80, 0x40,
        ]
    }

    const fn public_bytes(self) -> usize {
        match self {
            Self::MlKem512 => 800,
            Self::MlKem768 => 1184,
            Self::MlKem1024 => 1568,
        }
    }

    const fn private_bytes(self) -> usize {
        match self {
            Self::MlKem512 => 1632,
            Self::MlKem768 => 2400,
            Self::MlKem1024 => 3168,
        }
    }
}

/// A key pair as FIPS 203 writes it.
pub struct MlKemKeys {
    /// The encapsulation key, which is public.
    pub public: Vec<u8>,
    /// The decapsulation key, expanded.
    pub private: Zeroizing<Vec<u8>>,
}

/// The key pair of `seed`, which is d ‖ z.
#[must_use]
pub fn ml_kem_from_seed(set: MlKem, seed: &[u8; 64]) -> Option<MlKemKeys> {
    let key = expand(set, seed)?;
    let mut keys = MlKemKeys {
        public: vec![0; set.public_bytes()],
        private: Zeroizing::new(vec![0; set.private_bytes()]),
    };
    let (mut public, mut private) = (keys.public.len(), keys.private.len());
    // SAFETY: the key is valid; the pointers are valid for the lengths given, which AWS-LC does not exceed.
    let done = unsafe {
        EVP_PKEY_get_raw_public_key(key.as_ptr(), keys.public.as_mut_ptr(), &raw mut public) == 1
            && EVP_PKEY_get_raw_private_key(key.as_ptr(), keys.private.as_mut_ptr(), &raw mut private) == 1
    };
    (done && public == keys.public.len() && private == keys.private.len()).then_some(keys)
}

/// Made by reading the seed form of PKCS#8 (RFC 9935 section 6), which expands the seed. The call for a seed alone,
/// `EVP_PKEY_keygen_deterministic`, is among the bindings only with a feature that would have AWS-LC compiled twice.
fn expand(set: MlKem, seed: &[u8; 64]) -> Option<Key> {
    let mut document = Zeroizing::new([0; 86]);
    let (head, tail) = document.split_at_mut(22);
    head.copy_from_slice(&set.seed_document_head());
    tail.copy_from_slice(seed);
    let mut input = MaybeUninit::<CBS>::uninit();
    // SAFETY: `CBS_init` writes a cursor over the document, which outlives it; the key that comes back is ours.
    let (key, left) = unsafe {
        CBS_init(input.as_mut_ptr(), document.as_ptr(), document.len());
        let key = Key::own(EVP_parse_private_key(input.as_mut_ptr()));
        (key, CBS_len(input.as_ptr()))
    };
    key.filter(|_| left == 0)
}

// Vectors: in trent-crypto, which has the rest of ML-KEM.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_key_pair_and_the_private_key_holds_the_public_one() {
        for set in [MlKem::MlKem512, MlKem::MlKem768, MlKem::MlKem1024] {
            let (first, second) =
                (ml_kem_from_seed(set, &[7; 64]).unwrap(), ml_kem_from_seed(set, &[7; 64]).unwrap());
            let other = ml_kem_from_seed(set, &[8; 64]).unwrap();
            assert_eq!(first.public, second.public);
            assert_eq!(first.private, second.private);
            assert_ne!(first.public, other.public);
            // FIPS 203 algorithm 16: dk is dk_PKE ‖ ek ‖ H(ek) ‖ z.
            let at = first.private.len() - 64 - first.public.len();
            assert_eq!(first.private[at..][..first.public.len()], first.public);
            assert_eq!(first.private[first.private.len() - 32..], [7; 32]);
        }
    }
}
