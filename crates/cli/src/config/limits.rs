//! `[limits]`: quotas.

use serde::Deserialize;
use trent_domain::limits::{GRANTS_PER_KEY_MAX, KEYS_PER_REGION_MAX};

use super::bounded::Bounded;
use super::setting::{Default as D, Section, Setting};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsSection {
    pub(crate) keys_per_region: Bounded<1, 1_000_000_000>,
    pub(crate) grants_per_key: Bounded<1, 1_000_000>,
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self {
            keys_per_region: Bounded::new(KEYS_PER_REGION_MAX),
            grants_per_key: Bounded::new(GRANTS_PER_KEY_MAX),
        }
    }
}

pub(super) const SECTION: Section = Section {
    name: "limits",
    comment: "Quotas.",
    settings: &[
        Setting {
            name: "keys_per_region",
            default: D::Is("100000"),
            comment: "Customer managed keys per account and Region.",
        },
        Setting { name: "grants_per_key", default: D::Is("50000"), comment: "Grants per key." },
    ],
};
