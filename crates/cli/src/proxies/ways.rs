//! How the proxies of external key stores are reached: roots, certificates to show, addresses, time. Read from the files
//! that the configuration names.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use trent_domain::quota::Rate;
use trent_xks_client::{
    ClientCertificate, ClientConfig, Network, Override, Settings, Target, TlsOptions, Version, client_config,
    covers,
};

use crate::config::{ClientCertificateFiles, XksSection};
use crate::failure::misuse;

/// Where systems keep the roots they trust: Debian, Red Hat, Alpine and BSD.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// PEM files of the roots that this system trusts; nothing on one that has none.
pub(crate) fn system_roots() -> Vec<u8> {
    SYSTEM_ROOTS.iter().find_map(|path| fs::read(path).ok()).unwrap_or_default()
}

/// See the top of the file.
pub(crate) struct Ways {
    network: Arc<Network>,
    // Absent where there is no root to verify a proxy by: then none is trusted.
    tls: Option<Arc<ClientConfig>>,
    certificates: Vec<ForProxy>,
    settings: Settings,
}

/// TLS with a certificate of its own.
struct ForProxy {
    host: String,
    path_prefix: String,
    tls: Arc<ClientConfig>,
}

impl Ways {
    /// Reads the files that the configuration names.
    pub(crate) fn read(section: &XksSection) -> Result<Self> {
        let mut roots = if section.replace_trust_roots { Vec::new() } else { system_roots() };
        for path in &section.extra_trust_roots {
            roots.push(b'\n');
            roots.extend(read(path)?);
        }
        let tls = |client| {
            let versions = &[Version::Tls12, Version::Tls13];
            client_config(TlsOptions { roots: &roots, versions, client, http2: true })
        };
        let has_roots = !roots.trim_ascii().is_empty();
        let certificates = if has_roots { section.client_certificate.as_slice() } else { &[] };
        let for_proxy = |files: &ClientCertificateFiles| {
            let ClientCertificateFiles { host, uri_path_prefix, certificate, key } = files;
            let client = ClientCertificate { chain: read(certificate)?, key: read(key)? };
            let shown = (certificate.display(), key.display());
            let tls =
                tls(Some(client)).map_err(|error| misuse(format!("{} and {}: {error}", shown.0, shown.1)))?;
            Ok(ForProxy { host: host.clone(), path_prefix: uri_path_prefix.clone(), tls })
        };
        let overrides = section.connect_override.iter();
        let overrides = overrides
            .map(|known| Override { host: known.host.clone(), connect_to: known.connect_to.clone() });
        let network =
            Network { overrides: overrides.collect(), allow_private: section.allow_private_addresses };
        Ok(Self {
            network: Arc::new(network),
            certificates: certificates.iter().map(for_proxy).collect::<Result<_>>()?,
            tls: has_roots
                .then(|| tls(None))
                .transpose()
                .context("the roots that external key store proxies are verified by")?,
            settings: Settings {
                attempt: section.request_timeout_ms.millis(),
                retries: section.timeout_retries.as_u32(),
                rate: Rate::per_second(f64::from(section.requests_per_second.as_u32())),
            },
        })
    }

    /// How long to wait, and how often to ask.
    pub(super) const fn settings(&self) -> Settings {
        self.settings
    }

    /// The way to a proxy; to one in a private network, its `targets` are the only one, whatever its name means elsewhere.
    pub(super) fn to(&self, host: &str, path: &str, targets: Option<&[String]>) -> Option<Target> {
        let own = |known: &&ForProxy| covers(&known.host, host) && path.starts_with(&known.path_prefix);
        let tls = match self.certificates.iter().find(own) {
            Some(known) => &known.tls,
            None => self.tls.as_ref()?,
        };
        let network = match targets {
            Some(targets) => {
                let overrides = vec![Override { host: host.to_owned(), connect_to: targets.to_vec() }];
                Arc::new(Network { overrides, allow_private: false })
            }
            None => Arc::clone(&self.network),
        };
        Some(Target { host: host.to_owned(), network, tls: Arc::clone(tls) })
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| misuse(format!("{}: {error}", path.display())))
}
