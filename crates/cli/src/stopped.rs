//! A deployment that is stopped, opened to be worked on by one command that has it to itself.

use std::future::Future;
use std::path::Path;

use anyhow::Result;
use trent_database::Embedded;
use trent_gate::Gate;

use crate::arguments::RootKeyArguments;
use crate::config::{Config, Environment, LogSection};
use crate::data_dir::DataDir;
use crate::failure::misuse;
use crate::hardening::harden;
use crate::logging;
use crate::root_key::{Places, Source};
use crate::wiring::{open_database, open_gate, open_root_key, sealed_with};

/// Opens the deployment of a configuration, has `work` done on it, and closes it.
pub(crate) fn with_gate<T, F: Future<Output = Result<T>>>(
    config: &Config,
    root_key: &RootKeyArguments,
    environment: &Environment,
    work: impl FnOnce(Gate) -> F,
) -> Result<T> {
    // People read what is said by the command; only what went wrong is logged.
    logging::start(&LogSection { level: "warn".to_owned(), ..config.log.clone() })?;
    harden();
    let places = Places::of(&config.root_key, &config.data.dir);
    let given = root_key.given(config, environment);
    let source = Source::choose(config.root_key.provider, &places, &given)?;
    let data_dir = DataDir::open_existing(&config.data.dir)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { work(open(&data_dir, config, &source, &places).await?).await })
}

async fn open(data_dir: &DataDir, config: &Config, source: &Source, places: &Places) -> Result<Gate> {
    let empty = || misuse("this data directory has no deployment yet: `trent serve` makes one; stop it then");
    if !Embedded::exists(data_dir.path()) {
        return Err(empty());
    }
    let database = open_database(data_dir.path())?;
    if sealed_with(&*database).await?.is_none() {
        return Err(empty());
    }
    let root_key = open_root_key(&*database, source, places).await?;
    open_gate(database, root_key.keyring, config).await
}

/// Refuses a file to write that is there.
pub(crate) fn check_new(file: &Path) -> Result<()> {
    if file.exists() {
        let shown = file.display();
        return Err(misuse(format!(
            "{shown} is there already, and nothing is written over; name another file"
        )));
    }
    Ok(())
}
