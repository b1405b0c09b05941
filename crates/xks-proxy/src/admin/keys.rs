//! Commands about external keys.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use trent_crypto::external::VERSION_MAX;
use trent_crypto::{Key256, SecretBytes};
use trent_domain::secret::Secret;
use trent_domain::time::Timestamp;
use trent_xks::ExternalKeyId;

use super::wire::{KeyLine, Reply};
use super::{Change, Problem, refused};
use crate::manager::ManagerError;
use crate::open::Proxy;
use crate::record::{Kept, KeyRecord, Owner, Seals, Usage, VersionRecord, row};
use crate::rules::Rules;
use crate::stored::StoredKey;
use crate::tokens::{TokenKey, TokenKeyFacts};

/// Bounds of the waiting period before deletion, as KMS has them.
const WINDOW_DAYS: std::ops::RangeInclusive<u32> = 7..=30;

/// Where the material of a new version comes from.
pub(super) enum Origin {
    /// Drawn at random.
    Random,
    /// The operator's.
    Imported(Secret),
    /// A key of a token: one that is there, or one to be made.
    Token(TokenKey),
}

impl Origin {
    pub(super) fn of(material: Option<Secret>, token: Option<TokenKey>) -> Result<Self, Problem> {
        match (material, token) {
            (None, None) => Ok(Self::Random),
            (Some(material), None) => Ok(Self::Imported(material)),
            (None, Some(token)) => Ok(Self::Token(token)),
            (Some(_), Some(_)) => Err(refused("material is not imported into a token")),
        }
    }
}

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
        origin: Origin,
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
        let made = self.version((name, &id), 1, origin, &record.usage).await?;
        record.versions.push(made);
        self.put_version(name, &id, &record).await
    }

    pub(super) async fn rotate_key(&self, store: &str, id: &str, origin: Origin) -> Result<Reply, Problem> {
        let mut record = self.usable(store, id)?;
        let version = u32::try_from(record.versions.len() + 1).ok().filter(|version| *version <= VERSION_MAX);
        let version = version.ok_or_else(|| refused("the key has too many versions"))?;
        let origin = match (origin, record.versions.last().and_then(VersionRecord::token_key)) {
            // What is in a token stays in one unless something else is said.
            (Origin::Random, Some(TokenKey { token, .. })) => {
                Origin::Token(TokenKey { token: token.clone(), id: None, label: None })
            }
            (origin, _) => origin,
        };
        let made = self.version((store, id), version, origin, &record.usage).await?;
        record.versions.push(made);
        self.put_version(store, id, &record).await
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
        let key = self.key(store, id)?;
        if key.record.delete_at.is_none() {
            return Err(refused(format!("the key `{id}` is not to be deleted")));
        }
        if key.is_due(self.now()) {
            return Err(refused(format!(
                "the waiting period of the key `{id}` is over, and part of it may be destroyed already"
            )));
        }
        let record = KeyRecord { delete_at: None, enabled: false, ..key.record.clone() };
        self.put_key(store, id, &record).await
    }

    async fn put_key(&self, store: &str, id: &str, record: &KeyRecord) -> Result<Reply, Problem> {
        self.apply("put external key", vec![Change::Put(row(store, id, record))]).await?;
        Ok(Reply::Done)
    }

    /// Puts a record with a version that is new.
    async fn put_version(&self, store: &str, id: &str, record: &KeyRecord) -> Result<Reply, Problem> {
        if let Err(problem) = self.put_key(store, id, record).await {
            // It is not destroyed: the record may be there all the same.
            let made = record.versions.last().filter(|version| !version.imported);
            if let Some(TokenKey { token, id: made, .. }) = made.and_then(VersionRecord::token_key) {
                tracing::error!(
                    store,
                    key = id,
                    token,
                    made,
                    "a key was made in a token, and its record not put"
                );
            }
            return Err(problem);
        }
        self.describe_key(store, id)
    }

    fn key(&self, store: &str, id: &str) -> Result<Arc<StoredKey>, Problem> {
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

    /// A version of a key, which is to be used so.
    async fn version(
        &self,
        owner: (&str, &str),
        version: u32,
        origin: Origin,
        usage: &[Usage],
    ) -> Result<VersionRecord, Problem> {
        let imported = match &origin {
            Origin::Random => false,
            Origin::Imported(_) => true,
            Origin::Token(key) => key.id.is_some() || key.label.is_some(),
        };
        let material = match origin {
            Origin::Random => self.sealed(owner, version, &Key256::generate(&*self.random)?)?,
            Origin::Imported(text) => self.sealed(owner, version, &read_material(&text)?)?,
            Origin::Token(key) if imported => {
                check_fit(&self.tokens.find(&key).await?, usage)?;
                Kept::InToken(key)
            }
            Origin::Token(key) => Kept::InToken(self.made_in(&key.token, owner, version, usage).await?),
        };
        Ok(VersionRecord { created: self.now(), imported, material })
    }

    fn sealed(&self, (store, key): (&str, &str), version: u32, bytes: &Key256) -> Result<Kept, Problem> {
        let owner = Owner { store, key, version };
        Ok(Kept::Here(Seals(&self.keyring).material(owner, bytes.expose())?))
    }

    /// A key that is made in a token.
    async fn made_in(
        &self,
        token: &str,
        (store, id): (&str, &str),
        version: u32,
        usage: &[Usage],
    ) -> Result<TokenKey, Problem> {
        let key = self.tokens.make(token, &format!("{store}/{id} {version}")).await?;
        let found = self.tokens.find(&key).await.map_err(Problem::from);
        match found.and_then(|facts| check_fit(&facts, usage)) {
            Ok(()) => Ok(key),
            Err(problem) => {
                self.destroy_in_token((store, id), &key).await;
                Err(problem)
            }
        }
    }

    /// Destroys what was made in tokens for a key, but for what other keys use. Whether nothing is left to be destroyed.
    pub(super) async fn destroy_in_tokens(&self, store: &str, id: &str, key: &StoredKey) -> bool {
        let made = key.record.versions.iter().filter(|version| !version.imported);
        let mut all = true;
        for token_key in made.filter_map(VersionRecord::token_key) {
            all &= match self.other_user((store, id), token_key).await {
                Ok(None) => self.destroy_in_token((store, id), token_key).await,
                Ok(Some(other)) => {
                    let TokenKey { token, id: left, .. } = token_key;
                    tracing::warn!(
                        store,
                        key = id,
                        token,
                        left,
                        other,
                        "a key stays in its token: another uses it"
                    );
                    true
                }
                Err(error) => {
                    let token = &token_key.token;
                    tracing::error!(store, key = id, token, %error, "it is not known whether others use a key");
                    false
                }
            };
        }
        all
    }

    /// Whether a key of a token is gone now.
    async fn destroy_in_token(&self, (store, key): (&str, &str), token_key: &TokenKey) -> bool {
        match self.tokens.destroy(token_key).await {
            Ok(()) | Err(ManagerError::NotFound) => true,
            Err(error) => {
                let TokenKey { token, id: left, .. } = token_key;
                tracing::error!(store, key, token, left, %error, "a key could not be destroyed in its token");
                false
            }
        }
    }

    /// Another external key that uses this key of a token and will go on to.
    async fn other_user(&self, owner: (&str, &str), made: &TokenKey) -> Result<Option<String>, ManagerError> {
        let (state, now) = (self.state.load_full(), self.now());
        for store in state.stores() {
            let others = store
                .keys
                .iter()
                .filter(|(id, key)| (store.name.as_str(), id.as_str()) != owner && !key.is_due(now));
            for (id, key) in others {
                for used in key.record.versions.iter().filter_map(VersionRecord::token_key) {
                    if self.is_same(made, used).await? {
                        return Ok(Some(format!("{}/{id}", store.name)));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Whether a key that was made here is the one that another record names.
    async fn is_same(&self, made: &TokenKey, used: &TokenKey) -> Result<bool, ManagerError> {
        if made.token != used.token {
            return Ok(false);
        }
        match (&made.id, &used.id) {
            (Some(made), Some(used)) => Ok(made.eq_ignore_ascii_case(used)),
            // The other is known by its label, and the token says whether that is this key's.
            _ => match self.tokens.find(&TokenKey { label: used.label.clone(), ..made.clone() }).await {
                Ok(_) => Ok(true),
                Err(ManagerError::NotFound) => Ok(false),
                Err(error) => Err(error),
            },
        }
    }
}

fn read_material(text: &Secret) -> Result<Key256, Problem> {
    let bytes = STANDARD.decode(text.expose()).map(SecretBytes::from).ok();
    let bytes = bytes.and_then(|bytes| Key256::from_slice(bytes.expose()));
    bytes.ok_or_else(|| refused("key material is 32 bytes in Base64"))
}

/// Refuses a key of a token that KMS would refuse, or that cannot do what it is for.
fn check_fit(facts: &TokenKeyFacts, usage: &[Usage]) -> Result<(), Problem> {
    if facts.bits.is_some_and(|bits| bits != 256) {
        return Err(refused("the token's key is no AES-256 key, and KMS takes no other"));
    }
    let lacks = usage.iter().find(|usage| match usage {
        Usage::Encrypt => !facts.encrypt,
        Usage::Decrypt => !facts.decrypt,
    });
    match lacks {
        Some(usage) => Err(refused(format!("the token's key does not {}", usage.name().to_lowercase()))),
        None => Ok(()),
    }
}

fn line(store: &str, id: &str, key: &StoredKey) -> KeyLine {
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
        token: record.versions.last().and_then(VersionRecord::token_key).cloned(),
        created: record.created.millis(),
        delete_at: record.delete_at.map(Timestamp::millis),
        rules: record.rules.clone(),
    }
}
