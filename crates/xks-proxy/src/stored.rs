//! Keys that records tell of. Material is sealed in the database, in memory-locked pages here, all of it opened when it
//! is loaded; or it is in a token, which does what is asked. A key may have versions of both kinds.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
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
use crate::record::{Kept, KeyRecord, Owner, Seals};
use crate::state::{Loading, Shared};
use crate::tokens::{TokenKey, TokenSealed, Tokens, metadata, version_of};

/// Instances that an answer may name.
const INSTANCES_MAX: usize = 10;
/// How long a token may take to say how it is. KMS waits 250 ms for the whole answer.
const HEALTH_WAIT: Duration = Duration::from_millis(150);

/// An external key, ready to be used.
pub(crate) struct StoredKey {
    pub(crate) record: KeyRecord,
    versions: Vec<Material>,
    random: Arc<dyn Random>,
    tokens: Arc<dyn Tokens>,
}

/// The material of a version.
enum Material {
    Here(LockedKey),
    InToken(TokenKey),
}

impl StoredKey {
    /// Opens all versions of a key that are sealed here.
    pub(crate) fn open(
        (store, key): (&str, &str),
        record: KeyRecord,
        with: &Loading<'_>,
    ) -> Result<Self, StoreError> {
        let seals = Seals(with.keyring);
        let versions = (1..).zip(&record.versions).map(|(version, record)| match &record.material {
            Kept::InToken(key) => Ok(Material::InToken(key.clone())),
            Kept::Here(sealed) => {
                let material = seals.open_material(Owner { store, key, version }, sealed)?;
                let material = Key256::from_slice(material.expose())
                    .ok_or_else(|| StoreError::Unsealable { what: format!("external key {store}/{key}") })?;
                Ok(Material::Here(with.pages.insert(&material)))
            }
        });
        let versions = versions.collect::<Result<_, StoreError>>()?;
        let (random, tokens) = (Arc::clone(with.random), Arc::clone(with.tokens));
        Ok(Self { record, versions, random, tokens })
    }

    /// Whether it is to be deleted by now.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.record.delete_at.is_some_and(|at| at <= now)
    }

    async fn encrypt_now(&self, plaintext: &[u8], aad: &[u8]) -> Result<Encrypted, ManagerError> {
        let version = u32::try_from(self.versions.len()).map_err(|_| failed("too many versions"))?;
        match self.versions.last().ok_or_else(|| failed("the key has no material"))? {
            Material::Here(key) => encrypt_here(key, version, &*self.random, plaintext, aad),
            Material::InToken(key) => {
                let metadata = metadata(version);
                let aad = associated_data(aad, &metadata).ok_or_else(|| failed("the data are too long"))?;
                let TokenSealed { iv, ciphertext, tag } = self.tokens.encrypt(key, plaintext, &aad).await?;
                let (iv, metadata) = (iv.to_vec(), Some(metadata.to_vec()));
                Ok(Encrypted { ciphertext, iv, tag, metadata, integrity: None })
            }
        }
    }

    async fn decrypt_now(&self, request: &Decrypt) -> Result<SecretBytes, ManagerError> {
        let wrong = || ManagerError::InvalidCiphertext;
        let metadata = request.ciphertext_metadata.as_deref().ok_or_else(wrong)?;
        let header = Header::read(metadata, &request.iv);
        let version = header.map(|header| header.version()).or_else(|| version_of(metadata));
        let index = version.and_then(|version| usize::try_from(version).ok()?.checked_sub(1));
        let material = index.and_then(|index| self.versions.get(index)).ok_or_else(wrong)?;
        let aad = associated_data(request.aad.as_deref().unwrap_or_default(), metadata).ok_or_else(wrong)?;
        match (material, header) {
            (Material::Here(key), Some(header)) => header
                .decrypt(key.expose().expose(), &aad, &request.ciphertext, &request.tag)
                .ok_or_else(wrong),
            (Material::InToken(key), None) => {
                let iv = request.iv.as_slice().try_into().map_err(|_| wrong())?;
                let sealed = TokenSealed { iv, ciphertext: request.ciphertext.clone(), tag: request.tag };
                self.tokens.decrypt(key, sealed, &aad).await
            }
            (Material::Here(_), None) | (Material::InToken(_), Some(_)) => Err(wrong()),
        }
    }

    async fn look_now(&self) -> Result<(), ManagerError> {
        match self.versions.last() {
            Some(Material::InToken(key)) => self.tokens.find(key).await.map(drop),
            _ => Ok(()),
        }
    }
}

fn encrypt_here(
    key: &LockedKey,
    version: u32,
    random: &dyn Random,
    plaintext: &[u8],
    aad: &[u8],
) -> Result<Encrypted, ManagerError> {
    let header = Header::fresh(version, random).map_err(|error| failed(&error.to_string()))?;
    let aad = associated_data(aad, &header.metadata).ok_or_else(|| failed("the data are too long"))?;
    let sealed = header.encrypt(key.expose().expose(), &aad, plaintext);
    let (ciphertext, tag) = sealed.ok_or_else(|| failed("AES-GCM could not encrypt"))?;
    let (iv, metadata) = (header.iv.to_vec(), Some(header.metadata.to_vec()));
    Ok(Encrypted { ciphertext, iv, tag, metadata, integrity: None })
}

fn failed(what: &str) -> ManagerError {
    ManagerError::Failed(what.to_owned())
}

impl ExternalKey for StoredKey {
    fn facts(&self) -> Facts {
        Facts {
            spec: KEY_SPEC.to_owned(),
            usage: self.record.usage.iter().map(|usage| usage.name().to_owned()).collect(),
            enabled: self.record.enabled && self.record.delete_at.is_none(),
        }
    }

    fn look(&self) -> Answering<'_, ()> {
        Box::pin(self.look_now())
    }

    fn encrypt<'a>(&'a self, plaintext: &'a SecretBytes, aad: &'a [u8]) -> Answering<'a, Encrypted> {
        Box::pin(self.encrypt_now(plaintext.expose(), aad))
    }

    fn decrypt<'a>(&'a self, request: &'a Decrypt) -> Answering<'a, SecretBytes> {
        Box::pin(self.decrypt_now(request))
    }
}

/// The manager of these keys.
pub(crate) struct StoredManager {
    pub(crate) state: Arc<Shared>,
    pub(crate) database: Arc<dyn Database>,
    pub(crate) tokens: Arc<dyn Tokens>,
    /// A key of its own, for the health check alone.
    pub(crate) probe: Probe,
}

/// A key that no record has.
pub(crate) struct Probe {
    key: LockedKey,
    random: Arc<dyn Random>,
}

impl Probe {
    fn is_well(&self) -> bool {
        let Ok(header) = Header::fresh(1, &*self.random) else { return false };
        let key = self.key.expose();
        let sealed = header.encrypt(key.expose(), b"", b"health");
        let opened = sealed.and_then(|(text, tag)| header.decrypt(key.expose(), b"", &text, &tag));
        opened.is_some_and(|text| text.expose() == b"health")
    }
}

impl StoredManager {
    pub(crate) fn probe(pages: &LockedKeys, random: &Arc<dyn Random>) -> Result<Probe, StoreError> {
        let key = pages.insert(&Key256::generate(&**random)?);
        Ok(Probe { key, random: Arc::clone(random) })
    }

    async fn database(&self) -> Instance {
        let read = trent_database::read(&*self.database, |records| records.setting(FINGERPRINT)).await;
        let health_status = match self.probe.is_well() && read.is_ok() {
            true => HealthStatus::Active,
            false => HealthStatus::Unavailable,
        };
        Instance { id: "database".to_owned(), model: "sealed database".to_owned(), health_status }
    }

    /// Where the keys of a store encrypt: whether here, and in which tokens.
    fn places(&self, store: &str) -> (bool, BTreeSet<String>) {
        let state = self.state.load();
        let keys = state.store(store).into_iter().flat_map(|store| store.keys.values());
        let (mut here, mut tokens) = (false, BTreeSet::new());
        for version in keys.filter_map(|key| key.versions.last()) {
            match version {
                Material::Here(_) => here = true,
                Material::InToken(key) => {
                    tokens.insert(key.token.clone());
                }
            }
        }
        (here || tokens.is_empty(), tokens)
    }

    async fn instances(&self, store: &str) -> Vec<Instance> {
        let (here, tokens) = self.places(store);
        let mut instances = Vec::new();
        if here {
            instances.push(self.database().await);
        }
        let mut asked = JoinSet::new();
        for token in tokens.into_iter().take(INSTANCES_MAX - instances.len()) {
            asked.spawn(health_of(Arc::clone(&self.tokens), token));
        }
        let mut told = asked.join_all().await;
        told.sort_by(|one, other| one.id.cmp(&other.id));
        instances.extend(told);
        instances
    }
}

async fn health_of(tokens: Arc<dyn Tokens>, token: String) -> Instance {
    let told = timeout(HEALTH_WAIT, tokens.health(&token)).await;
    told.unwrap_or(Err(ManagerError::Timeout)).unwrap_or_else(|error| {
        tracing::warn!(token, %error, "a token is not well");
        Instance {
            id: format!("token {token}"),
            model: "PKCS#11 token".to_owned(),
            health_status: HealthStatus::Unavailable,
        }
    })
}

impl KeyManager for StoredManager {
    fn vendor(&self) -> &str {
        "trent"
    }

    fn find(&self, store: &str, key: &ExternalKeyId) -> Option<Arc<dyn ExternalKey>> {
        self.state.load().store(store)?.keys.get(key.as_str()).cloned().map(|key| key as _)
    }

    fn health<'a>(&'a self, store: &'a str) -> Answering<'a, Vec<Instance>> {
        Box::pin(async move { Ok(self.instances(store).await) })
    }
}
