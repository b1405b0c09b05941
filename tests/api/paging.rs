//! Lists in pages: markers are opaque, bound to their list, and stay good.

use serde_json::{Value, json};
use trent_protocol::Operation::{
    self, CreateAlias, DeleteAlias, ListAliases, ListKeyPolicies, ListKeyRotations, ListKeys,
    ListResourceTags, RotateKeyOnDemand, UntagResource,
};
use trent_testkit::{Subject, TestKms};

const LISTS: [(Operation, &str); 4] = [
    (ListAliases, "Aliases"),
    (ListKeyRotations, "Rotations"),
    (ListKeys, "Keys"),
    (ListResourceTags, "Tags"),
];

/// A key with three tags, aliases and rotations, in an account with three keys: each list has three items.
async fn filled(kms: &TestKms) -> String {
    kms.create_key().await;
    kms.create_key().await;
    let tags: Vec<_> = ["a", "b", "c"].iter().map(|key| json!({"TagKey": key, "TagValue": ""})).collect();
    let key = kms.create_key_with(json!({"Tags": tags})).await;
    for alias in ["alias/a", "alias/b", "alias/c"] {
        kms.ok(CreateAlias, json!({"AliasName": alias, "TargetKeyId": key})).await;
        kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
    }
    key
}

fn list(operation: Operation, key: &str, marker: &Value) -> Value {
    let mut request = json!({"Limit": 1, "Marker": marker});
    if operation != ListKeys {
        request["KeyId"] = json!(key);
    }
    request
}

#[tokio::test]
async fn a_marker_is_printable_and_not_longer_than_the_model_allows() {
    let kms = TestKms::new().await;
    // The longest positions: an alias of 256 characters, a tag key of 128 that are three bytes each.
    let tags: Vec<_> =
        ["字", "宇"].iter().map(|letter| json!({"TagKey": letter.repeat(128), "TagValue": ""})).collect();
    let key = kms.create_key_with(json!({"Tags": tags})).await;
    for letter in ["a", "b"] {
        kms.create_alias(&format!("alias/{}", letter.repeat(250)), &key).await;
    }
    kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
    kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
    kms.create_key().await;
    for (operation, member) in LISTS {
        let page = kms.ok(operation, list(operation, &key, &Value::Null)).await;
        let marker = page["NextMarker"].as_str().expect("a marker");
        assert!(marker.len() <= 1024, "{operation}: {} characters", marker.len());
        assert!(marker.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{operation}: {marker}");
        let rest = kms.list_all(operation, &list(operation, &key, &json!(marker)), member).await;
        assert_eq!(rest.len(), 1, "{operation}");
    }
}

#[tokio::test]
async fn a_marker_outlives_a_restart() {
    let mut kms = TestKms::new().await;
    let key = filled(&kms).await;
    for (operation, member) in LISTS {
        let page = kms.ok(operation, list(operation, &key, &Value::Null)).await;
        kms = kms.restart().await;
        let mut items = kms.list_all(operation, &list(operation, &key, &page["NextMarker"]), member).await;
        items.insert(0, page[member][0].clone());
        let whole = kms.list_all(operation, &list(operation, &key, &Value::Null), member).await;
        assert_eq!(items, whole, "{operation}");
        assert_eq!(items.len(), 3, "{operation}");
    }
}

#[tokio::test]
async fn a_list_goes_on_although_the_item_of_its_marker_is_gone() {
    let kms = TestKms::new().await;
    let key = filled(&kms).await;
    let page = kms.ok(ListAliases, list(ListAliases, &key, &Value::Null)).await;
    kms.ok(DeleteAlias, json!({"AliasName": page["Aliases"][0]["AliasName"]})).await;
    let rest = kms.list_all(ListAliases, &list(ListAliases, &key, &page["NextMarker"]), "Aliases").await;
    assert_eq!(rest.len(), 2);

    let page = kms.ok(ListResourceTags, list(ListResourceTags, &key, &Value::Null)).await;
    kms.ok(UntagResource, json!({"KeyId": key, "TagKeys": [page["Tags"][0]["TagKey"]]})).await;
    let rest =
        kms.list_all(ListResourceTags, &list(ListResourceTags, &key, &page["NextMarker"]), "Tags").await;
    assert_eq!(rest.len(), 2);

    let page = kms.ok(ListKeys, list(ListKeys, &key, &Value::Null)).await;
    kms.schedule_deletion(page["Keys"][0]["KeyId"].as_str().unwrap()).await;
    kms.clock.advance_days(7);
    assert_eq!(kms.run_jobs().await.deleted, 1);
    let rest = kms.list_all(ListKeys, &list(ListKeys, &key, &page["NextMarker"]), "Keys").await;
    assert_eq!(rest.len(), 2);
}

#[tokio::test]
async fn a_marker_that_trent_did_not_make_is_invalid() {
    let kms = TestKms::new().await;
    let key = filled(&kms).await;
    for (operation, _) in LISTS {
        let marker = kms.ok(operation, list(operation, &key, &Value::Null)).await["NextMarker"].take();
        let marker = marker.as_str().unwrap();
        let mut foreign =
            vec!["garbage".to_owned(), " ".to_owned(), "ÿ".repeat(1024), marker[1..].to_owned()];
        foreign.push(format!("{marker}A"));
        foreign.push(format!("{marker}="));
        for index in [0, marker.len() / 2, marker.len() - 2] {
            let other = if &marker[index..=index] == "A" { "B" } else { "A" };
            foreign.push(format!("{}{other}{}", &marker[..index], &marker[index + 1..]));
        }
        for foreign in foreign {
            let request = list(operation, &key, &json!(foreign));
            assert_eq!(
                kms.refused(operation, request).await,
                "InvalidMarkerException",
                "{operation}: {foreign}"
            );
        }
    }
}

#[tokio::test]
async fn a_marker_of_another_list_is_invalid() {
    let kms = TestKms::new().await;
    let key = filled(&kms).await;
    let mut markers = Vec::new();
    for (operation, _) in LISTS {
        markers.push(kms.ok(operation, list(operation, &key, &Value::Null)).await["NextMarker"].take());
    }
    for (index, (operation, _)) in LISTS.into_iter().enumerate() {
        for marker in markers.iter().enumerate().filter(|(of, _)| *of != index).map(|(_, marker)| marker) {
            assert_eq!(kms.refused(operation, list(operation, &key, marker)).await, "InvalidMarkerException");
        }
    }
    let all_aliases = kms.ok(ListAliases, json!({"Limit": 1})).await["NextMarker"].take();
    let of_one_key = list(ListAliases, &key, &all_aliases);
    assert_eq!(kms.refused(ListAliases, of_one_key).await, "InvalidMarkerException");
}

#[tokio::test]
async fn a_marker_of_another_key_region_or_account_is_invalid() {
    let kms = TestKms::new().await;
    let key = filled(&kms).await;
    let others = [kms.clone(), kms.in_region("us-west-2"), kms.in_account("444455556666")];
    for other in &others {
        let other_key = filled_elsewhere(other).await;
        for (operation, _) in LISTS {
            if operation == ListKeys && other.arn("") == kms.arn("") {
                continue;
            }
            let marker = kms.ok(operation, list(operation, &key, &Value::Null)).await["NextMarker"].take();
            let request = list(operation, &other_key, &marker);
            assert_eq!(other.refused(operation, request).await, "InvalidMarkerException", "{operation}");
        }
    }
}

async fn filled_elsewhere(kms: &TestKms) -> String {
    Subject::new(kms).await.key
}

#[tokio::test]
async fn a_limit_below_1_or_above_that_of_the_model_is_refused() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    for operation in [ListAliases, ListKeyPolicies, ListKeyRotations, ListKeys, ListResourceTags] {
        for (limit, rule) in [(0, "greater than or equal to 1"), (1001, "less than or equal to 1000")] {
            let mut request = list(operation, &key, &Value::Null);
            request["Limit"] = json!(limit);
            let expected = format!(
                "ValidationException: 1 validation error detected: Value '{limit}' at 'limit' failed to satisfy \
                 constraint: Member must have value {rule}"
            );
            assert_eq!(kms.refused(operation, request).await, expected, "{operation}");
        }
    }
}

#[tokio::test]
async fn a_page_that_just_holds_everything_is_the_last() {
    let kms = TestKms::new().await;
    let key = filled(&kms).await;
    for (operation, member) in LISTS {
        let mut request = list(operation, &key, &Value::Null);
        request["Limit"] = json!(3);
        let page = kms.ok(operation, request).await;
        assert_eq!(page[member].as_array().unwrap().len(), 3, "{operation}");
        assert_eq!((&page["Truncated"], page.get("NextMarker")), (&json!(false), None), "{operation}");
    }
}

#[tokio::test]
async fn an_item_that_comes_while_the_list_is_read_does_not_disturb_it() {
    let kms = TestKms::new().await;
    let key = filled(&kms).await;
    let page = kms.ok(ListAliases, list(ListAliases, &key, &Value::Null)).await;
    kms.create_alias("alias/0-before", &key).await;
    kms.create_alias("alias/b-after", &key).await;
    let rest = kms.list_all(ListAliases, &list(ListAliases, &key, &page["NextMarker"]), "Aliases").await;
    let names: Vec<_> = rest.iter().map(|alias| alias["AliasName"].as_str().unwrap()).collect();
    assert_eq!(names, ["alias/b", "alias/b-after", "alias/c"]);
}
