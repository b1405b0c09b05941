//! Keys in trent's own database: sealed there, in memory-locked pages here, all of them opened when they are loaded.

use std::sync::Arc;

use trent_crypto::external::Header;
use trent_crypto::{Key256, LockedKey, LockedKeys, Random, SecretBytes};
use trent_database::Database;
use trent_domain::time::Timestamp;
use trent_keystore::StoreError;
use trent_xks::integrity::associated_data;
use trent_xks::request::Decrypt;
use trent_xks::response::{Encrypted, HealthStatus, Instance};
use trent_xks::{ExternalKeyId, KEY_SPEC};

use crate::manager::{Answering, ExternalKey, Facts, KeyManager, ManagerError};
use crate::open::FINGERPRINT;
use crate::record::{KeyRecord, Owner, Seals, Usage};
use crate::state::Shared;

/// An external key of the database, opened.
pub(crate) struct SealedKey {
    pub(crate) record: KeyRecord,
    versions: Vec<LockedKey>,
    random: Arc<dyn Random>,
}

impl SealedKey {
    /// Opens all versions of a key.
    pub(crate) fn open(
        (store, key): (&str, &str),
        record: KeyRecord,
        seals: &Seals<'_>,
        pages: &LockedKeys,
        random: &Arc<dyn Random>,
    ) -> Result<Self, StoreError> {
        let versions = (1..).zip(&record.versions).map(|(version, sealed)| {
            let material = seals.open_material(Owner { store, key, version }, &sealed.material)?;
            let material = Key256::from_slice(material.expose())
                .ok_or_else(|| StoreError::Unsealable { what: format!("external key {store}/{key}") })?;
            Ok(pages.insert(&material))
        });
        let versions = versions.collect::<Result<_, StoreError>>()?;
        Ok(Self { record, versions, random: Arc::clone(random) })
    }

    /// Whether it is to be deleted by now.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.record.delete_at.is_some_and(|at| at <= now)
    }

    fn encrypt_now(&self, plaintext: &[u8], aad: &[u8]) -> Result<Encrypted, ManagerError> {
        let failed = |what: &str| ManagerError::Failed(what.to_owned());
        let version = u32::try_from(self.versions.len()).map_err(|_| failed("too many versions"))?;
        let key = self.versions.last().ok_or_else(|| failed("the key has no material"))?.expose();
        let header = Header::fresh(version, &*self.random).map_err(|error| failed(&error.to_string()))?;
        let aad = associated_data(aad, &header.metadata).ok_or_else(|| failed("the data are too long"))?;
        let (ciphertext, tag) = header
            .encrypt(key.expose(), &aad, plaintext)
            .ok_or_else(|| failed("AES-GCM could not encrypt"))?;
        Ok(Encrypted {
            ciphertext,
            iv: header.iv.to_vec(),
            tag,
            metadata: Some(header.metadata.to_vec()),
            integrity: None,
        })
    }

    fn decrypt_now(&self, request: &Decrypt) -> Option<SecretBytes> {
        let metadata = request.ciphertext_metadata.as_deref()?;
        let header = Header::read(metadata, &request.iv)?;
        let index = usize::try_from(header.version()).ok()?.checked_sub(1)?;
        let key = self.versions.get(index)?.expose();
        let aad = associated_data(request.aad.as_deref().unwrap_or_default(), metadata)?;
        header.decrypt(key.expose(), &aad, &request.ciphertext, &request.tag)
    }
}

impl ExternalKey for SealedKey {
    fn facts(&self) -> Facts {
        Facts {
            spec: KEY_SPEC.to_owned(),
            usage: self.record.usage.iter().map(|usage| usage.name().to_owned()).collect(),
            enabled: self.record.enabled && self.record.delete_at.is_none(),
        }
    }

    fn encrypt<'a>(&'a self, plaintext: &'a SecretBytes, aad: &'a [u8]) -> Answering<'a, Encrypted> {
        Box::pin(async { self.encrypt_now(plaintext.expose(), aad) })
    }

    fn decrypt<'a>(&'a self, request: &'a Decrypt) -> Answering<'a, SecretBytes> {
        Box::pin(async { self.decrypt_now(request).ok_or(ManagerError::InvalidCiphertext) })
    }
}

/// The manager of these keys.
pub(crate) struct SealedManager {
    pub(crate) state: Arc<Shared>,
    pub(crate) database: Arc<dyn Database>,
    /// A key of its own, for the health check alone.
    pub(crate) probe: SealedKey,
}

impl SealedManager {
    /// A key that no record has.
    pub(crate) fn probe(
        pages: &LockedKeys,
        random: &Arc<dyn Random>,
        now: Timestamp,
    ) -> Result<SealedKey, StoreError> {
        let record = KeyRecord {
            created: now,
            usage: vec![Usage::Encrypt, Usage::Decrypt],
            enabled: true,
            delete_at: None,
            rules: crate::Rules::default(),
            versions: Vec::new(),
        };
        let material = Key256::generate(&**random)?;
        Ok(SealedKey { record, versions: vec![pages.insert(&material)], random: Arc::clone(random) })
    }

    async fn is_healthy(&self) -> bool {
        let probed = self.probe.encrypt_now(b"health", b"").ok().and_then(|sealed| {
            let request = Decrypt {
                metadata: trent_xks::request::RequestMetadata::default(),
                ciphertext: sealed.ciphertext,
                iv: sealed.iv,
                tag: sealed.tag,
                aad: None,
                ciphertext_metadata: sealed.metadata,
            };
            self.probe.decrypt_now(&request)
        });
        let read = trent_database::read(&*self.database, |records| records.setting(FINGERPRINT)).await;
        probed.is_some_and(|text| text.expose() == b"health") && read.is_ok()
    }
}

impl KeyManager for SealedManager {
    fn vendor(&self) -> &str {
        "trent"
    }

    fn find(&self, store: &str, key: &ExternalKeyId) -> Option<Arc<dyn ExternalKey>> {
        self.state.load().store(store)?.keys.get(key.as_str()).cloned().map(|key| key as _)
    }

    fn health(&self) -> Answering<'_, Vec<Instance>> {
        Box::pin(async {
            let health_status = match self.is_healthy().await {
                true => HealthStatus::Active,
                false => HealthStatus::Unavailable,
            };
            let (id, model) = ("database".to_owned(), "sealed database".to_owned());
            Ok(vec![Instance { id, model, health_status }])
        })
    }
}
