//! UpdateAlias: the name stands for another key at once.

use serde_json::{Value, json};
use trent_protocol::Operation::{Decrypt, Encrypt, ListAliases, UpdateAlias};
use trent_testkit::{TestKms, base64};

#[tokio::test]
async fn the_alias_stands_for_the_other_key_at_once() {
    let kms = TestKms::new().await;
    let (first, second) = (kms.create_key().await, kms.create_key().await);
    kms.create_alias("alias/a", &first).await;
    kms.encrypt("alias/a", b"warms the cache").await;
    let answer = kms.ok(UpdateAlias, json!({"AliasName": "alias/a", "TargetKeyId": second})).await;
    assert_eq!(answer, Value::Null);
    let encrypted = kms.ok(Encrypt, json!({"KeyId": "alias/a", "Plaintext": base64(b"text")})).await;
    assert_eq!(encrypted["KeyId"], kms.arn(&second));
}

#[tokio::test]
async fn only_the_date_of_the_update_changes() {
    let kms = TestKms::new().await;
    let (first, second) = (kms.create_key().await, kms.create_key().await);
    kms.create_alias("alias/a", &first).await;
    let before = kms.ok(ListAliases, json!({"KeyId": first})).await["Aliases"][0].take();
    assert_eq!(before["CreationDate"], before["LastUpdatedDate"]);
    kms.clock.advance_days(1);
    kms.ok(UpdateAlias, json!({"AliasName": "alias/a", "TargetKeyId": second})).await;
    let after = kms.ok(ListAliases, json!({"KeyId": second})).await["Aliases"][0].take();
    assert_eq!(after["CreationDate"], before["CreationDate"]);
    assert!(after["LastUpdatedDate"].as_f64() > before["LastUpdatedDate"].as_f64());
}

#[tokio::test]
async fn a_ciphertext_of_the_former_key_is_not_that_of_the_alias_any_more() {
    let kms = TestKms::new().await;
    let (first, second) = (kms.create_key().await, kms.create_key().await);
    kms.create_alias("alias/a", &first).await;
    let blob = kms.encrypt("alias/a", b"text").await;
    kms.ok(UpdateAlias, json!({"AliasName": "alias/a", "TargetKeyId": second})).await;
    assert_eq!(
        kms.refused(Decrypt, json!({"KeyId": "alias/a", "CiphertextBlob": blob})).await,
        "IncorrectKeyException: The key ID in the request does not identify a CMK that can perform this operation."
    );
    assert_eq!(kms.decrypt(&blob).await, b"text");
}

#[tokio::test]
async fn an_unknown_alias_is_not_found() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let refused = kms.refused(UpdateAlias, json!({"AliasName": "alias/a", "TargetKeyId": key})).await;
    assert_eq!(refused, format!("NotFoundException: Alias {} is not found.", kms.alias_arn("alias/a")));
}

#[tokio::test]
async fn an_alias_is_no_target() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.create_alias("alias/a", &key).await;
    let refused = kms.refused(UpdateAlias, json!({"AliasName": "alias/a", "TargetKeyId": "alias/a"})).await;
    assert_eq!(refused, "ValidationException: Aliases must refer to keys. Not aliases");
}

#[tokio::test]
async fn names_of_aws_are_reserved() {
    let kms = TestKms::new().await;
    kms.metadata("alias/aws/s3").await;
    let key = kms.create_key().await;
    for name in ["alias/aws/s3", "alias/aws/foo"] {
        let refused = kms.refused(UpdateAlias, json!({"AliasName": name, "TargetKeyId": key})).await;
        assert_eq!(refused, "NotAuthorizedException");
    }
}

#[tokio::test]
async fn a_key_that_has_50_aliases_takes_no_other_but_keeps_its_own() {
    let kms = TestKms::new().await;
    let (full, other) = (kms.create_key().await, kms.create_key().await);
    for number in 0..50 {
        kms.create_alias(&format!("alias/{number}"), &full).await;
    }
    kms.create_alias("alias/other", &other).await;
    assert_eq!(
        kms.refused(UpdateAlias, json!({"AliasName": "alias/other", "TargetKeyId": full})).await,
        "LimitExceededException: Aliases per key quota for this account in this region is 50, current usage is 50."
    );
    kms.ok(UpdateAlias, json!({"AliasName": "alias/7", "TargetKeyId": full})).await;
}

#[tokio::test]
async fn an_alias_leaves_a_key_pending_deletion_but_does_not_come_to_one() {
    let kms = TestKms::new().await;
    let (dying, healthy) = (kms.create_key().await, kms.create_key().await);
    kms.create_alias("alias/a", &dying).await;
    kms.schedule_deletion(&dying).await;
    kms.ok(UpdateAlias, json!({"AliasName": "alias/a", "TargetKeyId": healthy})).await;
    let refused = kms.refused(UpdateAlias, json!({"AliasName": "alias/a", "TargetKeyId": dying})).await;
    assert_eq!(refused, format!("KMSInvalidStateException: {} is pending deletion.", kms.arn(&dying)));
    assert_eq!(kms.metadata("alias/a").await["KeyId"], healthy);
}
