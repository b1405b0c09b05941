//! Which state a key must be in for an operation, and what the answer is when it is not.
//!
//! That a key in a custom key store is unavailable is no state of its record: it follows from the connection of the store.

use trent_protocol::{KeyState, Operation, Origin};

use crate::identifier::KeyArn;
use crate::key::Key;
use crate::key_store::NOT_CONNECTED;
use crate::operations::{Effect, leads, relates, rules};

/// The states in which an operation works, as a row of the operation table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum States {
    /// Every state.
    Any,
    /// Cryptography and what is like it: a disabled key is answered with `DisabledException`.
    Enabled,
    /// Enabled or disabled, with material: EnableKey and DisableKey.
    EnabledOrDisabled,
    /// As [`States::Enabled`], and not while the primary Region changes.
    EnabledAndSettled,
    /// Every state but pending deletion.
    NotPendingDeletion,
    /// Every state but pending deletion, and not while the primary Region changes: ScheduleKeyDeletion.
    Deletable,
    /// Pending deletion alone.
    PendingDeletion,
    /// Those in which parameters for an import are given: the key stays, and is what it will be.
    GivesImportParameters,
    /// Those in which material is imported: the key stays, and has been made.
    TakesMaterial,
    /// Those in which imported material is deleted: a key that is to be deleted loses it like any other.
    LosesMaterial,
}

/// Why a key in its present state refuses an operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The key is disabled (`DisabledException`).
    #[error("{0} is disabled.")]
    Disabled(KeyArn),
    /// The key is in another wrong state (`KMSInvalidStateException`).
    #[error("{arn} {problem}.")]
    Invalid {
        /// The key.
        arn: KeyArn,
        /// What is wrong, as the API says it.
        problem: &'static str,
    },
    /// The key is in an external key store that is not connected (`KMSInvalidStateException`).
    #[error("{NOT_CONNECTED}")]
    NotConnected(KeyArn),
    /// The key is a replica, or has nothing to do with other Regions (`UnsupportedOperationException`).
    #[error("{0} is not a multi-region primary key.")]
    NotPrimary(KeyArn),
}

/// Whether `key` is in a state for `operation`, and leads the keys related to it where it must.
pub fn check(operation: Operation, key: &Key) -> Result<(), StateError> {
    rules(operation).states.check(key)?;
    check_leads(operation, key)
}

/// Whether `key` leads the keys related to it, where `operation` is for one that does.
///
/// The state comes before this: the guide's table has operations that replicas always refuse answer for a key that is
/// being created, and only replicas ever are.
pub fn check_leads(operation: Operation, key: &Key) -> Result<(), StateError> {
    let follows = leads(operation) && key.is_replica();
    let stands_alone = relates(operation) && key.multi_region.is_none();
    if follows || stands_alone { Err(StateError::NotPrimary(key.arn())) } else { Ok(()) }
}

/// Whether what holds `key` can be asked, where `operation` needs that: a key that is to be deleted is told to be so before,
/// a disabled one after.
pub fn check_connected(operation: Operation, key: &Key, connected: bool) -> Result<(), StateError> {
    let rules = rules(operation);
    let uses = rules.effect == Effect::Uses && rules.states == States::Enabled;
    if connected || !uses || key.lifecycle.is_pending_deletion() {
        return Ok(());
    }
    let arn = key.arn();
    Err(match key.origin {
        Origin::ExternalKeyStore => StateError::NotConnected(arn),
        _ => StateError::Invalid { arn, problem: "is unavailable" },
    })
}

impl States {
    /// Whether `key` is in one of the states; otherwise the exact answer.
    pub fn check(self, key: &Key) -> Result<(), StateError> {
        let state = key.state();
        let disabled = || Err(StateError::Disabled(key.arn()));
        let invalid = |problem| Err(StateError::Invalid { arn: key.arn(), problem });
        match (self, state) {
            (Self::Any, _)
            | (Self::Enabled | Self::EnabledOrDisabled | Self::EnabledAndSettled, KeyState::Enabled) => {
                Ok(())
            }
            (Self::EnabledOrDisabled, KeyState::Disabled) => Ok(()),
            (Self::GivesImportParameters | Self::LosesMaterial, KeyState::Updating) => invalid("is updating"),
            (Self::GivesImportParameters | Self::TakesMaterial | Self::LosesMaterial, KeyState::Creating) => {
                invalid("is creating")
            }
            (Self::LosesMaterial, _) => Ok(()),
            (Self::PendingDeletion, KeyState::PendingDeletion | KeyState::PendingReplicaDeletion) => Ok(()),
            (Self::PendingDeletion, _) => invalid("is not pending deletion"),
            (_, KeyState::PendingDeletion) => invalid("is pending deletion"),
            (_, KeyState::PendingReplicaDeletion) => invalid("is pending replica deletion"),
            (Self::NotPendingDeletion | Self::GivesImportParameters | Self::TakesMaterial, _) => Ok(()),
            (Self::Deletable | Self::EnabledAndSettled, KeyState::Updating) => invalid("is updating"),
            (Self::Deletable, _) => Ok(()),
            (_, KeyState::Disabled) => disabled(),
            (_, KeyState::PendingImport) => invalid("is pending import"),
            (_, KeyState::Unavailable) => invalid("is unavailable"),
            (_, KeyState::Creating) => invalid("is creating"),
            // Cryptography goes on while the primary Region changes; EnableKey and DisableKey do not.
            (Self::Enabled, KeyState::Updating) => Ok(()),
            (Self::EnabledOrDisabled, KeyState::Updating) => invalid("is updating"),
        }
    }
}
