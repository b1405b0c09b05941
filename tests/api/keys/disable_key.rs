//! DisableKey: out of use at once.

use serde_json::{Value, json};
use trent_protocol::Operation::{Decrypt, DisableKey, Encrypt, GenerateDataKey};
use trent_testkit::{TestKms, base64};

#[tokio::test]
async fn a_disabled_key_is_out_of_use_at_once() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let blob = kms.encrypt(&key, b"text").await;
    assert_eq!(kms.ok(DisableKey, json!({"KeyId": key})).await, Value::Null);
    let disabled = format!("DisabledException: {} is disabled.", kms.arn(&key));
    let plaintext = base64(b"text");
    assert_eq!(kms.refused(Encrypt, json!({"KeyId": key, "Plaintext": plaintext})).await, disabled);
    assert_eq!(kms.refused(GenerateDataKey, json!({"KeyId": key, "KeySpec": "AES_256"})).await, disabled);
    assert_eq!(kms.refused(Decrypt, json!({"CiphertextBlob": blob})).await, disabled);
    let metadata = kms.metadata(&key).await;
    assert_eq!((&metadata["KeyState"], &metadata["Enabled"]), (&json!("Disabled"), &json!(false)));
}

#[tokio::test]
async fn disabling_twice_is_no_error() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.disable(&key).await;
    kms.disable(&key).await;
    assert_eq!(kms.metadata(&key).await["KeyState"], "Disabled");
}

#[tokio::test]
async fn a_disabled_key_stays_disabled_over_a_restart() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.disable(&key).await;
    assert_eq!(kms.restart().await.metadata(&key).await["KeyState"], "Disabled");
}

#[tokio::test]
async fn other_keys_stay_enabled() {
    let kms = TestKms::new().await;
    let (key, other) = (kms.create_key().await, kms.create_key().await);
    kms.disable(&key).await;
    kms.encrypt(&other, b"text").await;
}
