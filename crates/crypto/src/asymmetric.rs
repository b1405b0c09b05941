//! Key pairs: making, importing, keeping and using them.
//!
//! A [`KeyPair`] has a [`KeyPairSpec`] and does what its kind can do: sign ([`KeyPair::sign`]), decrypt
//! ([`KeyPair::decrypt`]), agree on a secret ([`KeyPair::agree`]) or decapsulate one ([`KeyPair::decapsulate`]). What
//! needs no private key (verify, encrypt, encapsulate) is with its [`PublicKey`]. One module a kind computes; the
//! stored form is in [`record`], PKCS#8 and SPKI are in `pkcs8` and `spki`.
//!
//! Not here: which use a key was made for, and limits of the API such as the length of messages.
//!
//! Randomness: private keys come from the [`Random`] passed in, but for RSA. RSA key pairs, signatures, encryption and
//! encapsulation take theirs from the generator of AWS-LC, which cannot be replaced.
//!
//! Invariant: private and public part of a [`KeyPair`] belong together. Whatever comes from outside is checked.

mod ec;
mod ed25519;
mod message;
mod ml_dsa;
mod ml_kem;
mod pkcs8;
pub mod record;
mod rsa;
#[cfg(feature = "sm")]
mod sm;
mod spec;
mod spki;
mod wrapping;

use crate::random::{Random, RandomError};
use crate::secret::SecretBytes;

pub use message::{EncryptionAlgorithm, Message, SigningAlgorithm};
pub use ml_kem::Encapsulated;
pub use record::RecordError;
pub use spec::KeyPairSpec;
pub use wrapping::KeyWrapping;

use spec::Kind;

/// Why a key was not used.
///
/// Signatures and ciphertexts that are wrong are so without a reason: a caller who could tell the cases apart would
/// learn something about the key or the plaintext.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyUseError {
    /// The key cannot be used with the algorithm, or not for this at all.
    #[error("the algorithm is not one of the key's")]
    Incompatible,
    /// The algorithm does not take this type of message.
    #[error("the algorithm does not take this type of message")]
    MessageType,
    /// The digest, or the μ, has not the length that the algorithm wants.
    #[error("the digest has not the length of the algorithm's digests")]
    DigestLength,
    /// The plaintext is longer than the key can encrypt.
    #[error("the plaintext is longer than {bytes_max} bytes")]
    PlaintextTooLong {
        /// What it may have.
        bytes_max: usize,
    },
    /// The signature is not one of this message by this key.
    #[error("the signature is not valid")]
    InvalidSignature,
    /// The ciphertext does not open.
    #[error("the ciphertext cannot be opened")]
    InvalidCiphertext,
    /// The public key of the other party is none, or of another curve.
    #[error("the public key of the other party is not valid")]
    InvalidPublicKey,
    /// The computation failed although nothing was wrong with its input.
    #[error("the computation failed")]
    Failed,
}

/// Why bytes were not taken for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Not the encoding that was expected.
    #[error("the key is not encoded as it should be")]
    Malformed,
    /// A key, but of another spec: another algorithm, curve, parameter set or modulus.
    #[error("the key is of another spec")]
    OtherSpec,
    /// Its parts are no valid key, or do not belong together.
    #[error("the key is invalid, or its parts do not belong together")]
    Inconsistent,
}

/// How the private part of a key pair is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As short as can be: a seed (Ed25519, ML-DSA, ML-KEM), a scalar (elliptic curves), PKCS#8 (RSA).
    Short,
    /// The expanded private key of ML-DSA or ML-KEM, of a key that was imported without its seed.
    Expanded,
}

/// A public key, as SPKI DER (RFC 5280 section 4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    spec: KeyPairSpec,
    spki: Vec<u8>,
}

impl PublicKey {
    /// The public key of `spec` that `spki` is. There is one encoding of each key; others are refused.
    ///
    /// # Errors
    /// See [`InvalidKey`].
    pub fn from_spki(spec: KeyPairSpec, spki: &[u8]) -> Result<Self, InvalidKey> {
        let raw = spki::read(spec, spki)?;
        let valid = match spec.kind() {
            Kind::Rsa(size) => rsa::is_public_key(size, raw),
            Kind::Ec(curve) => ec::is_public_key(curve, raw),
            #[cfg(feature = "sm")]
            Kind::Sm2 => sm::is_public_key(raw),
            Kind::Ed25519 | Kind::MlDsa(_) | Kind::MlKem(_) => true,
        };
        let spki = spki.to_vec();
        valid.then_some(Self { spec, spki }).ok_or(InvalidKey::Inconsistent)
    }

    /// The spec of its pair.
    #[must_use]
    pub const fn spec(&self) -> KeyPairSpec {
        self.spec
    }

    /// The key as SPKI DER.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// Checks a signature.
    ///
    /// # Errors
    /// [`KeyUseError::InvalidSignature`], whatever is wrong with it; others when algorithm or message do not fit.
    pub fn verify(
        &self,
        algorithm: SigningAlgorithm,
        message: Message<'_>,
        signature: &[u8],
    ) -> Result<(), KeyUseError> {
        match self.spec.kind() {
            Kind::Rsa(_) => rsa::verify(&self.spki, algorithm, message, signature),
            Kind::Ec(curve) => ec::verify(curve, self.raw(), algorithm, message, signature),
            Kind::Ed25519 => ed25519::verify(self.raw(), algorithm, message, signature),
            Kind::MlDsa(set) => ml_dsa::verify(set, self.raw(), algorithm, message, signature),
            Kind::MlKem(_) => Err(KeyUseError::Incompatible),
            #[cfg(feature = "sm")]
            Kind::Sm2 => sm::verify(self.raw(), algorithm, message, signature),
        }
    }

    /// Encrypts for the holder of the private key.
    ///
    /// # Errors
    /// [`KeyUseError::PlaintextTooLong`]; [`KeyUseError::Incompatible`] for all keys but RSA and SM2.
    pub fn encrypt(&self, algorithm: EncryptionAlgorithm, plaintext: &[u8]) -> Result<Vec<u8>, KeyUseError> {
        match self.spec.kind() {
            Kind::Rsa(_) => rsa::encrypt(&self.spki, algorithm, plaintext),
            #[cfg(feature = "sm")]
            Kind::Sm2 => sm::encrypt(self.raw(), algorithm, plaintext),
            _ => Err(KeyUseError::Incompatible),
        }
    }

    /// Makes a shared secret, and the ciphertext by which the holder of the private key learns it.
    ///
    /// # Errors
    /// [`KeyUseError::InvalidPublicKey`] when the key is not one of ML-KEM (FIPS 203 section 7.2);
    /// [`KeyUseError::Incompatible`] for all keys but ML-KEM.
    pub fn encapsulate(&self) -> Result<Encapsulated, KeyUseError> {
        match self.spec.kind() {
            Kind::MlKem(set) => ml_kem::encapsulate(set, self.raw()),
            _ => Err(KeyUseError::Incompatible),
        }
    }

    /// The key without its SPKI frame. It was taken out of the same bytes before, so it is there.
    pub(crate) fn raw(&self) -> &[u8] {
        spki::read(self.spec, &self.spki).unwrap_or_default()
    }
}

/// A private key with its public key, ready to use.
pub struct KeyPair {
    form: Form,
    private: SecretBytes,
    public: PublicKey,
    prepared: Prepared,
}

/// What AWS-LC works with. It keeps private parts in its own heap, and wipes them when it frees them.
enum Prepared {
    Rsa(Box<rsa::Pair>),
    Ec(Box<ec::Pair>),
    Ed25519(Box<ed25519::Pair>),
    MlDsa(Box<ml_dsa::Pair>),
    MlKem(Box<ml_kem::Pair>),
    #[cfg(feature = "sm")]
    Sm2(Box<sm::Pair>),
}

impl KeyPair {
    /// Makes a key pair. RSA takes seconds.
    ///
    /// # Errors
    /// When there is no randomness to be had.
    pub fn generate(spec: KeyPairSpec, random: &dyn Random) -> Result<Self, RandomError> {
        let private = match spec.kind() {
            Kind::Rsa(size) => rsa::generate(size).ok_or(RandomError)?,
            Kind::Ec(curve) => ec::generate(curve, random)?,
            Kind::Ed25519 => SecretBytes::generate(ed25519::SEED_BYTES, random)?,
            Kind::MlDsa(_) => SecretBytes::generate(ml_dsa::SEED_BYTES, random)?,
            Kind::MlKem(_) => SecretBytes::generate(ml_kem::SEED_BYTES, random)?,
            #[cfg(feature = "sm")]
            Kind::Sm2 => sm::generate(random)?,
        };
        // What was generated is valid; that it cannot be prepared means that AWS-LC has no memory.
        Self::new(spec, Form::Short, private).map_err(|_| RandomError)
    }

    /// The key pair of a PKCS#8 document (RFC 5958), as it is imported. Unencrypted DER; the public key is derived,
    /// and compared with those in the document, if there are any.
    ///
    /// # Errors
    /// See [`InvalidKey`].
    pub fn from_pkcs8(spec: KeyPairSpec, document: &[u8]) -> Result<Self, InvalidKey> {
        let parts = pkcs8::read(spec, document)?;
        let pair = Self::new(spec, parts.form, parts.private)?;
        let same = parts.publics.iter().all(|public| *public == pair.public.raw());
        let same_expanded = parts.expanded.is_none_or(|expanded| pair.expands_to(expanded));
        (same && same_expanded).then_some(pair).ok_or(InvalidKey::Inconsistent)
    }

    /// The private key as PKCS#8 DER without a copy of the public key but for elliptic curves, whose format has one.
    #[must_use]
    pub fn to_pkcs8(&self) -> SecretBytes {
        pkcs8::write(self.spec(), self.form, &self.private, self.public.raw())
    }

    /// The key pair of a record that [`KeyPair::to_record`] wrote for the same spec.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn from_record(spec: KeyPairSpec, record: &[u8]) -> Result<Self, RecordError> {
        let parts = record::read(spec.code(), record)?;
        let form = match parts.form {
            record::SHORT => Form::Short,
            record::EXPANDED => Form::Expanded,
            _ => return Err(RecordError::Malformed),
        };
        let pair = Self::new(spec, form, SecretBytes::from(parts.private.to_vec()));
        let pair = pair.map_err(|_| RecordError::Inconsistent)?;
        let same = pair.public.spki == parts.public;
        same.then_some(pair).ok_or(RecordError::Inconsistent)
    }

    /// The form in which it is kept: [`record`]. It is to be sealed.
    #[must_use]
    pub fn to_record(&self) -> SecretBytes {
        let form = match self.form {
            Form::Short => record::SHORT,
            Form::Expanded => record::EXPANDED,
        };
        record::write(self.spec().code(), form, self.private.expose(), &self.public.spki)
    }

    /// The spec.
    #[must_use]
    pub const fn spec(&self) -> KeyPairSpec {
        self.public.spec
    }

    /// The public key.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message.
    ///
    /// # Errors
    /// When algorithm or message do not fit.
    pub fn sign(&self, algorithm: SigningAlgorithm, message: Message<'_>) -> Result<Vec<u8>, KeyUseError> {
        match &self.prepared {
            Prepared::Rsa(pair) => pair.sign(algorithm, message),
            Prepared::Ec(pair) => pair.sign(algorithm, message),
            Prepared::Ed25519(pair) => pair.sign(algorithm, message, self.private.expose()),
            Prepared::MlDsa(pair) => pair.sign(algorithm, message, self.private.expose()),
            Prepared::MlKem(_) => Err(KeyUseError::Incompatible),
            #[cfg(feature = "sm")]
            Prepared::Sm2(pair) => pair.sign(algorithm, message),
        }
    }

    /// Decrypts what [`PublicKey::encrypt`] made.
    ///
    /// # Errors
    /// [`KeyUseError::InvalidCiphertext`], whatever is wrong; [`KeyUseError::Incompatible`] for all keys but RSA and SM2.
    pub fn decrypt(
        &self,
        algorithm: EncryptionAlgorithm,
        ciphertext: &[u8],
    ) -> Result<SecretBytes, KeyUseError> {
        match &self.prepared {
            Prepared::Rsa(pair) => pair.decrypt(algorithm, ciphertext),
            #[cfg(feature = "sm")]
            Prepared::Sm2(pair) => pair.decrypt(algorithm, ciphertext),
            _ => Err(KeyUseError::Incompatible),
        }
    }

    /// The raw shared secret with the holder of another key of the same curve, whose public key is `peer_spki`: the x
    /// coordinate, as long as the curve's field (NIST SP 800-56A section 5.7.1.2). Nothing is derived from it.
    ///
    /// # Errors
    /// [`KeyUseError::InvalidPublicKey`] when `peer_spki` is not one, of this curve, and on it;
    /// [`KeyUseError::Incompatible`] for all keys but those of the NIST curves and SM2.
    pub fn agree(&self, peer_spki: &[u8]) -> Result<SecretBytes, KeyUseError> {
        let peer = || spki::read(self.spec(), peer_spki).map_err(|_| KeyUseError::InvalidPublicKey);
        match &self.prepared {
            Prepared::Ec(pair) => pair.agree(peer()),
            #[cfg(feature = "sm")]
            Prepared::Sm2(pair) => pair.agree(peer()?),
            _ => Err(KeyUseError::Incompatible),
        }
    }

    /// The shared secret of a ciphertext of [`PublicKey::encapsulate`]. A wrong ciphertext of the right length gives a
    /// secret too, one that nobody else has (FIPS 203 section 6.3, implicit rejection).
    ///
    /// # Errors
    /// [`KeyUseError::InvalidCiphertext`] by length alone; [`KeyUseError::Incompatible`] for all keys but ML-KEM.
    pub fn decapsulate(&self, ciphertext: &[u8]) -> Result<SecretBytes, KeyUseError> {
        match &self.prepared {
            Prepared::MlKem(pair) => pair.decapsulate(ciphertext),
            _ => Err(KeyUseError::Incompatible),
        }
    }

    /// Unwraps key material that was wrapped for this key, which is RSA or SM2.
    ///
    /// # Errors
    /// [`KeyUseError::InvalidCiphertext`], whatever is wrong; [`KeyUseError::Incompatible`] for all keys but RSA.
    pub fn unwrap_key(&self, algorithm: KeyWrapping, wrapped: &[u8]) -> Result<SecretBytes, KeyUseError> {
        match &self.prepared {
            Prepared::Rsa(pair) => wrapping::unwrap(pair, self.private.expose(), algorithm, wrapped),
            #[cfg(feature = "sm")]
            Prepared::Sm2(pair) if algorithm == KeyWrapping::Sm2Pke => {
                pair.decrypt(EncryptionAlgorithm::Sm2Pke, wrapped)
            }
            _ => Err(KeyUseError::Incompatible),
        }
    }

    /// Checks the private part, derives the public one, and prepares both.
    fn new(spec: KeyPairSpec, form: Form, private: SecretBytes) -> Result<Self, InvalidKey> {
        let expandable = matches!(spec.kind(), Kind::MlDsa(_) | Kind::MlKem(_));
        if form == Form::Expanded && !expandable {
            return Err(InvalidKey::Malformed);
        }
        let bytes = private.expose();
        let (prepared, raw) = match spec.kind() {
            Kind::Rsa(size) => {
                let (pair, raw) = rsa::Pair::new(size, bytes)?;
                (Prepared::Rsa(Box::new(pair)), raw)
            }
            Kind::Ec(curve) => {
                let (pair, raw) = ec::Pair::new(curve, bytes)?;
                (Prepared::Ec(Box::new(pair)), raw)
            }
            Kind::Ed25519 => {
                let (pair, raw) = ed25519::Pair::new(bytes)?;
                (Prepared::Ed25519(Box::new(pair)), raw)
            }
            Kind::MlDsa(set) => {
                let (pair, raw) = ml_dsa::Pair::new(set, form, bytes)?;
                (Prepared::MlDsa(Box::new(pair)), raw)
            }
            Kind::MlKem(set) => {
                let (pair, raw) = ml_kem::Pair::new(set, form, bytes)?;
                (Prepared::MlKem(Box::new(pair)), raw)
            }
            #[cfg(feature = "sm")]
            Kind::Sm2 => {
                let (pair, raw) = sm::Pair::new(bytes)?;
                (Prepared::Sm2(Box::new(pair)), raw)
            }
        };
        let public = PublicKey { spec, spki: spki::write(spec, &raw) };
        Ok(Self { form, private, public, prepared })
    }

    /// Whether `expanded` is the expanded form of this key, which has a seed.
    fn expands_to(&self, expanded: &[u8]) -> bool {
        match &self.prepared {
            Prepared::MlDsa(pair) => pair.expands_to(expanded),
            Prepared::MlKem(pair) => pair.expands_to(expanded),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
