//! Accounts, users, access keys: who there is, and who is calling.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::identifier::AccountId;
use crate::time::Timestamp;

/// The managed policy that lets a user do everything in its account.
pub const ADMINISTRATOR_ACCESS: &str = "aws:AdministratorAccess";

const NAME_CHARACTERS_MAX: usize = 64;
const PATH_CHARACTERS_MAX: usize = 512;

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

/// A user of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The account that it belongs to.
    pub account: AccountId,
    /// Its name, unique in the account.
    pub name: String,
    /// Its path, `/` or `/…/`.
    pub path: String,
    /// Its unique id, `AIDA…`: a later user of the same name has another one.
    pub unique_id: String,
    /// Whether it may do everything in its account (the managed policy `aws:AdministratorAccess`).
    pub administrator: bool,
    /// Whether it may sign.
    pub status: Status,
    /// When it was created.
    pub created: Timestamp,
}

impl User {
    /// Its full name, `arn:aws:iam::<account>:user<path><name>`.
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{}:user{}{}", self.account, self.path, self.name)
    }
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
            principal: if user.administrator { Principal::Administrator } else { Principal::User },
            access_key_id: access_key_id.into(),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn)
    }
}

/// The full name of an account's root, `arn:aws:iam::<account>:root`.
pub fn root_arn(account: AccountId) -> String {
    format!("arn:aws:iam::{account}:root")
}

/// Whether `name` may be the name of a user: 1 to 64 of `[\w+=,.@-]`.
pub fn is_user_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    (1..=NAME_CHARACTERS_MAX).contains(&name.len()) && name.bytes().all(allowed)
}

/// Whether `path` may be the path of a user: `/` or `/…/`, printable, at most 512.
pub fn is_user_path(path: &str) -> bool {
    let printable = path.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    printable && path.len() <= PATH_CHARACTERS_MAX && path.starts_with('/') && path.ends_with('/')
}

/// Whether `id` has the form of an access key id: 16 to 128 of `[A-Za-z0-9_]`.
pub fn is_access_key_id(id: &str) -> bool {
    (16..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_and_paths_follow_iam() {
        assert!(is_user_name("alice@example.com"));
        assert!(!is_user_name(""));
        assert!(!is_user_name("a b"));
        assert!(!is_user_name(&"a".repeat(65)));
        assert!(is_user_path("/"));
        assert!(is_user_path("/eng/core/"));
        assert!(!is_user_path("/eng"));
        assert!(!is_user_path("eng/"));
    }

    #[test]
    fn a_user_is_named_with_its_path() {
        let account = "111122223333".parse().unwrap();
        let user = User {
            account,
            name: "alice".into(),
            path: "/eng/".into(),
            unique_id: "AIDAAAAAAAAAAAAAAAAAA".into(),
            administrator: false,
            status: Status::Active,
            created: Timestamp::from_millis(0),
        };
        assert_eq!(user.arn(), "arn:aws:iam::111122223333:user/eng/alice");
        assert_eq!(Caller::user(&user, "AKIA").principal, Principal::User);
    }
}
