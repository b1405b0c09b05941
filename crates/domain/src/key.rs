//! A key: everything about it but its material in clear.

use std::collections::BTreeMap;
use std::sync::Arc;

use trent_protocol::{KeyManager, KeySpec, KeyState, KeyUsage, Origin};

use crate::identifier::{AccountId, HsmKeyId, KeyArn, KeyId, MaterialId, Region};
use crate::key_store::InStore;
use crate::lifecycle::Lifecycle;
use crate::multi_region::MultiRegion;
use crate::rotation::{Material, Schedule};
use crate::time::Timestamp;

/// A key of one Region as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its id, unique in the Region over all accounts.
    pub id: KeyId,
    /// The account that owns it.
    pub account: AccountId,
    /// The Region that holds it.
    pub region: Region,
    /// What kind of key material it has.
    pub spec: KeySpec,
    /// What it may be used for.
    pub usage: KeyUsage,
    /// Where its material comes from.
    pub origin: Origin,
    /// Whether a customer or AWS (here: trent itself) manages it.
    pub manager: KeyManager,
    /// The customer's own words, possibly none.
    pub description: String,
    /// When it was created.
    pub created: Timestamp,
    /// Its state.
    pub lifecycle: Lifecycle,
    /// Its key policy as it was put; absent while it is the default one.
    pub policy: Option<Arc<str>>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Automatic rotation, while it is enabled.
    pub schedule: Option<Schedule>,
    /// Its materials, oldest first; the last that does not wait for its rotation is the current one.
    pub materials: Vec<Material>,
    /// Which custom key store holds it, of keys in one alone.
    pub in_store: Option<InStore>,
    /// Where the keys related to it are, of a multi-Region key alone.
    pub multi_region: Option<MultiRegion>,
    /// The number of the stored version, counted up by the database with each change.
    pub version: u64,
}

impl Key {
    /// Its full name.
    pub const fn arn(&self) -> KeyArn {
        KeyArn { region: self.region, account: self.account, id: self.id }
    }

    /// The state of its record as the API names it.
    pub const fn state(&self) -> KeyState {
        self.lifecycle.state()
    }

    /// The same, as it is shown while what holds the key is `connected` or not.
    pub const fn shown_state(&self, connected: bool) -> KeyState {
        if connected || self.lifecycle.is_pending_deletion() { self.state() } else { KeyState::Unavailable }
    }

    /// The material that encrypts.
    pub fn current_material(&self) -> Option<&Material> {
        self.materials.iter().rev().find(|material| !material.is_pending())
    }

    /// The material with this id, current or not.
    pub fn material(&self, id: &MaterialId) -> Option<&Material> {
        self.materials.iter().find(|material| material.id == *id)
    }

    /// What it is called in HSMs, of keys in them alone.
    pub fn hsm_key(&self) -> Option<HsmKeyId> {
        self.in_store.as_ref().and_then(InStore::hsm_key)
    }

    /// Whether trent manages it on behalf of a service (`alias/aws/…`), so that customers cannot change it.
    pub fn is_aws_managed(&self) -> bool {
        self.manager == KeyManager::Aws
    }

    /// How many on-demand rotations it has had.
    pub fn on_demand_rotations(&self) -> usize {
        let on_demand = trent_protocol::RotationType::OnDemand;
        self.materials
            .iter()
            .filter(|material| material.rotation.is_some_and(|done| done.kind == on_demand))
            .count()
    }

    /// When a job has something to do on this key next: its deletion, the end of a passing state, else its automatic
    /// rotation; and what expires.
    pub fn due_at(&self) -> Option<Timestamp> {
        let by_state = match self.lifecycle {
            Lifecycle::PendingDeletion { delete_at, .. } => Some(delete_at),
            Lifecycle::Creating { until } | Lifecycle::Updating { until } => Some(until),
            // A replica gets new material with its primary, never by itself.
            Lifecycle::Enabled if self.is_replica() => None,
            Lifecycle::Enabled => self.schedule.map(|schedule| schedule.next),
            // A disabled key is not rotated; once it is enabled again it is due at once if overdue.
            Lifecycle::Disabled | Lifecycle::PendingImport | Lifecycle::PendingReplicaDeletion { .. } => None,
        };
        by_state.into_iter().chain(self.next_expiry()).min()
    }
}
