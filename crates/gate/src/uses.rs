//! Who may do what with key material, on one screen; below it, the doing.

use std::sync::Arc;

use trent_crypto::{CanonicalContext, SecretBytes};
use trent_domain::encryption_context::EncryptionContext;
use trent_domain::identifier::{KeyArn, MaterialId};
use trent_domain::rotation::Material;
use trent_keystore::{StoreError, SymmetricKey};
use trent_protocol::{EncryptionAlgorithm, KeySpec};

use crate::account::NewKeyMaterial;
use crate::actions::{
    Action, Decrypt, Encrypt, GenerateDataKey, GenerateDataKeyWithoutPlaintext, ReEncryptFrom, ReEncryptTo,
    RotateKeyOnDemand,
};
use crate::authorize::Authorized;

/// Actions whose permit encrypts.
pub trait MayEncrypt: Action {}
impl MayEncrypt for Encrypt {}
impl MayEncrypt for ReEncryptTo {}
impl MayEncrypt for GenerateDataKey {}
impl MayEncrypt for GenerateDataKeyWithoutPlaintext {}

/// Actions whose permit makes a data key, and encrypts it.
pub trait MayGenerateDataKey: MayEncrypt {}
impl MayGenerateDataKey for GenerateDataKey {}
impl MayGenerateDataKey for GenerateDataKeyWithoutPlaintext {}

/// Actions whose permit decrypts.
pub trait MayDecrypt: Action {}
impl MayDecrypt for Decrypt {}
impl MayDecrypt for ReEncryptFrom {}

/// Actions whose permit makes new material for the key.
pub trait MayMakeMaterial: Action {}
impl MayMakeMaterial for RotateKeyOnDemand {}

/// Why a key could not be used although the caller was allowed to.
#[derive(Debug, thiserror::Error)]
pub enum UseError {
    /// The algorithm is not one of the key's.
    #[error("Algorithm {asked} is incompatible with key spec {spec}.")]
    AlgorithmMismatch {
        /// The algorithm of the request.
        asked: EncryptionAlgorithm,
        /// The spec of the key.
        spec: KeySpec,
    },
    /// All checks passed and the request wanted no more.
    #[error("The request would have succeeded, but the DryRun option is set.")]
    DryRun,
    /// The ciphertext does not open.
    #[error("the ciphertext is invalid")]
    InvalidCiphertext,
    /// The key has no material that could encrypt.
    #[error("key `{0}` has no material")]
    NoMaterial(KeyArn),
    /// The key store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for UseError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::InvalidCiphertext => Self::InvalidCiphertext,
            other => Self::Store(other),
        }
    }
}

/// What encrypting gives.
#[derive(Debug)]
pub struct Encrypted {
    /// The ciphertext blob.
    pub blob: Vec<u8>,
    /// The material that made it.
    pub material: MaterialId,
}

/// What decrypting gives.
pub struct Decrypted {
    /// The plaintext.
    pub plaintext: SecretBytes,
    /// The material that had made the ciphertext.
    pub material: MaterialId,
}

impl<A: MayEncrypt> Authorized<'_, A> {
    /// Encrypts under the key's current material.
    pub async fn encrypt(
        &self,
        plaintext: &[u8],
        algorithm: EncryptionAlgorithm,
        context: &EncryptionContext,
    ) -> Result<Encrypted, UseError> {
        self.check_algorithm(algorithm)?;
        let material = self.current_material()?;
        let blob = self.open_current(material)?.encrypt(plaintext, &canonical(context))?;
        Ok(Encrypted { blob, material: material.id })
    }

    /// Whether encrypting would succeed, without doing it.
    pub fn check_encrypt(&self, algorithm: EncryptionAlgorithm) -> Result<(), UseError> {
        self.check_algorithm(algorithm)?;
        self.current_material().map(|_| ())
    }
}

impl<A: MayGenerateDataKey> Authorized<'_, A> {
    /// A random data key of `bytes` bytes.
    pub fn random_data_key(&self, bytes: usize) -> Result<SecretBytes, UseError> {
        let random = SecretBytes::generate(bytes, &*self.gate.random);
        Ok(random.map_err(StoreError::from)?)
    }
}

impl<A: MayDecrypt> Authorized<'_, A> {
    /// Decrypts a blob that this permit was asked for.
    pub async fn decrypt(
        &self,
        blob: &[u8],
        algorithm: EncryptionAlgorithm,
        context: &EncryptionContext,
    ) -> Result<Decrypted, UseError> {
        self.check_algorithm(algorithm)?;
        let material =
            self.made_by.and_then(|id| self.entry.key.material(&id)).ok_or(UseError::InvalidCiphertext)?;
        let is_current = self.entry.key.current_material().is_some_and(|current| current.id == material.id);
        let opened = match is_current {
            true => self.open_current(material)?,
            // Opening costs little more than finding an opened one would: old material is not kept open.
            false => self.gate.store.open(&self.entry.key, material)?,
        };
        let plaintext = opened.decrypt(blob, &canonical(context))?;
        Ok(Decrypted { plaintext, material: material.id })
    }
}

impl<A: MayMakeMaterial> Authorized<'_, A> {
    /// Makes new material for the key; it counts once a change of the record has taken it up.
    pub fn make_material(&self) -> Result<NewKeyMaterial, UseError> {
        let owner = trent_keystore::Owner::of(&self.entry.key);
        Ok(NewKeyMaterial::from(self.gate.store.generate(owner)?))
    }
}

impl<A: Action> Authorized<'_, A> {
    /// Whether decrypting could be asked for with this algorithm, without a ciphertext.
    pub fn check_algorithm(&self, asked: EncryptionAlgorithm) -> Result<(), UseError> {
        let spec = self.entry.key.spec;
        let fits = spec == KeySpec::SymmetricDefault && asked == EncryptionAlgorithm::SymmetricDefault;
        if fits { Ok(()) } else { Err(UseError::AlgorithmMismatch { asked, spec }) }
    }

    fn current_material(&self) -> Result<&Material, UseError> {
        self.entry.key.current_material().ok_or(UseError::NoMaterial(self.arn()))
    }

    fn open_current(&self, material: &Material) -> Result<Arc<dyn SymmetricKey>, UseError> {
        if let Some(opened) = self.entry.current.get() {
            return Ok(Arc::clone(opened));
        }
        let opened = self.gate.store.open(&self.entry.key, material)?;
        Ok(Arc::clone(self.entry.current.get_or_init(|| opened)))
    }
}

fn canonical(context: &EncryptionContext) -> CanonicalContext {
    CanonicalContext::new(Some(context.pairs()))
}
