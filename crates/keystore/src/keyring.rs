//! The key ring: the deployment's own keys, each sealed under the root key in one database row.
//!
//! A key of the ring is made once, becomes usable with [`Keyring::admit`] when its row is committed, and stays
//! in memory-locked pages from then on.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use trent_crypto::envelope::{self, Purpose, label};
use trent_crypto::{Key256, LockedKey, LockedKeys, Random, SecretBytes, checkpoint, kdf, root};
use trent_domain::identifier::{AccountId, Region};

use crate::store::StoreError;

/// The name of a key of the ring, and of its database row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RingName {
    /// Seals the material of the keys of one account in one Region.
    Domain {
        /// The account.
        account: AccountId,
        /// The Region.
        region: Region,
    },
    /// Makes material ids, the same in every Region.
    MaterialIds,
    /// Seals the secrets of access keys.
    AccessKeys,
    /// Seals the markers of paged answers.
    Markers,
    /// Seals import tokens.
    ImportTokens,
    /// Signs checkpoints of the audit trail.
    AuditCheckpoints,
    /// Seals grant tokens.
    GrantTokens,
    /// Seals the external keys and the credentials of `trent xks-proxy`, in whose ring it is alone.
    ExternalKeys,
    /// Seals session tokens, and makes the secrets that go with them. The highest number seals; the others open.
    Sessions(u32),
    /// Seals the private keys of recipients of transfers.
    Transfers,
}

impl RingName {
    /// The keys that every deployment has from its first start.
    pub const FIRST: [Self; 6] = [
        Self::MaterialIds,
        Self::AccessKeys,
        Self::Markers,
        Self::ImportTokens,
        Self::GrantTokens,
        Self::Sessions(1),
    ];
}

impl fmt::Display for RingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain { account, region } => write!(f, "domain/{account}/{region}"),
            Self::MaterialIds => f.write_str("material-ids"),
            Self::AccessKeys => f.write_str("access-keys"),
            Self::Markers => f.write_str("markers"),
            Self::ImportTokens => f.write_str("import-tokens"),
            Self::AuditCheckpoints => f.write_str("audit-checkpoints"),
            Self::GrantTokens => f.write_str("grant-tokens"),
            Self::ExternalKeys => f.write_str("external-keys"),
            Self::Sessions(number) => write!(f, "sessions/{number}"),
            Self::Transfers => f.write_str("transfers"),
        }
    }
}

impl std::str::FromStr for RingName {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let unknown = || StoreError::UnknownRingKey(text.to_owned());
        match text {
            "material-ids" => Ok(Self::MaterialIds),
            "access-keys" => Ok(Self::AccessKeys),
            "markers" => Ok(Self::Markers),
            "import-tokens" => Ok(Self::ImportTokens),
            "audit-checkpoints" => Ok(Self::AuditCheckpoints),
            "grant-tokens" => Ok(Self::GrantTokens),
            "external-keys" => Ok(Self::ExternalKeys),
            "transfers" => Ok(Self::Transfers),
            _ if text.starts_with("sessions/") => {
                let number = text.strip_prefix("sessions/").and_then(|number| number.parse().ok());
                number.map(Self::Sessions).ok_or_else(unknown)
            }
            _ => {
                let scope = text
                    .strip_prefix("domain/")
                    .and_then(|scope| scope.split_once('/'))
                    .ok_or_else(unknown)?;
                let account = scope.0.parse().map_err(|_| unknown())?;
                let region = scope.1.parse().map_err(|_| unknown())?;
                Ok(Self::Domain { account, region })
            }
        }
    }
}

/// A key of the ring that has just been made; its row is not written yet.
#[must_use]
pub struct NewRingKey {
    /// The name of its row.
    pub name: RingName,
    /// The key, sealed under the root key.
    pub sealed: Vec<u8>,
}

/// The root key and the keys of the ring.
pub struct Keyring {
    root: LockedKey,
    keys: RwLock<HashMap<RingName, Arc<LockedKey>>>,
    pages: LockedKeys,
    random: Arc<dyn Random>,
}

impl Keyring {
    /// A ring that has nothing but its root key.
    pub fn new(root: &Key256, random: Arc<dyn Random>) -> Self {
        let pages = LockedKeys::new();
        Self { root: pages.insert(root), keys: RwLock::default(), pages, random }
    }

    /// Tells which root key this is without revealing anything of it.
    pub fn fingerprint(&self) -> [u8; 16] {
        root::fingerprint(&self.root.expose())
    }

    /// Makes a key for the ring. It is not in the ring until it is admitted.
    pub fn create(&self, name: RingName) -> Result<NewRingKey, StoreError> {
        let fresh = Key256::generate(&*self.random)?;
        Ok(NewRingKey { name, sealed: self.seal_under_root(name, fresh.expose())? })
    }

    /// The same with a key that is given.
    pub fn adopt(&self, name: RingName, key: &Key256) -> Result<NewRingKey, StoreError> {
        Ok(NewRingKey { name, sealed: self.seal_under_root(name, key.expose())? })
    }

    /// Opens the row of a key and takes it into the ring.
    pub fn admit(&self, name: RingName, sealed: &[u8]) -> Result<(), StoreError> {
        let key = self.open_under_root(name, sealed)?;
        self.keys.write().insert(name, Arc::new(self.pages.insert(&key)));
        Ok(())
    }

    /// Whether the ring has a key.
    pub fn has(&self, name: RingName) -> bool {
        self.keys.read().contains_key(&name)
    }

    /// The row of a key of this ring, sealed under the root key of another ring instead.
    pub fn reseal(&self, name: RingName, sealed: &[u8], other: &Self) -> Result<Vec<u8>, StoreError> {
        other.seal_under_root(name, self.open_under_root(name, sealed)?.expose())
    }

    /// Seals `plaintext` under a key of the ring, bound to what it is and whose it is (`purpose`).
    pub fn seal(
        &self,
        name: RingName,
        purpose: &Purpose<'_>,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let key = self.key(name)?;
        Ok(envelope::seal(key.expose().expose(), purpose, plaintext, &*self.random)?)
    }

    /// Opens what [`Keyring::seal`] sealed, for the same purpose.
    pub fn open(
        &self,
        name: RingName,
        purpose: &Purpose<'_>,
        sealed: &[u8],
    ) -> Result<SecretBytes, StoreError> {
        let key = self.key(name)?;
        envelope::open(key.expose().expose(), purpose, sealed)
            .map_err(|_| StoreError::Unsealable { what: format!("{purpose:?}") })
    }

    /// Derives a key from one of the ring.
    pub fn derive(&self, name: RingName, label: &[u8], context: &[u8]) -> Result<Key256, StoreError> {
        let key = self.key(name)?;
        Ok(kdf::derive(key.expose().expose(), label, context))
    }

    /// The number of the key that seals session tokens.
    pub fn sessions(&self) -> Option<u32> {
        self.session_numbers().last().copied()
    }

    /// The numbers of the keys that open session tokens, in order.
    pub fn session_numbers(&self) -> Vec<u32> {
        let keys = self.keys.read();
        let numbers = keys.keys().filter_map(|name| match name {
            RingName::Sessions(number) => Some(*number),
            _ => None,
        });
        let mut numbers: Vec<u32> = numbers.collect();
        numbers.sort_unstable();
        numbers
    }

    /// Takes a key out of the ring. It is wiped when the last who uses it is done.
    pub fn forget(&self, name: RingName) {
        self.keys.write().remove(&name);
    }

    /// The public key of checkpoints.
    pub fn checkpoint_public_key(&self) -> Result<[u8; 32], StoreError> {
        let key = self.key(RingName::AuditCheckpoints)?;
        checkpoint::public_key(&key.expose()).ok_or(StoreError::Library)
    }

    /// The signature of a checkpoint.
    pub fn sign_checkpoint(&self, text: &[u8]) -> Result<[u8; 64], StoreError> {
        let key = self.key(RingName::AuditCheckpoints)?;
        checkpoint::sign(&key.expose(), text).ok_or(StoreError::Library)
    }

    /// How many bytes of key material could not be locked into memory.
    pub fn unlocked_bytes(&self) -> usize {
        self.pages.unlocked_bytes()
    }

    pub(crate) fn key(&self, name: RingName) -> Result<Arc<LockedKey>, StoreError> {
        self.keys.read().get(&name).cloned().ok_or_else(|| StoreError::UnknownRingKey(name.to_string()))
    }

    /// Keeps a key in locked pages.
    pub(crate) fn keep(&self, key: &Key256) -> LockedKey {
        self.pages.insert(key)
    }

    pub(crate) fn random(&self) -> &dyn Random {
        &*self.random
    }

    pub(crate) fn shared_random(&self) -> Arc<dyn Random> {
        Arc::clone(&self.random)
    }

    fn seal_under_root(&self, name: RingName, plaintext: &[u8]) -> Result<Vec<u8>, StoreError> {
        let name = name.to_string();
        let owner = [("name", name.as_bytes())];
        Ok(envelope::seal(self.root.expose().expose(), &ring_key(&owner), plaintext, &*self.random)?)
    }

    fn open_under_root(&self, name: RingName, sealed: &[u8]) -> Result<Key256, StoreError> {
        let name = name.to_string();
        let unsealable = || StoreError::Unsealable { what: format!("ring key {name}") };
        let owner = [("name", name.as_bytes())];
        let opened = envelope::open(self.root.expose().expose(), &ring_key(&owner), sealed)
            .map_err(|_| unsealable())?;
        Key256::from_slice(opened.expose()).ok_or_else(unsealable)
    }
}

fn ring_key<'a>(owner: &'a [(&'a str, &'a [u8])]) -> Purpose<'a> {
    Purpose::new(label::RING_KEY, owner)
}
