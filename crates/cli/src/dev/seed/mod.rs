//! Seed files: keys with ids and material that are given, in YAML or JSON (which is YAML too).
//!
//! Two forms: trent's own (`own`), and that of local-kms (`local_kms`), told apart by the letter case of their names.

mod local_kms;
mod material;
mod own;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_saphyr::{Location, Spanned};
use trent_domain::identifier::{AccountId, Region};
use trent_service::{SeedError, SeedKey, SeedMember, Service};

use crate::failure::misuse;

/// What keys have whose file does not say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Defaults {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
}

/// A seed file, read and found well-formed.
pub(crate) struct Seed {
    name: String,
    keys: Vec<Described>,
}

/// A key, and where in the file it stands.
struct Described {
    key: SeedKey,
    places: Places,
}

/// Where the members of a key stand.
#[derive(Default)]
struct Places {
    id: Place,
    usage: Option<Place>,
    replicas: Option<Place>,
    policy: Option<Place>,
    tags: Option<Place>,
    aliases: Vec<Place>,
    materials: Vec<Place>,
    rotation: Option<Place>,
}

impl Places {
    fn of(&self, member: SeedMember) -> Place {
        let found = match member {
            SeedMember::Id => Some(self.id),
            SeedMember::Usage => self.usage,
            SeedMember::Replicas => self.replicas,
            SeedMember::Policy => self.policy,
            SeedMember::Tags => self.tags,
            SeedMember::Alias(place) => self.aliases.get(place).copied(),
            SeedMember::Material(place) => self.materials.get(place).copied(),
            SeedMember::Rotation => self.rotation,
        };
        found.unwrap_or(self.id)
    }
}

/// Line and column, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Place {
    line: u64,
    column: u64,
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        Self { line: location.line(), column: location.column() }
    }
}

/// What is wrong with a file, and where.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    place: Place,
    problem: String,
}

/// Where a value stands.
fn place<T>(value: &Spanned<T>) -> Place {
    value.referenced.into()
}

fn wrong<T>(at: &Spanned<T>, problem: impl Into<String>) -> Wrong {
    Wrong { place: place(at), problem: problem.into() }
}

impl Seed {
    /// Reads a file.
    pub(crate) fn read(file: &Path, defaults: Defaults) -> Result<Self> {
        let name = file.display().to_string();
        let text = fs::read_to_string(file).map_err(|error| misuse(format!("{name}: {error}")))?;
        let keys = parse(&text, defaults).map_err(|wrong| told(&name, &wrong))?;
        Ok(Self { name, keys })
    }

    /// Makes the keys that are not there.
    pub(crate) async fn apply(self, service: &Service) -> Result<()> {
        let (keys, places): (Vec<_>, Vec<_>) =
            self.keys.into_iter().map(|described| (described.key, described.places)).unzip();
        let report = service.seed(keys).await.map_err(|SeedError { key, member, problem }| {
            let place = places.get(key).map(|places| places.of(member)).unwrap_or_default();
            told(&self.name, &Wrong { place, problem })
        })?;
        tracing::info!(made = report.made, there = report.there, "keys of the seed file");
        Ok(())
    }
}

fn told(name: &str, Wrong { place: Place { line, column }, problem }: &Wrong) -> anyhow::Error {
    misuse(format!("{name}:{line}:{column}: {problem}"))
}

/// Of a file, what tells which form it has.
#[derive(Deserialize)]
struct Probe {
    #[serde(rename = "Keys")]
    keys: Option<IgnoredAny>,
    #[serde(rename = "Aliases")]
    aliases: Option<IgnoredAny>,
}

fn parse(text: &str, defaults: Defaults) -> Result<Vec<Described>, Wrong> {
    let Probe { keys, aliases } = deserialize(text)?;
    if keys.is_some() || aliases.is_some() {
        local_kms::keys(text, defaults)
    } else {
        own::keys(deserialize(text)?, defaults)
    }
}

fn deserialize<T: DeserializeOwned>(text: &str) -> Result<T, Wrong> {
    serde_saphyr::from_str(text).map_err(|error| {
        let place = error.location().map(Place::from).unwrap_or_default();
        // What follows the first line is an excerpt of the file, and may have secrets in it.
        let problem = error.without_snippet().to_string();
        let problem = problem.lines().next().unwrap_or_default().to_owned();
        Wrong { place, problem }
    })
}

/// One of the words of an enumeration of the API.
fn word<T>(value: &Spanned<String>, parse: impl Fn(&str) -> Option<T>, all: &[&str]) -> Result<T, Wrong> {
    parse(&value.value)
        .ok_or_else(|| wrong(value, format!("`{}` is none of {}", value.value, all.join(", "))))
}

/// What is written as text and may be malformed.
fn text<T: std::str::FromStr>(value: &Spanned<String>, what: &str) -> Result<T, Wrong> {
    value.value.parse().map_err(|_| wrong(value, format!("`{}` is no {what}", value.value)))
}
