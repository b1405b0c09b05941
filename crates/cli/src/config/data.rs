//! `[data]`: where everything is kept.

use std::path::PathBuf;

use serde::Deserialize;
use trent_domain::identifier::AccountId;

use super::setting::{Default as D, Section, Setting};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DataSection {
    pub(crate) dir: PathBuf,
    pub(crate) account_id: Option<AccountId>,
}

impl Default for DataSection {
    fn default() -> Self {
        Self { dir: "./trent-data".into(), account_id: None }
    }
}

pub(super) const SECTION: Section = Section {
    name: "data",
    comment: "The data directory.",
    settings: &[
        Setting {
            name: "dir",
            default: D::Is("\"./trent-data\""),
            comment: "The directory of the database, of the admin socket and, unless set otherwise, of the root key.",
        },
        Setting {
            name: "account_id",
            default: D::Unset("\"111122223333\""),
            comment: "The account that the first start makes; drawn at random if not set.",
        },
    ],
};
