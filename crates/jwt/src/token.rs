//! A token in its compact form: header, claims, signature.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::claims::Claims;
use crate::keys::{Algorithm, KeySet};

/// Most bytes of a token.
pub const TOKEN_BYTES_MAX: usize = 20_000;

/// Why a token is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It has not three parts of base 64, or they are not JSON.
    #[error("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")]
    Malformed,
    /// It is signed with nothing, or in a way that proves nothing about who signed.
    #[error("Token algorithm is not supported; RS256, PS256, ES256 and EdDSA are")]
    Algorithm,
    /// A claim is missing or of a wrong type.
    #[error("Missing a required claim: {0}")]
    Claim(&'static str),
    /// No key of the provider made this signature.
    #[error(
        "Couldn't retrieve verification key from your identity provider, or the signature is not its own"
    )]
    Signature,
}

/// A token that has been read; nothing in it is to be believed before it was verified.
pub struct Token<'t> {
    key_id: Option<String>,
    algorithm: Algorithm,
    claims: Claims,
    signed: &'t str,
    signature: Vec<u8>,
}

impl<'t> Token<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// It is none, or not one that could be verified here.
    pub fn read(text: &'t str) -> Result<Self, TokenError> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let header = object(header)?;
        let algorithm = header.get("alg").and_then(Value::as_str).ok_or(TokenError::Malformed)?;
        let algorithm = Algorithm::of(algorithm).ok_or(TokenError::Algorithm)?;
        // What a header says is critical must be understood, and nothing is here.
        if header.contains_key("crit") {
            return Err(TokenError::Algorithm);
        }
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(TokenError::Malformed),
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?;
        let claims = Claims::read(&object(claims)?).map_err(TokenError::Claim)?;
        Ok(Self { key_id, algorithm, claims, signed, signature })
    }

    /// The key that is said to have signed.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Whom the token says it is from: to find the keys with which to verify it.
    #[must_use]
    pub fn claimed_issuer(&self) -> &str {
        &self.claims.issuer
    }

    /// The claims, once one of these keys is found to have signed them.
    ///
    /// # Errors
    /// None of them did.
    pub fn verify(&self, keys: &KeySet) -> Result<&Claims, TokenError> {
        let signed = self.signed.as_bytes();
        if keys.verifies(self.key_id.as_deref(), self.algorithm, signed, &self.signature) {
            return Ok(&self.claims);
        }
        Err(TokenError::Signature)
    }
}

fn object(part: &str) -> Result<Map<String, Value>, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Made by `testdata/make.py` with another implementation.
    fn data() -> Value {
        serde_json::from_str(include_str!("../testdata/tokens.json")).unwrap()
    }

    fn keys(data: &Value) -> KeySet {
        KeySet::parse(&data["jwks"].to_string()).unwrap()
    }

    fn part(value: &Value) -> String {
        URL_SAFE_NO_PAD.encode(value.to_string())
    }

    #[test]
    fn tokens_of_another_implementation_are_verified() {
        let data = data();
        let keys = keys(&data);
        let tokens = data["tokens"].as_object().unwrap();
        assert_eq!(tokens.len(), 4);
        for (algorithm, text) in tokens {
            let token = Token::read(text.as_str().unwrap()).unwrap();
            let claims = token.verify(&keys).unwrap_or_else(|error| panic!("{algorithm}: {error}"));
            assert_eq!(claims.subject, format!("subject of {algorithm}"));
            assert_eq!(claims.issuer, "https://issuer.example.com");
            assert!(keys.has(token.key_id().unwrap()));
        }
    }

    #[test]
    fn every_bit_counts() {
        let data = data();
        let keys = keys(&data);
        for text in data["tokens"].as_object().unwrap().values() {
            let text = text.as_str().unwrap();
            for at in (0..text.len()).step_by(7) {
                let mut bytes = text.as_bytes().to_vec();
                bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
                let changed = String::from_utf8(bytes).unwrap();
                let believed = Token::read(&changed).is_ok_and(|token| token.verify(&keys).is_ok());
                assert!(!believed, "{at}");
            }
        }
    }

    #[test]
    fn keys_of_other_providers_and_other_kinds_do_not_verify() {
        let data = data();
        let others = KeySet::parse(&data["others"].to_string()).unwrap();
        for text in data["tokens"].as_object().unwrap().values() {
            let token = Token::read(text.as_str().unwrap()).unwrap();
            assert_eq!(token.verify(&others), Err(TokenError::Signature));
            assert_eq!(token.verify(&KeySet::default()), Err(TokenError::Signature));
        }
    }

    #[test]
    fn what_proves_nothing_is_refused() {
        let claims = part(&json!({"iss": "i", "sub": "s", "exp": 1}));
        for algorithm in ["none", "None", "HS256", "HS512", "RS1", "ES256K", ""] {
            let text = format!("{}.{claims}.", part(&json!({"alg": algorithm})));
            assert_eq!(Token::read(&text).err(), Some(TokenError::Algorithm), "{algorithm}");
        }
        let critical = format!("{}.{claims}.", part(&json!({"alg": "RS256", "crit": ["b64"]})));
        assert_eq!(Token::read(&critical).err(), Some(TokenError::Algorithm));
    }

    /// The confusion that tokens are known for: the public key of RSA taken for a secret of HMAC.
    #[test]
    fn a_key_that_is_for_one_algorithm_verifies_no_other() {
        let data = data();
        let mut set = data["jwks"].clone();
        for key in set["keys"].as_array_mut().unwrap() {
            key["alg"] = json!("ES256");
        }
        let keys = KeySet::parse(&set.to_string()).unwrap();
        for (algorithm, text) in data["tokens"].as_object().unwrap() {
            let verified = Token::read(text.as_str().unwrap()).unwrap().verify(&keys).is_ok();
            assert_eq!(verified, algorithm == "ES256", "{algorithm}");
        }
    }

    #[test]
    fn what_is_no_token_is_told() {
        let good = part(&json!({"alg": "RS256"}));
        for text in ["", ".", "..", "a.b", "a.b.c", &format!("{good}.e30"), &format!("{good}..")] {
            assert_eq!(Token::read(text).err(), Some(TokenError::Malformed), "{text}");
        }
        let text = format!("{good}.{}.", part(&json!({"iss": "i", "exp": 1})));
        assert_eq!(Token::read(&text).err(), Some(TokenError::Claim("sub")));
        assert_eq!(Token::read(&"a".repeat(TOKEN_BYTES_MAX + 1)).err(), Some(TokenError::Malformed));
    }
}
