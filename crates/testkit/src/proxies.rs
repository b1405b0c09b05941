//! External key store proxies that live in this process: they encrypt for real, remember what they were asked, and fail
//! when they are told to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use trent_domain::key_store::{ExternalKey, KeyStoreId, ProxyFailure};
use trent_gate::{Behalf, ExternalCiphertext, ExternalProxies, ProxyAnswer, ProxyTarget};
use uuid::Uuid;

/// A request that a proxy got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `health`, `metadata`, `encrypt` or `decrypt`.
    pub api: &'static str,
    /// The host of the proxy.
    pub host: String,
    /// The access key id of the signature.
    pub access_key_id: String,
    /// The secret of the signature.
    pub secret: Vec<u8>,
    /// The external key.
    pub external_key: Option<String>,
    /// On whose behalf: the operation.
    pub operation: &'static str,
    /// The caller of trent.
    pub principal: Option<String>,
    /// The key.
    pub key_arn: Option<String>,
    /// The request to trent.
    pub request_id: Uuid,
    /// What was to be encrypted or decrypted.
    pub text: Vec<u8>,
}

/// The proxies of a test: every name is one, and has the external keys that a test gives it.
#[derive(Debug, Default)]
pub struct TestProxies {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    keys: BTreeMap<String, ExternalKey>,
    failure: Option<ProxyFailure>,
    stalled: bool,
    waiting: usize,
    garbles: bool,
    asked: Vec<Asked>,
    kept: BTreeSet<KeyStoreId>,
    calls: u32,
}

impl TestProxies {
    /// Adds an external key, or replaces it.
    pub fn add_key(&self, id: &str, spec: &str, status: &str, usage: &[&str]) {
        let usage = usage.iter().map(|usage| (*usage).to_owned()).collect();
        let key = ExternalKey { spec: spec.to_owned(), status: status.to_owned(), usage };
        self.state().keys.insert(id.to_owned(), key);
    }

    /// Adds an external key that trent can use.
    pub fn add_good_key(&self, id: &str) {
        self.add_key(id, "AES_256", "ENABLED", &["ENCRYPT", "DECRYPT"]);
    }

    /// Fails every request from now on, or none.
    pub fn fail(&self, failure: Option<ProxyFailure>) {
        self.state().failure = failure;
    }

    /// Leaves requests without an answer for as long as it is told to.
    pub fn stall(&self, stalled: bool) {
        self.state().stalled = stalled;
    }

    /// How many requests wait for their answer.
    pub fn waiting(&self) -> usize {
        self.state().waiting
    }

    /// Decrypts to something else of the same length from now on.
    pub fn garble(&self, garbles: bool) {
        self.state().garbles = garbles;
    }

    /// The key stores that connections are kept for.
    pub fn kept(&self) -> Vec<KeyStoreId> {
        self.state().kept.iter().cloned().collect()
    }

    /// What was asked since the last time.
    pub fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state().asked)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no test panics here")
    }

    async fn ask(
        &self,
        api: &'static str,
        target: &ProxyTarget,
        external_key: Option<&str>,
        text: &[u8],
        behalf: Behalf<'_>,
    ) -> Result<Option<ExternalKey>, ProxyFailure> {
        self.state().kept.insert(target.store.clone());
        self.state().asked.push(Asked {
            api,
            host: target.proxy.endpoint.host().to_owned(),
            access_key_id: target.proxy.credential.access_key_id.clone(),
            secret: target.secret.expose().to_vec(),
            external_key: external_key.map(str::to_owned),
            operation: behalf.operation,
            principal: behalf.principal.map(str::to_owned),
            key_arn: behalf.key_arn.map(str::to_owned),
            request_id: behalf.request_id,
            text: text.to_vec(),
        });
        self.state().waiting += 1;
        while self.state().stalled {
            tokio::task::yield_now().await;
        }
        self.state().waiting -= 1;
        let state = self.state();
        if let Some(failure) = state.failure {
            return Err(failure);
        }
        match external_key {
            None => Ok(None),
            Some(id) => state.keys.get(id).cloned().map(Some).ok_or(ProxyFailure::KeyNotFound),
        }
    }
}

impl ExternalProxies for TestProxies {
    fn health<'a>(&'a self, target: &'a ProxyTarget, behalf: Behalf<'a>) -> ProxyAnswer<'a, ()> {
        Box::pin(async move { self.ask("health", target, None, &[], behalf).await.map(|_| ()) })
    }

    fn describe<'a>(
        &'a self,
        target: &'a ProxyTarget,
        external_key: &'a str,
        behalf: Behalf<'a>,
    ) -> ProxyAnswer<'a, ExternalKey> {
        Box::pin(async move {
            let key = self.ask("metadata", target, Some(external_key), &[], behalf).await?;
            key.ok_or(ProxyFailure::KeyNotFound)
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
            self.ask("encrypt", target, Some(external_key), plaintext, behalf).await?;
            let calls = {
                let mut state = self.state();
                state.calls += 1;
                state.calls
            };
            let mut iv = [0; 12];
            iv[..4].copy_from_slice(&calls.to_be_bytes());
            let mut ciphertext = plaintext.to_vec();
            let tag = key(external_key)
                .seal_in_place_separate_tag(
                    Nonce::assume_unique_for_key(iv),
                    Aad::from(additional_data),
                    &mut ciphertext,
                )
                .expect("sealed");
            let (iv, tag, metadata) = (iv.to_vec(), tag.as_ref().to_vec(), Some(b"v1".to_vec()));
            Ok(ExternalCiphertext { ciphertext, iv, tag, metadata })
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
            self.ask("decrypt", target, Some(external_key), &ciphertext.ciphertext, behalf).await?;
            let invalid = |_| ProxyFailure::InvalidCiphertext;
            if ciphertext.metadata.as_deref() != Some(b"v1") {
                return Err(ProxyFailure::InvalidCiphertext);
            }
            let nonce = Nonce::try_assume_unique_for_key(&ciphertext.iv).map_err(invalid)?;
            let mut text = [ciphertext.ciphertext.as_slice(), &ciphertext.tag].concat();
            let opened = key(external_key)
                .open_in_place(nonce, Aad::from(additional_data), &mut text)
                .map_err(invalid)?;
            if self.state().garbles {
                opened.iter_mut().for_each(|byte| *byte = !*byte);
            }
            Ok(opened.to_vec())
        })
    }

    fn forget(&self, store: &KeyStoreId) {
        self.state().kept.remove(store);
    }
}

// The external key is its name.
fn key(id: &str) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, digest(&SHA256, id.as_bytes()).as_ref()).expect("a key"))
}
