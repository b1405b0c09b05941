//! Key material as it is written in seed files: hexadecimal, base64, PEM.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use trent_crypto::SecretBytes;

/// One material.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub(super) enum Material {
    /// Hexadecimal digits.
    Hex(String),
    /// Base64 with padding.
    Base64(String),
    /// A private key: PKCS#8, or what openssl writes for RSA and elliptic curves.
    Pem(String),
}

impl Material {
    pub(super) fn bytes(&self) -> Result<SecretBytes, String> {
        match self {
            Self::Hex(text) => {
                hex(text).ok_or_else(|| "these are no hexadecimal digits, two for a byte".to_owned())
            }
            Self::Base64(text) => base64(text).ok_or_else(|| "this is no base64".to_owned()),
            Self::Pem(text) => pem(text),
        }
    }
}

pub(super) fn hex(text: &str) -> Option<SecretBytes> {
    let digits: Vec<u8> =
        text.bytes().filter(|byte| !byte.is_ascii_whitespace()).map(digit).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    let bytes = pairs.map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit));
    Some(SecretBytes::from(bytes.collect::<Vec<u8>>()))
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn base64(text: &str) -> Option<SecretBytes> {
    let text: String = text.split_whitespace().collect();
    STANDARD.decode(text).ok().map(SecretBytes::from)
}

/// The PKCS#8 document of a PEM file.
pub(super) fn pem(text: &str) -> Result<SecretBytes, String> {
    let what_to_do = "write a key that is not encrypted, as `openssl pkcs8 -topk8 -nocrypt` does";
    let (_, rest) = text.split_once("-----BEGIN ").ok_or_else(|| format!("this is no PEM; {what_to_do}"))?;
    // Of what `openssl ecparam -genkey` writes, the parameters stand before the key.
    let rest =
        match rest.split_once("EC PARAMETERS-----\n").and_then(|(_, rest)| rest.split_once("-----BEGIN ")) {
            Some((_, key)) => key,
            None => rest,
        };
    let (label, rest) = rest.split_once("-----").ok_or_else(|| format!("this is no PEM; {what_to_do}"))?;
    let (body, _) =
        rest.split_once("-----END ").ok_or_else(|| format!("this PEM has no end; {what_to_do}"))?;
    let document = base64(body).ok_or_else(|| format!("the body of this PEM is no base64; {what_to_do}"))?;
    match label {
        "PRIVATE KEY" => Ok(document),
        "RSA PRIVATE KEY" => Ok(pkcs8(RSA, document.expose())),
        "EC PRIVATE KEY" => curve(document.expose())
            .map(|algorithm| pkcs8(&algorithm, document.expose()))
            .ok_or_else(|| format!("this key does not name its curve; {what_to_do}")),
        _ => Err(format!("`{label}` is not the PEM of a private key; {what_to_do}")),
    }
}

/// rsaEncryption and its parameters (RFC 8017 appendix A.1).
const RSA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
/// id-ecPublicKey (RFC 5480 section 2.1.1).
const EC: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// The object identifiers of the curves, with their heads.
const CURVES: [&[u8]; 4] = [
    &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
    &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22],
    &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23],
    &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a],
];

/// The algorithm of an ECPrivateKey (RFC 5915), by the curve that it names. What follows reads it strictly.
fn curve(document: &[u8]) -> Option<Vec<u8>> {
    // ECParameters are [0] EXPLICIT.
    let named = |curve: &&&[u8]| {
        let length = u8::try_from(curve.len()).unwrap_or_default();
        let parameters = [&[0xa0, length], **curve].concat();
        document.windows(parameters.len()).any(|window| window == parameters)
    };
    CURVES.iter().find(named).map(|curve| [EC, curve].concat())
}

/// A PrivateKeyInfo (RFC 5208): version 0, the algorithm, the key.
fn pkcs8(algorithm: &[u8], key: &[u8]) -> SecretBytes {
    const VERSION: &[u8] = &[0x02, 0x01, 0x00];
    let content = SecretBytes::from([VERSION, &tlv(0x30, algorithm), &tlv(0x04, key)].concat());
    SecretBytes::from(tlv(0x30, content.expose()))
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let head = match length.as_slice() {
        [] => vec![tag, 0],
        [short] if *short < 0x80 => vec![tag, *short],
        long => [&[tag, 0x80 | u8::try_from(long.len()).unwrap_or_default()], long].concat(),
    };
    [head.as_slice(), content].concat()
}
