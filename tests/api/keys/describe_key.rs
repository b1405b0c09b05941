//! DescribeKey: the metadata, under every name of the key and in every state.

use serde_json::json;
use trent_protocol::Operation::{CreateKey, DescribeKey};
use trent_testkit::TestKms;

use crate::kinds::KINDS;

#[tokio::test]
async fn a_key_is_described_as_when_it_was_created() {
    let kms = TestKms::new().await;
    let created = kms.ok(CreateKey, json!({"Description": "d"})).await;
    let described = kms.ok(DescribeKey, json!({"KeyId": created["KeyMetadata"]["KeyId"]})).await;
    assert_eq!(described, created);
}

#[tokio::test]
async fn every_name_leads_to_the_key() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.create_alias("alias/a", &key).await;
    for name in [key.clone(), kms.arn(&key), "alias/a".to_owned(), kms.alias_arn("alias/a")] {
        assert_eq!(kms.metadata(&name).await["Arn"], kms.arn(&key));
    }
}

#[tokio::test]
async fn enabled_is_true_in_no_other_state() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let mut seen = Vec::new();
    let states = async |seen: &mut Vec<(String, bool)>| {
        let metadata = kms.metadata(&key).await;
        seen.push((
            metadata["KeyState"].as_str().unwrap().to_owned(),
            metadata["Enabled"].as_bool().unwrap(),
        ));
    };
    states(&mut seen).await;
    kms.disable(&key).await;
    states(&mut seen).await;
    kms.schedule_deletion(&key).await;
    states(&mut seen).await;
    let expected = [("Enabled", true), ("Disabled", false), ("PendingDeletion", false)];
    assert!(seen.iter().map(|(state, enabled)| (state.as_str(), *enabled)).eq(expected), "{seen:?}");
}

#[tokio::test]
async fn a_grant_token_that_trent_did_not_give_out_is_refused() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    assert_eq!(
        kms.refused(DescribeKey, json!({"KeyId": key, "GrantTokens": ["token"]})).await,
        "InvalidGrantTokenException: The grant token is invalid."
    );
}

#[tokio::test]
async fn keys_of_every_kind_are_described_the_same_after_a_restart() {
    let kms = TestKms::new().await;
    let mut described = Vec::new();
    for kind in KINDS.iter().filter(|kind| !kind.spec.starts_with("RSA")) {
        described.push(kms.metadata(&kind.create(&kms).await).await);
    }
    let kms = kms.restart().await;
    for metadata in described {
        assert_eq!(kms.metadata(metadata["KeyId"].as_str().unwrap()).await, metadata);
    }
}
