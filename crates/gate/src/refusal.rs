//! Why the gate gives no permit.

use std::fmt;
use std::sync::Arc;

use trent_database::DatabaseError;
use trent_domain::identifier::{AliasArn, KeyArn, NameError};
use trent_domain::state::StateError;
use trent_keystore::StoreError;
use trent_protocol::{KeyUsage, Operation, Origin};

use crate::change::ChangeError;

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
    #[error("User: {caller} is not authorized to perform: {action} on {resource}")]
    Denied {
        /// The caller's full name.
        caller: Arc<str>,
        /// The action, `kms:…`.
        action: &'static str,
        /// What it was to be done on, and why it may not.
        resource: DenialResource,
    },
    /// A grant token that trent did not give out: it gives out none yet.
    #[error("The grant token is invalid.")]
    GrantToken,
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
                StateError::Disabled(arn) | StateError::NotPrimary(arn) | StateError::Invalid { arn, .. },
            ) => Some(arn.to_string()),
            Self::Origin { arn, .. } | Self::Usage { arn, .. } | Self::NotRotatable(arn) => {
                Some(arn.to_string())
            }
            Self::Denied { resource, .. } => match resource {
                DenialResource::Identity { resource, .. } | DenialResource::Resource { resource, .. } => {
                    Some(resource.clone()).filter(|resource| resource.starts_with("arn:"))
                }
                DenialResource::Hidden | DenialResource::HiddenByCiphertext => None,
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

/// What a denied action was to be done on, as far as the caller may know it, and which kind of policy is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DenialResource {
    /// A resource of the caller's own account, which no identity-based policy allows.
    Identity {
        /// Its full name, or `*`.
        resource: String,
        /// The action.
        action: &'static str,
    },
    /// A resource of the caller's own account, which its own policy does not allow.
    Resource {
        /// Its full name.
        resource: String,
        /// The action.
        action: &'static str,
    },
    /// A key of another account, existing or not: strangers are not told which.
    Hidden,
    /// The key of a ciphertext, existing or not.
    HiddenByCiphertext,
}

impl fmt::Display for DenialResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const REASONS: &str = "because the resource does not exist in this Region, no resource-based policies \
                               allow access, or a resource-based policy explicitly denies access";
        match self {
            Self::Identity { resource, action } => {
                write!(f, "resource: {resource} because no identity-based policy allows the {action} action")
            }
            Self::Resource { resource, action } => {
                write!(f, "resource: {resource} because no resource-based policy allows the {action} action")
            }
            Self::Hidden => write!(f, "this resource {REASONS}"),
            Self::HiddenByCiphertext => write!(f, "the resource associated with this ciphertext {REASONS}"),
        }
    }
}
