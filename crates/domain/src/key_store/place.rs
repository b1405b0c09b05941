//! Where a key is that a custom key store holds.

use serde::{Deserialize, Serialize};

use super::KeyStoreId;
use crate::identifier::HsmKeyId;

/// Where a key is that a custom key store holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Body", into = "Body")]
pub struct InStore {
    /// The key store.
    pub store: KeyStoreId,
    /// What of the key is there.
    pub held_as: HeldAs,
}

/// What of a key is in its custom key store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeldAs {
    /// One of its halves, by the name that the key manager behind an external key store has for it.
    ExternalKey(String),
    /// All of it, in HSMs.
    HsmKey(HsmKeyId),
}

impl InStore {
    /// A key of which one half is with an external key manager.
    pub const fn external(store: KeyStoreId, name: String) -> Self {
        Self { store, held_as: HeldAs::ExternalKey(name) }
    }

    /// A key in HSMs.
    pub const fn in_hsms(store: KeyStoreId, id: HsmKeyId) -> Self {
        Self { store, held_as: HeldAs::HsmKey(id) }
    }

    /// What the key manager behind an external key store calls its half.
    pub fn external_key(&self) -> Option<&str> {
        match &self.held_as {
            HeldAs::ExternalKey(name) => Some(name),
            HeldAs::HsmKey(_) => None,
        }
    }

    /// What it is called in HSMs.
    pub const fn hsm_key(&self) -> Option<HsmKeyId> {
        match self.held_as {
            HeldAs::HsmKey(id) => Some(id),
            HeldAs::ExternalKey(_) => None,
        }
    }
}

/// The same as it is stored: one of the two names.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    store: KeyStoreId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hsm_key: Option<HsmKeyId>,
}

impl TryFrom<Body> for InStore {
    type Error = &'static str;

    fn try_from(body: Body) -> Result<Self, Self::Error> {
        let held_as = match (body.external_key, body.hsm_key) {
            (Some(name), None) => HeldAs::ExternalKey(name),
            (None, Some(id)) => HeldAs::HsmKey(id),
            _ => return Err("a key in a custom key store is one external key or one key in HSMs"),
        };
        Ok(Self { store: body.store, held_as })
    }
}

impl From<InStore> for Body {
    fn from(InStore { store, held_as }: InStore) -> Self {
        match held_as {
            HeldAs::ExternalKey(name) => Self { store, external_key: Some(name), hsm_key: None },
            HeldAs::HsmKey(id) => Self { store, external_key: None, hsm_key: Some(id) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_stored_under_one_name_and_no_other() {
        let store = || "cks-1234567890abcdef0".parse::<KeyStoreId>().unwrap();
        for (place, text) in [
            (InStore::external(store(), "theirs".to_owned()), r#""external_key":"theirs""#),
            (
                InStore::in_hsms(store(), HsmKeyId([0xa5; 16])),
                r#""hsm_key":"a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5""#,
            ),
        ] {
            let text = format!(r#"{{"store":"cks-1234567890abcdef0",{text}}}"#);
            assert_eq!(serde_json::to_string(&place).unwrap(), text);
            assert_eq!(serde_json::from_str::<InStore>(&text).unwrap(), place);
        }
        let both = r#"{"store":"cks-1234567890abcdef0","external_key":"a","hsm_key":"a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"}"#;
        for wrong in [both, r#"{"store":"cks-1234567890abcdef0"}"#] {
            assert!(serde_json::from_str::<InStore>(wrong).is_err(), "{wrong}");
        }
    }
}
