//! GetKeyRotationStatus: what is told in which state.

use serde_json::json;
use trent_protocol::Operation::{EnableKeyRotation, GetKeyRotationStatus, RotateKeyOnDemand};
use trent_testkit::TestKms;

#[tokio::test]
async fn a_fresh_key_has_nothing_to_tell_but_that_it_does_not_rotate() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    for name in [key.clone(), kms.arn(&key)] {
        let status = kms.ok(GetKeyRotationStatus, json!({"KeyId": name})).await;
        assert_eq!(status, json!({"KeyId": kms.arn(&key), "KeyRotationEnabled": false}));
    }
}

#[tokio::test]
async fn a_rotation_on_demand_is_over_when_it_is_answered() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
    let status = kms.ok(GetKeyRotationStatus, json!({"KeyId": key})).await;
    assert_eq!(status, json!({"KeyId": kms.arn(&key), "KeyRotationEnabled": false}));
}

#[tokio::test]
async fn a_disabled_key_keeps_its_schedule_and_one_pending_deletion_shows_none() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.ok(EnableKeyRotation, json!({"KeyId": key})).await;
    let enabled = kms.ok(GetKeyRotationStatus, json!({"KeyId": key})).await;
    kms.disable(&key).await;
    assert_eq!(kms.ok(GetKeyRotationStatus, json!({"KeyId": key})).await, enabled);
    kms.schedule_deletion(&key).await;
    let status = kms.ok(GetKeyRotationStatus, json!({"KeyId": key})).await;
    assert_eq!(status, json!({"KeyId": kms.arn(&key), "KeyRotationEnabled": false}));
}

// Documented both as unsupported and as the way to see a rotation on demand: trent answers.
#[tokio::test]
async fn a_key_with_imported_material_never_rotates_by_itself() {
    let kms = TestKms::new().await;
    for (spec, usage) in [("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), ("HMAC_256", "GENERATE_VERIFY_MAC")] {
        let key = kms.create_external_key(spec, usage).await;
        let status = json!({"KeyId": kms.arn(&key), "KeyRotationEnabled": false});
        assert_eq!(kms.ok(GetKeyRotationStatus, json!({"KeyId": key})).await, status);
        kms.import(&key, &[1; 32], json!({})).await;
        assert_eq!(kms.ok(GetKeyRotationStatus, json!({"KeyId": key})).await, status);
    }
}
