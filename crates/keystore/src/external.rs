//! Key managers outside trent: what is asked of the proxies in front of them.
//!
//! This crate says what it needs; how requests get there (TLS, retries, signatures) is the business of whoever
//! implements [`ExternalProxies`]. Nothing here waits.

use std::future::Future;
use std::pin::Pin;

use trent_crypto::SecretBytes;
use trent_domain::identifier::Region;
use trent_domain::key_store::{ExternalKey, KeyStoreId, Proxy, ProxyFailure};
use uuid::Uuid;

/// What a proxy answers, once it does.
pub type ProxyAnswer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ProxyFailure>> + Send + 'a>>;

/// A proxy, with all that a request to it needs.
#[derive(Debug)]
pub struct ProxyTarget {
    /// The key store that it belongs to. One that is being created has its id already.
    pub store: KeyStoreId,
    /// The Region that requests are signed for.
    pub region: Region,
    /// Where it is, and the public half of the credential.
    pub proxy: Proxy,
    /// The secret half of the credential.
    pub secret: SecretBytes,
    /// Where connections go that do not go to the proxy's own name: host and port.
    pub targets: Option<Vec<String>>,
}

/// On whose behalf a proxy is asked. It is told all of this.
#[derive(Debug, Clone, Copy)]
pub struct Behalf<'a> {
    /// The operation of the API that leads to the request, or `KmsHealthCheck`.
    pub operation: &'static str,
    /// The id of the request to trent.
    pub request_id: Uuid,
    /// Who called trent; nobody for a check of the proxy's health.
    pub principal: Option<&'a str>,
    /// The key, once there is one.
    pub key_arn: Option<&'a str>,
    /// The service that called on the caller's behalf.
    pub via_service: Option<&'a str>,
    /// The private endpoint that the request to trent came through, and the network behind that.
    pub source: Option<(&'a str, &'a str)>,
}

impl Behalf<'_> {
    /// On behalf of nobody: whether a proxy is well.
    pub const fn health(operation: &'static str, request_id: Uuid) -> Self {
        Self { operation, request_id, principal: None, key_arn: None, via_service: None, source: None }
    }
}

/// What a proxy makes of a plaintext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalCiphertext {
    /// As long as the plaintext.
    pub ciphertext: Vec<u8>,
    /// 12 or 16 bytes.
    pub iv: Vec<u8>,
    /// 16 bytes.
    pub tag: Vec<u8>,
    /// Up to 20 bytes that must come back when the ciphertext does; having none is not the same as having empty ones.
    pub metadata: Option<Vec<u8>>,
}

/// What reaches the proxies of external key stores.
pub trait ExternalProxies: Send + Sync {
    /// Whether a proxy, and something behind it, is well.
    fn health<'a>(&'a self, target: &'a ProxyTarget, behalf: Behalf<'a>) -> ProxyAnswer<'a, ()>;

    /// What an external key is.
    fn describe<'a>(
        &'a self,
        target: &'a ProxyTarget,
        external_key: &'a str,
        behalf: Behalf<'a>,
    ) -> ProxyAnswer<'a, ExternalKey>;

    /// Encrypts with an external key. The answer has been compared with its integrity value.
    fn encrypt<'a>(
        &'a self,
        target: &'a ProxyTarget,
        external_key: &'a str,
        plaintext: &'a [u8],
        additional_data: &'a [u8],
        behalf: Behalf<'a>,
    ) -> ProxyAnswer<'a, ExternalCiphertext>;

    /// Decrypts with an external key.
    fn decrypt<'a>(
        &'a self,
        target: &'a ProxyTarget,
        external_key: &'a str,
        ciphertext: &'a ExternalCiphertext,
        additional_data: &'a [u8],
        behalf: Behalf<'a>,
    ) -> ProxyAnswer<'a, Vec<u8>>;

    /// Forgets a key store: its connections are closed.
    fn forget(&self, store: &KeyStoreId);
}

/// Reaches no proxy: for deployments, and tests, without any.
#[derive(Debug, Clone, Copy)]
pub struct NoProxies;

fn unreachable<'a, T: Send + 'a>() -> ProxyAnswer<'a, T> {
    Box::pin(std::future::ready(Err(ProxyFailure::NotReachable)))
}

impl ExternalProxies for NoProxies {
    fn health<'a>(&'a self, _: &'a ProxyTarget, _: Behalf<'a>) -> ProxyAnswer<'a, ()> {
        unreachable()
    }

    fn describe<'a>(&'a self, _: &'a ProxyTarget, _: &'a str, _: Behalf<'a>) -> ProxyAnswer<'a, ExternalKey> {
        unreachable()
    }

    fn encrypt<'a>(
        &'a self,
        _: &'a ProxyTarget,
        _: &'a str,
        _: &'a [u8],
        _: &'a [u8],
        _: Behalf<'a>,
    ) -> ProxyAnswer<'a, ExternalCiphertext> {
        unreachable()
    }

    fn decrypt<'a>(
        &'a self,
        _: &'a ProxyTarget,
        _: &'a str,
        _: &'a ExternalCiphertext,
        _: &'a [u8],
        _: Behalf<'a>,
    ) -> ProxyAnswer<'a, Vec<u8>> {
        unreachable()
    }

    fn forget(&self, _: &KeyStoreId) {}
}
