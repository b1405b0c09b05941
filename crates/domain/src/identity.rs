//! Accounts, users, roles, access keys: who there is, and who is calling.

mod caller;
mod mfa;
mod names;
mod records;
mod tokens;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::identifier::AccountId;
use crate::time::Timestamp;

pub use caller::{Caller, Organization, Principal, Session, Source, Via};
pub use mfa::{MfaDevice, mfa_device_arn};
pub use names::{
    iam_arn, is_access_key_id, is_group_name, is_mfa_device_name, is_path, is_policy_name, is_principal_name,
    is_service_name, is_session_name, is_unique_id, parse_role_arn, provider_arn, provider_name, root_arn,
    session_arn,
};
pub use records::{
    Group, InlinePolicy, Kind, ManagedPolicy, OidcProvider, ProviderKeys, Record, RecordName, Rights, Role,
    User,
};
pub use tokens::{API_TOKEN_PREFIX, ApiToken, TokenHolder};

/// The managed policy that lets a user do everything in its account.
pub const ADMINISTRATOR_ACCESS: &str = "aws:AdministratorAccess";

/// An account: the owner of keys, and the boundary that nobody crosses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its 12 digits.
    pub id: AccountId,
    /// What people call it.
    pub name: String,
    /// Whether anybody may sign in it.
    pub status: Status,
}

/// Whether an account, a user or an access key is accepted. A request needs all three to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// It signs requests.
    Active,
    /// It is refused.
    Inactive,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Active => "Active",
            Self::Inactive => "Inactive",
        })
    }
}

/// Whom an access key belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Owner {
    /// The root of the account.
    Root,
    /// A user of the account, by name.
    User(String),
}

/// An access key as it is stored: its secret sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// Its id, `AKIA…`.
    pub id: String,
    /// The account that it acts in.
    pub account: AccountId,
    /// Whom it belongs to.
    pub owner: Owner,
    /// Whether it is accepted.
    pub status: Status,
    /// When it was created.
    pub created: Timestamp,
    /// Its secret, sealed under the deployment's ring.
    pub sealed_secret: Vec<u8>,
}
