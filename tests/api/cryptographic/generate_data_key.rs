//! GenerateDataKey: lengths, and that the sealed form holds the plain one.

use serde_json::json;
use trent_protocol::Operation::{Decrypt, GenerateDataKey};
use trent_testkit::{TestKms, base64, bytes};

#[tokio::test]
async fn the_key_has_the_length_that_was_asked_for_and_its_ciphertext_decrypts_to_it() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    for (asked, length) in [
        (json!({"KeySpec": "AES_128"}), 16),
        (json!({"KeySpec": "AES_256"}), 32),
        (json!({"NumberOfBytes": 1}), 1),
        (json!({"NumberOfBytes": 64}), 64),
        (json!({"NumberOfBytes": 1024}), 1024),
    ] {
        let mut request = asked.clone();
        request["KeyId"] = json!(key);
        let answer = kms.ok(GenerateDataKey, request).await;
        let plaintext = bytes(&answer["Plaintext"]);
        assert_eq!(plaintext.len(), length, "{asked}");
        assert_eq!(kms.decrypt(answer["CiphertextBlob"].as_str().unwrap()).await, plaintext);
    }
}

#[tokio::test]
async fn the_answer_names_key_and_material() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.create_alias("alias/a", &key).await;
    let answer = kms.ok(GenerateDataKey, json!({"KeyId": "alias/a", "KeySpec": "AES_256"})).await;
    let members: Vec<_> = answer.as_object().unwrap().keys().collect();
    assert_eq!(members, ["CiphertextBlob", "KeyId", "KeyMaterialId", "Plaintext"]);
    assert_eq!(answer["KeyId"], kms.arn(&key));
    assert_eq!(answer["KeyMaterialId"], kms.metadata(&key).await["CurrentKeyMaterialId"]);
}

#[tokio::test]
async fn every_key_is_another_one() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let request = json!({"KeyId": key, "KeySpec": "AES_256"});
    let (one, other) =
        (kms.ok(GenerateDataKey, request.clone()).await, kms.ok(GenerateDataKey, request).await);
    assert_ne!(one["Plaintext"], other["Plaintext"]);
    assert_ne!(one["CiphertextBlob"], other["CiphertextBlob"]);
}

#[tokio::test]
async fn exactly_one_kind_of_length_must_be_given() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    for request in [json!({"KeyId": key}), json!({"KeyId": key, "KeySpec": "AES_256", "NumberOfBytes": 32})] {
        assert_eq!(
            kms.refused(GenerateDataKey, request).await,
            "ValidationException: Please specify either number of bytes or key spec."
        );
    }
}

#[tokio::test]
async fn the_context_is_needed_to_decrypt() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let request = json!({"KeyId": key, "KeySpec": "AES_256", "EncryptionContext": {"volume": "v1"}});
    let answer = kms.ok(GenerateDataKey, request).await;
    let blob = &answer["CiphertextBlob"];
    assert_eq!(kms.refused(Decrypt, json!({"CiphertextBlob": blob})).await, "InvalidCiphertextException");
    let decrypted =
        kms.ok(Decrypt, json!({"CiphertextBlob": blob, "EncryptionContext": {"volume": "v1"}})).await;
    assert_eq!(decrypted["Plaintext"], answer["Plaintext"]);
}

#[tokio::test]
async fn who_claims_to_be_attested_is_refused_rather_than_answered_in_clear() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let recipient =
        json!({"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": base64(b"doc")});
    assert_eq!(
        kms.refused(GenerateDataKey, json!({"KeyId": key, "KeySpec": "AES_256", "Recipient": recipient}))
            .await,
        "ValidationException: The attestation document is not valid: its CBOR ends too early."
    );
}
