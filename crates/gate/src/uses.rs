//! Who may do what with key material, on one screen; how it is done is in the files of `uses/`.

mod agreement;
mod data_keys;
mod encapsulation;
mod encryption;
mod import;
mod in_hsms;
mod mac;
mod material;
mod outside;
mod signing;

use std::sync::Arc;

use trent_database::DatabaseError;
use trent_domain::identifier::KeyArn;
use trent_domain::import::WrappingError;
use trent_domain::key_store::{ClusterError, HsmFailure, KeyStore, ProxyFailure};
use trent_keystore::{OpenedKey, StoreError};
use trent_protocol::{EncryptionAlgorithm, KeySpec, MacAlgorithm, MessageType, SigningAlgorithm};

use crate::actions::{
    Action, Decapsulate, Decrypt, DeriveSharedSecret, Encapsulate, Encrypt, GenerateDataKey,
    GenerateDataKeyPair, GenerateDataKeyPairWithoutPlaintext, GenerateDataKeyWithoutPlaintext, GenerateMac,
    GetParametersForImport, GetPublicKey, ImportKeyMaterial, ReEncryptFrom, ReEncryptTo, RotateKeyOnDemand,
    Sign, Verify, VerifyMac,
};
use crate::authorize::Authorized;

pub use encryption::{Decrypted, Encrypted};
pub use trent_keystore::{Encapsulated, ImportParameters, Message, Pair, Wrapped, Wrapping};

/// Actions whose permit encrypts.
pub trait MayEncrypt: Action {}
impl MayEncrypt for Encrypt {}
impl MayEncrypt for ReEncryptTo {}
impl MayEncrypt for GenerateDataKey {}
impl MayEncrypt for GenerateDataKeyWithoutPlaintext {}
impl MayEncrypt for GenerateDataKeyPair {}
impl MayEncrypt for GenerateDataKeyPairWithoutPlaintext {}

/// Actions whose permit makes a data key, and encrypts it.
pub trait MayGenerateDataKey: MayEncrypt {}
impl MayGenerateDataKey for GenerateDataKey {}
impl MayGenerateDataKey for GenerateDataKeyWithoutPlaintext {}

/// Actions whose permit makes a key pair for the caller, and encrypts its private key.
pub trait MayGenerateDataKeyPair: MayEncrypt {}
impl MayGenerateDataKeyPair for GenerateDataKeyPair {}
impl MayGenerateDataKeyPair for GenerateDataKeyPairWithoutPlaintext {}

/// Actions whose permit decrypts.
pub trait MayDecrypt: Action {}
impl MayDecrypt for Decrypt {}
impl MayDecrypt for ReEncryptFrom {}

/// Actions whose permit signs.
pub trait MaySign: Action {}
impl MaySign for Sign {}

/// Actions whose permit verifies signatures.
pub trait MayVerify: Action {}
impl MayVerify for Verify {}

/// Actions whose permit makes MACs.
pub trait MayGenerateMac: Action {}
impl MayGenerateMac for GenerateMac {}

/// Actions whose permit verifies MACs.
pub trait MayVerifyMac: Action {}
impl MayVerifyMac for VerifyMac {}

/// Actions whose permit agrees on a secret.
pub trait MayDeriveSharedSecret: Action {}
impl MayDeriveSharedSecret for DeriveSharedSecret {}

/// Actions whose permit encapsulates a secret.
pub trait MayEncapsulate: Action {}
impl MayEncapsulate for Encapsulate {}

/// Actions whose permit opens an encapsulated secret.
pub trait MayDecapsulate: Action {}
impl MayDecapsulate for Decapsulate {}

/// Actions whose permit reads the public key.
pub trait MayReadPublicKey: Action {}
impl MayReadPublicKey for GetPublicKey {}

/// Actions whose permit makes new material for the key.
pub trait MayMakeMaterial: Action {}
impl MayMakeMaterial for RotateKeyOnDemand {}

/// Actions whose permit makes what a caller wraps material with.
pub trait MayGiveImportParameters: Action {}
impl MayGiveImportParameters for GetParametersForImport {}

/// Actions whose permit unwraps material that a caller has made.
pub trait MayImportMaterial: Action {}
impl MayImportMaterial for ImportKeyMaterial {}

/// Why a key could not be used although the caller was allowed to.
#[derive(Debug, thiserror::Error)]
pub enum UseError {
    /// The algorithm is not one of the key's.
    #[error("Algorithm {asked} is incompatible with key spec {spec}.")]
    AlgorithmMismatch {
        /// The algorithm of the request.
        asked: &'static str,
        /// The spec of the key.
        spec: KeySpec,
    },
    /// The plaintext is longer than the algorithm takes with this key.
    #[error("Algorithm {algorithm} and key spec {spec} cannot encrypt data larger than {bytes_max} bytes.")]
    PlaintextTooLong {
        /// The algorithm.
        algorithm: EncryptionAlgorithm,
        /// The spec of the key.
        spec: KeySpec,
        /// What it takes at most.
        bytes_max: usize,
    },
    /// An encryption context with a key that cannot bind it to anything.
    #[error("EncryptionContext is not supported with algorithm {0}.")]
    ContextNotSupported(EncryptionAlgorithm),
    /// The message is to be a digest, and has another length.
    #[error("Digest is invalid length for algorithm {0}.")]
    DigestLength(SigningAlgorithm),
    /// The algorithm does not take messages of this kind.
    #[error("Algorithm {algorithm} does not support message type {kind}.")]
    MessageType {
        /// The algorithm.
        algorithm: SigningAlgorithm,
        /// What the request says the message is.
        kind: MessageType,
    },
    /// All checks passed and the request wanted no more.
    #[error("The request would have succeeded, but the DryRun option is set.")]
    DryRun,
    /// The ciphertext does not open.
    #[error("the ciphertext is invalid")]
    InvalidCiphertext,
    /// The signature is not valid.
    #[error("the signature is invalid")]
    InvalidSignature,
    /// The MAC is not valid.
    #[error("the MAC is invalid")]
    InvalidMac,
    /// The public key in the request is none, or not one for this key.
    #[error("the public key is invalid")]
    InvalidPublicKey,
    /// Material of this key cannot be wrapped so.
    #[error(transparent)]
    Wrapping(WrappingError),
    /// The import token is none, or one of another key.
    #[error("the import token is invalid")]
    InvalidImportToken,
    /// The import token has expired.
    #[error("the import token has expired")]
    ExpiredImportToken,
    /// What was wrapped is no material for this key.
    #[error("the material is not one of the key's spec")]
    IncorrectMaterial,
    /// Keys of this kind have no public key.
    #[error("{0} has no public key")]
    NoPublicKey(KeyArn),
    /// The key has no material that could encrypt.
    #[error("key `{0}` has no material")]
    NoMaterial(KeyArn),
    /// The other half of the key, which is with an external key manager, could not be used.
    #[error("{}", .0.message())]
    Proxy(ProxyFailure),
    /// The HSMs that the key is in, or is to be in, could not do it.
    #[error(transparent)]
    Hsm(#[from] HsmFailure),
    /// The ciphertext does not open in the HSM whose token has this serial number.
    #[error("the ciphertext is invalid")]
    RefusedByHsm(String),
    /// The cluster that the key is to be in cannot take it.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The record of the key's custom key store could not be read.
    #[error(transparent)]
    Database(DatabaseError),
    /// The key store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl From<ProxyFailure> for UseError {
    fn from(failure: ProxyFailure) -> Self {
        Self::Proxy(failure)
    }
}

impl UseError {
    /// An encryption algorithm that is not one of the key's.
    fn encryption_mismatch(asked: EncryptionAlgorithm, spec: KeySpec) -> Self {
        Self::AlgorithmMismatch { asked: asked.as_str(), spec }
    }

    /// A MAC algorithm that is not that of the key.
    fn mac_mismatch(asked: MacAlgorithm, spec: KeySpec) -> Self {
        Self::AlgorithmMismatch { asked: asked.as_str(), spec }
    }
}

impl From<StoreError> for UseError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::InvalidCiphertext => Self::InvalidCiphertext,
            StoreError::InvalidSignature => Self::InvalidSignature,
            StoreError::InvalidMac => Self::InvalidMac,
            StoreError::InvalidPublicKey => Self::InvalidPublicKey,
            StoreError::InvalidImportToken => Self::InvalidImportToken,
            StoreError::ExpiredImportToken => Self::ExpiredImportToken,
            StoreError::IncorrectMaterial => Self::IncorrectMaterial,
            other => Self::Store(other),
        }
    }
}

/// The kind of opened key that the usage of this key calls for. The gate has compared the usage before, so that
/// another kind means a store that opens keys wrongly.
macro_rules! opened_as {
    ($opened:expr, $kind:ident, $spec:expr) => {
        match $opened {
            trent_keystore::OpenedKey::$kind(key) => Ok(key),
            _ => Err($crate::uses::UseError::Store(trent_keystore::StoreError::Library)),
        }
    };
}
use opened_as;

impl<A> Authorized<'_, A> {
    /// The key's current material, opened, from memory where it has been opened before.
    async fn open_current(&self) -> Result<OpenedKey, UseError> {
        let open = async { Ok(self.gate.store.open(&self.entry.key, self.current_material()?).await?) };
        self.entry.opened(open).await.cloned()
    }

    /// The custom key store of the key, if what is behind it may be asked now.
    ///
    /// The store is looked at again: it was connected when the permit was given, and since then much may have been done
    /// with it, while somebody has been told that the store is disconnected.
    async fn connected_store(&self) -> Result<Option<Arc<KeyStore>>, UseError> {
        let Some(place) = &self.entry.key.in_store else { return Ok(None) };
        let store = self.gate.key_store(&place.store).await.map_err(UseError::Database)?;
        Ok(store.filter(|store| store.is_connected()))
    }
}
