//! Goes on with connecting and disconnecting: what a request has begun, and what a process that has died left behind.
//!
//! All key stores are looked at side by side: a proxy that does not answer keeps no other waiting.

use trent_domain::key_store::{Backing, Connection, KeyStore, KeyStoreId, ProxyFailure, ServiceError};
use trent_gate::Behalf;
use trent_protocol::{ConnectionErrorCode, Operation};

use super::settle_clusters::ChangedPasswords;
use super::side_by_side::side_by_side;
use crate::error::KmsError;
use crate::open::Service;

impl Service {
    pub(super) async fn settle_key_stores(&self) -> Result<usize, KmsError> {
        let stores = trent_database::read(&*self.database, |records| records.key_stores(None)).await?;
        let attempts: Vec<_> = stores.into_iter().map(|store| self.settle_key_store(store)).collect();
        let mut settled = 0;
        for ended in side_by_side(attempts).await {
            settled += usize::from(ended?);
        }
        Ok(settled)
    }

    async fn settle_key_store(&self, store: KeyStore) -> Result<bool, KmsError> {
        match store.connection {
            Connection::Connecting { .. } => {
                let connected = self.connect(&store).await;
                self.end_connecting(store, connected).await
            }
            Connection::Disconnecting => self.disconnect(store).await,
            Connection::Connected => {
                self.reconnect(&store).await;
                Ok(false)
            }
            Connection::Disconnected | Connection::Failed { .. } => Ok(false),
        }
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
    pub(super) async fn change_key_store(
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
