//! What an operator does through the admin socket of a proxy: stores, credentials, external keys.
//!
//! The socket is a file of the data directory that only its owner may open; whoever reaches it may do all this.

mod keys;
mod stores;
mod wire;

use trent_crypto::RandomError;
use trent_database::{DatabaseError, ProxyRecord};
use trent_keystore::StoreError;

pub use wire::{Command, CredentialLine, KeyLine, Reply, StoreLine};

use crate::manager::ManagerError;
use crate::open::Proxy;
use crate::state::LoadError;
use keys::Origin;

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Random(#[from] RandomError),
    #[error(transparent)]
    Seal(#[from] StoreError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("the token: {0}")]
    Token(#[from] ManagerError),
}

fn refused(why: impl Into<String>) -> Problem {
    Problem::Refused(why.into())
}

/// A change of the records.
enum Change {
    Put(ProxyRecord),
    Delete { store: String, key: String },
}

impl Proxy {
    /// Does what an operator asks.
    pub async fn administer(&self, command: Command) -> Reply {
        if command.is_change() {
            tracing::info!(?command, "an operator changes stores or keys");
        }
        // From looking to writing nothing else may change.
        let _alone = self.changing.lock().await;
        match self.perform(command).await {
            Ok(reply) => reply,
            Err(problem) => Reply::Refused { problem: problem.to_string() },
        }
    }

    async fn perform(&self, command: Command) -> Result<Reply, Problem> {
        match command {
            Command::ListStores {} => Ok(self.list_stores()),
            Command::AddStore { name, path, quota, rules } => self.add_store(name, path, quota, rules).await,
            Command::SetStore { name, quota, rules } => self.set_store(&name, quota, rules).await,
            Command::DeleteStore { name } => self.delete_store(&name).await,
            Command::AddCredential { store } => self.add_credential(&store).await,
            Command::DeleteCredential { store, id } => self.delete_credential(&store, &id).await,
            Command::Configuration { store } => self.configuration(&store),
            Command::ListKeys { store } => self.list_keys(store.as_deref()),
            Command::DescribeKey { store, id } => self.describe_key(&store, &id),
            Command::AddKey { store, id, usage, rules, material, token } => {
                self.add_key(&store, id, &usage, rules, Origin::of(material, token)?).await
            }
            Command::RotateKey { store, id, material, token } => {
                self.rotate_key(&store, &id, Origin::of(material, token)?).await
            }
            Command::SetKeyRules { store, id, rules } => self.set_key_rules(&store, &id, rules).await,
            Command::EnableKey { store, id } => self.enable_key(&store, &id, true).await,
            Command::DisableKey { store, id } => self.enable_key(&store, &id, false).await,
            Command::DeleteKey { store, id, window_days } => self.delete_key(&store, &id, window_days).await,
            Command::CancelKeyDeletion { store, id } => self.cancel_key_deletion(&store, &id).await,
        }
    }

    /// Deletes the keys whose waiting period is over; gives their number. What was made in a token for one of them is
    /// destroyed there first; where that fails the key stays for the next time.
    ///
    /// # Errors
    /// The database failed; no record was deleted then.
    pub async fn delete_due_keys(&self) -> Result<usize, String> {
        let _alone = self.changing.lock().await;
        let (state, now) = (self.state.load_full(), self.now());
        let mut due = Vec::new();
        for store in state.stores() {
            for (id, key) in store.keys.iter().filter(|(_, key)| key.is_due(now)) {
                let (store, key, name) = (store.name.clone(), id.clone(), key);
                if self.destroy_in_tokens(&store, &key, name).await {
                    tracing::info!(store, key, "an external key is deleted: its waiting period is over");
                    due.push(Change::Delete { store, key });
                }
            }
        }
        let count = due.len();
        if count == 0 {
            return Ok(0);
        }
        self.apply("delete due external keys", due).await.map_err(|problem| problem.to_string())?;
        Ok(count)
    }

    /// Writes changes in one transaction and brings them into force.
    async fn apply(&self, what: &'static str, changes: Vec<Change>) -> Result<(), Problem> {
        trent_database::write(&*self.database, what, move |records| {
            changes.iter().try_for_each(|change| match change {
                Change::Put(record) => records.put_proxy_record(record),
                Change::Delete { store, key } => records.delete_proxy_record(store, key),
            })
        })
        .await??;
        Ok(self.reload().await?)
    }
}
