//! Keys that exist once a predefined alias of a service, `alias/aws/<service>`, was named.

use serde_json::{Value, json};
use trent_domain::alias::AWS_SERVICES;
use trent_protocol::Operation::{
    self, CancelKeyDeletion, CreateAlias, Decrypt, DescribeKey, DisableKey, DisableKeyRotation, EnableKey,
    EnableKeyRotation, Encrypt, GetKeyLastUsage, GetKeyPolicy, GetKeyRotationStatus, ListAliases,
    ListKeyPolicies, ListKeyRotations, ListKeys, ListResourceTags, PutKeyPolicy, RotateKeyOnDemand,
    ScheduleKeyDeletion, TagResource, UntagResource, UpdateAlias, UpdateKeyDescription,
};
use trent_testkit::{ACCOUNT, TestKms, base64};

const START: i64 = 1_767_225_600;
const DAY: i64 = 24 * 60 * 60;

/// The key of `alias/aws/s3`.
async fn managed_key(kms: &TestKms) -> String {
    kms.metadata("alias/aws/s3").await["KeyId"].as_str().expect("a key id").to_owned()
}

#[tokio::test]
async fn a_key_is_made_when_its_alias_is_first_named() {
    let kms = TestKms::new().await;
    let metadata = kms.metadata("alias/aws/s3").await;
    let facts = ["KeyManager", "KeyState", "KeySpec", "KeyUsage", "Origin", "MultiRegion", "AWSAccountId"];
    assert_eq!(
        facts.map(|fact| metadata[fact].clone()),
        [
            json!("AWS"),
            json!("Enabled"),
            json!("SYMMETRIC_DEFAULT"),
            json!("ENCRYPT_DECRYPT"),
            json!("AWS_KMS"),
            json!(false),
            json!(ACCOUNT),
        ]
    );
    assert_eq!(kms.metadata("alias/aws/s3").await, metadata, "the same key again");
    assert_eq!(kms.metadata(&kms.alias_arn("alias/aws/s3")).await, metadata);
    assert_eq!(kms.restart().await.metadata("alias/aws/s3").await, metadata);
}

#[tokio::test]
async fn cryptography_makes_the_key_too() {
    let kms = TestKms::new().await;
    let answer = kms.ok(Encrypt, json!({"KeyId": "alias/aws/ebs", "Plaintext": base64(b"text")})).await;
    assert_eq!(answer["KeyId"], kms.metadata("alias/aws/ebs").await["Arn"]);
    kms.ok(Decrypt, json!({"CiphertextBlob": answer["CiphertextBlob"]})).await;
}

#[tokio::test]
async fn every_service_has_a_key_of_its_own() {
    let kms = TestKms::new().await;
    for service in AWS_SERVICES {
        kms.metadata(&format!("alias/aws/{service}")).await;
    }
    let keys = kms.list_all(ListKeys, &json!({}), "Keys").await;
    assert_eq!(keys.len(), AWS_SERVICES.len());
}

#[tokio::test]
async fn those_who_name_it_first_at_once_get_one_key() {
    let kms = TestKms::new().await;
    let describe = || kms.metadata("alias/aws/s3");
    let (one, two, three) = tokio::join!(describe(), describe(), describe());
    assert_eq!((&one, &two), (&two, &three));
    assert_eq!(kms.list_all(ListKeys, &json!({}), "Keys").await.len(), 1);
}

#[tokio::test]
async fn each_account_and_region_has_its_own() {
    let kms = TestKms::new().await;
    let (here, there, other) = (&kms, kms.in_region("us-west-2"), kms.in_account("444455556666"));
    let keys = [managed_key(here).await, managed_key(&there).await, managed_key(&other).await];
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2], "{keys:?}");
}

#[tokio::test]
async fn other_reserved_names_are_not_found() {
    let kms = TestKms::new().await;
    let refused = kms.refused(DescribeKey, json!({"KeyId": "alias/aws/unknown"})).await;
    assert_eq!(
        refused,
        format!("NotFoundException: Alias {} is not found.", kms.alias_arn("alias/aws/unknown"))
    );
    assert_eq!(kms.ok(ListKeys, json!({})).await["Keys"], json!([]));
}

#[tokio::test]
async fn naming_the_alias_without_rights_makes_no_key() {
    let kms = TestKms::new().await;
    for (operation, request) in [
        (DescribeKey, json!({"KeyId": "alias/aws/s3"})),
        (Encrypt, json!({"KeyId": "alias/aws/s3", "Plaintext": base64(b"text")})),
    ] {
        let refused = kms.as_user("alice").refused(operation, request).await;
        assert!(refused.starts_with("AccessDeniedException: "), "{refused}");
    }
    assert_eq!(kms.ok(ListKeys, json!({})).await["Keys"], json!([]));
}

#[tokio::test]
async fn a_key_cannot_be_changed_by_anyone() {
    let kms = TestKms::new().await;
    let key = managed_key(&kms).await;
    let policy = trent_policy::default_key_policy("aws", ACCOUNT);
    let changes: [(Operation, Value); 14] = [
        (CancelKeyDeletion, json!({})),
        (DisableKey, json!({})),
        (DisableKeyRotation, json!({})),
        (EnableKey, json!({})),
        (EnableKeyRotation, json!({})),
        (PutKeyPolicy, json!({"Policy": policy})),
        (RotateKeyOnDemand, json!({})),
        (ScheduleKeyDeletion, json!({})),
        (TagResource, json!({"Tags": [{"TagKey": "a", "TagValue": ""}]})),
        (UntagResource, json!({"TagKeys": ["a"]})),
        (UpdateKeyDescription, json!({"Description": "mine"})),
        (CreateAlias, json!({"AliasName": "alias/a"})),
        (UpdateAlias, json!({"AliasName": "alias/other"})),
        (UpdateAlias, json!({"AliasName": "alias/unknown"})),
    ];
    kms.create_alias("alias/other", &kms.create_key().await).await;
    let before = state(&kms, &key).await;
    for (operation, mut request) in changes {
        let member = if matches!(operation, CreateAlias | UpdateAlias) { "TargetKeyId" } else { "KeyId" };
        request[member] = json!(key);
        assert_eq!(
            kms.refused(operation, request).await,
            format!(
                "AccessDeniedException: User: arn:aws:iam::111122223333:user/admin is not authorized to perform: \
                 kms:{operation} on resource: {} because no resource-based policy allows the kms:{operation} action",
                kms.arn(&key)
            )
        );
    }
    assert_eq!(state(&kms, &key).await, before);
}

/// Everything that can be read about a key.
async fn state(kms: &TestKms, key: &str) -> Vec<Value> {
    let mut state = Vec::new();
    for operation in [
        DescribeKey,
        GetKeyLastUsage,
        GetKeyPolicy,
        GetKeyRotationStatus,
        ListAliases,
        ListKeyPolicies,
        ListKeyRotations,
        ListResourceTags,
    ] {
        state.push(kms.ok(operation, json!({"KeyId": key})).await);
    }
    state
}

#[tokio::test]
async fn a_key_always_rotates_every_year() {
    let kms = TestKms::new().await;
    let key = managed_key(&kms).await;
    let blob = kms.encrypt("alias/aws/s3", b"text").await;
    let status = kms.ok(GetKeyRotationStatus, json!({"KeyId": key})).await;
    let expected = json!({
        "KeyId": kms.arn(&key),
        "KeyRotationEnabled": true,
        "RotationPeriodInDays": 365,
        "NextRotationDate": START + 365 * DAY,
    });
    assert_eq!(status, expected);
    kms.clock.advance_days(365);
    assert_eq!(kms.run_jobs().await.rotated, 1);
    assert_eq!(kms.decrypt(&blob).await, b"text");
}
