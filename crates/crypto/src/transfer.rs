//! Transfers: what one deployment seals for another, which alone can open it.
//!
//! ```text
//! offset  bytes
//!      0     14  "trent-transfer"
//!     14      1  version: 01
//!     15     16  recipient: the first of SHA-256("trent/transfer-recipient/v1" ‖ 00 ‖ P-384 key ‖ ML-KEM-768 key)
//!     31    120  P-384 key made for this transfer: SubjectPublicKeyInfo
//!    151   1088  ciphertext of ML-KEM-768
//!   1239 45 + n  sealed envelope of the content; purpose: label "transfer", one field "header" with the bytes before
//! ```
//!
//! The wrapping key of the envelope is `KDF(HMAC-SHA-256(32 zero bytes, KEM secret ‖ ECDH secret), "trent/transfer/v1",
//! header ‖ keys of the recipient)`: the extraction of RFC 5869 over both secrets, so that it holds as long as one of the
//! two does. Both public keys of the recipient are SubjectPublicKeyInfo too. Nothing says who sealed a transfer.

mod file;

pub use file::{decode_recipient, encode_recipient};

use aws_lc_rs::{digest, hmac};

use crate::asymmetric::{KeyPair, KeyPairSpec, PublicKey};
use crate::envelope::{self, ENVELOPE_OVERHEAD_BYTES, Purpose, label};
use crate::kdf;
use crate::random::{Random, RandomError};
use crate::secret::{Key256, SecretBytes};

const MAGIC: &[u8; 14] = b"trent-transfer";
const VERSION: u8 = 1;
const ECDH: KeyPairSpec = KeyPairSpec::EccNistP384;
const KEM: KeyPairSpec = KeyPairSpec::MlKem768;
const ECDH_KEY_BYTES: usize = 120;
const KEM_CIPHERTEXT_BYTES: usize = 1088;
const ID_BYTES: usize = 16;
const HEADER_BYTES: usize = MAGIC.len() + 1 + ID_BYTES + ECDH_KEY_BYTES + KEM_CIPHERTEXT_BYTES;

/// Why a transfer cannot be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// It does not begin as transfers do.
    #[error("this is no transfer")]
    NotATransfer,
    /// It is of a version that this trent does not know.
    #[error("this transfer is of version {0}, which this version of trent does not know")]
    Version(u8),
    /// It was sealed for somebody else.
    #[error("this transfer was sealed for another recipient")]
    OtherRecipient,
    /// It was altered, or cut short.
    #[error("this transfer is damaged")]
    Damaged,
    /// The keys of a recipient are none.
    #[error("these are no keys of a recipient")]
    Recipient,
    /// A recipient's file is something else, or of a version that this trent does not know.
    #[error("this is no file of a recipient of this version: `trent import --new-recipient` writes one")]
    NotARecipient,
    /// There is no randomness.
    #[error("no randomness")]
    Random(#[from] RandomError),
}

/// Whom a transfer is sealed for.
pub struct RecipientKey {
    ecdh: Vec<u8>,
    kem: Vec<u8>,
}

impl RecipientKey {
    /// From two SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// One of them is no key of its kind.
    pub fn from_spki(ecdh: &[u8], kem: &[u8]) -> Result<Self, TransferError> {
        for (spec, key) in [(ECDH, ecdh), (KEM, kem)] {
            PublicKey::from_spki(spec, key).map_err(|_| TransferError::Recipient)?;
        }
        Ok(Self { ecdh: ecdh.to_vec(), kem: kem.to_vec() })
    }

    /// The two as SubjectPublicKeyInfo: P-384, ML-KEM-768.
    #[must_use]
    pub fn spki(&self) -> (&[u8], &[u8]) {
        (&self.ecdh, &self.kem)
    }

    /// Names it: nobody can make another with the same id.
    #[must_use]
    pub fn id(&self) -> [u8; ID_BYTES] {
        let named = [b"trent/transfer-recipient/v1\0", self.ecdh.as_slice(), &self.kem].concat();
        let digest = digest::digest(&digest::SHA256, &named);
        digest.as_ref().first_chunk().copied().unwrap_or_default()
    }

    /// Seals `content`, so that the recipient alone can open it.
    ///
    /// # Errors
    /// There is no randomness, or the library failed.
    pub fn seal(&self, content: &[u8], random: &dyn Random) -> Result<Vec<u8>, TransferError> {
        let fresh = KeyPair::generate(ECDH, random)?;
        let agreed = fresh.agree(&self.ecdh).map_err(|_| TransferError::Recipient)?;
        let kem = PublicKey::from_spki(KEM, &self.kem).map_err(|_| TransferError::Recipient)?;
        let encapsulated = kem.encapsulate().map_err(|_| TransferError::Recipient)?;
        let id = self.id();
        let parts: [&[u8]; 5] = [MAGIC, &[VERSION], &id, fresh.public().spki(), &encapsulated.ciphertext];
        let header = parts.concat();
        let key = self.wrapping_key(&encapsulated.shared_secret, &agreed, &header);
        let field = [("header", header.as_slice())];
        let sealed = envelope::seal(key.expose(), &Purpose::new(label::TRANSFER, &field), content, random);
        let sealed = sealed.map_err(|_| TransferError::Damaged)?;
        Ok([header, sealed].concat())
    }

    fn wrapping_key(&self, encapsulated: &SecretBytes, agreed: &SecretBytes, header: &[u8]) -> Key256 {
        let secrets = SecretBytes::from([encapsulated.expose().as_slice(), agreed.expose()].concat());
        let extracted = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &[0; 32]), secrets.expose());
        let extracted = Key256::new(extracted.as_ref().first_chunk().copied().unwrap_or_default());
        let context = [header, self.ecdh.as_slice(), &self.kem].concat();
        kdf::derive(extracted.expose(), b"trent/transfer/v1", &context)
    }
}

/// Who opens transfers.
pub struct Recipient {
    ecdh: KeyPair,
    kem: KeyPair,
}

impl Recipient {
    /// A new one.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn generate(random: &dyn Random) -> Result<Self, TransferError> {
        Ok(Self { ecdh: KeyPair::generate(ECDH, random)?, kem: KeyPair::generate(KEM, random)? })
    }

    /// From what [`Recipient::to_bytes`] gave.
    ///
    /// # Errors
    /// It is something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TransferError> {
        let rest = bytes.strip_prefix(&[VERSION]).ok_or(TransferError::Recipient)?;
        let (length, rest) = rest.split_first_chunk::<4>().ok_or(TransferError::Recipient)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let (ecdh, kem) = rest.split_at_checked(length).ok_or(TransferError::Recipient)?;
        let read = |spec, record| KeyPair::from_record(spec, record).map_err(|_| TransferError::Recipient);
        Ok(Self { ecdh: read(ECDH, ecdh)?, kem: read(KEM, kem)? })
    }

    /// All of it: version, length of the first key record (32 bits, big-endian), the records of P-384 and ML-KEM-768.
    #[must_use]
    pub fn to_bytes(&self) -> SecretBytes {
        let (ecdh, kem) = (self.ecdh.to_record(), self.kem.to_record());
        let length = u32::try_from(ecdh.expose().len()).unwrap_or(u32::MAX).to_be_bytes();
        let parts: [&[u8]; 4] = [&[VERSION], &length, ecdh.expose(), kem.expose()];
        SecretBytes::from(parts.concat())
    }

    /// What others seal with.
    #[must_use]
    pub fn public(&self) -> RecipientKey {
        let spki = |pair: &KeyPair| pair.public().spki().to_vec();
        RecipientKey { ecdh: spki(&self.ecdh), kem: spki(&self.kem) }
    }

    /// Opens a transfer.
    ///
    /// # Errors
    /// See [`TransferError`].
    pub fn open(&self, transfer: &[u8]) -> Result<SecretBytes, TransferError> {
        let (id, rest) = read_start(transfer)?;
        let public = self.public();
        if id != public.id() {
            return Err(TransferError::OtherRecipient);
        }
        let (ecdh, rest) = rest.split_first_chunk::<ECDH_KEY_BYTES>().ok_or(TransferError::Damaged)?;
        let (kem, sealed) = rest.split_first_chunk::<KEM_CIPHERTEXT_BYTES>().ok_or(TransferError::Damaged)?;
        if sealed.len() < ENVELOPE_OVERHEAD_BYTES {
            return Err(TransferError::Damaged);
        }
        let header = transfer.get(..HEADER_BYTES).unwrap_or_default();
        let agreed = self.ecdh.agree(ecdh).map_err(|_| TransferError::Damaged)?;
        let encapsulated = self.kem.decapsulate(kem).map_err(|_| TransferError::Damaged)?;
        let key = public.wrapping_key(&encapsulated, &agreed, header);
        let field = [("header", header)];
        envelope::open(key.expose(), &Purpose::new(label::TRANSFER, &field), sealed)
            .map_err(|_| TransferError::Damaged)
    }
}

/// The id of whom a transfer is sealed for.
///
/// # Errors
/// It is no transfer of this version.
pub fn recipient_of(transfer: &[u8]) -> Result<[u8; ID_BYTES], TransferError> {
    Ok(read_start(transfer)?.0)
}

/// The id of the recipient, and what follows it.
fn read_start(transfer: &[u8]) -> Result<([u8; ID_BYTES], &[u8]), TransferError> {
    let rest = transfer.strip_prefix(MAGIC).ok_or(TransferError::NotATransfer)?;
    let (version, rest) = rest.split_first().ok_or(TransferError::Damaged)?;
    if *version != VERSION {
        return Err(TransferError::Version(*version));
    }
    let (id, rest) = rest.split_first_chunk::<ID_BYTES>().ok_or(TransferError::Damaged)?;
    Ok((*id, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    #[test]
    fn the_recipient_opens_what_was_sealed_for_it_and_nobody_else_does() {
        let random = SystemRandom::new();
        let (own, other) = (Recipient::generate(&random).unwrap(), Recipient::generate(&random).unwrap());
        let public = own.public();
        let (ecdh, kem) = public.spki();
        let sealed = RecipientKey::from_spki(ecdh, kem).unwrap().seal(b"keys", &random).unwrap();
        let kept = own.to_bytes();
        let again = Recipient::from_bytes(kept.expose()).unwrap();
        for length in 0..kept.expose().len() {
            assert!(Recipient::from_bytes(&kept.expose()[..length]).is_err(), "{length}");
        }
        assert_eq!(again.open(&sealed).unwrap().expose(), b"keys");
        assert_eq!(other.open(&sealed).err(), Some(TransferError::OtherRecipient));
        assert_eq!(sealed.len(), HEADER_BYTES + ENVELOPE_OVERHEAD_BYTES + 4);
    }

    #[test]
    fn every_altered_byte_and_every_cut_is_found() {
        let random = SystemRandom::new();
        let own = Recipient::generate(&random).unwrap();
        let sealed = own.public().seal(b"keys", &random).unwrap();
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            let told = own.open(&altered).err();
            let expected = match at {
                0..14 => TransferError::NotATransfer,
                14 => TransferError::Version(0),
                15..31 => TransferError::OtherRecipient,
                _ => TransferError::Damaged,
            };
            assert_eq!(told, Some(expected), "byte {at}");
            assert!(own.open(&sealed[..at]).is_err(), "{at} bytes");
        }
        assert!(own.open(&[sealed.as_slice(), &[0]].concat()).is_err());
    }
}
