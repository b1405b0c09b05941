//! Names key material without giving it away.
//!
//! ```text
//! HMAC-SHA-256(id key, "trent/material-id/v1" ‖ 0x00 ‖ kind ‖ key id (16) ‖ material)
//! HMAC-SHA-256(id key, "trent/material-id/pair/v1" ‖ 0x00 ‖ kind ‖ key id (16) ‖ SPKI)      of key pairs
//! ```
//!
//! A private key can be written in many ways: RSA primes in either order, ML-DSA and ML-KEM with or without a seed.
//! All of them have one public key, which has one encoding here, so pairs are named by that.
//!
//! A function of key and material: importing the same material into the same key again gives the same id, and the
//! replicas of a multi-Region key agree on it (all Regions of an installation have one id key). Keyed with a secret
//! of the installation, because ids are public and imported material may be weak: a plain hash would let anyone
//! test guesses offline.
//!
//! The id also commits to the material: nobody can find two materials with one id, even knowing the id key, short of
//! a collision of SHA-256. Blobs carry it, authenticated, which is what ties a blob to one material.

use aws_lc_rs::hmac;

use crate::ciphertext::BlobKeyId;
use crate::secret::Key256;

const LABEL: &[u8] = b"trent/material-id/v1\0";
const PAIR_LABEL: &[u8] = b"trent/material-id/pair/v1\0";

/// The id of `material` in the key `key_id`.
#[must_use]
pub fn material_id(id_key: &Key256, key_id: &BlobKeyId, material: &[u8]) -> [u8; 32] {
    id(LABEL, id_key, key_id, material)
}

/// The id of the key pair that has this public key, as SPKI DER, in the key `key_id`.
#[must_use]
pub fn pair_id(id_key: &Key256, key_id: &BlobKeyId, spki: &[u8]) -> [u8; 32] {
    id(PAIR_LABEL, id_key, key_id, spki)
}

/// All that precedes `content` has a length that the label tells.
fn id(label: &[u8], id_key: &Key256, key_id: &BlobKeyId, content: &[u8]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, id_key.expose()));
    context.update(label);
    context.update(&key_id.to_bytes());
    context.update(content);
    let tag = context.sign();
    let mut id = [0; 32];
    id.copy_from_slice(tag.as_ref());
    id
}

// Fixtures: with those of blobs, in `ciphertext`.
#[cfg(test)]
mod tests {
    use super::*;

    const KEY: BlobKeyId = BlobKeyId { multi_region: false, uuid: [3; 16] };

    #[test]
    fn the_same_material_in_the_same_key_has_the_same_id() {
        let id_key = Key256::new([1; 32]);
        assert_eq!(material_id(&id_key, &KEY, b"material"), material_id(&id_key, &KEY, b"material"));
    }

    #[test]
    fn anything_else_has_another() {
        let id_key = Key256::new([1; 32]);
        let id = material_id(&id_key, &KEY, b"material");
        let other_key = BlobKeyId { uuid: [4; 16], ..KEY };
        let other_kind = BlobKeyId { multi_region: true, ..KEY };
        assert_ne!(id, material_id(&Key256::new([2; 32]), &KEY, b"material"));
        assert_ne!(id, material_id(&id_key, &other_key, b"material"));
        assert_ne!(id, material_id(&id_key, &other_kind, b"material"));
        assert_ne!(id, material_id(&id_key, &KEY, b"Material"));
        assert_ne!(id, pair_id(&id_key, &KEY, b"material"));
        assert_ne!(pair_id(&id_key, &KEY, b"material"), pair_id(&id_key, &other_key, b"material"));
    }
}
