//! DescribeCustomKeyStores: by id, by name, or all of them in pages.

use serde_json::json;
use trent_protocol::Operation::DescribeCustomKeyStores;
use trent_testkit::TestKms;

use super::{code, create};

#[tokio::test]
async fn stores_are_found_by_id_and_by_name() {
    let kms = TestKms::new().await;
    let (one, _) = (create(&kms, "one").await, create(&kms, "two").await);
    for filter in [json!({"CustomKeyStoreId": one}), json!({"CustomKeyStoreName": "one"})] {
        let found = kms.ok(DescribeCustomKeyStores, filter).await;
        assert_eq!(found["CustomKeyStores"].as_array().unwrap().len(), 1);
        assert_eq!(found["CustomKeyStores"][0]["CustomKeyStoreId"], one);
        assert_eq!(found["Truncated"], false);
    }
    let not_found =
        |name: &str| format!("CustomKeyStoreNotFoundException: Custom key store {name} does not exist.");
    for (filter, name) in [
        (json!({"CustomKeyStoreId": "one"}), "one"),
        (json!({"CustomKeyStoreName": one}), one.as_str()),
        (json!({"CustomKeyStoreName": "One"}), "One"),
    ] {
        assert_eq!(kms.refused(DescribeCustomKeyStores, filter).await, not_found(name));
    }
    let both = json!({"CustomKeyStoreId": one, "CustomKeyStoreName": "one"});
    assert_eq!(code(&kms.refused(DescribeCustomKeyStores, both).await), "ValidationException");
    let elsewhere = kms.in_account("444455556666").ok(DescribeCustomKeyStores, json!({})).await;
    assert_eq!(elsewhere, json!({"CustomKeyStores": [], "Truncated": false}));
}

#[tokio::test]
async fn all_stores_are_listed_in_pages_in_order_of_creation() {
    let kms = TestKms::new().await;
    let mut names = Vec::new();
    for name in ["c", "a", "b"] {
        create(&kms, &format!("store-{name}")).await;
        kms.clock.advance_millis(1_000);
        names.push(format!("store-{name}"));
    }
    let first = kms.ok(DescribeCustomKeyStores, json!({"Limit": 2})).await;
    assert_eq!((&first["Truncated"], first["CustomKeyStores"].as_array().unwrap().len()), (&json!(true), 2));
    let rest = kms.ok(DescribeCustomKeyStores, json!({"Limit": 2, "Marker": first["NextMarker"]})).await;
    assert_eq!((&rest["Truncated"], rest.get("NextMarker")), (&json!(false), None));
    let listed = [&first, &rest].map(|page| page["CustomKeyStores"].as_array().unwrap().clone()).concat();
    assert_eq!(
        listed.iter().map(|store| store["CustomKeyStoreName"].as_str().unwrap()).collect::<Vec<_>>(),
        names
    );
    let refused = kms.refused(DescribeCustomKeyStores, json!({"Marker": "garbage"})).await;
    assert_eq!(code(&refused), "InvalidMarkerException");
}
