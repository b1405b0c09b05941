//! `[xks_proxy]`: the process that serves external keys, `trent xks-proxy`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::bounded::Bounded;
use super::hsm::GcmIv;
use super::http::Addresses;
use super::setting::{Default as D, Section, Setting};
use super::{Config, RootKeySection};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct XksProxySection {
    pub(crate) listen: Addresses,
    pub(crate) ops_listen: Option<SocketAddr>,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) root_key_file: Option<PathBuf>,
    pub(crate) tls_certificate: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) client_roots: Option<PathBuf>,
    pub(crate) client_names: Vec<String>,
    pub(crate) threads: Bounded<0, 1024>,
    pub(crate) drain_seconds: Bounded<0, 3600>,
    pub(crate) token: Vec<TokenSection>,
}

/// A token that external keys may be in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenSection {
    /// What `trent admin xks-key` calls it.
    pub(crate) name: String,
    /// The PKCS#11 library.
    pub(crate) module: PathBuf,
    /// All of the environment that the library sees.
    #[serde(default)]
    pub(crate) module_environment: BTreeMap<String, String>,
    /// One of these two at least.
    #[serde(default)]
    pub(crate) token_serial: Option<String>,
    #[serde(default)]
    pub(crate) token_label: Option<String>,
    pub(crate) pin_file: PathBuf,
    #[serde(default)]
    pub(crate) gcm_iv: GcmIv,
}

impl Default for XksProxySection {
    fn default() -> Self {
        Self {
            listen: Addresses(vec![SocketAddr::from(([127, 0, 0, 1], 5680))]),
            ops_listen: None,
            data_dir: None,
            root_key_file: None,
            tls_certificate: None,
            tls_key: None,
            client_roots: None,
            client_names: Vec::new(),
            threads: Bounded::new(0),
            drain_seconds: Bounded::new(30),
            token: Vec::new(),
        }
    }
}

impl Config {
    /// The data directory of the proxy.
    pub(crate) fn xks_proxy_dir(&self) -> PathBuf {
        self.xks_proxy.data_dir.clone().unwrap_or_else(|| self.data.dir.join("xks"))
    }

    /// Where the proxy's root key comes from: as the server's, but a file of its own. One file for both would be
    /// taken from the other when one is rekeyed.
    pub(crate) fn xks_proxy_root_key(&self) -> RootKeySection {
        RootKeySection { file: self.xks_proxy.root_key_file.clone(), ..self.root_key.clone() }
    }
}

pub(super) const SECTION: Section = Section {
    name: "xks_proxy",
    comment: "External keys for AWS KMS or another trent, served by `trent xks-proxy`; always HTTPS.",
    settings: &[
        Setting {
            name: "listen",
            default: D::Is("\"127.0.0.1:5680\""),
            comment: "Address, or list of addresses, to listen on. Port 0 takes a free one and prints it.",
        },
        Setting {
            name: "ops_listen",
            default: D::Unset("\"127.0.0.1:5681\""),
            comment: "Address of its health, readiness and metrics, over plain HTTP; none if not set.",
        },
        Setting {
            name: "data_dir",
            default: D::Unset("\"/var/lib/trent-xks\""),
            comment: "Its data directory; `xks` in that of [data] if not set.",
        },
        Setting {
            name: "root_key_file",
            default: D::Unset("\"/etc/trent/xks-root.key\""),
            comment: "Its root key file; `root.key` in its data directory if not set. The first start makes it.",
        },
        Setting {
            name: "tls_certificate",
            default: D::Unset("\"/etc/trent/tls/xks-chain.pem\""),
            comment: "PEM file with the certificate chain. It must have the name that KMS connects to.",
        },
        Setting {
            name: "tls_key",
            default: D::Unset("\"/etc/trent/tls/xks-key.pem\""),
            comment: "PEM file with the private key of the certificate.",
        },
        Setting {
            name: "client_roots",
            default: D::Unset("\"/etc/trent/tls/clients.pem\""),
            comment: "PEM file; with it, only clients with a certificate that chains to one of these may connect.",
        },
        Setting {
            name: "client_names",
            default: D::Is("[]"),
            comment: "Common names that those certificates may have, such as \"cks.kms.eu-central-1.amazonaws.com\";\n\
                      any if empty.",
        },
        Setting {
            name: "threads",
            default: D::Is("0"),
            comment: "Threads that serve, 0 for as many as the machine has cores.",
        },
        Setting {
            name: "drain_seconds",
            default: D::Is("30"),
            comment: "Seconds that requests in flight may take to end after SIGTERM.",
        },
        Setting {
            name: "token",
            default: D::Is("[]"),
            comment: "Tokens that external keys may be in; the book's page \"Keys in an HSM\" says what is in one.",
        },
    ],
};
