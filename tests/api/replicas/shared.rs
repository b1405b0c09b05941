//! Related keys are the same key: what one of them made, each of the others reads, verifies and agrees on.

use serde_json::{Value, json};
use trent_protocol::Operation::{
    Decapsulate, Decrypt, DeriveSharedSecret, DescribeKey, Encapsulate, Encrypt, GenerateMac,
    GetKeyLastUsage, GetPublicKey, ReEncrypt, RotateKeyOnDemand, Sign, Verify, VerifyMac,
};
use trent_testkit::{TestKms, base64};

use super::{THERE, primary, replicate, replicated};

/// A key of a kind and its replica.
async fn pair(spec: &str, usage: &str) -> (TestKms, TestKms, String) {
    let kms = TestKms::new().await;
    let key = kms.create_key_with(json!({"MultiRegion": true, "KeySpec": spec, "KeyUsage": usage})).await;
    replicate(&kms, &key, THERE).await;
    let there = kms.in_region(THERE);
    (kms, there, key)
}

/// Both directions.
fn ways<'k>(kms: &'k TestKms, there: &'k TestKms) -> [(&'k TestKms, &'k TestKms); 2] {
    [(kms, there), (there, kms)]
}

#[tokio::test]
async fn ciphertexts_are_read_in_either_region_before_and_after_rotation() {
    let (kms, there, key) = replicated().await;
    let context = json!({"order": "7"});
    let mut made = Vec::new();
    for round in 0..2 {
        for (maker, reader) in ways(&kms, &there) {
            let request = json!({"KeyId": key, "Plaintext": base64(b"text"), "EncryptionContext": context});
            made.push(maker.ok(Encrypt, request).await["CiphertextBlob"].take());
            for blob in &made {
                // The ciphertext names the key; the reader's own key answers.
                for name in [Value::Null, json!(key), json!(reader.arn(&key))] {
                    let mut request = json!({"CiphertextBlob": blob, "EncryptionContext": context});
                    if !name.is_null() {
                        request["KeyId"] = name;
                    }
                    let opened = reader.ok(Decrypt, request).await;
                    assert_eq!(opened["KeyId"], reader.arn(&key));
                    assert_eq!(opened["Plaintext"], base64(b"text"));
                }
                let refused = reader.refused(Decrypt, json!({"CiphertextBlob": blob})).await;
                assert_eq!(refused, "InvalidCiphertextException");
            }
        }
        if round == 0 {
            kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
        }
    }
}

#[tokio::test]
async fn the_arn_of_the_other_regions_key_is_not_taken() {
    let (kms, there, key) = replicated().await;
    let blob = kms.encrypt(&key, b"text").await;
    let request = json!({"CiphertextBlob": blob, "KeyId": kms.arn(&key)});
    assert_eq!(there.refused(Decrypt, request).await, "NotFoundException: Invalid arn eu-central-1");
    let refused = there.refused(DescribeKey, json!({"KeyId": kms.arn(&key)})).await;
    assert_eq!(refused, "NotFoundException: Invalid arn eu-central-1");
}

#[tokio::test]
async fn a_ciphertext_is_denied_where_there_is_no_related_key() {
    let (kms, _, key) = replicated().await;
    let blob = kms.encrypt(&key, b"text").await;
    let elsewhere = kms.in_region("eu-west-1");
    let refused = elsewhere.refused(Decrypt, json!({"CiphertextBlob": blob})).await;
    assert!(refused.starts_with("AccessDeniedException: "), "{refused}");
}

#[tokio::test]
async fn a_ciphertext_of_another_multi_region_key_is_not_read() {
    let (kms, there, key) = replicated().await;
    let other = primary(&kms).await;
    replicate(&kms, &other, THERE).await;
    let blob = kms.encrypt(&other, b"text").await;
    let refused = there.refused(Decrypt, json!({"CiphertextBlob": blob, "KeyId": key})).await;
    assert!(refused.starts_with("IncorrectKeyException: "), "{refused}");
}

#[tokio::test]
async fn a_ciphertext_is_encrypted_anew_in_the_other_region() {
    let (kms, there, key) = replicated().await;
    let (blob, local) = (kms.encrypt(&key, b"text").await, there.create_key().await);
    let answer = there.ok(ReEncrypt, json!({"CiphertextBlob": blob, "DestinationKeyId": local})).await;
    assert_eq!(answer["SourceKeyId"], there.arn(&key));
    assert_eq!(there.decrypt(answer["CiphertextBlob"].as_str().unwrap()).await, b"text");
}

#[tokio::test]
async fn everything_works_after_a_restart() {
    let (kms, there, key) = replicated().await;
    let blobs = [kms.encrypt(&key, b"text").await, there.encrypt(&key, b"text").await];
    kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
    drop(there);
    let kms = kms.restart().await;
    let there = kms.in_region(THERE);
    for kms in [&kms, &there] {
        for blob in &blobs {
            assert_eq!(kms.decrypt(blob).await, b"text");
        }
    }
    let blob = there.encrypt(&key, b"later").await;
    assert_eq!(kms.decrypt(&blob).await, b"later");
}

#[tokio::test]
async fn a_disabled_key_reads_nothing_though_the_other_does() {
    let (kms, there, key) = replicated().await;
    let blob = kms.encrypt(&key, b"text").await;
    kms.disable(&key).await;
    let refused = kms.refused(Decrypt, json!({"CiphertextBlob": blob})).await;
    assert_eq!(refused, format!("DisabledException: {} is disabled.", kms.arn(&key)));
    assert_eq!(there.decrypt(&blob).await, b"text");
}

#[tokio::test]
async fn signatures_are_verified_in_either_region() {
    for (spec, algorithm) in [
        ("ECC_NIST_P256", "ECDSA_SHA_256"),
        ("RSA_2048", "RSASSA_PSS_SHA_256"),
        ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512"),
        ("ML_DSA_44", "ML_DSA_SHAKE_256"),
    ] {
        let (kms, there, key) = pair(spec, "SIGN_VERIFY").await;
        assert_eq!(kms.public_key(&key).await, there.public_key(&key).await);
        let public = there.ok(GetPublicKey, json!({"KeyId": key})).await;
        assert_eq!(public["KeyId"], there.arn(&key));
        for (signer, verifier) in ways(&kms, &there) {
            let mut request =
                json!({"KeyId": key, "Message": base64(b"message"), "SigningAlgorithm": algorithm});
            request["Signature"] = {
                let request = request.clone();
                signer.ok(Sign, request).await["Signature"].take()
            };
            assert_eq!(verifier.ok(Verify, request).await["SignatureValid"], true, "{spec}");
        }
    }
}

#[tokio::test]
async fn macs_are_the_same_in_either_region() {
    let (kms, there, key) = pair("HMAC_256", "GENERATE_VERIFY_MAC").await;
    let request = json!({"KeyId": key, "Message": base64(b"message"), "MacAlgorithm": "HMAC_SHA_256"});
    let mac = kms.ok(GenerateMac, request.clone()).await["Mac"].take();
    assert_eq!(there.ok(GenerateMac, request.clone()).await["Mac"], mac);
    let mut request = request;
    request["Mac"] = mac;
    assert_eq!(there.ok(VerifyMac, request).await["MacValid"], true);
}

#[tokio::test]
async fn rsa_ciphertexts_are_read_in_either_region() {
    let (kms, there, key) = pair("RSA_2048", "ENCRYPT_DECRYPT").await;
    let algorithm = "RSAES_OAEP_SHA_256";
    for (maker, reader) in ways(&kms, &there) {
        let request = json!({"KeyId": key, "Plaintext": base64(b"text"), "EncryptionAlgorithm": algorithm});
        let blob = maker.ok(Encrypt, request).await["CiphertextBlob"].take();
        let request = json!({"KeyId": key, "CiphertextBlob": blob, "EncryptionAlgorithm": algorithm});
        assert_eq!(reader.ok(Decrypt, request).await["Plaintext"], base64(b"text"));
    }
}

#[tokio::test]
async fn secrets_are_agreed_on_in_either_region() {
    let (kms, there, key) = pair("ECC_NIST_P256", "KEY_AGREEMENT").await;
    let peer = kms.create_key_of("ECC_NIST_P256", "KEY_AGREEMENT").await;
    let peer = base64(&kms.public_key(&peer).await);
    let request = json!({"KeyId": key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": peer});
    let [here, there] = [&kms, &there].map(|kms| kms.ok(DeriveSharedSecret, request.clone()));
    assert_eq!(here.await["SharedSecret"], there.await["SharedSecret"]);

    let (kms, there, key) = pair("ML_KEM_512", "ENCAPSULATE_DECAPSULATE").await;
    let made = kms.ok(Encapsulate, json!({"KeyId": key, "EncapsulationAlgorithm": "ML_KEM"})).await;
    let request = json!({
        "KeyId": key,
        "EncapsulationAlgorithm": "ML_KEM",
        "SharedSecretCiphertextBlob": made["SharedSecretCiphertextBlob"],
    });
    assert_eq!(there.ok(Decapsulate, request).await["SharedSecret"], made["SharedSecret"]);
}

#[tokio::test]
async fn each_key_has_a_last_usage_of_its_own() {
    let (kms, there, key) = replicated().await;
    there.encrypt(&key, b"text").await;
    let usage = async |kms: &TestKms| kms.ok(GetKeyLastUsage, json!({"KeyId": key})).await;
    assert_eq!(usage(&kms).await["KeyLastUsage"], json!({}));
    assert_eq!(usage(&there).await["KeyLastUsage"]["Operation"], "Encrypt");
    assert_eq!(usage(&there).await["KeyId"], there.arn(&key));
}
