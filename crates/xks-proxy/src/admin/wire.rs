//! Commands and replies of the admin socket.

use serde::{Deserialize, Serialize};
use trent_domain::secret::Secret;

use crate::rules::Rules;
use crate::tokens::TokenKey;

/// A command. Those without members have braces, since serde lets unit variants have unknown ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// All stores.
    ListStores {},
    /// A new store, with a first credential.
    AddStore {
        /// What people call it.
        name: String,
        /// Its path, such as `/name/kms/xks/v1`.
        path: String,
        /// Requests in a second; 0 is no quota.
        quota: u32,
        /// Who may use it.
        rules: Rules,
    },
    /// Other rules or another quota for a store.
    SetStore {
        /// Its name.
        name: String,
        /// Requests in a second.
        quota: Option<u32>,
        /// Who may use it; replaces all rules there were.
        rules: Option<Rules>,
    },
    /// Deletes a store that has no keys.
    DeleteStore {
        /// Its name.
        name: String,
    },
    /// A second credential, for a rotation.
    AddCredential {
        /// The store.
        store: String,
    },
    /// Refuses a credential from now on, and forgets it.
    DeleteCredential {
        /// The store.
        store: String,
        /// The id of the credential.
        id: String,
    },
    /// The proxy configuration file of a store, with its newest credential.
    Configuration {
        /// The store.
        store: String,
    },
    /// All external keys, or those of a store.
    ListKeys {
        /// The store.
        store: Option<String>,
    },
    /// One external key.
    DescribeKey {
        /// The store.
        store: String,
        /// The id of the key.
        id: String,
    },
    /// A new external key.
    AddKey {
        /// The store.
        store: String,
        /// The id; a random one if absent.
        id: Option<String>,
        /// `ENCRYPT`, `DECRYPT`.
        usage: Vec<String>,
        /// Who may use it.
        rules: Rules,
        /// Its 256 bits, if they are not to be drawn at random.
        material: Option<Secret>,
        /// The token that is to have it: one made there, if neither identifier nor label is given.
        #[serde(default)]
        token: Option<TokenKey>,
    },
    /// New material for an external key. What the old has encrypted still decrypts.
    RotateKey {
        /// The store.
        store: String,
        /// The id of the key.
        id: String,
        /// The new 256 bits, if they are not to be drawn at random.
        material: Option<Secret>,
        /// The token that is to have the new key, which need not be the one that has the old.
        #[serde(default)]
        token: Option<TokenKey>,
    },
    /// Other rules for an external key.
    SetKeyRules {
        /// The store.
        store: String,
        /// The id of the key.
        id: String,
        /// Who may use it; replaces all rules there were.
        rules: Rules,
    },
    /// Has an external key used again.
    EnableKey {
        /// The store.
        store: String,
        /// The id of the key.
        id: String,
    },
    /// Has an external key used no more.
    DisableKey {
        /// The store.
        store: String,
        /// The id of the key.
        id: String,
    },
    /// Deletes an external key after a waiting period.
    DeleteKey {
        /// The store.
        store: String,
        /// The id of the key.
        id: String,
        /// The waiting period.
        window_days: u32,
    },
    /// Ends the waiting period of an external key, which is disabled then.
    CancelKeyDeletion {
        /// The store.
        store: String,
        /// The id of the key.
        id: String,
    },
}

impl Command {
    pub(crate) fn is_change(&self) -> bool {
        let looks = matches!(self, Self::ListStores {} | Self::ListKeys { .. } | Self::DescribeKey { .. });
        // The configuration file has a secret in it: that somebody took it is told too.
        !looks
    }
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// Stores.
    Stores {
        /// One line each.
        stores: Vec<StoreLine>,
    },
    /// External keys.
    Keys {
        /// One line each.
        keys: Vec<KeyLine>,
    },
    /// A new credential.
    NewCredential {
        /// The store.
        store: String,
        /// Its path.
        path: String,
        /// The id of the credential.
        access_key_id: String,
        /// Its secret.
        secret: Secret,
    },
    /// A proxy configuration file.
    Configuration {
        /// Its text, which has the secret of a credential in it.
        file: Secret,
    },
    /// Done; there is nothing to tell.
    Done,
    /// Not done.
    Refused {
        /// Why, and what to do.
        problem: String,
    },
}

/// A store in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreLine {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Requests in a second; 0 is no quota.
    pub quota: u32,
    /// Who may use it.
    pub rules: Rules,
    /// How many keys it has.
    pub keys: usize,
    /// The newest last.
    pub credentials: Vec<CredentialLine>,
}

/// A credential in a list, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialLine {
    /// Its id.
    pub access_key_id: String,
    /// When it was made, in milliseconds since 1970.
    pub created: i64,
}

/// An external key in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyLine {
    /// The store.
    pub store: String,
    /// The id, which is the `XksKeyId` of KMS.
    pub id: String,
    /// `enabled`, `disabled`, or `pending deletion`.
    pub status: String,
    /// What it may be used for.
    pub usage: Vec<String>,
    /// The version that encrypts.
    pub version: usize,
    /// Whether that version was there before: imported, or found in a token.
    pub imported: bool,
    /// The key of a token that the version is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenKey>,
    /// When it was made, in milliseconds since 1970.
    pub created: i64,
    /// When it will be deleted, in milliseconds since 1970.
    pub delete_at: Option<i64>,
    /// Who may use it, beside the rules of the store.
    pub rules: Rules,
}
