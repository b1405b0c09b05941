//! Request quotas: who is throttled, by what, and until when. Figures and groups are those of the developer guide; the
//! buckets themselves are tested in `crates/service/src/quotas`.

use serde_json::json;
use trent_protocol::Operation::{
    self, CreateAlias, Decrypt, DescribeKey, Encrypt, GenerateDataKeyPair, GenerateRandom, ListAliases,
    ReplicateKey, Sign,
};
use trent_service::{Bucket, QuotaRules};
use trent_testkit::{ACCOUNT, TestKms, base64};

const THROTTLED: &str = "ThrottlingException: You have exceeded the rate at which you may call KMS. Reduce the \
                         frequency of your calls.";

fn rules(figures: &[(&str, f64)]) -> QuotaRules {
    let bucket = |(name, figure): &(&str, f64)| ((None, Bucket::named(name).unwrap()), *figure);
    QuotaRules { requests: figures.iter().map(bucket).collect(), ..QuotaRules::default() }
}

/// How many of ten requests are answered before one is throttled.
async fn answered(kms: &TestKms, operation: Operation, body: serde_json::Value) -> usize {
    for number in 0..10 {
        match kms.call(operation, body.clone()).await {
            Err(error) if error.to_string() == THROTTLED => return number,
            _ => {}
        }
    }
    10
}

#[tokio::test]
async fn nobody_is_throttled_unless_it_is_asked_for() {
    let kms = TestKms::new().await;
    assert_eq!(answered(&kms, ListAliases, json!({})).await, 10);
    assert!(kms.service.throttled().is_empty());
}

#[tokio::test]
async fn a_second_later_there_is_room_again() {
    let kms = TestKms::new().await;
    kms.service.limit_requests(rules(&[("ListAliases", 2.0)]));
    assert_eq!(answered(&kms, ListAliases, json!({})).await, 2);
    kms.clock.advance_millis(499);
    assert_eq!(kms.refused(ListAliases, json!({})).await, THROTTLED);
    kms.clock.advance_millis(1);
    kms.ok(ListAliases, json!({})).await;
    kms.clock.advance_millis(60_000);
    assert_eq!(answered(&kms, ListAliases, json!({})).await, 2);
    let [throttled] = &*kms.service.throttled() else { panic!("one limit was met") };
    assert_eq!((throttled.account.as_str(), &*throttled.limit, throttled.count), (ACCOUNT, "ListAliases", 3));
}

#[tokio::test]
async fn accounts_and_regions_have_quotas_of_their_own_and_one_may_have_another() {
    let kms = TestKms::new().await;
    let mut limits = rules(&[("ListAliases", 1.0)]);
    limits
        .requests
        .insert((Some("444455556666".parse().unwrap()), Bucket::named("ListAliases").unwrap()), 4.0);
    kms.service.limit_requests(limits);
    assert_eq!(answered(&kms, ListAliases, json!({})).await, 1);
    assert_eq!(answered(&kms.in_region("us-west-2"), ListAliases, json!({})).await, 1);
    assert_eq!(answered(&kms.in_account("444455556666"), ListAliases, json!({})).await, 4);
    // What failed has counted too, and a user of the account shares its quota.
    assert_eq!(answered(&kms.as_user("alice"), ListAliases, json!({})).await, 0);
}

#[tokio::test]
async fn uses_count_by_the_family_of_their_key() {
    let kms = TestKms::new().await;
    let symmetric = kms.create_key().await;
    let rsa = kms.create_key_of("RSA_2048", "SIGN_VERIFY").await;
    let curve = kms.create_key_of("ECC_NIST_P256", "SIGN_VERIFY").await;
    kms.service.limit_requests(rules(&[
        ("crypto.symmetric", 3.0),
        ("crypto.rsa", 1.0),
        ("crypto.ecc", 2.0),
        ("data_key_pair.ECC_NIST_P256", 1.0),
    ]));
    let sign = |key: &str, algorithm: &str| json!({"KeyId": key, "Message": base64(b"m"), "SigningAlgorithm": algorithm});
    assert_eq!(answered(&kms, Sign, sign(&rsa, "RSASSA_PSS_SHA_256")).await, 1);
    assert_eq!(answered(&kms, Sign, sign(&curve, "ECDSA_SHA_256")).await, 2);
    // Of one bucket: encrypting, decrypting, random bytes; what is refused counts.
    let sealed = kms.ok(Encrypt, json!({"KeyId": symmetric, "Plaintext": base64(b"p")})).await;
    kms.ok(Decrypt, json!({"CiphertextBlob": sealed["CiphertextBlob"]})).await;
    let refused = kms.refused(Encrypt, json!({"KeyId": "alias/none", "Plaintext": base64(b"p")})).await;
    assert!(refused.starts_with("NotFoundException"), "{refused}");
    assert_eq!(kms.refused(GenerateRandom, json!({"NumberOfBytes": 8})).await, THROTTLED);
    assert_eq!(kms.refused(Decrypt, json!({"CiphertextBlob": sealed["CiphertextBlob"]})).await, THROTTLED);
    // A pair counts by its own spec.
    let pair = json!({"KeyId": symmetric, "KeyPairSpec": "ECC_NIST_P256"});
    assert_eq!(answered(&kms, GenerateDataKeyPair, pair).await, 1);
}

#[tokio::test]
async fn the_profile_of_aws_has_its_figures_and_a_replica_counts_as_two_keys() {
    let kms = TestKms::new().await;
    let primary = kms.create_key_with(json!({"MultiRegion": true})).await;
    kms.service.limit_requests(QuotaRules { as_aws: true, ..QuotaRules::default() });
    let alias = json!({"AliasName": "alias/none", "TargetKeyId": primary});
    assert_eq!(answered(&kms, CreateAlias, alias).await, 5);
    for region in ["us-east-1", "us-west-2"] {
        kms.ok(ReplicateKey, json!({"KeyId": primary, "ReplicaRegion": region})).await;
    }
    let there = kms.in_region("us-west-2");
    assert_eq!(answered(&there, Operation::CreateKey, json!({})).await, 3);
}

#[tokio::test]
async fn one_key_and_one_caller_can_be_limited() {
    let kms = TestKms::new().await;
    let (hot, cold) = (kms.create_key().await, kms.create_key().await);
    kms.service.limit_requests(QuotaRules { per_key: 2.0, ..QuotaRules::default() });
    // Whoever may not use a key does not use it up for others.
    let stranger = kms.as_user("stranger");
    for _ in 0..3 {
        let refused = stranger.refused(DescribeKey, json!({"KeyId": hot})).await;
        assert!(refused.starts_with("AccessDeniedException"), "{refused}");
    }
    assert_eq!(answered(&kms, DescribeKey, json!({"KeyId": hot})).await, 2);
    kms.ok(DescribeKey, json!({"KeyId": cold})).await;

    kms.service.limit_requests(QuotaRules { per_caller: 3.0, ..QuotaRules::default() });
    assert_eq!(answered(&kms, ListAliases, json!({})).await, 3);
    assert_eq!(answered(&kms.in_region("us-west-2"), ListAliases, json!({})).await, 0);
    assert_eq!(answered(&stranger, ListAliases, json!({})).await, 3);
    // Sessions of one role are one caller.
    assert_eq!(answered(&kms.as_role_session("one"), ListAliases, json!({})).await, 3);
    assert_eq!(answered(&kms.as_role_session("other"), ListAliases, json!({})).await, 0);
    let limits: Vec<_> = kms.service.throttled().into_iter().map(|throttled| throttled.limit).collect();
    assert_eq!(limits, ["key", "caller"]);
}

#[tokio::test]
async fn a_throttled_request_is_recorded() {
    let kms = TestKms::audited().await;
    kms.service.limit_requests(rules(&[("ListAliases", 1.0)]));
    assert_eq!(answered(&kms, ListAliases, json!({})).await, 1);
    let records = kms.records();
    let codes: Vec<_> = records.iter().filter_map(|record| record["errorCode"].as_str()).collect();
    assert!(codes.contains(&"ThrottlingException"), "{codes:?}");
}
