//! Records as they lie in the database: JSON with a version, secrets sealed under the ring's key `external-keys`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use trent_crypto::SecretBytes;
use trent_crypto::envelope::{Purpose, label};
use trent_database::{DatabaseError, ProxyRecord};
use trent_domain::time::Timestamp;
use trent_keystore::{Keyring, RingName, StoreError};

use crate::rules::Rules;
use crate::tokens::TokenKey;

/// The version this code writes.
const VERSION: u32 = 1;

/// A key store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoreRecord {
    pub(crate) path: String,
    pub(crate) created: Timestamp,
    /// Requests in a second; 0 is no quota.
    pub(crate) quota: u32,
    #[serde(default, skip_serializing_if = "Rules::is_empty")]
    pub(crate) rules: Rules,
    /// The newest last.
    pub(crate) credentials: Vec<CredentialRecord>,
}

/// A credential of a store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CredentialRecord {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) secret: Sealed,
}

/// An external key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyRecord {
    pub(crate) created: Timestamp,
    pub(crate) usage: Vec<Usage>,
    pub(crate) enabled: bool,
    /// When it will be deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delete_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Rules::is_empty")]
    pub(crate) rules: Rules,
    /// From version 1 on; the last encrypts.
    pub(crate) versions: Vec<VersionRecord>,
}

/// A version of an external key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VersionRecord {
    pub(crate) created: Timestamp,
    /// Whether it was there before: material of the operator's, a key that was in the token.
    pub(crate) imported: bool,
    pub(crate) material: Kept,
}

/// Where the material of a version is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Kept {
    /// Here.
    Here(Sealed),
    /// In a token, which it does not leave.
    InToken(TokenKey),
}

impl VersionRecord {
    /// The key in a token that it is.
    pub(crate) const fn token_key(&self) -> Option<&TokenKey> {
        match &self.material {
            Kept::InToken(key) => Some(key),
            Kept::Here(_) => None,
        }
    }
}

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Usage {
    Encrypt,
    Decrypt,
}

impl Usage {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Encrypt => "ENCRYPT",
            Self::Decrypt => "DECRYPT",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Encrypt, Self::Decrypt].into_iter().find(|usage| usage.name().eq_ignore_ascii_case(name))
    }
}

/// A sealed secret; Base64 in the record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sealed(pub(crate) Vec<u8>);

impl Serialize for Sealed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Sealed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(|_| D::Error::custom("not Base64"))
    }
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    v: u32,
    record: T,
}

/// Reads the body of a row.
pub(crate) fn read<T: DeserializeOwned>(row: &ProxyRecord) -> Result<T, DatabaseError> {
    let broken = || DatabaseError::Broken {
        table: "proxy_records",
        column: "body",
        id: format!("{}/{}", row.store, row.key),
    };
    let body: Versioned<T> = serde_json::from_str(&row.body).map_err(|_| broken())?;
    if body.v == VERSION { Ok(body.record) } else { Err(broken()) }
}

/// Makes a row; the key is empty for a store.
pub(crate) fn row<T: Serialize>(store: &str, key: &str, record: &T) -> ProxyRecord {
    // Records of ours always can be written.
    let body = serde_json::to_string(&Versioned { v: VERSION, record }).unwrap_or_default();
    ProxyRecord { store: store.to_owned(), key: key.to_owned(), body }
}

/// Seals and opens the secrets of records.
pub(crate) struct Seals<'k>(pub(crate) &'k Keyring);

impl Seals<'_> {
    pub(crate) fn material(&self, owner: Owner<'_>, key: &[u8]) -> Result<Sealed, StoreError> {
        owner.with(|purpose| self.0.seal(RingName::ExternalKeys, purpose, key)).map(Sealed)
    }

    pub(crate) fn open_material(&self, owner: Owner<'_>, sealed: &Sealed) -> Result<SecretBytes, StoreError> {
        owner.with(|purpose| self.0.open(RingName::ExternalKeys, purpose, &sealed.0))
    }

    pub(crate) fn secret(&self, store: &str, id: &str, secret: &[u8]) -> Result<Sealed, StoreError> {
        let owner = [("store", store.as_bytes()), ("access-key", id.as_bytes())];
        let purpose = Purpose::new(label::PROXY_CREDENTIAL, &owner);
        self.0.seal(RingName::ExternalKeys, &purpose, secret).map(Sealed)
    }

    pub(crate) fn open_secret(
        &self,
        store: &str,
        id: &str,
        sealed: &Sealed,
    ) -> Result<SecretBytes, StoreError> {
        let owner = [("store", store.as_bytes()), ("access-key", id.as_bytes())];
        let purpose = Purpose::new(label::PROXY_CREDENTIAL, &owner);
        self.0.open(RingName::ExternalKeys, &purpose, &sealed.0)
    }
}

/// Whose material it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub(crate) store: &'a str,
    pub(crate) key: &'a str,
    pub(crate) version: u32,
}

impl Owner<'_> {
    fn with<R>(self, run: impl FnOnce(&Purpose<'_>) -> R) -> R {
        let version = self.version.to_be_bytes();
        let owner =
            [("store", self.store.as_bytes()), ("key", self.key.as_bytes()), ("version", version.as_slice())];
        run(&Purpose::new(label::EXTERNAL_KEY, &owner))
    }
}
