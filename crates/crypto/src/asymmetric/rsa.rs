//! RSA, RFC 8017: signatures RSASSA-PSS (section 8.1) and RSASSA-PKCS1-v1_5 (section 8.2), encryption RSAES-OAEP
//! (section 7.1).
//!
//! PSS: MGF1 with the hash of the message, a salt as long as a digest; signatures with another salt length are
//! refused. OAEP: the named hash for the label, which is empty, and for MGF1.

use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey,
    OaepPublicEncryptingKey, Pkcs1PrivateDecryptingKey, PrivateDecryptingKey, PublicEncryptingKey, PublicKey,
};
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
    RsaParameters, UnparsedPublicKey,
};
use zeroize::Zeroizing;

use super::{EncryptionAlgorithm, InvalidKey, KeyUseError, Message, SigningAlgorithm};
use crate::der::{INTEGER, Reader, SEQUENCE};
use crate::secret::SecretBytes;

fn oaep(algorithm: EncryptionAlgorithm) -> Result<&'static OaepAlgorithm, KeyUseError> {
    match algorithm {
        EncryptionAlgorithm::RsaesOaepSha1 => Ok(&OAEP_SHA1_MGF1SHA1),
        EncryptionAlgorithm::RsaesOaepSha256 => Ok(&OAEP_SHA256_MGF1SHA256),
        #[cfg(feature = "sm")]
        EncryptionAlgorithm::Sm2Pke => Err(KeyUseError::Incompatible),
    }
}

/// An algorithm, as AWS-LC signs with it and verifies it.
struct Signing {
    digest: &'static digest::Algorithm,
    encoding: &'static dyn RsaEncoding,
    parameters: &'static RsaParameters,
}

#[rustfmt::skip]
fn signing(algorithm: SigningAlgorithm) -> Result<Signing, KeyUseError> {
    use SigningAlgorithm as Algorithm;
    let (digest, encoding, parameters): (_, &dyn RsaEncoding, _) = match algorithm {
        Algorithm::RsassaPssSha256 => (&SHA256, &RSA_PSS_SHA256, &RSA_PSS_2048_8192_SHA256),
        Algorithm::RsassaPssSha384 => (&SHA384, &RSA_PSS_SHA384, &RSA_PSS_2048_8192_SHA384),
        Algorithm::RsassaPssSha512 => (&SHA512, &RSA_PSS_SHA512, &RSA_PSS_2048_8192_SHA512),
        Algorithm::RsassaPkcs1V15Sha256 => (&SHA256, &RSA_PKCS1_SHA256, &RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RsassaPkcs1V15Sha384 => (&SHA384, &RSA_PKCS1_SHA384, &RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RsassaPkcs1V15Sha512 => (&SHA512, &RSA_PKCS1_SHA512, &RSA_PKCS1_2048_8192_SHA512),
        _ => return Err(KeyUseError::Incompatible),
    };
    Ok(Signing { digest, encoding, parameters })
}

/// An RSA key pair: the same key prepared for its two uses.
pub(super) struct Pair {
    signing: RsaKeyPair,
    decrypting: OaepPrivateDecryptingKey,
}

impl Pair {
    /// The key of a PKCS#8 document, and its RSAPublicKey (RFC 8017 appendix A.1.1). AWS-LC checks that the parts of the private key agree.
    pub(super) fn new(size: KeySize, pkcs8: &[u8]) -> Result<(Self, Vec<u8>), InvalidKey> {
        let signing = RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| InvalidKey::Inconsistent)?;
        check_public(size, signing.public_key().as_ref())?;
        let decrypting = PrivateDecryptingKey::from_pkcs8(pkcs8).map_err(|_| InvalidKey::Inconsistent)?;
        let decrypting = OaepPrivateDecryptingKey::new(decrypting).map_err(|_| InvalidKey::Inconsistent)?;
        let public = signing.public_key().as_ref().to_vec();
        Ok((Self { signing, decrypting }, public))
    }

    pub(super) fn sign(
        &self,
        algorithm: SigningAlgorithm,
        message: Message<'_>,
    ) -> Result<Vec<u8>, KeyUseError> {
        let algorithm = signing(algorithm)?;
        let digest = message.digest(algorithm.digest)?;
        let mut signature = vec![0; self.signing.public_modulus_len()];
        let signed = self.signing.sign_digest(algorithm.encoding, &digest, &mut signature);
        signed.map(|()| signature).map_err(|_| KeyUseError::Failed)
    }

    /// The length of the modulus, so of a ciphertext.
    pub(super) fn modulus_bytes(&self) -> usize {
        self.signing.public_modulus_len()
    }

    pub(super) fn decrypt(
        &self,
        algorithm: EncryptionAlgorithm,
        ciphertext: &[u8],
    ) -> Result<SecretBytes, KeyUseError> {
        let algorithm = oaep(algorithm)?;
        let mut space = Zeroizing::new(vec![0; self.decrypting.min_output_size()]);
        let plaintext = self.decrypting.decrypt(algorithm, ciphertext, &mut space, None);
        let plaintext = plaintext.map_err(|_| KeyUseError::InvalidCiphertext)?;
        Ok(plaintext.to_vec().into())
    }
}

/// Decrypts RSAES-PKCS1-v1_5 (RFC 8017 section 7.2) with a private key in PKCS#8.
pub(super) fn decrypt_pkcs1(pkcs8: &[u8], ciphertext: &[u8]) -> Result<SecretBytes, KeyUseError> {
    let key = PrivateDecryptingKey::from_pkcs8(pkcs8).map_err(|_| KeyUseError::Failed)?;
    let key = Pkcs1PrivateDecryptingKey::new(key).map_err(|_| KeyUseError::Failed)?;
    let mut space = Zeroizing::new(vec![0; key.min_output_size()]);
    let plaintext = key.decrypt(ciphertext, &mut space).map_err(|_| KeyUseError::InvalidCiphertext)?;
    Ok(plaintext.to_vec().into())
}

/// A new private key, as PKCS#8. The public exponent is 65537.
pub(super) fn generate(size: KeySize) -> Option<SecretBytes> {
    encoded(&RsaKeyPair::generate(size).ok()?)
}

/// The PKCS#8 document of an RSAPrivateKey (RFC 8017 appendix A.1.2).
pub(super) fn to_pkcs8(rsa_private_key: &[u8]) -> Option<SecretBytes> {
    encoded(&RsaKeyPair::from_der(rsa_private_key).ok()?)
}

fn encoded(pair: &RsaKeyPair) -> Option<SecretBytes> {
    let document: Pkcs8V1Der<'_> = pair.as_der().ok()?;
    Some(document.as_ref().to_vec().into())
}

/// Whether `raw` is an RSAPublicKey of this size.
pub(super) fn is_public_key(size: KeySize, raw: &[u8]) -> bool {
    PublicKey::from_der(raw).is_ok_and(|key| key.as_ref() == raw) && check_public(size, raw).is_ok()
}

/// The modulus has exactly the bits of the spec. FIPS 186-5 section 5.4 (e): the exponent is odd, and above 2^16.
fn check_public(size: KeySize, raw: &[u8]) -> Result<(), InvalidKey> {
    let (modulus, exponent) = numbers(raw).ok_or(InvalidKey::Malformed)?;
    // The sign takes a bit: a number with its highest bit set has a zero byte before it.
    let whole = matches!(modulus, [0, first, ..] if *first >= 0x80) && modulus.len() == size.len() + 1;
    if !whole {
        return Err(InvalidKey::OtherSpec);
    }
    let exponent = exponent.strip_prefix(&[0]).unwrap_or(exponent);
    let odd = exponent.last().is_some_and(|last| last % 2 == 1);
    (odd && exponent.len() > 2).then_some(()).ok_or(InvalidKey::Inconsistent)
}

/// Modulus and exponent of an RSAPublicKey, as DER has them: with a sign, and not a byte longer than they must be.
fn numbers(raw: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut numbers = Reader::new(Reader::only(raw, SEQUENCE)?);
    let (modulus, exponent) = (numbers.take(INTEGER)?, numbers.take(INTEGER)?);
    numbers.is_empty().then_some((modulus, exponent))
}

pub(super) fn verify(
    spki: &[u8],
    algorithm: SigningAlgorithm,
    message: Message<'_>,
    signature: &[u8],
) -> Result<(), KeyUseError> {
    let algorithm = signing(algorithm)?;
    let digest = message.digest(algorithm.digest)?;
    UnparsedPublicKey::new(algorithm.parameters, spki)
        .verify_digest(&digest, signature)
        .map_err(|_| KeyUseError::InvalidSignature)
}

pub(super) fn encrypt(
    spki: &[u8],
    algorithm: EncryptionAlgorithm,
    plaintext: &[u8],
) -> Result<Vec<u8>, KeyUseError> {
    let algorithm = oaep(algorithm)?;
    let key = PublicEncryptingKey::from_der(spki).map_err(|_| KeyUseError::Failed)?;
    let key = OaepPublicEncryptingKey::new(key).map_err(|_| KeyUseError::Failed)?;
    let bytes_max = key.max_plaintext_size(algorithm);
    if plaintext.len() > bytes_max {
        return Err(KeyUseError::PlaintextTooLong { bytes_max });
    }
    let mut ciphertext = vec![0; key.ciphertext_size()];
    let encrypted = key.encrypt(algorithm, plaintext, &mut ciphertext, None);
    encrypted.map_err(|_| KeyUseError::Failed)?;
    Ok(ciphertext)
}
