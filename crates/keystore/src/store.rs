//! The trait of every place where key material lives, and of the opened keys that come out of one.

use std::sync::Arc;

use trent_crypto::{CanonicalContext, RandomError, SealError, SecretBytes};
use trent_domain::identifier::{AccountId, KeyId, MaterialId, Region};
use trent_domain::key::Key;
use trent_domain::rotation::Material;

/// Whose material is made: it is bound to the key, so that a sealed copy opens nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The account of the key.
    pub account: AccountId,
    /// The Region of the key.
    pub region: Region,
    /// The id of the key.
    pub key: KeyId,
}

impl Owner {
    /// The owner that `key` is.
    pub fn of(key: &Key) -> Self {
        Self { account: key.account, region: key.region, key: key.id }
    }
}

/// Material that has just been made and is not yet in any record.
#[derive(Debug)]
#[must_use]
pub struct NewMaterial {
    /// Its id.
    pub id: MaterialId,
    /// The material, sealed.
    pub sealed: Vec<u8>,
}

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The ciphertext is altered, of other material, or was made with another encryption context.
    #[error("the ciphertext does not open")]
    InvalidCiphertext,
    /// The ring has no key of this name yet.
    #[error("the key ring has no key `{0}`")]
    UnknownRingKey(String),
    /// Sealed material does not open: it is damaged, or another root key sealed it.
    #[error("sealed `{what}` does not open: it is damaged, or sealed under another root key")]
    Unsealable {
        /// What was to be opened.
        what: String,
    },
    /// The random number generator failed.
    #[error("no randomness")]
    Random(#[from] RandomError),
    /// Nothing could be sealed.
    #[error("could not seal")]
    Seal(#[from] SealError),
}

/// A place where key material lives.
pub trait KeyStore: Send + Sync {
    /// Makes material for a key of 256 bits.
    fn generate(&self, owner: Owner) -> Result<NewMaterial, StoreError>;

    /// Opens one material of a key for use.
    fn open(&self, key: &Key, material: &Material) -> Result<Arc<dyn SymmetricKey>, StoreError>;
}

/// An opened symmetric key: encrypts and decrypts messages, each under a key of its own.
pub trait SymmetricKey: Send + Sync {
    /// Encrypts `plaintext` and binds `context` to it; gives the whole ciphertext blob.
    fn encrypt(&self, plaintext: &[u8], context: &CanonicalContext) -> Result<Vec<u8>, StoreError>;

    /// Decrypts a ciphertext blob that this material made with the same context.
    fn decrypt(&self, blob: &[u8], context: &CanonicalContext) -> Result<SecretBytes, StoreError>;
}
