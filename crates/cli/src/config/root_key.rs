//! `[root_key]`: the key that seals all others. `[root_key_pkcs11]`: the key in an HSM that encrypts it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::hsm::GcmIv;
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
    /// A key in an HSM, which encrypts it.
    Pkcs11,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RootKeyPkcs11Section {
    pub(crate) module: Option<PathBuf>,
    pub(crate) module_environment: BTreeMap<String, String>,
    pub(crate) token_serial: Option<String>,
    pub(crate) token_label: Option<String>,
    pub(crate) pin_file: Option<PathBuf>,
    pub(crate) key_label: String,
    /// In hex digits.
    pub(crate) key_id: Option<String>,
    pub(crate) gcm_iv: GcmIv,
}

impl Default for RootKeyPkcs11Section {
    fn default() -> Self {
        Self {
            module: None,
            module_environment: BTreeMap::new(),
            token_serial: None,
            token_label: None,
            pin_file: None,
            key_label: "trent-root-key".to_owned(),
            key_id: None,
            gcm_iv: GcmIv::default(),
        }
    }
}

pub(super) const SECTION: Section = Section {
    name: "root_key",
    comment: "The root key, which seals all others.",
    settings: &[
        Setting {
            name: "provider",
            default: D::Is("\"auto\""),
            comment: "\"file\", \"passphrase\", \"pkcs11\", or \"auto\": a passphrase if one is given or the data directory\n\
                      has a passphrase record, an HSM if it has a root key that one has encrypted, else a file.",
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

pub(super) const PKCS11: Section = Section {
    name: "root_key_pkcs11",
    comment: "The key in an HSM that encrypts the root key; for the provider \"pkcs11\" alone. Limits are those of [hsm].",
    settings: &[
        Setting {
            name: "module",
            default: D::Unset("\"/usr/lib/softhsm/libsofthsm2.so\""),
            comment: "The PKCS#11 library of the HSM's vendor. It runs in a process of its own.",
        },
        Setting {
            name: "module_environment",
            default: D::Is("{}"),
            comment: "All of the environment that the library sees.",
        },
        Setting {
            name: "token_serial",
            default: D::Unset("\"80fc1e06e7bef617\""),
            comment: "The token, by its serial number.",
        },
        Setting {
            name: "token_label",
            default: D::Unset("\"production\""),
            comment: "The token, by its label; one of the two is needed.",
        },
        Setting {
            name: "pin_file",
            default: D::Unset("\"/run/secrets/trent-hsm-pin\""),
            comment: "A file with the PIN of the token's user. It may also come by TRENT_ROOT_PIN.",
        },
        Setting {
            name: "key_label",
            default: D::Is("\"trent-root-key\""),
            comment: "The AES-256 key, by its label. It is made when a root key is to be encrypted and there is none.",
        },
        Setting {
            name: "key_id",
            default: D::Unset("\"5f0c9e21\""),
            comment: "The AES-256 key, by its CKA_ID in hex digits instead; such a key must be there.",
        },
        Setting {
            name: "gcm_iv",
            default: D::Is("\"caller\""),
            comment: "How the library treats the IV of AES-GCM: \"caller\", \"zero_in_place\" or \"appended\".",
        },
    ],
};
