//! Why the gate gives no permit.

use std::fmt;
use std::sync::Arc;

use trent_database::DatabaseError;
use trent_domain::identifier::{AliasArn, KeyArn, NameError};
use trent_domain::state::StateError;
use trent_keystore::StoreError;
use trent_policy::{Malformed, Reason};
use trent_protocol::{KeyUsage, Operation, Origin};

use crate::change::ChangeError;
use crate::grants::GrantError;

/// Why a request gets no permit.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The string in the request names no key.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The caller's account has no such key in this Region.
    #[error("Key '{0}' does not exist")]
    UnknownKey(KeyArn),
    /// The caller's account has no such alias in this Region.
    #[error("Alias {0} is not found.")]
    UnknownAlias(AliasArn),
    /// The caller may not do this.
    #[error(transparent)]
    Denied(Box<AccessDenied>),
    /// A key policy that was stored can no longer be read.
    #[error("a stored key policy cannot be read")]
    Policy(#[from] Malformed),
    /// A grant token that trent did not give out for this Region.
    #[error("The grant token is invalid.")]
    GrantToken,
    /// The grant that a request names is not there.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// The ciphertext is not one that this deployment made, or it is damaged.
    #[error("the ciphertext is invalid")]
    InvalidCiphertext,
    /// The request names a key that did not make the ciphertext.
    #[error("The key ID in the request does not identify a CMK that can perform this operation.")]
    IncorrectKey,
    /// The key's state does not allow the operation.
    #[error(transparent)]
    State(#[from] StateError),
    /// The key's material comes from elsewhere than the operation is for.
    #[error("{arn} origin is {origin} which is not valid for this operation.")]
    Origin {
        /// The key.
        arn: KeyArn,
        /// Where its material comes from.
        origin: Origin,
    },
    /// The key is of a kind that has one material for good.
    #[error("{0} does not rotate")]
    NotRotatable(KeyArn),
    /// The key is for another usage.
    #[error("{arn} key usage is {usage} which is not valid for {operation}.")]
    Usage {
        /// The key.
        arn: KeyArn,
        /// What it is for.
        usage: KeyUsage,
        /// What was asked.
        operation: Operation,
    },
    /// The record could not be read.
    #[error("the database could not answer")]
    Database(#[from] DatabaseError),
    /// The material could not be made or opened.
    #[error("the key store could not answer")]
    Store(#[from] StoreError),
}

impl Refusal {
    /// The ARN of the key that it is about, where one was found.
    pub fn resource(&self) -> Option<String> {
        match self {
            Self::State(
                StateError::Disabled(arn)
                | StateError::NotConnected(arn)
                | StateError::NotPrimary(arn)
                | StateError::Invalid { arn, .. },
            ) => Some(arn.to_string()),
            Self::Origin { arn, .. } | Self::Usage { arn, .. } | Self::NotRotatable(arn) => {
                Some(arn.to_string())
            }
            Self::Denied(denied) => match &denied.on {
                DeniedOn::Resource(name) => Some(name.clone()).filter(|name| name.starts_with("arn:")),
                DeniedOn::ThisResource | DeniedOn::KeyOfCiphertext => None,
            },
            _ => None,
        }
    }
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Gone(arn) => Self::UnknownKey(arn),
            ChangeError::State(error) => Self::State(error),
            ChangeError::Store(error) => Self::Store(error),
            ChangeError::Database(error) => Self::Database(error),
        }
    }
}

/// That the caller may not do this: what it is told, and what was behind it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("User: {caller} is not authorized to perform: {action} on {on} {why}")]
pub struct AccessDenied {
    /// The caller's full name.
    pub caller: Arc<str>,
    /// The action, `kms:…`.
    pub action: &'static str,
    /// What it was to be done on, as far as the caller may know.
    pub on: DeniedOn,
    /// The end of the message: why not, as far as the caller may know.
    pub why: String,
    /// Why not, whatever the caller is told.
    pub reason: Reason,
    /// The statement that denies, where one does.
    pub statement: Option<Statement>,
}

/// What a denied action was to be done on, as the caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeniedOn {
    /// A resource by its full name, or `*`.
    Resource(String),
    /// Something of another account, existing or not: strangers are not told which.
    ThisResource,
    /// The key of a ciphertext, which is another account's or not there.
    KeyOfCiphertext,
}

impl fmt::Display for DeniedOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resource(name) => write!(f, "resource: {name}"),
            Self::ThisResource => f.write_str("this resource"),
            Self::KeyOfCiphertext => f.write_str("the resource associated with this ciphertext"),
        }
    }
}

/// A statement of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The policy's name; the key's ARN for a key policy.
    pub policy: String,
    /// The statement's index, from zero.
    pub index: usize,
    /// Its `Sid`, if it has one.
    pub sid: Option<String>,
}
