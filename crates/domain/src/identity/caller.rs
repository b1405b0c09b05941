//! Who is calling: a principal whose signature has been verified, with all that policies may ask about it.
//!
//! A caller is made once for an access key or a session, not for each request. What policies say about it is not
//! here: that is its `Standing`, which travels beside it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{User, root_arn, session_arn};
use crate::identifier::AccountId;
use crate::time::Timestamp;

/// A caller whose signature has been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account that it acts in: where names without an account are looked up, and whose quotas count. A service
    /// belongs to none; for one, this is the account that it was registered with.
    pub account: AccountId,
    /// Its full name, as denials and audit records show it: for the session of a role that of the session.
    pub arn: Arc<str>,
    /// Its unique id; for the session of a role that of the role. The account's id for a root user, the name for a
    /// service.
    pub unique_id: Arc<str>,
    /// Its id as requests about callers tell it: with the name of the session, of those that have one.
    pub user_id: Arc<str>,
    /// Who it is there.
    pub principal: Principal,
    /// The access key that signed.
    pub access_key_id: Arc<str>,
    /// The tags of the user, or those of the role and the session.
    pub tags: Arc<BTreeMap<String, String>>,
    /// The organization that the account belongs to.
    pub organization: Option<Arc<Organization>>,
    /// What is known of temporary credentials.
    pub session: Option<Arc<Session>>,
    /// The service that made the call in the caller's name.
    pub via: Option<Via>,
}

/// What kind of principal a caller is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// The root of the account, or a session of it.
    Root,
    /// A user, with a long-term access key or a session of its own.
    User {
        /// Its name, without the path.
        name: Arc<str>,
    },
    /// A session of a role.
    RoleSession {
        /// The role, with its path.
        role_arn: Arc<str>,
        /// The session's name.
        name: Arc<str>,
    },
    /// A session that a user began for somebody else. It has at most the user's rights.
    FederatedUser {
        /// The user.
        user_arn: Arc<str>,
        /// The session's name.
        name: Arc<str>,
    },
    /// A service that calls for itself.
    Service {
        /// What it calls for.
        source: Source,
    },
}

/// What is known of temporary credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// When they were given out.
    pub issued: Timestamp,
    /// When their bearer proved a second factor, if ever.
    pub mfa: Option<Timestamp>,
    /// Who stands behind the session, as said when it began.
    pub source_identity: Option<Arc<str>>,
    /// The identity provider's ARN, or that of the token's issuer, where a token began the session.
    pub provider: Option<Arc<str>>,
    /// The token's claims under the names that conditions have for them, `<issuer>:sub`.
    pub claims: BTreeMap<String, String>,
}

/// An organization, and where in it an account stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Its id, `o-…`.
    pub id: String,
    /// The account's place in it, such as `o-…/r-…/ou-…/`.
    pub paths: Vec<String>,
}

/// The service that made a call in the name of the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    /// Its name, such as `s3.us-east-1.amazonaws.com`.
    pub service: Arc<str>,
    /// What it calls for.
    pub source: Source,
}

/// The resource that a service calls for, as it says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    /// The resource.
    pub arn: Option<Arc<str>>,
    /// The account that owns it.
    pub account: Option<AccountId>,
    /// The organization of that account.
    pub organization: Option<Arc<Organization>>,
}

impl Caller {
    /// The caller that the root of an account is.
    pub fn root(account: AccountId, access_key_id: &str) -> Self {
        let (arn, unique_id) = (root_arn(account).into(), account.as_str().into());
        Self::new(account, arn, unique_id, Principal::Root, access_key_id)
    }

    /// The caller that a user is.
    pub fn user(user: &User, access_key_id: &str) -> Self {
        let principal = Principal::User { name: user.name.as_str().into() };
        let unique_id = user.unique_id.as_str().into();
        let tags = Arc::new(user.tags.clone());
        Self { tags, ..Self::new(user.account, user.arn().into(), unique_id, principal, access_key_id) }
    }

    /// The caller that a session of a role is.
    pub fn role_session(
        account: AccountId,
        role_arn: &str,
        role_unique_id: &str,
        name: &str,
        access_key_id: &str,
    ) -> Self {
        let role = role_arn.rsplit('/').next().unwrap_or_default();
        let arn = session_arn(account, role, name).into();
        let principal = Principal::RoleSession { role_arn: role_arn.into(), name: name.into() };
        Self::new(account, arn, role_unique_id.into(), principal, access_key_id)
    }

    /// The caller that a federated user is.
    pub fn federated_user(user: &User, name: &str, access_key_id: &str) -> Self {
        let arn = format!("arn:aws:sts::{}:federated-user/{name}", user.account).into();
        let principal = Principal::FederatedUser { user_arn: user.arn().into(), name: name.into() };
        Self::new(user.account, arn, user.unique_id.as_str().into(), principal, access_key_id)
    }

    /// The caller that a service is.
    pub fn service(account: AccountId, name: &str, source: Source, access_key_id: &str) -> Self {
        Self::new(account, name.into(), name.into(), Principal::Service { source }, access_key_id)
    }

    fn new(
        account: AccountId,
        arn: Arc<str>,
        unique_id: Arc<str>,
        principal: Principal,
        access_key_id: &str,
    ) -> Self {
        let access_key_id = access_key_id.into();
        let user_id = match &principal {
            Principal::RoleSession { name, .. } => format!("{unique_id}:{name}").into(),
            Principal::FederatedUser { name, .. } => format!("{account}:{name}").into(),
            Principal::Root | Principal::User { .. } | Principal::Service { .. } => Arc::clone(&unique_id),
        };
        let (tags, organization, session, via) = (Arc::default(), None, None, None);
        Self { account, arn, unique_id, user_id, principal, access_key_id, tags, organization, session, via }
    }

    /// The name that policies have for it: for the session of a role that of the role, for a federated user that of
    /// the user who federates.
    pub fn policy_arn(&self) -> &str {
        match &self.principal {
            Principal::RoleSession { role_arn, .. } => role_arn,
            Principal::FederatedUser { user_arn, .. } => user_arn,
            Principal::Root | Principal::User { .. } | Principal::Service { .. } => &self.arn,
        }
    }

    /// The name of the session, of those that have one of their own.
    pub fn session_arn(&self) -> Option<&str> {
        let named = matches!(self.principal, Principal::RoleSession { .. } | Principal::FederatedUser { .. });
        named.then_some(&*self.arn)
    }

    /// Its name, if it is a service.
    pub fn service_name(&self) -> Option<&str> {
        matches!(self.principal, Principal::Service { .. }).then_some(&*self.arn)
    }

    /// What is said of the resource that a service calls for, in its own name or the caller's.
    pub fn source(&self) -> Option<&Source> {
        match (&self.principal, &self.via) {
            (Principal::Service { source }, _) => Some(source),
            (_, Some(via)) => Some(&via.source),
            (_, None) => None,
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

    #[test]
    fn a_session_of_a_role_has_two_names() {
        let role = "arn:aws:iam::111122223333:role/eng/app";
        let caller = Caller::role_session("111122223333".parse().unwrap(), role, "AROAX", "s1", "ASIA");
        assert_eq!(&*caller.arn, "arn:aws:sts::111122223333:assumed-role/app/s1");
        assert_eq!(caller.session_arn(), Some(&*caller.arn));
        assert_eq!(caller.policy_arn(), role);
        assert_eq!(&*caller.user_id, "AROAX:s1");
    }

    #[test]
    fn a_root_user_has_one() {
        let caller = Caller::root("111122223333".parse().unwrap(), "AKIA");
        assert_eq!((caller.policy_arn(), caller.session_arn()), ("arn:aws:iam::111122223333:root", None));
        assert_eq!(caller.service_name(), None);
    }
}
