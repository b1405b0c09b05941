//! ReplicateKey: a related key in another Region, with a policy, tags and a description of its own.

use serde_json::{Value, json};
use trent_protocol::Operation::{
    CancelKeyDeletion, CreateAlias, DescribeKey, Encrypt, GetKeyPolicy, ListAliases, ListKeys,
    ListResourceTags, PutKeyPolicy, ReplicateKey, TagResource, UpdateKeyDescription,
};
use trent_service::Options;
use trent_testkit::{ACCOUNT, REGION, TestKms, base64};

use super::{THERE, configuration, not_primary, primary, related, replicate, replicated};

fn request(key: &str) -> Value {
    json!({"KeyId": key, "ReplicaRegion": THERE})
}

#[tokio::test]
async fn the_answer_is_that_of_a_key_being_created() {
    let kms = TestKms::new().await;
    let there = kms.in_region(THERE);
    let tags = json!([{"TagKey": "team", "TagValue": "blue"}]);
    let key = kms
        .create_key_with(json!({"MultiRegion": true, "Description": "of the primary", "Tags": tags}))
        .await;
    kms.clock.advance_days(1);
    let answer = replicate(&kms, &key, THERE).await;
    let start = kms.metadata(&key).await["CreationDate"].as_f64().unwrap();
    assert_eq!(
        answer["ReplicaKeyMetadata"],
        json!({
            "AWSAccountId": ACCOUNT,
            "KeyId": key,
            "Arn": there.arn(&key),
            "CreationDate": start as i64 + 24 * 60 * 60,
            "Enabled": false,
            "Description": "",
            "KeyUsage": "ENCRYPT_DECRYPT",
            "KeyState": "Creating",
            "Origin": "AWS_KMS",
            "KeyManager": "CUSTOMER",
            "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
            "KeySpec": "SYMMETRIC_DEFAULT",
            "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
            "MultiRegion": true,
            "MultiRegionConfiguration": related(&kms, &key, "REPLICA", REGION, &[THERE]),
        })
    );
    assert_eq!(answer["ReplicaPolicy"], trent_policy::default_key_policy("aws", ACCOUNT));
    assert_eq!(answer.as_object().unwrap().len(), 2, "no tags: {answer}");
}

#[tokio::test]
async fn the_replica_is_enabled_with_the_material_of_its_primary() {
    let (kms, there, key) = replicated().await;
    let (here, replica) = (kms.metadata(&key).await, there.metadata(&key).await);
    assert_eq!((&replica["KeyState"], &replica["Enabled"]), (&json!("Enabled"), &json!(true)));
    assert_eq!(replica["CurrentKeyMaterialId"], here["CurrentKeyMaterialId"]);
    assert_eq!(replica["MultiRegionConfiguration"], related(&kms, &key, "REPLICA", REGION, &[THERE]));
    assert_eq!(here["MultiRegionConfiguration"], related(&kms, &key, "PRIMARY", REGION, &[THERE]));
    assert_eq!(
        there.ok(ListKeys, json!({})).await["Keys"],
        json!([{"KeyId": key, "KeyArn": there.arn(&key)}])
    );
}

#[tokio::test]
async fn every_related_key_tells_of_all_of_them() {
    let (kms, there, key) = replicated().await;
    replicate(&kms, &kms.arn(&key), "ap-south-1").await;
    let all = ["ap-south-1", THERE];
    assert_eq!(configuration(&kms, &key).await, related(&kms, &key, "PRIMARY", REGION, &all));
    for kms in [&there, &kms.in_region("ap-south-1")] {
        assert_eq!(configuration(kms, &key).await, related(kms, &key, "REPLICA", REGION, &all));
    }
}

#[tokio::test]
async fn before_there_is_a_replica_its_region_has_no_such_key() {
    let kms = TestKms::new().await;
    let (key, there) = (primary(&kms).await, kms.in_region(THERE));
    let refused = there.refused(DescribeKey, json!({"KeyId": key})).await;
    assert_eq!(refused, format!("NotFoundException: Key '{}' does not exist", there.arn(&key)));
    // Looking for it does not hide it later.
    replicate(&kms, &key, THERE).await;
    there.metadata(&key).await;
}

#[tokio::test]
async fn what_the_request_says_is_the_replicas_own() {
    let kms = TestKms::new().await;
    let (key, there) = (primary(&kms).await, kms.in_region(THERE));
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")},
            "Action": "kms:*",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:RequestedRegion": THERE}},
        }],
    });
    let answer = kms
        .ok(
            ReplicateKey,
            json!({
                "KeyId": key,
                "ReplicaRegion": THERE,
                "Description": "far away",
                "Policy": policy.to_string(),
                "Tags": [{"TagKey": "b", "TagValue": "2"}, {"TagKey": "a", "TagValue": ""}],
            }),
        )
        .await;
    let tags = json!([{"TagKey": "a", "TagValue": ""}, {"TagKey": "b", "TagValue": "2"}]);
    assert_eq!(answer["ReplicaTags"], tags);
    assert_eq!(answer["ReplicaKeyMetadata"]["Description"], "far away");
    let stored = there.ok(GetKeyPolicy, json!({"KeyId": key})).await["Policy"].take();
    assert_eq!(answer["ReplicaPolicy"], stored);
    assert_eq!(serde_json::from_str::<Value>(stored.as_str().unwrap()).unwrap(), policy);
    assert_eq!(there.ok(ListResourceTags, json!({"KeyId": key})).await["Tags"], tags);
    assert_eq!(there.metadata(&key).await["Description"], "far away");
    assert_eq!(kms.metadata(&key).await["Description"], "");
    assert_eq!(kms.ok(ListResourceTags, json!({"KeyId": key})).await["Tags"], json!([]));
    let of_primary = kms.ok(GetKeyPolicy, json!({"KeyId": key})).await;
    assert_eq!(of_primary["Policy"], trent_policy::default_key_policy("aws", ACCOUNT));
}

#[tokio::test]
async fn policy_aliases_tags_description_and_state_of_one_leave_the_other_alone() {
    let (kms, there, key) = replicated().await;
    let before = kms.metadata(&key).await;
    let policy = trent_policy::default_key_policy("aws", ACCOUNT).replace("key-default-1", "another");
    there.ok(PutKeyPolicy, json!({"KeyId": key, "Policy": policy})).await;
    there.ok(CreateAlias, json!({"TargetKeyId": key, "AliasName": "alias/far"})).await;
    there.ok(TagResource, json!({"KeyId": key, "Tags": [{"TagKey": "far", "TagValue": ""}]})).await;
    there.ok(UpdateKeyDescription, json!({"KeyId": key, "Description": "far"})).await;
    there.disable(&key).await;
    assert_eq!(kms.metadata(&key).await, before);
    assert_eq!(kms.ok(ListAliases, json!({"KeyId": key})).await["Aliases"], json!([]));
    assert_eq!(kms.ok(ListResourceTags, json!({"KeyId": key})).await["Tags"], json!([]));
    let policy = kms.ok(GetKeyPolicy, json!({"KeyId": key})).await;
    assert_eq!(policy["Policy"], trent_policy::default_key_policy("aws", ACCOUNT));
    kms.encrypt(&key, b"text").await;
    kms.disable(&key).await;
    there.enable(&key).await;
    assert_eq!(kms.metadata(&key).await["KeyState"], "Disabled");
}

#[tokio::test]
async fn a_replica_is_no_primary() {
    let (kms, there, key) = replicated().await;
    for region in ["eu-west-1", THERE, REGION] {
        let refused = there.refused(ReplicateKey, json!({"KeyId": key, "ReplicaRegion": region})).await;
        assert_eq!(refused, not_primary(&there, &key));
    }
    assert_eq!(configuration(&kms, &key).await, related(&kms, &key, "PRIMARY", REGION, &[THERE]));
}

#[tokio::test]
async fn a_single_region_key_is_no_primary() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    assert_eq!(kms.refused(ReplicateKey, request(&key)).await, not_primary(&kms, &key));
}

#[tokio::test]
async fn a_region_holds_one_related_key_in_whatever_state() {
    let (kms, there, key) = replicated().await;
    let exists = |kms: &TestKms| format!("AlreadyExistsException: Key '{}' already exists", kms.arn(&key));
    // The code is documented, the text is trent's.
    assert_eq!(kms.refused(ReplicateKey, request(&key)).await, exists(&there));
    let own = json!({"KeyId": key, "ReplicaRegion": REGION});
    assert_eq!(kms.refused(ReplicateKey, own).await, exists(&kms));
    there.disable(&key).await;
    assert_eq!(kms.refused(ReplicateKey, request(&key)).await, exists(&there));
    there.schedule_deletion(&key).await;
    assert_eq!(kms.refused(ReplicateKey, request(&key)).await, exists(&there));
}

#[tokio::test]
async fn regions_that_are_none_of_this_deployment_are_refused() {
    let regions = [REGION, THERE, "cn-north-1"].map(|region| region.parse().unwrap());
    let options = Options { regions: Some(regions.into()), ..Options::default() };
    let kms = TestKms::with_options(options).await;
    let key = primary(&kms).await;
    for region in ["ap-south-1", "cn-north-1"] {
        let refused = kms.refused(ReplicateKey, json!({"KeyId": key, "ReplicaRegion": region})).await;
        // The code is documented, the text is trent's.
        let expected = format!(
            "UnsupportedOperationException: {} cannot be replicated to Region {region}.",
            kms.arn(&key)
        );
        assert_eq!(refused, expected);
    }
    replicate(&kms, &key, THERE).await;
}

#[tokio::test]
async fn the_primary_must_be_enabled() {
    let kms = TestKms::new().await;
    let key = primary(&kms).await;
    kms.disable(&key).await;
    let refused = kms.refused(ReplicateKey, request(&key)).await;
    assert_eq!(refused, format!("DisabledException: {} is disabled.", kms.arn(&key)));
    kms.schedule_deletion(&key).await;
    let refused = kms.refused(ReplicateKey, request(&key)).await;
    assert_eq!(refused, format!("KMSInvalidStateException: {} is pending deletion.", kms.arn(&key)));
    kms.ok(CancelKeyDeletion, json!({"KeyId": key})).await;
    kms.enable(&key).await;
    replicate(&kms, &key, THERE).await;
}

#[tokio::test]
async fn the_quota_is_that_of_the_region_of_the_replica() {
    let kms = TestKms::with_options(Options { keys_per_region_max: 1, ..Options::default() }).await;
    let (key, there) = (primary(&kms).await, kms.in_region(THERE));
    let other = there.create_key().await;
    assert_eq!(
        kms.refused(ReplicateKey, request(&key)).await,
        "LimitExceededException: Key quota for this account in this region is 1 but the current usage is 1."
    );
    assert_eq!(configuration(&kms, &key).await["ReplicaKeys"], json!([]));
    there.schedule_deletion(&other).await;
    kms.clock.advance_days(7);
    kms.run_jobs().await;
    replicate(&kms, &key, THERE).await;
    assert!(
        there.refused(trent_protocol::Operation::CreateKey, json!({})).await.starts_with("LimitExceeded")
    );
}

#[tokio::test]
async fn whoever_may_not_use_keys_may_not_replicate_them() {
    let (kms, there, key) = replicated().await;
    let alice = kms.as_user("alice");
    let denied = |kms: &TestKms, action: &str| {
        format!(
            "AccessDeniedException: User: arn:aws:iam::{ACCOUNT}:user/alice is not authorized to perform: {action} on \
             resource: {} because no identity-based policy allows the {action} action",
            kms.arn(&key)
        )
    };
    assert_eq!(alice.refused(ReplicateKey, request(&key)).await, denied(&kms, "kms:ReplicateKey"));
    let other = there.as_user("alice");
    assert_eq!(other.refused(ReplicateKey, request(&key)).await, denied(&there, "kms:ReplicateKey"));
    let hidden = kms.in_account("444455556666").refused(ReplicateKey, request(&kms.arn(&key))).await;
    assert!(hidden.starts_with("AccessDeniedException: "), "{hidden}");
}

#[tokio::test]
async fn of_two_at_once_one_finds_that_the_other_was_first() {
    let kms = TestKms::new().await;
    let (key, there) = (primary(&kms).await, kms.in_region(THERE));
    let both = tokio::join!(kms.call(ReplicateKey, request(&key)), kms.call(ReplicateKey, request(&key)));
    let answers = [both.0, both.1];
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let error = answers.into_iter().find_map(Result::err).unwrap();
    assert_eq!(error.code.to_string(), "AlreadyExistsException");
    assert_eq!(configuration(&there, &key).await["ReplicaKeys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn replicas_in_many_regions_at_once_are_all_known_to_each_other() {
    let kms = TestKms::new().await;
    let key = primary(&kms).await;
    let regions = ["ap-south-1", "eu-west-1", "sa-east-1", THERE];
    let replicas = regions.map(|region| {
        let (kms, key) = (kms.clone(), key.clone());
        tokio::spawn(async move { replicate(&kms, &key, region).await })
    });
    for replica in replicas {
        replica.await.unwrap();
    }
    for region in regions {
        let there = kms.in_region(region);
        let expected = related(&kms, &key, "REPLICA", REGION, &regions);
        assert_eq!(configuration(&there, &key).await, expected);
    }
}

#[tokio::test]
async fn a_replica_that_could_not_be_written_is_not_there_and_can_be_made_again() {
    let (kms, faults) = TestKms::with_faults().await;
    let (key, there) = (primary(&kms).await, kms.in_region(THERE));
    faults.fail_next("replicate key");
    assert!(kms.refused(ReplicateKey, request(&key)).await.starts_with("ThrottlingException"));
    assert_eq!(configuration(&kms, &key).await, related(&kms, &key, "PRIMARY", REGION, &[]));
    assert!(there.refused(DescribeKey, json!({"KeyId": key})).await.starts_with("NotFoundException"));
    replicate(&kms, &key, THERE).await;
}

#[tokio::test]
async fn a_replica_can_be_watched_being_created() {
    let kms = TestKms::with_options(Options { settling_seconds: 30, ..Options::default() }).await;
    let (key, there) = (primary(&kms).await, kms.in_region(THERE));
    let answer = replicate(&kms, &key, THERE).await;
    assert_eq!(there.metadata(&key).await, answer["ReplicaKeyMetadata"]);
    let encrypt = json!({"KeyId": key, "Plaintext": base64(b"text")});
    let refused = there.refused(Encrypt, encrypt.clone()).await;
    assert_eq!(refused, format!("KMSInvalidStateException: {} is creating.", there.arn(&key)));
    kms.clock.advance_millis(29_999);
    assert_eq!(kms.run_jobs().await.settled, 0);
    kms.clock.advance_millis(1);
    assert_eq!(kms.run_jobs().await.settled, 1);
    assert_eq!(kms.run_jobs().await.settled, 0);
    there.ok(Encrypt, encrypt).await;
    let metadata = there.metadata(&key).await;
    assert_eq!(metadata["KeyState"], "Enabled");
    assert_eq!(metadata["CurrentKeyMaterialId"], kms.metadata(&key).await["CurrentKeyMaterialId"]);
}
