//! `[auth]`: what is asked of signatures.

use serde::{Deserialize, Deserializer, de::Error};
use trent_domain::identifier::Region;
use trent_domain::limits::SESSION_KEY_DAYS;
use trent_server::Signatures;

use super::bounded::Bounded;
use super::setting::{Default as D, Section, Setting};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuthSection {
    clock_skew_seconds: Bounded<1, 900>,
    echo_canonical: Echo,
    #[serde(deserialize_with = "regions")]
    regions: Vec<Region>,
    api_tokens: bool,
    pub(crate) session_key_days: Bounded<0, 3650>,
}

impl Default for AuthSection {
    fn default() -> Self {
        Self {
            clock_skew_seconds: Bounded::new(300),
            echo_canonical: Echo::Loopback,
            regions: Vec::new(),
            api_tokens: false,
            session_key_days: Bounded::new(SESSION_KEY_DAYS as u64),
        }
    }
}

/// Whether a wrong signature is answered with what should have been signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Echo {
    /// On listeners that only this machine reaches.
    Loopback,
    Always,
    Never,
}

impl AuthSection {
    pub(crate) fn signatures(&self) -> Signatures {
        Signatures {
            regions: (!self.regions.is_empty()).then(|| self.regions.clone()),
            skew_seconds: self.clock_skew_seconds.as_u32(),
            echo_canonical: match self.echo_canonical {
                Echo::Loopback => None,
                Echo::Always => Some(true),
                Echo::Never => Some(false),
            },
            api_tokens: self.api_tokens,
        }
    }
}

fn regions<'de, De: Deserializer<'de>>(deserializer: De) -> Result<Vec<Region>, De::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let region = |name: &String| {
        name.parse()
            .map_err(|_| De::Error::custom(format!("`{name}` is no Region name, such as eu-central-1")))
    };
    names.iter().map(region).collect()
}

pub(super) const SECTION: Section = Section {
    name: "auth",
    comment: "Signatures, and what may take their place.",
    settings: &[
        Setting {
            name: "clock_skew_seconds",
            default: D::Is("300"),
            comment: "How far the date of a request may lie from now: 1 to 900.",
        },
        Setting {
            name: "echo_canonical",
            default: D::Is("\"loopback\""),
            comment: "Whether a wrong signature is answered with what should have been signed, for people who write\n\
                      clients: \"loopback\" (on listeners that only this machine reaches), \"always\", \"never\".",
        },
        Setting {
            name: "regions",
            default: D::Is("[]"),
            comment: "Regions that requests may be signed for; none is every well-formed name.",
        },
        Setting {
            name: "api_tokens",
            default: D::Is("false"),
            comment: "Takes API tokens (`trent admin token`) from clients that cannot sign.",
        },
        Setting {
            name: "session_key_days",
            default: D::Is("30"),
            comment: "Days after which another key seals session tokens; 0 is never. Old ones open for as long as needed.",
        },
    ],
};
