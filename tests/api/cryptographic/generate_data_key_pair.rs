//! GenerateDataKeyPair: pairs for callers, their private key in clear and sealed.

use serde_json::{Value, json};
use tokio::task::JoinSet;
use trent_crypto::asymmetric::{KeyPair, KeyPairSpec};
use trent_protocol::Operation::{Decrypt, GenerateDataKeyPair};
use trent_testkit::{TestKms, base64, bytes};

use crate::kinds::{incompatible, keys_for_other_usages, wrong_usage};

/// The specs, and how long a pair's public key is as SubjectPublicKeyInfo.
pub(super) const SPECS: [(&str, KeyPairSpec, usize); 11] = [
    ("RSA_2048", KeyPairSpec::Rsa2048, 294),
    ("RSA_3072", KeyPairSpec::Rsa3072, 422),
    ("RSA_4096", KeyPairSpec::Rsa4096, 550),
    ("ECC_NIST_P256", KeyPairSpec::EccNistP256, 91),
    ("ECC_NIST_P384", KeyPairSpec::EccNistP384, 120),
    ("ECC_NIST_P521", KeyPairSpec::EccNistP521, 158),
    ("ECC_SECG_P256K1", KeyPairSpec::EccSecgP256k1, 88),
    ("ECC_NIST_EDWARDS25519", KeyPairSpec::EccNistEdwards25519, 44),
    ("ML_KEM_512", KeyPairSpec::MlKem512, 822),
    ("ML_KEM_768", KeyPairSpec::MlKem768, 1206),
    ("ML_KEM_1024", KeyPairSpec::MlKem1024, 1590),
];

fn request(key: &str, spec: &str) -> Value {
    json!({"KeyId": key, "KeyPairSpec": spec})
}

#[tokio::test]
async fn every_spec_gives_pkcs8_and_its_public_key_and_the_sealed_form_decrypts_to_the_clear_one() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    for (name, spec, spki_bytes) in SPECS {
        let mut answer = kms.ok(GenerateDataKeyPair, request(&key, name)).await;
        let (private, public) = (bytes(&answer["PrivateKeyPlaintext"]), bytes(&answer["PublicKey"]));
        assert_eq!(public.len(), spki_bytes, "{name}");
        let pair = KeyPair::from_pkcs8(spec, &private).expect("a private key as PKCS#8");
        assert_eq!(pair.public().spki(), public, "{name}");

        let blob = answer["PrivateKeyCiphertextBlob"].take();
        assert!(bytes(&blob).len() <= 6144, "{name}");
        assert_eq!(kms.decrypt(blob.as_str().unwrap()).await, private, "{name}");
        let expected = json!({
            "KeyId": kms.arn(&key),
            "KeyPairSpec": name,
            "KeyMaterialId": kms.metadata(&key).await["CurrentKeyMaterialId"],
            "PrivateKeyCiphertextBlob": null,
            "PrivateKeyPlaintext": base64(&private),
            "PublicKey": base64(&public),
        });
        assert_eq!(answer, expected);
    }
}

#[tokio::test]
async fn private_keys_of_ml_kem_are_seeds_of_one_length() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    for spec in ["ML_KEM_512", "ML_KEM_768", "ML_KEM_1024"] {
        let answer = kms.ok(GenerateDataKeyPair, request(&key, spec)).await;
        assert_eq!(bytes(&answer["PrivateKeyPlaintext"]).len(), 86, "{spec}");
    }
}

#[tokio::test]
async fn every_pair_is_another_one() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    for spec in ["RSA_2048", "ECC_NIST_P256", "ECC_NIST_EDWARDS25519", "ML_KEM_512"] {
        let mut seen = Vec::new();
        // RSA pairs come from a stock after the first.
        for _ in 0..4 {
            seen.push(bytes(&kms.ok(GenerateDataKeyPair, request(&key, spec)).await["PublicKey"]));
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 4, "{spec}");
    }
}

#[tokio::test]
async fn the_context_is_needed_to_decrypt() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let mut request = request(&key, "ECC_NIST_P256");
    request["EncryptionContext"] = json!({"service": "s1"});
    let answer = kms.ok(GenerateDataKeyPair, request).await;
    let blob = &answer["PrivateKeyCiphertextBlob"];
    assert_eq!(kms.refused(Decrypt, json!({"CiphertextBlob": blob})).await, "InvalidCiphertextException");
    let decrypted =
        kms.ok(Decrypt, json!({"CiphertextBlob": blob, "EncryptionContext": {"service": "s1"}})).await;
    assert_eq!(decrypted["Plaintext"], answer["PrivateKeyPlaintext"]);
}

#[tokio::test]
async fn a_context_that_is_too_large_is_refused() {
    let kms = TestKms::new().await;
    let mut request = request(&kms.create_key().await, "ECC_NIST_P256");
    request["EncryptionContext"] = json!({"k": "v".repeat(8184)});
    assert_eq!(
        kms.refused(GenerateDataKeyPair, request).await,
        "ValidationException: EncryptionContext must not be larger than 8192 bytes"
    );
}

#[tokio::test]
async fn only_symmetric_keys_seal_pairs() {
    let kms = TestKms::new().await;
    for (key, usage) in keys_for_other_usages(&kms, "ENCRYPT_DECRYPT").await {
        let refused = kms.refused(GenerateDataKeyPair, request(&key, "ECC_NIST_P256")).await;
        assert_eq!(refused, wrong_usage(&kms, &key, usage, "GenerateDataKeyPair"));
    }
    let key = kms.create_key_of("RSA_2048", "ENCRYPT_DECRYPT").await;
    let refused = kms.refused(GenerateDataKeyPair, request(&key, "ECC_NIST_P256")).await;
    assert_eq!(refused, incompatible("SYMMETRIC_DEFAULT", "RSA_2048"));
}

#[tokio::test]
async fn who_claims_to_be_attested_is_refused_rather_than_answered_in_clear() {
    let kms = TestKms::new().await;
    let mut request = request(&kms.create_key().await, "ECC_NIST_P256");
    request["Recipient"] =
        json!({"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": base64(b"doc")});
    assert_eq!(
        kms.refused(GenerateDataKeyPair, request).await,
        "ValidationException: The attestation document is not valid: its CBOR ends too early."
    );
}

#[tokio::test]
async fn a_sealed_private_key_outlives_rotation_and_restart() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let answer = kms.ok(GenerateDataKeyPair, request(&key, "ECC_NIST_P521")).await;
    kms.ok(trent_protocol::Operation::RotateKeyOnDemand, json!({"KeyId": key})).await;
    let kms = kms.restart().await;
    let decrypted = kms.ok(Decrypt, json!({"CiphertextBlob": answer["PrivateKeyCiphertextBlob"]})).await;
    assert_eq!(decrypted["Plaintext"], answer["PrivateKeyPlaintext"]);
    assert_eq!(decrypted["KeyMaterialId"], answer["KeyMaterialId"]);
}

#[tokio::test]
async fn many_at_once_each_have_a_pair_of_their_own() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let mut callers = JoinSet::new();
    for number in 0..60 {
        let (kms, key) = (kms.clone(), key.clone());
        let spec = if number < 12 { "RSA_2048" } else { "ECC_NIST_P384" };
        callers.spawn(async move {
            let answer = kms.ok(GenerateDataKeyPair, request(&key, spec)).await;
            let blob = answer["PrivateKeyCiphertextBlob"].as_str().unwrap();
            assert_eq!(kms.decrypt(blob).await, bytes(&answer["PrivateKeyPlaintext"]));
            bytes(&answer["PublicKey"])
        });
    }
    let mut seen = callers.join_all().await;
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 60);
}
