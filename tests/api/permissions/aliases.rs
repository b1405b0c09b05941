//! Aliases: permission for the alias, by identity policies alone, and for each key that it stands for.

use serde_json::json;
use trent_domain::time::Clock;
use trent_protocol::Operation::{CreateAlias, Decrypt, DeleteAlias, Encrypt, ListAliases, UpdateAlias};
use trent_testkit::{TestKms, base64};

use super::{admin_alone, alice, allow, denied, silent, to};

#[tokio::test]
async fn a_new_alias_needs_permission_for_its_name_and_for_its_key() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let body = json!({"AliasName": "alias/x", "TargetKeyId": key});
    let (alias, key_arn) = (kms.alias_arn("alias/x"), kms.arn(&key));
    let no_policy = silent("identity-based policy", "kms:CreateAlias");
    for (resource, on) in [(&key_arn, &alias), (&alias, &key_arn)] {
        let alice = alice(&kms, &allow(&json!("kms:CreateAlias"), resource));
        let expected = denied("kms:CreateAlias", &format!("resource: {on}"), &no_policy);
        assert_eq!(alice.refused(CreateAlias, body.clone()).await, expected);
    }
    kms.put_policy(&key, &json!([admin_alone(), to(json!("*"), "Allow", "kms:CreateAlias")])).await;
    alice(&kms, &allow(&json!("kms:CreateAlias"), &alias)).ok(CreateAlias, body).await;
}

#[tokio::test]
async fn moving_an_alias_needs_permission_for_it_and_for_both_keys() {
    let kms = TestKms::new().await;
    let (old, new) = (kms.create_key().await, kms.create_key().await);
    kms.create_alias("alias/x", &old).await;
    let (alias, old_arn, new_arn) = (kms.alias_arn("alias/x"), kms.arn(&old), kms.arn(&new));
    let body = json!({"AliasName": "alias/x", "TargetKeyId": new});
    let all = [&alias, &old_arn, &new_arn];
    for missing in all {
        let resources: Vec<_> = all.iter().filter(|arn| **arn != missing).collect();
        let statement = json!({"Effect": "Allow", "Action": "kms:UpdateAlias", "Resource": resources});
        let expected = denied(
            "kms:UpdateAlias",
            &format!("resource: {missing}"),
            &silent("identity-based policy", "kms:UpdateAlias"),
        );
        assert_eq!(alice(&kms, &statement).refused(UpdateAlias, body.clone()).await, expected);
    }
    let statement = json!({"Effect": "Allow", "Action": "kms:UpdateAlias", "Resource": all});
    alice(&kms, &statement).ok(UpdateAlias, body).await;
    assert_eq!(kms.metadata("alias/x").await["KeyId"], new);
}

#[tokio::test]
async fn taking_an_alias_away_needs_permission_for_it_and_for_its_key() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.create_alias("alias/x", &key).await;
    let body = json!({"AliasName": "alias/x"});
    let alice = alice(&kms, &allow(&json!("kms:DeleteAlias"), &kms.alias_arn("alias/x")));
    let expected = denied(
        "kms:DeleteAlias",
        &format!("resource: {}", kms.arn(&key)),
        &silent("identity-based policy", "kms:DeleteAlias"),
    );
    assert_eq!(alice.refused(DeleteAlias, body).await, expected);
}

#[tokio::test]
async fn a_policy_about_an_alias_does_not_reach_the_key_that_it_names() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.create_alias("alias/k", &key).await;
    let blob = kms.encrypt(&key, b"text").await;
    let alice = alice(&kms, &allow(&json!("kms:Decrypt"), &kms.alias_arn("alias/k")));
    let refused = alice.refused(Decrypt, json!({"KeyId": "alias/k", "CiphertextBlob": blob})).await;
    let expected = denied(
        "kms:Decrypt",
        &format!("resource: {}", kms.arn(&key)),
        &silent("identity-based policy", "kms:Decrypt"),
    );
    assert_eq!(refused, expected);
}

#[tokio::test]
async fn listing_the_aliases_of_a_key_does_not_ask_its_policy() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.put_policy(&key, &json!([to(json!("*"), "Deny", "kms:ListAliases"), admin_alone()])).await;
    alice(&kms, &allow(&json!("kms:ListAliases"), "*")).ok(ListAliases, json!({"KeyId": key})).await;
}

#[tokio::test]
async fn conditions_see_the_aliases_of_a_key_as_they_are() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let statement = json!({
        "Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*",
        "Condition": {"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/fin*"}},
    });
    let alice = alice(&kms, &statement);
    let body = json!({"KeyId": key, "Plaintext": base64(b"text")});
    let expected = denied(
        "kms:Encrypt",
        &format!("resource: {}", kms.arn(&key)),
        &silent("identity-based policy", "kms:Encrypt"),
    );
    assert_eq!(alice.refused(Encrypt, body.clone()).await, expected);
    kms.create_alias("alias/other", &key).await;
    assert_eq!(alice.refused(Encrypt, body.clone()).await, expected);
    kms.create_alias("alias/fin1", &key).await;
    alice.ok(Encrypt, body.clone()).await;
    kms.ok(DeleteAlias, json!({"AliasName": "alias/fin1"})).await;
    assert_eq!(alice.refused(Encrypt, body).await, expected);
}

#[tokio::test]
async fn a_key_with_more_aliases_than_it_may_have_is_denied_where_a_condition_is_about_them() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let (id, now) = (key.parse().expect("a key id"), kms.clock.now());
    let (account, region) = (kms.caller.account, kms.region);
    trent_database::write(&*kms.database, "too many", move |transaction| {
        (0..51).try_for_each(|number| {
            let name = trent_domain::alias::AliasName::parse(&format!("alias/fin{number}")).expect("a name");
            let alias =
                trent_domain::alias::Alias { account, region, name, target: id, created: now, updated: now };
            transaction.insert_alias(&alias)
        })
    })
    .await
    .expect("the database")
    .expect("written");
    let condition = json!({"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/fin*"}});
    let body = json!({"KeyId": key, "Plaintext": base64(b"text")});
    let allowing =
        json!({"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*", "Condition": condition});
    let denying = json!([
        allow(&json!("kms:*"), "*"),
        {"Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*", "Condition": condition},
    ]);
    let expected = denied(
        "kms:Encrypt",
        &format!("resource: {}", kms.arn(&key)),
        &silent("identity-based policy", "kms:Encrypt"),
    );
    for policy in [allowing, denying] {
        assert_eq!(alice(&kms, &policy).refused(Encrypt, body.clone()).await, expected);
    }
    alice(&kms, &allow(&json!("kms:*"), "*")).ok(Encrypt, body).await;
}
