//! The records of one connection: each question and each change is a function of the file of its table.

use std::sync::Arc;

use rusqlite::Connection;
use trent_domain::alias::Alias;
use trent_domain::grant::{Grant, PrincipalId, Terms};
use trent_domain::identifier::{AccountId, GrantId, KeyId, Region};
use trent_domain::identity::{AccessKey, Account, Record, RecordName};
use trent_domain::key::Key;
use trent_domain::key_store::{KeyStore, KeyStoreId};
use trent_domain::time::Timestamp;
use trent_domain::usage::LastUsage;

use super::{aliases, grants, identities, key_stores, keys, proxy, ring, usage};
use crate::Change;
use crate::error::DatabaseError;
use crate::records::{DueKey, ProxyRecord, Records, RingKey, Transaction};

type Result<T> = std::result::Result<T, DatabaseError>;

/// The records, and what has been changed through this.
pub(super) struct Rows<'c> {
    connection: &'c Connection,
    changes: Vec<Change>,
}

impl<'c> Rows<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { connection, changes: Vec::new() }
    }

    pub(super) fn into_changes(self) -> Vec<Change> {
        self.changes
    }

    fn changed(&mut self, change: Change) {
        self.changes.push(change);
    }
}

impl Records for Rows<'_> {
    fn key(&self, region: Region, id: KeyId) -> Result<Option<Key>> {
        keys::find(self.connection, region, id)
    }

    fn keys(
        &self,
        account: AccountId,
        region: Region,
        after: Option<KeyId>,
        limit: usize,
    ) -> Result<Vec<KeyId>> {
        keys::list(self.connection, account, region, after, limit)
    }

    fn every_key(&self, after: Option<(Region, KeyId)>, limit: usize) -> Result<Vec<(Region, KeyId)>> {
        keys::every(self.connection, after, limit)
    }

    fn customer_key_count(&self, account: AccountId, region: Region) -> Result<u64> {
        keys::count(self.connection, account, region)
    }

    fn due_keys(&self, now: Timestamp, after: Option<DueKey>, limit: usize) -> Result<Vec<DueKey>> {
        keys::due(self.connection, now, after, limit)
    }

    fn last_usage(&self, region: Region, id: KeyId) -> Result<Option<LastUsage>> {
        usage::find(self.connection, region, id)
    }

    fn alias(&self, account: AccountId, region: Region, name: &str) -> Result<Option<Alias>> {
        aliases::find(self.connection, account, region, name)
    }

    fn aliases(
        &self,
        account: AccountId,
        region: Region,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Alias>> {
        aliases::list(self.connection, account, region, after, limit)
    }

    fn aliases_of(
        &self,
        region: Region,
        key: KeyId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Alias>> {
        aliases::list_of(self.connection, region, key, after, limit)
    }

    fn alias_count(&self, region: Region, key: KeyId) -> Result<u64> {
        aliases::count(self.connection, region, key)
    }

    fn keys_in_store(&self, store: &KeyStoreId, external_key: Option<&str>) -> Result<Vec<(Region, KeyId)>> {
        keys::of_store(self.connection, store, external_key)
    }

    fn key_store(&self, id: &KeyStoreId) -> Result<Option<KeyStore>> {
        key_stores::find(self.connection, id)
    }

    fn key_stores(&self, region: Option<Region>) -> Result<Vec<KeyStore>> {
        key_stores::list(self.connection, region)
    }

    fn grant(&self, region: Region, key: KeyId, id: GrantId) -> Result<Option<Grant>> {
        grants::find(self.connection, region, key, id)
    }

    fn grants(
        &self,
        region: Region,
        key: KeyId,
        grantee: Option<&PrincipalId>,
        after: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<Grant>> {
        grants::list(self.connection, region, key, grantee, after, limit)
    }

    fn retirable_grants(
        &self,
        region: Region,
        retiring: &PrincipalId,
        after: Option<(KeyId, GrantId)>,
        limit: usize,
    ) -> Result<Vec<Grant>> {
        grants::list_retirable(self.connection, region, retiring, after, limit)
    }

    fn grant_with(&self, region: Region, key: KeyId, terms: &Terms) -> Result<Option<GrantId>> {
        grants::find_with(self.connection, region, key, terms)
    }

    fn grant_count(&self, region: Region, key: KeyId) -> Result<u64> {
        grants::count(self.connection, region, key)
    }

    fn accounts(&self) -> Result<Vec<Account>> {
        identities::accounts(self.connection)
    }

    fn identities(&self) -> Result<Vec<Record>> {
        identities::identities(self.connection)
    }

    fn access_keys(&self) -> Result<Vec<AccessKey>> {
        identities::access_keys(self.connection)
    }

    fn ring_keys(&self) -> Result<Vec<RingKey>> {
        ring::list(self.connection)
    }

    fn ring_key(&self, name: &str) -> Result<Option<RingKey>> {
        ring::find(self.connection, name)
    }

    fn proxy_records(&self) -> Result<Vec<ProxyRecord>> {
        proxy::list(self.connection)
    }

    fn setting(&self, name: &str) -> Result<Option<Vec<u8>>> {
        ring::setting(self.connection, name)
    }
}

impl Transaction for Rows<'_> {
    fn insert_key(&mut self, key: &Key) -> Result<()> {
        keys::insert(self.connection, key)?;
        self.changed(Change::Key(key.region, key.id));
        Ok(())
    }

    fn update_key(&mut self, key: &Key) -> Result<()> {
        keys::update(self.connection, key)?;
        self.changed(Change::Key(key.region, key.id));
        Ok(())
    }

    fn delete_key(&mut self, region: Region, id: KeyId) -> Result<()> {
        let aliases = aliases::delete_of(self.connection, region, id)?;
        grants::delete_of(self.connection, region, id)?;
        usage::delete(self.connection, region, id)?;
        keys::delete(self.connection, region, id)?;
        self.changed(Change::Key(region, id));
        let gone = aliases.into_iter().map(|alias| Change::Alias(alias.account, alias.region, alias.name));
        self.changes.extend(gone);
        Ok(())
    }

    fn record_usage(&mut self, region: Region, id: KeyId, usage: &LastUsage) -> Result<()> {
        // No cache keeps it, so nobody is told.
        usage::record(self.connection, region, id, usage)
    }

    fn insert_alias(&mut self, alias: &Alias) -> Result<()> {
        aliases::insert(self.connection, alias)?;
        self.changed(Change::Alias(alias.account, alias.region, alias.name.clone()));
        Ok(())
    }

    fn update_alias(&mut self, alias: &Alias) -> Result<()> {
        aliases::update(self.connection, alias)?;
        self.changed(Change::Alias(alias.account, alias.region, alias.name.clone()));
        Ok(())
    }

    fn delete_alias(&mut self, account: AccountId, region: Region, name: &str) -> Result<()> {
        if let Some(gone) = aliases::delete(self.connection, account, region, name)? {
            self.changed(Change::Alias(account, region, gone));
        }
        Ok(())
    }

    fn insert_key_store(&mut self, store: &KeyStore) -> Result<()> {
        key_stores::insert(self.connection, store)?;
        self.changed(Change::KeyStore(store.id.clone()));
        Ok(())
    }

    fn update_key_store(&mut self, store: &KeyStore) -> Result<()> {
        key_stores::update(self.connection, store)?;
        self.changed(Change::KeyStore(store.id.clone()));
        Ok(())
    }

    fn delete_key_store(&mut self, id: &KeyStoreId) -> Result<()> {
        key_stores::delete(self.connection, id)?;
        self.changed(Change::KeyStore(id.clone()));
        Ok(())
    }

    fn insert_grant(&mut self, grant: &Grant) -> Result<()> {
        grants::insert(self.connection, grant)?;
        self.changed(Change::GrantCreated(Arc::new(grant.clone())));
        Ok(())
    }

    fn delete_grant(&mut self, region: Region, key: KeyId, id: GrantId) -> Result<bool> {
        let Some(gone) = grants::find(self.connection, region, key, id)? else { return Ok(false) };
        grants::delete(self.connection, region, key, id)?;
        self.changed(Change::GrantDeleted(Arc::new(gone)));
        Ok(true)
    }

    fn put_account(&mut self, account: &Account) -> Result<()> {
        identities::put_account(self.connection, account)?;
        self.changed(Change::Identities);
        Ok(())
    }

    fn put_identity(&mut self, record: &Record) -> Result<()> {
        identities::put_identity(self.connection, record)?;
        self.changed(Change::Identities);
        Ok(())
    }

    fn delete_identity(&mut self, name: &RecordName) -> Result<()> {
        identities::delete_identity(self.connection, name)?;
        self.changed(Change::Identities);
        Ok(())
    }

    fn put_access_key(&mut self, key: &AccessKey) -> Result<()> {
        identities::put_access_key(self.connection, key)?;
        self.changed(Change::Identities);
        Ok(())
    }

    fn delete_access_key(&mut self, id: &str) -> Result<()> {
        identities::delete_access_key(self.connection, id)?;
        self.changed(Change::Identities);
        Ok(())
    }

    fn insert_ring_key(&mut self, key: &RingKey) -> Result<()> {
        ring::insert(self.connection, key)?;
        self.changed(Change::Ring(key.name.clone()));
        Ok(())
    }

    fn replace_ring_key(&mut self, key: &RingKey) -> Result<()> {
        ring::replace(self.connection, key)?;
        self.changed(Change::Ring(key.name.clone()));
        Ok(())
    }

    fn delete_ring_key(&mut self, name: &str) -> Result<()> {
        ring::delete(self.connection, name)?;
        self.changed(Change::Ring(name.to_owned()));
        Ok(())
    }

    fn put_proxy_record(&mut self, record: &ProxyRecord) -> Result<()> {
        // The proxy itself is the only one who keeps them, so nobody is told.
        proxy::put(self.connection, record)
    }

    fn delete_proxy_record(&mut self, store: &str, key: &str) -> Result<()> {
        proxy::delete(self.connection, store, key)
    }

    fn put_setting(&mut self, name: &str, value: &[u8]) -> Result<()> {
        ring::put_setting(self.connection, name, value)
    }
}
