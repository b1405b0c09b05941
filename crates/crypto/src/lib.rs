//! Cryptography of trent: secrets that wipe themselves, key derivation, and the formats of everything sealed.
//!
//! Here: the ciphertext blob of symmetric encryption ([`ciphertext`]), key pairs ([`asymmetric`]) and HMAC ([`mac`]),
//! sealed envelopes for what is kept at rest ([`envelope`]), and for others ([`cms`]), root key files and passphrases ([`root`]), and what they
//! are made of ([`kdf`], [`random`], [`secret`], [`locked`]). The byte layouts are in `docs/book/formats.md`.
//!
//! Not here: who may use a key, where keys are stored, time, logging. The crate is pure: randomness is passed in,
//! nothing waits, nothing is written anywhere. The one system call is locking pages of memory ([`locked`]).
//!
//! Invariant: the bytes of a secret are reachable only through a method named `expose`, so that one search finds
//! every place that touches them.

pub mod asymmetric;
pub mod certificate;
pub mod checkpoint;
pub mod ciphertext;
pub mod cms;
pub mod digest;
pub mod envelope;
pub mod external;
pub mod kdf;
pub mod locked;
pub mod mac;
pub mod material_id;
pub mod random;
pub mod root;
pub mod secret;
pub mod totp;
pub mod transfer;

mod der;
#[cfg(test)]
mod fixtures;
mod join;
mod message;

pub use asymmetric::{
    Encapsulated, EncryptionAlgorithm, InvalidKey, KeyPair, KeyPairSpec, KeyUseError, KeyWrapping, Message,
    PublicKey, RecordError, SigningAlgorithm,
};
pub use ciphertext::{BlobKeyId, CanonicalContext, InvalidCiphertext};
pub use envelope::{EnvelopeError, Purpose};
pub use locked::{LockedKey, LockedKeys};
pub use mac::{InvalidMac, InvalidMacKey, MacKey, MacSpec};
pub use message::SealError;
pub use random::{Random, RandomError, SystemRandom};
pub use secret::{Key256, Secret, SecretBytes};
pub use totp::TotpKey;
