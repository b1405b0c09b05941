//! DeleteAlias: the name is free at once, the key stays.

use serde_json::{Value, json};
use trent_protocol::Operation::{DeleteAlias, DescribeKey};
use trent_testkit::TestKms;

#[tokio::test]
async fn a_deleted_alias_is_not_found_and_its_key_stays() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.create_alias("alias/a", &key).await;
    kms.metadata("alias/a").await;
    assert_eq!(kms.ok(DeleteAlias, json!({"AliasName": "alias/a"})).await, Value::Null);
    let not_found = format!("NotFoundException: Alias {} is not found.", kms.alias_arn("alias/a"));
    assert_eq!(kms.refused(DescribeKey, json!({"KeyId": "alias/a"})).await, not_found);
    assert_eq!(kms.metadata(&key).await["KeyState"], "Enabled");
}

#[tokio::test]
async fn an_unknown_alias_is_not_found() {
    let kms = TestKms::new().await;
    let refused = kms.refused(DeleteAlias, json!({"AliasName": "alias/a"})).await;
    assert_eq!(refused, format!("NotFoundException: Alias {} is not found.", kms.alias_arn("alias/a")));
}

#[tokio::test]
async fn an_alias_is_deleted_once() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.create_alias("alias/a", &key).await;
    kms.ok(DeleteAlias, json!({"AliasName": "alias/a"})).await;
    let refused = kms.refused(DeleteAlias, json!({"AliasName": "alias/a"})).await;
    assert_eq!(refused, format!("NotFoundException: Alias {} is not found.", kms.alias_arn("alias/a")));
}

#[tokio::test]
async fn names_of_aws_are_reserved() {
    let kms = TestKms::new().await;
    kms.metadata("alias/aws/s3").await;
    for name in ["alias/aws/s3", "alias/aws/foo"] {
        assert_eq!(kms.refused(DeleteAlias, json!({"AliasName": name})).await, "NotAuthorizedException");
    }
}

#[tokio::test]
async fn a_name_without_the_prefix_is_refused() {
    let kms = TestKms::new().await;
    assert_eq!(
        kms.refused(DeleteAlias, json!({"AliasName": "a"})).await,
        "ValidationException: Alias must start with the prefix \"alias/\". Please see \
         https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
    );
}

#[tokio::test]
async fn the_alias_of_a_key_pending_deletion_can_be_deleted() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.create_alias("alias/a", &key).await;
    kms.schedule_deletion(&key).await;
    kms.ok(DeleteAlias, json!({"AliasName": "alias/a"})).await;
}
