//! `trent rekey`: seals the key ring under another root key. See `root_key/rekey.rs` for what a crash leaves.

use std::process::ExitCode;

use anyhow::Result;
use trent_crypto::root;
use trent_gate::{Gate, OpenError};

use crate::arguments::{NewProvider, RekeyArguments};
use crate::config::{Config, Environment, LogSection};
use crate::data_dir::DataDir;
use crate::failure::misuse;
use crate::hardening::harden;
use crate::logging;
use crate::output::say;
use crate::root_key::{Pending, Places, Source, complete, crash_point};
use crate::wiring::{keyring, open_database, open_root_key, random, sealed_with};

pub(crate) fn run(arguments: &RekeyArguments, environment: &Environment) -> Result<ExitCode> {
    let config = arguments.load(environment)?;
    // People read what is said here; only what went wrong is logged.
    logging::start(&LogSection { level: "warn".to_owned(), ..config.log.clone() })?;
    harden();
    let places = Places::of(&config.root_key, &config.data.dir);
    let given = arguments.root_key.given(&config, environment);
    let current = Source::choose(config.root_key.provider, &places, &given)?;
    let next = next(arguments, &config, environment)?;
    let data_dir = DataDir::open_existing(&config.data.dir)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(rekey(&data_dir, &config, &current, &next))
}

fn next(arguments: &RekeyArguments, config: &Config, environment: &Environment) -> Result<Source> {
    match arguments.to {
        NewProvider::File => return Ok(Source::File),
        NewProvider::Pkcs11 => return Ok(Source::Hsm(arguments.new_hsm(config, environment)?)),
        NewProvider::Passphrase => {}
    }
    let passphrase = arguments.new_passphrase(environment).read()?;
    passphrase.map(Source::Passphrase).ok_or_else(|| {
        misuse(
            "a new passphrase is needed; give it with --new-passphrase-file, --new-passphrase-fd or \
             TRENT_NEW_ROOT_PASSPHRASE",
        )
    })
}

async fn rekey(data_dir: &DataDir, config: &Config, current: &Source, next: &Source) -> Result<ExitCode> {
    let places = Places::of(&config.root_key, data_dir.path());
    let database = open_database(data_dir.path())?;
    if sealed_with(&*database).await?.is_none() {
        return Err(misuse("there is nothing to rekey: this data directory has no keys yet"));
    }
    let before = open_root_key(&*database, current, &places).await?;
    let pending = Pending::write(next, &places, &*random()).await?;
    crash_point("pending-written");
    let fingerprint = root::fingerprint(&pending.root);
    match Gate::rekey(&*database, before.keyring, keyring(&pending.root)).await {
        Ok(()) => {}
        Err(error) => {
            // Whether a commit that failed is on disk after all, only the database knows.
            if sealed_with(&*database).await.is_ok_and(|sealed| sealed != Some(fingerprint)) {
                pending.discard();
            }
            return Err(match error {
                OpenError::WrongRootKey => misuse(format!("{error}; nothing was changed")),
                other => {
                    anyhow::Error::new(other).context("the key ring was not sealed anew; nothing was changed")
                }
            });
        }
    }
    crash_point("database-committed");
    let replaced = complete(&places, fingerprint)?.unwrap_or_default();
    say(format_args!("The new root key is in {}.", next.place(&places).display()));
    if let Some(note) = next.note() {
        say(note);
    }
    for path in replaced {
        say(format_args!(
            "The one before is now {}: backups made before need it; delete it when they are gone.",
            path.display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}
