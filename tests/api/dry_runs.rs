//! Requests with `DryRun`: they never succeed, never change anything, and say what would have happened.

use serde_json::{Value, json};
use trent_protocol::Operation::{self, *};
use trent_testkit::{Subject, TestKms, base64, request};

const WOULD_HAVE_SUCCEEDED: &str =
    "DryRunOperationException: The request would have succeeded, but the DryRun option is set.";

const WITH_DRY_RUN: [Operation; 17] = [
    CreateGrant,
    Decapsulate,
    Decrypt,
    DeriveSharedSecret,
    Encapsulate,
    Encrypt,
    GenerateDataKey,
    GenerateDataKeyPair,
    GenerateDataKeyPairWithoutPlaintext,
    GenerateDataKeyWithoutPlaintext,
    GenerateMac,
    ReEncrypt,
    RetireGrant,
    RevokeGrant,
    Sign,
    Verify,
    VerifyMac,
];

fn dry(mut request: Value) -> Value {
    request["DryRun"] = json!(true);
    request
}

#[tokio::test]
async fn what_would_succeed_is_told_to() {
    let kms = TestKms::new().await;
    for operation in WITH_DRY_RUN {
        let subject = Subject::of(&kms, operation).await;
        let refused = kms.refused(operation, dry(request(operation, &subject))).await;
        assert_eq!(refused, WOULD_HAVE_SUCCEEDED, "{operation}");
    }
}

#[tokio::test]
async fn what_would_fail_fails_in_the_same_words() {
    let kms = TestKms::new().await;
    // Grants are taken back in every state of their key.
    let refuses = |operation: &Operation| ![RetireGrant, RevokeGrant].contains(operation);
    for operation in WITH_DRY_RUN.into_iter().filter(refuses) {
        let subject = Subject::of(&kms, operation).await;
        kms.disable(&subject.key).await;
        let request = request(operation, &subject);
        let plain = kms.refused(operation, request.clone()).await;
        assert_eq!(kms.refused(operation, dry(request)).await, plain, "{operation}");
    }
}

#[tokio::test]
async fn usage_algorithm_sizes_and_public_keys_are_judged_before_the_dry_run_is_told() {
    let kms = TestKms::new().await;
    let symmetric = kms.create_key().await;
    let rsa = kms.create_key_of("RSA_2048", "ENCRYPT_DECRYPT").await;
    let text = base64(b"text");
    for (operation, change) in [
        (Sign, json!({"KeyId": symmetric})),
        (Sign, json!({"SigningAlgorithm": "ECDSA_SHA_384"})),
        (Sign, json!({"MessageType": "DIGEST"})),
        (Verify, json!({"KeyId": symmetric})),
        (Verify, json!({"SigningAlgorithm": "RSASSA_PSS_SHA_256"})),
        (Verify, json!({"MessageType": "EXTERNAL_MU"})),
        (GenerateMac, json!({"KeyId": symmetric})),
        (GenerateMac, json!({"MacAlgorithm": "HMAC_SHA_512"})),
        (VerifyMac, json!({"KeyId": symmetric})),
        (VerifyMac, json!({"MacAlgorithm": "HMAC_SHA_512"})),
        (DeriveSharedSecret, json!({"KeyId": symmetric})),
        (DeriveSharedSecret, json!({"PublicKey": text})),
        (Encapsulate, json!({"KeyId": symmetric})),
        (Decapsulate, json!({"KeyId": symmetric})),
        (Decapsulate, json!({"SharedSecretCiphertextBlob": text})),
        (GenerateDataKeyPair, json!({"KeyId": rsa})),
        (GenerateDataKeyPairWithoutPlaintext, json!({"KeyId": rsa})),
        (Encrypt, json!({"KeyId": rsa})),
        (
            Encrypt,
            json!({"KeyId": rsa, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256", "Plaintext": base64(&[0; 191])}),
        ),
    ] {
        let mut request = request(operation, &Subject::of(&kms, operation).await);
        for (member, value) in change.as_object().expect("members") {
            request[member] = value.clone();
        }
        let plain = kms.refused(operation, request.clone()).await;
        assert_eq!(kms.refused(operation, dry(request)).await, plain, "{operation} {change}");
    }
}

#[tokio::test]
async fn a_dry_run_of_verifying_does_not_look_at_signature_and_mac() {
    // The work itself is what a dry run leaves out.
    let kms = TestKms::new().await;
    for (operation, member) in [(Verify, "Signature"), (VerifyMac, "Mac")] {
        let mut request = request(operation, &Subject::of(&kms, operation).await);
        request[member] = json!(base64(b"another"));
        assert_eq!(kms.refused(operation, dry(request)).await, WOULD_HAVE_SUCCEEDED, "{operation}");
    }
}

#[tokio::test]
async fn false_is_as_good_as_absent() {
    let kms = TestKms::new().await;
    for operation in WITH_DRY_RUN {
        let mut request = request(operation, &Subject::of(&kms, operation).await);
        request["DryRun"] = json!(false);
        kms.ok(operation, request).await;
    }
}

#[tokio::test]
async fn a_dry_run_is_no_usage() {
    let kms = TestKms::new().await;
    for operation in WITH_DRY_RUN {
        let subject = Subject::of(&kms, operation).await;
        let usage = kms.ok(GetKeyLastUsage, json!({"KeyId": subject.key})).await;
        kms.clock.advance_days(1);
        kms.refused(operation, dry(request(operation, &subject))).await;
        assert_eq!(kms.ok(GetKeyLastUsage, json!({"KeyId": subject.key})).await, usage, "{operation}");
    }
}

#[tokio::test]
async fn a_caller_without_rights_is_denied_as_without_dry_run() {
    let kms = TestKms::new().await;
    let alice = kms.as_user("alice");
    for operation in WITH_DRY_RUN {
        let request = request(operation, &Subject::of(&kms, operation).await);
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
