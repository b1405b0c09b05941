//! Changing the record of a key: judged again on the row as it is inside the transaction.

use std::sync::Arc;

use trent_database::{DatabaseError, Transaction};
use trent_domain::identifier::KeyArn;
use trent_domain::key::Key;
use trent_domain::operations::{Effect, rules};
use trent_domain::state::{self, StateError};
use trent_keystore::StoreError;

use crate::actions::{
    Action, CancelKeyDeletion, CreateAlias, CreateGrant, DeleteAlias, DeleteImportedKeyMaterial, DisableKey,
    DisableKeyRotation, EnableKey, EnableKeyRotation, ImportKeyMaterial, PutKeyPolicy, ReplicateKey,
    RetireGrant, RevokeGrant, RotateKeyOnDemand, ScheduleKeyDeletion, TagResource, UntagResource,
    UpdateAlias, UpdateKeyDescription, UpdatePrimaryRegion,
};
use crate::authorize::Authorized;
use crate::replicas;

/// Why a key could not be changed although the caller was allowed to.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The key was deleted since the permit was given.
    #[error("Key '{0}' does not exist")]
    Gone(KeyArn),
    /// The key's state was changed since the permit was given.
    #[error(transparent)]
    State(#[from] StateError),
    /// The material could not be sealed for another Region.
    #[error("the key store could not answer")]
    Store(#[from] StoreError),
    /// The record could not be read or written.
    #[error("the database could not answer")]
    Database(#[from] DatabaseError),
}

/// Actions whose permit changes the record of a key.
pub trait MayChange: Action {}
impl MayChange for CancelKeyDeletion {}
impl MayChange for CreateAlias {}
impl MayChange for CreateGrant {}
impl MayChange for DeleteAlias {}
impl MayChange for DeleteImportedKeyMaterial {}
impl MayChange for DisableKey {}
impl MayChange for DisableKeyRotation {}
impl MayChange for EnableKey {}
impl MayChange for EnableKeyRotation {}
impl MayChange for ImportKeyMaterial {}
impl MayChange for PutKeyPolicy {}
impl MayChange for ReplicateKey {}
impl MayChange for RetireGrant {}
impl MayChange for RevokeGrant {}
impl MayChange for RotateKeyOnDemand {}
impl MayChange for ScheduleKeyDeletion {}
impl MayChange for TagResource {}
impl MayChange for UntagResource {}
impl MayChange for UpdateAlias {}
impl MayChange for UpdateKeyDescription {}
impl MayChange for UpdatePrimaryRegion {}

impl<A: MayChange> Authorized<'_, A> {
    /// Runs `body` on the key's row in a write transaction, and stores what it made of it.
    ///
    /// The permit's own copy of the record is a snapshot; `body` sees the row as it is, after the operation's
    /// rules about states have been applied to it once more. `body` may run more than once. What the replicas of a
    /// primary share with it is changed in their rows too, in the same transaction.
    pub async fn change<T, E>(
        &self,
        name: &'static str,
        mut body: impl FnMut(&mut Key, &mut dyn Transaction) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<ChangeError> + From<DatabaseError> + Send + 'static,
    {
        const {
            assert!(
                matches!(rules(A::OPERATION).effect, Effect::Changes),
                "the operation table says: no change"
            );
        }
        let (arn, store, now) = (self.arn(), Arc::clone(&self.gate.store), self.gate.clock.now());
        trent_database::write(&*self.gate.database, name, move |transaction| {
            let mut key = transaction.key(arn.region, arn.id)?.ok_or(ChangeError::Gone(arn))?;
            let before = key.clone();
            // What has expired counts no longer, whether or not the job has been there.
            key.expire_material(now);
            state::check(A::OPERATION, &key).map_err(ChangeError::State)?;
            let answer = body(&mut key, transaction)?;
            if key != before {
                transaction.update_key(&key)?;
                replicas::after_change(&before, &key, transaction, &*store)?;
            }
            Ok(answer)
        })
        .await?
    }
}
