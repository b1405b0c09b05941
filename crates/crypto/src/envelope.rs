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
pub const VERSION: u8 = 1;
const PREFIX_BYTES: usize = 1;

const FORMAT: Format = Format { label: b"trent/envelope/v1", prefix_bytes: PREFIX_BYTES };

/// What sealing adds to a plaintext.
pub const ENVELOPE_OVERHEAD_BYTES: usize = PREFIX_BYTES + OVERHEAD_BYTES;

/// Labels of the purposes there are. They are part of the format: never rename one, never reuse one.
pub mod label {
    /// A key of the ring, under the root key. Field: `name`.
    pub const RING_KEY: &str = "ring-key";
    /// Material of a key, under the domain key of its account and Region. Fields: `account`, `region`, `key`,
    /// `material`.
    pub const KEY_MATERIAL: &str = "key-material";
    /// The secret of an access key, under the ring's key `access-keys`. Field: `access-key`.
    pub const ACCESS_KEY_SECRET: &str = "access-key-secret";
    /// The key of a device for one-time codes, under the ring's key `access-keys`. Field: `mfa-device`.
    pub const MFA_DEVICE_KEY: &str = "mfa-device-key";
    /// The secret that trent shows to what is behind a custom key store, under the domain key of its account and Region.
    /// Fields: `account`, `region`, `key-store`.
    pub const KEY_STORE_SECRET: &str = "key-store-secret";
    /// The marker of a paged answer, under the ring's key `markers`. Field: `list`.
    pub const MARKER: &str = "marker";
    /// An import token, under the ring's key `import-tokens`. Field: `key`.
    pub const IMPORT_TOKEN: &str = "import-token";
    /// A grant token, under the ring's key `grant-tokens`. Field: `region`.
    pub const GRANT_TOKEN: &str = "grant-token";
    /// Material of an external key, under the ring's key `external-keys`. Fields: `store`, `key`, `version`.
    pub const EXTERNAL_KEY: &str = "external-key";
    /// The secret of a credential of a proxy, under the ring's key `external-keys`. Fields: `store`, `access-key`.
    pub const PROXY_CREDENTIAL: &str = "proxy-credential";
    /// A session token, under the ring's key `sessions/<number>`. Field: `access-key`.
    pub const SESSION_TOKEN: &str = "session-token";
    /// What one deployment seals for another ([`crate::transfer`]). Field: `header`.
    pub const TRANSFER: &str = "transfer";
    /// The private keys of a recipient of transfers, under the ring's key `transfers`. Field: `id`.
    pub const TRANSFER_RECIPIENT: &str = "transfer-recipient";
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ciphertext::{BlobKeyId, CanonicalContext};
    use crate::fixtures::{Known, array, bytes, cases, hex, tampered};
    use crate::random::SystemRandom;

    const PURPOSE: Purpose<'_> = Purpose::new(label::KEY_MATERIAL, &[("account", b"111122223333")]);

    fn sealed(plaintext: &[u8]) -> Vec<u8> {
        seal(&[1; 32], &PURPOSE, plaintext, &SystemRandom::new()).unwrap()
    }

    #[test]
    fn envelopes_made_elsewhere_open_and_are_made_alike() {
        for case in cases(include_str!("../testdata/formats/v1/envelope.json")) {
            let owner = case["owner"].as_array().unwrap();
            let owner = owner.iter().map(|field| (field[0].as_str().unwrap(), bytes(&field[1])));
            let owner = Vec::from_iter(owner);
            let owner = Vec::from_iter(owner.iter().map(|(name, value)| (*name, value.as_slice())));
            let purpose = Purpose::new(case["label"].as_str().unwrap(), &owner);
            let (wrapping, plaintext) = (array(&case["wrapping"]), bytes(&case["plaintext"]));

            let opened = open(&wrapping, &purpose, &bytes(&case["envelope"])).unwrap();
            assert_eq!(*opened.expose(), plaintext);
            let random = Known::new(&[&bytes(&case["nonce"]), &bytes(&case["iv"])]);
            let made = seal(&wrapping, &purpose, &plaintext, &random).unwrap();
            assert_eq!(hex(&made), case["envelope"].as_str().unwrap());
        }
    }

    #[test]
    fn the_overhead_is_45_bytes() {
        assert_eq!(sealed(&[0; 32]).len(), 32 + 45);
    }

    #[test]
    fn another_purpose_or_owner_does_not_open_it() {
        let envelope = sealed(b"secret");
        for (label, owner) in [
            (label::RING_KEY, &[("account", b"111122223333".as_slice())] as &[(&str, &[u8])]),
            (label::KEY_MATERIAL, &[("account", b"111122223334")]),
            (label::KEY_MATERIAL, &[("region", b"111122223333")]),
            (label::KEY_MATERIAL, &[("account1", b"11122223333")]),
            (label::KEY_MATERIAL, &[]),
            (label::KEY_MATERIAL, &[("account", b"111122223333"), ("", b"")]),
        ] {
            let refused = open(&[1; 32], &Purpose::new(label, owner), &envelope);
            assert_eq!(refused, Err(EnvelopeError::WrongKeyOrAltered));
        }
        assert_eq!(open(&[2; 32], &PURPOSE, &envelope), Err(EnvelopeError::WrongKeyOrAltered));
    }

    #[test]
    fn whatever_is_done_to_an_envelope_it_does_not_open() {
        let envelope = sealed(b"secret");
        for altered in tampered(&envelope) {
            let expected = match altered.first() {
                None => EnvelopeError::Malformed,
                Some(&VERSION) if altered.len() < ENVELOPE_OVERHEAD_BYTES => EnvelopeError::Malformed,
                Some(&VERSION) => EnvelopeError::WrongKeyOrAltered,
                Some(&other) => EnvelopeError::UnknownVersion(other),
            };
            assert_eq!(open(&[1; 32], &PURPOSE, &altered), Err(expected));
        }
    }

    #[test]
    fn a_blob_is_not_an_envelope_even_under_the_same_key() {
        let key = BlobKeyId { multi_region: false, uuid: [3; 16] };
        let context = CanonicalContext::new(None);
        let random = SystemRandom::new();
        let blob = crate::ciphertext::seal(&[1; 32], key, &[2; 32], &context, b"secret", &random).unwrap();
        assert_eq!(open(&[1; 32], &PURPOSE, &blob), Err(EnvelopeError::WrongKeyOrAltered));
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(wrapping: [u8; 32], plaintext in proptest::collection::vec(any::<u8>(), 0..3000)) {
            let envelope = seal(&wrapping, &PURPOSE, &plaintext, &SystemRandom::new()).unwrap();
            let opened = open(&wrapping, &PURPOSE, &envelope).unwrap();
            prop_assert_eq!(opened.expose(), &plaintext);
        }

        #[test]
        fn arbitrary_bytes_are_refused_without_panic(mut envelope in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(open(&[1; 32], &PURPOSE, &envelope).is_err());
            if let Some(version) = envelope.first_mut() {
                *version = VERSION;
            }
            prop_assert!(open(&[1; 32], &PURPOSE, &envelope).is_err());
        }
    }
}
