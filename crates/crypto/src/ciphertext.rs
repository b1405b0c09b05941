//! The ciphertext blob: what `Encrypt` and `GenerateDataKey` give out, and `Decrypt` takes back.
//!
//! ```text
//! offset  bytes
//!      0      1  version: 01
//!      1      1  kind of key: 01 single-Region, 02 multi-Region
//!      2     16  key id: the bytes of its UUID
//!     18     32  material id
//!     50     16  nonce
//!     66     12  IV
//!     78      n  ciphertext, as long as the plaintext
//! 78 + n     16  tag
//! ```
//!
//! The message key is `KDF(material, "trent/ciphertext/v1", nonce)` ([`crate::kdf`]); the cipher is AES-256-GCM
//! (NIST SP 800-38D); the associated data are the 78 bytes before the ciphertext, then the [`CanonicalContext`].
//!
//! The header says which key and material open the blob, so that `Decrypt` needs no key id and rotation leaves old
//! blobs readable. It does not name account or Region: a related multi-Region key, which has the same id and
//! material, must be able to open it.
//!
//! Invariants: every failure is the same [`InvalidCiphertext`]. A blob opens under one material only, provided that
//! the caller takes the material that the header's id names: that id is a keyed hash of the material
//! ([`crate::material_id`]), so it commits to it, which GCM alone would not.

use std::collections::BTreeMap;

use crate::message::{Format, OVERHEAD_BYTES, SealError};
use crate::random::Random;
use crate::secret::SecretBytes;

/// The version this code writes.
const VERSION: u8 = 1;
const SINGLE_REGION: u8 = 1;
const MULTI_REGION: u8 = 2;
/// Version, kind, key id, material id.
const PREFIX_BYTES: usize = 1 + 1 + 16 + 32;

const FORMAT: Format = Format { label: b"trent/ciphertext/v1", prefix_bytes: PREFIX_BYTES };

/// What sealing adds to a plaintext: 94 bytes, against some 152 of AWS for a data key of 32 bytes.
pub const BLOB_OVERHEAD_BYTES: usize = PREFIX_BYTES + OVERHEAD_BYTES;
/// The longest blob the API takes (`CiphertextBlob`: 1 to 6144 bytes).
pub const BLOB_BYTES_MAX: usize = 6144;
/// The longest plaintext that gives such a blob. The API has lower limits of its own.
pub const PLAINTEXT_BYTES_MAX: usize = BLOB_BYTES_MAX - BLOB_OVERHEAD_BYTES;

/// The blob cannot be opened: malformed, altered, under another key or material, or with another context.
///
/// Deliberately without a reason: a caller who could tell the cases apart would learn something about the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ciphertext cannot be opened")]
pub struct InvalidCiphertext;

/// The key a blob was made with, as the blob names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKeyId {
    /// Whether the key is a multi-Region key (its id is written `mrk-` and 32 hex digits).
    pub multi_region: bool,
    /// The 16 bytes of the key id.
    pub uuid: [u8; 16],
}

impl BlobKeyId {
    /// Kind byte, then the UUID.
    pub(crate) fn to_bytes(self) -> [u8; 17] {
        let mut bytes = [0; 17];
        let (kind, uuid) = bytes.split_at_mut(1);
        kind.fill(if self.multi_region { MULTI_REGION } else { SINGLE_REGION });
        uuid.copy_from_slice(&self.uuid);
        bytes
    }

    fn from_parts(kind: u8, uuid: [u8; 16]) -> Result<Self, InvalidCiphertext> {
        match kind {
            SINGLE_REGION => Ok(Self { multi_region: false, uuid }),
            MULTI_REGION => Ok(Self { multi_region: true, uuid }),
            _ => Err(InvalidCiphertext),
        }
    }
}

/// What a blob says about itself. Not to be believed before [`open`] succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The key.
    pub key_id: BlobKeyId,
    /// The material of that key ([`crate::material_id`]).
    pub material_id: [u8; 32],
}

/// An encryption context as it is authenticated: pairs in the order of their keys' UTF-8 bytes, everything with its
/// length before it, so that no two contexts look the same.
///
/// ```text
/// number of pairs ‖ (length of key ‖ key ‖ length of value ‖ value) …     numbers: 32 bits, big-endian
/// ```
///
/// No context and an empty one are the same: four zero bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalContext(Vec<u8>);

impl CanonicalContext {
    /// Writes `context` down. `BTreeMap<String, _>` is in the order of UTF-8 bytes already.
    #[must_use]
    pub fn new(context: Option<&BTreeMap<String, String>>) -> Self {
        let Some(context) = context else { return Self(vec![0; 4]) };
        let text: usize = context.iter().map(|(key, value)| 8 + key.len() + value.len()).sum();
        let mut bytes = Vec::with_capacity(4 + text);
        push_length(&mut bytes, context.len());
        for part in context.iter().flat_map(|(key, value)| [key, value]) {
            push_length(&mut bytes, part.len());
            bytes.extend_from_slice(part.as_bytes());
        }
        Self(bytes)
    }

    /// Length in bytes, at least 4. Whoever takes contexts from outside bounds it.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.0.len()
    }

    /// The bytes that are authenticated.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

fn push_length(bytes: &mut Vec<u8>, length: usize) {
    // More than 4 GiB cannot arrive in a request; if it did, the blob would be sealed, just less unambiguously.
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
}

/// Reads which key and material a blob was made with. Checks its form, not its truth: that is for [`open`].
///
/// # Errors
/// [`InvalidCiphertext`] when it is too short or too long, or of an unknown version or kind.
pub fn read_header(blob: &[u8]) -> Result<Header, InvalidCiphertext> {
    if !(BLOB_OVERHEAD_BYTES..=BLOB_BYTES_MAX).contains(&blob.len()) {
        return Err(InvalidCiphertext);
    }
    let ([VERSION, kind], rest) = blob.split_first_chunk().ok_or(InvalidCiphertext)? else {
        return Err(InvalidCiphertext);
    };
    let (uuid, rest) = rest.split_first_chunk().ok_or(InvalidCiphertext)?;
    let material_id = *rest.first_chunk().ok_or(InvalidCiphertext)?;
    Ok(Header { key_id: BlobKeyId::from_parts(*kind, *uuid)?, material_id })
}

/// Seals `plaintext` under `material`, which is that of `key` named `material_id`.
///
/// # Errors
/// When the plaintext is longer than [`PLAINTEXT_BYTES_MAX`], or there are no random bytes.
pub fn seal(
    material: &[u8; 32],
    key: BlobKeyId,
    material_id: &[u8; 32],
    context: &CanonicalContext,
    plaintext: &[u8],
    random: &dyn Random,
) -> Result<Vec<u8>, SealError> {
    if plaintext.len() > PLAINTEXT_BYTES_MAX {
        return Err(SealError::TooLong);
    }
    let mut prefix = [VERSION; PREFIX_BYTES];
    let (named, material_part) = prefix.split_at_mut(18);
    named.split_at_mut(1).1.copy_from_slice(&key.to_bytes());
    material_part.copy_from_slice(material_id);
    FORMAT.seal(material, &prefix, context.as_bytes(), plaintext, random)
}

/// Opens a blob with the material its header names.
///
/// # Errors
/// [`InvalidCiphertext`], whatever is wrong.
pub fn open(
    material: &[u8; 32],
    context: &CanonicalContext,
    blob: &[u8],
) -> Result<SecretBytes, InvalidCiphertext> {
    read_header(blob)?;
    FORMAT.open(material, context.as_bytes(), blob).ok_or(InvalidCiphertext)
}
