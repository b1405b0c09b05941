//! Keys in external key stores: trent's own material inside, the external key around what that has made.
//!
//! Nothing is locked or held while a proxy is asked, and it is asked only with a permit: after all that is to be said of
//! the request here.

use trent_crypto::ciphertext::double::{Double, Outer};
use trent_crypto::{CanonicalContext, SecretBytes};
use trent_domain::key_store::ProxyFailure;
use trent_keystore::{Behalf, ExternalCiphertext, InnerKey, ProxyTarget};

use super::{MayDecrypt, MayEncrypt, UseError};
use crate::actions::Action;
use crate::authorize::Authorized;

impl<A: MayEncrypt> Authorized<'_, A> {
    /// Encrypts with both halves of the key; gives the ciphertext blob.
    pub(super) async fn encrypt_outside(
        &self,
        key: &dyn InnerKey,
        plaintext: &[u8],
        context: &CanonicalContext,
        behalf: Behalf<'_>,
    ) -> Result<Vec<u8>, UseError> {
        let (target, external_key) = self.outside().await?;
        let sealed = key.seal(plaintext, context)?;
        let (data, behalf) = (sealed.additional_data(context), self.told(behalf));
        let proxies = &self.gate.proxies;
        let ExternalCiphertext { ciphertext, iv, tag, metadata } =
            proxies.encrypt(&target, external_key, sealed.message(), &data, behalf).await?;
        let outer = Outer { ciphertext: &ciphertext, iv: &iv, tag: &tag, metadata: metadata.as_deref() };
        let blob = Double::new(&sealed, outer).ok_or(ProxyFailure::Malformed)?;
        Ok(blob.write())
    }
}

impl<A: MayDecrypt> Authorized<'_, A> {
    /// Decrypts with both halves of the key.
    pub(super) async fn decrypt_outside(
        &self,
        key: &dyn InnerKey,
        blob: &[u8],
        context: &CanonicalContext,
        behalf: Behalf<'_>,
    ) -> Result<SecretBytes, UseError> {
        let blob = Double::read(blob).map_err(|_| UseError::InvalidCiphertext)?;
        let (target, external_key) = self.outside().await?;
        let (data, behalf) = (blob.additional_data(context), self.told(behalf));
        let ciphertext = ExternalCiphertext {
            ciphertext: blob.outer.ciphertext.to_vec(),
            iv: blob.outer.iv.to_vec(),
            tag: blob.outer.tag.to_vec(),
            metadata: blob.outer.metadata.map(<[u8]>::to_vec),
        };
        let message = self.gate.proxies.decrypt(&target, external_key, &ciphertext, &data, behalf).await?;
        // The proxy has said that nothing was altered: that it is otherwise is between trent and the proxy.
        key.open(&blob.sealed(message), context).map_err(|_| ProxyFailure::InnerCiphertext.into())
    }
}

impl<A: Action> Authorized<'_, A> {
    /// Where the other half of the key is, and what it is called there.
    async fn outside(&self) -> Result<(ProxyTarget, &str), UseError> {
        const GONE: UseError = UseError::Proxy(ProxyFailure::NotReachable);
        let place = self.entry.key.in_store.as_ref().ok_or(GONE)?;
        let external_key = place.external_key().ok_or(GONE)?;
        let store = self.connected_store().await?.ok_or(GONE)?;
        Ok((self.gate.reach(&store)?, external_key))
    }

    /// On whose behalf the proxy is asked. What is done, and with which key, is what the permit is for.
    fn told<'a>(&'a self, behalf: Behalf<'a>) -> Behalf<'a> {
        Behalf { operation: A::OPERATION.name(), key_arn: Some(self.arn_text()), ..behalf }
    }
}
