//! Which state a key must be in for an operation, and what the answer is when it is not.

use trent_protocol::KeyState;

use crate::identifier::KeyArn;
use crate::key::Key;

/// The states in which an operation works, as a row of the operation table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum States {
    /// Every state.
    Any,
    /// Cryptography and what is like it: a disabled key is answered with `DisabledException`.
    Enabled,
    /// Enabled or disabled, with material: EnableKey and DisableKey.
    EnabledOrDisabled,
    /// Every state but pending deletion.
    NotPendingDeletion,
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
}

impl States {
    /// Whether `key` is in one of the states; otherwise the exact answer.
    pub fn check(self, key: &Key) -> Result<(), StateError> {
        let state = key.state();
        let disabled = || Err(StateError::Disabled(key.arn()));
        let invalid = |problem| Err(StateError::Invalid { arn: key.arn(), problem });
        match (self, state) {
            (Self::Any, _) | (Self::Enabled | Self::EnabledOrDisabled, KeyState::Enabled) => Ok(()),
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
