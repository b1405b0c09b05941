//! Public keys as SubjectPublicKeyInfo, RFC 5280 section 4.1.
//!
//! ```text
//! SEQUENCE { SEQUENCE { algorithm, parameters }, BIT STRING { public key } }
//! ```
//!
//! Of elliptic curves only uncompressed points of named curves: that is what the API gives out, and the one encoding
//! that everybody reads.

use super::spec::Kind;
use super::{InvalidKey, KeyPairSpec};
use crate::der::{BIT_STRING, Reader, SEQUENCE, element};

/// The public key inside the frame. Its algorithm is checked, and its length where there is one; its value is not.
pub(super) fn read(spec: KeyPairSpec, spki: &[u8]) -> Result<&[u8], InvalidKey> {
    let (algorithm, public) = frame(spki).ok_or(InvalidKey::Malformed)?;
    if algorithm != spec.algorithm() {
        return Err(InvalidKey::OtherSpec);
    }
    let whole = spec.public_bytes().is_none_or(|length| public.len() == length);
    // SEC 1 section 2.3.3: 04 is an uncompressed point. There are others of its length.
    let has_point = match spec.kind() {
        Kind::Ec(_) => true,
        #[cfg(feature = "sm")]
        Kind::Sm2 => true,
        _ => false,
    };
    let uncompressed = !has_point || public.first() == Some(&4);
    let fits = whole && uncompressed;
    fits.then_some(public).ok_or(InvalidKey::Malformed)
}

fn frame(spki: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut parts = Reader::new(Reader::only(spki, SEQUENCE)?);
    let algorithm = parts.take(SEQUENCE)?;
    let public = whole_bytes(parts.take(BIT_STRING)?)?;
    parts.is_empty().then_some((algorithm, public))
}

/// The content of a BIT STRING of whole bytes: the first byte says how many bits of the last are unused.
pub(super) fn whole_bytes(bit_string: &[u8]) -> Option<&[u8]> {
    let (0, bytes) = bit_string.split_first()? else { return None };
    Some(bytes)
}

/// Frames a public key.
pub(super) fn write(spec: KeyPairSpec, public: &[u8]) -> Vec<u8> {
    let algorithm = element(SEQUENCE, &[spec.algorithm()]);
    let public = element(BIT_STRING, &[&[0], public]);
    element(SEQUENCE, &[algorithm.expose(), public.expose()]).expose().clone()
}
