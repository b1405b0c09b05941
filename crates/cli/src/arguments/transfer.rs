//! `trent export` and `trent import`.

use std::path::PathBuf;

use anyhow::Result;
use clap::{ArgGroup, Args};

use super::{Place, RootKeyArguments};
use crate::config::{Config, Environment};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["keys", "all"]))]
pub(crate) struct ExportArguments {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) root_key: RootKeyArguments,
    /// Whom to seal for: the file that `trent import --new-recipient` wrote.
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
    /// The file to write; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// A key, by its id or ARN, with those related to it in other Regions; may be given more than once.
    #[arg(long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// All keys of all accounts and Regions but those in custom key stores.
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["file", "new_recipient"]))]
pub(crate) struct ImportArguments {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) root_key: RootKeyArguments,
    /// What `trent export` wrote for this deployment.
    pub(crate) file: Option<PathBuf>,
    /// Make a pair of keys to seal for, and write the public ones to this file, which must not be there yet.
    #[arg(long, value_name = "FILE")]
    pub(crate) new_recipient: Option<PathBuf>,
    /// Say what would be done, and change nothing.
    #[arg(long, requires = "file")]
    pub(crate) dry_run: bool,
}

impl ExportArguments {
    pub(crate) fn load(&self, environment: &Environment) -> Result<Config> {
        load(&self.place, &self.root_key, environment)
    }
}

impl ImportArguments {
    pub(crate) fn load(&self, environment: &Environment) -> Result<Config> {
        load(&self.place, &self.root_key, environment)
    }
}

fn load(place: &Place, root_key: &RootKeyArguments, environment: &Environment) -> Result<Config> {
    let mut config = place.load(environment)?;
    root_key.apply(&mut config);
    Ok(config)
}
