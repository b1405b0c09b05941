//! The secrets of access keys: sealed under the ring, opened to verify signatures.

use trent_crypto::envelope::label;
use trent_crypto::{Purpose, SecretBytes};
use trent_keystore::{RingName, StoreError};

use crate::opening::Gate;

impl Gate {
    /// Seals the secret of an access key.
    pub fn seal_access_key_secret(&self, access_key_id: &str, secret: &[u8]) -> Result<Vec<u8>, StoreError> {
        let owner = [("access-key", access_key_id.as_bytes())];
        self.keyring.seal(RingName::AccessKeys, &Purpose::new(label::ACCESS_KEY_SECRET, &owner), secret)
    }

    /// Opens the secret of an access key.
    pub fn open_access_key_secret(
        &self,
        access_key_id: &str,
        sealed: &[u8],
    ) -> Result<SecretBytes, StoreError> {
        let owner = [("access-key", access_key_id.as_bytes())];
        self.keyring.open(RingName::AccessKeys, &Purpose::new(label::ACCESS_KEY_SECRET, &owner), sealed)
    }
}
