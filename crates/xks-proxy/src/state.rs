//! Stores and keys as they are used: all in memory, replaced whole after each change.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use trent_crypto::{LockedKeys, Random, SecretBytes};
use trent_database::{DatabaseError, ProxyRecord};
use trent_domain::quota::Bucket;
use trent_keystore::{Keyring, StoreError};

use crate::record::{self, CredentialRecord, KeyRecord, Seals, StoreRecord};
use crate::stored::StoredKey;
use crate::tokens::Tokens;

/// The state that is in force.
pub(crate) type Shared = ArcSwap<State>;

/// All stores.
#[derive(Default)]
pub(crate) struct State {
    /// By name.
    stores: BTreeMap<String, Arc<Store>>,
    /// Names, by path.
    paths: BTreeMap<String, String>,
}

/// A key store.
pub(crate) struct Store {
    pub(crate) name: String,
    pub(crate) record: StoreRecord,
    pub(crate) credentials: Vec<Credential>,
    pub(crate) keys: BTreeMap<String, Arc<StoredKey>>,
    pub(crate) bucket: Arc<Bucket>,
}

/// A credential, opened.
pub(crate) struct Credential {
    pub(crate) id: String,
    pub(crate) secret: SecretBytes,
}

/// What loading takes.
pub(crate) struct Loading<'l> {
    pub(crate) keyring: &'l Keyring,
    pub(crate) pages: &'l LockedKeys,
    pub(crate) random: &'l Arc<dyn Random>,
    pub(crate) tokens: &'l Arc<dyn Tokens>,
}

/// Why records could not be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl State {
    /// The store with a name.
    pub(crate) fn store(&self, name: &str) -> Option<&Arc<Store>> {
        self.stores.get(name)
    }

    /// The store at a path.
    pub(crate) fn at(&self, path: &str) -> Option<&Arc<Store>> {
        self.stores.get(self.paths.get(path)?)
    }

    /// All stores, by name.
    pub(crate) fn stores(&self) -> impl Iterator<Item = &Arc<Store>> {
        self.stores.values()
    }

    /// The state that the rows describe. What has not changed since `before` is taken from there.
    pub(crate) fn load(rows: &[ProxyRecord], before: &Self, with: &Loading<'_>) -> Result<Self, LoadError> {
        let mut state = Self::default();
        // Each store comes before its keys: its own row has the empty key.
        for row in rows {
            match row.key.is_empty() {
                true => state.add_store(row, before, with)?,
                false => state.add_key(row, before, with)?,
            }
        }
        Ok(state)
    }

    fn add_store(&mut self, row: &ProxyRecord, before: &Self, with: &Loading<'_>) -> Result<(), LoadError> {
        let record: StoreRecord = record::read(row)?;
        let seals = Seals(with.keyring);
        let open = |CredentialRecord { id, secret, .. }: &CredentialRecord| {
            Ok(Credential { id: id.clone(), secret: seals.open_secret(&row.store, id, secret)? })
        };
        let credentials = record.credentials.iter().map(open).collect::<Result<_, StoreError>>()?;
        let bucket = before.store(&row.store).map(|store| Arc::clone(&store.bucket)).unwrap_or_default();
        self.paths.insert(record.path.clone(), row.store.clone());
        let store = Store { name: row.store.clone(), record, credentials, keys: BTreeMap::new(), bucket };
        self.stores.insert(row.store.clone(), Arc::new(store));
        Ok(())
    }

    fn add_key(&mut self, row: &ProxyRecord, before: &Self, with: &Loading<'_>) -> Result<(), LoadError> {
        let record: KeyRecord = record::read(row)?;
        let known = before.store(&row.store).and_then(|store| store.keys.get(&row.key));
        let key = match known.filter(|key| key.record == record) {
            Some(key) => Arc::clone(key),
            None => {
                let name = (&*row.store, &*row.key);
                Arc::new(StoredKey::open(name, record, with)?)
            }
        };
        let orphan = || DatabaseError::Broken {
            table: "proxy_records",
            column: "store",
            id: format!("{}/{}", row.store, row.key),
        };
        // Nobody else has it yet, so that it can be changed in place.
        let store = self.stores.get_mut(&row.store).and_then(Arc::get_mut).ok_or_else(orphan)?;
        store.keys.insert(row.key.clone(), key);
        Ok(())
    }
}
