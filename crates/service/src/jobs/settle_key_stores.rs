//! Goes on with connecting and disconnecting: what a request has begun, and what a process that has died left behind.
//!
//! All key stores are looked at side by side: a proxy that does not answer keeps no other waiting.

use trent_domain::key_store::{Connection, KeyStore, ProxyFailure, ServiceError};
use trent_gate::Behalf;
use trent_protocol::{ConnectionErrorCode, Operation};

use super::side_by_side::side_by_side;
use crate::error::KmsError;
use crate::open::Service;

impl Service {
    pub(super) async fn settle_key_stores(&self) -> Result<usize, KmsError> {
        let stores = trent_database::read(&*self.database, |records| records.key_stores(None)).await?;
        let passing = stores.into_iter().filter(|store| store.connection.is_passing());
        let attempts: Vec<_> = passing.map(|store| self.settle_key_store(store)).collect();
        let mut settled = 0;
        for ended in side_by_side(attempts).await {
            settled += usize::from(ended?);
        }
        Ok(settled)
    }

    async fn settle_key_store(&self, store: KeyStore) -> Result<bool, KmsError> {
        let connected = match store.connection {
            Connection::Connecting { .. } => Some(self.connect(&store).await),
            Connection::Disconnecting => {
                self.gate.forget_key_store(&store.id);
                None
            }
            Connection::Connected | Connection::Disconnected | Connection::Failed { .. } => return Ok(false),
        };
        let (id, attempt) = (store.id.clone(), store.attempt);
        let ended = trent_database::write(&*self.database, "settle custom key store", move |transaction| {
            let Some(mut current) = transaction.key_store(&id)? else { return Ok(false) };
            let ended = match connected {
                Some(result) => current.connected(attempt, result),
                None => current.disconnected(attempt),
            };
            if ended {
                transaction.update_key_store(&current)?;
            }
            Ok::<_, KmsError>(ended)
        });
        let ended = ended.await??;
        if ended {
            match connected {
                Some(Ok(())) => {
                    self.health_checks.checked(&store.id, self.now());
                    tracing::info!(key_store = %store.id, "custom key store connected");
                }
                Some(Err(code)) => {
                    tracing::warn!(key_store = %store.id, %code, "custom key store not connected");
                }
                None => tracing::info!(key_store = %store.id, "custom key store disconnected"),
            }
        }
        Ok(ended)
    }

    async fn connect(&self, store: &KeyStore) -> Result<(), ConnectionErrorCode> {
        self.gate.check_route(store).map_err(ServiceError::while_connecting)?;
        let credential = self.gate.open_key_store_secret(store).map_err(|error| {
            tracing::error!(key_store = %store.id, %error, "the secret of a custom key store cannot be opened");
            ConnectionErrorCode::InternalError
        })?;
        let behalf = Behalf::health(Operation::ConnectCustomKeyStore.name(), self.new_request_id());
        let health = self.gate.proxy_health(store, &credential, behalf).await;
        health.map_err(|failure: ProxyFailure| failure.of_store().while_connecting())
    }
}
