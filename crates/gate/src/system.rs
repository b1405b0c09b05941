//! Permits of jobs, which have no caller: each for one named purpose on one key.

use std::marker::PhantomData;
use std::sync::Arc;

use trent_crypto::SecretBytes;
use trent_domain::identifier::{AccountId, KeyArn, KeyId, MaterialId, Region};
use trent_domain::key::Key;
use trent_domain::lifecycle::Lifecycle;
use trent_domain::rotation::{Material, Rotation};
use trent_domain::time::Timestamp;
use trent_keystore::Owner;
use trent_protocol::{KeySpec, Origin, RotationType};

use crate::account::NewKeyMaterial;
use crate::hsm_keys::FormerHsmKey;
use crate::opening::Gate;
use crate::refusal::Refusal;
use crate::replicas;

/// Deletes a key whose waiting period is over.
#[derive(Debug)]
pub enum DeleteExpiredKey {}

/// Rotates a key whose automatic rotation is due.
#[derive(Debug)]
pub enum RotateDueKey {}

/// Ends the state of a key that passes by itself: `Creating`, `Updating`.
#[derive(Debug)]
pub enum SettleKey {}

/// Deletes imported material that has expired.
#[derive(Debug)]
pub enum ExpireImportedMaterial {}

/// Makes a key that a seed file describes.
#[derive(Debug)]
pub enum SeedKey {}

/// A rotation that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The key.
    pub arn: KeyArn,
    /// Where its material comes from.
    pub origin: Origin,
    /// The material that was current.
    pub previous: Option<MaterialId>,
    /// The material that is.
    pub current: MaterialId,
    /// Whether replicas got it too.
    pub replicated: bool,
}

/// A key that was deleted.
#[derive(Debug)]
pub struct Deleted {
    /// The key.
    pub arn: KeyArn,
    /// What it was in HSMs, if it was in any: that is still there.
    pub in_hsms: Option<FormerHsmKey>,
}

/// Permission of a job to do one thing to one key.
#[must_use]
pub struct SystemPermit<'gate, P> {
    gate: &'gate Gate,
    region: Region,
    id: KeyId,
    purpose: PhantomData<fn() -> P>,
}

impl Gate {
    /// A permit for a job.
    pub fn as_system<P>(&self, region: Region, id: KeyId) -> SystemPermit<'_, P> {
        SystemPermit { gate: self, region, id, purpose: PhantomData }
    }
}

impl SystemPermit<'_, DeleteExpiredKey> {
    /// Deletes the key with its material, aliases and last usage, if it is due; tells of it if it was. What it is in HSMs
    /// goes after its record: a key whose record is there can be used.
    pub async fn delete(&self, now: Timestamp) -> Result<Option<Deleted>, Refusal> {
        let (region, id) = (self.region, self.id);
        trent_database::write(&*self.gate.database, "delete expired key", move |transaction| {
            // The deletion may have been cancelled since the job looked.
            let is_due = |key: &Key| key.lifecycle.delete_at().is_some_and(|at| at <= now);
            let Some(key) = transaction.key(region, id)?.filter(is_due) else { return Ok(None) };
            transaction.delete_key(region, id)?;
            replicas::forget(&key, transaction, now)?;
            Ok::<_, Refusal>(Some(Deleted { arn: key.arn(), in_hsms: FormerHsmKey::of(&key) }))
        })
        .await?
    }
}

impl SystemPermit<'_, RotateDueKey> {
    /// Gives the key new material, if it is due; tells of it if it was.
    pub async fn rotate(&self, now: Timestamp) -> Result<Option<Rotated>, Refusal> {
        let (region, id) = (self.region, self.id);
        let Some(entry) = self.gate.entry(region, id).await? else { return Ok(None) };
        if !is_rotation_due(&entry.key, now) {
            return Ok(None);
        }
        let rotation = Rotation { at: now, kind: RotationType::Automatic };
        let material = self
            .gate
            .make_material(Owner::of(&entry.key), entry.key.spec)
            .await?
            .into_material(now, Some(rotation));
        let store = Arc::clone(&self.gate.store);
        trent_database::write(&*self.gate.database, "rotate due key", move |transaction| {
            let Some(mut key) = transaction.key(region, id)?.filter(|key| is_rotation_due(key, now)) else {
                return Ok(None);
            };
            let previous = key.current_material().map(|material| material.id);
            key.materials.push(material.clone());
            key.schedule = key.schedule.map(|schedule| schedule.after_rotation(now));
            transaction.update_key(&key)?;
            replicas::follow(&key, transaction, &*store)?;
            Ok::<_, Refusal>(Some(Rotated {
                arn: key.arn(),
                origin: key.origin,
                previous,
                current: material.id,
                replicated: key.related_regions().next().is_some(),
            }))
        })
        .await?
    }
}

impl SystemPermit<'_, SettleKey> {
    /// Enables a key whose state has passed, if it is due; says so if it was.
    pub async fn settle(&self, now: Timestamp) -> Result<Option<()>, Refusal> {
        let (region, id) = (self.region, self.id);
        trent_database::write(&*self.gate.database, "settle key", move |transaction| {
            let Some(mut key) = transaction.key(region, id)? else { return Ok(None) };
            let settled = key.lifecycle.clone().settle(now, key.is_complete());
            let due = settled != key.lifecycle;
            if due {
                key.lifecycle = settled;
                transaction.update_key(&key)?;
            }
            Ok::<_, Refusal>(due.then_some(()))
        })
        .await?
    }
}

impl SystemPermit<'_, ExpireImportedMaterial> {
    /// Deletes what has expired of the key's material; gives the key's ARN if there was any.
    pub async fn expire(&self, now: Timestamp) -> Result<Option<KeyArn>, Refusal> {
        let (region, id, store) = (self.region, self.id, Arc::clone(&self.gate.store));
        trent_database::write(&*self.gate.database, "expire imported material", move |transaction| {
            // It may have been imported again since the job looked.
            let Some(mut key) = transaction.key(region, id)? else { return Ok(None) };
            let before = key.clone();
            let expired = key.expire_material(now);
            if expired {
                transaction.update_key(&key)?;
                replicas::after_change(&before, &key, transaction, &*store)?;
            }
            Ok::<_, Refusal>(expired.then(|| key.arn()))
        })
        .await?
    }
}

impl SystemPermit<'_, SeedKey> {
    /// Makes material for the key, or takes what is given.
    pub async fn material(
        &self,
        account: AccountId,
        spec: KeySpec,
        given: Option<SecretBytes>,
    ) -> Result<NewKeyMaterial, Refusal> {
        let owner = Owner { account, region: self.region, key: self.id };
        self.gate.domain_key(account, self.region).await?;
        let made = match given {
            Some(material) => self.gate.store.take(owner, spec, material).await?,
            None => self.gate.store.generate(owner, spec).await?,
        };
        Ok(NewKeyMaterial::from(made))
    }

    /// The materials of the key as its replica in another Region has them.
    pub async fn materials_in(&self, key: &Key, region: Region) -> Result<Vec<Material>, Refusal> {
        self.gate.domain_key(key.account, region).await?;
        let copy = |material: &Material| {
            let sealed = self.gate.store.reseal(key, material, region)?;
            Ok(Material { sealed, ..material.clone() })
        };
        key.materials.iter().map(copy).collect()
    }
}

// A replica gets its material with the primary's.
fn is_rotation_due(key: &Key, now: Timestamp) -> bool {
    !key.is_replica()
        && key.lifecycle == Lifecycle::Enabled
        && key.schedule.is_some_and(|schedule| schedule.next <= now)
}
