//! CancelKeyDeletion: the key is kept, and disabled.

use serde_json::{Value, json};
use trent_protocol::Operation::{CancelKeyDeletion, ScheduleKeyDeletion};
use trent_testkit::TestKms;

#[tokio::test]
async fn the_key_is_disabled_afterwards_whatever_it_was_before() {
    let kms = TestKms::new().await;
    for disabled_before in [false, true] {
        let key = kms.create_key().await;
        if disabled_before {
            kms.disable(&key).await;
        }
        kms.schedule_deletion(&key).await;
        let answer = kms.ok(CancelKeyDeletion, json!({"KeyId": key})).await;
        assert_eq!(answer, json!({"KeyId": kms.arn(&key)}));
        let metadata = kms.metadata(&key).await;
        assert_eq!((&metadata["KeyState"], &metadata["DeletionDate"]), (&json!("Disabled"), &Value::Null));
    }
}

#[tokio::test]
async fn the_key_is_not_deleted_when_its_waiting_period_would_have_been_over() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.schedule_deletion(&key).await;
    kms.ok(CancelKeyDeletion, json!({"KeyId": key})).await;
    kms.clock.advance_days(31);
    assert_eq!(kms.run_jobs().await.deleted, 0);
    assert_eq!(kms.metadata(&key).await["KeyState"], "Disabled");
}

#[tokio::test]
async fn a_key_can_be_scheduled_again_with_another_waiting_period() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.schedule_deletion(&key).await;
    kms.ok(CancelKeyDeletion, json!({"KeyId": key})).await;
    let answer = kms.ok(ScheduleKeyDeletion, json!({"KeyId": key, "PendingWindowInDays": 30})).await;
    assert_eq!(answer["PendingWindowInDays"], 30);
}

#[tokio::test]
async fn aliases_and_tags_are_there_as_before() {
    let kms = TestKms::new().await;
    let key = kms.create_key_with(json!({"Tags": [{"TagKey": "a", "TagValue": "1"}]})).await;
    kms.create_alias("alias/a", &key).await;
    kms.schedule_deletion(&key).await;
    kms.ok(CancelKeyDeletion, json!({"KeyId": key})).await;
    assert_eq!(kms.metadata("alias/a").await["KeyId"], key);
    let tags =
        kms.ok(trent_protocol::Operation::ListResourceTags, json!({"KeyId": key})).await["Tags"].take();
    assert_eq!(tags, json!([{"TagKey": "a", "TagValue": "1"}]));
}

#[tokio::test]
async fn a_key_that_is_not_pending_deletion_is_refused() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    assert_eq!(
        kms.refused(CancelKeyDeletion, json!({"KeyId": key})).await,
        format!("KMSInvalidStateException: {} is not pending deletion.", kms.arn(&key))
    );
}

#[tokio::test]
async fn a_key_that_is_due_but_not_deleted_yet_can_still_be_kept() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.schedule_deletion(&key).await;
    kms.clock.advance_days(7);
    kms.ok(CancelKeyDeletion, json!({"KeyId": key})).await;
    assert_eq!(kms.run_jobs().await.deleted, 0);
}
