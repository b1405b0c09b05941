//! Keys in HSMs, before a record has them and after: how they are made and destroyed. None is used here.

use std::sync::Arc;

use trent_domain::identifier::{HsmKeyId, KeyArn};
use trent_domain::key::Key;
use trent_domain::key_store::{HsmFailure, InStore, KeyStore, KeyStoreId};
use trent_keystore::{Clusters, StoreError};

use crate::account::AuthorizedAccount;
use crate::actions::CreateKey;
use crate::opening::Gate;
use crate::uses::UseError;

/// A key that was made in HSMs and that no record has yet. Unless it is kept, it is destroyed again.
#[must_use]
pub struct NewHsmKey {
    clusters: Arc<dyn Clusters>,
    store: KeyStoreId,
    id: HsmKeyId,
    hsms: Vec<String>,
    is_kept: bool,
}

impl NewHsmKey {
    /// Where it is, for the record.
    pub fn place(&self) -> InStore {
        InStore::in_hsms(self.store.clone(), self.id)
    }

    /// The HSMs that it was made in, by the serial numbers of their tokens.
    pub fn hsms(&self) -> &[String] {
        &self.hsms
    }

    /// There may be a record of it from now on. Whoever is cut off before it is known whether there is one leaves the key
    /// where it is: a key that nobody knows is a nuisance, a record without its key is a loss.
    pub fn submitted(&mut self) {
        self.is_kept = true;
    }

    /// There is no record of it.
    pub fn refused(mut self) {
        self.is_kept = false;
    }
}

impl Drop for NewHsmKey {
    fn drop(&mut self) {
        if self.is_kept {
            self.clusters.keep_key(self.id);
        } else {
            self.clusters.discard_key(&self.store, self.id);
        }
    }
}

/// What a key was in HSMs whose record is gone. Nothing can be done with it but to destroy it.
#[derive(Debug)]
#[must_use]
pub struct FormerHsmKey {
    arn: KeyArn,
    store: KeyStoreId,
    id: HsmKeyId,
}

/// What has become of a [`FormerHsmKey`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HsmKeyDestruction {
    /// The cluster that it was in.
    pub cluster: Option<String>,
    /// Success when none of the HSMs has it any more.
    pub outcome: Result<(), HsmFailure>,
    /// The HSMs that have it no more, by the serial numbers of their tokens.
    pub gone_from: Vec<String>,
    /// Those that it may be left in.
    pub left_in: Vec<String>,
}

impl HsmKeyDestruction {
    fn of(cluster: Option<String>, outcomes: Vec<(String, Result<(), HsmFailure>)>) -> Self {
        // Of no HSM it is known that it has no key.
        let mut outcome = if outcomes.is_empty() { Err(HsmFailure::Unreachable) } else { Ok(()) };
        let (mut gone_from, mut left_in) = (Vec::new(), Vec::new());
        for (serial, destroyed) in outcomes {
            let list = if destroyed.is_ok() { &mut gone_from } else { &mut left_in };
            list.push(serial);
            outcome = outcome.and(destroyed);
        }
        Self { cluster, outcome, gone_from, left_in }
    }
}

impl FormerHsmKey {
    /// What `key`, which has just been deleted, was in HSMs.
    pub(crate) fn of(key: &Key) -> Option<Self> {
        let (place, id) = (key.in_store.as_ref()?, key.hsm_key()?);
        Some(Self { arn: key.arn(), store: place.store.clone(), id })
    }

    /// The key that it belonged to.
    pub const fn arn(&self) -> KeyArn {
        self.arn
    }

    /// The key store that it is in.
    pub const fn store(&self) -> &KeyStoreId {
        &self.store
    }

    /// What it is called in the HSMs.
    pub const fn id(&self) -> HsmKeyId {
        self.id
    }

    /// Whether nobody is logged in to the HSMs yet, although the key store is connected: as after a start.
    pub async fn waits_for_login(&self, gate: &Gate) -> bool {
        let store = gate.key_store(&self.store).await.ok().flatten();
        store.is_some_and(|store| store.is_connected()) && gate.wants_cluster_login(&self.store)
    }

    /// Destroys it in all HSMs, as far as that is possible now.
    pub async fn destroy(&self, gate: &Gate) -> HsmKeyDestruction {
        let store = gate.key_store(&self.store).await.ok().flatten();
        let cluster = store.as_ref().and_then(|store| store.cluster()).map(|cluster| cluster.id.clone());
        let outcomes = match (&store, &cluster) {
            (Some(store), Some(cluster)) => gate.destroy_in_all(store, cluster, self.id).await,
            _ => Vec::new(),
        };
        HsmKeyDestruction::of(cluster, outcomes)
    }
}

impl AuthorizedAccount<'_, CreateKey> {
    /// Makes a key in all HSMs behind a key store that answer, if they are enough. Its label there is the ARN of the key
    /// that it is for.
    pub async fn make_hsm_key(&self, store: &KeyStore, arn: KeyArn) -> Result<NewHsmKey, UseError> {
        const GONE: UseError = UseError::Hsm(HsmFailure::Unreachable);
        let cluster = store.cluster().ok_or(GONE)?;
        let registered = self.gate.find_cluster(&cluster.id, store.account, store.region)?;
        registered.check_new()?;
        let answering = self.gate.clusters.answering(&store.id).await?;
        let serials = registered.hsms_for_a_key(&answering)?;
        let mut id = HsmKeyId([0; 16]);
        self.gate.random.fill(&mut id.0).map_err(StoreError::from)?;
        let made = self.gate.clusters.generate_key(&store.id, serials.clone(), id, arn.to_string());
        // From here on somebody is responsible for it, even if nobody waits for it any more.
        let clusters = Arc::clone(&self.gate.clusters);
        let new = NewHsmKey { clusters, store: store.id.clone(), id, hsms: serials, is_kept: false };
        made.await?;
        Ok(new)
    }
}

impl Gate {
    async fn destroy_in_all(
        &self,
        store: &KeyStore,
        cluster: &str,
        id: HsmKeyId,
    ) -> Vec<(String, Result<(), HsmFailure>)> {
        let Ok(registered) = self.find_cluster(cluster, store.account, store.region) else {
            return Vec::new();
        };
        let serials = registered.active_hsms().map(|hsm| hsm.token_serial.clone());
        if !store.is_connected() {
            return serials.map(|serial| (serial, Err(HsmFailure::Unreachable))).collect();
        }
        self.clusters.destroy_key(&store.id, serials.collect(), id).await
    }
}
