//! Secrets that operators send and are sent.

use serde::{Deserialize, Serialize, Serializer};
use trent_protocol::SecretString;

/// A secret in a command of an admin socket, or in the reply that shows it once: wiped when dropped, and not shown by
/// `Debug`.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub struct Secret(SecretString);

impl Secret {
    /// The secret itself.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(SecretString::new(text))
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> Self {
        secret.0.expose_secret().to_owned()
    }
}

impl From<&[u8]> for Secret {
    /// What is no UTF-8, as no secret of trent's own is, is replaced.
    fn from(text: &[u8]) -> Self {
        String::from_utf8_lossy(text).into_owned().into()
    }
}

impl From<Secret> for SecretString {
    fn from(secret: Secret) -> Self {
        secret.0
    }
}

impl Clone for Secret {
    fn clone(&self) -> Self {
        self.0.expose_secret().to_owned().into()
    }
}

// Of commands and replies in tests, not of what a stranger sends with what is right: it takes as long as the texts agree.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl Eq for Secret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_written_as_its_text_and_shown_by_nothing_else() {
        let secret = Secret::from(b"hunter2".as_slice());
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"hunter2\"");
        assert_eq!(serde_json::from_str::<Secret>("\"hunter2\"").unwrap(), secret);
        assert!(!format!("{secret:?}").contains("hunter2"));
        assert_ne!(secret, Secret::from("hunter3".to_owned()));
    }
}
