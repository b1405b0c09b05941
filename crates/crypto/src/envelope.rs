//! Sealed envelopes: how secrets are kept at rest, each under the key above it in the hierarchy.
//!
//! ```text
//! offset  bytes
//!      0      1  version: 01
//!      1     16  nonce
//!     17     12  IV
//!     29      n  ciphertext, as long as the plaintext
//! 29 + n     16  tag
//! ```
//!
//! The message key is `KDF(wrapping key, "trent/envelope/v1", nonce)`; the cipher is AES-256-GCM; the associated data
//! are the 29 bytes before the ciphertext, then the [`Purpose`]. So an envelope taken from one row and put into another
//! (another key, account or use) does not open there.

use crate::message::{Format, OVERHEAD_BYTES, SealError};
use crate::random::Random;
use crate::secret::SecretBytes;

/// The version this code writes.
const VERSION: u8 = 1;
const PREFIX_BYTES: usize = 1;

const FORMAT: Format = Format { label: b"trent/envelope/v1", prefix_bytes: PREFIX_BYTES };

/// What sealing adds to a plaintext.
pub const ENVELOPE_OVERHEAD_BYTES: usize = PREFIX_BYTES + OVERHEAD_BYTES;

/// Labels of the purposes there are. They are part of the format: never rename one, never reuse one.
pub mod label {
    /// A domain key, under the root key.
    pub const DOMAIN_KEY: &str = "domain-key";
    /// Material of a key, under a domain key.
    pub const KEY_MATERIAL: &str = "key-material";
    /// The secret of an access key.
    pub const ACCESS_KEY_SECRET: &str = "access-key-secret";
    /// The key that names material ([`crate::material_id`]).
    pub const MATERIAL_ID_KEY: &str = "material-id-key";
    /// A key of the ring that seals pagination markers.
    pub const MARKER_RING: &str = "marker-ring";
    /// A key of the ring that seals grant tokens.
    pub const GRANT_TOKEN_RING: &str = "grant-token-ring";
    /// A key of the ring that seals session tokens.
    pub const SESSION_TOKEN_RING: &str = "session-token-ring";
    /// A key of the ring that seals import tokens.
    pub const IMPORT_TOKEN_RING: &str = "import-token-ring";
    /// The private key an import token carries.
    pub const IMPORT_PRIVATE_KEY: &str = "import-private-key";
    /// What a custom key store is reached with.
    pub const KEY_STORE_CREDENTIAL: &str = "key-store-credential";
    /// The empty envelope by which a passphrase is known to be right ([`crate::root`]).
    pub const PASSPHRASE_VERIFIER: &str = "passphrase-verifier";
}

/// What an envelope is for and whose it is. Authenticated, not written: whoever opens it must know.
///
/// ```text
/// label ‖ number of fields ‖ (name ‖ value) …
///     label, name and value each have their length before them; numbers: 32 bits, big-endian
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Purpose<'a> {
    label: &'a str,
    owner: &'a [(&'a str, &'a [u8])],
}

impl<'a> Purpose<'a> {
    /// A use, from [`label`], and fields that name the owner: account, Region, key id, material id.
    ///
    /// Fields are authenticated in the order given.
    #[must_use]
    pub const fn new(label: &'a str, owner: &'a [(&'a str, &'a [u8])]) -> Self {
        Self { label, owner }
    }

    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        push(&mut bytes, self.label.as_bytes());
        bytes.extend_from_slice(&length(self.owner.len()));
        for (name, value) in self.owner {
            push(&mut bytes, name.as_bytes());
            push(&mut bytes, value);
        }
        bytes
    }
}

fn push(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&length(part.len()));
    bytes.extend_from_slice(part);
}

/// Purposes are a few short fields of our own, far below 4 GiB.
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

/// Why an envelope was not opened. These are read by operators, not by callers of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Sealed by another version of trent, most likely a newer one.
    #[error("sealed envelope of unknown version {0}")]
    UnknownVersion(u8),
    /// Too short to be an envelope.
    #[error("not a sealed envelope")]
    Malformed,
    /// Another wrapping key, another purpose or owner, or changed bytes: these cannot be told apart.
    #[error("the sealed envelope was made with another key or for another purpose, or it was altered")]
    WrongKeyOrAltered,
}

/// Seals `plaintext` under `wrapping` for `purpose`.
///
/// # Errors
/// When there are no random bytes.
pub fn seal(
    wrapping: &[u8; 32],
    purpose: &Purpose<'_>,
    plaintext: &[u8],
    random: &dyn Random,
) -> Result<Vec<u8>, SealError> {
    FORMAT.seal(wrapping, &[VERSION], &purpose.to_bytes(), plaintext, random)
}

/// Opens what [`seal`] made under the same `wrapping` key and for the same `purpose`.
///
/// # Errors
/// See [`EnvelopeError`].
pub fn open(
    wrapping: &[u8; 32],
    purpose: &Purpose<'_>,
    envelope: &[u8],
) -> Result<SecretBytes, EnvelopeError> {
    let version = *envelope.first().ok_or(EnvelopeError::Malformed)?;
    if version != VERSION {
        return Err(EnvelopeError::UnknownVersion(version));
    }
    if envelope.len() < ENVELOPE_OVERHEAD_BYTES {
        return Err(EnvelopeError::Malformed);
    }
    FORMAT.open(wrapping, &purpose.to_bytes(), envelope).ok_or(EnvelopeError::WrongKeyOrAltered)
}
