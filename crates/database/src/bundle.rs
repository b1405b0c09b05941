//! Keys with all that belongs to them, as one JSON document: how they leave one database for another.
//!
//! The bodies of keys and grants are those of their rows. What is sealed is sealed by whoever made the bundle; this neither
//! opens nor judges it. The book's page "Formats" describes it.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use trent_domain::alias::{Alias, AliasName};
use trent_domain::grant::{Grant, PrincipalId, Terms};
use trent_domain::identifier::{AccountId, GrantId, KeyArn, KeyId, Region};
use trent_domain::identity::{Account, Status};
use trent_domain::key::Key;
use trent_domain::time::Timestamp;

use crate::embedded::keys::KeyRow;
use crate::embedded::{body, grant_body};
use crate::error::DatabaseError;
use crate::records::{RingKey, Transaction};

/// The version written.
const VERSION: u32 = 1;

/// Keys of any accounts and Regions, with what belongs to them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bundle {
    /// The accounts that own the keys, as far as the database had them.
    pub accounts: Vec<Account>,
    /// The keys. Related keys are all there.
    pub keys: Vec<Key>,
    /// Their aliases.
    pub aliases: Vec<Alias>,
    /// Their grants.
    pub grants: Vec<Grant>,
    /// Keys of the ring, sealed.
    pub ring: Vec<RingKey>,
}

/// Why a document is no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Of a version that this trent does not know.
    #[error("its content is of version {0}, which this version of trent does not know")]
    Version(u32),
    /// It is something else.
    #[error("its content cannot be read: {0}")]
    Malformed(String),
    /// A row of it is none.
    #[error("`{what}` in it is broken")]
    Broken {
        /// What names the row.
        what: String,
    },
    /// A row belongs to a key that is not in it, or a key is there without those related to it, or twice.
    #[error("`{what}` in it lacks the key that it belongs to, or is there twice")]
    Incomplete {
        /// What names the row.
        what: String,
    },
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    v: u32,
    accounts: Vec<AccountRow>,
    keys: Vec<KeyOf>,
    aliases: Vec<AliasRow>,
    grants: Vec<GrantRow>,
    ring: Vec<RingRow>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountRow {
    id: AccountId,
    name: String,
    status: Status,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyOf {
    region: Region,
    id: KeyId,
    account: AccountId,
    body: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AliasRow {
    account: AccountId,
    region: Region,
    name: AliasName,
    target: KeyId,
    created: Timestamp,
    updated: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantRow {
    region: Region,
    key: KeyId,
    id: GrantId,
    account: AccountId,
    created: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    grantee: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retiring: Option<String>,
    body: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RingRow {
    name: String,
    /// Base 64.
    sealed: String,
}

impl Bundle {
    /// The document.
    ///
    /// # Errors
    /// Something in it has no JSON form.
    pub fn to_json(&self) -> Result<Vec<u8>, DatabaseError> {
        let document = Document {
            v: VERSION,
            accounts: self.accounts.iter().map(AccountRow::of).collect(),
            keys: self.keys.iter().map(KeyOf::of).collect::<Result<_, _>>()?,
            aliases: self.aliases.iter().map(AliasRow::of).collect(),
            grants: self.grants.iter().map(GrantRow::of).collect::<Result<_, _>>()?,
            ring: self.ring.iter().map(RingRow::of).collect(),
        };
        serde_json::to_vec(&document).map_err(DatabaseError::engine)
    }

    /// Reads a document.
    ///
    /// # Errors
    /// See [`BundleError`].
    pub fn from_json(document: &[u8]) -> Result<Self, BundleError> {
        let malformed = |error: serde_json::Error| BundleError::Malformed(error.to_string());
        let Version { v } = serde_json::from_slice(document).map_err(malformed)?;
        if v != VERSION {
            return Err(BundleError::Version(v));
        }
        let document: Document = serde_json::from_slice(document).map_err(malformed)?;
        let bundle = Self {
            accounts: document.accounts.into_iter().map(AccountRow::read).collect(),
            keys: document.keys.into_iter().map(KeyOf::read).collect::<Result<_, _>>()?,
            aliases: document.aliases.into_iter().map(AliasRow::read).collect(),
            grants: document.grants.into_iter().map(GrantRow::read).collect::<Result<_, _>>()?,
            ring: document.ring.into_iter().map(RingRow::read).collect::<Result<_, _>>()?,
        };
        bundle.check()?;
        Ok(bundle)
    }

    /// Adds all but the ring and the accounts; what is there already is an error.
    ///
    /// # Errors
    /// Those of the database.
    pub fn insert(&self, transaction: &mut dyn Transaction) -> Result<(), DatabaseError> {
        self.keys.iter().try_for_each(|key| transaction.insert_key(key))?;
        self.aliases.iter().try_for_each(|alias| transaction.insert_alias(alias))?;
        self.grants.iter().try_for_each(|grant| transaction.insert_grant(grant))
    }

    fn check(&self) -> Result<(), BundleError> {
        let incomplete = |what: String| Err(BundleError::Incomplete { what });
        let mut arns = BTreeSet::new();
        for key in &self.keys {
            if !arns.insert(key.arn().to_string()) {
                return incomplete(key.arn().to_string());
            }
        }
        let has = |arn: KeyArn| arns.contains(&arn.to_string());
        let alone = |key: &&Key| !key.related_regions().all(|region| has(key.arn_in(region)));
        if let Some(key) = self.keys.iter().find(alone) {
            return incomplete(key.arn().to_string());
        }
        let key_of =
            |alias: &Alias| KeyArn { region: alias.region, account: alias.account, id: alias.target };
        if let Some(alias) = self.aliases.iter().find(|alias| !has(key_of(alias))) {
            return incomplete(alias.arn().to_string());
        }
        match self.grants.iter().find(|grant| !has(grant.key)) {
            Some(grant) => incomplete(format!("grant {} of {}", grant.id, grant.key)),
            None => Ok(()),
        }
    }
}

impl AccountRow {
    fn of(account: &Account) -> Self {
        Self { id: account.id, name: account.name.clone(), status: account.status }
    }

    fn read(self) -> Account {
        Account { id: self.id, name: self.name, status: self.status }
    }
}

impl KeyOf {
    fn of(key: &Key) -> Result<Self, DatabaseError> {
        Ok(Self { region: key.region, id: key.id, account: key.account, body: body::write_key(key)? })
    }

    fn read(self) -> Result<Key, BundleError> {
        let what = KeyArn { region: self.region, account: self.account, id: self.id }.to_string();
        let row = KeyRow {
            id: self.id.to_string(),
            region: self.region.to_string(),
            account: self.account.to_string(),
            version: 1,
            body: self.body,
        };
        body::read_key(&row).map_err(|_| BundleError::Broken { what })
    }
}

impl AliasRow {
    fn of(alias: &Alias) -> Self {
        let Alias { account, region, name, target, created, updated } = alias.clone();
        Self { account, region, name, target, created, updated }
    }

    fn read(self) -> Alias {
        let Self { account, region, name, target, created, updated } = self;
        Alias { account, region, name, target, created, updated }
    }
}

impl GrantRow {
    fn of(grant: &Grant) -> Result<Self, DatabaseError> {
        let Grant { id, key, created, terms } = grant;
        Ok(Self {
            region: key.region,
            key: key.id,
            id: *id,
            account: key.account,
            created: *created,
            name: terms.name.clone(),
            grantee: terms.grantee.to_string(),
            retiring: terms.retiring.as_ref().map(PrincipalId::to_string),
            body: grant_body::write(terms)?,
        })
    }

    fn read(self) -> Result<Grant, BundleError> {
        let key = KeyArn { region: self.region, account: self.account, id: self.key };
        let broken = || BundleError::Broken { what: format!("grant {} of {key}", self.id) };
        let (issuer, scope) = grant_body::read(&self.body).ok_or_else(broken)?;
        let principal = |text: String| text.parse().map_err(|_| broken());
        let terms = Terms {
            name: self.name,
            grantee: principal(self.grantee)?,
            retiring: self.retiring.map(principal).transpose()?,
            issuer,
            scope,
        };
        Ok(Grant { id: self.id, key, created: self.created, terms })
    }
}

impl RingRow {
    fn of(key: &RingKey) -> Self {
        Self { name: key.name.clone(), sealed: STANDARD.encode(&key.sealed) }
    }

    fn read(self) -> Result<RingKey, BundleError> {
        let sealed = STANDARD.decode(self.sealed);
        match sealed {
            Ok(sealed) => Ok(RingKey { name: self.name, sealed }),
            Err(_) => Err(BundleError::Broken { what: format!("ring key {}", self.name) }),
        }
    }
}

#[cfg(test)]
mod tests;
