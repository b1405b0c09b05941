//! The proxy configuration file: the path of a key store and a credential, as a console takes them.
//!
//! The endpoint is not in it, nor how it is reached. The version of the file is that of the API, at the end of the
//! path.

use serde::Deserialize;
use trent_crypto::SecretBytes;

use crate::credential::{Credential, SecretAccessKey};
use crate::json::{self, Malformed, Object, Text};
use crate::name::{InvalidName, UriPath};

/// A file larger than this is none.
pub const CONFIGURATION_BYTES_MAX: usize = 4096;

/// Why a file is no proxy configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// It is larger than [`CONFIGURATION_BYTES_MAX`].
    #[error("the file is larger than {CONFIGURATION_BYTES_MAX} bytes")]
    TooLarge,
    /// It is not of the form, lacks a member or has one too many.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// The version at the end of its path is not 1.
    #[error("`XksProxyUriPath` is of a version of the proxy API that is not known; known is v1")]
    UnknownVersion,
    /// A member has a value that it cannot have.
    #[error("`{member}`: {problem}")]
    Invalid {
        /// The member.
        member: &'static str,
        /// What it must be.
        problem: InvalidName,
    },
}

/// What the file says.
#[derive(Debug)]
pub struct ProxyConfiguration {
    /// The path of the key store at the proxy.
    pub uri_path: UriPath,
    /// By what the proxy knows KMS.
    pub credential: Credential,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct File<'a> {
    #[serde(borrow)]
    xks_proxy_uri_path: Option<Text<'a>>,
    #[serde(borrow)]
    xks_proxy_authentication_credential: Option<Object<Pair<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Pair<'a> {
    #[serde(borrow)]
    access_key_id: Option<Text<'a>>,
    #[serde(borrow)]
    raw_secret_access_key: Option<Text<'a>>,
}

impl ProxyConfiguration {
    /// Reads a file.
    ///
    /// # Errors
    /// It is none; the error repeats no value of it.
    pub fn parse(file: &[u8]) -> Result<Self, ConfigurationError> {
        if file.len() > CONFIGURATION_BYTES_MAX {
            return Err(ConfigurationError::TooLarge);
        }
        let File { xks_proxy_uri_path, xks_proxy_authentication_credential } = json::read(file)?;
        let path = json::required(xks_proxy_uri_path, "XksProxyUriPath")?;
        let Object(pair) =
            json::required(xks_proxy_authentication_credential, "XksProxyAuthenticationCredential")?;
        let id = json::required(pair.access_key_id, "AccessKeyId")?;
        let secret = json::required(pair.raw_secret_access_key, "RawSecretAccessKey")?;
        let secret = SecretBytes::from(secret.0.into_owned().into_bytes());
        let invalid = |member| move |problem| ConfigurationError::Invalid { member, problem };
        if is_of_another_version(&path.0) {
            return Err(ConfigurationError::UnknownVersion);
        }
        Ok(Self {
            uri_path: path.0.parse().map_err(invalid("XksProxyUriPath"))?,
            credential: Credential {
                access_key_id: id.0.parse().map_err(invalid("AccessKeyId"))?,
                secret: SecretAccessKey::new(secret).map_err(invalid("RawSecretAccessKey"))?,
            },
        })
    }

    /// Writes the file.
    #[must_use]
    pub fn to_json(&self) -> SecretBytes {
        // Never grows beyond this, so no copy of the secret is left behind in freed memory.
        let mut text = Vec::with_capacity(1024);
        // Nothing in these values needs an escape.
        for part in [
            b"{\n  \"XksProxyUriPath\": \"".as_slice(),
            self.uri_path.as_str().as_bytes(),
            b"\",\n  \"XksProxyAuthenticationCredential\": {\n    \"AccessKeyId\": \"",
            self.credential.access_key_id.as_str().as_bytes(),
            b"\",\n    \"RawSecretAccessKey\": \"",
            self.credential.secret.expose(),
            b"\"\n  }\n}\n",
        ] {
            text.extend_from_slice(part);
        }
        text.into()
    }
}

/// Whether a path ends with `/kms/xks/v` and another number than 1, of one or two digits.
fn is_of_another_version(path: &str) -> bool {
    let Some((_, number)) = path.rsplit_once("/kms/xks/v") else { return false };
    (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit()) && number != "1"
}
