//! Deleting related keys: replicas like any key, a primary after all its replicas.

use serde_json::json;
use trent_protocol::Operation::{
    CancelKeyDeletion, Decrypt, DescribeKey, Encrypt, GetKeyRotationStatus, ScheduleKeyDeletion,
};
use trent_testkit::{REGION, TestKms, base64};

use super::{THERE, configuration, primary, related, replicate, replicated};

const DAY: f64 = 24.0 * 60.0 * 60.0;

#[tokio::test]
async fn a_replica_is_deleted_like_any_key_and_forgotten_by_its_primary() {
    let (kms, there, key) = replicated().await;
    replicate(&kms, &key, "ap-south-1").await;
    there.create_alias("alias/far", &key).await;
    let before = kms.metadata(&key).await;
    let answer = there.ok(ScheduleKeyDeletion, json!({"KeyId": key, "PendingWindowInDays": 7})).await;
    assert_eq!((&answer["KeyState"], &answer["PendingWindowInDays"]), (&json!("PendingDeletion"), &json!(7)));
    assert!(answer["DeletionDate"].is_number());
    assert_eq!(kms.metadata(&key).await, before);
    kms.clock.advance_days(7);
    assert_eq!(kms.run_jobs().await.deleted, 1);
    let refused = there.refused(DescribeKey, json!({"KeyId": key})).await;
    assert_eq!(refused, format!("NotFoundException: Key '{}' does not exist", there.arn(&key)));
    assert_eq!(configuration(&kms, &key).await, related(&kms, &key, "PRIMARY", REGION, &["ap-south-1"]));
    let third = kms.in_region("ap-south-1");
    assert_eq!(configuration(&third, &key).await, related(&kms, &key, "REPLICA", REGION, &["ap-south-1"]));
    assert_eq!(kms.metadata(&key).await["KeyState"], "Enabled");
}

#[tokio::test]
async fn a_replica_that_is_gone_can_be_made_again_and_reads_what_the_first_wrote() {
    let (kms, there, key) = replicated().await;
    let blob = there.encrypt(&key, b"text").await;
    there.schedule_deletion(&key).await;
    kms.clock.advance_days(7);
    kms.run_jobs().await;
    replicate(&kms, &key, THERE).await;
    assert_eq!(there.decrypt(&blob).await, b"text");
    assert_eq!(configuration(&kms, &key).await, related(&kms, &key, "PRIMARY", REGION, &[THERE]));
}

#[tokio::test]
async fn a_primary_waits_for_its_replicas() {
    let (kms, there, key) = replicated().await;
    let answer = kms.ok(ScheduleKeyDeletion, json!({"KeyId": key, "PendingWindowInDays": 8})).await;
    assert_eq!(
        answer,
        json!({"KeyId": kms.arn(&key), "KeyState": "PendingReplicaDeletion", "PendingWindowInDays": 8})
    );
    let metadata = kms.metadata(&key).await;
    assert_eq!(
        (&metadata["KeyState"], &metadata["Enabled"]),
        (&json!("PendingReplicaDeletion"), &json!(false))
    );
    assert_eq!(metadata["PendingDeletionWindowInDays"], 8);
    assert!(metadata["DeletionDate"].is_null());
    let blob = there.encrypt(&key, b"text").await;
    assert_eq!(there.decrypt(&blob).await, b"text");
    for (operation, request) in [
        (Encrypt, json!({"KeyId": key, "Plaintext": base64(b"text")})),
        (Decrypt, json!({"CiphertextBlob": blob})),
        (ScheduleKeyDeletion, json!({"KeyId": key})),
    ] {
        let refused = kms.refused(operation, request).await;
        assert_eq!(
            refused,
            format!("KMSInvalidStateException: {} is pending replica deletion.", kms.arn(&key))
        );
    }
    let status = kms.ok(GetKeyRotationStatus, json!({"KeyId": key})).await;
    assert_eq!(status["KeyRotationEnabled"], false);
    // It can last for ever.
    kms.clock.advance_days(400);
    assert_eq!(kms.run_jobs().await.deleted, 0);
    assert_eq!(kms.metadata(&key).await["KeyState"], "PendingReplicaDeletion");
}

#[tokio::test]
async fn its_own_period_begins_when_the_last_replica_is_gone() {
    let (kms, there, key) = replicated().await;
    let third = kms.in_region("ap-south-1");
    replicate(&kms, &key, "ap-south-1").await;
    kms.ok(ScheduleKeyDeletion, json!({"KeyId": key, "PendingWindowInDays": 8})).await;
    there.schedule_deletion(&key).await;
    kms.clock.advance_days(7);
    kms.run_jobs().await;
    assert_eq!(kms.metadata(&key).await["KeyState"], "PendingReplicaDeletion");
    third.schedule_deletion(&key).await;
    // Scheduled is not deleted.
    assert_eq!(kms.metadata(&key).await["KeyState"], "PendingReplicaDeletion");
    drop((there, third));
    let kms = kms.restart().await;
    kms.clock.advance_days(10);
    kms.run_jobs().await;
    let metadata = kms.metadata(&key).await;
    assert_eq!(metadata["KeyState"], "PendingDeletion");
    assert!(metadata["PendingDeletionWindowInDays"].is_null());
    let created = metadata["CreationDate"].as_f64().unwrap();
    assert_eq!(metadata["DeletionDate"].as_f64().unwrap(), created + (7.0 + 10.0 + 8.0) * DAY);
    kms.clock.advance_days(7);
    assert_eq!(kms.run_jobs().await.deleted, 0);
    kms.clock.advance_days(1);
    assert_eq!(kms.run_jobs().await.deleted, 1);
    kms.refused(DescribeKey, json!({"KeyId": key})).await;
}

#[tokio::test]
async fn a_deletion_can_be_cancelled_before_and_after_the_replicas_are_gone() {
    let (kms, there, key) = replicated().await;
    kms.schedule_deletion(&key).await;
    assert_eq!(kms.ok(CancelKeyDeletion, json!({"KeyId": key})).await, json!({"KeyId": kms.arn(&key)}));
    let metadata = kms.metadata(&key).await;
    assert_eq!(metadata["KeyState"], "Disabled");
    assert!(metadata["PendingDeletionWindowInDays"].is_null());
    kms.schedule_deletion(&key).await;
    there.schedule_deletion(&key).await;
    kms.clock.advance_days(7);
    kms.run_jobs().await;
    assert_eq!(kms.metadata(&key).await["KeyState"], "PendingDeletion");
    kms.ok(CancelKeyDeletion, json!({"KeyId": key})).await;
    kms.clock.advance_days(30);
    assert_eq!(kms.run_jobs().await.deleted, 0);
    assert_eq!(kms.metadata(&key).await["KeyState"], "Disabled");
    kms.enable(&key).await;
    replicate(&kms, &key, THERE).await;
}

#[tokio::test]
async fn a_replica_whose_deletion_is_cancelled_keeps_its_primary_waiting() {
    let (kms, there, key) = replicated().await;
    kms.schedule_deletion(&key).await;
    there.schedule_deletion(&key).await;
    there.ok(CancelKeyDeletion, json!({"KeyId": key})).await;
    kms.clock.advance_days(30);
    assert_eq!(kms.run_jobs().await.deleted, 0);
    assert_eq!(there.metadata(&key).await["KeyState"], "Disabled");
    assert_eq!(kms.metadata(&key).await["KeyState"], "PendingReplicaDeletion");
}

#[tokio::test]
async fn a_primary_without_replicas_is_deleted_like_any_key() {
    let kms = TestKms::new().await;
    let key = primary(&kms).await;
    let answer = kms.ok(ScheduleKeyDeletion, json!({"KeyId": key, "PendingWindowInDays": 7})).await;
    assert_eq!(answer["KeyState"], "PendingDeletion");
    assert!(answer["DeletionDate"].is_number());
    kms.clock.advance_days(7);
    assert_eq!(kms.run_jobs().await.deleted, 1);
}

#[tokio::test]
async fn a_replica_being_created_can_be_deleted_and_is_not_enabled_by_the_job() {
    let options = trent_service::Options { settling_seconds: 30, ..trent_service::Options::default() };
    let kms = TestKms::with_options(options).await;
    let (key, there) = (primary(&kms).await, kms.in_region(THERE));
    replicate(&kms, &key, THERE).await;
    there.schedule_deletion(&key).await;
    kms.clock.advance_millis(30_000);
    assert_eq!(kms.run_jobs().await.settled, 0);
    assert_eq!(there.metadata(&key).await["KeyState"], "PendingDeletion");
}
