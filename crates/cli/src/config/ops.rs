//! `[ops]`: the listener for health, readiness and metrics.

use std::net::SocketAddr;

use serde::Deserialize;

use super::setting::{Default as D, Section, Setting};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OpsSection {
    pub(crate) enabled: bool,
    pub(crate) listen: SocketAddr,
}

impl Default for OpsSection {
    fn default() -> Self {
        Self { enabled: true, listen: SocketAddr::from(([127, 0, 0, 1], 5671)) }
    }
}

pub(super) const SECTION: Section = Section {
    name: "ops",
    comment: "Health, readiness and metrics: /healthz, /readyz, /metrics, over plain HTTP.",
    settings: &[
        Setting { name: "enabled", default: D::Is("true"), comment: "Whether there is this listener." },
        Setting {
            name: "listen",
            default: D::Is("\"127.0.0.1:5671\""),
            comment: "Its address. It tells no secrets, and asks nobody who they are: keep it on a private network.",
        },
    ],
};
