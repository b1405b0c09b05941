//! Encrypting and decrypting, with symmetric keys and with pairs.

use trent_crypto::ciphertext::double::{self, Double};
use trent_crypto::ciphertext::hsm;
use trent_crypto::{CanonicalContext, SecretBytes};
use trent_domain::algorithms;
use trent_domain::encryption_context::EncryptionContext;
use trent_domain::identifier::MaterialId;
use trent_domain::key_store::HeldAs;
use trent_keystore::{Behalf, OpenedKey};
use trent_protocol::{EncryptionAlgorithm, KeySpec};

use super::{MayDecrypt, MayEncrypt, UseError, opened_as};
use crate::actions::Action;
use crate::authorize::Authorized;

/// What encrypting gives.
#[derive(Debug)]
pub struct Encrypted {
    /// The ciphertext blob.
    pub blob: Vec<u8>,
    /// The material that made it, of symmetric keys that trent has alone.
    pub material: Option<MaterialId>,
    /// The HSM that made it, by the serial number of its token.
    pub hsm: Option<String>,
}

/// What decrypting gives.
pub struct Decrypted {
    /// The plaintext.
    pub plaintext: SecretBytes,
    /// The material that had made the ciphertext, of symmetric keys that trent has alone.
    pub material: Option<MaterialId>,
    /// The HSM that opened it, by the serial number of its token.
    pub hsm: Option<String>,
}

impl<A: MayEncrypt> Authorized<'_, A> {
    /// Encrypts under the key's current material.
    pub async fn encrypt(
        &self,
        plaintext: &[u8],
        algorithm: EncryptionAlgorithm,
        context: &EncryptionContext,
        behalf: Behalf<'_>,
    ) -> Result<Encrypted, UseError> {
        self.check_encrypt(plaintext.len(), algorithm, context)?;
        if let Some(id) = self.entry.key.hsm_key() {
            return Box::pin(self.encrypt_in_hsms(id, plaintext, &canonical(context))).await;
        }
        match self.open_current().await? {
            OpenedKey::Inner(key) => {
                let context = canonical(context);
                // In a box: the futures of all other keys would be as large as this one.
                let blob = Box::pin(self.encrypt_outside(&*key, plaintext, &context, behalf)).await?;
                Ok(Encrypted { blob, material: None, hsm: None })
            }
            OpenedKey::Symmetric(key) => {
                let blob = key.encrypt(plaintext, &canonical(context))?;
                Ok(Encrypted { blob, material: Some(self.current_material()?.id), hsm: None })
            }
            opened => {
                let key = opened_as!(opened, Decryption, self.entry.key.spec)?;
                let blob = key.encrypt(plaintext, algorithm).await?;
                Ok(Encrypted { blob, material: None, hsm: None })
            }
        }
    }

    /// Whether encrypting so many bytes would succeed, without doing it.
    pub fn check_encrypt(
        &self,
        plaintext_bytes: usize,
        algorithm: EncryptionAlgorithm,
        context: &EncryptionContext,
    ) -> Result<(), UseError> {
        self.check_algorithm(algorithm, context)?;
        let spec = self.entry.key.spec;
        let bytes_max = match self.entry.key.in_store.as_ref().map(|place| &place.held_as) {
            Some(HeldAs::ExternalKey(_)) => Some(double::PLAINTEXT_BYTES_MAX),
            Some(HeldAs::HsmKey(_)) => Some(hsm::PLAINTEXT_BYTES_MAX),
            None => plaintext_bytes_max(spec, algorithm),
        };
        match bytes_max {
            Some(bytes_max) if plaintext_bytes > bytes_max => {
                Err(UseError::PlaintextTooLong { algorithm, spec, bytes_max })
            }
            _ if self.entry.key.hsm_key().is_some() => Ok(()),
            _ => self.current_material().map(|_| ()),
        }
    }
}

impl<A: MayDecrypt> Authorized<'_, A> {
    /// Decrypts a ciphertext that this permit was asked for.
    pub async fn decrypt(
        &self,
        ciphertext: &[u8],
        algorithm: EncryptionAlgorithm,
        context: &EncryptionContext,
        behalf: Behalf<'_>,
    ) -> Result<Decrypted, UseError> {
        self.check_algorithm(algorithm, context)?;
        if algorithm != EncryptionAlgorithm::SymmetricDefault {
            let key = opened_as!(self.open_current().await?, Decryption, self.entry.key.spec)?;
            let plaintext = key.decrypt(ciphertext, algorithm).await?;
            return Ok(Decrypted { plaintext, material: None, hsm: None });
        }
        let key = &self.entry.key;
        if let Some(id) = key.hsm_key() {
            return Box::pin(self.decrypt_in_hsms(id, ciphertext, &canonical(context))).await;
        }
        let material = self.made_by.and_then(|id| key.material(&id)).ok_or(UseError::InvalidCiphertext)?;
        let is_current = key.current_material().is_some_and(|current| current.id == material.id);
        let opened = match is_current {
            true => self.open_current().await?,
            // Opening costs little more than finding an opened one would: old material is not kept open.
            false => self.gate.store.open(key, material).await?,
        };
        let context = canonical(context);
        if let OpenedKey::Inner(key) = opened {
            let plaintext = Box::pin(self.decrypt_outside(&*key, ciphertext, &context, behalf)).await?;
            return Ok(Decrypted { plaintext, material: None, hsm: None });
        }
        let plaintext = opened_as!(opened, Symmetric, key.spec)?.decrypt(ciphertext, &context)?;
        Ok(Decrypted { plaintext, material: Some(material.id), hsm: None })
    }

    /// How long the plaintext is that decrypting would give. Nothing outside trent is asked: of a key in a custom key store
    /// the ciphertext is believed.
    pub async fn try_decrypt(
        &self,
        ciphertext: &[u8],
        algorithm: EncryptionAlgorithm,
        context: &EncryptionContext,
        behalf: Behalf<'_>,
    ) -> Result<usize, UseError> {
        let Some(place) = &self.entry.key.in_store else {
            return Ok(self.decrypt(ciphertext, algorithm, context, behalf).await?.plaintext.expose().len());
        };
        self.check_algorithm(algorithm, context)?;
        match place.held_as {
            HeldAs::ExternalKey(_) => {
                let double = Double::read(ciphertext).map_err(|_| UseError::InvalidCiphertext)?;
                Ok(double.plaintext_bytes())
            }
            HeldAs::HsmKey(id) => Ok(self.hsm_blob(id, ciphertext)?.plaintext_bytes()),
        }
    }
}

impl<A: Action> Authorized<'_, A> {
    /// Whether the key encrypts and decrypts with this algorithm, and can bind this context.
    pub fn check_algorithm(
        &self,
        asked: EncryptionAlgorithm,
        context: &EncryptionContext,
    ) -> Result<(), UseError> {
        let spec = self.entry.key.spec;
        if !algorithms::encryption(spec).contains(&asked) {
            return Err(UseError::encryption_mismatch(asked, spec));
        }
        if asked != EncryptionAlgorithm::SymmetricDefault && !context.pairs().is_empty() {
            return Err(UseError::ContextNotSupported(asked));
        }
        Ok(())
    }
}

/// What SM2PKE takes at most, as the developer guide says.
const SM2_PLAINTEXT_BYTES_MAX: usize = 1024;

/// What RSAES-OAEP takes at most: k - 2 hLen - 2 (RFC 8017 section 7.1.1). The model bounds symmetric encryption.
const fn plaintext_bytes_max(spec: KeySpec, algorithm: EncryptionAlgorithm) -> Option<usize> {
    let modulus_bytes = match spec {
        KeySpec::Rsa2048 => 256,
        KeySpec::Rsa3072 => 384,
        KeySpec::Rsa4096 => 512,
        KeySpec::Sm2 => return Some(SM2_PLAINTEXT_BYTES_MAX),
        _ => return None,
    };
    let hash_bytes = match algorithm {
        EncryptionAlgorithm::RsaesOaepSha1 => 20,
        EncryptionAlgorithm::RsaesOaepSha256 => 32,
        EncryptionAlgorithm::SymmetricDefault | EncryptionAlgorithm::Sm2pke => return None,
    };
    Some(modulus_bytes - 2 * hash_bytes - 2)
}

fn canonical(context: &EncryptionContext) -> CanonicalContext {
    CanonicalContext::new(Some(context.pairs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oaep_leaves_room_as_the_developer_guide_says() {
        let sizes = [KeySpec::Rsa2048, KeySpec::Rsa3072, KeySpec::Rsa4096].map(|spec| {
            let of = |algorithm| plaintext_bytes_max(spec, algorithm).unwrap();
            (of(EncryptionAlgorithm::RsaesOaepSha1), of(EncryptionAlgorithm::RsaesOaepSha256))
        });
        assert_eq!(sizes, [(214, 190), (342, 318), (470, 446)]);
    }
}
