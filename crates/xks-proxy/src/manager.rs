//! The trait of whatever keeps external keys: trent's sealed database, and tokens behind PKCS#11.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use trent_crypto::SecretBytes;
use trent_xks::ExternalKeyId;
use trent_xks::request::Decrypt;
use trent_xks::response::{Encrypted, Instance, KeyMetadata};

/// An answer that may have to be waited for.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = Result<T, ManagerError>> + Send + 'a>>;

/// Why a manager could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ManagerError {
    /// The ciphertext does not open.
    #[error("the ciphertext, or what belongs to it, is not what the key made")]
    InvalidCiphertext,
    /// It did not answer in time.
    #[error("the key manager did not answer in time")]
    Timeout,
    /// It is busy.
    #[error("the key manager is busy")]
    Busy,
    /// It has no such key, or no more.
    #[error("the key is not there")]
    NotFound,
    /// The key may not be used for this.
    #[error("the key may not be used for this")]
    NotPermitted,
    /// Anything else.
    #[error("the key manager failed: {0}")]
    Failed(String),
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its kind, `AES_256` if KMS is to take it.
    pub spec: String,
    /// What it may be used for.
    pub usage: Vec<String>,
    /// Whether it may be used now.
    pub enabled: bool,
}

impl Facts {
    /// Whether it may be used for something.
    #[must_use]
    pub fn allows(&self, usage: &str) -> bool {
        self.usage.iter().any(|other| other == usage)
    }

    pub(crate) fn to_metadata(&self) -> KeyMetadata {
        let status = if self.enabled { KeyMetadata::ENABLED } else { KeyMetadata::DISABLED };
        KeyMetadata {
            key_spec: self.spec.clone(),
            key_usage: self.usage.clone(),
            key_status: status.to_owned(),
        }
    }
}

/// A key that is ready to be used.
pub trait ExternalKey: Send + Sync {
    /// What is known of it.
    fn facts(&self) -> Facts;

    /// Whether it is there now.
    fn look(&self) -> Answering<'_, ()>;

    /// Encrypts; the answer has no integrity value yet.
    fn encrypt<'a>(&'a self, plaintext: &'a SecretBytes, aad: &'a [u8]) -> Answering<'a, Encrypted>;

    /// Decrypts.
    fn decrypt<'a>(&'a self, request: &'a Decrypt) -> Answering<'a, SecretBytes>;
}

/// A place where keys live.
pub trait KeyManager: Send + Sync {
    /// Who made it.
    fn vendor(&self) -> &str;

    /// A key of a store.
    fn find(&self, store: &str, key: &ExternalKeyId) -> Option<Arc<dyn ExternalKey>>;

    /// How the instances that a store depends on are, found out without a key that a KMS key is bound to.
    fn health<'a>(&'a self, store: &'a str) -> Answering<'a, Vec<Instance>>;
}
