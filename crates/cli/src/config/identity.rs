//! `[identity]`: the file with accounts and all that they have, and how it is read.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;
use serde::Deserialize;
use trent_crypto::SecretBytes;
use trent_service::identity_file::{Sources, parse};
use trent_service::{Configured, IdentityPlaces, ReloadError};

use super::Environment;
use super::bounded::Bounded;
use super::setting::{Default as D, Section, Setting};
use crate::failure::misuse;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct IdentitySection {
    pub(crate) file: Option<PathBuf>,
    pub(crate) check_seconds: Bounded<0, 3600>,
}

impl Default for IdentitySection {
    fn default() -> Self {
        Self { file: None, check_seconds: Bounded::new(5) }
    }
}

pub(super) const SECTION: Section = Section {
    name: "identity",
    comment: "Accounts, users, groups, roles and policies that a file manages; `trent admin` manages others.",
    settings: &[
        Setting {
            name: "file",
            default: D::Unset("\"identities.toml\""),
            comment: "The file; the book's page \"Identities\" says what is in it.",
        },
        Setting {
            name: "check_seconds",
            default: D::Is("5"),
            comment: "How often to look whether it, or a file that it names, has changed: 0 to 3600 seconds, 0 never.\n\
                      SIGHUP reads it at once.",
        },
    ],
};

/// When each of the files was changed, and how long they are; nothing of one that is not there.
type Stamps = BTreeMap<PathBuf, Option<(SystemTime, u64)>>;

/// The identity file of a configuration, and what it looked like when it was read.
#[derive(Debug, Default)]
pub(crate) struct IdentityFile {
    path: Option<PathBuf>,
    seen: Stamps,
}

impl IdentityFile {
    pub(crate) fn of(section: &IdentitySection) -> Self {
        Self { path: section.file.clone(), seen: Stamps::new() }
    }

    /// Reads it. Without one nothing is configured.
    pub(crate) fn read(&mut self, environment: &Environment) -> Result<Configured> {
        let Some(path) = &self.path else { return Ok(Configured::default()) };
        let places = Places {
            environment,
            base: path.parent().map(Path::to_owned).unwrap_or_default(),
            seen: RefCell::new(BTreeMap::from([(path.clone(), stamp(path))])),
        };
        let read = fs::read_to_string(path);
        let read = read.map_err(|error| misuse(format!("{}: {error}", path.display())));
        let parsed = read.and_then(|text| {
            parse(&text, &places).map_err(|problem| misuse(format!("{}:{problem}", path.display())))
        });
        self.seen = places.seen.into_inner();
        parsed
    }

    /// Whether it, or a file that it names, is another than when it was read.
    pub(crate) fn has_changed(&self) -> bool {
        self.seen.iter().any(|(path, seen)| stamp(path) != *seen)
    }

    /// An error of the service about what was read, with the place where it stands.
    pub(crate) fn locate(&self, error: &ReloadError, place: Option<(usize, usize)>) -> anyhow::Error {
        match (&self.path, place) {
            (Some(path), Some((line, column))) => {
                misuse(format!("{}:{line}:{column}: {error}", path.display()))
            }
            _ => misuse(error.to_string()),
        }
    }
}

/// Where an object of the file stands that an error is about.
pub(crate) fn place_of(places: &IdentityPlaces, error: &ReloadError) -> Option<(usize, usize)> {
    match error {
        ReloadError::Problem(problem) => places.get(&problem.object),
        ReloadError::Database(_) => None,
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// Files beside the identity file, and variables.
struct Places<'a> {
    environment: &'a Environment,
    base: PathBuf,
    seen: RefCell<Stamps>,
}

impl Sources for Places<'_> {
    fn variable(&self, name: &str) -> Result<SecretBytes, String> {
        let value = self.environment.get(name);
        let value = value.ok_or_else(|| format!("there is no variable {name} in the environment"))?;
        Ok(SecretBytes::from(value.as_bytes().to_vec()))
    }

    fn file(&self, path: &str) -> Result<SecretBytes, String> {
        let full = self.base.join(path);
        self.seen.borrow_mut().insert(full.clone(), stamp(&full));
        fs::read(&full).map(SecretBytes::from).map_err(|error| format!("{}: {error}", full.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(dir: &Path, text: &str) -> IdentityFile {
        let path = dir.join("identities.toml");
        fs::write(&path, text).unwrap();
        IdentityFile { path: Some(path), seen: Stamps::new() }
    }

    fn account(user: &str) -> String {
        format!("[[account]]\nid = '111122223333'\nname = 'prod'\n{user}")
    }

    #[test]
    fn files_are_found_beside_it_and_watched_with_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("policies")).unwrap();
        let policy = dir.path().join("policies/p.json");
        let text =
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}"#;
        fs::write(&policy, text).unwrap();
        let mut file =
            file(dir.path(), &account("[[account.policy]]\nname = 'p'\ndocument = 'policies/p.json'\n"));
        let configured = file.read(&Environment::default()).unwrap();
        assert_eq!(configured.records.len(), 1);
        assert!(!file.has_changed());
        fs::write(&policy, format!("{text} ")).unwrap();
        assert!(file.has_changed());
        fs::remove_file(&policy).unwrap();
        assert!(file.has_changed());
    }

    #[test]
    fn what_is_wrong_is_told_with_line_and_column() {
        let dir = tempfile::tempdir().unwrap();
        let told = |text: &str| {
            let error = file(dir.path(), text).read(&Environment::default()).err().unwrap();
            error.to_string().replace(&format!("{}/", dir.path().display()), "")
        };
        fs::write(dir.path().join("bad.json"), "{\n  \"Version\" \"2012-10-17\"}").unwrap();
        let role = account("[[account.role]]\nname = 'app'\ntrust = 'bad.json'\n");
        assert!(
            told(&role).starts_with("identities.toml:6:9: bad.json:2:13: not valid JSON: "),
            "{}",
            told(&role)
        );
        let missing = account("[[account.role]]\nname = 'app'\ntrust = 'no.json'\n");
        assert!(told(&missing).starts_with("identities.toml:6:9: no.json: "), "{}", told(&missing));
        let unknown = account("[[account.usr]]\n");
        assert!(
            told(&unknown).starts_with("identities.toml:4:11: unknown field `usr`"),
            "{}",
            told(&unknown)
        );
        let twice = account("[[account.user]]\nname = 'a'\n[[account.user]]\nname = 'a'\n");
        assert_eq!(
            told(&twice),
            "identities.toml:7:8: user `a` of account 111122223333 is in the file twice; remove one"
        );
    }

    #[test]
    fn a_certificate_is_known_by_one_thing() {
        let dir = tempfile::tempdir().unwrap();
        let read = |marks: &str| {
            let text =
                format!("[[client_certificate]]\nprincipal = 'arn:aws:iam::111122223333:root'\n{marks}\n");
            file(dir.path(), &text).read(&Environment::default()).map(|configured| configured.certificates)
        };
        let digits = "AB:".repeat(31) + "AB";
        let read_one = read(&format!("fingerprint = '{digits}'")).unwrap();
        assert_eq!(read_one[0].mark.to_string(), format!("sha256:{}", "ab".repeat(32)));
        assert_eq!(read("subject = 'CN=a'").unwrap()[0].mark.to_string(), "subject:CN=a");
        for (marks, problem) in [
            ("", "2:13: a certificate is known by one of"),
            ("subject = 'CN=a'\nsan = 'DNS:a'", "2:13: a certificate is known by one of"),
            ("san = 'a.example.com'", "3:7: an alternative name begins with"),
            ("fingerprint = 'abcd'", "3:15: a fingerprint is the SHA-256"),
        ] {
            let refused = read(marks).unwrap_err().to_string();
            assert!(refused.contains(problem), "{refused}");
        }
    }

    #[test]
    fn secrets_come_from_the_environment_and_from_files() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("secret"), "from file\n").unwrap();
        let environment = Environment::of([("ALICE_SECRET", "from env")]);
        let read = |source: &str| {
            let key = "[[account.user]]\nname = 'alice'\n[[account.user.access_key]]\n\
                       id = 'AKIAIOSFODNN7EXAMPLE'\nsecret = ";
            let configured = file(dir.path(), &account(&format!("{key}'{source}'\n"))).read(&environment);
            configured.map(|configured| configured.access_keys[0].2.secret.expose().clone())
        };
        assert_eq!(read("env:ALICE_SECRET").unwrap(), b"from env");
        assert_eq!(read("file:secret").unwrap(), b"from file");
        assert_eq!(read("literal").unwrap(), b"literal");
        for missing in ["env:NOT_THERE", "file:not-there", ""] {
            let refused = read(missing).unwrap_err().to_string();
            assert!(refused.contains(":8:10: secret of access key `AKIAIOSFODNN7EXAMPLE`: "), "{refused}");
        }
    }
}
