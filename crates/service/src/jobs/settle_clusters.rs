//! Connects to clusters of HSMs: looks at the way, logs in as `kmsuser`, and changes the password to one that only trent
//! knows.
//!
//! The HSMs are given the password one after the other, and this may end between two of them. So the new one is in the
//! record before the first HSM has it, and is what the next attempt goes on with. Invariant: whatever password an HSM has,
//! the record has it too.

use trent_domain::key_store::{Cluster, ClusterFailure, Hsm, KeyStore, RegisteredCluster};
use trent_protocol::ConnectionErrorCode;

use crate::open::Service;
use crate::operations::is_trust_anchor;

/// The HSMs that have the pending password now, by the serial numbers of their tokens, and all there are.
pub(super) struct ChangedPasswords {
    pub(super) have: Vec<String>,
    pub(super) registered: Vec<Hsm>,
}

impl Service {
    pub(super) async fn connect_cluster(
        &self,
        store: &KeyStore,
        cluster: &Cluster,
    ) -> Result<ChangedPasswords, ConnectionErrorCode> {
        let registered = self.way_to_cluster(store, cluster)?;
        let max = registered.failed_logins_max;
        if max > 0 && cluster.passwords.failed_logins >= max {
            return Err(ConnectionErrorCode::UserLockedOut);
        }
        let logged_in = self.gate.log_in_to_cluster(store, &registered).await;
        logged_in.map_err(ClusterFailure::while_connecting)?;
        let pending = self.pending_password(store, cluster).await?;
        let have = self.gate.change_cluster_password(store, &pending).await;
        let have = have.map_err(ClusterFailure::while_connecting)?;
        Ok(ChangedPasswords { have, registered: registered.hsms })
    }

    /// Logs in again behind a key store that is connected, after a start of this process or an outage of all its HSMs.
    pub(super) async fn reconnect(&self, store: &KeyStore) {
        let Some(cluster) = store.cluster() else { return };
        if !self.gate.wants_cluster_login(&store.id) {
            return;
        }
        let logged_in = match self.way_to_cluster(store, cluster) {
            Ok(registered) => {
                let logged_in = self.gate.log_in_to_cluster(store, &registered).await;
                logged_in.map_err(ClusterFailure::while_connecting)
            }
            Err(code) => Err(code),
        };
        match logged_in {
            Ok(()) => tracing::info!(key_store = %store.id, "logged in to the cluster of a custom key store"),
            Err(code) => {
                tracing::error!(key_store = %store.id, %code, "the cluster of a custom key store cannot be used");
            }
        }
    }

    fn way_to_cluster(
        &self,
        store: &KeyStore,
        cluster: &Cluster,
    ) -> Result<RegisteredCluster, ConnectionErrorCode> {
        let found = self.gate.find_cluster(&cluster.id, store.account, store.region);
        let registered = found.map_err(|_| ConnectionErrorCode::ClusterNotFound)?;
        registered.check_way()?;
        // Another cluster answers where the one with the keys should be.
        if registered.lineage != cluster.lineage || !is_trust_anchor(&cluster.trust_anchor, &registered) {
            return Err(ConnectionErrorCode::NetworkErrors);
        }
        Ok(registered)
    }

    /// The password that the HSMs are to have, in the record before any of them has it.
    async fn pending_password(
        &self,
        store: &KeyStore,
        cluster: &Cluster,
    ) -> Result<Vec<u8>, ConnectionErrorCode> {
        if let Some(pending) = &cluster.passwords.pending {
            return Ok(pending.clone());
        }
        let failed = |what: &dyn std::fmt::Display| {
            tracing::error!(key_store = %store.id, error = %what, "no new password can be kept");
            ConnectionErrorCode::InternalError
        };
        let sealed = self.gate.new_cluster_password(store).await.map_err(|error| failed(&error))?;
        let (attempt, pending) = (store.attempt, sealed.clone());
        let keep = move |current: &mut KeyStore| current.attempt == attempt && current.keep_pending(&pending);
        match self.change_key_store("keep pending password", &store.id, keep).await {
            Ok(true) => Ok(sealed),
            Ok(false) => Err(failed(&"the attempt was given up")),
            Err(error) => Err(failed(&error)),
        }
    }
}
