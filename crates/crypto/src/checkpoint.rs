//! Signatures of the deployment itself, over checkpoints of its audit trail: Ed25519, with a key of the ring as seed.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

use crate::secret::Key256;

/// The public key that belongs to a seed; none if AWS-LC cannot compute it.
#[must_use]
pub fn public_key(seed: &Key256) -> Option<[u8; 32]> {
    pair(seed)?.public_key().as_ref().try_into().ok()
}

/// The signature of a text; none if AWS-LC cannot make it.
#[must_use]
pub fn sign(seed: &Key256, text: &[u8]) -> Option<[u8; 64]> {
    pair(seed)?.try_sign(text).ok()?.as_ref().try_into().ok()
}

// Made for each signature: there is one a minute, and so the seed stays where it is locked.
fn pair(seed: &Key256) -> Option<Ed25519KeyPair> {
    Ed25519KeyPair::from_seed_unchecked(seed.expose()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::array;

    #[test]
    fn agrees_with_rfc_8032() {
        // Section 7.1, test 1.
        let seed =
            Key256::new(array(&"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60".into()));
        let public: [u8; 32] =
            array(&"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a".into());
        assert_eq!(public_key(&seed), Some(public));
        let signature = sign(&seed, b"").unwrap();
        assert_eq!(signature[..4], [0xe5, 0x56, 0x43, 0x00]);
    }
}
