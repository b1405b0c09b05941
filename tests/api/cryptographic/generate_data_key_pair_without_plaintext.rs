//! GenerateDataKeyPairWithoutPlaintext: pairs for later, their private key only sealed.

use serde_json::{Value, json};
use trent_crypto::asymmetric::KeyPair;
use trent_protocol::Operation::{Decrypt, GenerateDataKeyPairWithoutPlaintext};
use trent_testkit::{TestKms, bytes};

use super::generate_data_key_pair::SPECS;
use crate::kinds::{incompatible, keys_for_other_usages, wrong_usage};

fn request(key: &str, spec: &str) -> Value {
    json!({"KeyId": key, "KeyPairSpec": spec})
}

#[tokio::test]
async fn the_sealed_private_key_of_every_spec_is_that_of_the_public_key_and_is_not_told() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    for (name, spec, _) in SPECS {
        let answer = kms.ok(GenerateDataKeyPairWithoutPlaintext, request(&key, name)).await;
        let members: Vec<_> = answer.as_object().unwrap().keys().collect();
        assert_eq!(
            members,
            ["KeyId", "KeyMaterialId", "KeyPairSpec", "PrivateKeyCiphertextBlob", "PublicKey"]
        );
        assert_eq!((&answer["KeyId"], &answer["KeyPairSpec"]), (&json!(kms.arn(&key)), &json!(name)));
        let private = kms.decrypt(answer["PrivateKeyCiphertextBlob"].as_str().unwrap()).await;
        let pair = KeyPair::from_pkcs8(spec, &private).expect("a private key as PKCS#8");
        assert_eq!(pair.public().spki(), bytes(&answer["PublicKey"]), "{name}");
    }
}

#[tokio::test]
async fn the_context_is_needed_to_decrypt() {
    let kms = TestKms::new().await;
    let mut request = request(&kms.create_key().await, "ECC_NIST_P256");
    request["EncryptionContext"] = json!({"service": "s1"});
    let blob = kms.ok(GenerateDataKeyPairWithoutPlaintext, request).await["PrivateKeyCiphertextBlob"].take();
    assert_eq!(kms.refused(Decrypt, json!({"CiphertextBlob": blob})).await, "InvalidCiphertextException");
    kms.ok(Decrypt, json!({"CiphertextBlob": blob, "EncryptionContext": {"service": "s1"}})).await;
}

#[tokio::test]
async fn only_symmetric_keys_seal_pairs() {
    let kms = TestKms::new().await;
    let operation = GenerateDataKeyPairWithoutPlaintext;
    for (key, usage) in keys_for_other_usages(&kms, "ENCRYPT_DECRYPT").await {
        let refused = kms.refused(operation, request(&key, "ECC_NIST_P256")).await;
        assert_eq!(refused, wrong_usage(&kms, &key, usage, "GenerateDataKeyPairWithoutPlaintext"));
    }
    let key = kms.create_key_of("RSA_2048", "ENCRYPT_DECRYPT").await;
    let refused = kms.refused(operation, request(&key, "ECC_NIST_P256")).await;
    assert_eq!(refused, incompatible("SYMMETRIC_DEFAULT", "RSA_2048"));
}
