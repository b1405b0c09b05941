//! The stored form of keys that are not plain 256-bit ones: key pairs and HMAC keys. It is kept sealed.
//!
//! ```text
//! offset  bytes
//!      0      1  version: 01
//!      1      1  spec
//!      2      1  form of the private part: 00 short, 01 expanded
//!      3      4  length of the private part, 32 bits, big-endian
//!      7      n  private part
//!  7 + n      m  public key: SPKI DER; nothing for HMAC
//! ```
//!
//! The private part is a seed, a scalar or, of RSA, PKCS#8, so that no library's choice of encoding gets into the
//! database. The public key can be derived and is kept all the same: when both are there, they must agree, and a
//! library that derives another one is noticed before it is used.

use crate::secret::SecretBytes;

/// The version this code writes.
pub const VERSION: u8 = 1;
/// The private part is as short as can be.
pub(crate) const SHORT: u8 = 0;
/// The private part is the expanded key of ML-DSA or ML-KEM.
pub(crate) const EXPANDED: u8 = 1;

/// Why a record was not read. These are for operators, not for callers of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Written by another version of trent, most likely a newer one.
    #[error("key record of unknown version {0}")]
    UnknownVersion(u8),
    /// Not a record.
    #[error("not a key record")]
    Malformed,
    /// The record of a key of another spec.
    #[error("the key record is of another spec")]
    OtherSpec,
    /// Private and public part do not belong together, or are no key.
    #[error("the parts of the key record do not belong together")]
    Inconsistent,
}

pub(crate) struct Parts<'a> {
    pub(crate) form: u8,
    pub(crate) private: &'a [u8],
    pub(crate) public: &'a [u8],
}

pub(crate) fn read(spec: u8, record: &[u8]) -> Result<Parts<'_>, RecordError> {
    let (&version, rest) = record.split_first().ok_or(RecordError::Malformed)?;
    if version != VERSION {
        return Err(RecordError::UnknownVersion(version));
    }
    let (&[found, form], rest) = rest.split_first_chunk().ok_or(RecordError::Malformed)?;
    if found != spec {
        return Err(RecordError::OtherSpec);
    }
    let (length, rest) = rest.split_first_chunk().ok_or(RecordError::Malformed)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| RecordError::Malformed)?;
    let (private, public) = rest.split_at_checked(length).ok_or(RecordError::Malformed)?;
    Ok(Parts { form, private, public })
}

pub(crate) fn write(spec: u8, form: u8, private: &[u8], public: &[u8]) -> SecretBytes {
    // Private keys have a few thousand bytes at most.
    let length = u32::try_from(private.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut record = Vec::with_capacity(7 + private.len() + public.len());
    record.extend_from_slice(&[VERSION, spec, form]);
    record.extend_from_slice(&length);
    record.extend_from_slice(private);
    record.extend_from_slice(public);
    record.into()
}
