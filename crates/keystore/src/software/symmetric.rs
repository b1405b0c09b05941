//! Symmetric encryption keys: 256 bits in memory-locked pages, from which each message's own key is derived.

use std::sync::Arc;

use trent_crypto::ciphertext::double::Sealed;
use trent_crypto::{
    BlobKeyId, CanonicalContext, Key256, LockedKey, Random, RandomError, SecretBytes, ciphertext,
};
use trent_domain::identifier::MaterialId;
use trent_domain::key::Key;

use super::blob_key_id;
use crate::keyring::Keyring;
use crate::store::{InnerKey, OpenedKey, StoreError, SymmetricKey};

pub(super) fn generate(random: &dyn Random) -> Result<Key256, RandomError> {
    Key256::generate(random)
}

/// Nothing when what was unsealed is no key of 256 bits.
pub(super) fn open(
    keyring: &Arc<Keyring>,
    key: &Key,
    id: MaterialId,
    material: &SecretBytes,
) -> Option<OpenedKey> {
    let material = Key256::from_slice(material.expose())?;
    let opened = Arc::new(SoftwareKey {
        keyring: Arc::clone(keyring),
        key: blob_key_id(key.id),
        material_id: id,
        material: keyring.keep(&material),
    });
    Some(if key.in_store.is_some() { OpenedKey::Inner(opened) } else { OpenedKey::Symmetric(opened) })
}

/// Material in memory-locked pages, ready to use.
struct SoftwareKey {
    keyring: Arc<Keyring>,
    key: BlobKeyId,
    material_id: MaterialId,
    material: LockedKey,
}

impl SymmetricKey for SoftwareKey {
    fn encrypt(&self, plaintext: &[u8], context: &CanonicalContext) -> Result<Vec<u8>, StoreError> {
        let (material, random) = (self.material.expose(), self.keyring.random());
        Ok(ciphertext::seal(material.expose(), self.key, &self.material_id.0, context, plaintext, random)?)
    }

    fn decrypt(&self, blob: &[u8], context: &CanonicalContext) -> Result<SecretBytes, StoreError> {
        ciphertext::open(self.material.expose().expose(), context, blob)
            .map_err(|_| StoreError::InvalidCiphertext)
    }
}

impl InnerKey for SoftwareKey {
    fn seal(&self, plaintext: &[u8], context: &CanonicalContext) -> Result<Sealed, StoreError> {
        let (material, random) = (self.material.expose(), self.keyring.random());
        Ok(Sealed::seal(material.expose(), self.key, &self.material_id.0, context, plaintext, random)?)
    }

    fn open(&self, sealed: &Sealed, context: &CanonicalContext) -> Result<SecretBytes, StoreError> {
        sealed.open(self.material.expose().expose(), context).map_err(|_| StoreError::InvalidCiphertext)
    }
}
