//! The keys of a provider: a JSON Web Key Set.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// Most bytes of a key set.
const SET_BYTES_MAX: usize = 1 << 20;
/// Most keys that are looked at.
const KEYS_MAX: usize = 200;
/// Bytes of a coordinate on P-256, and of a key of Ed25519.
const COORDINATE_BYTES: usize = 32;

/// Why a text is no key set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// It is longer than any is.
    #[error("longer than 1 MiB, or more than 200 keys")]
    TooLarge,
    /// It is not a JSON Web Key Set.
    #[error("not a JSON Web Key Set: {0}")]
    Malformed(String),
}

/// The algorithms that tokens may be signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rs256,
    Ps256,
    Es256,
    EdDsa,
}

impl Algorithm {
    pub(crate) fn of(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// The keys of a provider. Those of kinds that are not known here are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet(Vec<Key>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An uncompressed point.
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

/// A key as it is written. Members that say nothing about verifying are passed over.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a key set.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, KeySetError> {
        if text.len() > SET_BYTES_MAX {
            return Err(KeySetError::TooLarge);
        }
        let set: Set =
            serde_json::from_str(text).map_err(|error| KeySetError::Malformed(error.to_string()))?;
        if set.keys.len() > KEYS_MAX {
            return Err(KeySetError::TooLarge);
        }
        Ok(Self(set.keys.into_iter().filter_map(Key::of).collect()))
    }

    /// Whether there is a key of this id.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.0.iter().any(|key| key.id.as_deref() == Some(id))
    }

    /// Whether one of the keys that may, made this signature.
    pub(crate) fn verifies(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let may = |key: &&Key| {
            (id.is_none() || key.id.as_deref() == id) && key.algorithm.is_none_or(|only| only == algorithm)
        };
        self.0.iter().filter(may).any(|key| key.material.verifies(algorithm, message, signature))
    }
}

impl Key {
    /// A key that signs, of a kind that is known here.
    fn of(jwk: Jwk) -> Option<Self> {
        if jwk.usage.is_some_and(|usage| usage != "sig") {
            return None;
        }
        let algorithm = match &jwk.alg {
            Some(name) => Some(Algorithm::of(name)?),
            None => None,
        };
        let coordinate =
            |text: &Option<String>| decode(text.as_deref()?).filter(|bytes| bytes.len() == COORDINATE_BYTES);
        let material = match (&*jwk.kty, jwk.crv.as_deref()) {
            ("RSA", _) => Material::Rsa { n: decode(&jwk.n?)?, e: decode(&jwk.e?)? },
            ("EC", Some("P-256")) => {
                Material::P256([vec![4], coordinate(&jwk.x)?, coordinate(&jwk.y)?].concat())
            }
            ("OKP", Some("Ed25519")) => Material::Ed25519(coordinate(&jwk.x)?),
            _ => return None,
        };
        Some(Self { id: jwk.kid, algorithm, material })
    }
}

impl Material {
    fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm) {
            (Self::Rsa { n, e }, Algorithm::Rs256) => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            (Self::Rsa { n, e }, Algorithm::Ps256) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PSS_2048_8192_SHA256, message, signature).is_ok()
            }
            (Self::P256(point), Algorithm::Es256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            (Self::Ed25519(key), Algorithm::EdDsa) => {
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
            }
            _ => false,
        }
    }
}

/// Base 64 as tokens have it; some providers pad it.
fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}
