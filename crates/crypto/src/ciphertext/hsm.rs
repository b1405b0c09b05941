//! The ciphertext blob of keys in HSMs: encrypted once, in an HSM, with a key that never leaves it.
//!
//! ```text
//! offset  bytes
//!      0      1  version: 01
//!      1      1  kind of key: 68 (`h`)
//!      2     16  key id: the bytes of its UUID
//!     18     16  what the key is called in the HSMs (`CKA_ID`)
//!     34     12  IV
//!     46      n  ciphertext, as long as the plaintext
//! 46 + n     16  tag
//! ```
//!
//! The cipher is AES-256-GCM (NIST SP 800-38D) under the key in the HSMs. The associated data are a hash of the first 34
//! bytes and the context: of fixed length, since HSMs have limits of their own, and nothing of the context leaves trent.
//!
//! Invariant: what [`HsmBlob::read`] takes, [`HsmBlob::write`] gives back byte by byte.

use super::{BLOB_BYTES_MAX, BlobKeyId, CanonicalContext, HSM, InvalidCiphertext, VERSION};
use crate::digest::sha256;
use crate::message::{IV_BYTES, TAG_BYTES};

/// Bytes of what a key is called in HSMs.
pub const HSM_KEY_BYTES: usize = 16;
/// Version, kind, key id, name in the HSMs.
const PREFIX_BYTES: usize = 1 + 1 + 16 + HSM_KEY_BYTES;
/// What encrypting adds to a plaintext.
pub const BLOB_OVERHEAD_BYTES: usize = PREFIX_BYTES + IV_BYTES + TAG_BYTES;
/// The longest plaintext that gives a blob which the API takes.
pub const PLAINTEXT_BYTES_MAX: usize = BLOB_BYTES_MAX - BLOB_OVERHEAD_BYTES;
const AAD_LABEL: &[u8] = b"trent/hsm-aad/v1\0";

/// A key in HSMs, as blobs name it. It is of one Region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HsmKey {
    /// The 16 bytes of the key id.
    pub uuid: [u8; 16],
    /// What it is called in the HSMs.
    pub id: [u8; HSM_KEY_BYTES],
}

impl HsmKey {
    /// The key, as other blobs name theirs.
    pub(super) const fn key_id(self) -> BlobKeyId {
        BlobKeyId { multi_region: false, uuid: self.uuid }
    }

    /// What goes to the HSM as additional authenticated data.
    #[must_use]
    pub fn additional_data(&self, context: &CanonicalContext) -> [u8; 32] {
        sha256(&[AAD_LABEL, &self.prefix(), context.as_bytes()])
    }

    fn prefix(&self) -> Vec<u8> {
        [&[VERSION, HSM], self.uuid.as_slice(), &self.id].concat()
    }
}

/// A blob in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HsmBlob<'a> {
    /// The key that made it.
    pub key: HsmKey,
    /// The IV.
    pub iv: [u8; IV_BYTES],
    /// Ciphertext and tag.
    pub ciphertext: &'a [u8],
}

impl<'a> HsmBlob<'a> {
    /// Takes a blob apart. Checks its form, not its truth.
    ///
    /// # Errors
    /// [`InvalidCiphertext`] when it is no blob of a key in HSMs, or too short or too long for one.
    pub fn read(blob: &'a [u8]) -> Result<Self, InvalidCiphertext> {
        if !(BLOB_OVERHEAD_BYTES..=BLOB_BYTES_MAX).contains(&blob.len()) {
            return Err(InvalidCiphertext);
        }
        let ([VERSION, HSM], rest) = blob.split_first_chunk().ok_or(InvalidCiphertext)? else {
            return Err(InvalidCiphertext);
        };
        let (uuid, rest) = rest.split_first_chunk().ok_or(InvalidCiphertext)?;
        let (id, rest) = rest.split_first_chunk().ok_or(InvalidCiphertext)?;
        let (iv, ciphertext) = rest.split_first_chunk().ok_or(InvalidCiphertext)?;
        Ok(Self { key: HsmKey { uuid: *uuid, id: *id }, iv: *iv, ciphertext })
    }

    /// The blob.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        [&self.key.prefix(), self.iv.as_slice(), self.ciphertext].concat()
    }

    /// How long the plaintext is, if the blob is what it says.
    #[must_use]
    pub const fn plaintext_bytes(&self) -> usize {
        self.ciphertext.len().saturating_sub(TAG_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

    use super::super::{Header, MadeBy, open, read_header};
    use super::*;
    use crate::fixtures::{array, bytes, cases, hex, tampered};

    #[test]
    fn a_blob_made_elsewhere_is_the_one_that_is_made_here_and_opens() {
        for case in cases(include_str!("../../testdata/formats/v1/hsm.json")) {
            let pairs = serde_json::from_value(case["context"].clone()).unwrap();
            let context = CanonicalContext::new(Option::as_ref(&pairs));
            let key = HsmKey { uuid: array(&case["uuid"]), id: array(&case["hsm_key"]) };
            let (blob, iv, plaintext) = (bytes(&case["blob"]), array(&case["iv"]), bytes(&case["plaintext"]));
            let aad = key.additional_data(&context);
            assert_eq!(hex(&aad), case["aad"].as_str().unwrap());
            let cipher = UnboundKey::new(&AES_256_GCM, &bytes(&case["key"])).unwrap();
            let cipher = LessSafeKey::new(cipher);
            let nonce = || Nonce::assume_unique_for_key(iv);
            let mut ciphertext = plaintext.clone();
            cipher.seal_in_place_append_tag(nonce(), Aad::from(aad), &mut ciphertext).unwrap();
            let made = HsmBlob { key, iv, ciphertext: &ciphertext };
            assert_eq!(hex(&made.write()), case["blob"].as_str().unwrap(), "{}", case["name"]);
            let read = HsmBlob::read(&blob).unwrap();
            assert_eq!((read, read.plaintext_bytes()), (made, plaintext.len()));
            assert_eq!(
                read_header(&blob),
                Ok(Header { key_id: key.key_id(), made_by: MadeBy::HsmKey(key.id) })
            );
            let mut opened = read.ciphertext.to_vec();
            let aad = Aad::from(read.key.additional_data(&context));
            assert_eq!(cipher.open_in_place(nonce(), aad, &mut opened).unwrap(), plaintext);
            // What is no blob of trent's own material is never opened with any.
            assert_eq!(open(&[1; 32], &context, &blob), Err(InvalidCiphertext));
        }
    }

    #[test]
    fn each_byte_before_the_iv_and_the_context_are_authenticated() {
        let key = HsmKey { uuid: [3; 16], id: [4; 16] };
        let none = CanonicalContext::new(None);
        let aad = key.additional_data(&none);
        for byte in 0..16 {
            let mut others = [key; 2];
            others[0].uuid[byte] ^= 1;
            others[1].id[byte] ^= 1;
            for other in others {
                assert_ne!(other.additional_data(&none), aad);
            }
        }
        let other = CanonicalContext::new(Some(&[("a".to_owned(), "b".to_owned())].into()));
        assert_ne!(key.additional_data(&other), aad);
    }

    #[test]
    fn nothing_that_is_read_is_lost_and_lengths_are_bounded() {
        let key = HsmKey { uuid: [3; 16], id: [4; 16] };
        let of = |length| HsmBlob { key, iv: [5; 12], ciphertext: &vec![6; length] }.write();
        for altered in tampered(&of(40)) {
            if let Ok(read) = HsmBlob::read(&altered) {
                assert_eq!(read.write(), altered);
            }
        }
        let longest = of(PLAINTEXT_BYTES_MAX + TAG_BYTES);
        assert_eq!((longest.len(), HsmBlob::read(&longest).is_ok()), (BLOB_BYTES_MAX, true));
        assert!(HsmBlob::read(&of(PLAINTEXT_BYTES_MAX + TAG_BYTES + 1)).is_err());
        assert!(HsmBlob::read(&of(TAG_BYTES)).is_ok());
        assert_eq!(read_header(&of(TAG_BYTES - 1)), Err(InvalidCiphertext));
    }
}
