//! `[[account]]`: accounts, users and access keys that the file manages.

use std::collections::HashSet;
use std::fs;

use anyhow::Result;
use serde::{Deserialize, Deserializer, de::Error};
use trent_crypto::{SecretBytes, kdf};
use trent_domain::identifier::AccountId;
use trent_domain::identity::{
    ADMINISTRATOR_ACCESS, Account, Owner, Rights, Status, User, is_access_key_id, is_path, is_principal_name,
};
use trent_domain::limits::ACCESS_KEYS_PER_USER_MAX;
use trent_domain::time::Timestamp;
use trent_service::{ConfiguredAccessKey, ConfiguredAccount};

use super::Environment;
use crate::failure::misuse;

/// An account of the file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountSection {
    id: AccountId,
    name: String,
    #[serde(default, rename = "user")]
    users: Vec<UserSection>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserSection {
    #[serde(deserialize_with = "user_name")]
    name: String,
    #[serde(default = "root_path", deserialize_with = "user_path")]
    path: String,
    #[serde(default)]
    policies: Vec<PolicyName>,
    #[serde(default, rename = "access_key")]
    access_keys: Vec<AccessKeySection>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessKeySection {
    #[serde(deserialize_with = "access_key_id")]
    id: String,
    secret: SecretSource,
    #[serde(default = "active")]
    status: Status,
}

/// `env:NAME`, `file:PATH`, or the secret itself.
#[derive(Clone, PartialEq, Deserialize)]
struct SecretSource(String);

// The secret itself may be in it.
impl std::fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretSource(..)")
    }
}

/// The name of a policy, of which there is one.
#[derive(Debug, Clone, PartialEq)]
struct PolicyName;

impl<'de> Deserialize<'de> for PolicyName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name == ADMINISTRATOR_ACCESS {
            return Ok(Self);
        }
        let problem =
            "is not known; this version has `aws:AdministratorAccess` alone, other policies arrive later";
        Err(D::Error::custom(format!("policy `{name}` {problem}")))
    }
}

fn user_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(deserializer, is_principal_name, "is no user name: 1 to 64 of A-Z a-z 0-9 + = , . @ - _")
}

fn user_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(deserializer, is_path, "is no path: / or /…/")
}

fn access_key_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(deserializer, is_access_key_id, "is no access key id: 16 to 128 of A-Z a-z 0-9 _")
}

fn checked<'de, D: Deserializer<'de>>(
    deserializer: D,
    is_valid: fn(&str) -> bool,
    problem: &str,
) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if is_valid(&text) { Ok(text) } else { Err(D::Error::custom(format!("`{text}` {problem}"))) }
}

fn root_path() -> String {
    "/".to_owned()
}

fn active() -> Status {
    Status::Active
}

/// What the file manages, by name; `trent admin` leaves it alone.
#[derive(Debug, Default)]
pub(crate) struct Managed {
    pub(crate) accounts: Vec<Account>,
    pub(crate) users: Vec<User>,
    pub(crate) access_keys: Vec<(String, AccountId, Owner, Status)>,
}

impl Managed {
    pub(crate) fn of(accounts: &[ConfiguredAccount]) -> Self {
        let mut managed = Self::default();
        for ConfiguredAccount { account, users, access_keys } in accounts {
            managed.accounts.push(account.clone());
            managed.users.extend(users.iter().cloned());
            let key = |key: &ConfiguredAccessKey| (key.id.clone(), account.id, key.owner.clone(), key.status);
            managed.access_keys.extend(access_keys.iter().map(key));
        }
        managed
    }
}

/// The accounts of the file as the service takes them: secrets resolved, names unique.
pub(crate) fn configured_accounts(
    sections: &[AccountSection],
    environment: &Environment,
) -> Result<Vec<ConfiguredAccount>> {
    let mut names = HashSet::new();
    sections.iter().map(|section| account(section, environment, &mut names)).collect()
}

fn account(
    section: &AccountSection,
    environment: &Environment,
    names: &mut HashSet<String>,
) -> Result<ConfiguredAccount> {
    let id = section.id;
    if section.name.trim().is_empty() {
        return Err(misuse(format!("account {id}: its name is empty")));
    }
    unique(names, format!("account {id}"))?;
    let (mut users, mut access_keys) = (Vec::new(), Vec::new());
    for user in &section.users {
        unique(names, format!("user `{}` of account {id}", user.name))?;
        if user.access_keys.len() > ACCESS_KEYS_PER_USER_MAX {
            let has = user.access_keys.len();
            let problem = format!("has {has} access keys; a user may have {ACCESS_KEYS_PER_USER_MAX}");
            return Err(misuse(format!("user `{}` of account {id} {problem}", user.name)));
        }
        for key in &user.access_keys {
            unique(names, format!("access key `{}`", key.id))?;
            access_keys.push(ConfiguredAccessKey {
                id: key.id.clone(),
                owner: Owner::User(user.name.clone()),
                secret: resolve(key, environment)?,
                status: key.status,
            });
        }
        users.push(user_record(id, user));
    }
    Ok(ConfiguredAccount {
        account: Account { id, name: section.name.clone(), status: Status::Active },
        users,
        access_keys,
    })
}

fn unique(names: &mut HashSet<String>, name: String) -> Result<()> {
    if names.contains(&name) {
        return Err(misuse(format!("{name} is in the configuration file twice")));
    }
    names.insert(name);
    Ok(())
}

fn user_record(account: AccountId, section: &UserSection) -> User {
    let mut user = User {
        path: section.path.clone(),
        rights: Rights::administrator_if(!section.policies.is_empty()),
        // The file does not say when it was written.
        ..User::new(account, &section.name, "", Timestamp::from_millis(0))
    };
    user.unique_id = unique_id(&user.arn());
    user
}

/// The unique id of a user of the file. Nothing is stored of it, so it follows from its name: it must be the same
/// after a restart and on every node.
fn unique_id(arn: &str) -> String {
    const BASE_32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let derived = kdf::derive(&[0; 32], b"trent/configured-user/v1", arn.as_bytes());
    let letters = derived.expose().iter().take(17);
    let letters = letters.filter_map(|byte| BASE_32.get(usize::from(byte % 32)).copied());
    "AIDA".chars().chain(letters.map(char::from)).collect()
}

fn resolve(key: &AccessKeySection, environment: &Environment) -> Result<SecretBytes> {
    let problem = |text: String| misuse(format!("secret of access key `{}`: {text}", key.id));
    let SecretSource(source) = &key.secret;
    let secret = if let Some(name) = source.strip_prefix("env:") {
        let value = environment.get(name);
        value
            .ok_or_else(|| problem(format!("there is no variable {name} in the environment")))?
            .as_bytes()
            .to_vec()
    } else if let Some(path) = source.strip_prefix("file:") {
        fs::read(path).map_err(|error| problem(format!("{path}: {error}")))?
    } else {
        source.as_bytes().to_vec()
    };
    let secret = SecretBytes::from(secret);
    let trimmed = SecretBytes::from(secret.expose().trim_ascii().to_vec());
    if trimmed.expose().is_empty() {
        return Err(problem("it is empty".to_owned()));
    }
    Ok(trimmed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn accounts(text: &str, environment: &Environment) -> Result<Vec<ConfiguredAccount>, String> {
        let config: Config = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        configured_accounts(&config.accounts, environment).map_err(|error| error.to_string())
    }

    fn with_key(secret: &str) -> String {
        format!(
            "[[account]]\nid = '111122223333'\nname = 'prod'\n[[account.user]]\nname = 'alice'\npath = '/eng/'\n\
             policies = ['aws:AdministratorAccess']\n[[account.user.access_key]]\nid = 'AKIAIOSFODNN7EXAMPLE'\n\
             secret = '{secret}'\n"
        )
    }

    #[test]
    fn users_and_keys_become_objects_of_the_service() {
        let accounts = accounts(&with_key("literal"), &Environment::default()).unwrap();
        let [ConfiguredAccount { users, access_keys, .. }] = &accounts[..] else { panic!("one account") };
        assert!(users[0].is_administrator());
        assert_eq!(users[0].arn(), "arn:aws:iam::111122223333:user/eng/alice");
        assert_eq!(users[0].unique_id.len(), 21);
        assert_eq!(access_keys[0].secret.expose(), b"literal");
        assert_eq!(access_keys[0].status, Status::Active);
    }

    #[test]
    fn secrets_come_from_the_environment_and_from_files() {
        let environment = Environment::of([("ALICE_SECRET", "from env")]);
        let of_env = accounts(&with_key("env:ALICE_SECRET"), &environment).unwrap();
        assert_eq!(of_env[0].access_keys[0].secret.expose(), b"from env");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        fs::write(&file, "from file\n").unwrap();
        let of_file = accounts(&with_key(&format!("file:{}", file.display())), &environment).unwrap();
        assert_eq!(of_file[0].access_keys[0].secret.expose(), b"from file");
    }

    #[test]
    fn missing_secrets_are_errors_that_name_the_access_key() {
        for secret in ["env:NOT_THERE", "file:/not/there", ""] {
            let refused = accounts(&with_key(secret), &Environment::default()).err().unwrap();
            assert!(refused.starts_with("secret of access key `AKIAIOSFODNN7EXAMPLE`: "), "{refused}");
        }
    }

    #[test]
    fn what_is_there_twice_is_an_error() {
        let twice = with_key("x") + &with_key("x");
        let refused = accounts(&twice, &Environment::default()).err().unwrap();
        assert_eq!(refused, "account 111122223333 is in the configuration file twice");
    }

    #[test]
    fn other_policies_are_refused_for_now() {
        let text = with_key("x").replace("aws:AdministratorAccess", "kms-user");
        let refused = accounts(&text, &Environment::default()).err().unwrap();
        assert!(refused.contains("`kms-user` is not known"), "{refused}");
    }

    #[test]
    fn literal_secrets_are_not_printed() {
        let config: Config = toml::from_str(&with_key("hunter2")).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
