//! The kinds of keys as the developer guide lists them, and what the tests of several operations do with them.

use aws_lc_rs::digest;
use serde_json::{Value, json};
use shake::{ExtendableOutput, Shake256, Update};
use trent_protocol::Operation::{Sign, Verify};
use trent_testkit::{TestKms, base64, bytes};

/// A kind of key.
pub(crate) struct Kind {
    pub(crate) spec: &'static str,
    pub(crate) usage: &'static str,
    /// The member of the metadata that lists its algorithms.
    pub(crate) listed_as: &'static str,
    pub(crate) algorithms: &'static [&'static str],
    /// How long its public key is as SubjectPublicKeyInfo; 0 for keys that have none.
    pub(crate) spki_bytes: usize,
}

const OAEP: &[&str] = &["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"];
const RSASSA: &[&str] = &[
    "RSASSA_PKCS1_V1_5_SHA_256",
    "RSASSA_PKCS1_V1_5_SHA_384",
    "RSASSA_PKCS1_V1_5_SHA_512",
    "RSASSA_PSS_SHA_256",
    "RSASSA_PSS_SHA_384",
    "RSASSA_PSS_SHA_512",
];
const ML_DSA: &[&str] = &["ML_DSA_SHAKE_256"];

#[rustfmt::skip]
pub(crate) const KINDS: [Kind; 25] = [
    encrypting("SYMMETRIC_DEFAULT", &["SYMMETRIC_DEFAULT"], 0),
    encrypting("RSA_2048", OAEP, 294),
    encrypting("RSA_3072", OAEP, 422),
    encrypting("RSA_4096", OAEP, 550),
    signing("RSA_2048", RSASSA, 294),
    signing("RSA_3072", RSASSA, 422),
    signing("RSA_4096", RSASSA, 550),
    signing("ECC_NIST_P256", &["ECDSA_SHA_256"], 91),
    signing("ECC_NIST_P384", &["ECDSA_SHA_384"], 120),
    signing("ECC_NIST_P521", &["ECDSA_SHA_512"], 158),
    signing("ECC_SECG_P256K1", &["ECDSA_SHA_256"], 88),
    signing("ECC_NIST_EDWARDS25519", &["ED25519_SHA_512", "ED25519_PH_SHA_512"], 44),
    signing("ML_DSA_44", ML_DSA, 1334),
    signing("ML_DSA_65", ML_DSA, 1974),
    signing("ML_DSA_87", ML_DSA, 2614),
    agreeing("ECC_NIST_P256", 91),
    agreeing("ECC_NIST_P384", 120),
    agreeing("ECC_NIST_P521", 158),
    encapsulating("ML_KEM_512", 822),
    encapsulating("ML_KEM_768", 1206),
    encapsulating("ML_KEM_1024", 1590),
    authenticating("HMAC_224", &["HMAC_SHA_224"]),
    authenticating("HMAC_256", &["HMAC_SHA_256"]),
    authenticating("HMAC_384", &["HMAC_SHA_384"]),
    authenticating("HMAC_512", &["HMAC_SHA_512"]),
];

const fn encrypting(spec: &'static str, algorithms: &'static [&'static str], spki_bytes: usize) -> Kind {
    Kind { spec, usage: "ENCRYPT_DECRYPT", listed_as: "EncryptionAlgorithms", algorithms, spki_bytes }
}

const fn signing(spec: &'static str, algorithms: &'static [&'static str], spki_bytes: usize) -> Kind {
    Kind { spec, usage: "SIGN_VERIFY", listed_as: "SigningAlgorithms", algorithms, spki_bytes }
}

const fn agreeing(spec: &'static str, spki_bytes: usize) -> Kind {
    let listed_as = "KeyAgreementAlgorithms";
    Kind { spec, usage: "KEY_AGREEMENT", listed_as, algorithms: &["ECDH"], spki_bytes }
}

const fn encapsulating(spec: &'static str, spki_bytes: usize) -> Kind {
    let listed_as = "EncapsulationAlgorithms";
    Kind { spec, usage: "ENCAPSULATE_DECAPSULATE", listed_as, algorithms: &["ML_KEM"], spki_bytes }
}

const fn authenticating(spec: &'static str, algorithms: &'static [&'static str]) -> Kind {
    Kind { spec, usage: "GENERATE_VERIFY_MAC", listed_as: "MacAlgorithms", algorithms, spki_bytes: 0 }
}

/// The kinds of one usage.
pub(crate) fn kinds_for(usage: &str) -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().filter(move |kind| kind.usage == usage)
}

impl Kind {
    /// A key of this kind.
    pub(crate) async fn create(&self, kms: &TestKms) -> String {
        kms.create_key_of(self.spec, self.usage).await
    }
}

/// What a signing algorithm takes: whole messages or not, and the length of what else it takes.
pub(crate) struct Signing {
    pub(crate) algorithm: &'static str,
    pub(crate) raw: bool,
    pub(crate) digest_bytes: Option<usize>,
    pub(crate) mu_bytes: Option<usize>,
}

const fn takes(
    algorithm: &'static str,
    raw: bool,
    digest_bytes: Option<usize>,
    mu_bytes: Option<usize>,
) -> Signing {
    Signing { algorithm, raw, digest_bytes, mu_bytes }
}

/// All signing algorithms, outside the partition `aws-cn`.
pub(crate) const SIGNING: [Signing; 12] = [
    takes("RSASSA_PSS_SHA_256", true, Some(32), None),
    takes("RSASSA_PSS_SHA_384", true, Some(48), None),
    takes("RSASSA_PSS_SHA_512", true, Some(64), None),
    takes("RSASSA_PKCS1_V1_5_SHA_256", true, Some(32), None),
    takes("RSASSA_PKCS1_V1_5_SHA_384", true, Some(48), None),
    takes("RSASSA_PKCS1_V1_5_SHA_512", true, Some(64), None),
    takes("ECDSA_SHA_256", true, Some(32), None),
    takes("ECDSA_SHA_384", true, Some(48), None),
    takes("ECDSA_SHA_512", true, Some(64), None),
    takes("ED25519_SHA_512", true, None, None),
    takes("ED25519_PH_SHA_512", false, Some(64), None),
    takes("ML_DSA_SHAKE_256", true, None, Some(64)),
];

/// The digest of a message by the hash that an algorithm names.
pub(crate) fn digest_for(algorithm: &str, message: &[u8]) -> Vec<u8> {
    let hash = match &algorithm[algorithm.len() - 3..] {
        "224" => &digest::SHA224,
        "256" => &digest::SHA256,
        "384" => &digest::SHA384,
        "512" => &digest::SHA512,
        other => panic!("no hash {other}"),
    };
    digest::digest(hash, message).as_ref().to_vec()
}

/// The representative of a message that a key of ML-DSA signs, for an empty context (FIPS 204 algorithm 7 line 6).
pub(crate) fn mu(spki: &[u8], message: &[u8]) -> Vec<u8> {
    // The frame of an ML-DSA key is 22 bytes long.
    shake256(&[&shake256(&[&spki[22..]]), &[0, 0], message])
}

fn shake256(parts: &[&[u8]]) -> Vec<u8> {
    let mut hash = Shake256::default();
    for part in parts {
        hash.update(part);
    }
    let mut output = [0; 64];
    hash.finalize_xof_into(&mut output);
    output.to_vec()
}

/// A request to sign.
pub(crate) fn to_sign(key: &str, algorithm: &str, kind: &str, message: &[u8]) -> Value {
    json!({"KeyId": key, "SigningAlgorithm": algorithm, "MessageType": kind, "Message": base64(message)})
}

/// Signs and gives the signature.
pub(crate) async fn sign(kms: &TestKms, key: &str, algorithm: &str, kind: &str, message: &[u8]) -> Vec<u8> {
    bytes(&kms.ok(Sign, to_sign(key, algorithm, kind, message)).await["Signature"])
}

/// A request to verify.
pub(crate) fn to_verify(key: &str, algorithm: &str, kind: &str, message: &[u8], signature: &[u8]) -> Value {
    let mut request = to_sign(key, algorithm, kind, message);
    request["Signature"] = json!(base64(signature));
    request
}

/// Verifies what must be valid.
pub(crate) async fn verify(
    kms: &TestKms,
    key: &str,
    algorithm: &str,
    kind: &str,
    message: &[u8],
    signature: &[u8],
) {
    let answer = kms.ok(Verify, to_verify(key, algorithm, kind, message, signature)).await;
    assert_eq!(answer["SignatureValid"], true);
}

/// The text that a key of another usage is refused with.
pub(crate) fn wrong_usage(kms: &TestKms, key: &str, usage: &str, operation: &str) -> String {
    let arn = kms.arn(key);
    format!("InvalidKeyUsageException: {arn} key usage is {usage} which is not valid for {operation}.")
}

/// The text that an algorithm of other specs is refused with.
pub(crate) fn incompatible(algorithm: &str, spec: &str) -> String {
    format!("InvalidKeyUsageException: Algorithm {algorithm} is incompatible with key spec {spec}.")
}

/// One key of each usage other than `usage`, with its own.
pub(crate) async fn keys_for_other_usages(kms: &TestKms, usage: &str) -> Vec<(String, &'static str)> {
    let mut keys = Vec::new();
    for (spec, other) in [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("ECC_NIST_P256", "KEY_AGREEMENT"),
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
        ("ML_KEM_512", "ENCAPSULATE_DECAPSULATE"),
    ] {
        if other != usage {
            keys.push((kms.create_key_of(spec, other).await, other));
        }
    }
    keys
}
