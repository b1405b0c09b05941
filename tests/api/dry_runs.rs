//! Requests with `DryRun`: they never succeed, never change anything, and say what would have happened.

use serde_json::{Value, json};
use trent_protocol::Operation::{
    self, Decrypt, Encrypt, GenerateDataKey, GenerateDataKeyWithoutPlaintext, GetKeyLastUsage, ReEncrypt,
};
use trent_testkit::{Subject, TestKms, base64, request};

const WOULD_HAVE_SUCCEEDED: &str =
    "DryRunOperationException: The request would have succeeded, but the DryRun option is set.";

const WITH_DRY_RUN: [Operation; 5] =
    [Decrypt, Encrypt, GenerateDataKey, GenerateDataKeyWithoutPlaintext, ReEncrypt];

fn dry(mut request: Value) -> Value {
    request["DryRun"] = json!(true);
    request
}

#[tokio::test]
async fn what_would_succeed_is_told_to() {
    let kms = TestKms::new().await;
    let subject = Subject::new(&kms).await;
    for operation in WITH_DRY_RUN {
        let refused = kms.refused(operation, dry(request(operation, &subject))).await;
        assert_eq!(refused, WOULD_HAVE_SUCCEEDED, "{operation}");
    }
}

#[tokio::test]
async fn what_would_fail_fails_in_the_same_words() {
    let kms = TestKms::new().await;
    let subject = Subject::new(&kms).await;
    kms.disable(&subject.key).await;
    for operation in WITH_DRY_RUN {
        let request = request(operation, &subject);
        let plain = kms.refused(operation, request.clone()).await;
        assert_eq!(kms.refused(operation, dry(request)).await, plain, "{operation}");
    }
}

#[tokio::test]
async fn false_is_as_good_as_absent() {
    let kms = TestKms::new().await;
    let subject = Subject::new(&kms).await;
    for operation in WITH_DRY_RUN {
        let mut request = request(operation, &subject);
        request["DryRun"] = json!(false);
        kms.ok(operation, request).await;
    }
}

#[tokio::test]
async fn a_dry_run_is_no_usage() {
    let kms = TestKms::new().await;
    let subject = Subject::new(&kms).await;
    let usage = kms.ok(GetKeyLastUsage, json!({"KeyId": subject.key})).await;
    kms.clock.advance_days(1);
    for operation in WITH_DRY_RUN {
        kms.refused(operation, dry(request(operation, &subject))).await;
    }
    assert_eq!(kms.ok(GetKeyLastUsage, json!({"KeyId": subject.key})).await, usage);
}

#[tokio::test]
async fn a_caller_without_rights_is_denied_as_without_dry_run() {
    let kms = TestKms::new().await;
    let subject = Subject::new(&kms).await;
    let alice = kms.as_user("alice");
    for operation in WITH_DRY_RUN {
        let request = request(operation, &subject);
        let plain = alice.refused(operation, request.clone()).await;
        assert!(plain.starts_with("AccessDeniedException: "), "{plain}");
        assert_eq!(alice.refused(operation, dry(request)).await, plain);
    }
}

#[tokio::test]
async fn permission_can_be_asked_for_without_a_ciphertext() {
    let kms = TestKms::new().await;
    let (key, other) = (kms.create_key().await, kms.create_key().await);
    let ignoring = |mut request: Value| {
        request["DryRunModifiers"] = json!(["IGNORE_CIPHERTEXT"]);
        dry(request)
    };
    let decrypt = ignoring(json!({"KeyId": key}));
    assert_eq!(kms.refused(Decrypt, decrypt.clone()).await, WOULD_HAVE_SUCCEEDED);
    let re_encrypt = ignoring(json!({"SourceKeyId": key, "DestinationKeyId": other}));
    assert_eq!(kms.refused(ReEncrypt, re_encrypt.clone()).await, WOULD_HAVE_SUCCEEDED);
    // One that is there all the same is not looked at.
    let with_blob = ignoring(json!({"KeyId": key, "CiphertextBlob": base64(b"not-a-valid-message")}));
    assert_eq!(kms.refused(Decrypt, with_blob).await, WOULD_HAVE_SUCCEEDED);
    let alice = kms.as_user("alice");
    assert!(alice.refused(Decrypt, decrypt).await.contains("kms:Decrypt on resource: "));
    assert!(alice.refused(ReEncrypt, re_encrypt).await.contains("kms:ReEncryptFrom on resource: "));
}

#[tokio::test]
async fn without_ciphertext_the_key_must_be_named() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    for (operation, member, request) in
        [(Decrypt, "keyId", json!({})), (ReEncrypt, "sourceKeyId", json!({"DestinationKeyId": key}))]
    {
        let mut request = dry(request);
        request["DryRunModifiers"] = json!(["IGNORE_CIPHERTEXT"]);
        let expected = format!(
            "ValidationException: 1 validation error detected: Value null at '{member}' failed to satisfy constraint: \
             Member must not be null"
        );
        assert_eq!(kms.refused(operation, request).await, expected);
    }
}

#[tokio::test]
async fn without_dry_run_the_modifier_excuses_nothing() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    for request in [
        json!({"KeyId": key, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}),
        json!({"KeyId": key, "DryRunModifiers": ["IGNORE_CIPHERTEXT"], "DryRun": false}),
        json!({"KeyId": key, "DryRunModifiers": [], "DryRun": true}),
    ] {
        assert_eq!(
            kms.refused(Decrypt, request).await,
            "ValidationException: 1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy \
             constraint: Member must not be null"
        );
    }
}

#[tokio::test]
async fn a_dry_run_looks_at_the_ciphertext() {
    let kms = TestKms::new().await;
    let (key, other) = (kms.create_key().await, kms.create_key().await);
    let blob = kms.encrypt(&key, b"text").await;
    assert_eq!(
        kms.refused(Decrypt, dry(json!({"KeyId": other, "CiphertextBlob": blob}))).await,
        "IncorrectKeyException: The key ID in the request does not identify a CMK that can perform this operation."
    );
    let garbage = dry(json!({"CiphertextBlob": base64(b"not-a-valid-message")}));
    assert_eq!(kms.refused(Decrypt, garbage).await, "InvalidCiphertextException");
}
