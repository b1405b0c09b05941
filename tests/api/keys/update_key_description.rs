//! UpdateKeyDescription: the new text, at once.

use serde_json::{Value, json};
use trent_protocol::Operation::UpdateKeyDescription;
use trent_testkit::TestKms;

#[tokio::test]
async fn the_new_text_is_seen_at_once_and_after_a_restart() {
    let kms = TestKms::new().await;
    let key = kms.create_key_with(json!({"Description": "old"})).await;
    kms.metadata(&key).await;
    let answer = kms.ok(UpdateKeyDescription, json!({"KeyId": key, "Description": "new"})).await;
    assert_eq!(answer, Value::Null);
    assert_eq!(kms.metadata(&key).await["Description"], "new");
    assert_eq!(kms.restart().await.metadata(&key).await["Description"], "new");
}

#[tokio::test]
async fn a_text_may_be_empty_and_have_8192_characters() {
    let kms = TestKms::new().await;
    let key = kms.create_key_with(json!({"Description": "old"})).await;
    for text in [String::new(), "d".repeat(8192), "ü".repeat(8192)] {
        kms.ok(UpdateKeyDescription, json!({"KeyId": key, "Description": text})).await;
        assert_eq!(kms.metadata(&key).await["Description"], text);
    }
}

#[tokio::test]
async fn a_text_must_be_given() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    assert_eq!(
        kms.refused(UpdateKeyDescription, json!({"KeyId": key, "Description": null})).await,
        "ValidationException: 1 validation error detected: Value null at 'description' failed to satisfy constraint: \
         Member must not be null"
    );
}
