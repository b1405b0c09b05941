//! Bodies of requests and answers, as far as they are the same for all operations.

use serde_json::{Value, json};
use trent_protocol::Operation::{self, *};
use trent_testkit::{Subject, TestKms, base64, bytes, request, told};

/// Operations that answer with an empty body.
const SILENT: [Operation; 13] = [
    CreateAlias,
    DeleteAlias,
    DisableKey,
    DisableKeyRotation,
    EnableKey,
    EnableKeyRotation,
    PutKeyPolicy,
    RetireGrant,
    RevokeGrant,
    TagResource,
    UntagResource,
    UpdateAlias,
    UpdateKeyDescription,
];

#[tokio::test]
async fn an_empty_body_is_an_empty_object() {
    let kms = TestKms::new().await;
    assert_eq!(kms.call_bytes(ListKeys, b"").await.unwrap(), json!({"Keys": [], "Truncated": false}));
    kms.call_bytes(CreateKey, b"").await.unwrap();
    assert_eq!(
        told(&kms.call_bytes(DescribeKey, b"").await.unwrap_err()),
        "ValidationException: 1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member \
         must not be null"
    );
}

#[tokio::test]
async fn what_is_not_one_json_object_is_malformed_for_every_operation() {
    let kms = TestKms::new().await;
    let bodies: [&[u8]; 9] =
        [b"{", b"}", b"[]", b"\"text\"", b"1", b"null", b"{} {}", b"{\"KeyId\":}", b"{\"KeyId\":\"\xff\"}"];
    for operation in Operation::ALL {
        for body in bodies {
            let refused = told(&kms.call_bytes(operation, body).await.unwrap_err());
            assert_eq!(refused, "SerializationException", "{operation}: {}", String::from_utf8_lossy(body));
        }
    }
}

#[tokio::test]
async fn unknown_members_are_ignored() {
    let kms = TestKms::new().await;
    let subject = Subject::new(&kms).await;
    for (operation, mut request) in [
        (CreateKey, json!({})),
        (DescribeKey, request(DescribeKey, &subject)),
        (TagResource, request(TagResource, &subject)),
    ] {
        request["Foo"] = json!({"deep": [1, null, {"KeyId": "other"}]});
        request["keyId"] = json!(7);
        kms.ok(operation, request).await;
    }
}

#[tokio::test]
async fn null_is_as_good_as_absent() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let request = json!({
        "KeyId": key, "Plaintext": base64(b"text"), "EncryptionContext": null, "GrantTokens": null,
        "EncryptionAlgorithm": null, "DryRun": null,
    });
    kms.ok(Encrypt, request).await;
    let created =
        kms.ok(CreateKey, json!({"Policy": null, "Tags": null, "MultiRegion": null, "Origin": null})).await;
    assert_eq!(created["KeyMetadata"]["MultiRegion"], false);
}

#[tokio::test]
async fn of_two_members_of_one_name_the_last_counts() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let body = format!("{{\"KeyId\":\"other\",\"KeyId\":\"{key}\"}}");
    kms.call_bytes(DescribeKey, body.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn numbers_in_an_encryption_context_are_taken_as_strings() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let request = json!({"KeyId": key, "Plaintext": base64(b"text"), "EncryptionContext": {"n": 7}});
    let blob = kms.ok(Encrypt, request).await["CiphertextBlob"].take();
    let decrypted = kms.ok(Decrypt, json!({"CiphertextBlob": blob, "EncryptionContext": {"n": "7"}})).await;
    assert_eq!(bytes(&decrypted["Plaintext"]), b"text");
}

#[tokio::test]
async fn integers_are_whole_numbers() {
    let kms = TestKms::new().await;
    for number in ["1.5", "\"16\"", "true", "[16]", "99999999999"] {
        let body = format!("{{\"NumberOfBytes\":{number}}}");
        let refused = told(&kms.call_bytes(GenerateRandom, body.as_bytes()).await.unwrap_err());
        assert_eq!(refused, "SerializationException", "{number}");
    }
}

#[tokio::test]
async fn all_violations_are_told_at_once() {
    let kms = TestKms::new().await;
    assert_eq!(
        kms.refused(Encrypt, json!({})).await,
        "ValidationException: 2 validation errors detected: Value null at 'keyId' failed to satisfy constraint: Member \
         must not be null; Value null at 'plaintext' failed to satisfy constraint: Member must not be null"
    );
}

#[tokio::test]
async fn operations_without_output_answer_with_an_empty_body() {
    let kms = TestKms::new().await;
    for operation in SILENT {
        let subject = Subject::new(&kms).await;
        match kms.call(operation, request(operation, &subject)).await {
            Ok(answer) => assert_eq!(answer, Value::Null, "{operation}"),
            Err(error) => assert!(told(&error).contains("not supported by this version"), "{}", told(&error)),
        }
    }
}

#[tokio::test]
async fn answers_have_no_null_members() {
    fn nulls(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(items) => items.iter().any(nulls),
            Value::Object(members) => members.values().any(nulls),
            _ => false,
        }
    }
    let kms = TestKms::new().await;
    for operation in Operation::ALL {
        let subject = Subject::of(&kms, operation).await;
        if let Ok(answer) = kms.call(operation, request(operation, &subject)).await {
            assert!(answer.is_null() || !nulls(&answer), "{operation}: {answer}");
        }
    }
}
