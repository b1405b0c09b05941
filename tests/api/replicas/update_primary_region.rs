//! UpdatePrimaryRegion: primary and replica change places, and nothing else changes.

use serde_json::{Value, json};
use trent_protocol::Operation::{
    DisableKey, EnableKey, EnableKeyRotation, GetKeyRotationStatus, ReplicateKey, RotateKeyOnDemand,
    ScheduleKeyDeletion, UpdatePrimaryRegion,
};
use trent_service::Options;
use trent_testkit::{ACCOUNT, REGION, TestKms};

use super::{THERE, configuration, not_primary, primary, promote, related, replicate, replicated};

fn request(key: &str, region: &str) -> Value {
    json!({"KeyId": key, "PrimaryRegion": region})
}

#[tokio::test]
async fn the_roles_are_swapped_and_all_else_stays() {
    let (kms, there, key) = replicated().await;
    replicate(&kms, &key, "ap-south-1").await;
    let (mut here_before, mut there_before) = (kms.metadata(&key).await, there.metadata(&key).await);
    assert_eq!(kms.ok(UpdatePrimaryRegion, request(&key, THERE)).await, Value::Null);
    let replicas = ["ap-south-1", REGION];
    here_before["MultiRegionConfiguration"] = related(&kms, &key, "REPLICA", THERE, &replicas);
    there_before["MultiRegionConfiguration"] = related(&kms, &key, "PRIMARY", THERE, &replicas);
    assert_eq!(kms.metadata(&key).await, here_before);
    assert_eq!(there.metadata(&key).await, there_before);
    let third = kms.in_region("ap-south-1");
    assert_eq!(configuration(&third, &key).await, related(&kms, &key, "REPLICA", THERE, &replicas));
}

#[tokio::test]
async fn the_new_primary_leads_and_the_old_one_follows() {
    let (kms, there, key) = replicated().await;
    promote(&kms, &key, THERE).await;
    for (operation, request) in [
        (RotateKeyOnDemand, json!({"KeyId": key})),
        (ReplicateKey, json!({"KeyId": key, "ReplicaRegion": "eu-west-1"})),
        (UpdatePrimaryRegion, request(&key, REGION)),
    ] {
        assert_eq!(kms.refused(operation, request.clone()).await, not_primary(&kms, &key));
        there.ok(operation, request).await;
    }
    let there = kms.metadata(&key).await["MultiRegionConfiguration"].take();
    assert_eq!(there, related(&kms, &key, "PRIMARY", REGION, &["eu-west-1", THERE]));
}

#[tokio::test]
async fn automatic_rotation_goes_on_in_the_new_region_on_the_day_it_was_due() {
    let (kms, there, key) = replicated().await;
    kms.ok(EnableKeyRotation, json!({"KeyId": key, "RotationPeriodInDays": 90})).await;
    kms.clock.advance_days(89);
    promote(&kms, &key, THERE).await;
    let status = there.ok(GetKeyRotationStatus, json!({"KeyId": key})).await;
    assert_eq!(status["RotationPeriodInDays"], 90);
    assert_eq!(kms.run_jobs().await.rotated, 0);
    // The old primary would be due all the same, were it still one.
    kms.clock.advance_days(1);
    assert_eq!(kms.run_jobs().await.rotated, 1);
    assert_eq!(kms.run_jobs().await.rotated, 0);
    assert_eq!(
        kms.metadata(&key).await["CurrentKeyMaterialId"],
        there.metadata(&key).await["CurrentKeyMaterialId"]
    );
    there.disable(&key).await;
    kms.clock.advance_days(90);
    assert_eq!(kms.run_jobs().await.rotated, 0);
}

#[tokio::test]
async fn a_replica_and_a_single_region_key_are_no_primaries() {
    let (kms, there, key) = replicated().await;
    for region in [REGION, THERE, "eu-west-1"] {
        assert_eq!(
            there.refused(UpdatePrimaryRegion, request(&key, region)).await,
            not_primary(&there, &key)
        );
    }
    let single = kms.create_key().await;
    assert_eq!(kms.refused(UpdatePrimaryRegion, request(&single, THERE)).await, not_primary(&kms, &single));
}

#[tokio::test]
async fn there_must_be_a_replica_in_the_region() {
    let (kms, _, key) = replicated().await;
    // Code and text are trent's own choice.
    let refused = kms.refused(UpdatePrimaryRegion, request(&key, "eu-west-1")).await;
    let arn = kms.in_region("eu-west-1").arn(&key);
    assert_eq!(refused, format!("NotFoundException: Key '{arn}' does not exist"));
    let refused = kms.refused(UpdatePrimaryRegion, request(&key, REGION)).await;
    assert_eq!(refused, format!("ValidationException: {} is the primary key already.", kms.arn(&key)));
    assert_eq!(configuration(&kms, &key).await, related(&kms, &key, "PRIMARY", REGION, &[THERE]));
}

#[tokio::test]
async fn both_keys_must_be_enabled() {
    let (kms, there, key) = replicated().await;
    for disabled in [&kms, &there] {
        disabled.disable(&key).await;
        let refused = kms.refused(UpdatePrimaryRegion, request(&key, THERE)).await;
        assert_eq!(refused, format!("DisabledException: {} is disabled.", disabled.arn(&key)));
        disabled.enable(&key).await;
    }
    there.schedule_deletion(&key).await;
    let refused = kms.refused(UpdatePrimaryRegion, request(&key, THERE)).await;
    assert_eq!(refused, format!("KMSInvalidStateException: {} is pending deletion.", there.arn(&key)));
    kms.schedule_deletion(&key).await;
    let refused = kms.refused(UpdatePrimaryRegion, request(&key, THERE)).await;
    assert_eq!(refused, format!("KMSInvalidStateException: {} is pending replica deletion.", kms.arn(&key)));
}

#[tokio::test]
async fn whoever_may_not_is_told_of_the_primary() {
    let (kms, _, key) = replicated().await;
    let refused = kms.as_user("alice").refused(UpdatePrimaryRegion, request(&key, THERE)).await;
    assert_eq!(
        refused,
        format!(
            "AccessDeniedException: User: arn:aws:iam::{ACCOUNT}:user/alice is not authorized to perform: \
             kms:UpdatePrimaryRegion on resource: {} because no identity-based policy allows the \
             kms:UpdatePrimaryRegion action",
            kms.arn(&key)
        )
    );
}

#[tokio::test]
async fn while_it_lasts_both_are_updating_and_go_on_working() {
    let kms = TestKms::with_options(Options { settling_seconds: 30, ..Options::default() }).await;
    let (key, there) = (primary(&kms).await, kms.in_region(THERE));
    replicate(&kms, &key, THERE).await;
    kms.clock.advance_millis(30_000);
    kms.run_jobs().await;
    promote(&kms, &key, THERE).await;
    for kms in [&kms, &there] {
        let metadata = kms.metadata(&key).await;
        assert_eq!((&metadata["KeyState"], &metadata["Enabled"]), (&json!("Updating"), &json!(false)));
        let blob = kms.encrypt(&key, b"text").await;
        assert_eq!(kms.decrypt(&blob).await, b"text");
        for operation in [EnableKey, DisableKey, ScheduleKeyDeletion, RotateKeyOnDemand] {
            let refused = kms.refused(operation, json!({"KeyId": key})).await;
            assert_eq!(refused, format!("KMSInvalidStateException: {} is updating.", kms.arn(&key)));
        }
    }
    let refused = there.refused(ReplicateKey, json!({"KeyId": key, "ReplicaRegion": "eu-west-1"})).await;
    assert_eq!(refused, format!("KMSInvalidStateException: {} is updating.", there.arn(&key)));
    // Both can be updated once more, as the guide's table has it.
    kms.clock.advance_millis(10_000);
    promote(&there, &key, REGION).await;
    kms.clock.advance_millis(29_999);
    assert_eq!(kms.run_jobs().await.settled, 0);
    let kms = {
        drop(there);
        kms.restart().await
    };
    kms.clock.advance_millis(1);
    assert_eq!(kms.run_jobs().await.settled, 2);
    let there = kms.in_region(THERE);
    for kms in [&kms, &there] {
        assert_eq!(kms.metadata(&key).await["KeyState"], "Enabled");
    }
    assert_eq!(configuration(&kms, &key).await, related(&kms, &key, "PRIMARY", REGION, &[THERE]));
}

#[tokio::test]
async fn of_two_at_once_the_second_finds_no_primary() {
    let (kms, _, key) = replicated().await;
    replicate(&kms, &key, "ap-south-1").await;
    let both = tokio::join!(
        kms.call(UpdatePrimaryRegion, request(&key, THERE)),
        kms.call(UpdatePrimaryRegion, request(&key, "ap-south-1")),
    );
    let mut refused: Vec<_> = [both.0, both.1].into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(trent_testkit::told(&refused.remove(0)), not_primary(&kms, &key));
    let configuration = configuration(&kms, &key).await;
    assert_eq!(configuration["MultiRegionKeyType"], "REPLICA");
    assert_eq!(configuration["ReplicaKeys"].as_array().unwrap().len(), 2);
}
