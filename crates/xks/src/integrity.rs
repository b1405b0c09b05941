//! What ties a ciphertext to its surroundings: the integrity value that KMS checks, and the associated data that a
//! proxy hands to AES-GCM.

use aws_lc_rs::digest::{Context, SHA256};

use crate::{AAD_BYTES_MAX, METADATA_BYTES_MAX};

/// A ciphertext with all that belongs to it.
#[derive(Debug, Clone, Copy)]
pub struct Sealed<'a> {
    /// The additional authenticated data as KMS sent them; empty when it sent none.
    pub aad: &'a [u8],
    /// The ciphertext metadata; empty when there are none.
    pub metadata: &'a [u8],
    /// The initialization vector.
    pub iv: &'a [u8],
    /// The ciphertext.
    pub ciphertext: &'a [u8],
    /// The authentication tag.
    pub tag: &'a [u8],
}

/// The integrity value: SHA-256 of the parts as they are, one after the other, without their lengths.
#[must_use]
pub fn value(sealed: &Sealed<'_>) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in [sealed.aad, sealed.metadata, sealed.iv, sealed.ciphertext, sealed.tag] {
        context.update(part);
    }
    let mut value = [0; 32];
    for (to, from) in value.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    value
}

/// What goes into AES-GCM as associated data: both parts, each after its length. Without the lengths, metadata could
/// be replayed as data of the caller's. `None` when a part is longer than the API allows.
#[must_use]
pub fn associated_data(aad: &[u8], metadata: &[u8]) -> Option<Vec<u8>> {
    if aad.len() > AAD_BYTES_MAX || metadata.len() > METADATA_BYTES_MAX {
        return None;
    }
    let mut bytes = Vec::with_capacity(aad.len() + metadata.len() + 3);
    bytes.extend_from_slice(&u16::try_from(aad.len()).ok()?.to_be_bytes());
    bytes.extend_from_slice(aad);
    bytes.push(u8::try_from(metadata.len()).ok()?);
    bytes.extend_from_slice(metadata);
    Some(bytes)
}
