//! Opening a proxy: the root key is checked against the database, the ring's one key read or made, everything loaded.

use std::sync::Arc;

use arc_swap::ArcSwap;
use trent_crypto::{LockedKeys, Random, RandomError};
use trent_database::{Database, DatabaseError, RingKey};
use trent_domain::time::{Clock, Timestamp};
use trent_keystore::{Keyring, NewRingKey, RingName, StoreError};
use uuid::Uuid;

use crate::manager::KeyManager;
use crate::state::{LoadError, Loading, Shared, State};
use crate::stored::StoredManager;
use crate::tokens::Tokens;

/// The row that tells which root key sealed the ring.
pub(crate) const FINGERPRINT: &str = "root-key-fingerprint";

/// A proxy.
pub struct Proxy {
    pub(crate) database: Arc<dyn Database>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) model: String,
    pub(crate) state: Arc<Shared>,
    pub(crate) manager: Arc<dyn KeyManager>,
    pub(crate) tokens: Arc<dyn Tokens>,
    pages: LockedKeys,
    /// One change at a time; requests do not wait for it.
    pub(crate) changing: tokio::sync::Mutex<()>,
}

/// What a proxy is made of.
pub struct Parts {
    /// The records.
    pub database: Arc<dyn Database>,
    /// The key ring, holding its root key and nothing else yet.
    pub keyring: Arc<Keyring>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Tokens that keys may be in.
    pub tokens: Arc<dyn Tokens>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What the proxy calls itself when asked for its health.
    pub model: String,
}

/// Why a proxy cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another root key sealed this database. Nothing was changed.
    #[error("the root key is not the one that this database was sealed with")]
    WrongRootKey,
    /// The database belongs to a server. Nothing was changed.
    #[error("this data directory is that of `trent serve`; a proxy has one of its own")]
    NotOfAProxy,
    /// The database could not be read or written.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A key could not be made or opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There were no random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl From<LoadError> for OpenError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Database(error) => Self::Database(error),
            LoadError::Store(error) => Self::Store(error),
        }
    }
}

impl Proxy {
    /// Opens a proxy; on a new database its ring is made.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(parts: Parts) -> Result<Self, OpenError> {
        let Parts { database, keyring, random, tokens, clock, model } = parts;
        open_ring(&*database, &keyring).await?;
        let state = Arc::new(ArcSwap::from_pointee(State::default()));
        let pages = LockedKeys::new();
        let manager = StoredManager {
            state: Arc::clone(&state),
            database: Arc::clone(&database),
            probe: StoredManager::probe(&pages, &random)?,
            tokens: Arc::clone(&tokens),
        };
        let manager = Arc::new(manager);
        let changing = tokio::sync::Mutex::default();
        let proxy = Self { database, keyring, random, clock, model, state, manager, tokens, pages, changing };
        proxy.reload().await?;
        Ok(proxy)
    }

    /// The time by the clock of this proxy.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether requests can be answered; otherwise why not.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn ready(&self) -> Result<(), String> {
        let read = trent_database::read(&*self.database, |records| records.setting("ready")).await;
        read.map(|_| ()).map_err(|error| error.to_string())
    }

    /// How many bytes of key material could not be locked into memory.
    #[must_use]
    pub fn unlocked_bytes(&self) -> usize {
        self.keyring.unlocked_bytes() + self.pages.unlocked_bytes()
    }

    /// An id for a new key, or for an answer.
    pub(crate) fn fresh_id(&self) -> Result<Uuid, RandomError> {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes)?;
        Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// Brings what the database has into force.
    pub(crate) async fn reload(&self) -> Result<(), LoadError> {
        let rows = trent_database::read(&*self.database, |records| records.proxy_records()).await?;
        let Self { keyring, pages, random, tokens, .. } = self;
        let with = Loading { keyring, pages, random, tokens };
        let state = State::load(&rows, &self.state.load(), &with)?;
        self.state.store(Arc::new(state));
        Ok(())
    }
}

async fn open_ring(database: &dyn Database, keyring: &Keyring) -> Result<(), OpenError> {
    const NAME: RingName = RingName::ExternalKeys;
    let (fingerprint, rows) =
        trent_database::read(database, |records| Ok((records.setting(FINGERPRINT)?, records.ring_keys()?)))
            .await?;
    let name = NAME.to_string();
    match fingerprint {
        None if rows.is_empty() => {}
        Some(known) if known == keyring.fingerprint() => {
            let row = rows.iter().find(|row| row.name == name).ok_or(OpenError::NotOfAProxy)?;
            return Ok(keyring.admit(NAME, &row.sealed)?);
        }
        _ => return Err(OpenError::WrongRootKey),
    }
    let NewRingKey { sealed, .. } = keyring.create(NAME)?;
    let (fingerprint, row) = (keyring.fingerprint(), RingKey { name, sealed: sealed.clone() });
    trent_database::write(database, "make key ring", move |transaction| {
        transaction.put_setting(FINGERPRINT, &fingerprint)?;
        transaction.insert_ring_key(&row)
    })
    .await??;
    Ok(keyring.admit(NAME, &sealed)?)
}
