//! `trent admin key-store`: custom key stores, made of what their proxy has written; wrong passwords, forgotten.

use std::fs;
use std::path::Path;

use anyhow::Result;
use trent_crypto::SecretBytes;
use trent_service::admin::{Command, NewKeyStore};
use trent_xks::ProxyConfiguration;

use crate::arguments::{KeyStoreCommand, OrphansArguments};
use crate::failure::misuse;

pub(super) fn command(words: KeyStoreCommand) -> Result<Command> {
    let (name, account, region, endpoint, proxy_config, service, service_owner) = match words {
        KeyStoreCommand::Orphans(OrphansArguments { id, .. }) => {
            return Ok(Command::ListOrphans { store: id });
        }
        KeyStoreCommand::Unlock { id } => return Ok(Command::UnlockKeyStore { id }),
        KeyStoreCommand::Create { name, account, region, endpoint, proxy_config, service, service_owner } => {
            (name, account, region, endpoint, proxy_config, service, service_owner)
        }
    };
    let ProxyConfiguration { uri_path, credential } = read(&proxy_config)?;
    let (access_key_id, path) = (credential.access_key_id.as_str().to_owned(), uri_path.as_str().to_owned());
    let secret = String::from_utf8_lossy(credential.secret.expose()).into_owned().into();
    let new =
        NewKeyStore { account, region, name, endpoint, service, service_owner, path, access_key_id, secret };
    Ok(Command::CreateKeyStore { new })
}

fn read(path: &Path) -> Result<ProxyConfiguration> {
    const WHENCE: &str = "`trent xks-proxy config --store NAME --output FILE` writes one, and other proxies offer it for \
                          download";
    let file = fs::read(path).map(SecretBytes::from);
    let file = file.map_err(|error| misuse(format!("{}: {error}; {WHENCE}", path.display())))?;
    ProxyConfiguration::parse(file.expose()).map_err(|error| {
        misuse(format!("{} is no proxy configuration file: {error}; {WHENCE}", path.display()))
    })
}
