//! Decrypt: what finds the key, what a ciphertext is bound to, and what is told about wrong ones.

use serde_json::{Value, json};
use trent_crypto::asymmetric::{EncryptionAlgorithm, KeyPairSpec, PublicKey};
use trent_protocol::Operation::{Decrypt, Encrypt, RotateKeyOnDemand};
use trent_testkit::{TestKms, base64, bytes};

use crate::kinds::{incompatible, keys_for_other_usages, wrong_usage};

const INCORRECT_KEY: &str = "IncorrectKeyException: The key ID in the request does not identify a CMK that can perform this operation.";

async fn encrypt_with_context(kms: &TestKms, key: &str, context: Value) -> Value {
    let request = json!({"KeyId": key, "Plaintext": base64(b"text"), "EncryptionContext": context});
    kms.ok(Encrypt, request).await["CiphertextBlob"].take()
}

#[tokio::test]
async fn the_key_is_found_by_the_ciphertext() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.create_key().await;
    let material = kms.metadata(&key).await["CurrentKeyMaterialId"].take();
    let blob = kms.encrypt(&key, b"text").await;
    let answer = kms.ok(Decrypt, json!({"CiphertextBlob": blob})).await;
    let expected = json!({
        "KeyId": kms.arn(&key),
        "Plaintext": base64(b"text"),
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "KeyMaterialId": material,
    });
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn the_key_may_be_named_in_every_way() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.create_alias("alias/a", &key).await;
    let blob = kms.encrypt(&key, b"text").await;
    for name in [key.clone(), kms.arn(&key), "alias/a".to_owned(), kms.alias_arn("alias/a")] {
        let answer = kms.ok(Decrypt, json!({"KeyId": name, "CiphertextBlob": blob})).await;
        assert_eq!(bytes(&answer["Plaintext"]), b"text");
    }
}

#[tokio::test]
async fn another_key_than_the_one_of_the_ciphertext_is_incorrect() {
    let kms = TestKms::new().await;
    let (maker, other) = (kms.create_key().await, kms.create_key().await);
    let blob = kms.encrypt(&maker, b"text").await;
    let request = json!({"KeyId": other, "CiphertextBlob": blob});
    assert_eq!(kms.refused(Decrypt, request.clone()).await, INCORRECT_KEY);
    // Before anything about the state of the named key is told.
    kms.disable(&other).await;
    assert_eq!(kms.refused(Decrypt, request.clone()).await, INCORRECT_KEY);
    kms.schedule_deletion(&other).await;
    assert_eq!(kms.refused(Decrypt, request).await, INCORRECT_KEY);
}

#[tokio::test]
async fn a_ciphertext_of_a_key_that_is_not_here_is_denied() {
    let kms = TestKms::new().await;
    let elsewhere = kms.in_region("us-west-2");
    let blob = elsewhere.encrypt(&elsewhere.create_key().await, b"text").await;
    assert_eq!(
        kms.refused(Decrypt, json!({"CiphertextBlob": blob})).await,
        "AccessDeniedException: User: arn:aws:iam::111122223333:user/admin is not authorized to perform: kms:Decrypt \
         on the resource associated with this ciphertext because the resource does not exist in this Region, no \
         resource-based policies allow access, or a resource-based policy explicitly denies access"
    );
}

#[tokio::test]
async fn a_ciphertext_of_a_deleted_key_is_denied() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let blob = kms.encrypt(&key, b"text").await;
    kms.schedule_deletion(&key).await;
    kms.clock.advance_days(8);
    kms.run_jobs().await;
    let refused = kms.refused(Decrypt, json!({"CiphertextBlob": blob})).await;
    assert!(refused.starts_with("AccessDeniedException: "), "{refused}");
    assert!(refused.contains("does not exist"), "clients look for these words: {refused}");
}

#[tokio::test]
async fn a_ciphertext_is_bound_to_its_encryption_context() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let blob = encrypt_with_context(&kms, &key, json!({"app": "shop", "Stage": "live"})).await;
    let same = json!({"Stage": "live", "app": "shop"});
    kms.ok(Decrypt, json!({"CiphertextBlob": blob, "EncryptionContext": same})).await;
    for other in [
        Value::Null,
        json!({}),
        json!({"app": "shop"}),
        json!({"app": "shop", "Stage": "live", "more": ""}),
        json!({"app": "shop", "stage": "live"}),
        json!({"app": "Shop", "Stage": "live"}),
        json!({"app": "live", "Stage": "shop"}),
        json!({"app ": "shop", "Stage": "live"}),
    ] {
        let request = json!({"CiphertextBlob": blob, "EncryptionContext": other});
        assert_eq!(kms.refused(Decrypt, request).await, "InvalidCiphertextException", "{other}");
    }
}

#[tokio::test]
async fn keys_and_values_of_a_context_do_not_run_together() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let blob = encrypt_with_context(&kms, &key, json!({"a": "bc"})).await;
    for other in [json!({"ab": "c"}), json!({"abc": ""}), json!({"": "abc"}), json!({"a": "b", "c": ""})] {
        let request = json!({"CiphertextBlob": blob, "EncryptionContext": other});
        assert_eq!(kms.refused(Decrypt, request).await, "InvalidCiphertextException", "{other}");
    }
}

#[tokio::test]
async fn an_absent_context_is_an_empty_one() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let blob = encrypt_with_context(&kms, &key, json!({})).await;
    kms.ok(Decrypt, json!({"CiphertextBlob": blob})).await;
    let blob = kms.encrypt(&key, b"text").await;
    kms.ok(Decrypt, json!({"CiphertextBlob": blob, "EncryptionContext": {}})).await;
}

#[tokio::test]
async fn contexts_of_other_scripts_and_of_the_encryption_sdk_are_kept_whole() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let context = json!({"Größe": "groß", "鍵": "値", "aws-crypto-public-key": "AhRr"});
    let blob = encrypt_with_context(&kms, &key, context.clone()).await;
    kms.ok(Decrypt, json!({"CiphertextBlob": blob, "EncryptionContext": context})).await;
    let without = json!({"Größe": "groß", "鍵": "値"});
    let request = json!({"CiphertextBlob": blob, "EncryptionContext": without});
    assert_eq!(kms.refused(Decrypt, request).await, "InvalidCiphertextException");
}

#[tokio::test]
async fn an_altered_ciphertext_is_invalid_whichever_byte_it_is() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let blob = bytes(&json!(kms.encrypt(&key, b"text").await));
    let mut answers = std::collections::BTreeMap::<String, Vec<usize>>::new();
    for index in 0..blob.len() {
        let mut altered = blob.clone();
        altered[index] ^= 1;
        let request = json!({"KeyId": key, "CiphertextBlob": base64(&altered)});
        answers.entry(kms.refused(Decrypt, request).await).or_default().push(index);
    }
    // Where the ciphertext names its key, another byte names another key.
    let named = answers.remove(INCORRECT_KEY).unwrap_or_default();
    assert!(named.len() <= 17, "the id of a key and its kind: {named:?}");
    let codes: Vec<_> = answers.keys().collect();
    assert_eq!(codes, ["InvalidCiphertextException"]);
}

#[tokio::test]
async fn a_cut_or_extended_ciphertext_is_invalid() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let blob = bytes(&json!(kms.encrypt(&key, b"text").await));
    let extended = [blob.as_slice(), b"trailing"].concat();
    for wrong in
        [&extended, &blob[1..], &blob[8..], &blob[..blob.len() - 1], &blob[..10], b"not-a-valid-message"]
    {
        let refused = kms.refused(Decrypt, json!({"CiphertextBlob": base64(wrong)})).await;
        assert_eq!(refused, "InvalidCiphertextException");
    }
}

#[tokio::test]
async fn an_unreadable_ciphertext_is_told_of_only_after_the_named_key_was_found() {
    let kms = TestKms::new().await;
    let unknown = "12345678-90ab-cdef-1234-567890abcdef";
    let request = json!({"KeyId": unknown, "CiphertextBlob": base64(b"not-a-valid-message")});
    let expected = format!("NotFoundException: Key '{}' does not exist", kms.arn(unknown));
    assert_eq!(kms.refused(Decrypt, request).await, expected);
}

#[tokio::test]
async fn without_a_ciphertext_there_is_nothing_to_decrypt() {
    let kms = TestKms::new().await;
    for request in [json!({}), json!({"CiphertextBlob": null}), json!({"DryRun": true})] {
        assert_eq!(
            kms.refused(Decrypt, request).await,
            "ValidationException: 1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy \
             constraint: Member must not be null"
        );
    }
}

#[tokio::test]
async fn a_blob_that_is_not_base64_is_malformed() {
    let kms = TestKms::new().await;
    let refused = kms.refused(Decrypt, json!({"CiphertextBlob": "this-is-not-base64"})).await;
    assert_eq!(refused, "SerializationException");
}

#[tokio::test]
async fn ciphertexts_of_every_earlier_material_decrypt() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let mut made = Vec::new();
    for _ in 0..4 {
        let material = kms.metadata(&key).await["CurrentKeyMaterialId"].take();
        made.push((kms.encrypt(&key, b"text").await, material));
        kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
    }
    let kms = kms.restart().await;
    for (blob, material) in made {
        let answer = kms.ok(Decrypt, json!({"CiphertextBlob": blob})).await;
        assert_eq!((bytes(&answer["Plaintext"]), &answer["KeyMaterialId"]), (b"text".to_vec(), &material));
    }
}

#[tokio::test]
async fn a_ciphertext_of_a_multi_region_key_decrypts() {
    let kms = TestKms::new().await;
    let key = kms.create_key_with(json!({"MultiRegion": true})).await;
    let blob = kms.encrypt(&key, b"text").await;
    let answer = kms.ok(Decrypt, json!({"CiphertextBlob": blob})).await;
    assert_eq!(answer["KeyId"], kms.arn(&key));
}

#[tokio::test]
async fn a_ciphertext_outlives_a_restart() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let blob = kms.encrypt(&key, b"text").await;
    assert_eq!(kms.restart().await.decrypt(&blob).await, b"text");
}

#[tokio::test]
async fn an_asymmetric_algorithm_needs_a_key() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let blob = kms.encrypt(&key, b"text").await;
    let algorithm = "RSAES_OAEP_SHA_256";
    // Documented without a text; this one is trent's.
    assert_eq!(
        kms.refused(Decrypt, json!({"CiphertextBlob": blob, "EncryptionAlgorithm": algorithm})).await,
        "ValidationException: A key must be specified to decrypt with algorithm RSAES_OAEP_SHA_256."
    );
    assert_eq!(
        kms.refused(Decrypt, json!({"KeyId": key, "CiphertextBlob": blob, "EncryptionAlgorithm": algorithm}))
            .await,
        "InvalidKeyUsageException: Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT."
    );
}

#[tokio::test]
async fn who_claims_to_be_attested_is_refused_rather_than_answered_in_clear() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let blob = kms.encrypt(&key, b"text").await;
    let recipient =
        json!({"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": base64(b"doc")});
    assert_eq!(
        kms.refused(Decrypt, json!({"CiphertextBlob": blob, "Recipient": recipient})).await,
        "ValidationException: The attestation document is not valid: its CBOR ends too early."
    );
}

#[tokio::test]
async fn an_rsa_ciphertext_that_was_made_outside_decrypts() {
    let kms = TestKms::new().await;
    let key = kms.create_key_of("RSA_2048", "ENCRYPT_DECRYPT").await;
    let outside = PublicKey::from_spki(KeyPairSpec::Rsa2048, &kms.public_key(&key).await).unwrap();
    for (name, algorithm) in [
        ("RSAES_OAEP_SHA_1", EncryptionAlgorithm::RsaesOaepSha1),
        ("RSAES_OAEP_SHA_256", EncryptionAlgorithm::RsaesOaepSha256),
    ] {
        let blob = outside.encrypt(algorithm, b"text").unwrap();
        let request = json!({"KeyId": key, "CiphertextBlob": base64(&blob), "EncryptionAlgorithm": name});
        assert_eq!(bytes(&kms.ok(Decrypt, request).await["Plaintext"]), b"text", "{name}");
    }
}

#[tokio::test]
async fn whatever_is_wrong_with_an_rsa_ciphertext_is_one_answer() {
    let kms = TestKms::new().await;
    let (key, other) = (
        kms.create_key_of("RSA_2048", "ENCRYPT_DECRYPT").await,
        kms.create_key_of("RSA_2048", "ENCRYPT_DECRYPT").await,
    );
    let (sha_1, sha_256) = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256");
    let request = json!({"KeyId": key, "Plaintext": base64(b"text"), "EncryptionAlgorithm": sha_256});
    let blob = bytes(&kms.ok(Encrypt, request).await["CiphertextBlob"]);
    let altered = |at: usize| {
        let mut altered = blob.clone();
        altered[at] ^= 1;
        altered
    };
    for (key, blob, algorithm) in [
        (&key, blob.clone(), sha_1),
        (&other, blob.clone(), sha_256),
        (&key, altered(0), sha_256),
        (&key, altered(255), sha_256),
        (&key, blob[..255].to_vec(), sha_256),
        (&key, blob[1..].to_vec(), sha_256),
        (&key, [&blob[..], &[0]].concat(), sha_256),
        (&key, [&[0], &blob[..]].concat(), sha_256),
        (&key, vec![0; 256], sha_256),
        (&key, vec![0xff; 256], sha_256),
        (&key, vec![1], sha_1),
        (&key, vec![7; 6144], sha_1),
        (&key, bytes(&json!(kms.encrypt(&kms.create_key().await, b"text").await)), sha_256),
    ] {
        let request =
            json!({"KeyId": key, "CiphertextBlob": base64(&blob), "EncryptionAlgorithm": algorithm});
        assert_eq!(kms.refused(Decrypt, request).await, "InvalidCiphertextException", "{} bytes", blob.len());
    }
}

#[tokio::test]
async fn an_rsa_key_does_not_decrypt_with_the_default_algorithm() {
    let kms = TestKms::new().await;
    let key = kms.create_key_of("RSA_2048", "ENCRYPT_DECRYPT").await;
    let request = json!({"KeyId": key, "CiphertextBlob": base64(&[7; 256])});
    // AWS may answer IncorrectKeyException here; it is not recorded.
    assert_eq!(kms.refused(Decrypt, request).await, incompatible("SYMMETRIC_DEFAULT", "RSA_2048"));
}

#[tokio::test]
async fn a_symmetric_ciphertext_in_the_name_of_a_key_of_another_kind_is_told_so_before_the_usage() {
    let kms = TestKms::new().await;
    let blob = kms.encrypt(&kms.create_key().await, b"text").await;
    let mut keys = keys_for_other_usages(&kms, "ENCRYPT_DECRYPT").await;
    keys.push((kms.create_key_of("RSA_2048", "ENCRYPT_DECRYPT").await, "ENCRYPT_DECRYPT"));
    for (key, usage) in keys {
        let refused = kms.refused(Decrypt, json!({"KeyId": key, "CiphertextBlob": blob})).await;
        assert_eq!(refused, INCORRECT_KEY, "{usage}");
    }
}

#[tokio::test]
async fn keys_of_other_usages_do_not_decrypt() {
    let kms = TestKms::new().await;
    for (key, usage) in keys_for_other_usages(&kms, "ENCRYPT_DECRYPT").await {
        for algorithm in ["SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_256"] {
            let request =
                json!({"KeyId": key, "CiphertextBlob": base64(&[7; 256]), "EncryptionAlgorithm": algorithm});
            assert_eq!(kms.refused(Decrypt, request).await, wrong_usage(&kms, &key, usage, "Decrypt"));
        }
    }
}

#[tokio::test]
async fn an_rsa_ciphertext_has_no_context() {
    let kms = TestKms::new().await;
    let key = kms.create_key_of("RSA_2048", "ENCRYPT_DECRYPT").await;
    let request = json!({
        "KeyId": key,
        "CiphertextBlob": base64(&[7; 256]),
        "EncryptionAlgorithm": "RSAES_OAEP_SHA_256",
        "EncryptionContext": {"a": "b"},
    });
    assert_eq!(
        kms.refused(Decrypt, request).await,
        "ValidationException: EncryptionContext is not supported with algorithm RSAES_OAEP_SHA_256."
    );
}
