//! GetKeyLastUsage: what counts as usage, what does not, and that it is kept.

use serde_json::{Value, json};
use trent_protocol::Operation::{self, *};
use trent_testkit::{Subject, TestKms, base64, request};

const START: i64 = 1_767_225_600;
const DAY: i64 = 24 * 60 * 60;

async fn usage(kms: &TestKms, key: &str) -> Value {
    kms.ok(GetKeyLastUsage, json!({"KeyId": key})).await["KeyLastUsage"].take()
}

#[tokio::test]
async fn a_fresh_key_has_no_last_usage() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let answer = kms.ok(GetKeyLastUsage, json!({"KeyId": key})).await;
    let expected = json!({
        "KeyId": kms.arn(&key),
        "KeyLastUsage": {},
        "TrackingStartDate": START,
        "KeyCreationDate": START,
    });
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn every_cryptographic_operation_counts() {
    let kms = TestKms::new().await;
    for (day, operation) in (1..).zip([
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
        Sign,
        Verify,
        VerifyMac,
    ]) {
        let subject = Subject::of(&kms, operation).await;
        kms.clock.advance_days(1);
        kms.ok(operation, request(operation, &subject)).await;
        let usage = usage(&kms, &subject.key).await;
        assert_eq!(
            (&usage["Operation"], &usage["Timestamp"]),
            (&json!(operation.name()), &json!(START + day * DAY))
        );
        assert_eq!(usage["KmsRequestId"].as_str().map(str::len), Some(36));
        assert_eq!(usage["CloudTrailEventId"].as_str().map(str::len), Some(36));
    }
}

#[tokio::test]
async fn rsa_ciphertexts_count_as_any_other() {
    let kms = TestKms::new().await;
    let key = kms.create_key_of("RSA_2048", "ENCRYPT_DECRYPT").await;
    let algorithm = "RSAES_OAEP_SHA_256";
    let request = json!({"KeyId": key, "Plaintext": base64(b"text"), "EncryptionAlgorithm": algorithm});
    let blob = kms.ok(Encrypt, request).await["CiphertextBlob"].take();
    assert_eq!(usage(&kms, &key).await["Operation"], "Encrypt");
    let request = json!({"KeyId": key, "CiphertextBlob": blob, "EncryptionAlgorithm": algorithm});
    kms.ok(Decrypt, request).await;
    assert_eq!(usage(&kms, &key).await["Operation"], "Decrypt");
}

#[tokio::test]
async fn what_is_not_valid_and_public_keys_do_not_count() {
    let kms = TestKms::new().await;
    for (operation, member, length) in
        [(Verify, "Signature", 70), (VerifyMac, "Mac", 32), (Decapsulate, "SharedSecretCiphertextBlob", 767)]
    {
        let subject = Subject::of(&kms, operation).await;
        let before = usage(&kms, &subject.key).await;
        kms.clock.advance_days(1);
        let mut request = request(operation, &subject);
        request[member] = json!(base64(&vec![0; length]));
        kms.refused(operation, request).await;
        assert_eq!(usage(&kms, &subject.key).await, before, "{operation}");
    }
    let key = kms.create_key_of("ECC_NIST_P256", "SIGN_VERIFY").await;
    kms.public_key(&key).await;
    assert_eq!(usage(&kms, &key).await, json!({}));
}

#[tokio::test]
async fn the_request_id_is_that_of_the_answer() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let id = kms.service.new_request_id();
    let body = json!({"KeyId": key, "Plaintext": base64(b"text")}).to_string();
    kms.call_with_request_id(Encrypt, body.as_bytes(), id).await.unwrap();
    assert_eq!(usage(&kms, &key).await["KmsRequestId"], id.to_string());
}

#[tokio::test]
async fn re_encryption_is_one_event_and_counts_for_both_keys() {
    let kms = TestKms::new().await;
    let (from, to) = (kms.create_key().await, kms.create_key().await);
    let blob = kms.encrypt(&from, b"text").await;
    kms.ok(ReEncrypt, json!({"CiphertextBlob": blob, "DestinationKeyId": to})).await;
    let (source, destination) = (usage(&kms, &from).await, usage(&kms, &to).await);
    assert_eq!((&source["Operation"], &destination["Operation"]), (&json!("ReEncrypt"), &json!("ReEncrypt")));
    assert_eq!(source["KmsRequestId"], destination["KmsRequestId"]);
    assert_eq!(source["CloudTrailEventId"], destination["CloudTrailEventId"]);
}

#[tokio::test]
async fn failed_calls_dry_runs_and_other_operations_do_not_count() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let blob = kms.encrypt(&key, b"text").await;
    let before = usage(&kms, &key).await;
    kms.clock.advance_days(1);
    let refused: [(Operation, Value); 4] = [
        (Decrypt, json!({"CiphertextBlob": blob, "EncryptionContext": {"wrong": "one"}})),
        (Encrypt, json!({"KeyId": key, "Plaintext": base64(b"text"), "DryRun": true})),
        (GenerateDataKey, json!({"KeyId": key, "KeySpec": "AES_256", "DryRun": true})),
        (GenerateDataKey, json!({"KeyId": key})),
    ];
    for (operation, request) in refused {
        kms.refused(operation, request).await;
    }
    kms.ok(DescribeKey, json!({"KeyId": key})).await;
    kms.ok(TagResource, json!({"KeyId": key, "Tags": [{"TagKey": "a", "TagValue": ""}]})).await;
    kms.ok(DisableKey, json!({"KeyId": key})).await;
    kms.refused(Decrypt, json!({"CiphertextBlob": blob})).await;
    assert_eq!(usage(&kms, &key).await, before);
}

#[tokio::test]
async fn the_last_usage_outlives_a_restart_once_the_job_has_run() {
    let kms = TestKms::new().await;
    let (key, unused) = (kms.create_key().await, kms.create_key().await);
    kms.encrypt(&key, b"text").await;
    let before = usage(&kms, &key).await;
    assert_eq!(kms.run_jobs().await.usages, 1);
    assert_eq!(kms.run_jobs().await.usages, 0);
    let kms = kms.restart().await;
    assert_eq!(usage(&kms, &key).await, before);
    assert_eq!(usage(&kms, &unused).await, json!({}));
}

#[tokio::test]
async fn a_later_usage_takes_the_place_of_the_written_one() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let blob = kms.encrypt(&key, b"text").await;
    kms.run_jobs().await;
    kms.clock.advance_days(1);
    kms.decrypt(&blob).await;
    assert_eq!(usage(&kms, &key).await["Operation"], "Decrypt");
    kms.run_jobs().await;
    assert_eq!(usage(&kms, &key).await["Operation"], "Decrypt");
}

#[tokio::test]
async fn last_usages_are_written_in_batches() {
    let (kms, faults) = TestKms::with_faults().await;
    for _ in 0..300 {
        let key = kms.create_key().await;
        kms.encrypt(&key, b"text").await;
    }
    assert_eq!(kms.run_jobs().await.usages, 300);
    assert_eq!(faults.written("record last usage"), 2);
}

#[tokio::test]
async fn a_last_usage_that_could_not_be_written_is_written_by_the_next_run() {
    let (kms, faults) = TestKms::with_faults().await;
    let key = kms.create_key().await;
    kms.encrypt(&key, b"text").await;
    let before = usage(&kms, &key).await;
    faults.fail_next("record last usage");
    kms.service.run_jobs().await.expect_err("the write fails");
    assert_eq!(usage(&kms, &key).await, before);
    assert_eq!(kms.run_jobs().await.usages, 1);
    drop(faults);
    assert_eq!(usage(&kms.restart().await, &key).await, before);
}

#[tokio::test]
async fn a_usage_that_comes_while_the_one_before_is_written_is_kept() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let blob = kms.encrypt(&key, b"text").await;
    let (first, second, _) =
        tokio::join!(kms.service.flush_last_usage(), kms.service.flush_last_usage(), kms.decrypt(&blob));
    assert_eq!((first.expect("written"), second.expect("written")), (1, 1));
    assert_eq!(usage(&kms, &key).await["Operation"], "Decrypt");
    kms.run_jobs().await;
    assert_eq!(usage(&kms.restart().await, &key).await["Operation"], "Decrypt");
}

#[tokio::test]
async fn aliases_are_not_accepted() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.create_alias("alias/a", &key).await;
    let refused = kms.refused(GetKeyLastUsage, json!({"KeyId": "alias/a"})).await;
    assert_eq!(refused, "NotFoundException: Invalid keyId 'alias/a'");
    let refused = kms.refused(GetKeyLastUsage, json!({"KeyId": kms.alias_arn("alias/a")})).await;
    assert_eq!(refused, "InvalidArnException: Key Aliases are not supported for this operation.");
}
