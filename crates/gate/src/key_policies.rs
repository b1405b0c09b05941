//! Key policies as documents: compiled once for each version of a key, with the key in the cache.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use trent_domain::identifier::AccountId;
use trent_domain::key::Key;
use trent_policy::{Document, Kind, Malformed, default_key_policy, managed_key_policy};

/// Account, partition, and whether trent manages the keys for a service.
type Place = (AccountId, &'static str, bool);

/// The policies that keys have until another is put: one document for all keys of an account.
#[derive(Default)]
pub(crate) struct KeyPolicies {
    unput: RwLock<HashMap<Place, Arc<Document>>>,
}

impl KeyPolicies {
    /// The policy of a key.
    pub(crate) fn of(&self, key: &Key) -> Result<Arc<Document>, Malformed> {
        match &key.policy {
            Some(text) => Ok(Arc::new(Document::parse(text, Kind::Resource)?)),
            None => self.unput(key),
        }
    }

    fn unput(&self, key: &Key) -> Result<Arc<Document>, Malformed> {
        let place = (key.account, key.region.partition(), key.is_aws_managed());
        if let Some(known) = self.unput.read().get(&place) {
            return Ok(Arc::clone(known));
        }
        let document = Arc::new(Document::parse(&unput_text(key), Kind::Resource)?);
        self.unput.write().insert(place, Arc::clone(&document));
        Ok(document)
    }
}

/// The text of the policy that a key has until another is put.
pub fn unput_text(key: &Key) -> String {
    let (partition, account) = (key.region.partition(), key.account.as_str());
    if key.is_aws_managed() {
        managed_key_policy(partition, account)
    } else {
        default_key_policy(partition, account)
    }
}
