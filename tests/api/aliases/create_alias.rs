//! CreateAlias: which names and targets are taken, and how many aliases a key may have.

use serde_json::{Value, json};
use trent_protocol::Operation::{CreateAlias, DeleteAlias, DescribeKey};
use trent_testkit::TestKms;

async fn refused(name: &str) -> String {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.refused(CreateAlias, json!({"AliasName": name, "TargetKeyId": key})).await
}

#[tokio::test]
async fn an_alias_stands_for_its_key_by_name_and_by_arn() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let answer = kms.ok(CreateAlias, json!({"AliasName": "alias/orders/2026_a-b", "TargetKeyId": key})).await;
    assert_eq!(answer, Value::Null);
    for name in ["alias/orders/2026_a-b".to_owned(), kms.alias_arn("alias/orders/2026_a-b")] {
        assert_eq!(kms.metadata(&name).await["KeyId"], key);
    }
}

#[tokio::test]
async fn the_target_may_be_named_by_arn() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.ok(CreateAlias, json!({"AliasName": "alias/a", "TargetKeyId": kms.arn(&key)})).await;
    assert_eq!(kms.metadata("alias/a").await["KeyId"], key);
}

#[tokio::test]
async fn names_differ_by_letter_case() {
    let kms = TestKms::new().await;
    let (lower, upper) = (kms.create_key().await, kms.create_key().await);
    kms.create_alias("alias/orders", &lower).await;
    kms.create_alias("alias/Orders", &upper).await;
    assert_eq!(kms.metadata("alias/orders").await["KeyId"], lower);
    assert_eq!(kms.metadata("alias/Orders").await["KeyId"], upper);
}

#[tokio::test]
async fn a_name_without_the_prefix_is_refused() {
    assert_eq!(
        refused("foo").await,
        "ValidationException: Alias must start with the prefix \"alias/\". Please see \
         https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
    );
}

#[tokio::test]
async fn characters_outside_the_pattern_are_refused() {
    for name in ["alias/my alias", "alias/a@b", "alias/a.b", "alias/ä"] {
        let expected = format!(
            "ValidationException: 1 validation error detected: Value '{name}' at 'aliasName' failed to satisfy \
             constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"
        );
        assert_eq!(refused(name).await, expected);
    }
}

#[tokio::test]
async fn a_colon_passes_the_pattern_and_is_refused_all_the_same() {
    assert_eq!(
        refused("alias/my:alias").await,
        "ValidationException: alias/my:alias contains invalid characters for an alias"
    );
}

#[tokio::test]
async fn the_prefix_alone_is_no_name() {
    assert_eq!(refused("alias/").await, "InvalidAliasNameException: alias/ is not a valid alias name");
}

#[tokio::test]
async fn names_of_aws_are_reserved() {
    for name in ["alias/aws/foo", "alias/aws/s3", "alias/aws/"] {
        assert_eq!(refused(name).await, "NotAuthorizedException");
    }
}

#[tokio::test]
async fn an_alias_is_no_target() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.create_alias("alias/a", &key).await;
    for target in ["alias/a".to_owned(), kms.alias_arn("alias/a"), "alias/unknown".to_owned()] {
        let refused = kms.refused(CreateAlias, json!({"AliasName": "alias/b", "TargetKeyId": target})).await;
        assert_eq!(refused, "ValidationException: Aliases must refer to keys. Not aliases");
    }
}

#[tokio::test]
async fn a_taken_name_is_refused_for_every_key() {
    let kms = TestKms::new().await;
    let (first, second) = (kms.create_key().await, kms.create_key().await);
    kms.create_alias("alias/a", &first).await;
    let expected =
        format!("AlreadyExistsException: An alias with the name {} already exists", kms.alias_arn("alias/a"));
    for target in [&first, &second] {
        let refused = kms.refused(CreateAlias, json!({"AliasName": "alias/a", "TargetKeyId": target})).await;
        assert_eq!(refused, expected);
    }
    assert_eq!(kms.metadata("alias/a").await["KeyId"], first);
}

#[tokio::test]
async fn a_deleted_name_is_free_again() {
    let kms = TestKms::new().await;
    let (first, second) = (kms.create_key().await, kms.create_key().await);
    kms.create_alias("alias/a", &first).await;
    assert_eq!(kms.metadata("alias/a").await["KeyId"], first);
    kms.ok(DeleteAlias, json!({"AliasName": "alias/a"})).await;
    kms.create_alias("alias/a", &second).await;
    assert_eq!(kms.metadata("alias/a").await["KeyId"], second);
}

#[tokio::test]
async fn a_name_that_was_looked_up_in_vain_is_found_once_it_exists() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.refused(DescribeKey, json!({"KeyId": "alias/a"})).await;
    kms.create_alias("alias/a", &key).await;
    assert_eq!(kms.metadata("alias/a").await["KeyId"], key);
}

#[tokio::test]
async fn the_51st_alias_of_a_key_is_refused() {
    let kms = TestKms::new().await;
    let (full, empty) = (kms.create_key().await, kms.create_key().await);
    for number in 0..50 {
        kms.create_alias(&format!("alias/{number}"), &full).await;
    }
    let refused = kms.refused(CreateAlias, json!({"AliasName": "alias/50", "TargetKeyId": full})).await;
    assert_eq!(
        refused,
        "LimitExceededException: Aliases per key quota for this account in this region is 50, current usage is 50."
    );
    kms.create_alias("alias/50", &empty).await;
    kms.ok(DeleteAlias, json!({"AliasName": "alias/7"})).await;
    kms.create_alias("alias/51", &full).await;
}

#[tokio::test]
async fn the_longest_name_has_256_characters() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let longest = format!("alias/{}", "a".repeat(250));
    kms.create_alias(&longest, &key).await;
    assert_eq!(kms.metadata(&longest).await["KeyId"], key);
}

#[tokio::test]
async fn an_unknown_target_is_not_found() {
    let kms = TestKms::new().await;
    let unknown = "12345678-90ab-cdef-1234-567890abcdef";
    let refused = kms.refused(CreateAlias, json!({"AliasName": "alias/a", "TargetKeyId": unknown})).await;
    assert_eq!(refused, format!("NotFoundException: Key '{}' does not exist", kms.arn(unknown)));
}
