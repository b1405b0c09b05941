//! Keys in HSMs that nobody owns: shown, and destroyed when an operator says so.

use std::collections::{BTreeMap, BTreeSet};

use trent_domain::key_store::KeyStore;
use trent_gate::{HsmReview, OrphanedHsmKey};

use super::{LackingLine, OrphanLine, Outcome, Refused, Reply};
use crate::error::KmsError;
use crate::open::Service;

impl Service {
    pub(super) async fn list_orphans(&self, store: &str) -> Outcome {
        let HsmReview { orphans, lacking, unseen } = self.review(store).await?;
        let orphans = orphans.iter().map(|orphan| OrphanLine {
            id: orphan.id().to_string(),
            label: orphan.arn().to_string(),
            age_minutes: self.age_minutes(orphan),
            hsms: orphan.hsms().map(str::to_owned).collect(),
        });
        let lacking = lacking.into_iter().map(|key| LackingLine {
            id: key.id.to_string(),
            key: key.arn.to_string(),
            hsms: key.hsms,
        });
        let unseen = unseen.into_iter().map(|(hsm, failure)| (hsm, failure.to_string()));
        Ok(Reply::Orphans {
            orphans: orphans.collect(),
            lacking: lacking.collect(),
            unseen: unseen.collect(),
        })
    }

    /// Looks again: what has an owner by now, or is not old enough, stays.
    pub(super) async fn destroy_orphans(
        &self,
        store: &str,
        keys: BTreeSet<String>,
        min_age_minutes: u32,
    ) -> Outcome {
        let orphans = self.review(store).await?.orphans.into_iter();
        let mut orphans: BTreeMap<String, OrphanedHsmKey> =
            orphans.map(|orphan| (orphan.id().to_string(), orphan)).collect();
        let (mut destroyed, mut left) = (Vec::new(), BTreeMap::new());
        for key in keys {
            let why = match orphans.remove(&key) {
                None => "it is no orphan".to_owned(),
                Some(orphan) if self.age_minutes(&orphan) < u64::from(min_age_minutes) => {
                    format!("it is younger than {min_age_minutes} minutes")
                }
                Some(orphan) => match self.destroy_orphan(orphan).await {
                    Ok(()) => {
                        destroyed.push(key);
                        continue;
                    }
                    Err(failure) => failure.to_string(),
                },
            };
            left.insert(key, why);
        }
        Ok(Reply::Destroyed { destroyed, left })
    }

    async fn destroy_orphan(
        &self,
        orphan: OrphanedHsmKey,
    ) -> Result<(), trent_domain::key_store::HsmFailure> {
        let (key, hsm_key) = (orphan.arn(), orphan.id());
        let destroyed = orphan.destroy(&self.gate).await;
        match &destroyed {
            Ok(()) => tracing::info!(%key, %hsm_key, "an orphan was destroyed in HSMs"),
            Err(error) => tracing::error!(%key, %hsm_key, %error, "an orphan is left in HSMs"),
        }
        destroyed
    }

    async fn review(&self, store: &str) -> Result<HsmReview, Refused> {
        let store = self.cluster_store(store).await?;
        if !store.is_connected() {
            return Err(Refused::new(format!(
                "key store {} is not connected, and nobody else may look into its HSMs; connect it",
                store.id
            )));
        }
        Ok(self.gate.review_hsms(&store).await.map_err(KmsError::from)?)
    }

    /// The CloudHSM key store with this id, or the one of the cluster with this id.
    async fn cluster_store(&self, id: &str) -> Result<KeyStore, Refused> {
        let stores = trent_database::read(&*self.database, |records| records.key_stores(None)).await?;
        let is_meant = |store: &KeyStore| {
            store.cluster().is_some_and(|cluster| store.id.as_str() == id || cluster.id == id)
        };
        let mut meant = stores.into_iter().filter(is_meant);
        match (meant.next(), meant.next()) {
            (Some(store), None) => Ok(store),
            (None, _) => Err(Refused::new(format!(
                "no CloudHSM key store, and no cluster of one, is {id}; `aws kms describe-custom-key-stores` shows those \
                 there are"
            ))),
            (Some(_), Some(_)) => {
                Err(Refused::new(format!("several key stores are in cluster {id}; name one of them")))
            }
        }
    }

    fn age_minutes(&self, orphan: &OrphanedHsmKey) -> u64 {
        let seconds = self.now().seconds() - orphan.created().seconds();
        u64::try_from(seconds).unwrap_or_default() / 60
    }
}
