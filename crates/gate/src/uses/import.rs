//! Importing material: what a caller needs to wrap it, and unwrapping what comes back.

use trent_domain::import::check_wrapping;
use trent_domain::time::Timestamp;
use trent_keystore::{ImportParameters, Owner, Wrapped, Wrapping};

use super::{MayGiveImportParameters, MayImportMaterial, UseError};
use crate::account::NewKeyMaterial;
use crate::authorize::Authorized;
use crate::refusal::Refusal;

impl<A: MayGiveImportParameters> Authorized<'_, A> {
    /// A fresh wrapping key for the key's material, and the token that brings it back.
    pub async fn import_parameters(
        &self,
        wrapping: Wrapping,
        now: Timestamp,
    ) -> Result<ImportParameters, UseError> {
        let key = &self.entry.key;
        check_wrapping(wrapping.algorithm, wrapping.spec, key.spec).map_err(UseError::Wrapping)?;
        Ok(self.gate.store.import_parameters(Owner::of(key), wrapping, now).await?)
    }
}

impl<A: MayImportMaterial> Authorized<'_, A> {
    /// Unwraps material for the key; it counts once a change of the record has taken it up.
    pub async fn unwrap_material(&self, wrapped: Wrapped, now: Timestamp) -> Result<NewKeyMaterial, Refusal> {
        let key = &self.entry.key;
        self.gate.domain_key(key.account, key.region).await?;
        Ok(NewKeyMaterial::from(self.gate.store.import(Owner::of(key), key.spec, wrapped, now).await?))
    }
}
