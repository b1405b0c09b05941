//! Commands about stores and credentials.

use std::sync::Arc;

use trent_crypto::SecretBytes;
use trent_xks::{Credential, ProxyConfiguration, SecretAccessKey, UriPath};

use super::wire::{CredentialLine, Reply, StoreLine};
use super::{Change, Problem, refused};
use crate::open::Proxy;
use crate::record::{CredentialRecord, Seals, StoreRecord, row};
use crate::rules::Rules;
use crate::state::Store;

/// How many credentials a store may have: the old and the new one of a rotation.
const CREDENTIALS_MAX: usize = 2;
const NAME_BYTES_MAX: usize = 64;

impl Proxy {
    pub(super) fn store(&self, name: &str) -> Result<Arc<Store>, Problem> {
        let missing =
            || refused(format!("there is no store `{name}`; `xks-store list` shows those there are"));
        self.state.load().store(name).cloned().ok_or_else(missing)
    }

    pub(super) fn list_stores(&self) -> Reply {
        let line = |store: &Arc<Store>| StoreLine {
            name: store.name.clone(),
            path: store.record.path.clone(),
            quota: store.record.quota,
            rules: store.record.rules.clone(),
            keys: store.keys.len(),
            credentials: store.record.credentials.iter().map(credential_line).collect(),
        };
        Reply::Stores { stores: self.state.load().stores().map(line).collect() }
    }

    pub(super) async fn add_store(
        &self,
        name: String,
        path: String,
        quota: u32,
        rules: Rules,
    ) -> Result<Reply, Problem> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if !(1..=NAME_BYTES_MAX).contains(&name.len()) || !name.bytes().all(plain) {
            return Err(refused("a name is 1 to 64 of A-Z a-z 0-9 - _"));
        }
        path.parse::<UriPath>().map_err(|error| refused(error.to_string()))?;
        {
            let state = self.state.load();
            if state.store(&name).is_some() {
                return Err(refused(format!("there is a store `{name}` already")));
            }
            if let Some(other) = state.at(&path) {
                return Err(refused(format!("the path is that of the store `{}` already", other.name)));
            }
        }
        let record = StoreRecord { path, created: self.now(), quota, rules, credentials: Vec::new() };
        self.put_with_new_credential(&name, record).await
    }

    pub(super) async fn set_store(
        &self,
        name: &str,
        quota: Option<u32>,
        rules: Option<Rules>,
    ) -> Result<Reply, Problem> {
        let mut record = self.store(name)?.record.clone();
        record.quota = quota.unwrap_or(record.quota);
        record.rules = rules.unwrap_or(record.rules);
        self.apply("change proxy store", vec![Change::Put(row(name, "", &record))]).await?;
        Ok(Reply::Done)
    }

    pub(super) async fn delete_store(&self, name: &str) -> Result<Reply, Problem> {
        let store = self.store(name)?;
        if !store.keys.is_empty() {
            let count = store.keys.len();
            return Err(refused(format!(
                "the store `{name}` has {count} keys; delete them first, and wait for it"
            )));
        }
        let change = Change::Delete { store: name.to_owned(), key: String::new() };
        self.apply("delete proxy store", vec![change]).await?;
        Ok(Reply::Done)
    }

    pub(super) async fn add_credential(&self, name: &str) -> Result<Reply, Problem> {
        let record = self.store(name)?.record.clone();
        if record.credentials.len() >= CREDENTIALS_MAX {
            return Err(refused(format!(
                "the store `{name}` has two credentials already; delete the older one first"
            )));
        }
        self.put_with_new_credential(name, record).await
    }

    async fn put_with_new_credential(&self, name: &str, mut record: StoreRecord) -> Result<Reply, Problem> {
        let Credential { access_key_id, secret } = Credential::generate(&*self.random)?;
        let id = access_key_id.as_str().to_owned();
        let sealed = Seals(&self.keyring).secret(name, &id, secret.expose())?;
        record.credentials.push(CredentialRecord { id: id.clone(), created: self.now(), secret: sealed });
        let reply = Reply::NewCredential {
            store: name.to_owned(),
            path: record.path.clone(),
            access_key_id: id,
            secret: secret.expose().into(),
        };
        self.apply("add proxy credential", vec![Change::Put(row(name, "", &record))]).await?;
        Ok(reply)
    }

    pub(super) async fn delete_credential(&self, name: &str, id: &str) -> Result<Reply, Problem> {
        let mut record = self.store(name)?.record.clone();
        let before = record.credentials.len();
        record.credentials.retain(|credential| credential.id != id);
        match (before, record.credentials.len()) {
            (before, after) if before == after => {
                Err(refused(format!("the store `{name}` has no credential `{id}`")))
            }
            (_, 0) => Err(refused("this is the only credential of the store; add another one first")),
            _ => {
                self.apply("delete proxy credential", vec![Change::Put(row(name, "", &record))]).await?;
                Ok(Reply::Done)
            }
        }
    }

    pub(super) fn configuration(&self, name: &str) -> Result<Reply, Problem> {
        let store = self.store(name)?;
        let broken = || refused(format!("the record of the store `{name}` is broken: restore a backup"));
        let newest = store.credentials.last().ok_or_else(broken)?;
        let secret = SecretBytes::from(newest.secret.expose().clone());
        let configuration = ProxyConfiguration {
            uri_path: store.record.path.parse().map_err(|_| broken())?,
            credential: Credential {
                access_key_id: newest.id.parse().map_err(|_| broken())?,
                secret: SecretAccessKey::new(secret).map_err(|_| broken())?,
            },
        };
        Ok(Reply::Configuration { file: configuration.to_json().expose().as_slice().into() })
    }
}

fn credential_line(record: &CredentialRecord) -> CredentialLine {
    CredentialLine { access_key_id: record.id.clone(), created: record.created.millis() }
}
