//! Seed files: keys with ids and material that are given, in YAML or JSON (which is YAML too).
//!
//! Two forms: trent's own (`own`), and that of local-kms (`local_kms`), told apart by the letter case of their names.

mod local_kms;
mod material;
mod own;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_saphyr::{Location, Spanned};
use trent_domain::identifier::{AccountId, Region};
use trent_service::{SeedKey, SeedMember};

/// What keys have whose file does not say.
#[derive(Debug, Clone, Copy)]
pub struct Defaults {
    /// Their account.
    pub account: AccountId,
    /// Their Region.
    pub region: Region,
}

/// A key, and where in the file it stands.
pub struct Described {
    /// The key.
    pub key: SeedKey,
    /// Where its members stand.
    pub places: Places,
}

/// Where the members of a key stand.
#[derive(Default)]
pub struct Places {
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
    /// Where a member stands; the key itself where the file does not have it.
    pub fn of(&self, member: SeedMember) -> Place {
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
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column.
    pub column: u64,
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        Self { line: location.line(), column: location.column() }
    }
}

/// What is wrong with a file, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Where.
    pub place: Place,
    /// What, and what to do. Nothing of the file's secrets is in it.
    pub problem: String,
}

/// Where a value stands.
fn place<T>(value: &Spanned<T>) -> Place {
    value.referenced.into()
}

fn wrong<T>(at: &Spanned<T>, problem: impl Into<String>) -> Wrong {
    Wrong { place: place(at), problem: problem.into() }
}

/// Of a file, what tells which form it has.
#[derive(Deserialize)]
struct Probe {
    #[serde(rename = "Keys")]
    keys: Option<IgnoredAny>,
    #[serde(rename = "Aliases")]
    aliases: Option<IgnoredAny>,
}

/// Reads a file.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn parse(text: &str, defaults: Defaults) -> Result<Vec<Described>, Wrong> {
    keys(text, defaults).map_err(|wrong| {
        // Values that are shown may have lines of their own.
        let problem = wrong.problem.replace(char::is_control, " ");
        Wrong { problem, ..wrong }
    })
}

fn keys(text: &str, defaults: Defaults) -> Result<Vec<Described>, Wrong> {
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
