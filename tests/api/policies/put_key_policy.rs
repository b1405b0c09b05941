//! PutKeyPolicy: lock-out, principals, documents that are no policy, sizes, names.

use std::sync::Arc;

use serde_json::{Value, json};
use trent_audit::Event;
use trent_protocol::Operation::{GetKeyPolicy, PutKeyPolicy};
use trent_service::admin::{Command, Reply};
use trent_service::{Call, Connection};
use trent_testkit::{ACCOUNT, TestKms};

const LOCKED_OUT: &str = "MalformedPolicyDocumentException: The new key policy will not allow you to update the key policy in the future.";
const INVALID_PRINCIPAL: &str =
    "MalformedPolicyDocumentException: Policy contains a statement with one or more invalid principals.";
const INVALID_ARN: &str = "InvalidArnException: An ARN in the specified key policy is invalid.";
const ADMIN: &str = "arn:aws:iam::111122223333:user/admin";

/// A policy of one statement, which allows everything unless `changes` say otherwise.
fn policy(changes: Value) -> String {
    let mut statement = json!({
        "Sid": "all", "Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*",
    });
    for (element, value) in changes.as_object().expect("elements") {
        match value {
            Value::Null => drop(statement.as_object_mut().unwrap().remove(element)),
            value => statement[element] = value.clone(),
        }
    }
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

async fn put(policy: &str) -> Result<(), String> {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let put = kms.call(PutKeyPolicy, json!({"KeyId": key, "Policy": policy})).await;
    put.map(drop).map_err(|error| trent_testkit::told(&error))
}

async fn got(kms: &TestKms, key: &str) -> Value {
    let answer = kms.ok(GetKeyPolicy, json!({"KeyId": key})).await;
    serde_json::from_str(answer["Policy"].as_str().expect("a policy")).expect("JSON")
}

#[tokio::test]
async fn a_policy_comes_back_equal_as_json_also_after_a_restart() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let text = policy(json!({"Condition": {"StringEquals": {"kms:CallerAccount": ACCOUNT}}}));
    let request = json!({"KeyId": key, "Policy": text, "PolicyName": "default"});
    assert_eq!(kms.ok(PutKeyPolicy, request).await, Value::Null);
    let expected: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(got(&kms, &key).await, expected);
    assert_eq!(got(&kms.restart().await, &key).await, expected);
}

#[tokio::test]
async fn a_refused_policy_leaves_the_old_one() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let before = got(&kms, &key).await;
    for bad in [
        "{}".to_owned(),
        policy(json!({"Action": "kms:Encrypt"})),
        policy(json!({"Principal": {"AWS": "x"}})),
    ] {
        kms.refused(PutKeyPolicy, json!({"KeyId": key, "Policy": bad})).await;
    }
    assert_eq!(got(&kms, &key).await, before);
}

#[tokio::test]
async fn whoever_could_not_put_another_policy_afterwards_is_refused() {
    for locked_out in [
        json!({"Action": "kms:Encrypt"}),
        json!({"NotAction": "kms:PutKeyPolicy", "Action": null}),
        json!({"Effect": "Deny"}),
        json!({"Resource": "arn:aws:kms:eu-central-1:111122223333:key/another"}),
        json!({"Condition": {"StringEquals": {"kms:PolicyName": "other"}}}),
        json!({"Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}}),
        json!({"Condition": {"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/other"}}}),
    ] {
        assert_eq!(put(&policy(locked_out.clone())).await, Err(LOCKED_OUT.to_owned()), "{locked_out}");
    }
}

#[tokio::test]
async fn whoever_could_put_another_policy_is_not_locked_out() {
    for fine in [
        json!({}),
        json!({"Action": ["kms:Encrypt", "kms:Put*"]}),
        json!({"Action": "KMS:putkeypolicy"}),
        json!({"Principal": "*"}),
        json!({"Principal": {"AWS": ADMIN}}),
        json!({"Principal": {"AWS": "arn:aws:iam::111122223333:root"}}),
        json!({"Condition": {"StringEquals": {"kms:PolicyName": "default", "kms:CallerAccount": ACCOUNT}}}),
        json!({"Condition": {"ArnEquals": {"aws:PrincipalArn": ADMIN}, "StringEquals": {"aws:username": "admin"}}}),
    ] {
        assert_eq!(put(&policy(fine.clone())).await, Ok(()), "{fine}");
    }
}

#[tokio::test]
async fn whoever_could_put_another_policy_from_here_and_now_is_not_locked_out() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let from = |source: &str| Call {
        caller: Arc::clone(&kms.caller),
        standing: Arc::clone(&kms.standing),
        region: kms.region,
        request_id: kms.service.new_request_id(),
        connection: Connection { source: Some(source.parse().expect("an address")), ..Connection::default() },
    };
    for (condition, fine) in [
        (json!({"IpAddress": {"aws:SourceIp": "10.1.0.0/16"}}), true),
        (json!({"IpAddress": {"aws:SourceIp": "10.2.0.0/16"}}), false),
        (json!({"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}), true),
        (json!({"DateLessThan": {"aws:CurrentTime": "2025-01-01T00:00:00Z"}}), false),
        (json!({"NumericGreaterThan": {"aws:EpochTime": "1700000000"}}), true),
        (json!({"StringEquals": {"aws:ResourceAccount": ACCOUNT}}), true),
    ] {
        let request = json!({"KeyId": key, "Policy": policy(json!({"Condition": condition}))}).to_string();
        let (call, event) = (from("10.1.2.3"), Event::default());
        let put = trent_server::dispatch(&kms.service, PutKeyPolicy, request.as_bytes(), &call, &event).await;
        let expected = if fine { Ok(()) } else { Err(LOCKED_OUT.to_owned()) };
        assert_eq!(put.map(drop).map_err(|error| trent_testkit::told(&error)), expected, "{condition}");
    }
}

#[tokio::test]
async fn an_explicit_deny_locks_out_too() {
    let text = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"},
        {"Effect": "Deny", "Principal": {"AWS": ADMIN}, "Action": "kms:PutKeyPolicy", "Resource": "*"},
    ]});
    assert_eq!(put(&text.to_string()).await, Err(LOCKED_OUT.to_owned()));
}

#[tokio::test]
async fn the_lock_out_check_can_be_bypassed_and_the_others_cannot() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let bypass =
        |policy: String| json!({"KeyId": key, "Policy": policy, "BypassPolicyLockoutSafetyCheck": true});
    let unknown = policy(json!({"Principal": {"AWS": "999999999999"}}));
    assert_eq!(kms.refused(PutKeyPolicy, bypass(unknown)).await, INVALID_PRINCIPAL);
    kms.ok(PutKeyPolicy, bypass(policy(json!({"Action": "kms:Encrypt"})))).await;
    let refused = kms.refused(PutKeyPolicy, bypass(policy(json!({})))).await;
    assert!(refused.starts_with("AccessDeniedException: "), "nobody can put another one: {refused}");
}

#[tokio::test]
async fn principals_that_do_not_exist_are_invalid() {
    for unknown in [
        json!({"AWS": "999999999999"}),
        json!({"AWS": "arn:aws:iam::999999999999:root"}),
        json!({"AWS": "arn:aws:iam::111122223333:user/nobody"}),
        json!({"AWS": "arn:aws:iam::111122223333:role/nobody"}),
        json!({"AWS": [ACCOUNT, "arn:aws:iam::111122223333:user/nobody"]}),
        json!({"AWS": "AROAAAAAAAAAAAAAAAAAA"}),
    ] {
        let put = put(&policy(json!({"Principal": unknown}))).await;
        assert_eq!(put, Err(INVALID_PRINCIPAL.to_owned()), "{unknown}");
    }
}

#[tokio::test]
async fn arns_that_can_be_no_principal_are_invalid() {
    for wrong in ["arn:aws:iam::111122223333:group/team", "arn:aws:iam::111122223333:user/*"] {
        let put = put(&policy(json!({"Principal": {"AWS": wrong}}))).await;
        assert_eq!(put, Err(INVALID_ARN.to_owned()), "{wrong}");
    }
}

#[tokio::test]
async fn a_user_may_be_named_from_the_moment_it_was_added() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let both = policy(json!({"Principal": {"AWS": [ADMIN, "arn:aws:iam::111122223333:user/alice"]}}));
    assert_eq!(kms.refused(PutKeyPolicy, json!({"KeyId": key, "Policy": both})).await, INVALID_PRINCIPAL);
    let add = Command::AddUser {
        account: ACCOUNT.parse().unwrap(),
        name: "alice".to_owned(),
        path: "/".to_owned(),
        administrator: false,
    };
    assert_eq!(kms.service.administer(add).await, Reply::Done);
    kms.ok(PutKeyPolicy, json!({"KeyId": key, "Policy": both})).await;
}

#[tokio::test]
async fn documents_that_are_no_policy_are_malformed() {
    let no_statement = json!({"Version": "2012-10-17"}).to_string();
    for malformed in [
        "not JSON".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        no_statement,
        json!({"Version": "2012-10-17", "Statement": []}).to_string(),
        json!({"Version": "2020-01-01", "Statement": []}).to_string(),
        policy(json!({"Principal": null})),
        policy(json!({"Action": null})),
        policy(json!({"Resource": null})),
        policy(json!({"Effect": null})),
        policy(json!({"Effect": "Maybe"})),
        policy(json!({"NotAction": "kms:Encrypt"})),
        policy(json!({"Unknown": "element"})),
        policy(json!({"Principal": "111122223333"})),
        policy(json!({"Condition": {"NoSuchOperator": {"aws:username": "a"}}})),
        policy(json!({"Condition": {"NumericEquals": {"aws:MultiFactorAuthAge": "many"}}})),
        policy(json!({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}})),
    ] {
        let refused = put(&malformed).await.expect_err(&malformed);
        assert!(refused.starts_with("MalformedPolicyDocumentException: "), "{malformed}: {refused}");
    }
}

#[tokio::test]
async fn for_all_values_of_an_encryption_context_is_refused_in_the_words_of_the_guide() {
    let condition =
        json!({"Condition": {"ForAllValues:StringEquals": {"kms:EncryptionContext:app": "shop"}}});
    assert_eq!(
        put(&policy(condition)).await,
        Err("MalformedPolicyDocumentException: OverlyPermissiveCondition:EncryptionContext: Using the ForAllValues \
             set operator with a single-valued condition key matches requests without the specified encryption \
             context or with an unspecified encryption context. To fix, remove ForAllValues."
            .to_owned())
    );
}

#[tokio::test]
async fn a_policy_has_at_most_32768_bytes() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let shortest = policy(json!({"Sid": ""})).len();
    let of_length = |bytes: usize| policy(json!({"Sid": "s".repeat(bytes - shortest)}));
    assert_eq!(of_length(32_768).len(), 32_768);
    kms.ok(PutKeyPolicy, json!({"KeyId": key, "Policy": of_length(32_768)})).await;
    assert_eq!(
        kms.refused(PutKeyPolicy, json!({"KeyId": key, "Policy": of_length(32_769)})).await,
        "LimitExceededException: The key policy has 32769 bytes; the quota is 32768."
    );
}

#[tokio::test]
async fn the_policy_of_resource_shares_is_not_put_by_hand() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    assert_eq!(
        kms.refused(
            PutKeyPolicy,
            json!({"KeyId": key, "Policy": policy(json!({})), "PolicyName": "AWS_RAM"})
        )
        .await,
        "ValidationException: The AWS_RAM policy can only be managed by the RAM service."
    );
}

#[tokio::test]
async fn there_is_no_other_policy_to_put() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    // Undocumented; the code is that of the model for what an operation does not offer.
    assert_eq!(
        kms.refused(PutKeyPolicy, json!({"KeyId": key, "Policy": policy(json!({})), "PolicyName": "other"}))
            .await,
        "UnsupportedOperationException: The only key policy that can be set is named default, not other."
    );
}
