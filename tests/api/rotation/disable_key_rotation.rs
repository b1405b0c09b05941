//! DisableKeyRotation: no further rotations; past ones stay.

use serde_json::{Value, json};
use trent_protocol::Operation::{
    DisableKeyRotation, EnableKeyRotation, GetKeyRotationStatus, ListKeyRotations,
};
use trent_testkit::TestKms;

#[tokio::test]
async fn the_status_shows_no_schedule_any_more() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.ok(EnableKeyRotation, json!({"KeyId": key})).await;
    assert_eq!(kms.ok(DisableKeyRotation, json!({"KeyId": key})).await, Value::Null);
    let status = kms.ok(GetKeyRotationStatus, json!({"KeyId": key})).await;
    assert_eq!(status, json!({"KeyId": kms.arn(&key), "KeyRotationEnabled": false}));
}

#[tokio::test]
async fn a_key_without_rotation_may_be_told_so() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.ok(DisableKeyRotation, json!({"KeyId": key})).await;
    kms.ok(DisableKeyRotation, json!({"KeyId": key})).await;
}

#[tokio::test]
async fn past_rotations_stay() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let blob = kms.encrypt(&key, b"text").await;
    kms.ok(EnableKeyRotation, json!({"KeyId": key, "RotationPeriodInDays": 90})).await;
    kms.clock.advance_days(90);
    kms.run_jobs().await;
    kms.ok(DisableKeyRotation, json!({"KeyId": key})).await;
    assert_eq!(
        kms.ok(ListKeyRotations, json!({"KeyId": key})).await["Rotations"].as_array().unwrap().len(),
        1
    );
    assert_eq!(kms.decrypt(&blob).await, b"text");
}

#[tokio::test]
async fn the_origin_of_a_key_is_told_before_its_state() {
    let kms = TestKms::new().await;
    let waiting = kms.create_external_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    let disabled = kms.create_imported_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    kms.disable(&disabled).await;
    for key in [waiting, disabled] {
        assert_eq!(
            kms.refused(DisableKeyRotation, json!({"KeyId": key})).await,
            format!(
                "UnsupportedOperationException: {} origin is EXTERNAL which is not valid for this operation.",
                kms.arn(&key)
            )
        );
    }
}
