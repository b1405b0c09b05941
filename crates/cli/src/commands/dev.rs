//! `trent dev`: a server for tests, whose access key everybody knows and whose state is thrown away.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use trent_seed::Defaults;

use super::serve::{check_plain_http, tls};
use crate::arguments::DevArguments;
use crate::config::{Config, Environment};
use crate::dev::seed::Seed;
use crate::failure::misuse;
use crate::first_start::FirstAccessKey;
use crate::hardening::harden;
use crate::instance::{Mode, Plan};
use crate::logging;
use crate::root_key::{Source, hex};
use crate::wiring::random;

const ACCOUNT: &str = "000000000000";

pub(crate) fn run(arguments: DevArguments, environment: Environment) -> Result<ExitCode> {
    let defaults = Defaults { account: ACCOUNT.parse()?, region: arguments.seed_region };
    let seed_file = arguments.seed_file.clone();
    let load = move |environment: &Environment| {
        let mut config = arguments.load(environment)?;
        // Keys of tests need no more than a file, whatever the configuration says of those that count.
        config.root_key = Config::default().root_key;
        config.data.account_id = Some(ACCOUNT.parse()?);
        Ok::<_, anyhow::Error>((config, arguments.any_credentials, arguments.data_dir.clone()))
    };
    let seed = seed_file.map(|file| Seed::read(&file, defaults)).transpose()?;
    let (config, any_credentials, data_dir) = load(&environment)?;
    let level = logging::start(&config.log)?;
    harden();
    check_plain_http(&config.http, config.http.listen.0.iter().copied())?;
    if any_credentials {
        check_loopback(&config)?;
        tracing::warn!("every caller is taken for the root of account {ACCOUNT}, whatever they sign with");
    }
    let state = match data_dir {
        Some(dir) => State::Kept(dir),
        None => State::temporary()?,
    };
    let plan = Plan {
        data_dir: state.path().to_owned(),
        tls: tls(&config.http)?,
        config,
        read_again: {
            let environment = environment.clone();
            Box::new(move || Ok(load(&environment)?.0))
        },
        environment,
        root_key: Source::File,
        first_access_key: FirstAccessKey::test(),
        seed,
        mode: if any_credentials { Mode::DevAnyCredentials } else { Mode::Dev },
        level,
    };
    plan.run()
}

fn check_loopback(config: &Config) -> Result<()> {
    match config.http.listen.0.iter().find(|address| !address.ip().to_canonical().is_loopback()) {
        Some(address) => {
            Err(misuse(format!("--any-credentials is for loopback addresses alone, and {address} is none")))
        }
        None => Ok(()),
    }
}

/// Where the state is, and whether it outlives the process.
enum State {
    Kept(PathBuf),
    Temporary(PathBuf),
}

impl State {
    fn temporary() -> Result<Self> {
        let mut name = [0; 8];
        random().fill(&mut name)?;
        let path = std::env::temp_dir().join(format!("trent-dev-{}", hex(&name)));
        // Fails if it is there already: nobody else's directory is taken.
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("{} cannot be made", path.display()))?;
        Ok(Self::Temporary(path))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) | Self::Temporary(path) => path,
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if let Self::Temporary(path) = self
            && let Err(error) = fs::remove_dir_all(&*path)
        {
            tracing::warn!(%error, "{} could not be removed", path.display());
        }
    }
}
