//! Multi-Region keys: making a replica, moving the primary, and keeping in step what related keys share.
//!
//! Related keys are rows of one database, so what they share changes in one transaction over all of them: no request
//! sees a replica that lacks a material of its primary. Material is opened and sealed anew for each Region inside that
//! transaction. It takes microseconds, and no other change can come between looking and writing.

use trent_database::{DatabaseError, Transaction};
use trent_domain::identifier::Region;
use trent_domain::key::Key;
use trent_domain::lifecycle::TransitionError;
use trent_domain::multi_region::MultiRegion;
use trent_domain::operations::rules;
use trent_domain::rotation::Material;
use trent_domain::time::Timestamp;
use trent_keystore::{KeyStore, StoreError};
use trent_protocol::{Operation, Origin};

use crate::actions::{CreateKey, ReplicateKey, TagResource, UpdatePrimaryRegion};
use crate::authorize::Authorized;
use crate::change::ChangeError;
use crate::decision::on_account;
use crate::facts::{Facts, Parameters};
use crate::find::{Found, FoundBy};
use crate::opening::Gate;
use crate::refusal::Refusal;

/// Whether a replica is to have tags, for which its maker needs a permission more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplicaTags {
    /// It is.
    Some,
    /// It is not.
    None,
}

impl Gate {
    /// A permit to replicate the key that `name` names: of the primary, and of the Region that gets a new key.
    pub async fn authorize_replication(
        &self,
        name: &str,
        region: Region,
        tags: ReplicaTags,
        facts: &Facts<'_>,
    ) -> Result<Authorized<'_, ReplicateKey>, Refusal> {
        let entry = self.find_allowed::<ReplicateKey>(name, facts).await?;
        let Key { spec, usage, origin, .. } = entry.key;
        let values = [
            ("keyspec", spec.as_str()),
            ("keyusage", usage.as_str()),
            ("keyorigin", origin.as_str()),
            ("multiregion", "true"),
            ("multiregionkeytype", "REPLICA"),
        ];
        let own = facts.parameters.values.iter().filter(|(name, _)| *name != "replicaregion");
        let values: Vec<_> = values.iter().chain(own).copied().collect();
        let parameters = Parameters { values: &values, ..facts.parameters };
        let there = Facts { region, parameters, ..*facts };
        on_account::<CreateKey>(&there)?;
        if tags == ReplicaTags::Some {
            on_account::<TagResource>(&there)?;
        }
        self.admit(entry, None).await
    }

    /// A permit to make the replica in `region` the primary: of the present primary, and of the replica.
    pub async fn authorize_promotion(
        &self,
        name: &str,
        region: Region,
        facts: &Facts<'_>,
    ) -> Result<Authorized<'_, UpdatePrimaryRegion>, Refusal> {
        let entry = self.find_allowed::<UpdatePrimaryRegion>(name, facts).await?;
        let replica = self.entry(region, entry.key.id).await?;
        let has_replica = replica.is_some();
        if let Some(replica) = replica {
            let mut found = Found::new(replica, FoundBy::Name);
            self.allow::<UpdatePrimaryRegion>(&mut found, &Facts { region, ..*facts }).await?;
        }
        // That there is none is told after the primary's state; one that comes later has not been asked.
        let permit = self.admit(entry, None).await?;
        let arn = permit.key().arn_in(region);
        if has_replica { Ok(permit) } else { Err(Refusal::UnknownKey(arn)) }
    }
}

impl Authorized<'_, ReplicateKey> {
    /// Adds the key that `make` makes of the primary as its replica in `region`, and gives it the primary's material.
    ///
    /// `make` sees the primary's row, and says what the replica has of its own. What related keys share is the
    /// primary's, whatever `make` says.
    pub async fn replicate<E>(
        &self,
        region: Region,
        mut make: impl FnMut(&Key, &mut dyn Transaction) -> Result<Key, E> + Send + 'static,
    ) -> Result<Key, E>
    where
        E: From<Refusal> + From<ChangeError> + From<DatabaseError> + Send + 'static,
    {
        self.gate.domain_key(self.entry.key.account, region).await?;
        self.change("replicate key", move |primary, transaction| {
            let made = make(primary, transaction)?;
            if let Some(related) = &mut primary.multi_region {
                related.replicas.insert(region);
            }
            let Key { id, account, spec, usage, origin, .. } = *primary;
            let multi_region = primary.multi_region.clone();
            let replica =
                Key { id, account, region, spec, usage, origin, multi_region, materials: Vec::new(), ..made };
            // The change of the primary goes on to all its replicas, this one among them.
            transaction.insert_key(&replica)?;
            Ok(replica)
        })
        .await
    }
}

impl Authorized<'_, UpdatePrimaryRegion> {
    /// Makes the replica in `region` the primary; both keys are as they were before from `until` on.
    pub async fn promote<E>(&self, region: Region, now: Timestamp, until: Timestamp) -> Result<(), E>
    where
        E: From<ChangeError> + From<DatabaseError> + From<TransitionError> + Send + 'static,
    {
        self.change("update primary region", move |primary, transaction| {
            let arn = primary.arn_in(region);
            let held = primary.led_regions().any(|held| held == region);
            let replica = if held { transaction.key(region, arn.id)? } else { None };
            let mut replica = replica.ok_or(ChangeError::Gone(arn))?;
            rules(Operation::UpdatePrimaryRegion).states.check(&replica).map_err(ChangeError::State)?;
            let related = primary.multi_region.take().map(|related| related.with_primary(region));
            for key in [&mut *primary, &mut replica] {
                key.multi_region.clone_from(&related);
                key.lifecycle = key.lifecycle.clone().update_primary(until)?.settle(now, key.is_complete());
            }
            transaction.update_key(&replica)?;
            relate(primary, transaction)?;
            Ok(())
        })
        .await
    }
}

/// Carries a change of a key that has just been written on to those related to it.
pub(crate) fn after_change(
    before: &Key,
    key: &Key,
    transaction: &mut dyn Transaction,
    store: &dyn KeyStore,
) -> Result<(), ChangeError> {
    // A replica that cannot be read must not keep its primary from being disabled.
    if shares_more(before, key) {
        follow(key, transaction, store)?;
        weigh_pending(key, transaction)?;
    }
    Ok(())
}

/// Whether a change of a key is one of what it shares with its replicas.
fn shares_more(before: &Key, after: &Key) -> bool {
    before.materials != after.materials
        || before.schedule != after.schedule
        || before.multi_region != after.multi_region
}

/// Gives the replicas of a primary that has just been written what they share with it.
pub(crate) fn follow(
    primary: &Key,
    transaction: &mut dyn Transaction,
    store: &dyn KeyStore,
) -> Result<(), ChangeError> {
    for region in primary.led_regions() {
        let arn = primary.arn_in(region);
        let before = transaction.key(region, arn.id)?.ok_or(ChangeError::Gone(arn))?;
        let mut replica = before.clone();
        replica.schedule = primary.schedule;
        replica.multi_region.clone_from(&primary.multi_region);
        replica.materials = materials(primary, &before, store)?;
        if replica != before {
            transaction.update_key(&replica)?;
        }
    }
    Ok(())
}

/// The materials of a primary as its replica has them: what it lacks is sealed for its Region, but for what is
/// imported, which is imported there too.
fn materials(primary: &Key, replica: &Key, store: &dyn KeyStore) -> Result<Vec<Material>, StoreError> {
    if primary.origin == Origin::External {
        return Ok(replica.imported_like(primary));
    }
    let copies = primary.materials.iter().map(|material| {
        let sealed = match replica.material(&material.id) {
            Some(own) => own.sealed.clone(),
            None => store.reseal(primary, material, replica.region)?,
        };
        Ok(Material { sealed, ..material.clone() })
    });
    copies.collect()
}

/// Notes in all Regions whether imported material that waits for its rotation is in all of them. Whatever happens to
/// material in one of them may change that.
fn weigh_pending(key: &Key, transaction: &mut dyn Transaction) -> Result<(), DatabaseError> {
    if key.pending_material().is_none() {
        return Ok(());
    }
    let regions = key.multi_region.iter().flat_map(MultiRegion::regions);
    let related = regions.map(|region| transaction.key(region, key.id)).collect::<Result<Vec<_>, _>>()?;
    let related: Vec<Key> = related.into_iter().flatten().collect();
    for before in &related {
        let mut weighed = before.clone();
        weighed.weigh_pending(&related);
        if weighed != *before {
            transaction.update_key(&weighed)?;
        }
    }
    Ok(())
}

/// Tells the keys that are related to `key` where all of them are.
fn relate(key: &Key, transaction: &mut dyn Transaction) -> Result<(), DatabaseError> {
    for region in key.related_regions() {
        if let Some(mut related) = transaction.key(region, key.id)?
            && related.multi_region != key.multi_region
        {
            related.multi_region.clone_from(&key.multi_region);
            transaction.update_key(&related)?;
        }
    }
    Ok(())
}

/// Takes a key that has just been deleted from the records of those related to it. A primary that waited for its last
/// replica to go begins to wait out its own period.
pub(crate) fn forget(
    gone: &Key,
    transaction: &mut dyn Transaction,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    for region in gone.related_regions() {
        let Some(mut related) = transaction.key(region, gone.id)? else { continue };
        if let Some(regions) = &mut related.multi_region {
            regions.replicas.remove(&gone.region);
        }
        if related.is_multi_region_primary() && related.led_regions().next().is_none() {
            related.lifecycle = related.lifecycle.last_replica_deleted(now);
        }
        transaction.update_key(&related)?;
    }
    // It may have been the one that lacked material.
    let left = gone.related_regions().next().map(|region| transaction.key(region, gone.id)).transpose()?;
    left.flatten().map_or(Ok(()), |left| weigh_pending(&left, transaction))
}
