//! Encapsulating secrets, and opening them again.

use trent_crypto::SecretBytes;
use trent_keystore::Encapsulated;

use super::{MayDecapsulate, MayEncapsulate, UseError, opened_as};
use crate::authorize::Authorized;

impl<A: MayEncapsulate> Authorized<'_, A> {
    /// A fresh secret, and the ciphertext that carries it.
    pub async fn encapsulate(&self) -> Result<Encapsulated, UseError> {
        let key = opened_as!(self.open_current().await?, Encapsulation, self.entry.key.spec)?;
        Ok(key.encapsulate().await?)
    }
}

impl<A: MayDecapsulate> Authorized<'_, A> {
    /// The secret that a ciphertext carries.
    pub async fn decapsulate(&self, ciphertext: &[u8]) -> Result<SecretBytes, UseError> {
        let key = opened_as!(self.open_current().await?, Encapsulation, self.entry.key.spec)?;
        Ok(key.decapsulate(ciphertext).await?)
    }
}
