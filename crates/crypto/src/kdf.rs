//! Derives keys from keys: NIST SP 800-108r1 section 4.1, KDF in counter mode, with HMAC-SHA-256.
//!
//! One block of output, so the derived key is
//!
//! ```text
//! HMAC-SHA-256(key, counter ‖ label ‖ 0x00 ‖ context ‖ L)
//!     counter   00 00 00 01   32 bits, big-endian, before the fixed input
//!     L         00 00 01 00   output length in bits (256), 32 bits, big-endian
//! ```
//!
//! Labels name a use of a key and a format version (`trent/ciphertext/v1`), so that keys derived for one use are
//! unrelated to those of another. A label must not contain a zero byte: the one after it ends it.

use aws_lc_rs::kdf::{KbkdfCtrHmacAlgorithmId, get_kbkdf_ctr_hmac_algorithm, kbkdf_ctr_hmac};

use crate::join::join;
use crate::secret::Key256;

/// Length of a derived key in bits, as it enters the derivation.
const OUTPUT_BITS: u32 = 256;

/// Derives the key for `label` and `context` from `key`.
///
/// Does not allocate while label and context together stay below 250 bytes.
#[must_use]
pub fn derive(key: &[u8; 32], label: &[u8], context: &[u8]) -> Key256 {
    debug_assert!(!label.contains(&0), "a label must not contain a zero byte");
    let parts = [label, &[0], context, &OUTPUT_BITS.to_be_bytes()];
    join(&parts, |fixed_input| derive_from_fixed_input(key, fixed_input))
}

/// The counter mode itself, over whatever fixed input.
#[expect(clippy::expect_used, reason = "AWS-LC refuses only empty keys and outputs, and these have 32 bytes")]
fn derive_from_fixed_input(key: &[u8; 32], fixed_input: &[u8]) -> Key256 {
    let algorithm = get_kbkdf_ctr_hmac_algorithm(KbkdfCtrHmacAlgorithmId::Sha256);
    algorithm
        .and_then(|algorithm| {
            Key256::try_fill(|derived| kbkdf_ctr_hmac(algorithm, key, fixed_input, derived)).ok()
        })
        .expect("AWS-LC derives 32 bytes from 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{array, bytes, cases};

    #[test]
    fn agrees_with_an_independent_implementation() {
        for case in cases(include_str!("../testdata/kdf.json")) {
            let derived = derive(&array(&case["key"]), &bytes(&case["label"]), &bytes(&case["context"]));
            assert_eq!(*derived.expose(), array(&case["derived"]), "{case}");
        }
    }

    #[test]
    fn agrees_with_the_vectors_of_nist() {
        for case in cases(include_str!("../testdata/kdf_cavp.json")) {
            let derived = derive_from_fixed_input(&array(&case["key"]), &bytes(&case["fixed_input"]));
            assert_eq!(*derived.expose(), array(&case["derived"]), "{case}");
        }
    }

    #[test]
    fn keys_of_different_labels_and_contexts_differ() {
        let key = [7; 32];
        assert_ne!(derive(&key, b"a", b"x"), derive(&key, b"b", b"x"));
        assert_ne!(derive(&key, b"a", b"x"), derive(&key, b"a", b"y"));
        assert_ne!(derive(&key, b"a", b"bc"), derive(&key, b"ab", b"c"));
    }
}
