//! CreateKey: defaults, what goes together, what is refused, and the quota.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use trent_protocol::Operation::{CreateKey, DescribeKey, GetKeyPolicy, ListKeys, ListResourceTags};
use trent_service::Options;
use trent_testkit::{ACCOUNT, TestKms, told};

use crate::kinds::KINDS;

async fn refused(request: Value) -> String {
    TestKms::new().await.refused(CreateKey, request).await
}

#[tokio::test]
async fn a_key_is_symmetric_and_enabled_unless_the_request_says_otherwise() {
    let kms = TestKms::new().await;
    let mut metadata = kms.ok(CreateKey, json!({})).await["KeyMetadata"].take();
    let (id, material) = (metadata["KeyId"].clone(), metadata["CurrentKeyMaterialId"].take());
    let expected = json!({
        "AWSAccountId": ACCOUNT,
        "KeyId": id,
        "Arn": kms.arn(id.as_str().unwrap()),
        "CreationDate": 1_767_225_600,
        "Enabled": true,
        "Description": "",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": false,
        "CurrentKeyMaterialId": null,
    });
    assert_eq!(metadata, expected);
    let material = material.as_str().unwrap();
    assert!(material.len() == 64 && material.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')));
}

#[tokio::test]
async fn the_id_is_a_uuid_in_lower_case() {
    let kms = TestKms::new().await;
    let id = kms.create_key().await;
    let groups: Vec<_> = id.split('-').map(str::len).collect();
    assert_eq!(groups, [8, 4, 4, 4, 12]);
    assert!(id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-')), "{id}");
}

#[tokio::test]
async fn a_multi_region_key_is_a_primary_without_replicas() {
    let kms = TestKms::new().await;
    let metadata = kms.ok(CreateKey, json!({"MultiRegion": true})).await["KeyMetadata"].take();
    let id = metadata["KeyId"].as_str().unwrap();
    let digits = id.strip_prefix("mrk-").expect("the prefix of multi-Region keys");
    assert!(
        digits.len() == 32 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')),
        "{id}"
    );
    let expected = json!({
        "MultiRegionKeyType": "PRIMARY",
        "PrimaryKey": {"Arn": kms.arn(id), "Region": "eu-central-1"},
        "ReplicaKeys": [],
    });
    assert_eq!(metadata["MultiRegionConfiguration"], expected);
    assert_eq!(metadata["MultiRegion"], true);
    assert_eq!(kms.metadata(id).await, metadata);
}

#[tokio::test]
async fn description_tags_and_policy_are_kept() {
    let kms = TestKms::new().await;
    let policy = json!({"Version": "2012-10-17", "Id": "mine", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*",
    }]});
    let id = kms
        .create_key_with(json!({
            "Description": "orders, Größe: groß",
            "Tags": [{"TagKey": "b", "TagValue": "2"}, {"TagKey": "a", "TagValue": ""}],
            "Policy": policy.to_string(),
        }))
        .await;
    assert_eq!(kms.metadata(&id).await["Description"], "orders, Größe: groß");
    let tags = kms.ok(ListResourceTags, json!({"KeyId": id})).await["Tags"].take();
    assert_eq!(tags, json!([{"TagKey": "a", "TagValue": ""}, {"TagKey": "b", "TagValue": "2"}]));
    let stored = kms.ok(GetKeyPolicy, json!({"KeyId": id})).await["Policy"].take();
    assert_eq!(serde_json::from_str::<Value>(stored.as_str().unwrap()).unwrap(), policy);
}

#[tokio::test]
async fn explicit_defaults_change_nothing() {
    let kms = TestKms::new().await;
    let request = json!({
        "KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT", "Origin": "AWS_KMS", "MultiRegion": false,
        "Description": "", "Tags": [], "BypassPolicyLockoutSafetyCheck": false,
    });
    assert_eq!(kms.ok(CreateKey, request).await["KeyMetadata"]["KeyState"], "Enabled");
}

#[tokio::test]
async fn the_deprecated_name_of_the_spec_is_understood() {
    let kms = TestKms::new().await;
    let answer = kms.ok(CreateKey, json!({"CustomerMasterKeySpec": "SYMMETRIC_DEFAULT"})).await;
    assert_eq!(answer["KeyMetadata"]["KeySpec"], "SYMMETRIC_DEFAULT");
}

#[tokio::test]
async fn both_names_of_the_spec_are_one_too_many() {
    assert_eq!(
        refused(json!({"KeySpec": "SYMMETRIC_DEFAULT", "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT"})).await,
        "ValidationException: You cannot specify KeySpec and CustomerMasterKeySpec in the same request. \
         CustomerMasterKeySpec is deprecated."
    );
}

#[tokio::test]
async fn other_specs_need_a_usage() {
    for spec in ["HMAC_256", "RSA_2048", "ECC_NIST_P256", "ML_DSA_44"] {
        assert_eq!(
            refused(json!({"KeySpec": spec})).await,
            "ValidationException: You must specify a KeyUsage value for all KMS keys except for symmetric \
             encryption keys.",
            "{spec}"
        );
    }
}

#[tokio::test]
async fn every_spec_makes_keys_for_its_usages_with_one_list_of_algorithms() {
    let kms = TestKms::new().await;
    for kind in &KINDS {
        let request = json!({"KeySpec": kind.spec, "KeyUsage": kind.usage});
        let mut metadata = kms.ok(CreateKey, request).await["KeyMetadata"].take();
        let id = metadata["KeyId"].as_str().unwrap().to_owned();
        assert_eq!(kms.metadata(&id).await, metadata);
        // Only symmetric keys have materials that callers tell apart.
        let material = metadata.as_object_mut().unwrap().remove("CurrentKeyMaterialId");
        assert_eq!(material.is_some(), kind.spec == "SYMMETRIC_DEFAULT");
        let mut expected = json!({
            "AWSAccountId": ACCOUNT,
            "KeyId": id,
            "Arn": kms.arn(&id),
            "CreationDate": 1_767_225_600,
            "Enabled": true,
            "Description": "",
            "KeyUsage": kind.usage,
            "KeyState": "Enabled",
            "Origin": "AWS_KMS",
            "KeyManager": "CUSTOMER",
            "CustomerMasterKeySpec": kind.spec,
            "KeySpec": kind.spec,
            "MultiRegion": false,
        });
        expected[kind.listed_as] = json!(kind.algorithms);
        assert_eq!(metadata, expected);
    }
}

#[tokio::test]
async fn a_usage_that_the_spec_does_not_have_is_refused() {
    let kms = TestKms::new().await;
    let usages: BTreeSet<_> = KINDS.iter().map(|kind| kind.usage).collect();
    let mut refusals = 0;
    for spec in KINDS.iter().map(|kind| kind.spec).collect::<BTreeSet<_>>() {
        for usage in &usages {
            if !KINDS.iter().any(|kind| kind.spec == spec && kind.usage == *usage) {
                let refused = kms.refused(CreateKey, json!({"KeySpec": spec, "KeyUsage": usage})).await;
                let expected =
                    format!("ValidationException: KeyUsage {usage} is not compatible with KeySpec {spec}");
                assert_eq!(refused, expected);
                refusals += 1;
            }
        }
    }
    assert_eq!(refusals, 19 * 5 - KINDS.len());
}

#[tokio::test]
async fn the_default_spec_has_the_usage_of_its_own_alone() {
    for usage in ["SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE"] {
        assert_eq!(
            refused(json!({"KeyUsage": usage})).await,
            format!("ValidationException: KeyUsage {usage} is not compatible with KeySpec SYMMETRIC_DEFAULT")
        );
    }
}

#[tokio::test]
async fn the_deprecated_name_makes_keys_of_the_older_specs() {
    let kms = TestKms::new().await;
    for (spec, usage) in [("ECC_NIST_P256", "SIGN_VERIFY"), ("HMAC_224", "GENERATE_VERIFY_MAC")] {
        let request = json!({"CustomerMasterKeySpec": spec, "KeyUsage": usage});
        let metadata = kms.ok(CreateKey, request).await["KeyMetadata"].take();
        assert_eq!((&metadata["KeySpec"], &metadata["CustomerMasterKeySpec"]), (&json!(spec), &json!(spec)));
    }
}

#[tokio::test]
async fn a_multi_region_key_may_be_of_every_kind() {
    let kms = TestKms::new().await;
    for kind in KINDS.iter().filter(|kind| !kind.spec.starts_with("RSA")) {
        let request = json!({"KeySpec": kind.spec, "KeyUsage": kind.usage, "MultiRegion": true});
        let metadata = kms.ok(CreateKey, request).await["KeyMetadata"].take();
        assert!(metadata["KeyId"].as_str().unwrap().starts_with("mrk-"), "{}", kind.spec);
        assert_eq!(metadata["MultiRegionConfiguration"]["ReplicaKeys"], json!([]));
    }
}

#[tokio::test]
async fn others_are_answered_while_an_rsa_key_is_made() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let making = {
        let kms = kms.clone();
        tokio::spawn(async move { kms.create_key_of("RSA_4096", "SIGN_VERIFY").await })
    };
    let mut waits = Vec::new();
    while !making.is_finished() {
        let asked = Instant::now();
        kms.metadata(&key).await;
        waits.push(asked.elapsed());
        tokio::task::yield_now().await;
    }
    making.await.unwrap();
    waits.sort();
    // On one thread: whoever made the key on it would have let through a single call.
    assert!(waits.len() > 20, "{} answers while the key was made", waits.len());
    let median = waits[waits.len() / 2];
    assert!(median < Duration::from_millis(20), "half of the answers took longer than {median:?}");
}

#[tokio::test]
async fn many_rsa_keys_at_once_are_made_or_told_to_come_again() {
    let kms = TestKms::new().await;
    let mut callers = JoinSet::new();
    for _ in 0..40 {
        let kms = kms.clone();
        let request = json!({"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"});
        callers.spawn(async move { kms.call(CreateKey, request).await });
    }
    let mut made = 0;
    for answer in callers.join_all().await {
        match answer {
            Ok(_) => made += 1,
            Err(error) => assert_eq!(
                told(&error),
                "ThrottlingException: You have exceeded the rate at which you may call KMS. Reduce the frequency of \
                 your calls."
            ),
        }
    }
    // 32 may wait, however many are at work.
    assert!(made >= 32, "{made}");
    assert_eq!(kms.list_all(ListKeys, &json!({}), "Keys").await.len(), made);
}

#[tokio::test]
async fn an_unknown_spec_is_told_without_the_missing_usage() {
    let refused = refused(json!({"KeySpec": "HMAC_random"})).await;
    assert!(refused.starts_with(
        "ValidationException: 1 validation error detected: Value 'HMAC_random' at 'keySpec' failed to satisfy \
         constraint: Member must satisfy enum value set: ["
    ));
}

#[tokio::test]
async fn a_key_of_every_kind_may_wait_for_imported_material() {
    let kms = TestKms::new().await;
    for kind in &KINDS {
        for multi_region in [false, true] {
            let request = json!({
                "KeySpec": kind.spec, "KeyUsage": kind.usage, "Origin": "EXTERNAL", "MultiRegion": multi_region,
            });
            let metadata = kms.ok(CreateKey, request).await["KeyMetadata"].take();
            assert_eq!(
                (&metadata["Origin"], &metadata["KeyState"], &metadata["Enabled"], &metadata["MultiRegion"]),
                (&json!("EXTERNAL"), &json!("PendingImport"), &json!(false), &json!(multi_region)),
                "{}",
                kind.spec
            );
            assert_eq!(metadata[kind.listed_as], json!(kind.algorithms), "{}", kind.spec);
            assert_eq!(metadata, kms.metadata(metadata["KeyId"].as_str().unwrap()).await);
        }
    }
}

#[tokio::test]
async fn a_key_store_goes_with_the_origins_of_key_stores_and_with_no_other() {
    let (store, xks) = ("cks-1234567890abcdef0", "key-1");
    let store_rule = |origin| {
        format!(
            "ValidationException: CustomKeyStoreId must be specified with Origin AWS_CLOUDHSM or \
             EXTERNAL_KEY_STORE, and with no other; Origin is {origin}."
        )
    };
    let xks_rule = |origin| {
        format!(
            "ValidationException: XksKeyId must be specified with Origin EXTERNAL_KEY_STORE, and with no other; \
             Origin is {origin}."
        )
    };
    let no_store = format!("CustomKeyStoreNotFoundException: Custom key store {store} does not exist.");
    for (request, expected) in [
        (json!({"Origin": "AWS_CLOUDHSM"}), store_rule("AWS_CLOUDHSM")),
        (json!({"Origin": "EXTERNAL_KEY_STORE", "XksKeyId": xks}), store_rule("EXTERNAL_KEY_STORE")),
        (json!({"CustomKeyStoreId": store}), store_rule("AWS_KMS")),
        (json!({"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store}), xks_rule("EXTERNAL_KEY_STORE")),
        (json!({"XksKeyId": xks}), xks_rule("AWS_KMS")),
        (json!({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store}), no_store.clone()),
        (json!({"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": xks}), no_store),
    ] {
        assert_eq!(refused(request.clone()).await, expected, "{request}");
    }
}

#[tokio::test]
async fn there_are_no_multi_region_keys_in_key_stores() {
    for origin in ["AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"] {
        assert_eq!(
            refused(json!({"Origin": origin, "MultiRegion": true})).await,
            "UnsupportedOperationException: Multi-Region keys cannot be created in a custom key store."
        );
    }
}

#[tokio::test]
async fn tags_follow_the_rules_of_tag_resource() {
    let tag = |key: &str| json!({"TagKey": key, "TagValue": "v"});
    let many: Vec<_> = (0..51).map(|number| tag(&number.to_string())).collect();
    for (tags, expected) in [
        (json!(many), "TagException: Too many tags"),
        (json!([tag("aws:key1")]), "TagException: Tags beginning with aws: are reserved"),
        (json!([tag("AWS:key1")]), "TagException: Tags beginning with aws: are reserved"),
        (json!([tag("a"), tag("a")]), "TagException: Duplicate tag keys"),
    ] {
        assert_eq!(refused(json!({"Tags": tags})).await, expected);
    }
}

#[tokio::test]
async fn a_policy_that_locks_its_author_out_is_refused_unless_the_check_is_bypassed() {
    let kms = TestKms::new().await;
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:Encrypt", "Resource": "*",
    }]})
    .to_string();
    assert_eq!(
        kms.refused(CreateKey, json!({"Policy": policy})).await,
        "MalformedPolicyDocumentException: The new key policy will not allow you to update the key policy in the \
         future."
    );
    kms.ok(CreateKey, json!({"Policy": policy, "BypassPolicyLockoutSafetyCheck": true})).await;
}

#[tokio::test]
async fn a_refused_request_creates_nothing() {
    let kms = TestKms::new().await;
    for request in [
        json!({"Policy": "{}"}),
        json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "Policy": "{}"}),
        json!({"KeySpec": "RSA_2048", "KeyUsage": "KEY_AGREEMENT"}),
        json!({"Tags": [{"TagKey": "aws:a", "TagValue": ""}]}),
        json!({"Description": "d".repeat(8193)}),
    ] {
        kms.refused(CreateKey, request).await;
    }
    assert_eq!(kms.ok(ListKeys, json!({})).await["Keys"], json!([]));
}

#[tokio::test]
async fn the_quota_counts_keys_in_every_state_of_one_account_and_region() {
    let kms = TestKms::with_options(Options { keys_per_region_max: 2, ..Options::default() }).await;
    let over =
        "LimitExceededException: Key quota for this account in this region is 2 but the current usage is 2.";
    let (first, second) = (kms.create_key().await, kms.create_key().await);
    assert_eq!(kms.refused(CreateKey, json!({})).await, over);
    kms.disable(&first).await;
    kms.schedule_deletion(&second).await;
    assert_eq!(kms.refused(CreateKey, json!({})).await, over);
    kms.in_region("us-west-2").create_key().await;
    kms.in_account("444455556666").create_key().await;
    kms.clock.advance_days(8);
    kms.run_jobs().await;
    kms.create_key().await;
}

#[tokio::test]
async fn who_is_at_the_quota_keeps_no_core_busy_with_pairs() {
    let kms = TestKms::with_options(Options { keys_per_region_max: 1, ..Options::default() }).await;
    kms.create_key().await;
    let begun = Instant::now();
    for _ in 0..40 {
        let refused = kms.refused(CreateKey, json!({"KeySpec": "RSA_4096", "KeyUsage": "SIGN_VERIFY"})).await;
        assert!(refused.starts_with("LimitExceededException: "), "{refused}");
    }
    // Making forty such pairs takes half a minute.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn aws_managed_keys_count_towards_no_quota() {
    let kms = TestKms::with_options(Options { keys_per_region_max: 1, ..Options::default() }).await;
    kms.metadata("alias/aws/s3").await;
    kms.create_key().await;
    kms.metadata("alias/aws/ebs").await;
}

#[tokio::test]
async fn a_key_outlives_a_restart() {
    let kms = TestKms::new().await;
    let key = kms.create_key_with(json!({"Description": "d", "MultiRegion": true})).await;
    let before = kms.ok(DescribeKey, json!({"KeyId": key})).await;
    let kms = kms.restart().await;
    assert_eq!(kms.ok(DescribeKey, json!({"KeyId": key})).await, before);
}
