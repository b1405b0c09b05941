//! The part of a key that is with an external key manager: what it may be called, and what it must be.

use trent_protocol::ErrorCode;

/// Characters of the URI of a request to a proxy.
const URI_MAX: usize = 256;
const LONGEST_TAIL: &str = "/keys//metadata";

/// A name that no external key can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExternalKeyError {
    /// A step in a path.
    #[error("XksKeyId must not be . or ..")]
    Dots,
    /// The URI would be too long.
    #[error("The URI of requests about the external key must have at most {URI_MAX} characters")]
    TooLong,
}

/// Whether a proxy at `endpoint` and `path` can be asked about the external key `id`.
pub fn check_external_key(id: &str, endpoint: &str, path: &str) -> Result<(), ExternalKeyError> {
    if matches!(id, "." | "..") {
        return Err(ExternalKeyError::Dots);
    }
    if endpoint.len() + path.len() + LONGEST_TAIL.len() + id.len() > URI_MAX {
        return Err(ExternalKeyError::TooLong);
    }
    Ok(())
}

/// What a proxy tells of an external key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalKey {
    /// `AES_256`, or another kind of key.
    pub spec: String,
    /// `ENABLED`, or another status.
    pub status: String,
    /// What it may be used for.
    pub usage: Vec<String>,
}

/// Why a key cannot be made of an external key (`XksKeyInvalidConfigurationException`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnfitExternalKey {
    /// It is another kind of key.
    #[error(
        "The key spec of the external key must be AES_256. The key spec of specified external key is {0}."
    )]
    Spec(String),
    /// It is disabled.
    #[error("The status of the external key must be ENABLED. The status of specified external key is {0}.")]
    Status(String),
    /// It may not be used for both.
    #[error(
        "The key usage of the external key must include ENCRYPT and DECRYPT. The key use of specified external key is {0}."
    )]
    Usage(String),
}

impl UnfitExternalKey {
    /// The code that goes with it.
    pub const CODE: ErrorCode = ErrorCode::XksKeyInvalidConfiguration;
}

impl ExternalKey {
    /// Whether a key can be made of it.
    pub fn check(&self) -> Result<(), UnfitExternalKey> {
        if self.spec != "AES_256" {
            return Err(UnfitExternalKey::Spec(self.spec.clone()));
        }
        if self.status != "ENABLED" {
            return Err(UnfitExternalKey::Status(self.status.clone()));
        }
        let may = |usage: &str| self.usage.iter().any(|listed| listed == usage);
        if may("ENCRYPT") && may("DECRYPT") {
            Ok(())
        } else {
            Err(UnfitExternalKey::Usage(self.usage.join(",")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(spec: &str, status: &str, usage: &[&str]) -> ExternalKey {
        let usage = usage.iter().map(|usage| (*usage).to_owned()).collect();
        ExternalKey { spec: spec.to_owned(), status: status.to_owned(), usage }
    }

    #[test]
    fn a_fit_external_key_encrypts_and_decrypts_with_aes_256() {
        assert_eq!(key("AES_256", "ENABLED", &["ENCRYPT", "DECRYPT", "WRAP"]).check(), Ok(()));
        let text = |key: ExternalKey| key.check().unwrap_err().to_string();
        assert_eq!(
            text(key("AES_128", "DISABLED", &[])),
            "The key spec of the external key must be AES_256. The key spec of specified external key is AES_128."
        );
        assert_eq!(
            text(key("AES_256", "DISABLED", &[])),
            "The status of the external key must be ENABLED. The status of specified external key is DISABLED."
        );
        assert_eq!(
            text(key("AES_256", "ENABLED", &["ENCRYPT"])),
            "The key usage of the external key must include ENCRYPT and DECRYPT. The key use of specified external key is ENCRYPT."
        );
    }

    #[test]
    fn names_of_external_keys_stay_within_their_place_in_the_path() {
        let (endpoint, path) = ("https://a.example.com", "/kms/xks/v1");
        assert_eq!(check_external_key("...", endpoint, path), Ok(()));
        for dots in [".", ".."] {
            assert_eq!(check_external_key(dots, endpoint, path), Err(ExternalKeyError::Dots));
        }
        let room = URI_MAX - endpoint.len() - path.len() - LONGEST_TAIL.len();
        assert_eq!(check_external_key(&"a".repeat(room), endpoint, path), Ok(()));
        let refused = check_external_key(&"a".repeat(room + 1), endpoint, path);
        assert_eq!(refused, Err(ExternalKeyError::TooLong));
    }
}
