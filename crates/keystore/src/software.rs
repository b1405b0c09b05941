//! The software store: material is made in this process and kept sealed in the record of its key.

use std::sync::Arc;

use trent_crypto::envelope::label;
use trent_crypto::material_id::material_id;
use trent_crypto::{BlobKeyId, CanonicalContext, Key256, LockedKey, Purpose, SecretBytes, ciphertext};
use trent_domain::identifier::{KeyId, MaterialId};
use trent_domain::key::Key;
use trent_domain::rotation::Material;

use crate::keyring::{Keyring, RingName};
use crate::store::{KeyStore, NewMaterial, Owner, StoreError, SymmetricKey};

/// Makes and opens material in this process.
pub struct SoftwareStore {
    keyring: Arc<Keyring>,
}

impl SoftwareStore {
    /// A store whose material is sealed under the domain keys of `keyring`.
    pub fn new(keyring: Arc<Keyring>) -> Self {
        Self { keyring }
    }
}

impl KeyStore for SoftwareStore {
    fn generate(&self, owner: Owner) -> Result<NewMaterial, StoreError> {
        let material = Key256::generate(self.keyring.random())?;
        let id_key = self.keyring.key(RingName::MaterialIds)?;
        let id = MaterialId(material_id(&id_key.expose(), &blob_key_id(owner.key), material.expose()));
        let sealed =
            bound_to(owner, &id, |purpose| self.keyring.seal(domain(owner), purpose, material.expose()))?;
        Ok(NewMaterial { id, sealed })
    }

    fn open(&self, key: &Key, material: &Material) -> Result<Arc<dyn SymmetricKey>, StoreError> {
        let owner = Owner::of(key);
        let opened = bound_to(owner, &material.id, |purpose| {
            self.keyring.open(domain(owner), purpose, &material.sealed)
        })?;
        let unsealable =
            || StoreError::Unsealable { what: format!("material {} of {}", material.id, key.arn()) };
        let opened = Key256::from_slice(opened.expose()).ok_or_else(unsealable)?;
        Ok(Arc::new(SoftwareKey {
            keyring: Arc::clone(&self.keyring),
            key: blob_key_id(key.id),
            material_id: material.id,
            material: self.keyring.keep(&opened),
        }))
    }
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

fn domain(owner: Owner) -> RingName {
    RingName::Domain { account: owner.account, region: owner.region }
}

/// What sealed material is bound to: another key, Region or account cannot open it, nor another material id.
fn bound_to<R>(owner: Owner, id: &MaterialId, use_it: impl FnOnce(&Purpose<'_>) -> R) -> R {
    let Owner { account, region, key } = owner;
    let key = key.to_string();
    use_it(&Purpose::new(
        label::KEY_MATERIAL,
        &[
            ("account", account.as_str().as_bytes()),
            ("region", region.as_str().as_bytes()),
            ("key", key.as_bytes()),
            ("material", &id.0),
        ],
    ))
}

fn blob_key_id(id: KeyId) -> BlobKeyId {
    BlobKeyId { multi_region: id.is_multi_region(), uuid: id.uuid() }
}
