//! UntagResource: named tags go, absent ones are no error.

use serde_json::{Value, json};
use trent_protocol::Operation::{ListResourceTags, UntagResource};
use trent_testkit::TestKms;

fn tag(key: &str) -> Value {
    json!({"TagKey": key, "TagValue": "v"})
}

#[tokio::test]
async fn named_tags_go_and_the_others_stay() {
    let kms = TestKms::new().await;
    let key = kms.create_key_with(json!({"Tags": [tag("a"), tag("b"), tag("c")]})).await;
    assert_eq!(kms.ok(UntagResource, json!({"KeyId": key, "TagKeys": ["b"]})).await, Value::Null);
    let tags = kms.ok(ListResourceTags, json!({"KeyId": key})).await["Tags"].take();
    assert_eq!(tags, json!([tag("a"), tag("c")]));
}

#[tokio::test]
async fn absent_tags_are_no_error() {
    let kms = TestKms::new().await;
    let key = kms.create_key_with(json!({"Tags": [tag("a")]})).await;
    kms.ok(UntagResource, json!({"KeyId": key, "TagKeys": ["A", "b"]})).await;
    let tags = kms.ok(ListResourceTags, json!({"KeyId": key})).await["Tags"].take();
    assert_eq!(tags, json!([tag("a")]));
}

#[tokio::test]
async fn keys_of_aws_are_reserved() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let refused = kms.refused(UntagResource, json!({"KeyId": key, "TagKeys": ["aws:a"]})).await;
    assert_eq!(refused, "TagException: Tags beginning with aws: are reserved");
}
