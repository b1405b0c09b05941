//! ScheduleKeyDeletion: the waiting period, and the job that deletes what is due.

use serde_json::json;
use trent_protocol::Operation::{
    CreateAlias, DescribeKey, Encrypt, GetKeyLastUsage, ListAliases, ListKeys, ScheduleKeyDeletion,
    TagResource,
};
use trent_testkit::{TestKms, base64};

const START: i64 = 1_767_225_600;
const DAY: i64 = 24 * 60 * 60;

#[tokio::test]
async fn the_answer_tells_when_the_key_will_be_gone() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let answer = kms.ok(ScheduleKeyDeletion, json!({"KeyId": key, "PendingWindowInDays": 7})).await;
    let expected = json!({
        "KeyId": kms.arn(&key),
        "DeletionDate": START + 7 * DAY,
        "KeyState": "PendingDeletion",
        "PendingWindowInDays": 7,
    });
    assert_eq!(answer, expected);
    let metadata = kms.metadata(&key).await;
    assert_eq!(metadata["DeletionDate"], START + 7 * DAY);
    assert_eq!((&metadata["KeyState"], &metadata["Enabled"]), (&json!("PendingDeletion"), &json!(false)));
}

#[tokio::test]
async fn the_waiting_period_is_30_days_by_default() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let answer = kms.ok(ScheduleKeyDeletion, json!({"KeyId": key})).await;
    assert_eq!(
        (&answer["PendingWindowInDays"], &answer["DeletionDate"]),
        (&json!(30), &json!(START + 30 * DAY))
    );
}

#[tokio::test]
async fn waiting_periods_that_the_model_allows_and_the_operation_does_not_are_refused() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    for days in [1, 6, 31, 365] {
        assert_eq!(
            kms.refused(ScheduleKeyDeletion, json!({"KeyId": key, "PendingWindowInDays": days})).await,
            "ValidationException: PendingWindowInDays must be between 7 and 30"
        );
    }
    for (days, rule) in [(0, "greater than or equal to 1"), (366, "less than or equal to 365")] {
        assert_eq!(
            kms.refused(ScheduleKeyDeletion, json!({"KeyId": key, "PendingWindowInDays": days})).await,
            format!(
                "ValidationException: 1 validation error detected: Value '{days}' at 'pendingWindowInDays' failed to \
                 satisfy constraint: Member must have value {rule}"
            )
        );
    }
}

#[tokio::test]
async fn a_disabled_key_can_be_scheduled_and_answers_with_its_new_state() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.disable(&key).await;
    kms.schedule_deletion(&key).await;
    assert_eq!(
        kms.refused(Encrypt, json!({"KeyId": key, "Plaintext": base64(b"text")})).await,
        format!("KMSInvalidStateException: {} is pending deletion.", kms.arn(&key))
    );
}

#[tokio::test]
async fn a_key_is_scheduled_once() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.schedule_deletion(&key).await;
    kms.clock.advance_days(1);
    assert_eq!(
        kms.refused(ScheduleKeyDeletion, json!({"KeyId": key, "PendingWindowInDays": 30})).await,
        format!("KMSInvalidStateException: {} is pending deletion.", kms.arn(&key))
    );
    assert_eq!(kms.metadata(&key).await["DeletionDate"], START + 7 * DAY);
}

#[tokio::test]
async fn the_key_stays_until_its_waiting_period_is_over() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.schedule_deletion(&key).await;
    kms.clock.advance_millis(7 * DAY * 1000 - 1);
    assert_eq!(kms.run_jobs().await.deleted, 0);
    assert_eq!(kms.metadata(&key).await["KeyState"], "PendingDeletion");
    kms.clock.advance_millis(1);
    assert_eq!(kms.run_jobs().await.deleted, 1);
    assert_eq!(
        kms.refused(DescribeKey, json!({"KeyId": key})).await,
        format!("NotFoundException: Key '{}' does not exist", kms.arn(&key))
    );
    assert_eq!(kms.ok(ListKeys, json!({})).await["Keys"], json!([]));
}

#[tokio::test]
async fn the_aliases_of_a_deleted_key_are_gone_and_their_names_free() {
    let kms = TestKms::new().await;
    let (dying, other) = (kms.create_key().await, kms.create_key().await);
    kms.create_alias("alias/a", &dying).await;
    kms.create_alias("alias/b", &other).await;
    // Both are in memory when the key goes.
    kms.encrypt("alias/a", b"text").await;
    kms.schedule_deletion(&dying).await;
    kms.clock.advance_days(7);
    kms.run_jobs().await;
    assert_eq!(
        kms.refused(DescribeKey, json!({"KeyId": "alias/a"})).await,
        format!("NotFoundException: Alias {} is not found.", kms.alias_arn("alias/a"))
    );
    let listed = kms.list_all(ListAliases, &json!({}), "Aliases").await;
    assert!(listed.iter().all(|alias| alias["AliasName"] != "alias/a"));
    kms.ok(CreateAlias, json!({"AliasName": "alias/a", "TargetKeyId": other})).await;
    assert_eq!(kms.metadata("alias/a").await["KeyId"], other);
}

#[tokio::test]
async fn a_deletion_that_is_due_happens_after_a_restart_too() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.schedule_deletion(&key).await;
    let kms = kms.restart().await;
    kms.clock.advance_days(7);
    assert_eq!(kms.run_jobs().await.deleted, 1);
    kms.refused(DescribeKey, json!({"KeyId": key})).await;
}

#[tokio::test]
async fn a_key_that_was_used_just_before_is_deleted_with_its_last_usage() {
    let kms = TestKms::new().await;
    let (dying, other) = (kms.create_key().await, kms.create_key().await);
    kms.encrypt(&dying, b"text").await;
    kms.encrypt(&other, b"text").await;
    kms.schedule_deletion(&dying).await;
    kms.clock.advance_days(7);
    // The usage of a key that is gone is not in the way of writing that of another.
    kms.run_jobs().await;
    let kms = kms.restart().await;
    let usage = kms.ok(GetKeyLastUsage, json!({"KeyId": other})).await;
    assert_eq!(usage["KeyLastUsage"]["Operation"], "Encrypt");
}

#[tokio::test]
async fn more_keys_than_one_run_of_the_job_looks_at_are_deleted_in_time() {
    let kms = TestKms::new().await;
    for _ in 0..300 {
        let key = kms.create_key().await;
        kms.schedule_deletion(&key).await;
    }
    kms.clock.advance_days(7);
    let mut deleted = 0;
    for _ in 0..2 {
        deleted += kms.run_jobs().await.deleted;
    }
    assert_eq!(deleted, 300);
}

#[tokio::test]
async fn nothing_about_a_key_pending_deletion_can_be_changed_but_its_policy() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.schedule_deletion(&key).await;
    let tags = json!([{"TagKey": "a", "TagValue": ""}]);
    assert_eq!(
        kms.refused(TagResource, json!({"KeyId": key, "Tags": tags})).await,
        format!("KMSInvalidStateException: {} is pending deletion.", kms.arn(&key))
    );
    let policy = trent_policy::default_key_policy("aws", trent_testkit::ACCOUNT);
    kms.ok(trent_protocol::Operation::PutKeyPolicy, json!({"KeyId": key, "Policy": policy})).await;
}

#[tokio::test]
async fn a_key_that_cannot_be_deleted_keeps_no_other_from_it() {
    let (kms, faults) = TestKms::with_faults().await;
    let (keys, used) = ([kms.create_key().await, kms.create_key().await], kms.create_key().await);
    for key in &keys {
        kms.schedule_deletion(key).await;
    }
    kms.encrypt(&used, b"text").await;
    kms.clock.advance_days(7);
    faults.fail_next("delete expired key");
    kms.service.run_jobs().await.expect_err("one of the writes fails");
    assert_eq!(faults.written("delete expired key"), 1);
    assert_eq!(faults.written("record last usage"), 1);
    assert_eq!(kms.run_jobs().await.deleted, 1);
}
