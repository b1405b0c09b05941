//! Keys in HSMs: whatever is done with them is done there, with a permit, after all that is to be said of the request here.

use trent_crypto::CanonicalContext;
use trent_crypto::ciphertext::hsm::{HsmBlob, HsmKey};
use trent_domain::identifier::HsmKeyId;
use trent_domain::key_store::{HsmFailure, KeyStore};
use trent_keystore::{FromHsm, HsmCiphertext};

use super::{Decrypted, Encrypted, MayDecrypt, MayEncrypt, UseError};
use crate::actions::Action;
use crate::authorize::Authorized;

impl<A: MayEncrypt> Authorized<'_, A> {
    /// Encrypts in the HSMs.
    pub(super) async fn encrypt_in_hsms(
        &self,
        id: HsmKeyId,
        plaintext: &[u8],
        context: &CanonicalContext,
    ) -> Result<Encrypted, UseError> {
        const GONE: UseError = UseError::Hsm(HsmFailure::Unreachable);
        let store = self.connected_store().await?.ok_or(GONE)?;
        let key = self.in_blobs(id);
        let data = key.additional_data(context);
        let encrypted = self.gate.clusters.encrypt(&store.id, id, plaintext, &data).await;
        let FromHsm { answer: HsmCiphertext { iv, ciphertext }, serial } =
            encrypted.map_err(|failure| self.failed(&store, failure))?;
        let blob = HsmBlob { key, iv, ciphertext: &ciphertext }.write();
        Ok(Encrypted { blob, material: None, hsm: Some(serial) })
    }
}

impl<A: MayDecrypt> Authorized<'_, A> {
    /// Decrypts in the HSMs. They are asked about blobs alone that say that this key made them.
    pub(super) async fn decrypt_in_hsms(
        &self,
        id: HsmKeyId,
        blob: &[u8],
        context: &CanonicalContext,
    ) -> Result<Decrypted, UseError> {
        const GONE: UseError = UseError::Hsm(HsmFailure::Unreachable);
        let HsmBlob { key, iv, ciphertext } = self.hsm_blob(id, blob)?;
        let store = self.connected_store().await?.ok_or(GONE)?;
        let ciphertext = HsmCiphertext { iv, ciphertext: ciphertext.to_vec() };
        let data = key.additional_data(context);
        let decrypted = self.gate.clusters.decrypt(&store.id, id, ciphertext, &data).await;
        let FromHsm { answer, serial } = decrypted.map_err(|failure| self.failed(&store, failure))?;
        match answer {
            Some(plaintext) => Ok(Decrypted { plaintext, material: None, hsm: Some(serial) }),
            None => Err(UseError::RefusedByHsm(serial)),
        }
    }

    /// A blob of this key in its parts.
    pub(super) fn hsm_blob<'b>(&self, id: HsmKeyId, blob: &'b [u8]) -> Result<HsmBlob<'b>, UseError> {
        let read = HsmBlob::read(blob).map_err(|_| UseError::InvalidCiphertext)?;
        if read.key == self.in_blobs(id) { Ok(read) } else { Err(UseError::InvalidCiphertext) }
    }
}

impl<A: Action> Authorized<'_, A> {
    fn failed(&self, store: &KeyStore, failure: HsmFailure) -> UseError {
        if failure == HsmFailure::OverQuota {
            self.gate.clusters.throttled(&store.id, A::OPERATION.name());
        }
        failure.into()
    }

    fn in_blobs(&self, id: HsmKeyId) -> HsmKey {
        HsmKey { uuid: self.entry.key.id.uuid(), id: id.0 }
    }
}
