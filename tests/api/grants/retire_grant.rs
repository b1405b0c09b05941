//! RetireGrant: who may, by the grant itself, and how a grant is named.

use serde_json::{Value, json};
use trent_protocol::Operation::RetireGrant;
use trent_testkit::TestKms;

use super::World;

async fn retired(caller: &TestKms, request: Value) -> bool {
    match caller.call(RetireGrant, request).await {
        Ok(answer) => {
            assert!(answer.is_null());
            true
        }
        Err(error) => {
            assert_eq!(error.code.to_string(), "AccessDeniedException", "{error}");
            false
        }
    }
}

#[tokio::test]
async fn the_retiring_principal_needs_no_permission() {
    let world = World::new().await;
    let (alice, carol, dave) =
        (world.user("alice").await, world.user("carol").await, world.user("dave").await);
    let (id, token) = world.grant(&alice, json!({"RetiringPrincipal": &*carol.caller.arn})).await;
    for stranger in [&alice, &dave] {
        assert!(!retired(stranger, json!({"GrantToken": token})).await);
        assert!(!retired(stranger, json!({"KeyId": world.key, "GrantId": id})).await);
    }
    assert!(world.may_encrypt(&alice).await);
    assert!(retired(&carol, json!({"GrantToken": token})).await);
    assert!(!world.may_encrypt(&alice).await);
    assert!(world.ids().await.is_empty());
}

#[tokio::test]
async fn a_grantee_retires_what_lets_it() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let (id, _) = world.grant(&alice, json!({"Operations": ["Encrypt", "RetireGrant"]})).await;
    assert!(retired(&alice, json!({"KeyId": world.kms.arn(&world.key), "GrantId": id})).await);
    assert!(world.ids().await.is_empty());
}

#[tokio::test]
async fn the_account_of_issuer_and_key_retires_by_its_policies() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    for root in [false, true] {
        let (_, token) = world.grant(&alice, json!({})).await;
        let caller = if root { world.kms.in_account(trent_testkit::ACCOUNT) } else { world.kms.clone() };
        assert!(retired(&caller, json!({"GrantToken": token})).await, "{root}");
    }
}

#[tokio::test]
async fn a_principal_of_another_account_retires_what_names_it() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user_of(super::OTHER, "bob").await);
    let mallory = world.user_of(super::OTHER, "mallory").await;
    let (_, token) = world.grant(&alice, json!({"RetiringPrincipal": &*bob.caller.arn})).await;
    assert!(!retired(&mallory, json!({"GrantToken": token})).await);
    assert!(retired(&bob, json!({"GrantToken": token})).await);
}

#[tokio::test]
async fn every_token_of_a_grant_is_as_good_and_none_works_twice() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let named = json!({"Name": "n"});
    let (id, first) = world.grant(&alice, named.clone()).await;
    let (_, second) = world.grant(&alice, named).await;
    assert!(retired(&world.kms, json!({"GrantToken": second})).await);
    for token in [first, second] {
        let refused = world.kms.refused(RetireGrant, json!({"GrantToken": token})).await;
        assert_eq!(refused, format!("NotFoundException: Grant ID {id} not found"));
    }
}

#[tokio::test]
async fn a_dry_run_judges_the_caller_and_leaves_the_grant() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let (id, token) = world.grant(&alice, json!({})).await;
    assert!(!retired(&alice, json!({"GrantToken": token, "DryRun": true})).await);
    let refused = world.kms.refused(RetireGrant, json!({"GrantToken": token, "DryRun": true})).await;
    assert!(refused.starts_with("DryRunOperationException: "), "{refused}");
    assert_eq!(world.ids().await, [id]);
}

#[tokio::test]
async fn grants_of_dying_keys_are_retired_too() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let (_, token) = world.grant(&alice, json!({})).await;
    world.kms.schedule_deletion(&world.key).await;
    assert!(retired(&world.kms, json!({"GrantToken": token})).await);
}
