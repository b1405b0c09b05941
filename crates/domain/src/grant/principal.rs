//! Principals as grants remember them: by unique id, so that a later user or role of the same name inherits nothing.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::identifier::AccountId;

/// A principal by what never changes of it.
///
/// Its text is what records and their indexes hold: the kind, the account, what is unique in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalId {
    /// An account: all of its principals whose own policies let them.
    Account(AccountId),
    /// A user.
    User {
        /// The account.
        account: AccountId,
        /// Its unique id, `AIDA…`.
        id: String,
    },
    /// A role: all of its sessions.
    Role {
        /// The account.
        account: AccountId,
        /// Its unique id, `AROA…`.
        id: String,
    },
    /// One session of a role.
    Session {
        /// The account.
        account: AccountId,
        /// The unique id of the role.
        role: String,
        /// The name of the session.
        name: String,
    },
    /// A federated user.
    Federated {
        /// The account.
        account: AccountId,
        /// Its name.
        name: String,
    },
    /// A service.
    Service(String),
}

/// A text that is not that of a principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a principal")]
pub struct NotAPrincipal;

impl PrincipalId {
    /// The account that it belongs to; services have none.
    pub fn account(&self) -> Option<AccountId> {
        match self {
            Self::Account(account)
            | Self::User { account, .. }
            | Self::Role { account, .. }
            | Self::Session { account, .. }
            | Self::Federated { account, .. } => Some(*account),
            Self::Service(_) => None,
        }
    }

    /// What is shown for a principal that exists no more.
    pub fn unique_id(&self) -> Cow<'_, str> {
        match self {
            Self::Account(account) => account.to_string().into(),
            Self::User { id, .. } | Self::Role { id, .. } => id.into(),
            Self::Session { role, name, .. } => format!("{role}:{name}").into(),
            Self::Federated { account, name } => format!("{account}:{name}").into(),
            Self::Service(name) => name.into(),
        }
    }
}

impl fmt::Display for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(account) => write!(f, "account:{account}"),
            Self::User { account, id } => write!(f, "user:{account}:{id}"),
            Self::Role { account, id } => write!(f, "role:{account}:{id}"),
            Self::Session { account, role, name } => write!(f, "session:{account}:{role}:{name}"),
            Self::Federated { account, name } => write!(f, "federated:{account}:{name}"),
            Self::Service(name) => write!(f, "service:{name}"),
        }
    }
}

impl FromStr for PrincipalId {
    type Err = NotAPrincipal;

    fn from_str(text: &str) -> Result<Self, NotAPrincipal> {
        let (kind, rest) = text.split_once(':').ok_or(NotAPrincipal)?;
        if kind == "service" {
            return Ok(Self::Service(rest.to_owned()));
        }
        let (account, rest) =
            rest.split_once(':').map_or((rest, None), |(account, rest)| (account, Some(rest)));
        let account = account.parse().map_err(|_| NotAPrincipal)?;
        match (kind, rest) {
            ("account", None) => Ok(Self::Account(account)),
            ("user", Some(id)) => Ok(Self::User { account, id: id.to_owned() }),
            ("role", Some(id)) => Ok(Self::Role { account, id: id.to_owned() }),
            ("federated", Some(name)) => Ok(Self::Federated { account, name: name.to_owned() }),
            ("session", Some(rest)) => {
                let (role, name) = rest.split_once(':').ok_or(NotAPrincipal)?;
                Ok(Self::Session { account, role: role.to_owned(), name: name.to_owned() })
            }
            _ => Err(NotAPrincipal),
        }
    }
}

impl Serialize for PrincipalId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PrincipalId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_each_kind_is_read_as_it_was_written() {
        let account = "111122223333".parse().unwrap();
        let (id, role, name) = ("AIDAX".to_owned(), "AROAX".to_owned(), "s.1@x".to_owned());
        for principal in [
            PrincipalId::Account(account),
            PrincipalId::User { account, id },
            PrincipalId::Role { account, id: role.clone() },
            PrincipalId::Session { account, role, name: name.clone() },
            PrincipalId::Federated { account, name },
            PrincipalId::Service("rds.amazonaws.com".to_owned()),
        ] {
            assert_eq!(principal.to_string().parse(), Ok(principal));
        }
        for text in
            ["", "user", "user:111122223333", "account:1", "account:111122223333:x", "session:111122223333:r"]
        {
            assert_eq!(text.parse::<PrincipalId>(), Err(NotAPrincipal), "{text}");
        }
    }
}
