//! The seed file of a server: read before it starts, made when it has.

use std::fs;
use std::path::Path;

use anyhow::Result;
use trent_seed::{Defaults, Described, Places, Wrong};
use trent_service::{SeedError, Service};

use crate::failure::misuse;

/// A seed file, read and found well-formed.
pub(crate) struct Seed {
    name: String,
    keys: Vec<Described>,
}

impl Seed {
    /// Reads a file.
    pub(crate) fn read(file: &Path, defaults: Defaults) -> Result<Self> {
        let name = file.display().to_string();
        let text = fs::read_to_string(file).map_err(|error| misuse(format!("{name}: {error}")))?;
        let keys = trent_seed::parse(&text, defaults).map_err(|wrong| told(&name, &wrong))?;
        Ok(Self { name, keys })
    }

    /// Makes the keys that are not there.
    pub(crate) async fn apply(self, service: &Service) -> Result<()> {
        let (keys, places): (Vec<_>, Vec<Places>) =
            self.keys.into_iter().map(|described| (described.key, described.places)).unzip();
        let report = service.seed(keys).await.map_err(|SeedError { key, member, problem }| {
            let place = places.get(key).map(|places| places.of(member)).unwrap_or_default();
            told(&self.name, &Wrong { place, problem })
        })?;
        tracing::info!(made = report.made, there = report.there, "keys of the seed file");
        Ok(())
    }
}

fn told(name: &str, Wrong { place, problem }: &Wrong) -> anyhow::Error {
    misuse(format!("{name}:{}:{}: {problem}", place.line, place.column))
}
