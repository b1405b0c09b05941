//! `[cache]`: what is kept in memory.

use serde::Deserialize;
use trent_service::CacheBounds;

use super::bounded::Bounded;
use super::setting::{Default as D, Section, Setting};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CacheSection {
    key_bytes: Bounded<1_048_576, 1_099_511_627_776>,
    alias_bytes: Bounded<1_048_576, 1_099_511_627_776>,
    grant_bytes: Bounded<1_048_576, 1_099_511_627_776>,
}

impl Default for CacheSection {
    fn default() -> Self {
        Self {
            key_bytes: Bounded::new(134_217_728),
            alias_bytes: Bounded::new(16_777_216),
            grant_bytes: Bounded::new(134_217_728),
        }
    }
}

impl CacheSection {
    pub(crate) fn bounds(&self) -> CacheBounds {
        CacheBounds {
            key_bytes: self.key_bytes.get(),
            alias_bytes: self.alias_bytes.get(),
            grant_bytes: self.grant_bytes.get(),
        }
    }
}

pub(super) const SECTION: Section = Section {
    name: "cache",
    comment: "Memory for what is in use.",
    settings: &[
        Setting {
            name: "key_bytes",
            default: D::Is("134217728"),
            comment: "Bytes of keys in use; a key takes one to two thousand.",
        },
        Setting { name: "alias_bytes", default: D::Is("16777216"), comment: "Bytes of aliases in use." },
        Setting {
            name: "grant_bytes",
            default: D::Is("134217728"),
            comment: "Bytes of grants in use; a grant takes about five hundred.",
        },
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_gate() {
        let (ours, theirs) = (CacheSection::default().bounds(), CacheBounds::default());
        let bytes = |bounds: CacheBounds| [bounds.key_bytes, bounds.alias_bytes, bounds.grant_bytes];
        assert_eq!(bytes(ours), bytes(theirs));
    }
}
