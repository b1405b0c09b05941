//! ListGrants: what is shown of a grant, filters, pages.

use serde_json::{Value, json};
use trent_protocol::Operation::ListGrants;
use trent_testkit::ACCOUNT;

use super::World;

#[tokio::test]
async fn a_grant_is_shown_as_it_was_made() {
    let world = World::new().await;
    let (alice, carol) = (world.user("alice").await, world.user("carol").await);
    let constraints = json!({"EncryptionContextEquals": {"Dept": "IT"}, "EncryptionContextSubset": {}});
    let change = json!({
        "Name": "orders", "Operations": ["DescribeKey", "Decrypt", "Decrypt"], "Constraints": constraints,
        "RetiringPrincipal": &*carol.caller.arn,
    });
    let (id, _) = world.grant(&alice, change).await;
    let answer = world.kms.ok(ListGrants, json!({"KeyId": world.key})).await;
    let created = answer["Grants"][0]["CreationDate"].clone();
    assert!(created.is_number());
    assert_eq!(
        answer,
        json!({
            "Grants": [{
                "KeyId": world.kms.arn(&world.key), "GrantId": id, "Name": "orders", "CreationDate": created,
                "GranteePrincipal": format!("arn:aws:iam::{ACCOUNT}:user/alice"),
                "RetiringPrincipal": format!("arn:aws:iam::{ACCOUNT}:user/carol"),
                "IssuingAccount": format!("arn:aws:iam::{ACCOUNT}:root"),
                // In the order of the model, once each.
                "Operations": ["Decrypt", "DescribeKey"],
                "Constraints": constraints,
            }],
            "Truncated": false,
        })
    );
}

#[tokio::test]
async fn what_was_not_given_is_absent_but_for_the_name() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    world.grant(&alice, json!({})).await;
    let answer = world.kms.ok(ListGrants, json!({"KeyId": world.key})).await;
    let grant = answer["Grants"][0].as_object().expect("a grant");
    assert_eq!(grant["Name"], "");
    for member in ["Constraints", "RetiringPrincipal", "RetiringServicePrincipal", "GranteeServicePrincipal"]
    {
        assert!(!grant.contains_key(member), "{member}");
    }
}

#[tokio::test]
async fn a_service_is_shown_by_its_name() {
    let world = World::new().await;
    let source = "arn:aws:rds:eu-central-1:111122223333:db:orders";
    let request = json!({
        "KeyId": world.key, "Operations": ["Decrypt"], "GranteeServicePrincipal": "rds.amazonaws.com",
        "RetiringServicePrincipal": "rds.amazonaws.com", "Constraints": {"SourceArn": source},
    });
    world.kms.ok(trent_protocol::Operation::CreateGrant, request).await;
    let filter = json!({"KeyId": world.key, "GranteeServicePrincipal": "rds.amazonaws.com"});
    let answer = world.kms.ok(ListGrants, filter).await;
    let grant = answer["Grants"][0].as_object().expect("a grant");
    assert_eq!(grant["GranteeServicePrincipal"], "rds.amazonaws.com");
    assert_eq!(grant["RetiringServicePrincipal"], "rds.amazonaws.com");
    assert_eq!(grant["Constraints"], json!({"SourceArn": source}));
    assert!(!grant.contains_key("GranteePrincipal") && !grant.contains_key("RetiringPrincipal"));
}

#[tokio::test]
async fn filters_narrow_the_list() {
    let world = World::new().await;
    let (alice, carol) = (world.user("alice").await, world.user("carol").await);
    let (first, _) = world.grant(&alice, json!({})).await;
    let (second, _) = world.grant(&carol, json!({})).await;
    let list = async |filter: Value| {
        let mut request = json!({"KeyId": world.key});
        for (member, value) in filter.as_object().expect("members") {
            request[member] = value.clone();
        }
        let grants = world.kms.list_all(ListGrants, &request, "Grants").await;
        grants.into_iter().map(|mut grant| grant["GrantId"].take()).collect::<Vec<_>>()
    };
    let mut both = [json!(first), json!(second)];
    both.sort_by_key(Value::to_string);
    assert_eq!(list(json!({})).await, both);
    assert_eq!(list(json!({"GranteePrincipal": &*carol.caller.arn})).await, [json!(second)]);
    assert_eq!(list(json!({"GrantId": first})).await, [json!(first)]);
    assert_eq!(list(json!({"GrantId": first, "GranteePrincipal": &*alice.caller.arn})).await, [json!(first)]);
    assert!(list(json!({"GrantId": first, "GranteePrincipal": &*carol.caller.arn})).await.is_empty());
    assert!(list(json!({"GranteePrincipal": &*world.kms.caller.arn})).await.is_empty());
}

#[tokio::test]
async fn pages_have_50_grants_unless_asked_and_a_marker_is_bound_to_its_filter() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    for _ in 0..52 {
        world.grant(&alice, json!({})).await;
    }
    let page = world.kms.ok(ListGrants, json!({"KeyId": world.key})).await;
    assert_eq!(page["Grants"].as_array().map(Vec::len), Some(50));
    assert_eq!(page["Truncated"], true);
    let marker = &page["NextMarker"];
    let rest = world.kms.ok(ListGrants, json!({"KeyId": world.key, "Marker": marker})).await;
    assert_eq!(rest["Grants"].as_array().map(Vec::len), Some(2));
    let filtered = json!({"KeyId": world.key, "Marker": marker, "GranteePrincipal": &*alice.caller.arn});
    assert_eq!(world.kms.refused(ListGrants, filtered).await, "InvalidMarkerException");
    let mut all = world.ids().await;
    assert_eq!(all.len(), 52);
    all.dedup();
    assert_eq!(all.len(), 52);
    // The item of a marker may go.
    let last = page["Grants"][49]["GrantId"].clone();
    world.kms.ok(trent_protocol::Operation::RevokeGrant, json!({"KeyId": world.key, "GrantId": last})).await;
    let rest = world.kms.ok(ListGrants, json!({"KeyId": world.key, "Marker": marker})).await;
    assert_eq!(rest["Grants"].as_array().map(Vec::len), Some(2));
}
