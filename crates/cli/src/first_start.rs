//! The first start: an account, its administrator, an access key, and the file that has it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use trent_crypto::{Random, SecretBytes};
use trent_domain::identifier::AccountId;
use trent_domain::identity::is_access_key_id;
use trent_service::{Bootstrap, Configured};

use crate::config::{Config, Environment};
use crate::data_dir::write_durably;
use crate::failure::misuse;

const ADMINISTRATOR: &str = "admin";
const SECRET_CHARACTERS: usize = 40;
const SECRET_CHARACTERS_MAX: usize = 128;

/// The access key that the first start makes, as far as it is fixed.
#[derive(Default)]
pub(crate) struct FirstAccessKey {
    id: Option<String>,
    secret: Option<Arc<SecretBytes>>,
}

impl FirstAccessKey {
    /// What `TRENT_BOOTSTRAP_…` say. Checked at every start, so that a mistake shows before it matters.
    pub(crate) fn of(environment: &Environment) -> Result<Self> {
        let id = environment.get("TRENT_BOOTSTRAP_ACCESS_KEY_ID").map(str::to_owned);
        let secret = environment.secret("TRENT_BOOTSTRAP_SECRET_ACCESS_KEY");
        if id.as_ref().is_some_and(|id| !is_access_key_id(id)) {
            return Err(misuse(
                "TRENT_BOOTSTRAP_ACCESS_KEY_ID is no access key id: 16 to 128 of A-Z a-z 0-9 _",
            ));
        }
        let is_secret = |secret: &[u8]| {
            (16..=SECRET_CHARACTERS_MAX).contains(&secret.len()) && secret.iter().all(u8::is_ascii_graphic)
        };
        if secret.as_ref().is_some_and(|secret| !is_secret(secret.expose())) {
            return Err(misuse("TRENT_BOOTSTRAP_SECRET_ACCESS_KEY must be 16 to 128 printable characters"));
        }
        Ok(Self { id, secret })
    }

    /// The key of `trent dev`, whose form no other key may have.
    pub(crate) fn test() -> Self {
        Self {
            id: Some(TEST.to_owned()),
            secret: Some(Arc::new(SecretBytes::from(TEST.as_bytes().to_vec()))),
        }
    }

    fn is_fixed(&self) -> bool {
        self.id.is_some() || self.secret.is_some()
    }
}

/// Access key id and secret of `trent dev`.
pub(crate) const TEST: &str = "test";

/// The file with the administrator's access key.
pub(crate) fn credentials_file(data_dir: &Path) -> PathBuf {
    data_dir.join("aws-credentials")
}

/// Whether the first start makes an account. It need not where the identity file has accounts; then it does
/// when told which.
pub(crate) fn is_wanted(configured: &Configured, config: &Config, key: &FirstAccessKey) -> bool {
    configured.accounts.is_empty() || config.data.account_id.is_some() || key.is_fixed()
}

/// Draws what is not fixed, and writes the credentials file.
///
/// The file comes before the database: a crash in between makes the next start draw again, while the other way
/// round nobody would ever know the secret.
pub(crate) fn prepare(
    data_dir: &Path,
    account: Option<AccountId>,
    key: &FirstAccessKey,
    random: &dyn Random,
) -> Result<Bootstrap> {
    let account = match account {
        Some(account) => account,
        None => random_account(random)?,
    };
    let access_key_id = match &key.id {
        Some(id) => id.clone(),
        None => format!("AKIA{}", draw(random, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)?),
    };
    let secret = match &key.secret {
        Some(secret) => SecretBytes::from(secret.expose().clone()),
        None => {
            const BASE_64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            SecretBytes::from(draw(random, BASE_64, SECRET_CHARACTERS)?.into_bytes())
        }
    };
    let text = credentials(&access_key_id, &secret);
    let file = credentials_file(data_dir);
    write_durably(&file, text.expose()).with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(Bootstrap { account, user: ADMINISTRATOR.to_owned(), access_key_id, secret })
}

fn credentials(id: &str, secret: &SecretBytes) -> SecretBytes {
    // Never grows beyond this, so no half-written copy is left behind in freed memory.
    let mut text = Vec::with_capacity(512);
    text.extend_from_slice(
        b"# Access key of the administrator that trent made at its first start.\n[default]\n",
    );
    text.extend_from_slice(format!("aws_access_key_id = {id}\naws_secret_access_key = ").as_bytes());
    text.extend_from_slice(secret.expose());
    text.push(b'\n');
    SecretBytes::from(text)
}

/// 12 digits, the first not zero: easier to read, and never that of `trent dev`.
fn random_account(random: &dyn Random) -> Result<AccountId> {
    let digits = draw(random, b"123456789", 1)? + &draw(random, b"0123456789", 11)?;
    Ok(digits.parse()?)
}

/// Letters of an alphabet, each as likely as the other.
fn draw(random: &dyn Random, alphabet: &[u8], count: usize) -> Result<String> {
    let mut text = String::with_capacity(count);
    let fair = 256 - 256 % alphabet.len();
    // With a working source, 64 times as many bytes as needed are never all refused.
    for _ in 0..count.saturating_mul(64) {
        let mut byte = [0];
        random.fill(&mut byte)?;
        let [byte] = byte.map(usize::from);
        if byte < fair
            && let Some(letter) = alphabet.get(byte % alphabet.len())
        {
            text.push(char::from(*letter));
        }
        if text.len() == count {
            return Ok(text);
        }
    }
    bail!("the source of random bytes is broken")
}

#[cfg(test)]
mod tests {
    use trent_crypto::SystemRandom;

    use super::*;

    #[test]
    fn what_is_not_fixed_is_drawn() {
        let dir = tempfile::tempdir().unwrap();
        let made = prepare(dir.path(), None, &FirstAccessKey::default(), &SystemRandom::new()).unwrap();
        assert_eq!(made.account.as_str().len(), 12);
        assert!(is_access_key_id(&made.access_key_id) && made.access_key_id.len() == 20);
        assert_eq!(made.secret.expose().len(), 40);
        let file = std::fs::read_to_string(credentials_file(dir.path())).unwrap();
        assert!(file.contains(&format!("\n[default]\naws_access_key_id = {}\n", made.access_key_id)));
    }

    #[test]
    fn unusable_fixed_keys_are_refused() {
        for (name, value) in [
            ("TRENT_BOOTSTRAP_ACCESS_KEY_ID", "short"),
            ("TRENT_BOOTSTRAP_SECRET_ACCESS_KEY", "short"),
            ("TRENT_BOOTSTRAP_SECRET_ACCESS_KEY", "long enough but with spaces"),
        ] {
            assert!(FirstAccessKey::of(&Environment::of([(name, value)])).is_err(), "{name}={value}");
        }
    }
}
