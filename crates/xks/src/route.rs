//! From the path of a request to the call it is, and back.

use crate::name::{ExternalKeyId, UriPath};

/// A call of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    /// GetHealthStatus.
    Health,
    /// GetKeyMetadata.
    Metadata,
    /// Encrypt.
    Encrypt,
    /// Decrypt.
    Decrypt,
}

impl Api {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Health, Self::Metadata, Self::Encrypt, Self::Decrypt];

    /// Its name in the specification, and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Health => "GetHealthStatus",
            Self::Metadata => "GetKeyMetadata",
            Self::Encrypt => "Encrypt",
            Self::Decrypt => "Decrypt",
        }
    }
}

/// What a path asks for, of which store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route<'p> {
    /// The path of the store, which need not be a well-formed one.
    pub store: &'p str,
    /// The call.
    pub api: Api,
    /// The key, for all calls but health.
    pub key: Option<ExternalKeyId>,
}

impl<'p> Route<'p> {
    /// Takes a path apart, as it was sent: nothing is decoded and nothing normalised.
    #[must_use]
    pub fn parse(path: &'p str) -> Option<Self> {
        let (rest, last) = path.rsplit_once('/')?;
        let api = match last {
            "health" => return Some(Self { store: rest, api: Api::Health, key: None }),
            "metadata" => Api::Metadata,
            "encrypt" => Api::Encrypt,
            "decrypt" => Api::Decrypt,
            _ => return None,
        };
        let (rest, key) = rest.rsplit_once('/')?;
        let store = rest.strip_suffix("/keys")?;
        Some(Self { store, api, key: Some(key.parse().ok()?) })
    }

    /// The path of a call about a key.
    #[must_use]
    pub fn of_key(store: &UriPath, key: &ExternalKeyId, api: Api) -> String {
        let call = match api {
            Api::Health => return Self::of_health(store),
            Api::Metadata => "metadata",
            Api::Encrypt => "encrypt",
            Api::Decrypt => "decrypt",
        };
        format!("{store}/keys/{key}/{call}")
    }

    /// The path of the health check.
    #[must_use]
    pub fn of_health(store: &UriPath) -> String {
        format!("{store}/health")
    }
}
