//! ListKeyPolicies: every key has one policy.

use serde_json::json;
use trent_protocol::Operation::ListKeyPolicies;
use trent_testkit::TestKms;

#[tokio::test]
async fn every_key_has_one_policy() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    for request in [json!({"KeyId": key}), json!({"KeyId": kms.arn(&key), "Limit": 1})] {
        let answer = kms.ok(ListKeyPolicies, request).await;
        assert_eq!(answer, json!({"PolicyNames": ["default"], "Truncated": false}));
    }
}

#[tokio::test]
async fn there_is_no_marker_of_this_list() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let refused = kms.refused(ListKeyPolicies, json!({"KeyId": key, "Marker": "garbage"})).await;
    assert_eq!(refused, "InvalidMarkerException");
}
