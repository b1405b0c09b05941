//! Puts the configuration together: file, then environment. The command line is applied by whoever parsed it.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde::Deserialize;
use toml::Table;

use super::{Config, Environment};
use crate::failure::misuse;

/// The configuration of a file, if there is one, and of the environment.
pub(crate) fn load(file: Option<&Path>, environment: &Environment) -> Result<Config> {
    let mut table = match file {
        Some(file) => read(file)?,
        None => Table::new(),
    };
    environment.override_settings(&mut table)?;
    Config::deserialize_table(table).map_err(|error| misuse(error.message().trim().to_owned()))
}

/// Reads a file as a table, after the whole of it was found valid: an error then knows its line.
fn read(file: &Path) -> Result<Table> {
    let name = file.display();
    let text = fs::read_to_string(file).map_err(|error| misuse(format!("{name}: {error}")))?;
    let located = |error: toml::de::Error| {
        let (line, column) = position(&text, error.span().map_or(0, |span| span.start));
        misuse(format!("{name}:{line}:{column}: {}", error.message().trim().replace('\n', "; ")))
    };
    toml::from_str::<Config>(&text).map_err(located)?;
    toml::from_str(&text).map_err(located)
}

/// Line and column, from 1, of a byte of a text.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

impl Config {
    pub(super) fn deserialize_table(table: Table) -> Result<Self, toml::de::Error> {
        Self::deserialize(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("trent.toml");
        fs::write(&file, text).unwrap();
        let told = load(Some(&file), &Environment::default()).map_err(|error| error.to_string());
        told.map_err(|text| text.replace(&format!("{}/", dir.path().display()), ""))
    }

    #[test]
    fn errors_name_file_line_and_column() {
        for (text, expected) in [
            ("[http]\n  listn = 1", "trent.toml:2:3: unknown field `listn`"),
            ("\n[htp]\n", "trent.toml:2:2: unknown field `htp`"),
            ("[auth]\nclock_skew_seconds = 0", "trent.toml:2:22: 0 is not from 1 to 900"),
            ("[auth]\nregions = ['x']", "trent.toml:2:11: `x` is no Region name"),
            ("[http]\nlisten = ", "trent.toml:2:10: "),
            ("[log]\nlevel = '=='", "trent.toml:2:9: "),
            ("[[account]]\nid = '1'\nname = 'a'", "trent.toml:1:3: unknown field `account`"),
        ] {
            let refused = load_text(text).unwrap_err();
            assert!(refused.starts_with(expected), "{refused}");
            assert!(!refused.contains('\n'), "{refused}");
        }
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("trent.toml");
        fs::write(&file, "[auth]\nclock_skew_seconds = 10\n[http]\nthreads = 3").unwrap();
        let environment = Environment::of([("TRENT_AUTH__CLOCK_SKEW_SECONDS", "20")]);
        let config = load(Some(&file), &environment).unwrap();
        assert_eq!(config.auth.signatures().skew_seconds, 20);
        assert_eq!(config.http.threads.get(), 3);
    }

    #[test]
    fn without_anything_there_are_defaults() {
        assert_eq!(load(None, &Environment::default()).unwrap(), Config::default());
    }
}
