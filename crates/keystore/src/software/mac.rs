//! HMAC keys.

use std::sync::Arc;

use trent_crypto::mac::{MacKey as Hmac, MacSpec};
use trent_protocol::KeySpec;

use crate::store::{MacKey, OpenedKey, StoreError};

/// What `crypto` calls the spec; nothing for specs that are no HMAC keys'.
pub(super) const fn spec(spec: KeySpec) -> Option<MacSpec> {
    match spec {
        KeySpec::Hmac224 => Some(MacSpec::Hmac224),
        KeySpec::Hmac256 => Some(MacSpec::Hmac256),
        KeySpec::Hmac384 => Some(MacSpec::Hmac384),
        KeySpec::Hmac512 => Some(MacSpec::Hmac512),
        _ => None,
    }
}

/// Nothing when what was unsealed is no key of this spec.
pub(super) fn open(spec: MacSpec, record: &[u8]) -> Option<OpenedKey> {
    let key = Hmac::from_record(spec, record).ok()?;
    Some(OpenedKey::Mac(Arc::new(SoftwareMacKey(key))))
}

struct SoftwareMacKey(Hmac);

impl MacKey for SoftwareMacKey {
    fn generate(&self, message: &[u8]) -> Result<Vec<u8>, StoreError> {
        Ok(self.0.generate_mac(message))
    }

    fn verify(&self, message: &[u8], mac: &[u8]) -> Result<(), StoreError> {
        self.0.verify_mac(message, mac).map_err(|_| StoreError::InvalidMac)
    }
}
