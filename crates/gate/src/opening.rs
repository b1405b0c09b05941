//! Opening the gate: the root key is checked against the database, the key ring is read or made.

use std::sync::Arc;

use arc_swap::ArcSwap;
use trent_crypto::{Key256, Random};
use trent_database::{Database, DatabaseError, RingKey, Transaction};
use trent_domain::identifier::{AccountId, Region};
use trent_domain::time::Clock;
use trent_keystore::{Clusters, ExternalProxies, KeyStore, Keyring, NewRingKey, RingName, StoreError};

use crate::cache::{CacheBounds, KeyCache};
use crate::grants::GrantCache;
use crate::key_policies::KeyPolicies;
use crate::key_stores::Registry;
use crate::usage_log::UsageLog;

/// The row that tells which root key sealed the ring.
const FINGERPRINT: &str = "root-key-fingerprint";

/// The door to all keys of a deployment.
pub struct Gate {
    pub(crate) database: Arc<dyn Database>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) store: Arc<dyn KeyStore>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) cache: Arc<KeyCache>,
    pub(crate) grants: Arc<GrantCache>,
    pub(crate) policies: KeyPolicies,
    pub(crate) usage: UsageLog,
    pub(crate) proxies: Arc<dyn ExternalProxies>,
    pub(crate) clusters: Arc<dyn Clusters>,
    pub(crate) registry: ArcSwap<Registry>,
}

/// What a gate is made of.
pub struct Parts {
    /// The records.
    pub database: Arc<dyn Database>,
    /// The key ring, holding its root key and nothing else yet.
    pub keyring: Arc<Keyring>,
    /// The store of key material.
    pub store: Arc<dyn KeyStore>,
    /// What reaches the proxies of external key stores.
    pub proxies: Arc<dyn ExternalProxies>,
    /// What reaches the HSMs of clusters.
    pub clusters: Arc<dyn Clusters>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How much may be kept in memory.
    pub bounds: CacheBounds,
}

/// Signs checkpoints of the audit trail, and nothing else: what it signs is no request, token or material.
pub struct CheckpointSigner {
    keyring: Arc<Keyring>,
    public_key: [u8; 32],
}

impl CheckpointSigner {
    /// The Ed25519 public key.
    pub fn public_key(&self) -> [u8; 32] {
        self.public_key
    }

    /// The signature of a checkpoint.
    pub fn sign(&self, text: &[u8]) -> Result<[u8; 64], StoreError> {
        self.keyring.sign_checkpoint(text)
    }
}

/// Why the gate cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another root key sealed this database. Nothing was changed.
    #[error("the root key is not the one that this database was sealed with")]
    WrongRootKey,
    /// The database could not be read or written.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A key of the ring could not be made or opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The identities in database and configuration could not be put together.
    #[error("{0}")]
    Identities(String),
}

impl Gate {
    /// Opens the gate: on a new database the key ring is made, on any other it is opened with the root key.
    pub async fn open(parts: Parts) -> Result<Self, OpenError> {
        let Parts { database, keyring, store, proxies, clusters, random, clock, bounds } = parts;
        open_ring(&*database, &keyring).await?;
        let cache = Arc::new(KeyCache::new(bounds));
        let grants = Arc::new(GrantCache::new(bounds.grant_bytes));
        database.observe(Arc::clone(&cache) as _);
        database.observe(Arc::clone(&grants) as _);
        let (policies, usage) = (KeyPolicies::default(), UsageLog::default());
        let registry = ArcSwap::default();
        Ok(Self {
            database,
            keyring,
            store,
            random,
            clock,
            cache,
            grants,
            policies,
            usage,
            proxies,
            clusters,
            registry,
        })
    }

    /// Gives a new database a ring whose material ids are made with a key that is given, so that they are the same in
    /// every database so made: for tests, whose ciphertexts outlive their servers.
    pub async fn fix_material_ids(
        database: &dyn Database,
        keyring: &Arc<Keyring>,
        key: &Key256,
    ) -> Result<(), OpenError> {
        let rows = trent_database::read(database, |records| records.ring_keys()).await?;
        if rows.is_empty() {
            // The rest of the ring is made when it is opened.
            write_ring(database, keyring, &[keyring.adopt(RingName::MaterialIds, key)?]).await?;
        }
        Ok(())
    }

    /// Seals the whole ring under another root key, in one transaction, without touching any key.
    pub async fn rekey(
        database: &dyn Database,
        current: Arc<Keyring>,
        next: Arc<Keyring>,
    ) -> Result<(), OpenError> {
        let fingerprint = next.fingerprint().to_vec();
        trent_database::write(database, "rekey", move |transaction| {
            if transaction.setting(FINGERPRINT)?.as_deref() != Some(current.fingerprint().as_slice()) {
                return Err(OpenError::WrongRootKey);
            }
            for RingKey { name, sealed } in transaction.ring_keys()? {
                let sealed = current.reseal(name.parse()?, &sealed, &next)?;
                transaction.replace_ring_key(&RingKey { name, sealed })?;
            }
            transaction.put_setting(FINGERPRINT, &fingerprint)?;
            Ok(())
        })
        .await?
    }

    /// What signs checkpoints of the audit trail. The key is made when it is first asked for.
    pub async fn checkpoint_signer(&self) -> Result<CheckpointSigner, OpenError> {
        self.ensure(RingName::AuditCheckpoints).await?;
        let keyring = Arc::clone(&self.keyring);
        Ok(CheckpointSigner { public_key: keyring.checkpoint_public_key()?, keyring })
    }

    /// How many bytes of key material could not be locked into memory.
    pub fn unlocked_bytes(&self) -> usize {
        self.keyring.unlocked_bytes()
    }

    /// Makes the domain key of an account and Region unless it exists, and takes it into the ring.
    pub(crate) async fn ensure_domain_key(
        &self,
        account: AccountId,
        region: Region,
    ) -> Result<(), OpenError> {
        self.ensure(RingName::Domain { account, region }).await
    }

    /// Makes a key of the ring unless it exists, and takes it into the ring.
    pub(crate) async fn ensure(&self, name: RingName) -> Result<(), OpenError> {
        if self.keyring.has(name) {
            return Ok(());
        }
        let NewRingKey { sealed: fresh, .. } = self.keyring.create(name)?;
        // Of two that make it at once, the row that is written first counts.
        let sealed = trent_database::write(&*self.database, "create ring key", move |transaction| {
            match transaction.ring_key(&name.to_string())? {
                Some(existing) => Ok::<_, OpenError>(existing.sealed),
                None => {
                    insert(transaction, name, &fresh)?;
                    Ok(fresh.clone())
                }
            }
        })
        .await??;
        Ok(self.keyring.admit(name, &sealed)?)
    }
}

async fn open_ring(database: &dyn Database, keyring: &Arc<Keyring>) -> Result<(), OpenError> {
    let (fingerprint, rows) =
        trent_database::read(database, |records| Ok((records.setting(FINGERPRINT)?, records.ring_keys()?)))
            .await?;
    match fingerprint {
        None if rows.is_empty() => make_ring(database, keyring, &RingName::FIRST).await,
        Some(known) if known == keyring.fingerprint() => {
            rows.iter()
                .try_for_each(|row| Ok::<_, OpenError>(keyring.admit(row.name.parse()?, &row.sealed)?))?;
            // What came with a later version.
            let is_missing = |name: &RingName| match name {
                RingName::Sessions(_) => keyring.sessions().is_none(),
                name => !keyring.has(*name),
            };
            let missing: Vec<_> = RingName::FIRST.into_iter().filter(is_missing).collect();
            if missing.is_empty() { Ok(()) } else { make_ring(database, keyring, &missing).await }
        }
        _ => Err(OpenError::WrongRootKey),
    }
}

async fn make_ring(
    database: &dyn Database,
    keyring: &Arc<Keyring>,
    names: &[RingName],
) -> Result<(), OpenError> {
    let fresh = names.iter().map(|name| keyring.create(*name)).collect::<Result<Vec<_>, _>>()?;
    write_ring(database, keyring, &fresh).await
}

async fn write_ring(
    database: &dyn Database,
    keyring: &Arc<Keyring>,
    fresh: &[NewRingKey],
) -> Result<(), OpenError> {
    let fingerprint = keyring.fingerprint();
    let rows: Vec<_> = fresh.iter().map(|key| (key.name, key.sealed.clone())).collect();
    trent_database::write(database, "make key ring", move |transaction| {
        transaction.put_setting(FINGERPRINT, &fingerprint)?;
        rows.iter().try_for_each(|(name, sealed)| insert(transaction, *name, sealed))
    })
    .await??;
    fresh.iter().try_for_each(|key| Ok(keyring.admit(key.name, &key.sealed)?))
}

pub(crate) fn insert(
    transaction: &mut dyn Transaction,
    name: RingName,
    sealed: &[u8],
) -> Result<(), OpenError> {
    Ok(transaction.insert_ring_key(&RingKey { name: name.to_string(), sealed: sealed.to_vec() })?)
}
