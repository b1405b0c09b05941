//! `[jobs]`: what happens without a caller.

use serde::Deserialize;

use super::bounded::Bounded;
use super::setting::{Default as D, Section, Setting};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct JobsSection {
    // Not above 60: that is how old a last usage may be before it is written.
    pub(crate) interval_seconds: Bounded<1, 60>,
    pub(crate) settling_seconds: Bounded<0, 600>,
}

impl Default for JobsSection {
    fn default() -> Self {
        Self { interval_seconds: Bounded::new(5), settling_seconds: Bounded::new(0) }
    }
}

pub(super) const SECTION: Section = Section {
    name: "jobs",
    comment: "What happens without a caller: deletions and rotations that are due, noting last usages.",
    settings: &[
        Setting {
            name: "interval_seconds",
            default: D::Is("5"),
            comment: "Seconds between two runs: 1 to 60.",
        },
        Setting {
            name: "settling_seconds",
            default: D::Is("0"),
            comment: "Seconds that a new replica is `Creating`, and that both keys are `Updating` after\n\
                      UpdatePrimaryRegion: 0 to 600. Not needed but to test how clients wait.",
        },
    ],
};
