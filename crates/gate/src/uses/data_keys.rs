//! Data keys and data key pairs: made for the caller, who gets them encrypted.

use trent_crypto::SecretBytes;
use trent_keystore::{Pair, StoreError};
use trent_protocol::DataKeyPairSpec;

use super::{MayGenerateDataKey, MayGenerateDataKeyPair, UseError};
use crate::authorize::Authorized;

impl<A: MayGenerateDataKey> Authorized<'_, A> {
    /// A random data key of `bytes` bytes.
    pub fn random_data_key(&self, bytes: usize) -> Result<SecretBytes, UseError> {
        let random = SecretBytes::generate(bytes, &*self.gate.random);
        Ok(random.map_err(StoreError::from)?)
    }
}

impl<A: MayGenerateDataKeyPair> Authorized<'_, A> {
    /// A fresh key pair.
    pub async fn random_pair(&self, spec: DataKeyPairSpec) -> Result<Pair, UseError> {
        Ok(self.gate.store.generate_pair(self.entry.key.account, spec).await?)
    }
}
