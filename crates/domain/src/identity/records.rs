//! Users, groups, roles, policies and providers as they are stored, whether by the database or a file.
//!
//! Policies are attached by name: that of a customer managed policy of the account, or `aws:` and the name of a
//! built-in one. A user that is made anew has another unique id, and with it nothing that named the old one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::names::{iam_arn, provider_arn};
use super::{ADMINISTRATOR_ACCESS, ApiToken, MfaDevice, Status};
use crate::identifier::AccountId;
use crate::limits::ROLE_SESSION_SECONDS_DEFAULT;
use crate::time::Timestamp;

/// What an account has by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// A user.
    User(User),
    /// A group of users.
    Group(Group),
    /// A role.
    Role(Role),
    /// A customer managed policy.
    Policy(ManagedPolicy),
    /// A provider of web identities.
    OidcProvider(OidcProvider),
    /// A token of somebody who cannot sign.
    ApiToken(ApiToken),
    /// A device for one-time codes.
    MfaDevice(MfaDevice),
}

/// The kinds of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A user.
    User,
    /// A group of users.
    Group,
    /// A role.
    Role,
    /// A customer managed policy.
    Policy,
    /// A provider of web identities.
    OidcProvider,
    /// A token of somebody who cannot sign.
    ApiToken,
    /// A device for one-time codes.
    MfaDevice,
}

impl Kind {
    /// The word that commands, tables and messages have for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
            Self::Policy => "policy",
            Self::OidcProvider => "oidc-provider",
            Self::ApiToken => "api-token",
            Self::MfaDevice => "mfa-device",
        }
    }

    /// What its unique ids begin with; providers, tokens and devices have none.
    pub const fn unique_id_prefix(self) -> &'static str {
        match self {
            Self::User => "AIDA",
            Self::Group => "AGPA",
            Self::Role => "AROA",
            Self::Policy => "ANPA",
            Self::OidcProvider | Self::ApiToken | Self::MfaDevice => "",
        }
    }
}

/// What a record is called: no two have the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordName {
    /// The account that it belongs to.
    pub account: AccountId,
    /// What it is.
    pub kind: Kind,
    /// Its name; of a provider its URL, of a token its id.
    pub name: String,
}

impl std::fmt::Display for RecordName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} `{}` of account {}", self.kind.as_str(), self.name, self.account)
    }
}

impl Record {
    /// What it is called.
    pub fn record_name(&self) -> RecordName {
        let (account, kind, name) = match self {
            Self::User(user) => (user.account, Kind::User, &user.name),
            Self::Group(group) => (group.account, Kind::Group, &group.name),
            Self::Role(role) => (role.account, Kind::Role, &role.name),
            Self::Policy(policy) => (policy.account, Kind::Policy, &policy.name),
            Self::OidcProvider(provider) => (provider.account, Kind::OidcProvider, &provider.url),
            Self::ApiToken(token) => (token.account, Kind::ApiToken, &token.id),
            Self::MfaDevice(device) => (device.account, Kind::MfaDevice, &device.name),
        };
        RecordName { account, kind, name: name.clone() }
    }

    /// Its unique id; providers, tokens and devices have none.
    pub fn unique_id(&self) -> Option<&str> {
        match self {
            Self::User(user) => Some(&user.unique_id),
            Self::Group(group) => Some(&group.unique_id),
            Self::Role(role) => Some(&role.unique_id),
            Self::Policy(policy) => Some(&policy.unique_id),
            Self::OidcProvider(_) | Self::ApiToken(_) | Self::MfaDevice(_) => None,
        }
    }

    /// Its full name.
    pub fn arn(&self) -> String {
        match self {
            Self::User(user) => user.arn(),
            Self::Group(group) => group.arn(),
            Self::Role(role) => role.arn(),
            Self::Policy(policy) => policy.arn(),
            Self::OidcProvider(provider) => provider.arn(),
            Self::ApiToken(token) => token.arn(),
            Self::MfaDevice(device) => device.arn(),
        }
    }
}

/// A policy of one principal's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InlinePolicy {
    /// Its name, unique in the principal.
    pub name: String,
    /// Its text.
    pub document: String,
}

/// What a user, group or role has been given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rights {
    /// Managed policies, by name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub policies: BTreeSet<String>,
    /// Policies of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inline: Vec<InlinePolicy>,
}

impl Rights {
    /// Those of an administrator.
    pub fn administrator() -> Self {
        Self { policies: BTreeSet::from([ADMINISTRATOR_ACCESS.to_owned()]), inline: Vec::new() }
    }

    /// Those of an administrator, or none.
    pub fn administrator_if(administrator: bool) -> Self {
        if administrator { Self::administrator() } else { Self::default() }
    }
}

/// A user of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The account that it belongs to.
    pub account: AccountId,
    /// Its name, unique in the account.
    pub name: String,
    /// Its path, `/` or `/…/`.
    pub path: String,
    /// Its unique id, `AIDA…`: a later user of the same name has another one.
    pub unique_id: String,
    /// Whether it may sign.
    pub status: Status,
    /// When it was created.
    pub created: Timestamp,
    /// The groups that it is in, by name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
    /// What it has been given itself.
    #[serde(default)]
    pub rights: Rights,
    /// The managed policy that bounds its permissions, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<String>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

impl User {
    /// A user of this name that has been given nothing.
    pub fn new(account: AccountId, name: &str, unique_id: &str, created: Timestamp) -> Self {
        Self {
            account,
            name: name.to_owned(),
            path: "/".to_owned(),
            unique_id: unique_id.to_owned(),
            status: Status::Active,
            created,
            groups: BTreeSet::new(),
            rights: Rights::default(),
            boundary: None,
            tags: BTreeMap::new(),
        }
    }

    /// Its full name, `arn:aws:iam::<account>:user<path><name>`.
    pub fn arn(&self) -> String {
        iam_arn(self.account, "user", &self.path, &self.name)
    }

    /// Whether it has been given everything in its account.
    pub fn is_administrator(&self) -> bool {
        self.rights.policies.contains(ADMINISTRATOR_ACCESS)
    }
}

/// A group: gives its members what it has been given. Never a principal itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The account that it belongs to.
    pub account: AccountId,
    /// Its name, unique in the account.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its unique id, `AGPA…`.
    pub unique_id: String,
    /// When it was created.
    pub created: Timestamp,
    /// What it gives.
    #[serde(default)]
    pub rights: Rights,
}

impl Group {
    /// Its full name.
    pub fn arn(&self) -> String {
        iam_arn(self.account, "group", &self.path, &self.name)
    }
}

/// A role: sessions of it call, it never does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// The account that it belongs to.
    pub account: AccountId,
    /// Its name, unique in the account.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its unique id, `AROA…`.
    pub unique_id: String,
    /// When it was created.
    pub created: Timestamp,
    /// The policy that says who may assume it.
    pub trust: String,
    /// How long a session may last.
    pub max_session_seconds: u32,
    /// Sessions that began before this are over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoke_sessions_before: Option<Timestamp>,
    /// What its sessions are given.
    #[serde(default)]
    pub rights: Rights,
    /// The managed policy that bounds its permissions, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<String>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

impl Role {
    /// A role of this name that gives nothing.
    pub fn new(account: AccountId, name: &str, unique_id: &str, trust: &str, created: Timestamp) -> Self {
        Self {
            account,
            name: name.to_owned(),
            path: "/".to_owned(),
            unique_id: unique_id.to_owned(),
            created,
            trust: trust.to_owned(),
            max_session_seconds: ROLE_SESSION_SECONDS_DEFAULT,
            revoke_sessions_before: None,
            rights: Rights::default(),
            boundary: None,
            tags: BTreeMap::new(),
        }
    }

    /// Its full name, as policies name it.
    pub fn arn(&self) -> String {
        iam_arn(self.account, "role", &self.path, &self.name)
    }
}

/// A customer managed policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagedPolicy {
    /// The account that it belongs to.
    pub account: AccountId,
    /// Its name, unique in the account.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its unique id, `ANPA…`.
    pub unique_id: String,
    /// When it was created.
    pub created: Timestamp,
    /// Its text.
    pub document: String,
}

impl ManagedPolicy {
    /// Its full name.
    pub fn arn(&self) -> String {
        iam_arn(self.account, "policy", &self.path, &self.name)
    }
}

/// Where the keys of a provider come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProviderKeys {
    /// The provider is asked, at `<url>/.well-known/openid-configuration`.
    Discovery,
    /// This set of keys, a JSON Web Key Set.
    Fixed(String),
}

/// A provider of web identities, whose tokens roles may trust.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcProvider {
    /// The account that it belongs to.
    pub account: AccountId,
    /// Its URL, which is the `iss` of its tokens.
    pub url: String,
    /// Whom its tokens may be for: their `aud`.
    pub client_ids: BTreeSet<String>,
    /// Where its keys come from.
    pub keys: ProviderKeys,
    /// The certificates to trust when it is asked, as PEM; those of the system otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// When it was created.
    pub created: Timestamp,
}

impl OidcProvider {
    /// Its full name.
    pub fn arn(&self) -> String {
        provider_arn(self.account, &self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_with_its_path() {
        let account = "111122223333".parse().unwrap();
        let mut user = User::new(account, "alice", "AIDAAAAAAAAAAAAAAAAAA", Timestamp::from_millis(0));
        user.path = "/eng/".into();
        assert_eq!(user.arn(), "arn:aws:iam::111122223333:user/eng/alice");
        assert!(!user.is_administrator());
        user.rights = Rights::administrator();
        assert!(user.is_administrator());
    }
}
