//! ListRetirableGrants: the grants of all keys that name a retiring principal.

use serde_json::json;
use trent_protocol::Operation::{ListRetirableGrants, RevokeGrant};

use super::{OTHER, World};

#[tokio::test]
async fn the_grants_of_all_keys_are_listed_in_pages() {
    let mut world = World::new().await;
    let (alice, carol) = (world.user("alice").await, world.user("carol").await);
    let retiring = json!({"RetiringPrincipal": &*carol.caller.arn});
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push((world.key.clone(), world.grant(&alice, retiring.clone()).await.0));
        world.grant(&alice, json!({"RetiringPrincipal": &*alice.caller.arn})).await;
        world.grant(&alice, json!({})).await;
        made.push((world.key.clone(), world.grant(&alice, retiring.clone()).await.0));
        world.key = world.kms.create_key().await;
    }
    made.sort();
    for limit in [1, 2, 50] {
        let request = json!({"RetiringPrincipal": &*carol.caller.arn, "Limit": limit});
        let listed = world.kms.list_all(ListRetirableGrants, &request, "Grants").await;
        let listed: Vec<_> =
            listed.iter().map(|grant| (grant["KeyId"].clone(), grant["GrantId"].clone())).collect();
        let expected: Vec<_> = made.iter().map(|(key, id)| (json!(world.kms.arn(key)), json!(id))).collect();
        assert_eq!(listed, expected, "{limit}");
    }
    let (key, id) = made.swap_remove(0);
    world.kms.ok(RevokeGrant, json!({"KeyId": key, "GrantId": id})).await;
    let listed = world.kms.list_all(ListRetirableGrants, &retiring, "Grants").await;
    assert_eq!(listed.len(), 5);
    let elsewhere = world.kms.in_region("us-west-2");
    assert_eq!(elsewhere.ok(ListRetirableGrants, retiring).await["Grants"], json!([]));
}

#[tokio::test]
async fn another_account_lists_the_grants_that_its_own_principals_may_retire() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user_of(OTHER, "bob").await);
    let retiring = json!({"RetiringPrincipal": &*bob.caller.arn});
    let (id, _) = world.grant(&alice, retiring.clone()).await;
    let root = world.kms.in_account(OTHER);
    let listed = root.ok(ListRetirableGrants, retiring.clone()).await;
    assert_eq!(listed["Grants"][0]["GrantId"], id);
    assert_eq!(listed["Grants"][0]["KeyId"], world.kms.arn(&world.key));
    let refused = world.kms.refused(ListRetirableGrants, retiring).await;
    assert!(refused.starts_with("ValidationException: "), "{refused}");
}

#[tokio::test]
async fn the_permission_is_one_of_policies_on_everything() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let refused = alice.refused(ListRetirableGrants, json!({"RetiringPrincipal": &*alice.caller.arn})).await;
    assert_eq!(
        refused,
        "AccessDeniedException: User: arn:aws:iam::111122223333:user/alice is not authorized to perform: \
         kms:ListRetirableGrants on resource: * because no identity-based policy allows the kms:ListRetirableGrants \
         action"
    );
}
