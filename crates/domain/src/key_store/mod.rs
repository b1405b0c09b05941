//! Custom key stores: where keys live that trent's own store does not hold.
//!
//! A record says what a customer has told of a store and how far its connection is; how it is reached, and what is
//! asked of it, is not here. Secrets of a record are sealed.

mod cluster;
mod connection;
mod external_key;
mod failure;
mod hsm;
mod place;
mod proxy;
mod service;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use trent_protocol::CustomKeyStoreType;

use crate::identifier::{AccountId, Region};
use crate::time::Timestamp;

pub use cluster::{
    Cluster, ClusterError, ClusterFailure, ClusterState, Hsm, HsmState, Passwords, RegisteredCluster, Subnet,
    find_cluster,
};
pub use connection::{Connection, InvalidConnectionState, Property};
pub use external_key::{ExternalKey, ExternalKeyError, UnfitExternalKey, check_external_key};
pub use failure::ProxyFailure;
pub use hsm::HsmFailure;
pub use place::{HeldAs, InStore};
pub use proxy::{Credential, Endpoint, EndpointError, Proxy, Reach, Taken};
pub use service::{DomainVerification, EndpointService, LoadBalancer, ServiceError, find_service};

/// What callers are told while an external key store is not connected.
pub const NOT_CONNECTED: &str = "This KMS key is in a custom key store that is not connected to its external key store proxy. \
                                 Connect the external key store and try the request again.";

const ID_PREFIX: &str = "cks-";
const ID_DIGITS: usize = 17;

/// The id of a custom key store: `cks-` and 17 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyStoreId(String);

/// Text that is no id of a custom key store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a custom key store")]
pub struct NotAKeyStoreId;

impl KeyStoreId {
    /// The id that random bytes make.
    pub fn generate(random: [u8; 9]) -> Self {
        let mut text = random.iter().fold(ID_PREFIX.to_owned(), |text, byte| text + &format!("{byte:02x}"));
        text.truncate(ID_PREFIX.len() + ID_DIGITS);
        Self(text)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyStoreId {
    type Err = NotAKeyStoreId;

    fn from_str(text: &str) -> Result<Self, NotAKeyStoreId> {
        let digits = text.strip_prefix(ID_PREFIX).ok_or(NotAKeyStoreId)?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() == ID_DIGITS && digits.bytes().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAKeyStoreId)
        }
    }
}

impl TryFrom<String> for KeyStoreId {
    type Error = NotAKeyStoreId;

    fn try_from(text: String) -> Result<Self, NotAKeyStoreId> {
        text.parse()
    }
}

impl From<KeyStoreId> for String {
    fn from(id: KeyStoreId) -> Self {
        id.0
    }
}

impl fmt::Display for KeyStoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A custom key store as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStore {
    /// Its id, unique over all accounts and Regions.
    pub id: KeyStoreId,
    /// The account that owns it.
    pub account: AccountId,
    /// The Region that it belongs to.
    pub region: Region,
    /// Its name, unique in account and Region.
    pub name: String,
    /// When it was created.
    pub created: Timestamp,
    /// What holds its keys.
    pub backing: Backing,
    /// What trent shows there, sealed: the password of `kmsuser`, or the secret half of a proxy's credential.
    pub sealed_secret: Vec<u8>,
    /// How far its connection is.
    pub connection: Connection,
    /// Counts attempts to connect and disconnect: the result of one that was given up is told by it.
    pub attempt: u64,
    /// The number of the stored version, counted up by the database with each change.
    pub version: u64,
}

/// What holds the keys of a custom key store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Backing {
    /// A cluster of HSMs.
    CloudHsm(Cluster),
    /// A key manager behind an external key store proxy.
    External(Proxy),
}

impl KeyStore {
    /// Its type as the API names it.
    pub const fn kind(&self) -> CustomKeyStoreType {
        match self.backing {
            Backing::CloudHsm(_) => CustomKeyStoreType::AwsCloudhsm,
            Backing::External(_) => CustomKeyStoreType::ExternalKeyStore,
        }
    }

    /// Whether what holds its keys can be asked.
    pub fn is_connected(&self) -> bool {
        self.connection == Connection::Connected
    }

    /// The proxy of an external key store.
    pub const fn proxy(&self) -> Option<&Proxy> {
        match &self.backing {
            Backing::External(proxy) => Some(proxy),
            Backing::CloudHsm(_) => None,
        }
    }

    /// The cluster of a CloudHSM key store.
    pub const fn cluster(&self) -> Option<&Cluster> {
        match &self.backing {
            Backing::CloudHsm(cluster) => Some(cluster),
            Backing::External(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_a_prefix_and_seventeen_digits() {
        let id = KeyStoreId::generate([0x12, 0x34, 0x56, 0x78, 0x90, 0xab, 0xcd, 0xef, 0x0f]);
        assert_eq!(id.as_str(), "cks-1234567890abcdef0");
        assert_eq!("cks-1234567890abcdef0".parse(), Ok(id));
        for wrong in ["", "cks-", "cks-1234567890abcdef", "cks-1234567890ABCDEF0", "cls-1234567890abcdef0"] {
            assert_eq!(wrong.parse::<KeyStoreId>(), Err(NotAKeyStoreId), "{wrong}");
        }
    }
}
