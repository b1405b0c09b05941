//! What can be asked of the records, and what can be done to them.

use trent_domain::alias::Alias;
use trent_domain::grant::{Grant, PrincipalId, Terms};
use trent_domain::identifier::{AccountId, GrantId, KeyId, Region};
use trent_domain::identity::{AccessKey, Account, Record, RecordName};
use trent_domain::key::Key;
use trent_domain::key_store::{KeyStore, KeyStoreId};
use trent_domain::time::Timestamp;
use trent_domain::usage::LastUsage;

use crate::error::DatabaseError;

type Result<T> = std::result::Result<T, DatabaseError>;

/// A key of the ring: sealed under the root key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingKey {
    /// Its name.
    pub name: String,
    /// The key, sealed.
    pub sealed: Vec<u8>,
}

/// A key on which a job has something to do. The order is that in which they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueKey {
    /// Since when.
    pub at: Timestamp,
    /// The Region of the key.
    pub region: Region,
    /// The id of the key.
    pub id: KeyId,
}

/// A record of `trent xks-proxy`: a key store, or an external key of one. What is in it is that crate's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyRecord {
    /// The name of the store.
    pub store: String,
    /// The id of the key; empty for the store itself.
    pub key: String,
    /// The record as JSON, its secrets sealed.
    pub body: String,
}

/// The records as they are at one moment. Lists are in order of what names their rows.
pub trait Records {
    /// The key of a Region with this id.
    fn key(&self, region: Region, id: KeyId) -> Result<Option<Key>>;

    /// At most `limit` ids of the keys of an account in a Region, in order of their text, after `after`.
    fn keys(
        &self,
        account: AccountId,
        region: Region,
        after: Option<KeyId>,
        limit: usize,
    ) -> Result<Vec<KeyId>>;

    /// At most `limit` keys of all accounts and Regions, in order of the text of their ids, then of their Regions, after
    /// `after`.
    fn every_key(&self, after: Option<(Region, KeyId)>, limit: usize) -> Result<Vec<(Region, KeyId)>>;

    /// How many customer managed keys an account has in a Region.
    fn customer_key_count(&self, account: AccountId, region: Region) -> Result<u64>;

    /// At most `limit` keys, of all accounts and Regions, whose [`Key::due_at`] is at or before `now`; the longest
    /// due first, and only those that come `after` the one given.
    fn due_keys(&self, now: Timestamp, after: Option<DueKey>, limit: usize) -> Result<Vec<DueKey>>;

    /// When a key was last used.
    fn last_usage(&self, region: Region, id: KeyId) -> Result<Option<LastUsage>>;

    /// The alias with this name.
    fn alias(&self, account: AccountId, region: Region, name: &str) -> Result<Option<Alias>>;

    /// At most `limit` aliases of an account in a Region, by name, after `after`.
    fn aliases(
        &self,
        account: AccountId,
        region: Region,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Alias>>;

    /// At most `limit` aliases of a key, by name, after `after`.
    fn aliases_of(&self, region: Region, key: KeyId, after: Option<&str>, limit: usize)
    -> Result<Vec<Alias>>;

    /// How many aliases a key has.
    fn alias_count(&self, region: Region, key: KeyId) -> Result<u64>;

    /// The keys in a custom key store, in order of their ids: all, or the one whose part there is called `external_key`.
    fn keys_in_store(&self, store: &KeyStoreId, external_key: Option<&str>) -> Result<Vec<(Region, KeyId)>>;

    /// The custom key store with this id.
    fn key_store(&self, id: &KeyStoreId) -> Result<Option<KeyStore>>;

    /// All custom key stores of a Region, whoever owns them, or of all Regions; in order of creation, then of their ids.
    fn key_stores(&self, region: Option<Region>) -> Result<Vec<KeyStore>>;

    /// The grant of a key with this id.
    fn grant(&self, region: Region, key: KeyId, id: GrantId) -> Result<Option<Grant>>;

    /// At most `limit` grants of a key, those for one grantee alone if that is given, by id, after `after`.
    fn grants(
        &self,
        region: Region,
        key: KeyId,
        grantee: Option<&PrincipalId>,
        after: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<Grant>>;

    /// At most `limit` grants of all keys of a Region that name a retiring principal, by key and id, after `after`.
    fn retirable_grants(
        &self,
        region: Region,
        retiring: &PrincipalId,
        after: Option<(KeyId, GrantId)>,
        limit: usize,
    ) -> Result<Vec<Grant>>;

    /// The oldest grant of a key with these terms, which have a name.
    fn grant_with(&self, region: Region, key: KeyId, terms: &Terms) -> Result<Option<GrantId>>;

    /// How many grants a key has.
    fn grant_count(&self, region: Region, key: KeyId) -> Result<u64>;

    /// All accounts.
    fn accounts(&self) -> Result<Vec<Account>>;

    /// What all accounts have by name: users, groups, roles, policies, providers.
    fn identities(&self) -> Result<Vec<Record>>;

    /// All access keys of all accounts.
    fn access_keys(&self) -> Result<Vec<AccessKey>>;

    /// The whole ring.
    fn ring_keys(&self) -> Result<Vec<RingKey>>;

    /// A key of the ring.
    fn ring_key(&self, name: &str) -> Result<Option<RingKey>>;

    /// All stores and keys of a proxy, each store before its keys.
    fn proxy_records(&self) -> Result<Vec<ProxyRecord>>;

    /// A value of the deployment as a whole.
    fn setting(&self, name: &str) -> Result<Option<Vec<u8>>>;
}

/// The records inside a write transaction: reads see what the transaction has written.
pub trait Transaction: Records {
    /// Adds a key as version 1, whatever its `version` says.
    fn insert_key(&mut self, key: &Key) -> Result<()>;

    /// Replaces a key, whose `version` must be that of its row; the row gets the next one.
    fn update_key(&mut self, key: &Key) -> Result<()>;

    /// Deletes a key with its aliases, grants and last usage; one that is not there is no error.
    fn delete_key(&mut self, region: Region, id: KeyId) -> Result<()>;

    /// Notes when a key was last used, unless a later usage is noted or the key is gone.
    fn record_usage(&mut self, region: Region, id: KeyId, usage: &LastUsage) -> Result<()>;

    /// Adds an alias; its key must be there.
    fn insert_alias(&mut self, alias: &Alias) -> Result<()>;

    /// Replaces an alias that must be there.
    fn update_alias(&mut self, alias: &Alias) -> Result<()>;

    /// Deletes an alias; one that is not there is no error.
    fn delete_alias(&mut self, account: AccountId, region: Region, name: &str) -> Result<()>;

    /// Adds a custom key store as version 1, whatever its `version` says; its name must be free.
    fn insert_key_store(&mut self, store: &KeyStore) -> Result<()>;

    /// Replaces a custom key store, whose `version` must be that of its row; the row gets the next one.
    fn update_key_store(&mut self, store: &KeyStore) -> Result<()>;

    /// Deletes a custom key store; one that is not there is no error.
    fn delete_key_store(&mut self, id: &KeyStoreId) -> Result<()>;

    /// Adds a grant; its key must be there.
    fn insert_grant(&mut self, grant: &Grant) -> Result<()>;

    /// Deletes a grant; says whether it was there.
    fn delete_grant(&mut self, region: Region, key: KeyId, id: GrantId) -> Result<bool>;

    /// Adds or replaces an account.
    fn put_account(&mut self, account: &Account) -> Result<()>;

    /// Adds or replaces what an account has by name; the account must be there.
    fn put_identity(&mut self, record: &Record) -> Result<()>;

    /// Deletes what an account has by name; what is not there is no error.
    fn delete_identity(&mut self, name: &RecordName) -> Result<()>;

    /// Adds or replaces an access key; its account must be there.
    fn put_access_key(&mut self, key: &AccessKey) -> Result<()>;

    /// Deletes an access key; one that is not there is no error.
    fn delete_access_key(&mut self, id: &str) -> Result<()>;

    /// Adds a key to the ring; one of its name must not be there.
    fn insert_ring_key(&mut self, key: &RingKey) -> Result<()>;

    /// Replaces a key of the ring that must be there.
    fn replace_ring_key(&mut self, key: &RingKey) -> Result<()>;

    /// Deletes a key of the ring, if it is there.
    fn delete_ring_key(&mut self, name: &str) -> Result<()>;

    /// Adds or replaces a record of a proxy.
    fn put_proxy_record(&mut self, record: &ProxyRecord) -> Result<()>;

    /// Deletes a record of a proxy; one that is not there is no error.
    fn delete_proxy_record(&mut self, store: &str, key: &str) -> Result<()>;

    /// Adds or replaces a value of the deployment.
    fn put_setting(&mut self, name: &str, value: &[u8]) -> Result<()>;
}
