//! Sessions: what is in their tokens, and what comes of it.
//!
//! Nothing of a session is stored. Its token says whose it is, by unique id, so that it ends with its role or user; the
//! rest is read from the directory each time one is opened anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use trent_crypto::digest::sha256;
use trent_domain::identifier::AccountId;
use trent_domain::identity::{Caller, Session, Status};
use trent_domain::time::Timestamp;
use trent_gate::Gate;
use trent_policy::{Attached, Kind, Standing};

use super::directory::{Directory, SigningIdentity};
use super::documents::compile;

/// Opened tokens that are remembered, about.
const REMEMBERED_MAX: usize = 8_192;

/// What is in a session token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contents {
    #[serde(rename = "a")]
    pub(crate) account: AccountId,
    #[serde(rename = "h")]
    pub(crate) holder: Holder,
    #[serde(rename = "i")]
    pub(crate) issued: Timestamp,
    #[serde(rename = "e")]
    pub(crate) expires: Timestamp,
    /// A session policy; without one and without `policy_arns` the session is not narrowed.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<String>,
    #[serde(rename = "pa", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) policy_arns: Vec<String>,
    #[serde(rename = "t", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: BTreeMap<String, String>,
    /// The tags that sessions get which this one begins.
    #[serde(rename = "tt", default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) transitive: BTreeSet<String>,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub(crate) source_identity: Option<String>,
    /// The provider whose token began the session.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<String>,
    #[serde(rename = "c", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) claims: BTreeMap<String, String>,
    /// When the caller has shown a second factor.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub(crate) mfa: Option<Timestamp>,
}

/// Whose session it is, by unique id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Holder {
    /// The root of the account.
    #[serde(rename = "r")]
    Root,
    /// A user.
    #[serde(rename = "u")]
    User(String),
    /// A role, and the session's name.
    #[serde(rename = "o")]
    Role(String, String),
    /// Somebody whom a user let in, and their name.
    #[serde(rename = "f")]
    Federated(String, String),
}

/// Why a token opens no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionError {
    /// It is not genuine, belongs to another access key, or whose it was is gone.
    Invalid,
    /// Its time is over, or it was revoked: a new one can be had.
    Expired,
}

impl Directory {
    /// Who signs with this access key and session token.
    pub(crate) fn session(
        &self,
        access_key_id: &str,
        token: &str,
        now: Timestamp,
        gate: &Gate,
    ) -> Result<Arc<SigningIdentity>, SessionError> {
        let hash = sha256(&[access_key_id.as_bytes(), &[0], token.as_bytes()]);
        let identity = match self.sessions().find(&hash) {
            Some(identity) => identity,
            None => {
                let opened = gate.open_session(access_key_id, token).ok_or(SessionError::Invalid)?;
                let contents = serde_json::from_slice(opened.contents.expose());
                let contents: Contents = contents.map_err(|_| SessionError::Invalid)?;
                let (caller, standing) = self.holder(&contents, access_key_id)?;
                let identity = Arc::new(SigningIdentity {
                    caller: Arc::new(caller),
                    standing: Arc::new(standing),
                    expires: Some(contents.expires),
                    transitive: contents.transitive,
                    service: None,
                    secret: opened.secret,
                });
                self.sessions().remember(hash, Arc::clone(&identity));
                identity
            }
        };
        match identity.expires {
            Some(expires) if expires <= now => Err(SessionError::Expired),
            _ => Ok(identity),
        }
    }

    /// Whose session it is, and what bears on it.
    pub(super) fn holder(
        &self,
        contents: &Contents,
        access_key_id: &str,
    ) -> Result<(Caller, Standing), SessionError> {
        if !self.is_active(contents.account) {
            return Err(SessionError::Invalid);
        }
        let (caller, tags, standing) = match &contents.holder {
            Holder::Root => {
                let standing = self.root_standing(contents.account).unwrap_or_default();
                (Caller::root(contents.account, access_key_id), BTreeMap::new(), standing)
            }
            Holder::User(id) => {
                let entry = self.active_user(id)?;
                let caller = Caller::user(&entry.user, access_key_id);
                (caller, entry.user.tags.clone(), Arc::clone(&entry.standing))
            }
            Holder::Federated(id, name) => {
                let entry = self.active_user(id)?;
                let caller = Caller::federated_user(&entry.user, name, access_key_id);
                (caller, entry.user.tags.clone(), Arc::clone(&entry.standing))
            }
            Holder::Role(id, name) => {
                let entry = self.role(id).ok_or(SessionError::Invalid)?;
                let role = &entry.role;
                if role.revoke_sessions_before.is_some_and(|before| contents.issued < before) {
                    return Err(SessionError::Expired);
                }
                let (account, arn) = (role.account, role.arn());
                let caller = Caller::role_session(account, &arn, &role.unique_id, name, access_key_id);
                (caller, role.tags.clone(), Arc::clone(&entry.standing))
            }
        };
        // Tags of a session take the place of those of its role.
        let tags = with(tags, &contents.tags);
        let session = Session {
            issued: contents.issued,
            mfa: contents.mfa,
            source_identity: contents.source_identity.as_deref().map(Arc::from),
            provider: contents.provider.as_deref().map(Arc::from),
            claims: contents.claims.clone(),
        };
        let caller = Caller {
            tags: Arc::new(tags),
            organization: self.organization(contents.account),
            session: Some(Arc::new(session)),
            ..caller
        };
        Ok((caller, Standing { session: self.session_policies(contents)?, ..Standing::clone(&standing) }))
    }

    fn active_user(&self, unique_id: &str) -> Result<&Arc<super::directory::UserEntry>, SessionError> {
        let entry = self.user(unique_id).filter(|entry| entry.user.status == Status::Active);
        entry.ok_or(SessionError::Invalid)
    }

    /// What a session is narrowed to. A policy that is gone leaves nothing in its place.
    fn session_policies(&self, contents: &Contents) -> Result<Option<Vec<Attached>>, SessionError> {
        // A federated user has what a policy says both of it and of the user, and without a policy nothing.
        let narrowed = contents.policy.is_some()
            || !contents.policy_arns.is_empty()
            || matches!(contents.holder, Holder::Federated(..));
        if !narrowed {
            return Ok(None);
        }
        let mut policies = Vec::new();
        if let Some(text) = &contents.policy {
            let document = compile(text, Kind::Identity).map_err(|_| SessionError::Invalid)?;
            policies.push(Attached { name: "session policy".into(), document });
        }
        policies.extend(contents.policy_arns.iter().filter_map(|arn| self.managed_policy(arn).cloned()));
        Ok(Some(policies))
    }
}

/// Tags, with others in their place or beside them. Keys are compared without regard to case.
pub(crate) fn with(
    mut tags: BTreeMap<String, String>,
    others: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    for (key, value) in others {
        tags.retain(|known, _| !known.eq_ignore_ascii_case(key));
        tags.insert(key.clone(), value.clone());
    }
    tags
}

type Remembered = HashMap<[u8; 32], Arc<SigningIdentity>>;

/// Opened tokens by their hash, in two generations: when the young one is full it becomes the old one.
#[derive(Default)]
pub(crate) struct SessionCache(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: Remembered,
    old: Remembered,
}

impl SessionCache {
    fn find(&self, hash: &[u8; 32]) -> Option<Arc<SigningIdentity>> {
        let mut generations = self.0.lock();
        if let Some(identity) = generations.young.get(hash) {
            return Some(Arc::clone(identity));
        }
        let identity = generations.old.remove(hash)?;
        generations.put(*hash, Arc::clone(&identity));
        Some(identity)
    }

    fn remember(&self, hash: [u8; 32], identity: Arc<SigningIdentity>) {
        self.0.lock().put(hash, identity);
    }
}

impl Generations {
    fn put(&mut self, hash: [u8; 32], identity: Arc<SigningIdentity>) {
        if self.young.len() >= REMEMBERED_MAX / 2 {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(hash, identity);
    }
}
