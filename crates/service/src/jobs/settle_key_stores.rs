//! Goes on with connecting and disconnecting: what a request has begun, and what a process that has died left behind.
//!
//! All key stores are looked at side by side, and one that a run is still at keeps no later run from the others: a proxy
//! that does not answer, or an HSM that hangs, keeps nobody waiting.

use std::time::Duration;

use tokio::time::timeout;
use trent_domain::key_store::{Backing, Connection, KeyStore, KeyStoreId, ProxyFailure, ServiceError};
use trent_gate::Behalf;
use trent_protocol::{ConnectionErrorCode, Operation};

use super::settle_clusters::ChangedPasswords;
use super::settling::Turn;
use super::side_by_side::side_by_side;
use crate::error::KmsError;
use crate::open::Service;

/// What an attempt to connect to a proxy may take, all in all.
const PROXY_CONNECT: Duration = Duration::from_secs(5 * 60);

impl Service {
    /// Goes on with every key store that no other run is at, and destroys in HSMs what belonged to deleted keys. Answers how
    /// many have come to the end of what they were at. May be called again before it has ended.
    pub async fn settle_key_stores(&self) -> Result<usize, KmsError> {
        let stores = trent_database::read(&*self.database, |records| records.key_stores(None)).await?;
        let turns = stores
            .iter()
            .filter_map(|store| self.settling.take(&store.id, store.attempt, &self.key_stores_wanted));
        let attempts: Vec<_> = turns.map(|turn| self.settle_in_turn(turn)).collect();
        let mut settled = 0;
        let (ended, destroyed) = tokio::join!(side_by_side(attempts), self.destroy_hsm_keys());
        for ended in ended {
            settled += usize::from(ended?);
        }
        destroyed?;
        Ok(settled)
    }

    async fn settle_in_turn(&self, turn: Turn<'_>) -> Result<bool, KmsError> {
        // Read again: the run before this one may have ended just now.
        let id = turn.store().clone();
        let found = trent_database::read(&*self.database, move |records| records.key_store(&id)).await?;
        let Some(store) = found else { return Ok(false) };
        turn.is_at(store.attempt);
        tokio::select! {
            biased;
            ended = self.settle_key_store(store) => ended,
            () = turn.is_given_up() => Ok(false),
        }
    }

    async fn settle_key_store(&self, store: KeyStore) -> Result<bool, KmsError> {
        match store.connection {
            Connection::Connecting { .. } => {
                let connected = self.connect_in_time(&store).await;
                if connected.is_err() {
                    self.gate.log_out_of_cluster(&store.id).await;
                }
                self.end_connecting(store, connected).await
            }
            Connection::Disconnecting => self.disconnect(store).await,
            Connection::Connected => {
                self.rejoin(&store).await?;
                Ok(false)
            }
            Connection::Disconnected | Connection::Failed { .. } => Ok(false),
        }
    }

    /// An attempt that takes too long is given up, wherever it is: what it has changed in HSMs, the record has too.
    async fn connect_in_time(&self, store: &KeyStore) -> Result<Changed, ConnectionErrorCode> {
        let seconds = u64::from(self.options.cluster_connect_seconds);
        let (limit, late) = match &store.backing {
            Backing::CloudHsm(_) => (Duration::from_secs(seconds), ConnectionErrorCode::NetworkErrors),
            Backing::External(_) => (PROXY_CONNECT, ConnectionErrorCode::XksProxyTimedOut),
        };
        timeout(limit, self.connect(store)).await.unwrap_or(Err(late))
    }

    async fn connect(&self, store: &KeyStore) -> Result<Changed, ConnectionErrorCode> {
        match &store.backing {
            Backing::CloudHsm(cluster) => self.connect_cluster(store, cluster).await.map(Changed::Passwords),
            Backing::External(_) => self.connect_proxy(store).await.map(|()| Changed::Nothing),
        }
    }

    async fn connect_proxy(&self, store: &KeyStore) -> Result<(), ConnectionErrorCode> {
        self.gate.check_route(store).map_err(ServiceError::while_connecting)?;
        let credential = self.gate.open_key_store_secret(store).map_err(|error| {
            tracing::error!(key_store = %store.id, %error, "the secret of a custom key store cannot be opened");
            ConnectionErrorCode::InternalError
        })?;
        let behalf = Behalf::health(Operation::ConnectCustomKeyStore.name(), self.new_request_id());
        let health = self.gate.proxy_health(store, &credential, behalf).await;
        health.map_err(|failure: ProxyFailure| failure.of_store().while_connecting())
    }

    async fn end_connecting(
        &self,
        store: KeyStore,
        connected: Result<Changed, ConnectionErrorCode>,
    ) -> Result<bool, KmsError> {
        let (attempt, result) = (store.attempt, connected.as_ref().map(drop).map_err(|code| *code));
        let end = move |current: &mut KeyStore| {
            // What has become of the HSMs is so, whether or not anybody still wants the connection.
            if let Ok(Changed::Passwords(changed)) = &connected {
                current.password_changed(&changed.have, &changed.registered);
                current.keep_refusing(&changed.refusing);
            }
            let ended = current.connected(attempt, result);
            if ended && result == Err(ConnectionErrorCode::InvalidCredentials) {
                current.login_failed();
            }
            ended
        };
        let ended = self.change_key_store("connect custom key store", &store.id, end).await?;
        match result {
            _ if !ended => {}
            Ok(()) => {
                self.health_checks.checked(&store.id, self.now());
                tracing::info!(key_store = %store.id, "custom key store connected");
            }
            Err(code) => tracing::warn!(key_store = %store.id, %code, "custom key store not connected"),
        }
        Ok(ended)
    }

    async fn disconnect(&self, store: KeyStore) -> Result<bool, KmsError> {
        self.gate.forget_key_store(&store.id);
        self.gate.log_out_of_cluster(&store.id).await;
        let attempt = store.attempt;
        let end = move |current: &mut KeyStore| current.disconnected(attempt);
        let ended = self.change_key_store("disconnect custom key store", &store.id, end).await?;
        if ended {
            tracing::info!(key_store = %store.id, "custom key store disconnected");
        }
        Ok(ended)
    }

    /// Changes a record, if it is still there. Answers what `change` says.
    pub(crate) async fn change_key_store(
        &self,
        what: &'static str,
        id: &KeyStoreId,
        mut change: impl FnMut(&mut KeyStore) -> bool + Send + 'static,
    ) -> Result<bool, KmsError> {
        let id = id.clone();
        trent_database::write(&*self.database, what, move |transaction| {
            let Some(stored) = transaction.key_store(&id)? else { return Ok(false) };
            let mut current = stored.clone();
            let answer = change(&mut current);
            if current != stored {
                transaction.update_key_store(&current)?;
            }
            Ok(answer)
        })
        .await?
    }
}

/// What an attempt to connect has changed behind a key store.
enum Changed {
    Nothing,
    Passwords(ChangedPasswords),
}
