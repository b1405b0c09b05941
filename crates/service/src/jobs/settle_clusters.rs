//! Connects to clusters of HSMs: looks at the way, logs in as `kmsuser`, and changes the password to one that only trent
//! knows.
//!
//! The HSMs are given the password one after the other, and this may end between two of them. So the new one is in the
//! record before the first HSM has it, and is what the next attempt goes on with. Invariant: whatever password an HSM has,
//! the record has it too.

use trent_domain::key_store::{Cluster, ClusterFailure, Hsm, KeyStore, RegisteredCluster};
use trent_protocol::ConnectionErrorCode;

use crate::error::KmsError;
use crate::open::Service;
use crate::operations::is_trust_anchor;

/// The HSMs that have the pending password now and those that knew none, by the serial numbers of their tokens, and all
/// there are.
pub(super) struct ChangedPasswords {
    pub(super) have: Vec<String>,
    pub(super) refusing: Vec<String>,
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
        let refusing = self.gate.refusing_hsms(&store.id).unwrap_or_default();
        Ok(ChangedPasswords { have, refusing, registered: registered.hsms })
    }

    /// Looks for the HSMs behind a connected key store that it is not logged in to: after a start of this process all of
    /// them, else those that were away. One that comes back with an older password is given the one that the others have.
    pub(super) async fn rejoin(&self, store: &KeyStore) -> Result<(), KmsError> {
        let Some(cluster) = store.cluster() else { return Ok(()) };
        let caught_up = if self.gate.wants_cluster_login(&store.id) {
            self.log_in_where_due(store, cluster).await
        } else {
            Vec::new()
        };
        // Calls may have found some, too. A restart is to try no password again.
        let Some(refusing) = self.gate.refusing_hsms(&store.id) else { return Ok(()) };
        let attempt = store.attempt;
        if caught_up.is_empty() && cluster.passwords.refusing.iter().eq(&refusing) {
            return Ok(());
        }
        let tokens = refusing.join(", ");
        let note = move |current: &mut KeyStore| {
            let is_ours = current.attempt == attempt;
            if is_ours {
                current.caught_up(&caught_up);
                current.keep_refusing(&refusing);
            }
            is_ours
        };
        self.change_key_store("note what HSMs have", &store.id, note).await?;
        // Once it is in the record, and holds over a restart.
        if !tokens.is_empty() {
            tracing::warn!(key_store = %store.id, tokens, "no password is tried in these HSMs until a person allows it");
        }
        Ok(())
    }

    /// Answers the tokens that have caught up with the password.
    async fn log_in_where_due(&self, store: &KeyStore, cluster: &Cluster) -> Vec<String> {
        let let_in = match self.way_to_cluster(store, cluster) {
            Ok(registered) => {
                let let_in = self.gate.rejoin_cluster(store, &registered).await;
                let_in.map_err(ClusterFailure::while_connecting)
            }
            Err(code) => {
                self.gate.no_way_to_cluster(&store.id).await;
                Err(code)
            }
        };
        let let_in = let_in.unwrap_or_else(|code| {
            tracing::error!(key_store = %store.id, %code, "HSMs of a custom key store cannot be used");
            Vec::new()
        });
        if !let_in.is_empty() {
            let tokens = let_in.join(", ");
            tracing::info!(key_store = %store.id, tokens, "logged in to HSMs of a custom key store");
        }
        let is_behind = |serial| cluster.passwords.behind.contains_key(serial);
        if !let_in.iter().any(is_behind) {
            return Vec::new();
        }
        // What goes wrong is in the log, and its password in the record.
        self.gate.change_cluster_password(store, &store.sealed_secret).await.unwrap_or_default()
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
