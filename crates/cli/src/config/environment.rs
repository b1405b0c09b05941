//! The environment: variables `TRENT_SECTION__NAME` override settings; secrets may be named by the file.
//!
//! The one place of trent that reads variables.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use anyhow::Result;
use toml::{Table, Value};
use trent_crypto::SecretBytes;

use super::Config;
use super::setting::names;
use crate::failure::misuse;

const PREFIX: &str = "TRENT_";

/// The variables of a process, or made-up ones in tests. There are secrets among them, so that all are wiped; what the
/// system keeps of them is out of reach.
#[derive(Clone, Default)]
pub(crate) struct Environment(BTreeMap<String, Arc<SecretBytes>>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names alone: passphrases and PINs are among the values.
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// Those of this process; what is not UTF-8 is not there.
    pub(crate) fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, secret(value.into_string().ok()?)))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    #[cfg(test)]
    pub(crate) fn of<const N: usize>(variables: [(&str, &str); N]) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), secret(value.to_owned()));
        Self(variables.into_iter().map(owned).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(|value| std::str::from_utf8(value.expose()).ok())
    }

    /// A passphrase or a PIN.
    pub(crate) fn secret(&self, name: &str) -> Option<Arc<SecretBytes>> {
        self.0.get(name).cloned()
    }

    /// Puts the settings among the variables into `table`.
    pub(super) fn override_settings(&self, table: &mut Table) -> Result<()> {
        for variable in self.0.keys().filter(|name| name.starts_with(PREFIX)) {
            match setting_of(variable) {
                Some(path) => {
                    let text = self.get(variable).unwrap_or_default();
                    let (section, name) = known(variable, &path)?;
                    let value = typed(variable, section, name, text)?;
                    insert(table, section, name, value);
                }
                None => refuse_near_miss(variable)?,
            }
        }
        Ok(())
    }
}

fn secret(text: String) -> Arc<SecretBytes> {
    Arc::new(SecretBytes::from(text.into_bytes()))
}

/// `http.listen` of `TRENT_HTTP__LISTEN`; nothing of variables that have not this form.
fn setting_of(variable: &str) -> Option<String> {
    let path = variable.strip_prefix(PREFIX)?.to_ascii_lowercase();
    path.contains("__").then(|| path.replace("__", "."))
}

fn variable_of(setting: &str) -> String {
    format!("{PREFIX}{}", setting.replace('.', "__").to_ascii_uppercase())
}

fn known<'p>(variable: &str, path: &'p str) -> Result<(&'p str, &'p str)> {
    if names().any(|name| name == path)
        && let Some(parts) = path.split_once('.')
    {
        return Ok(parts);
    }
    let nearest = names().min_by_key(|name| distance(name, path)).unwrap_or_default();
    Err(misuse(format!("{variable} names no setting; the nearest is {} ({nearest})", variable_of(&nearest))))
}

/// One underscore where two belong is easily written, and would leave the setting at its default without a word.
fn refuse_near_miss(variable: &str) -> Result<()> {
    match names()
        .map(|name| (variable_of(&name), name))
        .find(|(right, _)| right.replace("__", "_") == variable)
    {
        Some((right, name)) => Err(misuse(format!("{variable} names no setting; that of {name} is {right}"))),
        None => Ok(()),
    }
}

/// The value that a setting takes `text` for: a string, a TOML value, or a list of what stands between commas.
fn typed(variable: &str, section: &str, name: &str, text: &str) -> Result<Value> {
    let list = || Value::Array(text.split(',').map(|part| Value::String(part.trim().to_owned())).collect());
    let parsed =
        toml::from_str::<Table>(&format!("value = {text}")).ok().and_then(|mut table| table.remove("value"));
    let mut refusal = String::new();
    for value in [Some(Value::String(text.to_owned())), parsed, Some(list())].into_iter().flatten() {
        let mut alone = Table::new();
        insert(&mut alone, section, name, value.clone());
        match Config::deserialize_table(alone) {
            Ok(_) => return Ok(value),
            // The last but one says most: what is wrong with a value of the right type.
            Err(error) if !matches!(value, Value::Array(_)) => refusal = error.message().trim().to_owned(),
            Err(_) => {}
        }
    }
    Err(misuse(format!("{variable} ({section}.{name}): {refusal}")))
}

fn insert(table: &mut Table, section: &str, name: &str, value: Value) {
    let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(section) = section {
        section.insert(name.to_owned(), value);
    }
}

/// The number of letters to insert, leave out or replace to come from one name to the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((above, above_left), b) in row.iter().skip(1).zip(&row).zip(to.chars()) {
            let left = next.last().copied().unwrap_or_default();
            next.push((above_left + usize::from(a != b)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overridden<const N: usize>(variables: [(&str, &str); N]) -> Result<Config, String> {
        let mut table = Table::new();
        Environment::of(variables).override_settings(&mut table).map_err(|error| error.to_string())?;
        Config::deserialize_table(table).map_err(|error| error.to_string())
    }

    #[test]
    fn every_type_of_setting_can_be_overridden() {
        let config = overridden([
            ("TRENT_HTTP__LISTEN", "127.0.0.1:1,127.0.0.1:2"),
            ("TRENT_HTTP__ALLOW_PLAIN_HTTP", "true"),
            ("TRENT_AUTH__CLOCK_SKEW_SECONDS", "60"),
            ("TRENT_AUTH__REGIONS", "eu-central-1"),
            ("TRENT_DATA__ACCOUNT_ID", "000000000001"),
            ("TRENT_LOG__FORMAT", "json"),
            ("TRENT_ROOT_KEY__FILE", "/a b"),
            ("TRENT_ROOT_PASSPHRASE", "no setting"),
            ("TRENT_PORT_5670_TCP", "no setting either"),
        ])
        .unwrap();
        assert_eq!(config.http.listen.0.len(), 2);
        assert!(config.http.allow_plain_http);
        assert_eq!(config.auth.signatures().skew_seconds, 60);
        assert_eq!(config.auth.signatures().regions.unwrap().len(), 1);
        assert_eq!(config.data.account_id.unwrap().as_str(), "000000000001");
        assert_eq!(config.root_key.file.unwrap().to_str(), Some("/a b"));
    }

    #[test]
    fn what_is_printed_has_no_values() {
        let environment = Environment::of([("TRENT_ROOT_PIN", "hunter2")]);
        assert_eq!(format!("{environment:?}"), "{\"TRENT_ROOT_PIN\"}");
    }

    #[test]
    fn unknown_settings_are_errors_that_name_the_nearest() {
        let refused = overridden([("TRENT_HTTP__LISTN", "x")]).unwrap_err();
        assert_eq!(
            refused,
            "TRENT_HTTP__LISTN names no setting; the nearest is TRENT_HTTP__LISTEN (http.listen)"
        );
        assert!(overridden([("TRENT_ACCOUNT__ID", "x")]).is_err());
    }

    #[test]
    fn one_underscore_where_two_belong_is_an_error() {
        let refused = overridden([("TRENT_HTTP_ALLOW_PLAIN_HTTP", "true")]).unwrap_err();
        assert_eq!(
            refused,
            "TRENT_HTTP_ALLOW_PLAIN_HTTP names no setting; that of http.allow_plain_http is \
             TRENT_HTTP__ALLOW_PLAIN_HTTP"
        );
    }

    #[test]
    fn values_of_the_wrong_kind_are_errors_that_say_why() {
        let refused = overridden([("TRENT_AUTH__CLOCK_SKEW_SECONDS", "901")]).unwrap_err();
        assert_eq!(
            refused,
            "TRENT_AUTH__CLOCK_SKEW_SECONDS (auth.clock_skew_seconds): 901 is not from 1 to 900"
        );
        let refused = overridden([("TRENT_HTTP__LISTEN", "localhost")]).unwrap_err();
        assert!(refused.contains("127.0.0.1:5670"), "{refused}");
    }

    #[test]
    fn distances_are_those_of_levenshtein() {
        for (from, to, expected) in [("", "", 0), ("a", "", 1), ("kitten", "sitting", 3), ("abc", "abc", 0)] {
            assert_eq!(distance(from, to), expected);
        }
    }
}
