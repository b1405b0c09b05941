//! Bodies of requests, as JSON that can be bent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use trent_xks::response::Encrypted;

/// What KMS tells of a caller.
pub(crate) fn metadata(operation: &str) -> Value {
    json!({
        "awsPrincipalArn": "arn:aws:iam::123456789012:user/Alice",
        "kmsKeyArn": "arn:aws:kms:us-east-1:123456789012:/key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "kmsOperation": operation,
        "kmsRequestId": "4112f4d6-db54-4af4-ae30-c55a22a8dfae",
    })
}

/// The body of a request for health: nobody is behind it.
pub(crate) fn health(operation: &str) -> Value {
    let id = "4112f4d6-db54-4af4-ae30-c55a22a8dfae";
    json!({"requestMetadata": {"kmsRequestId": id, "kmsOperation": operation}})
}

/// The body of a request for the metadata of a key, before there is a KMS key.
pub(crate) fn key_metadata(operation: &str) -> Value {
    with(json!({"requestMetadata": metadata(operation)}), "/requestMetadata/kmsKeyArn", Value::Null)
}

/// The body of a request to encrypt.
pub(crate) fn encrypt(plaintext: &[u8], aad: Option<&[u8]>, with_integrity: bool) -> Value {
    let mut body = json!({
        "requestMetadata": metadata("Encrypt"),
        "plaintext": encode(plaintext),
        "encryptionAlgorithm": "AES_GCM",
    });
    if let Some(aad) = aad {
        body = with(body, "/additionalAuthenticatedData", encode(aad).into());
    }
    if with_integrity {
        body = with(body, "/ciphertextDataIntegrityValueAlgorithm", "SHA_256".into());
    }
    body
}

/// The body of a request to decrypt what was encrypted.
pub(crate) fn decrypt(encrypted: &Encrypted, aad: Option<&[u8]>) -> Value {
    let mut body = json!({
        "requestMetadata": metadata("Decrypt"),
        "ciphertext": encode(&encrypted.ciphertext),
        "encryptionAlgorithm": "AES_GCM",
        "initializationVector": encode(&encrypted.iv),
        "authenticationTag": encode(&encrypted.tag),
    });
    if let Some(metadata) = &encrypted.metadata {
        body = with(body, "/ciphertextMetadata", encode(metadata).into());
    }
    if let Some(aad) = aad {
        body = with(body, "/additionalAuthenticatedData", encode(aad).into());
    }
    body
}

/// The body with a member set, or taken away by `null`; the path names it and the objects it is in.
pub(crate) fn with(mut body: Value, path: &str, value: Value) -> Value {
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    if let Some(Value::Object(members)) = body.pointer_mut(parent) {
        match value {
            Value::Null => drop(members.remove(name)),
            value => drop(members.insert(name.to_owned(), value)),
        }
    }
    body
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes with one bit of the last of them changed.
pub(crate) fn altered(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    bytes
}
