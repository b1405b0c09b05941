//! `[root_key]`: the key that seals all others.

use std::path::PathBuf;

use serde::Deserialize;

use super::setting::{Default as D, Section, Setting};

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RootKeySection {
    pub(crate) provider: Provider,
    pub(crate) file: Option<PathBuf>,
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// Where the root key comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Provider {
    /// A passphrase if one is given or the data directory has a passphrase record; else a file.
    #[default]
    Auto,
    /// A file with the key in it.
    File,
    /// A passphrase, by Argon2id.
    Passphrase,
}

pub(super) const SECTION: Section = Section {
    name: "root_key",
    comment: "The root key, which seals all others.",
    settings: &[
        Setting {
            name: "provider",
            default: D::Is("\"auto\""),
            comment: "\"file\", \"passphrase\", or \"auto\": a passphrase if one is given or the data directory has a\n\
                      passphrase record, else a file.",
        },
        Setting {
            name: "file",
            default: D::Unset("\"/etc/trent/root.key\""),
            comment: "The root key file; `root.key` in the data directory if not set. The first start makes it.",
        },
        Setting {
            name: "passphrase_file",
            default: D::Unset("\"/run/secrets/trent-passphrase\""),
            comment: "A file with the passphrase. It may also come by --passphrase-fd N or TRENT_ROOT_PASSPHRASE.",
        },
    ],
};
