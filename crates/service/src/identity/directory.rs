//! Everybody, at one moment: made whole when something changes, then only read.
//!
//! Who signs with an access key of the long term is found ready, with the documents that bear on it. Sessions are
//! found by their token and kept here, so that they go with the directory that they were opened in: a role that
//! changes or goes takes what was remembered of its sessions with it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use trent_crypto::SecretBytes;

use trent_domain::identifier::AccountId;
use trent_domain::identity::{Caller, OidcProvider, Organization, Role, User, root_arn, session_arn};
use trent_domain::time::Timestamp;
use trent_gate::Endpoint;
use trent_policy::{Attached, Document, ResourceControl, Standing, managed_policy};

use super::mfa::MfaDeviceEntry;
use super::session::SessionCache;
use super::unsigned::Unsigned;

/// Who may sign: whom it stands for, what bears on it, and its secret.
pub struct SigningIdentity {
    /// Whom it stands for.
    pub caller: Arc<Caller>,
    /// The policies that bear on it.
    pub standing: Arc<Standing>,
    /// When it ends, if it is a session.
    pub expires: Option<Timestamp>,
    /// The tags that sessions get which this one begins.
    pub(crate) transitive: BTreeSet<String>,
    /// What it may do in the name of others, if it is a service.
    pub service: Option<Arc<ServiceEntry>>,
    pub(super) secret: SecretBytes,
}

impl SigningIdentity {
    /// Whoever comes, taken for this caller. No signature is right for it.
    pub fn unsigned(caller: Arc<Caller>) -> Self {
        Self {
            caller,
            standing: Arc::default(),
            expires: None,
            transitive: BTreeSet::new(),
            service: None,
            secret: SecretBytes::from(Vec::new()),
        }
    }

    /// The secret that signatures are verified with.
    pub fn secret(&self) -> &[u8] {
        self.secret.expose()
    }
}

/// A user and what bears on it.
pub(crate) struct UserEntry {
    pub(crate) user: User,
    pub(crate) standing: Arc<Standing>,
}

/// A role, who may assume it, and what bears on its sessions.
pub(crate) struct RoleEntry {
    pub(crate) role: Role,
    pub(crate) trust: Arc<Document>,
    pub(crate) standing: Arc<Standing>,
}

/// A service that is known.
pub struct ServiceEntry {
    /// Its name.
    pub name: Arc<str>,
    /// The accounts whose principals it may speak for.
    pub may_act_in: HashSet<AccountId>,
}

/// Everybody.
#[derive(Default)]
pub(crate) struct Directory {
    pub(super) accounts: HashMap<AccountId, AccountEntry>,
    pub(super) signers: HashMap<String, Arc<SigningIdentity>>,
    /// Unique ids of users and roles, by ARN.
    pub(super) principals: HashMap<String, String>,
    pub(super) users: HashMap<String, Arc<UserEntry>>,
    pub(super) roles: HashMap<String, Arc<RoleEntry>>,
    pub(super) providers: HashMap<(AccountId, String), Arc<OidcProvider>>,
    pub(super) policies: HashMap<String, Attached>,
    /// By serial number.
    pub(super) mfa_devices: HashMap<String, MfaDeviceEntry>,
    pub(super) services: HashMap<String, Arc<ServiceEntry>>,
    pub(super) resource_control: Arc<ResourceControl>,
    pub(super) sessions: SessionCache,
    pub(super) unsigned: Unsigned,
    pub(super) endpoints: HashMap<String, Arc<Endpoint>>,
}

/// What is known of an account.
pub(super) struct AccountEntry {
    pub(super) active: bool,
    pub(super) organization: Option<Arc<Organization>>,
    /// What bears on its root.
    pub(super) root: Arc<Standing>,
}

impl Directory {
    /// The access key of the long term with this id, if it may sign.
    pub(crate) fn access_key(&self, id: &str) -> Option<Arc<SigningIdentity>> {
        self.signers.get(id).cloned()
    }

    /// Whether anybody may sign in an account.
    pub(crate) fn is_active(&self, account: AccountId) -> bool {
        self.accounts.get(&account).is_some_and(|entry| entry.active)
    }

    /// The organization of an account.
    pub(crate) fn organization(&self, account: AccountId) -> Option<Arc<Organization>> {
        self.accounts.get(&account)?.organization.clone()
    }

    /// What bears on the root of an account.
    pub(crate) fn root_standing(&self, account: AccountId) -> Option<Arc<Standing>> {
        self.accounts.get(&account).map(|entry| Arc::clone(&entry.root))
    }

    /// The user with this unique id.
    pub(crate) fn user(&self, unique_id: &str) -> Option<&Arc<UserEntry>> {
        self.users.get(unique_id)
    }

    /// The private endpoint with this id.
    pub(crate) fn endpoint(&self, id: &str) -> Option<Arc<Endpoint>> {
        self.endpoints.get(id).cloned()
    }

    /// All users.
    pub(crate) fn users(&self) -> impl Iterator<Item = &User> {
        self.users.values().map(|entry| &entry.user)
    }

    /// All roles.
    pub(crate) fn roles(&self) -> impl Iterator<Item = &Role> {
        self.roles.values().map(|entry| &entry.role)
    }

    /// The role with this unique id.
    pub(crate) fn role(&self, unique_id: &str) -> Option<&Arc<RoleEntry>> {
        self.roles.get(unique_id)
    }

    /// The unique id of the user or role with this ARN.
    pub(crate) fn unique_id(&self, arn: &str) -> Option<&str> {
        self.principals.get(arn).map(String::as_str)
    }

    /// The provider of an account with this URL.
    pub(crate) fn provider(&self, account: AccountId, url: &str) -> Option<&Arc<OidcProvider>> {
        self.providers.get(&(account, url.to_owned()))
    }

    /// The device for one-time codes with this serial number.
    pub(crate) fn mfa_device(&self, serial_number: &str) -> Option<&MfaDeviceEntry> {
        self.mfa_devices.get(serial_number)
    }

    /// The managed policy with this ARN, one of the account's or a built-in one.
    pub(crate) fn managed_policy(&self, arn: &str) -> Option<&Attached> {
        self.policies.get(arn).or_else(|| managed_policy(arn))
    }

    /// The role that a session's ARN names, and the name of the session.
    fn role_of_session<'a>(&self, arn: &'a str) -> Option<(&Role, &'a str)> {
        let (account, rest) = arn.strip_prefix("arn:aws:sts::")?.split_once(":assumed-role/")?;
        let (name, session) = rest.split_once('/')?;
        let mut roles = self.roles.values().map(|entry| &entry.role);
        roles.find(|role| role.name == name && role.account.as_str() == account).map(|role| (role, session))
    }

    pub(crate) fn sessions(&self) -> &SessionCache {
        &self.sessions
    }
}

impl trent_policy::Directory for Directory {
    fn knows_account(&self, id: &str) -> bool {
        id.parse().is_ok_and(|id: AccountId| self.accounts.contains_key(&id))
    }

    fn knows_principal(&self, arn: &str) -> bool {
        if self.principals.contains_key(arn) {
            return true;
        }
        if let Some(account) = arn.strip_suffix(":root").and_then(|start| start.rsplit(':').next()) {
            return self.knows_account(account) && account.parse().is_ok_and(|id| root_arn(id) == arn);
        }
        // Sessions come and go; their role must be there.
        self.role_of_session(arn).is_some()
    }

    fn knows_service(&self, name: &str) -> bool {
        self.services.contains_key(name)
    }

    fn unique_id(&self, arn: &str) -> Option<String> {
        if let Some(id) = self.principals.get(arn) {
            return Some(id.clone());
        }
        let (role, session) = self.role_of_session(arn)?;
        Some(format!("{}:{session}", role.unique_id))
    }

    fn arn(&self, unique_id: &str) -> Option<String> {
        if let Some((id, session)) = unique_id.split_once(':') {
            let role = &self.roles.get(id)?.role;
            return Some(session_arn(role.account, &role.name, session));
        }
        let user = self.users.get(unique_id).map(|entry| entry.user.arn());
        user.or_else(|| self.roles.get(unique_id).map(|entry| entry.role.arn()))
    }
}
