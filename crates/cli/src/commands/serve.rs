//! `trent serve`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use trent_server::{Clients, Pem, Tls};

use crate::arguments::ServeArguments;
use crate::config::{ClientCertificates, Environment, HttpSection};
use crate::failure::misuse;
use crate::first_start::FirstAccessKey;
use crate::hardening::harden;
use crate::instance::{Mode, Plan};
use crate::logging;
use crate::root_key::{Places, Source};

pub(crate) fn run(arguments: ServeArguments, environment: Environment) -> Result<ExitCode> {
    let config = arguments.load(&environment)?;
    let level = logging::start(&config.log)?;
    harden();
    check_plain_http(&config.http, config.http.listen.0.iter().copied())?;
    let tls = tls(&config.http)?;
    let first_access_key = FirstAccessKey::of(&environment)?;
    let places = Places::of(&config.root_key, &config.data.dir);
    let given = arguments.root_key.given(&config, &environment);
    let root_key = Source::choose(config.root_key.provider, &places, &given)?;
    let plan = Plan {
        data_dir: config.data.dir.clone(),
        config,
        read_again: {
            let environment = environment.clone();
            Box::new(move || arguments.load(&environment))
        },
        environment,
        root_key,
        first_access_key,
        seed: None,
        mode: Mode::Serve,
        tls,
        level,
    };
    plan.run()
}

/// Secrets in plaintext requests and answers do not travel in clear unless somebody said so.
pub(crate) fn check_plain_http(
    http: &HttpSection,
    mut addresses: impl Iterator<Item = SocketAddr>,
) -> Result<()> {
    if http.tls_certificate.is_some() || http.allow_plain_http {
        return Ok(());
    }
    match addresses.find(|address| !address.ip().to_canonical().is_loopback()) {
        Some(address) => Err(misuse(format!(
            "{address} is not a loopback address, and plain HTTP is served on those alone; give --tls-cert and \
             --tls-key, or allow it with --allow-plain-http (http.allow_plain_http)"
        ))),
        None => Ok(()),
    }
}

/// The certificate of the configuration.
pub(crate) fn tls(http: &HttpSection) -> Result<Option<Arc<Tls>>> {
    match (&http.tls_certificate, &http.tls_key) {
        (None, None) if http.client_ca.is_some() => {
            Err(misuse("certificates of clients need TLS: set http.tls_certificate and http.tls_key too"))
        }
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => {
            let tls = match &http.client_ca {
                None => Tls::from_files(certificate, key),
                Some(file) => {
                    let roots = std::fs::read(file)
                        .map_err(|error| misuse(format!("{}: {error}", file.display())))?;
                    let optional = http.client_certificates == ClientCertificates::Optional;
                    let (certificate, key) = (certificate.clone(), key.clone());
                    let source =
                        move || Ok(Pem { chain: std::fs::read(&certificate)?, key: std::fs::read(&key)? });
                    Tls::with_clients(source, Clients { roots, admits: Box::new(|_| true), optional })
                }
            };
            let shown = (certificate.display(), key.display());
            Ok(Some(Arc::new(tls.map_err(|error| misuse(format!("{} and {}: {error}", shown.0, shown.1)))?)))
        }
        (Some(_), None) => {
            Err(misuse("there is a TLS certificate but no key; set http.tls_key or --tls-key"))
        }
        (None, Some(_)) => {
            Err(misuse("there is a TLS key but no certificate; set http.tls_certificate or --tls-cert"))
        }
    }
}
