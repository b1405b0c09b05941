//! `[hsm]`: the clusters of HSMs behind CloudHSM key stores.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use trent_domain::identifier::{AccountId, Region};
use trent_domain::key_store::{ClusterState, Hsm, Subnet};
use trent_domain::limits::CLUSTER_CONNECT_SECONDS;

use super::bounded::Bounded;
use super::setting::{Default as D, Section, Setting};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HsmSection {
    pub(crate) start_seconds: Bounded<1, 300>,
    pub(crate) call_seconds: Bounded<1, 60>,
    pub(crate) connect_seconds: Bounded<10, 3600>,
    pub(crate) requests_per_second: Bounded<0, 1_000_000>,
    pub(crate) cluster: Vec<ClusterSection>,
}

/// A cluster, and the module that reaches its HSMs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClusterSection {
    pub(crate) cluster_id: String,
    pub(crate) account_id: AccountId,
    pub(crate) region: Region,
    #[serde(default)]
    pub(crate) state: ClusterState,
    /// PEM file of the certificate that signed the cluster's.
    pub(crate) trust_anchor_certificate: PathBuf,
    /// PEM file of the cluster's certificate.
    pub(crate) cluster_certificate: PathBuf,
    #[serde(default = "yes")]
    pub(crate) security_group_ok: bool,
    /// The PKCS#11 library.
    pub(crate) module: PathBuf,
    /// All of the environment that the library sees.
    #[serde(default)]
    pub(crate) module_environment: BTreeMap<String, String>,
    #[serde(default = "kmsuser")]
    pub(crate) crypto_user: String,
    /// How user and password make a PIN.
    #[serde(default = "password_alone")]
    pub(crate) pin_format: String,
    #[serde(default)]
    pub(crate) gcm_iv: GcmIv,
    #[serde(default)]
    pub(crate) replication: KeyReplication,
    #[serde(default = "five")]
    pub(crate) failed_logins_max: u32,
    pub(crate) subnets: Vec<Subnet>,
    pub(crate) hsms: Vec<Hsm>,
}

/// Who chooses the IV of AES-GCM, and where it comes out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GcmIv {
    #[default]
    Caller,
    ZeroInPlace,
    Appended,
}

/// How a key comes to all HSMs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyReplication {
    #[default]
    Shared,
    OaepTransfer,
}

const fn yes() -> bool {
    true
}

fn kmsuser() -> String {
    "kmsuser".to_owned()
}

fn password_alone() -> String {
    "{password}".to_owned()
}

/// As AWS's HSMs do.
const fn five() -> u32 {
    5
}

impl Default for HsmSection {
    fn default() -> Self {
        Self {
            start_seconds: Bounded::new(30),
            call_seconds: Bounded::new(10),
            connect_seconds: Bounded::new(CLUSTER_CONNECT_SECONDS as u64),
            requests_per_second: Bounded::new(1800),
            cluster: Vec::new(),
        }
    }
}

pub(super) const SECTION: Section = Section {
    name: "hsm",
    comment: "The clusters of HSMs behind CloudHSM key stores. Their PKCS#11 libraries run in processes of their own.",
    settings: &[
        Setting {
            name: "start_seconds",
            default: D::Is("30"),
            comment: "Seconds that such a process may take to start and to load its library: 1 to 300.",
        },
        Setting {
            name: "call_seconds",
            default: D::Is("10"),
            comment: "Seconds that a call may take before the process is killed: 1 to 60.",
        },
        Setting {
            name: "connect_seconds",
            default: D::Is("1200"),
            comment: "Seconds that an attempt to connect a key store may take: 10 to 3600.",
        },
        Setting {
            name: "requests_per_second",
            default: D::Is("1800"),
            comment: "Requests to encrypt and decrypt in the HSMs behind one key store in a second, whoever calls; what is\n\
                      more is a ThrottlingException. 0 for any number. AWS: 1800.",
        },
        Setting {
            name: "cluster",
            default: D::Is("[]"),
            comment: "The clusters; the book's page \"Custom key stores\" says what is in one.",
        },
    ],
};
