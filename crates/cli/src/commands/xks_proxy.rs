//! `trent xks-proxy`, and `trent xks-proxy config`.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use trent_server::{Clients, Pem, Tls};
use trent_xks_proxy::{Command, Reply};

use crate::admin_socket::ask;
use crate::arguments::{XksProxyArguments, XksProxyCommand};
use crate::config::{Config, Environment};
use crate::data_dir::write_durably;
use crate::failure::misuse;
use crate::hardening::harden;
use crate::logging;
use crate::root_key::{Places, Source};
use crate::xks::Plan;

pub(crate) fn run(arguments: XksProxyArguments, environment: Environment) -> Result<ExitCode> {
    let config = arguments.load(&environment)?;
    if let Some(XksProxyCommand::Config { store, output }) = &arguments.command {
        return write_configuration(&config, store, output.as_deref());
    }
    let level = logging::start(&config.log)?;
    harden();
    let tls = Arc::new(tls(&config)?);
    let data_dir = config.xks_proxy_dir();
    let places = Places::of(&config.root_key, &data_dir);
    let given = arguments.root_key.given(&config, &environment);
    let root_key = Source::choose(config.root_key.provider, &places, &given)?;
    let read_again = Box::new(move || arguments.load(&environment));
    Plan { config, read_again, data_dir, root_key, tls, level }.run()
}

fn write_configuration(config: &Config, store: &str, output: Option<&Path>) -> Result<ExitCode> {
    let command = Command::Configuration { store: store.to_owned() };
    let Reply::Configuration { file } = ask(&config.xks_proxy_dir(), &command)? else {
        bail!("the proxy's answer is not understood");
    };
    match output {
        Some(path) => write_durably(path, file.expose().as_bytes())
            .with_context(|| format!("{} cannot be written", path.display()))?,
        None => io::stdout().write_all(file.expose().as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The certificate, and which clients may connect.
fn tls(config: &Config) -> Result<Tls> {
    let section = &config.xks_proxy;
    let (Some(chain), Some(key)) = (section.tls_certificate.clone(), section.tls_key.clone()) else {
        return Err(misuse(
            "a proxy serves HTTPS alone: give the certificate with --tls-cert and --tls-key \
             (xks_proxy.tls_certificate and xks_proxy.tls_key); for a first try, `openssl req -x509 -newkey \
             ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out chain.pem -subj /CN=localhost -addext \
             subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE` makes one",
        ));
    };
    let shown = (chain.display().to_string(), key.display().to_string());
    let source = move || Ok(Pem { chain: std::fs::read(&chain)?, key: std::fs::read(&key)? });
    let tls = match &section.client_roots {
        None => Tls::new(source),
        Some(file) => {
            let roots =
                std::fs::read(file).map_err(|error| misuse(format!("{}: {error}", file.display())))?;
            let names = section.client_names.clone();
            let admits = Box::new(move |der: &[u8]| is_named(der, &names));
            Tls::with_clients(source, Clients { roots, admits, optional: false })
        }
    };
    tls.map_err(|error| misuse(format!("{} and {}: {error}", shown.0, shown.1)))
}

/// Whether a certificate has one of these common names. Without any, every certificate that chains will do.
fn is_named(der: &[u8], names: &[String]) -> bool {
    let name = || trent_crypto::certificate::Certificate::read(der)?.common_name;
    names.is_empty() || name().is_some_and(|name| names.contains(&name))
}
