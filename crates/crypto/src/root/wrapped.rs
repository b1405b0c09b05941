//! A root key that a key in an HSM has encrypted: text, like the root key file.
//!
//! ```text
//! # any number of comment lines
//! trent-root-key-pkcs11 1
//! iv 24 hex digits
//! wrapped 96 hex digits
//! check 16 hex digits
//! ```
//!
//! `wrapped` is what AES-256-GCM makes of the 32 bytes of the root key, with [`WRAPPED_ROOT_KEY_AAD`] as its associated
//! data: ciphertext, then tag. `check` is the first 8 bytes of `SHA-256("trent/root-key-pkcs11/v1" ‖ 0x00 ‖ iv ‖ wrapped)`:
//! damage is told apart from another key. It is not keyed and protects from nobody.
//!
//! Encrypting and decrypting is the HSM's; nothing here touches a key.

use super::checksum;
use super::lines::{Lines, RootFileError, push_hex};

const COMMENT: &str = "# Root key of trent, encrypted by a key in an HSM; without that key nobody can read it.\n\
                       # Without this file nothing can be read either: keep a copy, with the database's.\n";
const KIND: &str = "trent-root-key-pkcs11";
const IV_BYTES: usize = 12;
const WRAPPED_BYTES: usize = 32 + 16;

/// The associated data of a wrapped root key.
pub const WRAPPED_ROOT_KEY_AAD: &[u8] = b"trent/root-key-pkcs11/v1";

/// A root key under a key in an HSM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedRootKey {
    /// The IV.
    pub iv: [u8; IV_BYTES],
    /// Ciphertext and tag.
    pub wrapped: [u8; WRAPPED_BYTES],
}

impl WrappedRootKey {
    /// The text of its file. Not secret.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("{COMMENT}{KIND} 1\niv ").into_bytes();
        push_hex(&mut text, &self.iv);
        text.extend_from_slice(b"\nwrapped ");
        push_hex(&mut text, &self.wrapped);
        text.extend_from_slice(b"\ncheck ");
        push_hex(&mut text, &self.check());
        text.push(b'\n');
        text
    }

    /// Reads the text of its file.
    ///
    /// # Errors
    /// See [`RootFileError`].
    pub fn decode(text: &[u8]) -> Result<Self, RootFileError> {
        let mut lines = Lines::of(text, KIND)?;
        let (mut iv, mut wrapped, mut check) = ([0; IV_BYTES], [0; WRAPPED_BYTES], [0; 8]);
        lines.read("iv ", &mut iv)?;
        lines.read("wrapped ", &mut wrapped)?;
        lines.read("check ", &mut check)?;
        lines.end()?;
        let read = Self { iv, wrapped };
        if check == read.check() { Ok(read) } else { Err(RootFileError::ChecksumMismatch) }
    }

    fn check(&self) -> [u8; 8] {
        checksum(WRAPPED_ROOT_KEY_AAD, &[&self.iv[..], &self.wrapped].concat())
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::{array, cases};

    #[test]
    fn files_made_elsewhere_are_read_and_opened_and_made_alike() {
        for case in cases(include_str!("../../testdata/formats/v1/root_key_pkcs11.json")) {
            let text = case["file"].as_str().unwrap();
            let read = WrappedRootKey::decode(text.as_bytes()).unwrap();
            assert_eq!(str::from_utf8(&read.encode()).unwrap(), format!("{COMMENT}{text}"));
            let key: [u8; 32] = array(&case["key"]);
            let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
            let (nonce, mut wrapped) = (Nonce::assume_unique_for_key(read.iv), read.wrapped);
            let root = key.open_in_place(nonce, Aad::from(WRAPPED_ROOT_KEY_AAD), &mut wrapped).unwrap();
            assert_eq!(root, array::<32>(&case["root"]));
        }
    }

    #[test]
    fn every_changed_digit_is_recognised() {
        let text = WrappedRootKey { iv: [0xab; 12], wrapped: [0xcd; 48] }.encode();
        let digits =
            text.iter().enumerate().filter(|(_, byte)| matches!(byte, b'a'..=b'd')).map(|(at, _)| at);
        let digits: Vec<_> = digits.skip_while(|at| !text[..*at].ends_with(b"iv ")).collect();
        for at in digits.into_iter().filter(|at| text[*at - 1].is_ascii_hexdigit()) {
            let mut altered = text.clone();
            altered[at] = if altered[at] == b'0' { b'1' } else { b'0' };
            assert!(WrappedRootKey::decode(&altered).is_err(), "{}", String::from_utf8_lossy(&altered));
        }
    }

    #[test]
    fn the_file_of_another_provider_is_refused_with_the_reason() {
        let own = WrappedRootKey { iv: [1; 12], wrapped: [2; 48] }.encode();
        assert_eq!(
            super::super::decode_file(&own).unwrap_err(),
            RootFileError::NotARootKeyFile("trent-root-key")
        );
        let other = super::super::encode_file(&crate::Key256::new([1; 32]));
        assert_eq!(WrappedRootKey::decode(other.expose()), Err(RootFileError::NotARootKeyFile(KIND)));
        let newer = String::from_utf8(own).unwrap().replace("pkcs11 1", "pkcs11 2");
        assert_eq!(WrappedRootKey::decode(newer.as_bytes()), Err(RootFileError::UnknownVersion(2)));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(iv: [u8; 12], wrapped in proptest::array::uniform32(any::<u8>())) {
            let mut all = [7; 48];
            all[..32].copy_from_slice(&wrapped);
            let key = WrappedRootKey { iv, wrapped: all };
            prop_assert_eq!(WrappedRootKey::decode(&key.encode()), Ok(key));
        }

        #[test]
        fn arbitrary_text_is_refused_without_panic(text in "(trent-root-key-pkcs11 1\n)?(iv )?.{0,200}") {
            prop_assert!(WrappedRootKey::decode(text.as_bytes()).is_err());
        }
    }
}
