//! The identity file as it is written. Names that something may be wrong with know where they stand.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;
use trent_crypto::SecretBytes;
use trent_domain::identifier::{AccountId, Region};
use trent_domain::identity::Status;

use super::Sources;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) organization: Option<Organization>,
    #[serde(default, rename = "account")]
    pub(super) accounts: Vec<Account>,
    #[serde(default, rename = "service_principal")]
    pub(super) services: Vec<Service>,
    #[serde(default, rename = "client_certificate")]
    pub(super) certificates: Vec<Certificate>,
    #[serde(default, rename = "endpoint")]
    pub(super) endpoints: Vec<Endpoint>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Organization {
    pub(super) id: Spanned<String>,
    #[serde(default)]
    pub(super) scp: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) rcp: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) except: BTreeSet<AccountId>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Account {
    pub(super) id: Spanned<AccountId>,
    pub(super) name: Spanned<String>,
    #[serde(default = "active")]
    pub(super) status: Status,
    #[serde(default)]
    pub(super) scp: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) rcp: Vec<Spanned<String>>,
    #[serde(default, rename = "policy")]
    pub(super) policies: Vec<Policy>,
    #[serde(default, rename = "group")]
    pub(super) groups: Vec<Group>,
    #[serde(default, rename = "user")]
    pub(super) users: Vec<User>,
    #[serde(default, rename = "role")]
    pub(super) roles: Vec<Role>,
    #[serde(default, rename = "oidc_provider")]
    pub(super) providers: Vec<Provider>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Policy {
    pub(super) name: Spanned<String>,
    pub(super) path: Option<Spanned<String>>,
    pub(super) unique_id: Option<Spanned<String>>,
    pub(super) document: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inline {
    pub(super) name: Spanned<String>,
    pub(super) document: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) name: Spanned<String>,
    pub(super) path: Option<Spanned<String>>,
    pub(super) unique_id: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) policies: BTreeSet<String>,
    #[serde(default)]
    pub(super) inline: Vec<Inline>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    pub(super) name: Spanned<String>,
    pub(super) path: Option<Spanned<String>>,
    pub(super) unique_id: Option<Spanned<String>>,
    #[serde(default = "active")]
    pub(super) status: Status,
    #[serde(default)]
    pub(super) groups: BTreeSet<String>,
    #[serde(default)]
    pub(super) policies: BTreeSet<String>,
    #[serde(default)]
    pub(super) inline: Vec<Inline>,
    pub(super) permissions_boundary: Option<String>,
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
    #[serde(default, rename = "access_key")]
    pub(super) access_keys: Vec<AccessKey>,
    #[serde(default, rename = "mfa_device")]
    pub(super) mfa_devices: Vec<MfaDevice>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MfaDevice {
    pub(super) name: Spanned<String>,
    pub(super) key: Spanned<SecretSource>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessKey {
    pub(super) id: Spanned<String>,
    pub(super) secret: Spanned<SecretSource>,
    #[serde(default = "active")]
    pub(super) status: Status,
}

/// `env:NAME`, `file:PATH`, or the secret itself.
#[derive(Deserialize)]
#[serde(from = "String")]
pub(super) struct SecretSource(SecretBytes);

impl From<String> for SecretSource {
    fn from(text: String) -> Self {
        Self(SecretBytes::from(text.into_bytes()))
    }
}

impl SecretSource {
    /// The secret, without white space around it.
    pub(super) fn read(&self, sources: &dyn Sources) -> Result<SecretBytes, String> {
        let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let source = self.0.expose();
        let secret = if let Some(variable) = source.strip_prefix(b"env:") {
            sources.variable(&name(variable))?
        } else if let Some(path) = source.strip_prefix(b"file:") {
            sources.file(&name(path))?
        } else {
            return Ok(SecretBytes::from(source.trim_ascii().to_vec()));
        };
        Ok(SecretBytes::from(secret.expose().trim_ascii().to_vec()))
    }
}

// The secret itself may be in it.
impl std::fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretSource(..)")
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Role {
    pub(super) name: Spanned<String>,
    pub(super) path: Option<Spanned<String>>,
    pub(super) unique_id: Option<Spanned<String>>,
    pub(super) trust: Spanned<String>,
    pub(super) max_session_seconds: Option<u32>,
    pub(super) revoke_sessions_before: Option<Spanned<toml::Value>>,
    #[serde(default)]
    pub(super) policies: BTreeSet<String>,
    #[serde(default)]
    pub(super) inline: Vec<Inline>,
    pub(super) permissions_boundary: Option<String>,
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Provider {
    pub(super) url: Spanned<String>,
    #[serde(default)]
    pub(super) client_ids: BTreeSet<String>,
    pub(super) jwks: Spanned<String>,
    pub(super) ca: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    pub(super) name: Spanned<String>,
    pub(super) account: Option<AccountId>,
    #[serde(default)]
    pub(super) access_keys: Vec<AccessKey>,
    #[serde(default)]
    pub(super) may_act_in_accounts: BTreeSet<AccountId>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Certificate {
    pub(super) principal: Spanned<String>,
    pub(super) fingerprint: Option<Spanned<String>>,
    pub(super) san: Option<Spanned<String>>,
    pub(super) subject: Option<Spanned<String>>,
    pub(super) region: Option<Region>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Endpoint {
    pub(super) vpce_id: Spanned<String>,
    pub(super) vpc_id: String,
    pub(super) listener: std::net::SocketAddr,
    pub(super) account: Option<AccountId>,
    pub(super) policy: Option<Spanned<String>>,
}

fn active() -> Status {
    Status::Active
}
