//! RevokeGrant: what is taken back is gone at once.

use serde_json::json;
use trent_protocol::Operation::{Encrypt, RevokeGrant};

use super::World;

#[tokio::test]
async fn a_grant_that_was_revoked_gives_nothing_any_more() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let (id, token) = world.grant(&alice, json!({})).await;
    let (kept, _) = world.grant(&alice, json!({"Operations": ["Decrypt"]})).await;
    assert!(world.may_encrypt(&alice).await);
    let request = json!({"KeyId": world.key, "GrantId": id});
    assert!(world.kms.ok(RevokeGrant, request.clone()).await.is_null());
    assert!(!world.may_encrypt(&alice).await);
    let mut with_token = world.encrypt();
    with_token["GrantTokens"] = json!([token]);
    let refused = alice.refused(Encrypt, with_token).await;
    assert!(refused.starts_with("AccessDeniedException: "), "{refused}");
    assert_eq!(world.ids().await, [kept]);
    let again = world.kms.refused(RevokeGrant, request).await;
    assert_eq!(again, format!("NotFoundException: Grant ID {id} not found"));
}

#[tokio::test]
async fn a_dry_run_leaves_the_grant() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let (id, _) = world.grant(&alice, json!({})).await;
    let request = json!({"KeyId": world.key, "GrantId": id, "DryRun": true});
    let refused = world.kms.refused(RevokeGrant, request).await;
    assert!(refused.starts_with("DryRunOperationException: "), "{refused}");
    assert_eq!(world.ids().await, [id]);
    assert!(world.may_encrypt(&alice).await);
}

#[tokio::test]
async fn a_grant_belongs_to_its_key() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let (id, _) = world.grant(&alice, json!({})).await;
    let other = world.kms.create_key().await;
    let refused = world.kms.refused(RevokeGrant, json!({"KeyId": other, "GrantId": id})).await;
    assert_eq!(refused, format!("NotFoundException: Grant ID {id} not found"));
    assert_eq!(world.ids().await, [id]);
}

#[tokio::test]
async fn a_grant_lets_nobody_revoke() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let (id, _) = world.grant(&alice, json!({"Operations": ["Encrypt", "RetireGrant"]})).await;
    let refused = alice.refused(RevokeGrant, json!({"KeyId": world.key, "GrantId": id})).await;
    assert!(refused.contains("is not authorized to perform: kms:RevokeGrant"), "{refused}");
}
