//! The secrets of access keys, and session tokens: sealed under the ring, opened to verify signatures.
//!
//! A session token is `01 ‖ number of the ring's key (4) ‖ envelope`, in base 64. It opens for the access key that
//! it was made for and no other; the secret of that access key is derived from the same key of the ring, so nothing
//! of a session is stored.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
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

    /// Seals the key of a device for one-time codes.
    pub fn seal_mfa_device_key(&self, arn: &str, key: &[u8]) -> Result<Vec<u8>, StoreError> {
        let owner = [("mfa-device", arn.as_bytes())];
        self.keyring.seal(RingName::AccessKeys, &Purpose::new(label::MFA_DEVICE_KEY, &owner), key)
    }

    /// Opens the key of a device for one-time codes.
    pub fn open_mfa_device_key(&self, arn: &str, sealed: &[u8]) -> Result<SecretBytes, StoreError> {
        let owner = [("mfa-device", arn.as_bytes())];
        self.keyring.open(RingName::AccessKeys, &Purpose::new(label::MFA_DEVICE_KEY, &owner), sealed)
    }

    /// The token of a session that begins, and the secret of its access key.
    pub fn seal_session(&self, access_key_id: &str, contents: &[u8]) -> Result<SealedSession, StoreError> {
        let unknown = || StoreError::UnknownRingKey("sessions".to_owned());
        let number = self.keyring.sessions().ok_or_else(unknown)?;
        let owner = [("access-key", access_key_id.as_bytes())];
        let purpose = Purpose::new(label::SESSION_TOKEN, &owner);
        let envelope = self.keyring.seal(RingName::Sessions(number), &purpose, contents)?;
        let token = [&[TOKEN_VERSION][..], &number.to_be_bytes(), &envelope].concat();
        let secret = self.session_secret(number, access_key_id)?;
        Ok(SealedSession { token: STANDARD.encode(token), secret })
    }

    /// What is in a session token that was made for this access key, and the secret of that key.
    pub fn open_session(&self, access_key_id: &str, token: &str) -> Option<OpenedSession> {
        if token.len() > TOKEN_CHARACTERS_MAX {
            return None;
        }
        let bytes = STANDARD.decode(token).ok()?;
        let (&version, rest) = bytes.split_first()?;
        let (number, envelope) = rest.split_first_chunk::<4>()?;
        if version != TOKEN_VERSION {
            return None;
        }
        let number = u32::from_be_bytes(*number);
        let owner = [("access-key", access_key_id.as_bytes())];
        let purpose = Purpose::new(label::SESSION_TOKEN, &owner);
        let contents = self.keyring.open(RingName::Sessions(number), &purpose, envelope).ok()?;
        Some(OpenedSession { contents, secret: self.session_secret(number, access_key_id).ok()? })
    }

    /// 40 characters, as all secrets of access keys have.
    fn session_secret(&self, number: u32, access_key_id: &str) -> Result<SecretBytes, StoreError> {
        let key = self.keyring.derive(RingName::Sessions(number), SECRET_LABEL, access_key_id.as_bytes())?;
        let bytes = key.expose().get(..30).unwrap_or_default();
        let bytes = SecretBytes::from(bytes.to_vec());
        Ok(SecretBytes::from(STANDARD_NO_PAD.encode(bytes.expose()).into_bytes()))
    }
}

const TOKEN_VERSION: u8 = 1;
const TOKEN_CHARACTERS_MAX: usize = 16_384;
const SECRET_LABEL: &[u8] = b"trent/session-secret/v1";

/// A session that begins.
pub struct SealedSession {
    /// Its token.
    pub token: String,
    /// The secret of its access key.
    pub secret: SecretBytes,
}

/// A session token that was opened.
pub struct OpenedSession {
    /// What is in it.
    pub contents: SecretBytes,
    /// The secret of its access key.
    pub secret: SecretBytes,
}
