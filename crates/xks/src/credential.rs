//! Credentials: by which KMS and a proxy know each other. Unrelated to any credential of an account.

use std::fmt;
use std::str::FromStr;

use trent_crypto::{Random, RandomError, SecretBytes};

use crate::base64;
use crate::name::InvalidName;

/// The id of a credential.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccessKeyId(Box<str>);

impl AccessKeyId {
    const ALPHABET: &'static [u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const BYTES: std::ops::RangeInclusive<usize> = 20..=30;

    /// The id itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn generate(random: &dyn Random) -> Result<Self, RandomError> {
        let mut bytes = [0; 26];
        random.fill(&mut bytes)?;
        // The alphabet has 32 letters, so that the low five bits choose each as likely as any other.
        let letter = |byte: u8| Self::ALPHABET.get(usize::from(byte % 32)).copied().map(char::from);
        Ok(Self(bytes.into_iter().filter_map(letter).collect::<String>().into()))
    }
}

impl FromStr for AccessKeyId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let good =
            Self::BYTES.contains(&text.len()) && text.bytes().all(|byte| Self::ALPHABET.contains(&byte));
        match good {
            true => Ok(Self(text.into())),
            false => Err(InvalidName::new("an access key id is 20 to 30 of A-Z 2-7")),
        }
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The secret of a credential. Wiped when dropped, without `Clone`, shown nowhere.
pub struct SecretAccessKey(SecretBytes);

impl SecretAccessKey {
    const BYTES: std::ops::RangeInclusive<usize> = 43..=64;

    /// A secret, if the text can be one.
    ///
    /// # Errors
    /// It is of another form; the error does not repeat it.
    pub fn new(text: SecretBytes) -> Result<Self, InvalidName> {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/+=".contains(byte);
        let good = Self::BYTES.contains(&text.expose().len()) && text.expose().iter().all(is_plain);
        match good {
            true => Ok(Self(text)),
            false => Err(InvalidName::new("a secret access key is 43 to 64 of A-Z a-z 0-9 / + =")),
        }
    }

    /// The characters of the secret.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }

    fn generate(random: &dyn Random) -> Result<Self, RandomError> {
        let bytes = SecretBytes::generate(32, random)?;
        Ok(Self(base64::encode(bytes.expose()).into_bytes().into()))
    }
}

impl fmt::Debug for SecretAccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretAccessKey(..)")
    }
}

/// A credential.
#[derive(Debug)]
pub struct Credential {
    /// Its id.
    pub access_key_id: AccessKeyId,
    /// Its secret.
    pub secret: SecretAccessKey,
}

impl Credential {
    /// A fresh one; the secret has 256 random bits.
    ///
    /// # Errors
    /// When there is no randomness to be had.
    pub fn generate(random: &dyn Random) -> Result<Self, RandomError> {
        Ok(Self { access_key_id: AccessKeyId::generate(random)?, secret: SecretAccessKey::generate(random)? })
    }
}
