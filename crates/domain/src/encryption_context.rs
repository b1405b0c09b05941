//! The encryption context: pairs that are authenticated with a ciphertext, exact and in no order.

use std::collections::BTreeMap;

use crate::limits::ENCRYPTION_CONTEXT_BYTES_MAX;

/// Why an encryption context is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("EncryptionContext must not be larger than {ENCRYPTION_CONTEXT_BYTES_MAX} bytes")]
pub struct ContextTooLarge;

/// An encryption context of a permitted size.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EncryptionContext(BTreeMap<String, String>);

impl EncryptionContext {
    /// The context of a request; an absent one and an empty one are the same.
    pub fn parse(pairs: Option<BTreeMap<String, String>>) -> Result<Self, ContextTooLarge> {
        let pairs = pairs.unwrap_or_default();
        // Four bytes of length before each key and value, as in the canonical form.
        let bytes: usize = pairs.iter().map(|(key, value)| key.len() + value.len() + 8).sum();
        if bytes > ENCRYPTION_CONTEXT_BYTES_MAX { Err(ContextTooLarge) } else { Ok(Self(pairs)) }
    }

    /// The pairs.
    pub fn pairs(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_limit_counts_keys_values_and_their_lengths() {
        let fits = BTreeMap::from([("k".to_owned(), "v".repeat(ENCRYPTION_CONTEXT_BYTES_MAX - 9))]);
        assert!(EncryptionContext::parse(Some(fits)).is_ok());
        let large = BTreeMap::from([("k".to_owned(), "v".repeat(ENCRYPTION_CONTEXT_BYTES_MAX - 8))]);
        assert_eq!(EncryptionContext::parse(Some(large)), Err(ContextTooLarge));
    }

    #[test]
    fn an_absent_context_is_an_empty_one() {
        assert_eq!(EncryptionContext::parse(None), EncryptionContext::parse(Some(BTreeMap::new())));
    }
}
