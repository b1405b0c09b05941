//! Agreeing on a secret with the holder of another key.

use trent_crypto::SecretBytes;

use super::{MayDeriveSharedSecret, UseError, opened_as};
use crate::authorize::Authorized;

impl<A: MayDeriveSharedSecret> Authorized<'_, A> {
    /// The raw shared secret with the holder of `peer`, a DER SubjectPublicKeyInfo of the same curve.
    pub async fn derive_shared_secret(&self, peer: &[u8]) -> Result<SecretBytes, UseError> {
        let key = opened_as!(self.open_current().await?, Agreement, self.entry.key.spec)?;
        Ok(key.agree(peer).await?)
    }
}
