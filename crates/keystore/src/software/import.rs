//! Importing material: wrapping keys, the tokens that bring them back, and unwrapping.
//!
//! Nothing is kept between the two calls: the token carries the private wrapping key, sealed, so that any process that
//! has the key ring can take it, as often as it is tried. Its content:
//!
//! ```text
//! offset  bytes
//!      0      1  version: 01
//!      1      1  wrapping algorithm
//!      2      1  spec of the wrapping key
//!      3      8  when it expires: milliseconds since 1970-01-01T00:00:00Z, big-endian
//!     11      n  the wrapping key pair, as a record
//! ```
//!
//! The ARN of the key that material is imported for is bound to the envelope: a token of another key does not open.

use std::sync::Arc;

use trent_crypto::asymmetric::{KeyPair, KeyPairSpec, KeyWrapping};
use trent_crypto::envelope::label;
use trent_crypto::mac::MacKey;
use trent_crypto::{Key256, Purpose, SecretBytes};
use trent_domain::identifier::KeyArn;
use trent_domain::limits::IMPORT_PARAMETERS_HOURS;
use trent_domain::time::Timestamp;
use trent_protocol::{KeySpec, WrappingAlgorithm, WrappingKeySpec};

use super::{mac, pairs};
use crate::keyring::{Keyring, RingName};
use crate::store::{ImportParameters, Owner, StoreError, Wrapping};

const VERSION: u8 = 1;

/// What `crypto` calls the spec of a wrapping key.
pub(super) const fn wrapping_key(spec: WrappingKeySpec) -> Result<KeyPairSpec, StoreError> {
    match spec {
        WrappingKeySpec::Rsa2048 => Ok(KeyPairSpec::Rsa2048),
        WrappingKeySpec::Rsa3072 => Ok(KeyPairSpec::Rsa3072),
        WrappingKeySpec::Rsa4096 => Ok(KeyPairSpec::Rsa4096),
        WrappingKeySpec::Sm2 => match pairs::sm2() {
            Some(spec) => Ok(spec),
            None => Err(StoreError::Unsupported(KeySpec::Sm2)),
        },
    }
}

/// The parameters for an import into one key, by a pair that nobody else has.
pub(super) fn parameters(
    keyring: &Keyring,
    owner: Owner,
    wrapping: Wrapping,
    pair: &KeyPair,
    now: Timestamp,
) -> Result<ImportParameters, StoreError> {
    let valid_to = now.plus_hours(IMPORT_PARAMETERS_HOURS);
    let record = pair.to_record();
    let head = [VERSION, algorithm_code(wrapping.algorithm), spec_code(wrapping.spec)];
    let parts: [&[u8]; 3] = [&head, &valid_to.millis().to_be_bytes(), record.expose()];
    let content = SecretBytes::from(parts.concat());
    let token = bound_to(owner, |purpose| keyring.seal(RingName::ImportTokens, purpose, content.expose()))?;
    Ok(ImportParameters { token, public: pair.public().spki().to_vec(), valid_to })
}

/// An import token, opened.
pub(super) struct Token {
    algorithm: KeyWrapping,
    spec: KeyPairSpec,
    content: SecretBytes,
}

const HEAD_BYTES: usize = 11;

/// Opens a token of this key that has not expired.
pub(super) fn open_token(
    keyring: &Keyring,
    owner: Owner,
    token: &[u8],
    now: Timestamp,
) -> Result<Token, StoreError> {
    let opened = bound_to(owner, |purpose| keyring.open(RingName::ImportTokens, purpose, token));
    let content = opened.map_err(|error| match error {
        StoreError::Unsealable { .. } => StoreError::InvalidImportToken,
        error => error,
    })?;
    let (head, _) =
        content.expose().split_first_chunk::<HEAD_BYTES>().ok_or(StoreError::InvalidImportToken)?;
    let [VERSION, algorithm, spec, valid_to @ ..] = *head else { return Err(StoreError::InvalidImportToken) };
    if now > Timestamp::from_millis(i64::from_be_bytes(valid_to)) {
        return Err(StoreError::ExpiredImportToken);
    }
    let algorithm = algorithm_of(algorithm).ok_or(StoreError::InvalidImportToken)?;
    let spec = spec_of(spec).ok_or(StoreError::InvalidImportToken)?;
    Ok(Token { algorithm, spec, content })
}

/// Material that was unwrapped, in the form in which it is kept.
pub(super) struct Unwrapped {
    pub(super) record: SecretBytes,
    pub(super) public: Option<Arc<[u8]>>,
}

/// Unwraps material of a spec.
pub(super) fn unwrap(token: &Token, spec: KeySpec, wrapped: &[u8]) -> Result<Unwrapped, StoreError> {
    let record = token.content.expose().get(HEAD_BYTES..).unwrap_or_default();
    let pair = KeyPair::from_record(token.spec, record).map_err(|_| StoreError::InvalidImportToken)?;
    let material = pair.unwrap_key(token.algorithm, wrapped).map_err(|_| StoreError::InvalidCiphertext)?;
    read(spec, material)
}

/// What a caller wraps: raw bytes for symmetric keys and HMAC keys, PKCS#8 for pairs.
pub(super) fn read(spec: KeySpec, material: SecretBytes) -> Result<Unwrapped, StoreError> {
    if spec == KeySpec::SymmetricDefault {
        let fits = Key256::from_slice(material.expose()).is_some();
        return if fits {
            Ok(Unwrapped { record: material, public: None })
        } else {
            Err(StoreError::IncorrectMaterial)
        };
    }
    if let Some(spec) = mac::spec(spec) {
        let key = MacKey::import(spec, material).map_err(|_| StoreError::IncorrectMaterial)?;
        return Ok(Unwrapped { record: key.to_record(), public: None });
    }
    let spec = pairs::spec(spec).ok_or(StoreError::Unsupported(spec))?;
    let pair = KeyPair::from_pkcs8(spec, material.expose()).map_err(|_| StoreError::IncorrectMaterial)?;
    Ok(Unwrapped { record: pair.to_record(), public: Some(pair.public().spki().into()) })
}

fn bound_to<R>(owner: Owner, use_it: impl FnOnce(&Purpose<'_>) -> R) -> R {
    let arn = KeyArn { region: owner.region, account: owner.account, id: owner.key }.to_string();
    use_it(&Purpose::new(label::IMPORT_TOKEN, &[("key", arn.as_bytes())]))
}

// Part of the format of tokens, which live for a day: never change one, never reuse one.
const fn algorithm_code(algorithm: WrappingAlgorithm) -> u8 {
    match algorithm {
        WrappingAlgorithm::RsaesPkcs1V15 => 1,
        WrappingAlgorithm::RsaesOaepSha1 => 2,
        WrappingAlgorithm::RsaesOaepSha256 => 3,
        WrappingAlgorithm::RsaAesKeyWrapSha1 => 4,
        WrappingAlgorithm::RsaAesKeyWrapSha256 => 5,
        WrappingAlgorithm::Sm2pke => 6,
    }
}

/// Nothing for what is not offered: decrypting RSAES-PKCS1-v1_5 for whoever asks would tell too much.
const fn algorithm_of(code: u8) -> Option<KeyWrapping> {
    match code {
        2 => Some(KeyWrapping::RsaesOaepSha1),
        3 => Some(KeyWrapping::RsaesOaepSha256),
        4 => Some(KeyWrapping::RsaAesKeyWrapSha1),
        5 => Some(KeyWrapping::RsaAesKeyWrapSha256),
        6 => Some(KeyWrapping::Sm2Pke),
        _ => None,
    }
}

const fn spec_code(spec: WrappingKeySpec) -> u8 {
    match spec {
        WrappingKeySpec::Rsa2048 => 1,
        WrappingKeySpec::Rsa3072 => 2,
        WrappingKeySpec::Rsa4096 => 3,
        WrappingKeySpec::Sm2 => 4,
    }
}

const fn spec_of(code: u8) -> Option<KeyPairSpec> {
    match code {
        1 => Some(KeyPairSpec::Rsa2048),
        2 => Some(KeyPairSpec::Rsa3072),
        3 => Some(KeyPairSpec::Rsa4096),
        4 => pairs::sm2(),
        _ => None,
    }
}
