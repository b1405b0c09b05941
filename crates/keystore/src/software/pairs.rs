//! Key pairs: what takes more than some 0.1 ms is computed on the threads of the pool, all else at once.

use std::sync::Arc;

use trent_crypto::SecretBytes;
use trent_crypto::asymmetric::{self, KeyPair, KeyPairSpec, KeyUseError};
use trent_domain::key::Key;
use trent_protocol::{
    DataKeyPairSpec, EncryptionAlgorithm, KeySpec, KeyUsage, MessageType, SigningAlgorithm,
};

use crate::pool::{Asker, Pool};
use crate::store::{
    AgreementKey, Answer, DecryptionKey, Encapsulated, EncapsulationKey, Message, OpenedKey, SigningKey,
    StoreError,
};

/// What `crypto` calls the spec; nothing for specs that are no pairs', or that it does not have.
pub(super) const fn spec(spec: KeySpec) -> Option<KeyPairSpec> {
    Some(match spec {
        KeySpec::Rsa2048 => KeyPairSpec::Rsa2048,
        KeySpec::Rsa3072 => KeyPairSpec::Rsa3072,
        KeySpec::Rsa4096 => KeyPairSpec::Rsa4096,
        KeySpec::EccNistP256 => KeyPairSpec::EccNistP256,
        KeySpec::EccNistP384 => KeyPairSpec::EccNistP384,
        KeySpec::EccNistP521 => KeyPairSpec::EccNistP521,
        KeySpec::EccSecgP256k1 => KeyPairSpec::EccSecgP256k1,
        KeySpec::EccNistEdwards25519 => KeyPairSpec::EccNistEdwards25519,
        KeySpec::MlDsa44 => KeyPairSpec::MlDsa44,
        KeySpec::MlDsa65 => KeyPairSpec::MlDsa65,
        KeySpec::MlDsa87 => KeyPairSpec::MlDsa87,
        KeySpec::MlKem512 => KeyPairSpec::MlKem512,
        KeySpec::MlKem768 => KeyPairSpec::MlKem768,
        KeySpec::MlKem1024 => KeyPairSpec::MlKem1024,
        KeySpec::SymmetricDefault
        | KeySpec::Hmac224
        | KeySpec::Hmac256
        | KeySpec::Hmac384
        | KeySpec::Hmac512 => return None,
        KeySpec::Sm2 => return sm2(),
    })
}

/// SM2 where this build has it.
pub(super) const fn sm2() -> Option<KeyPairSpec> {
    #[cfg(feature = "sm")]
    return Some(KeyPairSpec::Sm2);
    #[cfg(not(feature = "sm"))]
    None
}

/// The same for the pairs that callers keep themselves.
pub(super) fn data_spec(asked: DataKeyPairSpec) -> Result<KeyPairSpec, StoreError> {
    let named = KeySpec::parse(asked.as_str()).unwrap_or(KeySpec::Sm2);
    spec(named).ok_or(StoreError::Unsupported(named))
}

/// Nothing when what was unsealed is no pair of this spec, or the pair cannot be used so.
pub(super) async fn open(
    spec: KeyPairSpec,
    key: &Key,
    record: SecretBytes,
    pool: &Arc<Pool>,
) -> Result<Option<OpenedKey>, StoreError> {
    let read = move || KeyPair::from_record(spec, record.expose());
    let asker = Some(key.account);
    let pair = if is_slow_to_prepare(spec) { pool.run(asker, read).await? } else { read() };
    let Ok(pair) = pair else { return Ok(None) };
    let pair = Arc::new(SoftwarePair { pair: Arc::new(pair), asker, pool: Arc::clone(pool) });
    Ok(match key.usage {
        KeyUsage::EncryptDecrypt => Some(OpenedKey::Decryption(pair)),
        KeyUsage::SignVerify => Some(OpenedKey::Signing(pair)),
        KeyUsage::KeyAgreement => Some(OpenedKey::Agreement(pair)),
        KeyUsage::EncapsulateDecapsulate => Some(OpenedKey::Encapsulation(pair)),
        KeyUsage::GenerateVerifyMac => None,
    })
}

// Measured on one core in microseconds: RSA 380 to 1350, secp256k1 540, P-521 430, P-384 250, P-256 65, all else less.
pub(super) fn is_slow_to_prepare(spec: KeyPairSpec) -> bool {
    use KeyPairSpec as S;
    matches!(spec, S::Rsa2048 | S::Rsa3072 | S::Rsa4096 | S::EccNistP384 | S::EccNistP521 | S::EccSecgP256k1)
        || is_sm2(spec)
}

/// Whether it is SM2, of which nothing is quick: it is computed without the help of assembly.
fn is_sm2(spec: KeyPairSpec) -> bool {
    sm2() == Some(spec)
}

/// A pair, ready to use.
struct SoftwarePair {
    pair: Arc<KeyPair>,
    asker: Asker,
    pool: Arc<Pool>,
}

impl SoftwarePair {
    async fn compute<T: Send + 'static>(
        &self,
        slow: bool,
        work: impl FnOnce(&KeyPair) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if !slow {
            return work(&self.pair);
        }
        let pair = Arc::clone(&self.pair);
        self.pool.run(self.asker, move || work(&pair)).await?
    }
}

// Measured on one core in microseconds: signing P-256 24, Ed25519 12, P-384 138, ML-DSA 155 to 330, RSA 860 and more.
const fn is_slow_to_sign(spec: KeyPairSpec) -> bool {
    !matches!(spec, KeyPairSpec::EccNistP256 | KeyPairSpec::EccNistEdwards25519)
}

// Verifying RSA 25 to 91, P-256 77, Ed25519 54, ML-DSA 40 to 100; the other curves three times P-256 and more.
fn is_slow_to_verify(spec: KeyPairSpec) -> bool {
    matches!(spec, KeyPairSpec::EccNistP384 | KeyPairSpec::EccNistP521 | KeyPairSpec::EccSecgP256k1)
        || is_sm2(spec)
}

impl SigningKey for SoftwarePair {
    fn sign(&self, message: Message, algorithm: SigningAlgorithm) -> Answer<'_, Vec<u8>> {
        Box::pin(async move {
            let algorithm = signing(algorithm)?;
            let slow = is_slow_to_sign(self.pair.spec());
            self.compute(slow, move |pair| pair.sign(algorithm, borrowed(&message)).map_err(told)).await
        })
    }

    fn verify(&self, message: Message, signature: Vec<u8>, algorithm: SigningAlgorithm) -> Answer<'_, ()> {
        Box::pin(async move {
            let algorithm = signing(algorithm)?;
            let slow = is_slow_to_verify(self.pair.spec());
            self.compute(slow, move |pair| {
                pair.public().verify(algorithm, borrowed(&message), &signature).map_err(told)
            })
            .await
        })
    }
}

impl DecryptionKey for SoftwarePair {
    fn encrypt(&self, plaintext: &[u8], algorithm: EncryptionAlgorithm) -> Answer<'_, Vec<u8>> {
        let plaintext = SecretBytes::from(plaintext.to_vec());
        Box::pin(async move {
            let algorithm = encryption(algorithm)?;
            let slow = is_sm2(self.pair.spec());
            let encrypt =
                move |pair: &KeyPair| pair.public().encrypt(algorithm, plaintext.expose()).map_err(told);
            self.compute(slow, encrypt).await
        })
    }

    fn decrypt(&self, ciphertext: &[u8], algorithm: EncryptionAlgorithm) -> Answer<'_, SecretBytes> {
        let ciphertext = ciphertext.to_vec();
        Box::pin(async move {
            let algorithm = encryption(algorithm)?;
            self.compute(true, move |pair| pair.decrypt(algorithm, &ciphertext).map_err(told)).await
        })
    }
}

impl AgreementKey for SoftwarePair {
    fn agree(&self, peer: &[u8]) -> Answer<'_, SecretBytes> {
        let peer = peer.to_vec();
        let slow = self.pair.spec() != KeyPairSpec::EccNistP256;
        Box::pin(self.compute(slow, move |pair| pair.agree(&peer).map_err(told)))
    }
}

impl EncapsulationKey for SoftwarePair {
    fn encapsulate(&self) -> Answer<'_, Encapsulated> {
        let made = self.pair.public().encapsulate().map_err(told);
        let made = made.map(|made| Encapsulated { secret: made.shared_secret, ciphertext: made.ciphertext });
        Box::pin(std::future::ready(made))
    }

    fn decapsulate(&self, ciphertext: &[u8]) -> Answer<'_, SecretBytes> {
        Box::pin(std::future::ready(self.pair.decapsulate(ciphertext).map_err(told)))
    }
}

fn borrowed(message: &Message) -> asymmetric::Message<'_> {
    let bytes = message.bytes.expose().as_slice();
    match message.kind {
        MessageType::Raw => asymmetric::Message::Raw(bytes),
        MessageType::Digest => asymmetric::Message::Digest(bytes),
        MessageType::ExternalMu => asymmetric::Message::ExternalMu(bytes),
    }
}

/// What went wrong, as stores tell it. The gate has checked algorithm, kind and length of the input before.
fn told(error: KeyUseError) -> StoreError {
    match error {
        KeyUseError::InvalidSignature => StoreError::InvalidSignature,
        KeyUseError::InvalidCiphertext => StoreError::InvalidCiphertext,
        KeyUseError::InvalidPublicKey => StoreError::InvalidPublicKey,
        KeyUseError::Incompatible
        | KeyUseError::MessageType
        | KeyUseError::DigestLength
        | KeyUseError::PlaintextTooLong { .. }
        | KeyUseError::Failed => StoreError::Library,
    }
}

fn encryption(algorithm: EncryptionAlgorithm) -> Result<asymmetric::EncryptionAlgorithm, StoreError> {
    use asymmetric::EncryptionAlgorithm as Own;
    match algorithm {
        EncryptionAlgorithm::RsaesOaepSha1 => Ok(Own::RsaesOaepSha1),
        EncryptionAlgorithm::RsaesOaepSha256 => Ok(Own::RsaesOaepSha256),
        #[cfg(feature = "sm")]
        EncryptionAlgorithm::Sm2pke => Ok(Own::Sm2Pke),
        #[cfg(not(feature = "sm"))]
        EncryptionAlgorithm::Sm2pke => Err(StoreError::Library),
        EncryptionAlgorithm::SymmetricDefault => Err(StoreError::Library),
    }
}

fn signing(algorithm: SigningAlgorithm) -> Result<asymmetric::SigningAlgorithm, StoreError> {
    use asymmetric::SigningAlgorithm as Own;
    Ok(match algorithm {
        SigningAlgorithm::RsassaPssSha256 => Own::RsassaPssSha256,
        SigningAlgorithm::RsassaPssSha384 => Own::RsassaPssSha384,
        SigningAlgorithm::RsassaPssSha512 => Own::RsassaPssSha512,
        SigningAlgorithm::RsassaPkcs1V15Sha256 => Own::RsassaPkcs1V15Sha256,
        SigningAlgorithm::RsassaPkcs1V15Sha384 => Own::RsassaPkcs1V15Sha384,
        SigningAlgorithm::RsassaPkcs1V15Sha512 => Own::RsassaPkcs1V15Sha512,
        SigningAlgorithm::EcdsaSha256 => Own::EcdsaSha256,
        SigningAlgorithm::EcdsaSha384 => Own::EcdsaSha384,
        SigningAlgorithm::EcdsaSha512 => Own::EcdsaSha512,
        SigningAlgorithm::Ed25519Sha512 => Own::Ed25519Sha512,
        SigningAlgorithm::Ed25519PhSha512 => Own::Ed25519PhSha512,
        SigningAlgorithm::MlDsaShake256 => Own::MlDsaShake256,
        #[cfg(feature = "sm")]
        SigningAlgorithm::Sm2dsa => Own::Sm2Dsa,
        #[cfg(not(feature = "sm"))]
        SigningAlgorithm::Sm2dsa => return Err(StoreError::Library),
    })
}
