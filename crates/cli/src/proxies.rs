//! The way from the gate to the proxies of external key stores: a client for each key store, made when it is first asked.
//!
//! A client goes by what the record of its store says; when that has changed, so has the client.

mod metrics;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use parking_lot::Mutex;
use trent_crypto::SecretBytes;
use trent_domain::key_store::{ExternalKey, KeyStoreId, Proxy, ProxyFailure};
use trent_domain::quota::Rate;
use trent_gate::{Behalf, ExternalCiphertext, ExternalProxies, ProxyAnswer, ProxyTarget};
use trent_xks::request::{Decrypt, Encrypt, RequestMetadata};
use trent_xks::{Credential, ExternalKeyId, SecretAccessKey};
use trent_xks_client::{
    Client, Endpoint, Failure, Network, Override, Settings, Target, TlsOptions, Version, client_config,
};

use crate::clock::SystemClock;
use crate::config::XksSection;
use crate::failure::misuse;

pub(crate) use metrics::KeyStoreMetrics;

/// Where systems keep the roots they trust: Debian, Red Hat, Alpine and BSD.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// PEM files of the roots that this system trusts; nothing on one that has none.
pub(crate) fn system_roots() -> Vec<u8> {
    SYSTEM_ROOTS.iter().find_map(|path| fs::read(path).ok()).unwrap_or_default()
}

/// Reaches proxies over HTTPS.
pub(crate) struct HttpsProxies {
    // How any of them is reached. Absent where there is no root to verify a proxy by: then none is trusted.
    reached: Option<Target>,
    settings: Settings,
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
    /// Reads the files that the configuration names.
    pub(crate) fn new(section: &XksSection, metrics: KeyStoreMetrics) -> Result<Self> {
        let mut roots = if section.replace_trust_roots { Vec::new() } else { system_roots() };
        for path in &section.extra_trust_roots {
            roots.push(b'\n');
            roots.extend(read(path)?);
        }
        let versions = &[Version::Tls12, Version::Tls13];
        let has_roots = !roots.trim_ascii().is_empty();
        let tls = has_roots
            .then(|| client_config(TlsOptions { roots: &roots, versions, client: None, http2: true }));
        let tls = tls.transpose().context("the roots that external key store proxies are verified by")?;
        let overrides = section.connect_override.iter();
        let overrides = overrides
            .map(|known| Override { host: known.host.clone(), connect_to: known.connect_to.clone() });
        let network =
            Network { overrides: overrides.collect(), allow_private: section.allow_private_addresses };
        let network = Arc::new(network);
        Ok(Self {
            reached: tls.map(|tls| Target { host: String::new(), network, tls }),
            settings: Settings {
                attempt: section.request_timeout_ms.millis(),
                retries: section.timeout_retries.as_u32(),
                rate: Rate::per_second(f64::from(section.requests_per_second.as_u32())),
            },
            clients: Mutex::default(),
            metrics,
        })
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
        let mut reached = Target { host: host.clone(), ..self.reached.clone().ok_or(ProxyFailure::Tls)? };
        if let Some(targets) = targets {
            // The one way to a proxy in a private network, whatever its name means elsewhere.
            let overrides = vec![Override { host, connect_to: targets.clone() }];
            reached.network = Arc::new(Network { overrides, allow_private: false });
        }
        let endpoint = Endpoint { uri_path, region: region.as_str().to_owned(), credential };
        let observer = self.metrics.of(store, proxy.credential.set);
        Ok(Client::new(endpoint, reached, self.settings, Arc::new(SystemClock), Some(observer)))
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
        ..RequestMetadata::default()
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| misuse(format!("{}: {error}", path.display())))
}
