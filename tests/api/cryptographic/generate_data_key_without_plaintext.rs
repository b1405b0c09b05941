//! GenerateDataKeyWithoutPlaintext: as GenerateDataKey, and the key never in clear.

use serde_json::json;
use trent_protocol::Operation::{Decrypt, GenerateDataKeyWithoutPlaintext};
use trent_testkit::{TestKms, bytes};

#[tokio::test]
async fn the_key_is_given_in_its_sealed_form_alone() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let answer = kms.ok(GenerateDataKeyWithoutPlaintext, json!({"KeyId": key, "KeySpec": "AES_256"})).await;
    let members: Vec<_> = answer.as_object().unwrap().keys().collect();
    assert_eq!(members, ["CiphertextBlob", "KeyId", "KeyMaterialId"]);
    assert_eq!(answer["KeyId"], kms.arn(&key));
    assert_eq!(answer["KeyMaterialId"], kms.metadata(&key).await["CurrentKeyMaterialId"]);
}

#[tokio::test]
async fn what_is_sealed_has_the_length_that_was_asked_for() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    for (asked, length) in [
        (json!({"KeySpec": "AES_128"}), 16),
        (json!({"KeySpec": "AES_256"}), 32),
        (json!({"NumberOfBytes": 1024}), 1024),
    ] {
        let mut request = asked.clone();
        request["KeyId"] = json!(key);
        let answer = kms.ok(GenerateDataKeyWithoutPlaintext, request).await;
        assert_eq!(kms.decrypt(answer["CiphertextBlob"].as_str().unwrap()).await.len(), length, "{asked}");
    }
}

#[tokio::test]
async fn exactly_one_kind_of_length_must_be_given() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    for request in [json!({"KeyId": key}), json!({"KeyId": key, "KeySpec": "AES_256", "NumberOfBytes": 32})] {
        assert_eq!(
            kms.refused(GenerateDataKeyWithoutPlaintext, request).await,
            "ValidationException: Please specify either number of bytes or key spec."
        );
    }
}

#[tokio::test]
async fn the_context_is_needed_to_decrypt() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let request = json!({"KeyId": key, "KeySpec": "AES_256", "EncryptionContext": {"volume": "v1"}});
    let blob = kms.ok(GenerateDataKeyWithoutPlaintext, request).await["CiphertextBlob"].take();
    assert_eq!(kms.refused(Decrypt, json!({"CiphertextBlob": blob})).await, "InvalidCiphertextException");
    let decrypted =
        kms.ok(Decrypt, json!({"CiphertextBlob": blob, "EncryptionContext": {"volume": "v1"}})).await;
    assert_eq!(bytes(&decrypted["Plaintext"]).len(), 32);
}
