//! ListKeys: every key of account and Region, in every state.

use serde_json::{Value, json};
use trent_protocol::Operation::ListKeys;
use trent_testkit::TestKms;

fn ids(keys: &[Value]) -> Vec<String> {
    keys.iter().map(|key| key["KeyId"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn an_account_without_keys_has_an_empty_list() {
    let kms = TestKms::new().await;
    assert_eq!(kms.ok(ListKeys, json!({})).await, json!({"Keys": [], "Truncated": false}));
}

#[tokio::test]
async fn keys_are_listed_in_every_state_by_id_and_arn() {
    let kms = TestKms::new().await;
    let keys = [kms.create_key().await, kms.create_key().await, kms.create_key().await];
    kms.disable(&keys[1]).await;
    kms.schedule_deletion(&keys[2]).await;
    let mut listed = kms.ok(ListKeys, json!({})).await["Keys"].take();
    let mut expected = keys.map(|key| json!({"KeyId": key, "KeyArn": kms.arn(&key)}));
    let by_id = |one: &Value, other: &Value| one["KeyId"].as_str().cmp(&other["KeyId"].as_str());
    listed.as_array_mut().unwrap().sort_by(by_id);
    expected.sort_by(by_id);
    assert_eq!(listed, json!(expected));
}

#[tokio::test]
async fn aws_managed_and_multi_region_keys_are_listed_too() {
    let kms = TestKms::new().await;
    let managed = kms.metadata("alias/aws/s3").await["KeyId"].take();
    let multi_region = kms.create_key_with(json!({"MultiRegion": true})).await;
    let mut listed = ids(&kms.list_all(ListKeys, &json!({"Limit": 1}), "Keys").await);
    let mut expected = vec![managed.as_str().unwrap().to_owned(), multi_region];
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn every_size_of_page_gives_every_key_exactly_once() {
    let kms = TestKms::new().await;
    for number in 0..7 {
        kms.create_key_with(json!({"MultiRegion": number % 2 == 0})).await;
    }
    let whole = kms.list_all(ListKeys, &json!({}), "Keys").await;
    assert_eq!(whole.len(), 7);
    for limit in 1..=8 {
        assert_eq!(
            kms.list_all(ListKeys, &json!({"Limit": limit}), "Keys").await,
            whole,
            "in pages of {limit}"
        );
    }
}

#[tokio::test]
async fn a_page_has_100_keys_unless_the_request_says_otherwise() {
    let kms = TestKms::new().await;
    for _ in 0..101 {
        kms.create_key().await;
    }
    let first = kms.ok(ListKeys, json!({})).await;
    assert_eq!((first["Keys"].as_array().unwrap().len(), &first["Truncated"]), (100, &json!(true)));
    let whole = kms.ok(ListKeys, json!({"Limit": 1000})).await;
    assert_eq!((whole["Keys"].as_array().unwrap().len(), &whole["Truncated"]), (101, &json!(false)));
}

#[tokio::test]
async fn no_key_is_shared_by_other_accounts() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let shared = kms.ok(ListKeys, json!({"ResourceOwners": ["OTHER_ACCOUNTS_VIA_RAM"]})).await;
    assert_eq!(shared, json!({"Keys": [], "Truncated": false}));
    for owners in [json!(["SELF"]), json!(["SELF", "OTHER_ACCOUNTS_VIA_RAM"])] {
        let own = kms.ok(ListKeys, json!({"ResourceOwners": owners})).await["Keys"].take();
        assert_eq!(ids(own.as_array().unwrap()), [key.as_str()]);
    }
}

#[tokio::test]
async fn a_marker_is_bound_to_the_owners_that_were_asked_for() {
    let kms = TestKms::new().await;
    kms.create_key().await;
    kms.create_key().await;
    let marker = kms.ok(ListKeys, json!({"Limit": 1})).await["NextMarker"].take();
    for owners in [json!(["OTHER_ACCOUNTS_VIA_RAM"]), json!(["SELF", "OTHER_ACCOUNTS_VIA_RAM"])] {
        let request = json!({"Limit": 1, "Marker": marker, "ResourceOwners": owners});
        assert_eq!(kms.refused(ListKeys, request).await, "InvalidMarkerException");
    }
    // Without any, one's own keys are meant.
    kms.ok(ListKeys, json!({"Limit": 1, "Marker": marker, "ResourceOwners": ["SELF"]})).await;
}
