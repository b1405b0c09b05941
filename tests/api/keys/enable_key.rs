//! EnableKey: in use again.

use serde_json::{Value, json};
use trent_protocol::Operation::EnableKey;
use trent_testkit::TestKms;

#[tokio::test]
async fn an_enabled_key_is_usable_again_with_its_old_ciphertexts() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let blob = kms.encrypt(&key, b"text").await;
    kms.disable(&key).await;
    assert_eq!(kms.ok(EnableKey, json!({"KeyId": key})).await, Value::Null);
    assert_eq!(kms.decrypt(&blob).await, b"text");
    let metadata = kms.metadata(&key).await;
    assert_eq!((&metadata["KeyState"], &metadata["Enabled"]), (&json!("Enabled"), &json!(true)));
}

#[tokio::test]
async fn enabling_an_enabled_key_changes_nothing() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let before = kms.metadata(&key).await;
    kms.enable(&key).await;
    assert_eq!(kms.metadata(&key).await, before);
}

#[tokio::test]
async fn a_key_whose_deletion_was_cancelled_can_be_enabled() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let blob = kms.encrypt(&key, b"text").await;
    kms.schedule_deletion(&key).await;
    kms.ok(trent_protocol::Operation::CancelKeyDeletion, json!({"KeyId": key})).await;
    kms.enable(&key).await;
    assert_eq!(kms.decrypt(&blob).await, b"text");
}
