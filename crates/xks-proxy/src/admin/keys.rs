//! Commands about external keys.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use trent_crypto::external::VERSION_MAX;
use trent_crypto::{Key256, SecretBytes};
use trent_domain::time::Timestamp;
use trent_xks::ExternalKeyId;

use super::wire::{KeyLine, Material, Reply};
use super::{Change, Problem, refused};
use crate::open::Proxy;
use crate::record::{KeyRecord, Owner, Seals, Usage, VersionRecord, row};
use crate::rules::Rules;
use crate::sealed::SealedKey;

/// Bounds of the waiting period before deletion, as KMS has them.
const WINDOW_DAYS: std::ops::RangeInclusive<u32> = 7..=30;

impl Proxy {
    pub(super) fn list_keys(&self, name: Option<&str>) -> Result<Reply, Problem> {
        if let Some(name) = name {
            self.store(name)?;
        }
        let state = self.state.load();
        let stores = state.stores().filter(|store| name.is_none_or(|name| name == store.name));
        let keys = stores.flat_map(|store| store.keys.iter().map(|(id, key)| line(&store.name, id, key)));
        Ok(Reply::Keys { keys: keys.collect() })
    }

    pub(super) fn describe_key(&self, store: &str, id: &str) -> Result<Reply, Problem> {
        let key = self.key(store, id)?;
        Ok(Reply::Keys { keys: vec![line(store, id, &key)] })
    }

    pub(super) async fn add_key(
        &self,
        name: &str,
        id: Option<String>,
        usage: &[String],
        rules: Rules,
        material: Option<Material>,
    ) -> Result<Reply, Problem> {
        let store = self.store(name)?;
        let id = match id {
            Some(id) => id,
            None => self.fresh_id()?.to_string(),
        };
        id.parse::<ExternalKeyId>().map_err(|error| refused(error.to_string()))?;
        if store.keys.contains_key(&id) {
            return Err(refused(format!("the store `{name}` has a key `{id}` already")));
        }
        let usage = usage.iter().map(|text| {
            Usage::from_name(text)
                .ok_or_else(|| refused(format!("`{text}` is no usage; there are ENCRYPT and DECRYPT")))
        });
        let mut record = KeyRecord {
            created: self.now(),
            usage: usage.collect::<Result<_, _>>()?,
            enabled: true,
            delete_at: None,
            rules,
            versions: Vec::new(),
        };
        record.versions.push(self.version((name, &id), 1, material)?);
        self.put_key(name, &id, &record).await?;
        self.describe_key(name, &id)
    }

    pub(super) async fn rotate_key(
        &self,
        store: &str,
        id: &str,
        material: Option<Material>,
    ) -> Result<Reply, Problem> {
        let mut record = self.usable(store, id)?;
        let version = u32::try_from(record.versions.len() + 1).ok().filter(|version| *version <= VERSION_MAX);
        let version = version.ok_or_else(|| refused("the key has too many versions"))?;
        record.versions.push(self.version((store, id), version, material)?);
        self.put_key(store, id, &record).await?;
        self.describe_key(store, id)
    }

    pub(super) async fn set_key_rules(&self, store: &str, id: &str, rules: Rules) -> Result<Reply, Problem> {
        let record = KeyRecord { rules, ..self.key(store, id)?.record.clone() };
        self.put_key(store, id, &record).await
    }

    pub(super) async fn enable_key(&self, store: &str, id: &str, enabled: bool) -> Result<Reply, Problem> {
        let record = KeyRecord { enabled, ..self.usable(store, id)? };
        self.put_key(store, id, &record).await
    }

    pub(super) async fn delete_key(&self, store: &str, id: &str, days: u32) -> Result<Reply, Problem> {
        if !WINDOW_DAYS.contains(&days) {
            return Err(refused("the waiting period is 7 to 30 days"));
        }
        let delete_at = Some(self.now().plus_days(days));
        let record = KeyRecord { delete_at, ..self.usable(store, id)? };
        self.put_key(store, id, &record).await?;
        self.describe_key(store, id)
    }

    pub(super) async fn cancel_key_deletion(&self, store: &str, id: &str) -> Result<Reply, Problem> {
        let record = self.key(store, id)?.record.clone();
        if record.delete_at.is_none() {
            return Err(refused(format!("the key `{id}` is not to be deleted")));
        }
        self.put_key(store, id, &KeyRecord { delete_at: None, enabled: false, ..record }).await
    }

    async fn put_key(&self, store: &str, id: &str, record: &KeyRecord) -> Result<Reply, Problem> {
        self.apply("put external key", vec![Change::Put(row(store, id, record))]).await?;
        Ok(Reply::Done)
    }

    fn key(&self, store: &str, id: &str) -> Result<Arc<SealedKey>, Problem> {
        let missing = || refused(format!("the store `{store}` has no key `{id}`"));
        self.store(store)?.keys.get(id).cloned().ok_or_else(missing)
    }

    /// The record of a key that is not to be deleted.
    fn usable(&self, store: &str, id: &str) -> Result<KeyRecord, Problem> {
        let record = self.key(store, id)?.record.clone();
        match record.delete_at {
            None => Ok(record),
            Some(_) => {
                Err(refused(format!("the key `{id}` is to be deleted; `xks-key cancel-deletion` keeps it")))
            }
        }
    }

    /// A version of a key, drawn at random or imported.
    fn version(
        &self,
        (store, key): (&str, &str),
        version: u32,
        material: Option<Material>,
    ) -> Result<VersionRecord, Problem> {
        let imported = material.is_some();
        let key_bytes = match material {
            Some(Material(text)) => {
                let text = SecretBytes::from(text.into_bytes());
                let bytes = STANDARD.decode(text.expose()).map(SecretBytes::from).ok();
                let bytes = bytes.and_then(|bytes| Key256::from_slice(bytes.expose()));
                bytes.ok_or_else(|| refused("key material is 32 bytes in Base64"))?
            }
            None => Key256::generate(&*self.random)?,
        };
        let material = Seals(&self.keyring).material(Owner { store, key, version }, key_bytes.expose())?;
        Ok(VersionRecord { created: self.now(), imported, material })
    }
}

fn line(store: &str, id: &str, key: &SealedKey) -> KeyLine {
    let record = &key.record;
    let status = match (record.delete_at, record.enabled) {
        (Some(_), _) => "pending deletion",
        (None, true) => "enabled",
        (None, false) => "disabled",
    };
    KeyLine {
        store: store.to_owned(),
        id: id.to_owned(),
        status: status.to_owned(),
        usage: record.usage.iter().map(|usage| usage.name().to_owned()).collect(),
        version: record.versions.len(),
        imported: record.versions.last().is_some_and(|version| version.imported),
        created: record.created.millis(),
        delete_at: record.delete_at.map(Timestamp::millis),
        rules: record.rules.clone(),
    }
}
