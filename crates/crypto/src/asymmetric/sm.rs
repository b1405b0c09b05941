//! SM2 (GM/T 0003, GB/T 32918): signatures with SM3 and the default user id, encryption, agreement on a raw secret.
//!
//! In builds with the feature `sm` only. By the crate `sm2`, which was never audited: AWS-LC has no SM2.
//!
//! Signatures are DER, SEQUENCE { r, s }. A raw message is hashed with what GM/T 0009 puts before it, Z; a digest is
//! SM3(Z ‖ message). Ciphertexts are DER, SEQUENCE { x, y, C3, C2 } (GM/T 0009 section 7.2).

use sm2::dsa::signature::hazmat::{PrehashVerifier, RandomizedPrehashSigner};
use sm2::dsa::signature::{RandomizedSigner, Verifier};
use sm2::dsa::{Signature, SigningKey, VerifyingKey};
use sm2::elliptic_curve::Group;
use sm2::elliptic_curve::point::AffineCoordinates;
use sm2::elliptic_curve::rand_core::{TryCryptoRng, TryRng};
use sm2::pke::{DecryptingKey, EncryptingKey};
use sm2::{PublicKey, SecretKey};

use super::{EncryptionAlgorithm, InvalidKey, KeyUseError, Message, SigningAlgorithm};
use crate::random::{Random, RandomError, SystemRandom};
use crate::secret::SecretBytes;

/// The length of a scalar, and of a shared secret.
pub(super) const SCALAR_BYTES: usize = 32;
/// The user id where none is agreed upon (GM/T 0009 section 10).
const USER_ID: &str = "1234567812345678";
const DIGEST_BYTES: usize = 32;
/// The longest plaintext that the API takes.
const PLAINTEXT_BYTES_MAX: usize = 1024;

/// A key pair.
pub(super) struct Pair {
    secret: SecretKey,
    signing: SigningKey,
}

impl Pair {
    /// The key pair of a scalar, and its public key as an uncompressed point.
    pub(super) fn new(scalar: &[u8]) -> Result<(Self, Vec<u8>), InvalidKey> {
        if scalar.len() != SCALAR_BYTES {
            return Err(InvalidKey::Malformed);
        }
        let secret = SecretKey::from_slice(scalar).map_err(|_| InvalidKey::Inconsistent)?;
        // Refuses n - 1 too, with which nothing could be signed.
        let signing = SigningKey::new(USER_ID, &secret).map_err(|_| InvalidKey::Inconsistent)?;
        let point = secret.public_key().to_sec1_bytes().into_vec();
        Ok((Self { secret, signing }, point))
    }

    pub(super) fn sign(
        &self,
        algorithm: SigningAlgorithm,
        message: Message<'_>,
    ) -> Result<Vec<u8>, KeyUseError> {
        let mut random = Generator(SystemRandom::new());
        let signature: Result<Signature, _> = match checked(algorithm, message)? {
            Checked::Raw(message) => self.signing.try_sign_with_rng(&mut random, message),
            Checked::Digest(digest) => self.signing.sign_prehash_with_rng(&mut random, digest),
        };
        signature.map(|signature| signature.to_der().to_vec()).map_err(|_| KeyUseError::Failed)
    }

    pub(super) fn decrypt(
        &self,
        algorithm: EncryptionAlgorithm,
        ciphertext: &[u8],
    ) -> Result<SecretBytes, KeyUseError> {
        if algorithm != EncryptionAlgorithm::Sm2Pke {
            return Err(KeyUseError::Incompatible);
        }
        let plaintext = DecryptingKey::new(self.secret.clone()).decrypt_der(ciphertext);
        plaintext.map(SecretBytes::from).map_err(|_| KeyUseError::InvalidCiphertext)
    }

    /// The x coordinate of scalar × `point`.
    pub(super) fn agree(&self, point: &[u8]) -> Result<SecretBytes, KeyUseError> {
        let peer = PublicKey::from_sec1_bytes(point).map_err(|_| KeyUseError::InvalidPublicKey)?;
        let shared = peer.to_projective() * self.secret.to_nonzero_scalar().as_ref();
        if shared.is_identity().into() {
            return Err(KeyUseError::InvalidPublicKey);
        }
        Ok(shared.to_affine().x().to_vec().into())
    }
}

/// A new scalar: candidates are tested, as for other curves.
pub(super) fn generate(random: &dyn Random) -> Result<SecretBytes, RandomError> {
    // A candidate is out of range with a probability of 2^-32.
    const CANDIDATES_MAX: usize = 8;
    for _ in 0..CANDIDATES_MAX {
        let candidate = SecretBytes::generate(SCALAR_BYTES, random)?;
        if Pair::new(candidate.expose()).is_ok() {
            return Ok(candidate);
        }
    }
    Err(RandomError)
}

pub(super) fn is_public_key(point: &[u8]) -> bool {
    PublicKey::from_sec1_bytes(point).is_ok()
}

pub(super) fn verify(
    point: &[u8],
    algorithm: SigningAlgorithm,
    message: Message<'_>,
    signature: &[u8],
) -> Result<(), KeyUseError> {
    let message = checked(algorithm, message)?;
    let key = VerifyingKey::from_sec1_bytes(USER_ID, point).map_err(|_| KeyUseError::Failed)?;
    let signature = Signature::from_der(signature).map_err(|_| KeyUseError::InvalidSignature)?;
    let valid = match message {
        Checked::Raw(message) => key.verify(message, &signature),
        Checked::Digest(digest) => key.verify_prehash(digest, &signature),
    };
    valid.map_err(|_| KeyUseError::InvalidSignature)
}

pub(super) fn encrypt(
    point: &[u8],
    algorithm: EncryptionAlgorithm,
    plaintext: &[u8],
) -> Result<Vec<u8>, KeyUseError> {
    if algorithm != EncryptionAlgorithm::Sm2Pke {
        return Err(KeyUseError::Incompatible);
    }
    if plaintext.len() > PLAINTEXT_BYTES_MAX {
        return Err(KeyUseError::PlaintextTooLong { bytes_max: PLAINTEXT_BYTES_MAX });
    }
    let key = EncryptingKey::from_sec1_bytes(point).map_err(|_| KeyUseError::Failed)?;
    key.encrypt_der(&mut Generator(SystemRandom::new()), plaintext).map_err(|_| KeyUseError::Failed)
}

/// A message of a type that SM2 takes.
enum Checked<'a> {
    Raw(&'a [u8]),
    Digest(&'a [u8]),
}

fn checked(algorithm: SigningAlgorithm, message: Message<'_>) -> Result<Checked<'_>, KeyUseError> {
    match (algorithm, message) {
        (SigningAlgorithm::Sm2Dsa, Message::Raw(message)) => Ok(Checked::Raw(message)),
        (SigningAlgorithm::Sm2Dsa, Message::Digest(digest)) if digest.len() == DIGEST_BYTES => {
            Ok(Checked::Digest(digest))
        }
        (SigningAlgorithm::Sm2Dsa, Message::Digest(_)) => Err(KeyUseError::DigestLength),
        (SigningAlgorithm::Sm2Dsa, Message::ExternalMu(_)) => Err(KeyUseError::MessageType),
        _ => Err(KeyUseError::Incompatible),
    }
}

/// AWS-LC's generator, as RustCrypto asks for random bytes.
struct Generator(SystemRandom);

impl TryRng for Generator {
    type Error = RandomError;

    fn try_next_u32(&mut self) -> Result<u32, RandomError> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, RandomError> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), RandomError> {
        self.0.fill(out)
    }
}

impl TryCryptoRng for Generator {}
