//! The way to external keys, where no key is used yet.

use trent_domain::key_store::{ExternalKey, KeyStore, ProxyFailure};
use trent_keystore::{Behalf, ProxyTarget};

use crate::account::AuthorizedAccount;
use crate::actions::{Action, CreateKey};
use crate::opening::Gate;
use crate::uses::UseError;

impl AuthorizedAccount<'_, CreateKey> {
    /// What the external key is that a key is to be made of.
    pub async fn describe_external_key(
        &self,
        store: &KeyStore,
        external_key: &str,
        behalf: Behalf<'_>,
    ) -> Result<ExternalKey, UseError> {
        let target = self.gate.reach(store)?;
        let behalf = Behalf { operation: CreateKey::OPERATION.name(), key_arn: None, ..behalf };
        Ok(self.gate.proxies.describe(&target, external_key, behalf).await?)
    }
}

impl Gate {
    /// All that a request to the proxy of a key store needs.
    pub(crate) fn reach(&self, store: &KeyStore) -> Result<ProxyTarget, UseError> {
        let credential = self.open_credential(store)?;
        self.target(store, &credential).ok_or(UseError::Proxy(ProxyFailure::NotReachable))
    }
}
