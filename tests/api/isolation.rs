//! Accounts and Regions: each has its own keys, aliases, tags, quotas and lists, and sees nothing of another's.

use serde_json::{Value, json};
use trent_protocol::Operation::{Decrypt, DescribeKey, Encrypt, ListAliases, ListKeys};
use trent_testkit::{TestKms, base64};

async fn key_ids(kms: &TestKms) -> Vec<Value> {
    let keys = kms.list_all(ListKeys, &json!({}), "Keys").await;
    keys.into_iter().map(|mut key| key["KeyId"].take()).collect()
}

/// The same service as seen from here, from another Region and from another account.
async fn places() -> [TestKms; 3] {
    let kms = TestKms::new().await;
    [kms.clone(), kms.in_region("us-west-2"), kms.in_account("444455556666")]
}

#[tokio::test]
async fn each_place_lists_its_own_keys() {
    let places = places().await;
    for kms in &places {
        let key = kms.create_key().await;
        assert_eq!(key_ids(kms).await, [json!(key)]);
    }
    for kms in &places {
        assert_eq!(key_ids(kms).await.len(), 1);
    }
}

#[tokio::test]
async fn one_alias_name_can_stand_for_a_key_in_each_place() {
    let places = places().await;
    let mut keys = Vec::new();
    for kms in &places {
        let key = kms.create_key().await;
        kms.create_alias("alias/orders", &key).await;
        keys.push(key);
    }
    for (kms, key) in places.iter().zip(&keys) {
        assert_eq!(kms.metadata("alias/orders").await["KeyId"], *key);
        let listed = kms.list_all(ListAliases, &json!({"KeyId": key}), "Aliases").await;
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0]["AliasArn"], kms.alias_arn("alias/orders"));
    }
}

#[tokio::test]
async fn a_key_of_one_place_does_not_exist_in_another() {
    let places = places().await;
    for owner in &places {
        let key = owner.create_key().await;
        for other in places.iter().filter(|other| other.arn("") != owner.arn("")) {
            let refused = other.refused(DescribeKey, json!({"KeyId": key})).await;
            assert_eq!(refused, format!("NotFoundException: Key '{}' does not exist", other.arn(&key)));
        }
    }
}

#[tokio::test]
async fn a_ciphertext_of_one_place_is_denied_in_another() {
    let places = places().await;
    for owner in &places {
        let blob = owner.encrypt(&owner.create_key().await, b"text").await;
        for other in places.iter().filter(|other| other.arn("") != owner.arn("")) {
            let refused = other.refused(Decrypt, json!({"CiphertextBlob": blob})).await;
            assert!(refused.starts_with("AccessDeniedException: "), "{refused}");
            assert!(refused.contains("on the resource associated with this ciphertext"), "{refused}");
        }
    }
}

/// Identity policies that say something of other accounts' keys, some of it about what these are like.
fn opinions() -> Vec<Value> {
    let all = json!({"Effect": "Allow", "Action": "kms:*", "Resource": "*"});
    let deny = |resource: &str| json!([all, {"Effect": "Deny", "Action": "kms:*", "Resource": resource}]);
    let deny_if = |operator: &str, key: &str, value: &str| json!([all, {"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {operator: {key: value}}}]);
    vec![
        json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]),
        json!([all]),
        deny("*"),
        deny("arn:aws:kms:*:111122223333:key/*"),
        deny("arn:aws:kms:*:111122223333:alias/*"),
        deny("arn:aws:kms:*:444455556666:*"),
        json!([all, {"Effect": "Deny", "Action": "kms:*", "NotResource": "arn:aws:kms:*:444455556666:*"}]),
        deny_if("StringEquals", "kms:KeySpec", "SYMMETRIC_DEFAULT"),
        deny_if("StringEquals", "aws:ResourceAccount", "111122223333"),
        deny_if("StringEquals", "kms:CallerAccount", "444455556666"),
        deny_if("Null", "kms:KeyOrigin", "true"),
        deny_if("StringEquals", "aws:ResourceTag/team", "blue"),
        deny_if("ForAnyValue:StringLike", "kms:ResourceAliases", "alias/*"),
    ]
}

#[tokio::test]
async fn a_stranger_cannot_tell_a_closed_key_from_one_that_is_not_there() {
    let kms = TestKms::new().await;
    let tags = json!([{"TagKey": "team", "TagValue": "blue"}]);
    let key = kms.create_key_with(json!({"Tags": tags})).await;
    kms.create_alias("alias/there", &key).await;
    let missing = "11111111-1111-1111-1111-111111111111";
    let blob = kms.encrypt(&key, b"text").await;
    // A key of another Region is not in this one.
    let elsewhere = kms.in_region("us-west-2");
    let strange = elsewhere.encrypt(&elsewhere.create_key().await, b"text").await;
    for policy in opinions() {
        let stranger = kms.in_account("444455556666").as_user("bob").with_identity_policy(&policy);
        let named = |name: &str| json!({"KeyId": name, "Plaintext": base64(b"text")});
        for (there, not_there) in
            [(kms.arn(&key), kms.arn(missing)), (kms.alias_arn("alias/there"), kms.alias_arn("alias/none"))]
        {
            let of_key = stranger.refused(Encrypt, named(&there)).await;
            let of_nothing = stranger.refused(Encrypt, named(&not_there)).await;
            assert!(of_key.starts_with("AccessDeniedException: "), "{policy}: {of_key}");
            assert_eq!(of_key, of_nothing.replace(&not_there, &there), "{policy}");
            let of_key = stranger.refused(DescribeKey, json!({"KeyId": there})).await;
            let of_nothing = stranger.refused(DescribeKey, json!({"KeyId": not_there})).await;
            assert_eq!(of_key, of_nothing.replace(&not_there, &there), "{policy}");
        }
        let of_key = stranger.refused(Decrypt, json!({"CiphertextBlob": blob})).await;
        assert_eq!(of_key, stranger.refused(Decrypt, json!({"CiphertextBlob": strange})).await, "{policy}");
    }
}

#[tokio::test]
async fn arns_have_the_partition_of_their_region() {
    let kms = TestKms::new().await;
    for (region, partition) in [
        ("eu-central-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("eusc-de-east-1", "aws-eusc"),
    ] {
        let kms = kms.in_region(region);
        let key = kms.create_key().await;
        let arn = format!("arn:{partition}:kms:{region}:111122223333:key/{key}");
        assert_eq!(kms.metadata(&arn).await["Arn"], arn);
        let answer = kms.ok(Encrypt, json!({"KeyId": arn, "Plaintext": base64(b"text")})).await;
        assert_eq!(answer["KeyId"], arn);
    }
}

#[tokio::test]
async fn the_root_of_an_account_may_do_everything_in_it() {
    let kms = TestKms::new().await.in_account("444455556666");
    let key = kms.create_key().await;
    let blob = kms.encrypt(&key, b"text").await;
    assert_eq!(kms.decrypt(&blob).await, b"text");
    kms.schedule_deletion(&key).await;
}
