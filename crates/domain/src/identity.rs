//! Accounts, users, roles, access keys: who there is, and who is calling.

mod names;
mod records;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::identifier::AccountId;
use crate::time::Timestamp;

pub use names::{
    iam_arn, is_access_key_id, is_group_name, is_path, is_policy_name, is_principal_name, is_service_name,
    is_session_name, is_unique_id, parse_role_arn, provider_arn, provider_name, root_arn, session_arn,
};
pub use records::{
    Group, InlinePolicy, Kind, ManagedPolicy, OidcProvider, ProviderKeys, Record, RecordName, Rights, Role,
    User,
};

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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

/// A caller whose signature has been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account that it acts in.
    pub account: AccountId,
    /// Its full name, as denials and audit records show it.
    pub arn: Arc<str>,
    /// Its unique id.
    pub unique_id: Arc<str>,
    /// Who it is there.
    pub principal: Principal,
    /// The access key that signed.
    pub access_key_id: Arc<str>,
}

/// What kind of principal a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Principal {
    /// The root of the account.
    Root,
    /// A user that may do everything in its account.
    Administrator,
    /// Any other user.
    User,
}

impl Caller {
    /// The caller that the root of an account is.
    pub fn root(account: AccountId, access_key_id: &str) -> Self {
        Self {
            account,
            arn: root_arn(account).into(),
            unique_id: account.as_str().into(),
            principal: Principal::Root,
            access_key_id: access_key_id.into(),
        }
    }

    /// The caller that a user is.
    pub fn user(user: &User, access_key_id: &str) -> Self {
        Self {
            account: user.account,
            arn: user.arn().into(),
            unique_id: user.unique_id.as_str().into(),
            principal: if user.is_administrator() { Principal::Administrator } else { Principal::User },
            access_key_id: access_key_id.into(),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn users_call_with_what_they_have_been_given() {
        let account = "111122223333".parse().unwrap();
        let mut user = User::new(account, "alice", "AIDAAAAAAAAAAAAAAAAAA", Timestamp::from_millis(0));
        assert_eq!(Caller::user(&user, "AKIA").principal, Principal::User);
        user.rights = Rights::administrator();
        assert_eq!(Caller::user(&user, "AKIA").principal, Principal::Administrator);
    }
}
