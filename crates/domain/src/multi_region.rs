//! Multi-Region keys: how keys of one id in several Regions are related.
//!
//! Each is a key of its own, with its own state, policy, aliases and tags. What they share is id, material and
//! rotation, which the primary leads; every one of them says which Region is the primary's and which have replicas.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::identifier::{KeyArn, Region};
use crate::import::{Imported, Standing};
use crate::key::Key;
use crate::rotation::Material;

/// Where the related keys of a multi-Region key are; the same in the record of each of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultiRegion {
    /// The Region of the primary key.
    pub primary: Region,
    /// The Regions of its replicas, in any state.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub replicas: BTreeSet<Region>,
}

impl MultiRegion {
    /// A primary that has no replicas yet.
    pub const fn primary(region: Region) -> Self {
        Self { primary: region, replicas: BTreeSet::new() }
    }

    /// All Regions that hold one of the keys, that of the primary first.
    pub fn regions(&self) -> impl Iterator<Item = Region> + '_ {
        std::iter::once(self.primary).chain(self.replicas.iter().copied())
    }

    /// Makes the replica of a Region the primary, and the primary a replica.
    ///
    /// A Region without a replica changes nothing.
    #[must_use]
    pub fn with_primary(mut self, region: Region) -> Self {
        if self.replicas.remove(&region) {
            self.replicas.insert(std::mem::replace(&mut self.primary, region));
        }
        self
    }
}

impl Key {
    /// Whether it is the primary of a multi-Region key, with or without replicas.
    pub fn is_multi_region_primary(&self) -> bool {
        self.multi_region.as_ref().is_some_and(|related| related.primary == self.region)
    }

    /// Whether it is a replica, whose material and rotation another key leads.
    pub fn is_replica(&self) -> bool {
        self.multi_region.as_ref().is_some_and(|related| related.primary != self.region)
    }

    /// The Regions of the replicas that it leads; none unless it is a primary.
    pub fn led_regions(&self) -> impl Iterator<Item = Region> + '_ {
        let led = self.multi_region.as_ref().filter(|related| related.primary == self.region);
        led.into_iter().flat_map(|related| related.replicas.iter().copied())
    }

    /// The Regions of the keys that are related to it, itself left out.
    pub fn related_regions(&self) -> impl Iterator<Item = Region> + '_ {
        let all = self.multi_region.iter().flat_map(MultiRegion::regions);
        all.filter(|region| *region != self.region)
    }

    /// The full name of the key that is related to it in another Region.
    pub const fn arn_in(&self, region: Region) -> KeyArn {
        KeyArn { region, account: self.account, id: self.id }
    }
}

/// Imported material, which each Region has or has not.
impl Key {
    /// The materials of `primary` as this replica has them: their bytes and what was said at their import are each
    /// Region's own.
    pub fn imported_like(&self, primary: &Self) -> Vec<Material> {
        let materials = primary.materials.iter().map(|led| {
            let own = self.material(&led.id);
            let imported = led.imported.as_ref().map(|led| {
                let own = own.and_then(|own| own.imported.clone());
                let (valid_to, description) = own.map_or((None, None), |own| (own.valid_to, own.description));
                Imported { valid_to, description, standing: led.standing }
            });
            let sealed = own.map(|own| own.sealed.clone()).unwrap_or_default();
            Material { imported, sealed, ..led.clone() }
        });
        materials.collect()
    }

    /// Notes about material that waits for its rotation whether each of `related`, itself among them, has it.
    pub fn weigh_pending(&mut self, related: &[Self]) {
        for material in self.materials.iter_mut().filter(|material| material.is_pending()) {
            let has = |key: &Self| key.material(&material.id).is_some_and(Material::is_present);
            let everywhere = related.iter().all(has);
            if let Some(imported) = &mut material.imported {
                imported.standing = match everywhere {
                    true => Standing::PendingRotation,
                    false => Standing::PendingImportAndRotation,
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(name: &str) -> Region {
        name.parse().unwrap()
    }

    #[test]
    fn a_replica_and_the_primary_change_places() {
        let mut related = MultiRegion::primary(region("eu-west-1"));
        related.replicas.extend([region("us-west-2"), region("eu-north-1")]);
        let moved = related.clone().with_primary(region("us-west-2"));
        assert_eq!(moved.primary, region("us-west-2"));
        assert_eq!(moved.replicas, BTreeSet::from([region("eu-north-1"), region("eu-west-1")]));
        assert_eq!(moved.clone().with_primary(region("eu-west-1")), related);
        assert_eq!(moved.clone().with_primary(region("ap-south-1")), moved);
    }
}
