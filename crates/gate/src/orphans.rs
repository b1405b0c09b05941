//! Keys that HSMs have and nobody owns, and keys that HSMs should have and lack: found by comparing what is in the HSMs with
//! the records.
//!
//! The order makes it right while keys come and go. What an HSM should have is read before the HSM is looked at; what it may have is
//! read afterwards, after it was asked which keys are being made: a key that was seen is one of those, or has its record
//! by now, or is nobody's.

use std::collections::{BTreeMap, BTreeSet};

use trent_database::{DatabaseError, Records};
use trent_domain::identifier::{HsmKeyId, KeyArn, KeyId};
use trent_domain::key_store::{HsmFailure, KeyStore, KeyStoreId};
use trent_domain::time::Timestamp;

use crate::opening::Gate;
use crate::uses::UseError;

/// What is in the HSMs behind a key store, as far as it is not as it should be.
#[derive(Debug)]
pub struct HsmReview {
    /// Keys that trent has made and that no record has.
    pub orphans: Vec<OrphanedHsmKey>,
    /// Keys that are not in all HSMs.
    pub lacking: Vec<LackingHsmKey>,
    /// The HSMs that could not be looked at, by their ids.
    pub unseen: Vec<(String, HsmFailure)>,
}

/// A key in HSMs that trent has made and that no record has. Nothing can be done with it but to destroy it.
#[derive(Debug)]
#[must_use]
pub struct OrphanedHsmKey {
    id: HsmKeyId,
    arn: KeyArn,
    created: Timestamp,
    store: KeyStoreId,
    /// By its id, the serial number of the token of each HSM that has it.
    hsms: BTreeMap<String, String>,
}

/// A key that is not in all HSMs.
#[derive(Debug)]
pub struct LackingHsmKey {
    /// The key.
    pub arn: KeyArn,
    /// What it is called in HSMs.
    pub id: HsmKeyId,
    /// The ids of those that lack it.
    pub hsms: Vec<String>,
}

impl OrphanedHsmKey {
    /// What it is called in the HSMs.
    pub const fn id(&self) -> HsmKeyId {
        self.id
    }

    /// The key that it was made for, which is its label.
    pub const fn arn(&self) -> KeyArn {
        self.arn
    }

    /// When it was made, as its label says.
    pub const fn created(&self) -> Timestamp {
        self.created
    }

    /// The ids of the HSMs that have it.
    pub fn hsms(&self) -> impl Iterator<Item = &str> {
        self.hsms.keys().map(String::as_str)
    }

    /// Destroys it in those.
    pub async fn destroy(self, gate: &Gate) -> Result<(), HsmFailure> {
        let serials = self.hsms.into_values().collect();
        let outcomes = gate.clusters.destroy_key(&self.store, serials, self.id).await;
        outcomes.into_iter().find_map(|(_, destroyed)| destroyed.err()).map_or(Ok(()), Err)
    }
}

impl Gate {
    /// Waits until no key is being made or destroyed in HSMs.
    pub async fn hsm_keys_settled(&self) {
        self.clusters.settled().await;
    }

    /// Compares what is in the HSMs behind a key store with the records.
    pub async fn review_hsms(&self, store: &KeyStore) -> Result<HsmReview, UseError> {
        const GONE: UseError = UseError::Hsm(HsmFailure::Unreachable);
        let cluster = store.cluster().filter(|_| store.is_connected()).ok_or(GONE)?;
        let registered = self.find_cluster(&cluster.id, store.account, store.region)?;
        let before = self.recorded_hsm_keys().await?;
        let (mut seen, mut unseen) = (Vec::new(), Vec::new());
        for hsm in registered.active_hsms() {
            match self.clusters.keys_in(&store.id, &hsm.token_serial).await {
                Ok(keys) => seen.push((hsm, keys)),
                Err(failure) => unseen.push((hsm.id.clone(), failure)),
            }
        }
        let unsettled = self.clusters.unsettled_keys();
        let recorded = self.recorded_hsm_keys().await?;

        let mut orphans = BTreeMap::<HsmKeyId, OrphanedHsmKey>::new();
        for (hsm, keys) in &seen {
            for key in
                keys.iter().filter(|key| !recorded.contains_key(&key.id) && !unsettled.contains(&key.id))
            {
                let Some((arn, created)) = made_for(&key.label, store) else { continue };
                let (id, store) = (key.id, store.id.clone());
                let orphan = orphans.entry(id).or_insert_with(|| OrphanedHsmKey {
                    id,
                    arn,
                    created,
                    store,
                    hsms: BTreeMap::new(),
                });
                orphan.hsms.insert(hsm.id.clone(), hsm.token_serial.clone());
            }
        }
        let ids: Vec<(&str, BTreeSet<HsmKeyId>)> =
            seen.iter().map(|(hsm, keys)| (&*hsm.id, keys.iter().map(|key| key.id).collect())).collect();
        // One that was deleted meanwhile is none that they should have.
        let wanted =
            before.into_iter().filter(|(id, place)| place.store == store.id && recorded.contains_key(id));
        let lacking = wanted.filter_map(|(id, Place { arn, .. })| {
            let lack = ids.iter().filter(|(_, has)| !has.contains(&id)).map(|(hsm, _)| (*hsm).to_owned());
            let hsms: Vec<_> = lack.collect();
            (!hsms.is_empty()).then_some(LackingHsmKey { arn, id, hsms })
        });
        Ok(HsmReview { orphans: orphans.into_values().collect(), lacking: lacking.collect(), unseen })
    }

    async fn recorded_hsm_keys(&self) -> Result<BTreeMap<HsmKeyId, Place>, UseError> {
        trent_database::read(&*self.database, |records| recorded(records)).await.map_err(UseError::Database)
    }
}

/// What belongs to a key in HSMs.
struct Place {
    arn: KeyArn,
    store: KeyStoreId,
}

/// All keys in HSMs that there is a record of, of any key store and in any state.
fn recorded(records: &dyn Records) -> Result<BTreeMap<HsmKeyId, Place>, DatabaseError> {
    let mut all = BTreeMap::new();
    for store in records.key_stores(None)?.into_iter().filter(|store| store.cluster().is_some()) {
        for (region, id) in records.keys_in_store(&store.id, None)? {
            let Some(key) = records.key(region, id)? else { continue };
            if let Some(hsm_key) = key.hsm_key() {
                all.insert(hsm_key, Place { arn: key.arn(), store: store.id.clone() });
            }
        }
    }
    Ok(all)
}

/// The key that trent has made a key with this label for, in this key store, and when. Nothing where somebody else has made it.
fn made_for(label: &str, store: &KeyStore) -> Option<(KeyArn, Timestamp)> {
    let (_, id) = label.rsplit_once("key/")?;
    let id: KeyId = id.parse().ok()?;
    let arn = KeyArn { region: store.region, account: store.account, id };
    (arn.to_string() == label).then_some((arn, id.created()?))
}
