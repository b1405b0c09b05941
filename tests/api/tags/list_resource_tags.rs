//! ListResourceTags: in order of their keys.

use serde_json::{Value, json};
use trent_protocol::Operation::ListResourceTags;
use trent_testkit::TestKms;

fn numbered(count: usize) -> Vec<Value> {
    (0..count).map(|number| json!({"TagKey": format!("{number:02}"), "TagValue": "v"})).collect()
}

#[tokio::test]
async fn tags_are_listed_in_order_of_their_keys() {
    let kms = TestKms::new().await;
    let mut tags = numbered(3);
    tags.reverse();
    let key = kms.create_key_with(json!({"Tags": tags})).await;
    let answer = kms.ok(ListResourceTags, json!({"KeyId": key})).await;
    assert_eq!(answer, json!({"Tags": numbered(3), "Truncated": false}));
}

#[tokio::test]
async fn a_key_without_tags_has_an_empty_list() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let answer = kms.ok(ListResourceTags, json!({"KeyId": kms.arn(&key)})).await;
    assert_eq!(answer, json!({"Tags": [], "Truncated": false}));
}

#[tokio::test]
async fn a_page_has_at_most_50_tags_which_are_all_that_a_key_can_have() {
    let kms = TestKms::new().await;
    let key = kms.create_key_with(json!({"Tags": numbered(50)})).await;
    let answer = kms.ok(ListResourceTags, json!({"KeyId": key})).await;
    assert_eq!(answer, json!({"Tags": numbered(50), "Truncated": false}));
    assert_eq!(
        kms.refused(ListResourceTags, json!({"KeyId": key, "Limit": 51})).await,
        "ValidationException: 1 validation error detected: Value '51' at 'limit' failed to satisfy constraint: Member \
         must have value less than or equal to 50"
    );
}

#[tokio::test]
async fn every_size_of_page_gives_the_same_list() {
    let kms = TestKms::new().await;
    let key = kms.create_key_with(json!({"Tags": numbered(7)})).await;
    for limit in 1..=8 {
        let paged = kms.list_all(ListResourceTags, &json!({"KeyId": key, "Limit": limit}), "Tags").await;
        assert_eq!(paged, numbered(7), "in pages of {limit}");
    }
}
