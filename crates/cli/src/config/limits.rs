//! `[limits]`: how many objects there may be.

use serde::Deserialize;
use trent_domain::limits::{
    GRANTS_PER_KEY_MAX, KEY_STORES_PER_REGION_MAX, KEYS_PER_REGION_MAX, ON_DEMAND_ROTATIONS_MAX,
    POLICY_BYTES_MAX,
};

use super::bounded::Bounded;
use super::setting::{Default as D, Section, Setting};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsSection {
    pub(crate) keys_per_region: Bounded<1, 1_000_000_000>,
    pub(crate) grants_per_key: Bounded<1, 1_000_000>,
    pub(crate) key_policy_bytes: Bounded<1024, 131_072>,
    pub(crate) on_demand_rotations: Bounded<0, 1_000>,
    pub(crate) custom_key_stores: Bounded<0, 1_000>,
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self {
            keys_per_region: Bounded::new(KEYS_PER_REGION_MAX),
            grants_per_key: Bounded::new(GRANTS_PER_KEY_MAX),
            key_policy_bytes: Bounded::new(POLICY_BYTES_MAX as u64),
            on_demand_rotations: Bounded::new(ON_DEMAND_ROTATIONS_MAX as u64),
            custom_key_stores: Bounded::new(KEY_STORES_PER_REGION_MAX as u64),
        }
    }
}

pub(super) const SECTION: Section = Section {
    name: "limits",
    comment: "How many objects there may be; what is over is answered with LimitExceededException.",
    settings: &[
        Setting {
            name: "keys_per_region",
            default: D::Is("100000"),
            comment: "Customer managed keys per account and Region.",
        },
        Setting { name: "grants_per_key", default: D::Is("50000"), comment: "Grants per key." },
        Setting { name: "key_policy_bytes", default: D::Is("32768"), comment: "Bytes of a key policy." },
        Setting {
            name: "on_demand_rotations",
            default: D::Is("25"),
            comment: "On-demand rotations of one key, in all its life.",
        },
        Setting {
            name: "custom_key_stores",
            default: D::Is("10"),
            comment: "Custom key stores per account and Region.",
        },
    ],
};
