//! The root key: how it is written into a file, how it comes from a passphrase or an HSM, how it is recognised.
//!
//! Encoding and decoding only; reading files is the caller's. Three sources:
//!
//! - [`encode_file`], [`decode_file`]: a text file with the key in it.
//! - [`PassphraseRecord`]: Argon2id parameters, a salt, and a verifier by which a wrong passphrase is told apart from
//!   a damaged record. The key itself is nowhere: losing the record means losing the key.
//! - [`WrappedRootKey`]: the key, encrypted by a key that never leaves an HSM.

mod file;
mod lines;
mod passphrase;
mod wrapped;

use crate::kdf::derive;
use crate::secret::Key256;

pub use file::{decode_file, encode_file};
pub use lines::RootFileError;
pub use passphrase::{
    PASSPHRASE_RECORD_BYTES, PassphraseError, PassphraseParams, PassphraseRecord, derive_from_passphrase,
};
pub use wrapped::{WRAPPED_ROOT_KEY_AAD, WrappedRootKey};

/// Tells root keys apart without revealing them: which one was this database sealed with?
///
/// The first 16 bytes of `KDF(root, "trent/root-fingerprint/v1", "")`. One-way, and unrelated to every key that is
/// derived from the root key for use.
#[must_use]
pub fn fingerprint(root: &Key256) -> [u8; 16] {
    let derived = derive(root.expose(), b"trent/root-fingerprint/v1", b"");
    let mut fingerprint = [0; 16];
    for (to, from) in fingerprint.iter_mut().zip(derived.expose()) {
        *to = *from;
    }
    fingerprint
}

/// The first 8 bytes of SHA-256 over `label ‖ 0x00 ‖ content`: finds damage, proves nothing.
fn checksum(label: &[u8], content: &[u8]) -> [u8; 8] {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    context.update(label);
    context.update(&[0]);
    context.update(content);
    let mut sum = [0; 8];
    for (to, from) in sum.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{array, cases};

    #[test]
    fn fingerprints_agree_with_an_independent_implementation() {
        for case in cases(include_str!("../testdata/formats/v1/root_key_file.json")) {
            assert_eq!(fingerprint(&Key256::new(array(&case["root"]))), array(&case["fingerprint"]));
        }
    }
}
