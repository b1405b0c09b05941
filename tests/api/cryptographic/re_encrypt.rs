//! ReEncrypt: from key to key, context to context and old material to new.

use serde_json::json;
use trent_protocol::Operation::{Decrypt, Encrypt, ReEncrypt, RotateKeyOnDemand};
use trent_testkit::{TestKms, base64, bytes};

use crate::kinds::{incompatible, keys_for_other_usages, wrong_usage};

const INCORRECT_KEY: &str = "IncorrectKeyException: The key ID in the request does not identify a CMK that can perform this operation.";

#[tokio::test]
async fn the_answer_names_both_keys_algorithms_and_materials() {
    let kms = TestKms::new().await;
    let (from, to) = (kms.create_key().await, kms.create_key().await);
    let blob = kms.encrypt(&from, b"text").await;
    let mut answer = kms.ok(ReEncrypt, json!({"CiphertextBlob": blob, "DestinationKeyId": to})).await;
    let new_blob = answer["CiphertextBlob"].take();
    let expected = json!({
        "CiphertextBlob": null,
        "SourceKeyId": kms.arn(&from),
        "KeyId": kms.arn(&to),
        "SourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "DestinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "SourceKeyMaterialId": kms.metadata(&from).await["CurrentKeyMaterialId"],
        "DestinationKeyMaterialId": kms.metadata(&to).await["CurrentKeyMaterialId"],
    });
    assert_eq!(answer, expected);
    let decrypted = kms.ok(Decrypt, json!({"CiphertextBlob": new_blob, "KeyId": to})).await;
    assert_eq!(bytes(&decrypted["Plaintext"]), b"text");
}

#[tokio::test]
async fn a_new_context_takes_the_place_of_the_old_under_the_same_key() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let (old, new) = (json!({"version": "1"}), json!({"version": "2"}));
    let request = json!({"KeyId": key, "Plaintext": base64(b"text"), "EncryptionContext": old});
    let blob = kms.ok(Encrypt, request).await["CiphertextBlob"].take();
    let request = json!({
        "CiphertextBlob": blob,
        "SourceEncryptionContext": old,
        "DestinationKeyId": key,
        "DestinationEncryptionContext": new,
    });
    let blob = kms.ok(ReEncrypt, request).await["CiphertextBlob"].take();
    let request = json!({"CiphertextBlob": blob, "EncryptionContext": old});
    assert_eq!(kms.refused(Decrypt, request).await, "InvalidCiphertextException");
    kms.ok(Decrypt, json!({"CiphertextBlob": blob, "EncryptionContext": new})).await;
}

#[tokio::test]
async fn the_source_needs_its_context() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let request = json!({"KeyId": key, "Plaintext": base64(b"text"), "EncryptionContext": {"a": "b"}});
    let blob = kms.ok(Encrypt, request).await["CiphertextBlob"].take();
    let request = json!({"CiphertextBlob": blob, "DestinationKeyId": key});
    assert_eq!(kms.refused(ReEncrypt, request).await, "InvalidCiphertextException");
}

#[tokio::test]
async fn old_material_gives_way_to_new() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let blob = kms.encrypt(&key, b"text").await;
    let old = kms.metadata(&key).await["CurrentKeyMaterialId"].take();
    kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
    let new = kms.metadata(&key).await["CurrentKeyMaterialId"].take();
    let answer = kms.ok(ReEncrypt, json!({"CiphertextBlob": blob, "DestinationKeyId": key})).await;
    assert_eq!((&answer["SourceKeyMaterialId"], &answer["DestinationKeyMaterialId"]), (&old, &new));
    assert_ne!(old, new);
}

#[tokio::test]
async fn a_wrong_source_key_is_told_before_anything_of_the_destination() {
    let kms = TestKms::new().await;
    let (maker, other) = (kms.create_key().await, kms.create_key().await);
    let blob = kms.encrypt(&maker, b"text").await;
    for destination in [other.as_str(), "12345678-90ab-cdef-1234-567890abcdef"] {
        let request = json!({"CiphertextBlob": blob, "SourceKeyId": other, "DestinationKeyId": destination});
        assert_eq!(kms.refused(ReEncrypt, request).await, INCORRECT_KEY);
    }
}

#[tokio::test]
async fn both_keys_may_be_named_in_every_way() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.create_alias("alias/a", &key).await;
    let blob = kms.encrypt(&key, b"text").await;
    for name in [key.clone(), kms.arn(&key), "alias/a".to_owned(), kms.alias_arn("alias/a")] {
        let request = json!({"CiphertextBlob": blob, "SourceKeyId": name, "DestinationKeyId": name});
        assert_eq!(kms.ok(ReEncrypt, request).await["SourceKeyId"], kms.arn(&key));
    }
}

#[tokio::test]
async fn algorithms_that_do_not_fit_the_keys_are_refused() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let blob = kms.encrypt(&key, b"text").await;
    for member in ["SourceEncryptionAlgorithm", "DestinationEncryptionAlgorithm"] {
        let mut request = json!({"CiphertextBlob": blob, "SourceKeyId": key, "DestinationKeyId": key});
        request[member] = json!("RSAES_OAEP_SHA_1");
        assert_eq!(
            kms.refused(ReEncrypt, request).await,
            "InvalidKeyUsageException: Algorithm RSAES_OAEP_SHA_1 is incompatible with key spec SYMMETRIC_DEFAULT.",
            "{member}"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_algorithm_is_told_before_what_is_wrong_with_the_ciphertext() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let mut blob = bytes(&json!(kms.encrypt(&key, b"text").await));
    *blob.last_mut().unwrap() ^= 1;
    let request = json!({
        "CiphertextBlob": base64(&blob),
        "DestinationKeyId": key,
        "DestinationEncryptionAlgorithm": "RSAES_OAEP_SHA_1",
    });
    assert_eq!(
        kms.refused(ReEncrypt, request).await,
        "InvalidKeyUsageException: Algorithm RSAES_OAEP_SHA_1 is incompatible with key spec SYMMETRIC_DEFAULT."
    );
}

#[tokio::test]
async fn an_unknown_destination_is_not_found() {
    let kms = TestKms::new().await;
    let blob = kms.encrypt(&kms.create_key().await, b"text").await;
    let refused =
        kms.refused(ReEncrypt, json!({"CiphertextBlob": blob, "DestinationKeyId": "alias/none"})).await;
    assert_eq!(refused, format!("NotFoundException: Alias {} is not found.", kms.alias_arn("alias/none")));
}

#[tokio::test]
async fn the_largest_plaintext_can_be_encrypted_anew() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let blob = kms.encrypt(&key, &[7; 4096]).await;
    let answer = kms.ok(ReEncrypt, json!({"CiphertextBlob": blob, "DestinationKeyId": key})).await;
    let decrypted = kms.ok(Decrypt, json!({"CiphertextBlob": answer["CiphertextBlob"]})).await;
    assert_eq!(bytes(&decrypted["Plaintext"]), [7; 4096]);
}

#[tokio::test]
async fn symmetric_and_rsa_keys_take_over_from_each_other() {
    let kms = TestKms::new().await;
    let symmetric = kms.create_key().await;
    let (one, other) = (
        kms.create_key_of("RSA_2048", "ENCRYPT_DECRYPT").await,
        kms.create_key_of("RSA_2048", "ENCRYPT_DECRYPT").await,
    );
    let material = kms.metadata(&symmetric).await["CurrentKeyMaterialId"].take();
    let (default, sha_1, sha_256) = ("SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256");
    let mut blob = json!(kms.encrypt(&symmetric, b"text").await);
    for (from, from_algorithm, to, to_algorithm) in [
        (&symmetric, default, &one, sha_1),
        (&one, sha_1, &other, sha_256),
        (&other, sha_256, &other, sha_1),
        (&other, sha_1, &symmetric, default),
    ] {
        let request = json!({
            "CiphertextBlob": blob,
            "SourceKeyId": from,
            "SourceEncryptionAlgorithm": from_algorithm,
            "DestinationKeyId": to,
            "DestinationEncryptionAlgorithm": to_algorithm,
        });
        let mut answer = kms.ok(ReEncrypt, request).await;
        blob = answer["CiphertextBlob"].take();
        let mut expected = json!({
            "CiphertextBlob": null,
            "SourceKeyId": kms.arn(from),
            "KeyId": kms.arn(to),
            "SourceEncryptionAlgorithm": from_algorithm,
            "DestinationEncryptionAlgorithm": to_algorithm,
        });
        // Materials are told of symmetric sides alone.
        if from == &symmetric {
            expected["SourceKeyMaterialId"] = material.clone();
        }
        if to == &symmetric {
            expected["DestinationKeyMaterialId"] = material.clone();
        }
        assert_eq!(answer, expected);
    }
    assert_eq!(kms.decrypt(blob.as_str().unwrap()).await, b"text");
}

#[tokio::test]
async fn a_plaintext_that_is_too_long_for_the_rsa_destination_is_refused() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let rsa = kms.create_key_of("RSA_2048", "ENCRYPT_DECRYPT").await;
    let request = json!({
        "CiphertextBlob": kms.encrypt(&key, &[7; 191]).await,
        "DestinationKeyId": rsa,
        "DestinationEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
    });
    assert_eq!(
        kms.refused(ReEncrypt, request).await,
        "ValidationException: Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger than 190 \
         bytes."
    );
}

#[tokio::test]
async fn an_rsa_source_must_be_named_and_a_wrong_one_does_not_open() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let rsa = kms.create_key_of("RSA_2048", "ENCRYPT_DECRYPT").await;
    let mut request = json!({
        "CiphertextBlob": base64(&[7; 256]),
        "SourceEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
        "DestinationKeyId": key,
    });
    assert_eq!(
        kms.refused(ReEncrypt, request.clone()).await,
        "ValidationException: A key must be specified to decrypt with algorithm RSAES_OAEP_SHA_256."
    );
    request["SourceKeyId"] = json!(rsa);
    assert_eq!(kms.refused(ReEncrypt, request).await, "InvalidCiphertextException");
}

#[tokio::test]
async fn keys_of_other_usages_are_no_destination_and_the_source_comes_first() {
    let kms = TestKms::new().await;
    let blob = kms.encrypt(&kms.create_key().await, b"text").await;
    for (key, usage) in keys_for_other_usages(&kms, "ENCRYPT_DECRYPT").await {
        let mut request = json!({"CiphertextBlob": blob, "DestinationKeyId": key});
        assert_eq!(
            kms.refused(ReEncrypt, request.clone()).await,
            wrong_usage(&kms, &key, usage, "ReEncrypt")
        );
        request["SourceKeyId"] = json!(key);
        assert_eq!(kms.refused(ReEncrypt, request).await, INCORRECT_KEY);
    }
}

#[tokio::test]
async fn an_rsa_destination_has_no_default_algorithm() {
    let kms = TestKms::new().await;
    let blob = kms.encrypt(&kms.create_key().await, b"text").await;
    let rsa = kms.create_key_of("RSA_2048", "ENCRYPT_DECRYPT").await;
    let request = json!({"CiphertextBlob": blob, "DestinationKeyId": rsa});
    assert_eq!(kms.refused(ReEncrypt, request).await, incompatible("SYMMETRIC_DEFAULT", "RSA_2048"));
}
