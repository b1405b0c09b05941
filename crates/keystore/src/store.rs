//! The trait of every place where key material lives, and of the opened keys that come out of one.
//!
//! What a kind of key can do is a trait of one or two methods. What a store lacks simply does not come out of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use trent_crypto::ciphertext::double::Sealed;
use trent_crypto::{CanonicalContext, Key256, RandomError, SealError, SecretBytes};
use trent_domain::identifier::{AccountId, KeyId, MaterialId, Region};
use trent_domain::key::Key;
use trent_domain::rotation::Material;
use trent_domain::time::Timestamp;
use trent_protocol::{
    DataKeyPairSpec, EncryptionAlgorithm, KeySpec, MessageType, SigningAlgorithm, WrappingAlgorithm,
    WrappingKeySpec,
};

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
    /// The public key as DER SubjectPublicKeyInfo, of key pairs.
    pub public: Option<Arc<[u8]>>,
    /// The material, sealed.
    pub sealed: Vec<u8>,
}

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The ciphertext is altered, of other material, or was made with another encryption context.
    #[error("the ciphertext does not open")]
    InvalidCiphertext,
    /// The signature is not one of this key and message.
    #[error("the signature is not valid")]
    InvalidSignature,
    /// The MAC is not that of this key and message.
    #[error("the MAC is not valid")]
    InvalidMac,
    /// The public key of the other side is malformed, or not on the curve of this key.
    #[error("the public key is not one to agree with")]
    InvalidPublicKey,
    /// The import token is none, or one of another key.
    #[error("the import token is not one of this key")]
    InvalidImportToken,
    /// The import token has expired.
    #[error("the import token has expired")]
    ExpiredImportToken,
    /// What was wrapped is not material of the key's spec.
    #[error("the wrapped bytes are not material of the key's spec")]
    IncorrectMaterial,
    /// The store has no keys of this spec, or none that do this.
    #[error("the key store has no {0} keys that do this")]
    Unsupported(KeySpec),
    /// The ring has no key of this name yet.
    #[error("the key ring has no key `{0}`")]
    UnknownRingKey(String),
    /// Sealed material does not open: it is damaged, or another root key sealed it.
    #[error("sealed `{what}` does not open: it is damaged, or sealed under another root key")]
    Unsealable {
        /// What was to be opened.
        what: String,
    },
    /// The operating system gave no threads, without which nothing that takes long would ever be done.
    #[error("cannot start the threads of the key store")]
    NoThreads(#[source] std::io::Error),
    /// Too many operations wait; trying again later helps.
    #[error("too many operations wait for the key store")]
    Busy,
    /// The store was closed, or the operation ended without an answer.
    #[error("the key store did not answer")]
    Stopped,
    /// The random number generator failed.
    #[error("no randomness")]
    Random(#[from] RandomError),
    /// Nothing could be sealed.
    #[error("could not seal")]
    Seal(#[from] SealError),
    /// The cryptographic library failed where no input could make it.
    #[error("the cryptographic library failed")]
    Library,
}

/// What a store answers when it may have to wait for a thread, a token or a network.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A place where key material lives.
pub trait KeyStore: Send + Sync {
    /// Makes material for a key of this spec.
    fn generate(&self, owner: Owner, spec: KeySpec) -> Answer<'_, NewMaterial>;

    /// Makes a key pair under which a caller wraps material for one key, and the token that brings it back.
    fn import_parameters(
        &self,
        owner: Owner,
        wrapping: Wrapping,
        now: Timestamp,
    ) -> Answer<'_, ImportParameters>;

    /// Unwraps what a caller has wrapped for this key, and takes it for material of this spec.
    fn import(
        &self,
        owner: Owner,
        spec: KeySpec,
        wrapped: Wrapped,
        now: Timestamp,
    ) -> Answer<'_, NewMaterial>;

    /// Takes material that somebody has in clear, in the form in which it is wrapped for an import.
    fn take(&self, owner: Owner, spec: KeySpec, material: SecretBytes) -> Answer<'_, NewMaterial>;

    /// Opens one material of a key for use.
    fn open<'a>(&'a self, key: &'a Key, material: &'a Material) -> Answer<'a, OpenedKey>;

    /// The same material, sealed for the key that is related to `key` in another Region.
    fn reseal(&self, key: &Key, material: &Material, region: Region) -> Result<Vec<u8>, StoreError>;

    /// The same material, sealed under a key that goes to another deployment with it.
    fn hand_over(&self, key: &Key, material: &Material, under: &Key256) -> Result<Vec<u8>, StoreError>;

    /// Material that another deployment has handed over, sealed as this one keeps it.
    fn take_over(&self, key: &Key, material: &Material, under: &Key256) -> Result<Vec<u8>, StoreError>;

    /// Makes a key pair for a caller, who keeps it; `account` is that of the key that it is made with.
    fn generate_pair(&self, account: AccountId, spec: DataKeyPairSpec) -> Answer<'_, Pair>;

    /// Runs a computation that takes as long as a private-key operation where those run, in turn with other accounts.
    fn compute(&self, account: AccountId, work: Box<dyn FnOnce() + Send>) -> Answer<'_, ()>;
}

/// How material is wrapped for its import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrapping {
    /// The algorithm.
    pub algorithm: WrappingAlgorithm,
    /// The spec of the key that wraps.
    pub spec: WrappingKeySpec,
}

/// What a caller needs to wrap material, and to import it.
#[derive(Debug)]
pub struct ImportParameters {
    /// What has to come back with the wrapped material. Whoever reads it learns nothing.
    pub token: Vec<u8>,
    /// The key that wraps, as DER SubjectPublicKeyInfo.
    pub public: Vec<u8>,
    /// When both expire.
    pub valid_to: Timestamp,
}

/// Material as it comes from a caller.
#[derive(Debug)]
pub struct Wrapped {
    /// The token that came with the wrapping key.
    pub token: Vec<u8>,
    /// The material, wrapped.
    pub material: Vec<u8>,
}

/// A key pair that no record has.
pub struct Pair {
    /// DER PKCS#8 (RFC 5958).
    pub private: SecretBytes,
    /// DER SubjectPublicKeyInfo (RFC 5280).
    pub public: Vec<u8>,
}

/// What [`KeyStore::open`] gives: a key that can do what its usage says.
#[derive(Clone)]
pub enum OpenedKey {
    /// SYMMETRIC_DEFAULT.
    Symmetric(Arc<dyn SymmetricKey>),
    /// SYMMETRIC_DEFAULT, of which one half is with an external key manager.
    Inner(Arc<dyn InnerKey>),
    /// A pair for ENCRYPT_DECRYPT.
    Decryption(Arc<dyn DecryptionKey>),
    /// A pair for SIGN_VERIFY.
    Signing(Arc<dyn SigningKey>),
    /// A key for GENERATE_VERIFY_MAC.
    Mac(Arc<dyn MacKey>),
    /// A pair for KEY_AGREEMENT.
    Agreement(Arc<dyn AgreementKey>),
    /// A pair for ENCAPSULATE_DECAPSULATE.
    Encapsulation(Arc<dyn EncapsulationKey>),
}

/// An opened symmetric key: encrypts and decrypts messages, each under a key of its own.
pub trait SymmetricKey: Send + Sync {
    /// Encrypts `plaintext` and binds `context` to it; gives the whole ciphertext blob.
    fn encrypt(&self, plaintext: &[u8], context: &CanonicalContext) -> Result<Vec<u8>, StoreError>;

    /// Decrypts a ciphertext blob that this material made with the same context.
    fn decrypt(&self, blob: &[u8], context: &CanonicalContext) -> Result<SecretBytes, StoreError>;
}

/// An opened symmetric key that is no use alone: what it seals is encrypted with an external key before anybody gets it.
pub trait InnerKey: Send + Sync {
    /// Seals `plaintext` and binds `context` to it; gives what the external key is to encrypt.
    fn seal(&self, plaintext: &[u8], context: &CanonicalContext) -> Result<Sealed, StoreError>;

    /// Opens what the external key has decrypted.
    fn open(&self, sealed: &Sealed, context: &CanonicalContext) -> Result<SecretBytes, StoreError>;
}

/// An opened pair that encrypts with its public key and decrypts with its private one.
pub trait DecryptionKey: Send + Sync {
    /// Encrypts what its caller has found short enough for the algorithm.
    fn encrypt(&self, plaintext: &[u8], algorithm: EncryptionAlgorithm) -> Answer<'_, Vec<u8>>;

    /// Decrypts; all that is wrong with a ciphertext is one error.
    fn decrypt(&self, ciphertext: &[u8], algorithm: EncryptionAlgorithm) -> Answer<'_, SecretBytes>;
}

/// What is signed. Its length is that of the digest, where it is one.
pub struct Message {
    /// What the bytes are.
    pub kind: MessageType,
    /// The bytes.
    pub bytes: SecretBytes,
}

/// An opened pair that signs and verifies.
pub trait SigningKey: Send + Sync {
    /// Signs with one of the algorithms of the key's spec.
    fn sign(&self, message: Message, algorithm: SigningAlgorithm) -> Answer<'_, Vec<u8>>;

    /// Verifies; all that is wrong with a signature is [`StoreError::InvalidSignature`].
    fn verify(&self, message: Message, signature: Vec<u8>, algorithm: SigningAlgorithm) -> Answer<'_, ()>;
}

/// An opened HMAC key, whose one algorithm is that of its spec.
pub trait MacKey: Send + Sync {
    /// The MAC of a message.
    fn generate(&self, message: &[u8]) -> Result<Vec<u8>, StoreError>;

    /// Compares in constant time.
    fn verify(&self, message: &[u8], mac: &[u8]) -> Result<(), StoreError>;
}

/// An opened pair that agrees on a secret with the holder of another.
pub trait AgreementKey: Send + Sync {
    /// The raw shared secret with the holder of `peer`, a DER SubjectPublicKeyInfo.
    fn agree(&self, peer: &[u8]) -> Answer<'_, SecretBytes>;
}

/// An opened pair of a key encapsulation mechanism.
pub trait EncapsulationKey: Send + Sync {
    /// A fresh secret, and the ciphertext that the private key makes the same secret of.
    fn encapsulate(&self) -> Answer<'_, Encapsulated>;

    /// The secret of a ciphertext. Of an altered one it is another secret, not an error.
    fn decapsulate(&self, ciphertext: &[u8]) -> Answer<'_, SecretBytes>;
}

/// What encapsulating gives.
pub struct Encapsulated {
    /// The secret.
    pub secret: SecretBytes,
    /// What the holder of the private key needs to have it too.
    pub ciphertext: Vec<u8>,
}
