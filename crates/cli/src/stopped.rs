//! A deployment that is stopped, opened to be worked on by one command that has it to itself, and that records what it
//! does as a server would.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Error, Result};
use serde_json::{Map, Value};
use trent_database::Embedded;
use trent_domain::identifier::KeyArn;
use trent_gate::Gate;
use trent_service::StoppedTrail;

use crate::arguments::RootKeyArguments;
use crate::clock::SystemClock;
use crate::config::{Config, Environment, LogSection};
use crate::data_dir::{DataDir, check_user};
use crate::failure::misuse;
use crate::hardening::harden;
use crate::logging;
use crate::root_key::{Places, Source};
use crate::wiring::{open_database, open_gate, open_root_key, random, sealed_with};

/// Keys that one record names: it is one line.
const KEYS_PER_RECORD: usize = 100;

/// What a command does with a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Something that is recorded.
    Work,
    /// Nothing but to look.
    Trial,
}

/// Opens the deployment of a configuration, has `work` done on it, and closes it.
pub(crate) fn with_gate<T, F: Future<Output = Result<T>>>(
    config: &Config,
    root_key: &RootKeyArguments,
    environment: &Environment,
    doing: Doing,
    work: impl FnOnce(Gate, Arc<StoppedTrail>) -> F,
) -> Result<T> {
    // People read what is said by the command; only what went wrong is logged.
    logging::start(&LogSection { level: "warn".to_owned(), ..config.log.clone() })?;
    harden();
    let places = Places::of(&config.root_key, &config.data.dir);
    let given = root_key.given(config, environment);
    let source = Source::choose(config.root_key.provider, &places, &given)?;
    check_user(&config.data.dir, rustix::process::geteuid().as_raw())?;
    let data_dir = DataDir::open_existing(&config.data.dir)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (gate, trail) = open(&data_dir, config, (&source, &places), doing).await?;
        let trail = Arc::new(trail);
        let done = work(gate, Arc::clone(&trail)).await;
        let closed = trail.close().await.map_err(Error::msg);
        done.and_then(|done| closed.map(|()| done))
    })
}

async fn open(
    data_dir: &DataDir,
    config: &Config,
    (source, places): (&Source, &Places),
    doing: Doing,
) -> Result<(Gate, StoppedTrail)> {
    let empty = || misuse("this data directory has no deployment yet: `trent serve` makes one; stop it then");
    if !Embedded::exists(data_dir.path()) {
        return Err(empty());
    }
    let database = open_database(data_dir.path())?;
    if sealed_with(&*database).await?.is_none() {
        return Err(empty());
    }
    let root_key = open_root_key(&*database, source, places).await?;
    let gate = open_gate(Arc::clone(&database) as _, root_key.keyring, config).await?;
    let settings = match doing {
        Doing::Work => config.audit.settings(data_dir.path(), false),
        Doing::Trial => None,
    };
    // What the command itself prints is for people. It waits for each record: it has to be on disk before a file is.
    let settings = settings.map(|settings| trent_audit::Settings { stdout: false, strict: true, ..settings });
    let trail = StoppedTrail::open(&gate, database, (Arc::new(SystemClock), random()), settings).await;
    Ok((gate, trail.map_err(Error::msg)?))
}

/// Records which keys left or came, with what else is to be said.
pub(crate) async fn record_keys(
    trail: &StoppedTrail,
    name: &str,
    more: &Map<String, Value>,
    keys: &[KeyArn],
) -> Result<()> {
    for some in keys.chunks(KEYS_PER_RECORD) {
        let mut members = more.clone();
        members.insert("keyIds".to_owned(), some.iter().map(KeyArn::to_string).collect());
        trail.record(name, &Value::Object(members)).await.map_err(Error::msg)?;
    }
    Ok(())
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
