//! The way from the gate to the proxies of external key stores: a client for each key store, made when it is first asked.
//!
//! A client goes by what the record of its store says; when that has changed, so has the client. How any of them is
//! reached, the operator says.

mod metrics;
mod ways;

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use trent_crypto::SecretBytes;
use trent_domain::key_store::{ExternalKey, KeyStoreId, Proxy, ProxyFailure};
use trent_gate::{Behalf, ExternalCiphertext, ExternalProxies, ProxyAnswer, ProxyTarget};
use trent_xks::request::{Decrypt, Encrypt, RequestMetadata};
use trent_xks::{Credential, ExternalKeyId, SecretAccessKey};
use trent_xks_client::{Client, Endpoint, Failure};

use crate::clock::SystemClock;

pub(crate) use metrics::KeyStoreMetrics;
pub(crate) use ways::{Ways, system_roots};

/// Reaches proxies over HTTPS.
pub(crate) struct HttpsProxies {
    ways: ArcSwap<Ways>,
    clients: Mutex<HashMap<KeyStoreId, Kept>>,
    metrics: KeyStoreMetrics,
}

/// A client, and what it was made of.
struct Kept {
    proxy: Proxy,
    targets: Option<Vec<String>>,
    client: Arc<Client>,
}

impl HttpsProxies {
    /// Reaches proxies in these ways.
    pub(crate) fn new(ways: Ways, metrics: KeyStoreMetrics) -> Self {
        Self { ways: ArcSwap::from_pointee(ways), clients: Mutex::default(), metrics }
    }

    /// Reaches proxies in other ways from now on, over new connections.
    pub(crate) fn put(&self, ways: Ways) {
        self.ways.store(Arc::new(ways));
        self.clients.lock().clear();
    }

    fn client(&self, target: &ProxyTarget) -> Result<Arc<Client>, ProxyFailure> {
        let mut clients = self.clients.lock();
        if let Some(kept) = clients.get(&target.store)
            && kept.proxy == target.proxy
            && kept.targets == target.targets
        {
            return Ok(Arc::clone(&kept.client));
        }
        let client = Arc::new(self.make(target)?);
        let kept = Kept {
            proxy: target.proxy.clone(),
            targets: target.targets.clone(),
            client: Arc::clone(&client),
        };
        clients.insert(target.store.clone(), kept);
        Ok(client)
    }

    fn make(&self, target: &ProxyTarget) -> Result<Client, ProxyFailure> {
        let ProxyTarget { region, proxy, secret, targets, store } = target;
        let host = proxy.endpoint.host().to_owned();
        // The record was checked when it was made.
        let broken = |what: &str| {
            tracing::error!(key_store = %store, what, "the record of a custom key store is broken");
            ProxyFailure::Malformed
        };
        let secret = SecretBytes::from(secret.expose().clone());
        let credential = Credential {
            access_key_id: proxy.credential.access_key_id.parse().map_err(|_| broken("access key id"))?,
            secret: SecretAccessKey::new(secret).map_err(|_| broken("secret"))?,
        };
        let uri_path = proxy.path.parse().map_err(|_| broken("path"))?;
        let ways = self.ways.load();
        let reached = ways.to(&host, &proxy.path, targets.as_deref()).ok_or(ProxyFailure::Tls)?;
        let endpoint = Endpoint { uri_path, region: region.as_str().to_owned(), credential };
        let observer = self.metrics.of(store, proxy.credential.set);
        Ok(Client::new(endpoint, reached, ways.settings(), Arc::new(SystemClock), Some(observer)))
    }
}

impl ExternalProxies for HttpsProxies {
    fn health<'a>(&'a self, target: &'a ProxyTarget, behalf: Behalf<'a>) -> ProxyAnswer<'a, ()> {
        Box::pin(async move {
            let client = self.client(target)?;
            let health = client.health(behalf.operation, &behalf.request_id.to_string()).await;
            health.map(|_| ()).map_err(|failure| failure.kind())
        })
    }

    fn describe<'a>(
        &'a self,
        target: &'a ProxyTarget,
        external_key: &'a str,
        behalf: Behalf<'a>,
    ) -> ProxyAnswer<'a, ExternalKey> {
        Box::pin(async move {
            let (client, key) = (self.client(target)?, key(external_key)?);
            let found =
                client.key_metadata(&key, &metadata(behalf)).await.map_err(|failure| failure.kind())?;
            Ok(ExternalKey { spec: found.key_spec, status: found.key_status, usage: found.key_usage })
        })
    }

    fn encrypt<'a>(
        &'a self,
        target: &'a ProxyTarget,
        external_key: &'a str,
        plaintext: &'a [u8],
        additional_data: &'a [u8],
        behalf: Behalf<'a>,
    ) -> ProxyAnswer<'a, ExternalCiphertext> {
        Box::pin(async move {
            let (client, key) = (self.client(target)?, key(external_key)?);
            let request = Encrypt {
                metadata: metadata(behalf),
                plaintext: SecretBytes::from(plaintext.to_vec()),
                aad: Some(additional_data.to_vec()),
                with_integrity: true,
            };
            let made = client.encrypt(&key, &request).await.map_err(|failure| failure.kind())?;
            let (iv, tag, metadata) = (made.iv, made.tag.to_vec(), made.metadata);
            Ok(ExternalCiphertext { ciphertext: made.ciphertext, iv, tag, metadata })
        })
    }

    fn decrypt<'a>(
        &'a self,
        target: &'a ProxyTarget,
        external_key: &'a str,
        ciphertext: &'a ExternalCiphertext,
        additional_data: &'a [u8],
        behalf: Behalf<'a>,
    ) -> ProxyAnswer<'a, Vec<u8>> {
        Box::pin(async move {
            let (client, key) = (self.client(target)?, key(external_key)?);
            let request = Decrypt {
                metadata: metadata(behalf),
                ciphertext: ciphertext.ciphertext.clone(),
                iv: ciphertext.iv.clone(),
                tag: ciphertext.tag.as_slice().try_into().map_err(|_| ProxyFailure::InvalidCiphertext)?,
                aad: Some(additional_data.to_vec()),
                ciphertext_metadata: ciphertext.metadata.clone(),
            };
            let plaintext: Result<SecretBytes, Failure> = client.decrypt(&key, &request).await;
            plaintext.map(|plaintext| plaintext.expose().clone()).map_err(|failure| failure.kind())
        })
    }

    fn forget(&self, store: &KeyStoreId) {
        self.clients.lock().remove(store);
        self.metrics.forget(store);
    }
}

fn key(id: &str) -> Result<ExternalKeyId, ProxyFailure> {
    id.parse().map_err(|_| ProxyFailure::KeyNotFound)
}

fn metadata(behalf: Behalf<'_>) -> RequestMetadata {
    RequestMetadata {
        aws_principal_arn: behalf.principal.map(str::to_owned),
        kms_key_arn: behalf.key_arn.map(str::to_owned),
        kms_operation: behalf.operation.to_owned(),
        kms_request_id: behalf.request_id.to_string(),
        kms_via_service: behalf.via_service.map(str::to_owned),
        aws_source_vpce: behalf.source.map(|(endpoint, _)| endpoint.to_owned()),
        aws_source_vpc: behalf.source.map(|(_, network)| network.to_owned()),
    }
}
