//! Custom key stores: their secrets, the way to what is behind them, and whether that is well. No key is used here.

use std::sync::Arc;

use trent_crypto::envelope::label;
use trent_crypto::{Purpose, SecretBytes};
use trent_database::DatabaseError;
use trent_domain::key_store::{
    EndpointService, KeyStore, KeyStoreId, ProxyFailure, Reach, RegisteredCluster, ServiceError, find_service,
};
use trent_keystore::{Behalf, ProxyTarget, RingName, StoreError};

use crate::opening::Gate;
use crate::refusal::Refusal;

/// What an operator says of the world behind custom key stores.
#[derive(Debug, Default)]
pub struct Registry {
    /// The ways to proxies in private networks.
    pub services: Vec<EndpointService>,
    /// The clusters of HSMs.
    pub clusters: Vec<RegisteredCluster>,
}

/// What trent shows to what is behind a key store. It is read by nobody else.
#[derive(Debug, PartialEq)]
pub struct KeyStoreCredential(pub(crate) SecretBytes);

impl KeyStoreCredential {
    /// Takes a secret that a caller has sent.
    pub fn new(secret: SecretBytes) -> Self {
        Self(secret)
    }
}

impl Gate {
    /// Replaces what the operator says of the world behind custom key stores.
    pub fn register(&self, registry: Registry) {
        self.registry.store(registry.into());
    }

    /// What the operator says of it now.
    pub fn registered(&self) -> Arc<Registry> {
        self.registry.load_full()
    }

    /// Seals the secret of a key store for its record.
    pub async fn seal_key_store_secret(
        &self,
        store: &KeyStore,
        credential: &KeyStoreCredential,
    ) -> Result<Vec<u8>, Refusal> {
        let KeyStore { account, region, id, .. } = store;
        self.domain_key(*account, *region).await?;
        let ring = RingName::Domain { account: *account, region: *region };
        let owner = owner(store, id);
        let purpose = Purpose::new(label::KEY_STORE_SECRET, &owner);
        Ok(self.keyring.seal(ring, &purpose, credential.0.expose())?)
    }

    /// Opens the secret in the record of a key store.
    pub fn open_key_store_secret(&self, store: &KeyStore) -> Result<KeyStoreCredential, Refusal> {
        Ok(self.open_credential(store)?)
    }

    pub(crate) fn open_credential(&self, store: &KeyStore) -> Result<KeyStoreCredential, StoreError> {
        self.open_sealed_secret(store, &store.sealed_secret)
    }

    pub(crate) fn open_sealed_secret(
        &self,
        store: &KeyStore,
        sealed: &[u8],
    ) -> Result<KeyStoreCredential, StoreError> {
        let ring = RingName::Domain { account: store.account, region: store.region };
        let owner = owner(store, &store.id);
        let purpose = Purpose::new(label::KEY_STORE_SECRET, &owner);
        Ok(KeyStoreCredential(self.keyring.open(ring, &purpose, sealed)?))
    }

    /// Whether there is a way to the proxy of a key store.
    pub fn check_route(&self, store: &KeyStore) -> Result<(), ServiceError> {
        self.targets(store).map(|_| ())
    }

    /// Whether the proxy of a key store is well. One without a way to it is not reached.
    pub async fn proxy_health(
        &self,
        store: &KeyStore,
        credential: &KeyStoreCredential,
        behalf: Behalf<'_>,
    ) -> Result<(), ProxyFailure> {
        let target = self.target(store, credential).ok_or(ProxyFailure::NotReachable)?;
        self.proxies.health(&target, behalf).await
    }

    /// Forgets the connections to what is behind a key store.
    pub fn forget_key_store(&self, store: &KeyStoreId) {
        self.proxies.forget(store);
    }

    pub(crate) fn target(&self, store: &KeyStore, credential: &KeyStoreCredential) -> Option<ProxyTarget> {
        Some(ProxyTarget {
            store: store.id.clone(),
            region: store.region,
            proxy: store.proxy()?.clone(),
            secret: credential.0.expose().clone().into(),
            targets: self.targets(store).ok()?,
        })
    }

    /// The record of a key store: from memory, else from the database.
    pub(crate) async fn key_store(&self, id: &KeyStoreId) -> Result<Option<Arc<KeyStore>>, DatabaseError> {
        if let Some(known) = self.cache.key_store(id) {
            return Ok(Some(known));
        }
        let generation = self.cache.generation(id);
        let asked = id.clone();
        let found = trent_database::read(&*self.database, move |records| records.key_store(&asked)).await?;
        Ok(found.map(|record| self.cache.insert_key_store(record, generation)))
    }

    /// Where connections to a proxy go, if not to its own name.
    fn targets(&self, store: &KeyStore) -> Result<Option<Vec<String>>, ServiceError> {
        let Some(proxy) = store.proxy() else { return Ok(None) };
        match &proxy.reach {
            Reach::Public => Ok(None),
            Reach::VpcEndpointService { name, owner } => {
                let registry = self.registry.load();
                let host = proxy.endpoint.host();
                let service = find_service(&registry.services, name, *owner, store.region, host)?;
                Ok(Some(service.targets.clone()))
            }
        }
    }
}

fn owner<'a>(store: &'a KeyStore, id: &'a KeyStoreId) -> [(&'a str, &'a [u8]); 3] {
    [
        ("account", store.account.as_str().as_bytes()),
        ("region", store.region.as_str().as_bytes()),
        ("key-store", id.as_str().as_bytes()),
    ]
}
