//! ListAliases: of all keys or of one, the predefined names among them.

use serde_json::{Value, json};
use trent_domain::alias::AWS_SERVICES;
use trent_protocol::Operation::{ListAliases, UpdateAlias};
use trent_testkit::TestKms;

fn names(aliases: &Value) -> Vec<&str> {
    let aliases = aliases["Aliases"].as_array().expect("a list");
    aliases.iter().map(|alias| alias["AliasName"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn an_alias_is_listed_with_its_arn_its_key_and_its_dates() {
    let kms = TestKms::new().await;
    let (first, second) = (kms.create_key().await, kms.create_key().await);
    kms.create_alias("alias/a", &first).await;
    kms.clock.advance_days(1);
    kms.ok(UpdateAlias, json!({"AliasName": "alias/a", "TargetKeyId": second})).await;
    let answer = kms.ok(ListAliases, json!({"KeyId": second})).await;
    let expected = json!({
        "Aliases": [{
            "AliasName": "alias/a",
            "AliasArn": kms.alias_arn("alias/a"),
            "TargetKeyId": second,
            "CreationDate": 1_767_225_600,
            "LastUpdatedDate": 1_767_312_000,
        }],
        "Truncated": false,
    });
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn with_a_key_only_its_aliases_are_listed() {
    let kms = TestKms::new().await;
    let (first, second) = (kms.create_key().await, kms.create_key().await);
    kms.create_alias("alias/c", &first).await;
    kms.create_alias("alias/b", &second).await;
    kms.create_alias("alias/a", &first).await;
    for key in [first.clone(), kms.arn(&first)] {
        let answer = kms.ok(ListAliases, json!({"KeyId": key})).await;
        assert_eq!(names(&answer), ["alias/a", "alias/c"]);
    }
}

#[tokio::test]
async fn a_key_without_aliases_has_an_empty_list() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let answer = kms.ok(ListAliases, json!({"KeyId": key})).await;
    assert_eq!(answer, json!({"Aliases": [], "Truncated": false}));
}

#[tokio::test]
async fn without_a_key_the_predefined_aliases_are_listed_too_without_a_target() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.create_alias("alias/a", &key).await;
    kms.create_alias("alias/z", &key).await;
    let answer = kms.ok(ListAliases, json!({})).await;
    let predefined = AWS_SERVICES.map(|service| format!("alias/aws/{service}"));
    let mut expected = vec!["alias/a"];
    expected.extend(predefined.iter().map(String::as_str));
    expected.push("alias/z");
    assert_eq!(names(&answer), expected);
    let s3 = kms.alias_arn("alias/aws/s3");
    assert!(
        answer["Aliases"].as_array().unwrap().contains(&json!({"AliasName": "alias/aws/s3", "AliasArn": s3}))
    );
}

#[tokio::test]
async fn a_predefined_alias_has_a_target_once_it_was_used() {
    let kms = TestKms::new().await;
    let key = kms.metadata("alias/aws/s3").await["KeyId"].take();
    let aliases = kms.list_all(ListAliases, &json!({"Limit": 7}), "Aliases").await;
    let s3: Vec<_> = aliases.iter().filter(|alias| alias["AliasName"] == "alias/aws/s3").collect();
    assert_eq!(s3.len(), 1);
    assert_eq!(s3[0]["TargetKeyId"], key);
    assert_eq!(aliases.len(), AWS_SERVICES.len());
}

#[tokio::test]
async fn every_size_of_page_gives_the_same_list() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    // Before, among and after the predefined ones.
    for name in ["alias/a", "alias/aws-like", "alias/awt", "alias/b", "alias/z"] {
        kms.create_alias(name, &key).await;
    }
    kms.metadata("alias/aws/kinesis").await;
    let whole = kms.list_all(ListAliases, &json!({"Limit": 100}), "Aliases").await;
    assert_eq!(whole.len(), AWS_SERVICES.len() + 5);
    for limit in [1, 2, 3, 10, 23, 24, 25] {
        let paged = kms.list_all(ListAliases, &json!({"Limit": limit}), "Aliases").await;
        assert_eq!(paged, whole, "in pages of {limit}");
    }
}

#[tokio::test]
async fn a_page_has_50_aliases_unless_the_request_says_otherwise_and_100_at_most() {
    let kms = TestKms::new().await;
    let (first, second) = (kms.create_key().await, kms.create_key().await);
    for number in 0..50 {
        kms.create_alias(&format!("alias/a{number}"), &first).await;
        kms.create_alias(&format!("alias/b{number}"), &second).await;
    }
    assert_eq!(names(&kms.ok(ListAliases, json!({})).await).len(), 50);
    assert_eq!(names(&kms.ok(ListAliases, json!({"Limit": 100})).await).len(), 100);
    // The model's maximum is 1000; that of the operation is answered in the same words, which is trent's choice.
    assert_eq!(
        kms.refused(ListAliases, json!({"Limit": 101})).await,
        "ValidationException: 1 validation error detected: Value '101' at 'limit' failed to satisfy constraint: \
         Member must have value less than or equal to 100"
    );
}

#[tokio::test]
async fn an_unknown_key_is_not_found() {
    let kms = TestKms::new().await;
    let unknown = "12345678-90ab-cdef-1234-567890abcdef";
    let refused = kms.refused(ListAliases, json!({"KeyId": unknown})).await;
    assert_eq!(refused, format!("NotFoundException: Key '{}' does not exist", kms.arn(unknown)));
}
