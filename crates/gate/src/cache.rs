//! Keys, aliases and custom key stores in use, in memory: no database read on the path of a warm key.
//!
//! An entry is one key of one Region, replaced whole and never edited. Entries have [`Generations`], so a row that was
//! read before a change can never serve a request that starts after the change was answered, however the two interleave.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::sync::Cache;
use tokio::sync::{MutexGuard, OnceCell};
use trent_database::{Change, Observer};
use trent_domain::alias::AliasName;
use trent_domain::identifier::{AccountId, KeyId, Region};
use trent_domain::key::Key;
use trent_domain::key_store::{KeyStore, KeyStoreId};
use trent_domain::time::Timestamp;
use trent_keystore::OpenedKey;
use trent_policy::Document;

use crate::generations::Generations;

const ENTRY_BYTES: usize = 1_000;
const ALIAS_ENTRY_BYTES: u64 = 300;
/// Accounts have few, and each of them has many keys.
const KEY_STORES: u64 = 10_000;

/// How much the caches may hold.
#[derive(Debug, Clone, Copy)]
pub struct CacheBounds {
    /// Bytes of key records, opened keys included, about.
    pub key_bytes: u64,
    /// Bytes of aliases, about.
    pub alias_bytes: u64,
    /// Bytes of grants, about.
    pub grant_bytes: u64,
}

impl Default for CacheBounds {
    fn default() -> Self {
        Self { key_bytes: 128 << 20, alias_bytes: 16 << 20, grant_bytes: 128 << 20 }
    }
}

/// A key as it is kept in memory.
pub(crate) struct Entry {
    pub(crate) key: Key,
    /// The key's full name, which most answers carry.
    pub(crate) arn: Box<str>,
    /// Its policy, compiled.
    pub(crate) policy: Arc<Document>,
    /// The current material, opened on first use; it goes when the entry goes.
    current: OnceCell<OpenedKey>,
    /// Its aliases, where a policy has asked for them, and how many changes of aliases there had been before.
    aliases: parking_lot::Mutex<Option<(u64, Arc<[String]>)>>,
    generation: u64,
}

#[derive(Clone)]
struct AliasEntry {
    target: KeyId,
    generation: u64,
}

#[derive(Clone)]
struct StoreEntry {
    record: Arc<KeyStore>,
    generation: u64,
}

type KeyPlace = (Region, KeyId);
type AliasPlace = (AccountId, Region, AliasName);

/// The cache of keys, aliases and custom key stores.
pub(crate) struct KeyCache {
    keys: Cache<KeyPlace, Arc<Entry>>,
    aliases: Cache<AliasPlace, AliasEntry>,
    stores: Cache<KeyStoreId, StoreEntry>,
    generations: Generations,
    alias_changes: AtomicU64,
}

impl KeyCache {
    pub(crate) fn new(bounds: CacheBounds) -> Self {
        let keys =
            Cache::builder().max_capacity(bounds.key_bytes).weigher(|_, entry: &Arc<Entry>| entry.weight());
        Self {
            keys: keys.build(),
            aliases: Cache::new(bounds.alias_bytes / ALIAS_ENTRY_BYTES),
            stores: Cache::new(KEY_STORES),
            generations: Generations::new(),
            alias_changes: AtomicU64::new(0),
        }
    }

    pub(crate) fn key(&self, place: &KeyPlace) -> Option<Arc<Entry>> {
        self.keys.get(place).filter(|entry| entry.generation == self.generation(place))
    }

    pub(crate) fn alias(&self, place: &AliasPlace) -> Option<KeyId> {
        let entry = self.aliases.get(place).filter(|entry| entry.generation == self.generation(place));
        entry.map(|entry| entry.target)
    }

    pub(crate) fn key_store(&self, id: &KeyStoreId) -> Option<Arc<KeyStore>> {
        let entry = self.stores.get(id).filter(|entry| entry.generation == self.generation(id));
        entry.map(|entry| entry.record)
    }

    /// Keeps the record of a key store that was read after `generation` was taken.
    pub(crate) fn insert_key_store(&self, record: KeyStore, generation: u64) -> Arc<KeyStore> {
        let (id, record) = (record.id.clone(), Arc::new(record));
        self.stores.insert(id, StoreEntry { record: Arc::clone(&record), generation });
        record
    }

    /// Keeps a row that was read after `generation` was taken.
    pub(crate) fn insert_key(&self, key: Key, policy: Arc<Document>, generation: u64) -> Arc<Entry> {
        let place = (key.region, key.id);
        let entry = Arc::new(Entry::new(key, policy, generation));
        self.keys.insert(place, Arc::clone(&entry));
        if self.generation(&place) != generation {
            // It changed meanwhile, and whoever published that found nothing here to remove.
            self.remove(&place);
        }
        entry
    }

    /// Removes an entry, and with it the material that it has opened. Without the second step the cache would hold on
    /// to it until somebody uses the cache again, which may be never.
    fn remove(&self, place: &KeyPlace) {
        if self.keys.remove(place).is_some() {
            self.keys.run_pending_tasks();
        }
    }

    /// Keeps an alias that was read after `generation` was taken.
    pub(crate) fn insert_alias(&self, place: AliasPlace, target: KeyId, generation: u64) {
        self.aliases.insert(place, AliasEntry { target, generation });
    }

    /// The generation of what is at `place`, to be taken before its row is read.
    pub(crate) fn generation(&self, place: &impl Hash) -> u64 {
        self.generations.of(place)
    }

    /// How many changes of aliases there have been, to be taken before those of a key are read.
    pub(crate) fn alias_changes(&self) -> u64 {
        self.alias_changes.load(Ordering::SeqCst)
    }

    /// Waits until nobody else loads what is at `place`.
    pub(crate) async fn load(&self, place: &impl Hash) -> Option<MutexGuard<'_, ()>> {
        self.generations.load(place).await
    }
}

impl Observer for KeyCache {
    fn publish(&self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Key(region, id) => {
                    let place = (*region, *id);
                    self.generations.count_up(&place);
                    // The old entry would only take up room, and hold material that may have to go.
                    self.remove(&place);
                }
                Change::Alias(account, region, name) => {
                    self.generations.count_up(&(*account, *region, name.clone()));
                    self.alias_changes.fetch_add(1, Ordering::SeqCst);
                }
                Change::KeyStore(id) => {
                    self.generations.count_up(id);
                    self.stores.invalidate(id);
                }
                Change::GrantCreated(_) | Change::GrantDeleted(_) | Change::Identities | Change::Ring(_) => {}
            }
        }
    }
}

impl Entry {
    /// A key that is not in the cache.
    pub(crate) fn unkept(key: Key, policy: Arc<Document>) -> Self {
        Self::new(key, policy, 0)
    }

    fn new(key: Key, policy: Arc<Document>, generation: u64) -> Self {
        let arn = key.arn().to_string().into();
        Self { key, arn, policy, current: OnceCell::new(), aliases: None.into(), generation }
    }

    /// The current material, opened by `open` unless it has been before. Of many who need it at once one opens it, and
    /// the others wait for that: preparing an RSA key for each of them would take a core a second for a thousand.
    pub(crate) async fn opened<E>(
        &self,
        open: impl Future<Output = Result<OpenedKey, E>>,
    ) -> Result<&OpenedKey, E> {
        self.current.get_or_try_init(|| open).await
    }

    /// The same key as it is once what has expired at `now` is deleted. Not kept: the job changes the row soon.
    pub(crate) fn without_expired(&self, now: Timestamp) -> Self {
        let mut key = self.key.clone();
        key.expire_material(now);
        Self::new(key, Arc::clone(&self.policy), self.generation)
    }

    /// Its aliases, if none has changed since they were kept.
    pub(crate) fn aliases_at(&self, changes: u64) -> Option<Arc<[String]>> {
        let kept = self.aliases.lock();
        kept.as_ref().filter(|(then, _)| *then == changes).map(|(_, aliases)| Arc::clone(aliases))
    }

    /// Keeps aliases that were read after `changes` was taken.
    pub(crate) fn keep_aliases(&self, changes: u64, aliases: &Arc<[String]>) {
        *self.aliases.lock() = Some((changes, Arc::clone(aliases)));
    }

    fn weight(&self) -> u32 {
        let Key { description, policy, tags, materials, .. } = &self.key;
        // The text, as it is stored and as it was read, and what it was compiled to.
        let policy = policy.as_ref().map_or(0, |policy| policy.len() * 5);
        let tags: usize = tags.iter().map(|(key, value)| key.len() + value.len() + 100).sum();
        let materials: usize = materials
            .iter()
            .map(|material| {
                let public = material.public.as_ref().map_or(0, |public| public.len());
                let description =
                    material.imported.as_ref().and_then(|imported| imported.description.as_ref());
                200 + material.sealed.len() + public + description.map_or(0, String::len)
            })
            .sum();
        // A pair in use takes about five times what is sealed of it: numbers are kept in several forms.
        let opened = self.key.current_material().map_or(0, |current| current.sealed.len() * 5);
        let bytes = ENTRY_BYTES + description.len() + policy + tags + materials + opened;
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicU64, Ordering};

    use trent_domain::lifecycle::Lifecycle;
    use trent_keystore::{MacKey, StoreError};
    use trent_protocol::{KeyManager, KeySpec, KeyUsage, Origin};

    use super::*;

    fn key() -> Key {
        Key {
            id: "0198c5a4-7a3e-7000-8000-000000000001".parse().unwrap(),
            account: "111122223333".parse().unwrap(),
            region: "eu-central-1".parse().unwrap(),
            spec: KeySpec::SymmetricDefault,
            usage: KeyUsage::EncryptDecrypt,
            origin: Origin::AwsKms,
            manager: KeyManager::Customer,
            description: String::new(),
            created: Timestamp::from_millis(0),
            lifecycle: Lifecycle::Enabled,
            policy: None,
            tags: BTreeMap::new(),
            schedule: None,
            materials: Vec::new(),
            in_store: None,
            multi_region: None,
            version: 1,
        }
    }

    fn policy() -> Arc<Document> {
        crate::key_policies::KeyPolicies::default().of(&key()).unwrap()
    }

    #[test]
    fn what_has_changed_is_gone_from_memory_before_its_change_is_answered() {
        let cache = KeyCache::new(CacheBounds::default());
        let place = (key().region, key().id);
        let entry = Arc::downgrade(&cache.insert_key(key(), policy(), cache.generation(&place)));
        assert!(entry.upgrade().is_some());
        cache.publish(&[Change::Key(place.0, place.1)]);
        assert!(entry.upgrade().is_none(), "its material would stay until somebody else uses the cache");
    }

    /// A key that does nothing.
    struct Idle;

    impl MacKey for Idle {
        fn generate(&self, _: &[u8]) -> Result<Vec<u8>, StoreError> {
            Err(StoreError::Library)
        }

        fn verify(&self, _: &[u8], _: &[u8]) -> Result<(), StoreError> {
            Err(StoreError::Library)
        }
    }

    #[tokio::test]
    async fn many_who_need_a_cold_key_open_it_once() {
        let cache = KeyCache::new(CacheBounds::default());
        let entry = cache.insert_key(key(), policy(), cache.generation(&(key().region, key().id)));
        let opened = Arc::new(AtomicU64::new(0));
        let open = |fails| {
            let (entry, opened) = (Arc::clone(&entry), Arc::clone(&opened));
            tokio::spawn(async move {
                let open = async {
                    opened.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    if fails { Err(StoreError::Busy) } else { Ok(OpenedKey::Mac(Arc::new(Idle))) }
                };
                entry.opened(open).await.is_ok()
            })
        };
        // The first one fails, which is no answer for the others.
        let first = open(true);
        tokio::task::yield_now().await;
        let others: Vec<_> = (0..50).map(|_| open(false)).collect();
        assert!(!first.await.unwrap());
        for other in others {
            assert!(other.await.unwrap());
        }
        assert_eq!(opened.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_row_that_was_read_before_a_change_is_not_kept() {
        let cache = KeyCache::new(CacheBounds::default());
        let place = (key().region, key().id);
        let generation = cache.generation(&place);
        cache.publish(&[Change::Key(place.0, place.1)]);
        let entry = Arc::downgrade(&cache.insert_key(key(), policy(), generation));
        assert!(cache.key(&place).is_none());
        assert!(entry.upgrade().is_none());
    }
}
