//! Keys that another account lets this one use, ciphertexts that name their key, and requests about two keys.

use serde_json::json;
use trent_protocol::Operation::{
    CreateKey, Decrypt, DescribeKey, Encrypt, ReEncrypt, ReplicateKey, UpdatePrimaryRegion,
};
use trent_testkit::{TestKms, base64};

use super::{ADMIN, HIDDEN, admin_alone, alice, allow, delegation, denial_of, denied, silent, to};

const OTHER: &str = "444455556666";
const BOB: &str = "arn:aws:iam::444455556666:user/bob";

/// Bob of the other account, with one statement in an identity policy.
fn bob(kms: &TestKms, statement: &serde_json::Value) -> TestKms {
    kms.in_account(OTHER).as_user("bob").with_identity_policy(statement)
}

/// A key that the other account may decrypt with, and a ciphertext of it.
async fn shared(kms: &TestKms) -> (String, String) {
    let key = kms.create_key().await;
    kms.put_policy(&key, &json!([delegation(), to(json!({"AWS": OTHER}), "Allow", "kms:Decrypt")])).await;
    let blob = kms.encrypt(&key, b"text").await;
    (kms.arn(&key), blob)
}

#[tokio::test]
async fn both_accounts_have_to_allow() {
    let kms = TestKms::with_accounts(&[OTHER]).await;
    let (arn, blob) = shared(&kms).await;
    let named = json!({"KeyId": arn, "CiphertextBlob": blob});
    let found = json!({"CiphertextBlob": blob});
    let allowed = bob(&kms, &allow(&json!("kms:Decrypt"), &arn));
    for body in [&named, &found] {
        assert_eq!(allowed.ok(Decrypt, body.clone()).await["KeyId"], arn);
    }
    let missing = bob(&kms, &allow(&json!("kms:Encrypt"), &arn));
    let why = silent("identity-based policy", "kms:Decrypt");
    assert_eq!(
        missing.refused(Decrypt, named).await,
        denial_of(BOB, "kms:Decrypt", &format!("resource: {arn}"), &why)
    );
    let on = "the resource associated with this ciphertext";
    assert_eq!(missing.refused(Decrypt, found).await, denial_of(BOB, "kms:Decrypt", on, &why));
}

#[tokio::test]
async fn a_key_that_is_not_shared_is_as_good_as_none() {
    let kms = TestKms::with_accounts(&[OTHER]).await;
    let key = kms.create_key().await;
    let blob = kms.encrypt(&key, b"text").await;
    let bob = bob(&kms, &allow(&json!("kms:*"), "*"));
    let on = "the resource associated with this ciphertext";
    assert_eq!(
        bob.refused(Decrypt, json!({"CiphertextBlob": blob})).await,
        denial_of(BOB, "kms:Decrypt", on, HIDDEN)
    );
    kms.create_alias("alias/k", &key).await;
    for name in
        [kms.arn(&key), kms.alias_arn("alias/k"), kms.alias_arn("alias/none"), kms.alias_arn("alias/aws/s3")]
    {
        assert_eq!(
            bob.refused(DescribeKey, json!({"KeyId": name})).await,
            denial_of(BOB, "kms:DescribeKey", "this resource", HIDDEN),
            "{name}"
        );
    }
}

#[tokio::test]
async fn an_alias_name_is_one_of_the_callers_account_and_an_alias_arn_of_its_own() {
    let kms = TestKms::with_accounts(&[OTHER]).await;
    let (arn, _) = shared(&kms).await;
    let key = arn.rsplit('/').next().expect("an id").to_owned();
    kms.put_policy(&key, &json!([delegation(), to(json!({"AWS": OTHER}), "Allow", "kms:Encrypt")])).await;
    kms.create_alias("alias/k", &key).await;
    let bob = bob(&kms, &allow(&json!("kms:Encrypt"), &arn));
    let body = |name: &str| json!({"KeyId": name, "Plaintext": base64(b"text")});
    let refused = bob.refused(Encrypt, body("alias/k")).await;
    assert_eq!(refused, format!("NotFoundException: Alias {} is not found.", bob.alias_arn("alias/k")));
    assert_eq!(bob.ok(Encrypt, body(&kms.alias_arn("alias/k"))).await["KeyId"], arn);
}

#[tokio::test]
async fn a_ciphertext_is_decided_on_as_its_key() {
    let kms = TestKms::new().await;
    let (key, other) = (kms.create_key().await, kms.create_key().await);
    let blob = kms.encrypt(&key, b"text").await;
    let body = json!({"CiphertextBlob": blob});
    alice(&kms, &allow(&json!("kms:Decrypt"), &kms.arn(&key))).ok(Decrypt, body.clone()).await;
    let expected = denied(
        "kms:Decrypt",
        &format!("resource: {}", kms.arn(&key)),
        &silent("identity-based policy", "kms:Decrypt"),
    );
    let alice = alice(&kms, &allow(&json!("kms:Decrypt"), &kms.arn(&other)));
    assert_eq!(alice.refused(Decrypt, body).await, expected);
}

#[tokio::test]
async fn re_encryption_is_two_actions_on_two_keys() {
    let kms = TestKms::with_accounts(&[OTHER]).await;
    let (source, destination) = (kms.create_key().await, kms.create_key().await);
    let blob = kms.encrypt(&source, b"text").await;
    let body = json!({"CiphertextBlob": blob, "DestinationKeyId": destination});
    let alice = alice(&kms, &allow(&json!("kms:ReEncryptFrom"), &kms.arn(&source)));
    let expected = denied(
        "kms:ReEncryptTo",
        &format!("resource: {}", kms.arn(&destination)),
        &silent("identity-based policy", "kms:ReEncryptTo"),
    );
    assert_eq!(alice.refused(ReEncrypt, body).await, expected);

    // From a key of this account to one of the other.
    let bob = bob(&kms, &allow(&json!("kms:ReEncrypt*"), "*"));
    let own = kms.in_account(OTHER).create_key().await;
    let body = json!({"CiphertextBlob": blob, "DestinationKeyId": own});
    let on = "the resource associated with this ciphertext";
    assert_eq!(bob.refused(ReEncrypt, body.clone()).await, denial_of(BOB, "kms:ReEncryptFrom", on, HIDDEN));
    kms.put_policy(&source, &json!([delegation(), to(json!({"AWS": OTHER}), "Allow", "kms:ReEncryptFrom")]))
        .await;
    bob.ok(ReEncrypt, body).await;
}

#[tokio::test]
async fn each_side_of_a_re_encryption_has_its_own_context() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let blob = kms
        .ok(Encrypt, json!({"KeyId": key, "Plaintext": base64(b"text"), "EncryptionContext": {"a": "old"}}))
        .await["CiphertextBlob"]
        .clone();
    let on = |action: &str, value: &str| {
        json!({
            "Effect": "Allow", "Action": action, "Resource": "*",
            "Condition": {
                "StringEquals": {"kms:EncryptionContext:a": value}, "Bool": {"kms:ReEncryptOnSameKey": true},
            },
        })
    };
    let body = |value: &str| {
        json!({
            "CiphertextBlob": blob, "SourceEncryptionContext": {"a": "old"}, "DestinationKeyId": key,
            "DestinationEncryptionContext": {"a": value},
        })
    };
    let alice = alice(&kms, &json!([on("kms:ReEncryptFrom", "old"), on("kms:ReEncryptTo", "new")]));
    alice.ok(ReEncrypt, body("new")).await;
    let expected = denied(
        "kms:ReEncryptTo",
        &format!("resource: {}", kms.arn(&key)),
        &silent("identity-based policy", "kms:ReEncryptTo"),
    );
    assert_eq!(alice.refused(ReEncrypt, body("old")).await, expected);
}

#[tokio::test]
async fn a_replica_needs_permission_in_both_regions() {
    let kms = TestKms::new().await;
    let key = kms.create_key_with(json!({"MultiRegion": true})).await;
    let replicate = json!([
        admin_alone(),
        {
            "Effect": "Allow", "Principal": "*", "Action": "kms:ReplicateKey", "Resource": "*",
            "Condition": {"StringEquals": {"kms:ReplicaRegion": "us-west-2"}},
        },
    ]);
    kms.put_policy(&key, &replicate).await;
    let body = |region: &str| json!({"KeyId": key, "ReplicaRegion": region});
    let create = silent("identity-based policy", "kms:CreateKey");
    let nothing = kms.as_user("alice");
    assert_eq!(
        nothing.refused(ReplicateKey, body("us-west-2")).await,
        denied("kms:CreateKey", "resource: *", &create)
    );
    let here = alice(
        &kms,
        &json!({
            "Effect": "Allow", "Action": "kms:CreateKey", "Resource": "*",
            "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-central-1"}},
        }),
    );
    assert_eq!(
        here.refused(ReplicateKey, body("us-west-2")).await,
        denied("kms:CreateKey", "resource: *", &create)
    );
    let there = alice(
        &kms,
        &json!({
            "Effect": "Allow", "Action": "kms:CreateKey", "Resource": "*",
            "Condition": {"StringEquals": {
                "aws:RequestedRegion": "us-west-2", "kms:MultiRegionKeyType": "REPLICA", "kms:KeySpec": "SYMMETRIC_DEFAULT",
            }},
        }),
    );
    assert_eq!(
        there.refused(ReplicateKey, body("eu-west-1")).await,
        denied(
            "kms:ReplicateKey",
            &format!("resource: {}", kms.arn(&key)),
            &silent("resource-based policy", "kms:ReplicateKey")
        )
    );
    let mut tagged = body("us-west-2");
    tagged["Tags"] = json!([{"TagKey": "a", "TagValue": "b"}]);
    assert_eq!(
        there.refused(ReplicateKey, tagged).await,
        denied("kms:TagResource", "resource: *", &silent("identity-based policy", "kms:TagResource"))
    );
    there.ok(ReplicateKey, body("us-west-2")).await;

    // The replica has a policy of its own, and moving the primary is asked of both.
    let promote = json!({"KeyId": key, "PrimaryRegion": "us-west-2"});
    kms.in_region("us-west-2").put_policy(&key, &json!([admin_alone()])).await;
    let alice = alice(&kms, &allow(&json!("kms:UpdatePrimaryRegion"), "*"));
    kms.put_policy(&key, &json!([admin_alone(), delegation()])).await;
    assert_eq!(
        alice.refused(UpdatePrimaryRegion, promote).await,
        denied(
            "kms:UpdatePrimaryRegion",
            &format!("resource: {}", kms.in_region("us-west-2").arn(&key)),
            &silent("resource-based policy", "kms:UpdatePrimaryRegion")
        )
    );
}

#[tokio::test]
async fn tags_of_a_new_key_are_an_action_of_their_own() {
    let kms = TestKms::new().await;
    let tagged = json!({"Tags": [{"TagKey": "team", "TagValue": "core"}]});
    let only_create = alice(&kms, &allow(&json!("kms:CreateKey"), "*"));
    only_create.ok(CreateKey, json!({})).await;
    assert_eq!(
        only_create.refused(CreateKey, tagged.clone()).await,
        denied("kms:TagResource", "resource: *", &silent("identity-based policy", "kms:TagResource"))
    );
    alice(&kms, &allow(&json!(["kms:CreateKey", "kms:TagResource"]), "*")).ok(CreateKey, tagged).await;
    let on_keys = alice(&kms, &allow(&json!("kms:CreateKey"), "arn:aws:kms:*:*:key/*"));
    assert_eq!(
        on_keys.refused(CreateKey, json!({})).await,
        denied("kms:CreateKey", "resource: *", &silent("identity-based policy", "kms:CreateKey"))
    );
}

#[tokio::test]
async fn the_root_user_is_denied_what_no_key_policy_leaves_to_the_account() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let root = kms.in_account(trent_testkit::ACCOUNT);
    root.ok(DescribeKey, json!({"KeyId": key})).await;
    kms.put_policy(&key, &json!([admin_alone()])).await;
    assert_eq!(
        root.refused(DescribeKey, json!({"KeyId": key})).await,
        denial_of(
            "arn:aws:iam::111122223333:root",
            "kms:DescribeKey",
            &format!("resource: {}", kms.arn(&key)),
            &silent("resource-based policy", "kms:DescribeKey")
        )
    );
    assert_eq!(kms.ok(DescribeKey, json!({"KeyId": key})).await["KeyMetadata"]["KeyId"], key, "{ADMIN}");
}
