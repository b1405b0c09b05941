//! Keys in tokens behind PKCS#11, as far as a proxy knows them: names of tokens, names of keys, what they do.
//!
//! How a token is reached is the business of whoever implements [`Tokens`].
//!
//! ```text
//! metadata   02 ‖ version of the external key (3, big-endian)
//! key        the token's
//! IV         12 bytes, the token's
//! ```

use serde::{Deserialize, Serialize};
use trent_crypto::SecretBytes;
use trent_xks::response::Instance;

use crate::manager::{Answering, ManagerError};

/// The construction; that of keys in the database is 1.
const VARIANT: u8 = 2;
/// Bytes of the metadata.
pub(crate) const METADATA_BYTES: usize = 4;

/// A key in a token: found by its identifier, its label, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenKey {
    /// The token, by the name that the configuration gives it.
    pub token: String,
    /// `CKA_ID`, in hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `CKA_LABEL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// What a token says of an AES key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenKeyFacts {
    /// Its length; of some keys tokens do not tell it.
    pub bits: Option<u64>,
    /// Whether it encrypts.
    pub encrypt: bool,
    /// Whether it decrypts.
    pub decrypt: bool,
}

/// What a token has made of a plaintext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSealed {
    /// The IV.
    pub iv: [u8; 12],
    /// As long as the plaintext.
    pub ciphertext: Vec<u8>,
    /// The tag.
    pub tag: [u8; 16],
}

/// Tokens, by the names that the configuration gives them. A name that is not there is an error of each call.
pub trait Tokens: Send + Sync {
    /// Makes an AES-256 key that cannot leave a token.
    fn make<'a>(&'a self, token: &'a str, label: &'a str) -> Answering<'a, TokenKey>;

    /// What a token says of a key.
    fn find<'a>(&'a self, key: &'a TokenKey) -> Answering<'a, TokenKeyFacts>;

    /// Destroys a key.
    fn destroy<'a>(&'a self, key: &'a TokenKey) -> Answering<'a, ()>;

    /// Encrypts.
    fn encrypt<'a>(
        &'a self,
        key: &'a TokenKey,
        plaintext: &'a [u8],
        aad: &'a [u8],
    ) -> Answering<'a, TokenSealed>;

    /// Decrypts.
    fn decrypt<'a>(
        &'a self,
        key: &'a TokenKey,
        sealed: TokenSealed,
        aad: &'a [u8],
    ) -> Answering<'a, SecretBytes>;

    /// How a token is.
    fn health<'a>(&'a self, token: &'a str) -> Answering<'a, Instance>;
}

/// No tokens: for proxies without any.
#[derive(Debug, Clone, Copy)]
pub struct NoTokens;

fn none<'a, T: Send + 'a>(token: &str) -> Answering<'a, T> {
    let problem = format!("there is no token `{token}` in the configuration");
    Box::pin(std::future::ready(Err(ManagerError::Failed(problem))))
}

impl Tokens for NoTokens {
    fn make<'a>(&'a self, token: &'a str, _: &'a str) -> Answering<'a, TokenKey> {
        none(token)
    }

    fn find<'a>(&'a self, key: &'a TokenKey) -> Answering<'a, TokenKeyFacts> {
        none(&key.token)
    }

    fn destroy<'a>(&'a self, key: &'a TokenKey) -> Answering<'a, ()> {
        none(&key.token)
    }

    fn encrypt<'a>(&'a self, key: &'a TokenKey, _: &'a [u8], _: &'a [u8]) -> Answering<'a, TokenSealed> {
        none(&key.token)
    }

    fn decrypt<'a>(&'a self, key: &'a TokenKey, _: TokenSealed, _: &'a [u8]) -> Answering<'a, SecretBytes> {
        none(&key.token)
    }

    fn health<'a>(&'a self, token: &'a str) -> Answering<'a, Instance> {
        none(token)
    }
}

/// The metadata of a message under this version of a key.
pub(crate) fn metadata(version: u32) -> [u8; METADATA_BYTES] {
    let [_, a, b, c] = version.to_be_bytes();
    [VARIANT, a, b, c]
}

/// The version that metadata tell, if they are of a message of a token.
pub(crate) fn version_of(metadata: &[u8]) -> Option<u32> {
    let [VARIANT, a, b, c] = *metadata else { return None };
    Some(u32::from_be_bytes([0, a, b, c]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_tell_the_version_and_nothing_else_does() {
        for version in [1, 2, 0x00ff_ffff] {
            assert_eq!(version_of(&metadata(version)), Some(version));
        }
        assert_eq!(metadata(0x0001_0203), [2, 1, 2, 3]);
        for other in [&[][..], &[2], &[1, 0, 0, 1], &[2, 0, 0, 1, 0], &[1; 20]] {
            assert_eq!(version_of(other), None, "{other:?}");
        }
    }
}
