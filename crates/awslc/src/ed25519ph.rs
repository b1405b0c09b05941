//! Ed25519ph, RFC 8032 section 5.1, with an empty context.

use std::ptr::null;

use aws_lc_sys::{ED25519ph_sign_digest, ED25519ph_verify_digest};
use zeroize::Zeroizing;

/// Signs `digest`, the SHA-512 of the message, with the key pair of `seed` and `public`.
///
/// The public key must be that of the seed: a signature made with another one gives the private key away.
#[must_use]
pub fn ed25519ph_sign(seed: &[u8; 32], public: &[u8; 32], digest: &[u8; 64]) -> Option<[u8; 64]> {
    let mut private = Zeroizing::new([0; 64]);
    let (first, second) = private.split_at_mut(32);
    first.copy_from_slice(seed);
    second.copy_from_slice(public);
    let mut signature = [0; 64];
    // SAFETY: the function writes 64 bytes, reads a digest of 64 and a private key of 64 bytes, and no context.
    let done = unsafe {
        ED25519ph_sign_digest(signature.as_mut_ptr(), digest.as_ptr(), private.as_ptr(), null(), 0)
    };
    (done == 1).then_some(signature)
}

/// Whether `signature` is one of `digest`, the SHA-512 of the message.
#[must_use]
pub fn ed25519ph_verify(public: &[u8; 32], digest: &[u8; 64], signature: &[u8; 64]) -> bool {
    // SAFETY: the function reads a digest of 64, a signature of 64 and a public key of 32 bytes, and no context.
    let valid =
        unsafe { ED25519ph_verify_digest(digest.as_ptr(), signature.as_ptr(), public.as_ptr(), null(), 0) };
    valid == 1
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA512, digest};

    use super::*;

    /// RFC 8032 section 7.3.
    const SEED: &str = "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42";
    const PUBLIC: &str = "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf";
    const SIGNATURE: &str = "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41\
                             31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406";

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
    }

    #[test]
    fn signs_and_verifies_as_in_rfc_8032() {
        let hash = digest(&SHA512, b"abc").as_ref().try_into().unwrap();
        let public = bytes::<32>(PUBLIC);
        let made = ed25519ph_sign(&bytes(SEED), &public, &hash).unwrap();
        assert_eq!(made, bytes::<64>(SIGNATURE));
        assert!(ed25519ph_verify(&public, &hash, &made));
    }
}
