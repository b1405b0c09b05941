//! Destroys in HSMs what keys were there that have been deleted, once, and tells what has become of it.
//!
//! The record of such a key goes first, as with AWS: a key that has a record can be used. HSMs may hang, so that this is no
//! part of the job that deletes keys. Nobody tries again: what is left is told in the log and in the trail, for whoever
//! runs the HSMs.

use trent_audit::{HsmKeyPlace, Internal};
use trent_domain::time::Timestamp;
use trent_gate::{FormerHsmKey, HsmKeyDestruction};

use super::side_by_side::side_by_side;
use crate::error::KmsError;
use crate::open::Service;

/// How long a key that is to be destroyed waits for a login to its HSMs.
const LOGIN_MINUTES: u32 = 1;

impl Service {
    /// Has a key destroyed soon.
    pub(super) fn destroy_later(&self, former: FormerHsmKey) {
        // Should this process end before, the log tells what is left.
        let (key, key_store, hsm_key) = (former.arn(), former.store(), former.id());
        tracing::info!(%key, %key_store, %hsm_key, "to be destroyed in HSMs: the key has been deleted");
        self.former_hsm_keys.lock().push((self.now(), former));
        self.key_stores_wanted.notify_one();
    }

    pub(super) async fn destroy_hsm_keys(&self) -> Result<(), KmsError> {
        let former = std::mem::take(&mut *self.former_hsm_keys.lock());
        let destroyed = former.into_iter().map(|(since, former)| self.destroy_in_time(since, former));
        side_by_side(destroyed.collect()).await.into_iter().collect()
    }

    async fn destroy_in_time(&self, since: Timestamp, former: FormerHsmKey) -> Result<(), KmsError> {
        let may_wait = self.now() < since.plus_minutes(LOGIN_MINUTES);
        if may_wait && former.waits_for_login(&self.gate).await {
            self.former_hsm_keys.lock().push((since, former));
            return Ok(());
        }
        self.destroy_hsm_key(&former).await
    }

    async fn destroy_hsm_key(&self, former: &FormerHsmKey) -> Result<(), KmsError> {
        let HsmKeyDestruction { cluster, outcome, gone_from, left_in } = former.destroy(&self.gate).await;
        let cluster = cluster.as_deref().unwrap_or_default();
        let (key, key_store, hsm_key) = (former.arn(), former.store(), former.id());
        match outcome {
            Ok(()) => tracing::info!(%key, %key_store, cluster, %hsm_key, "key destroyed in HSMs"),
            Err(error) => {
                tracing::error!(%key, %key_store, cluster, %hsm_key, %error, "key orphaned in HSMs");
            }
        }
        let [key, hsm_key] = [key.to_string(), hsm_key.to_string()];
        let place = HsmKeyPlace { key_store: key_store.as_str(), cluster, backing_key: &hsm_key };
        let event = Internal::delete_hsm_key(key, &place, outcome.is_ok(), gone_from, left_in);
        self.record(&event).await
    }
}
