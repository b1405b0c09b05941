//! Putting key policies: nobody locks themselves out, and users are kept by who they are, not by what they are called.

use serde_json::{Value, json};
use trent_protocol::Operation::{
    CreateKey, Decrypt, DescribeKey, Encrypt, GetKeyPolicy, PutKeyPolicy, ReplicateKey,
};
use trent_service::Standing;
use trent_service::admin::{Command, Reply};
use trent_testkit::{ACCOUNT, TestKms, attached, base64};

use super::{ADMIN, admin_alone, alice, allow, delegation, denied, silent, to};

const LOCKED_OUT: &str = "MalformedPolicyDocumentException: The new key policy will not allow you to update the key \
                          policy in the future.";

fn text(statements: Value) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

#[tokio::test]
async fn delegation_does_not_lock_out_who_may_by_an_identity_policy() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let alice = alice(&kms, &allow(&json!("kms:PutKeyPolicy"), &kms.arn(&key)));
    let put = |statements: Value| json!({"KeyId": key, "Policy": text(statements)});
    alice.ok(PutKeyPolicy, put(json!([delegation()]))).await;
    assert_eq!(alice.refused(PutKeyPolicy, put(json!([admin_alone()]))).await, LOCKED_OUT);
    let mut bypassed = put(json!([admin_alone()]));
    bypassed["BypassPolicyLockoutSafetyCheck"] = json!(true);
    alice.ok(PutKeyPolicy, bypassed).await;
}

#[tokio::test]
async fn the_check_heeds_everything_that_bears_on_the_caller() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let all = || attached(&allow(&json!("*"), "*"));
    let some = || attached(&allow(&json!("kms:Encrypt"), "*"));
    let body = json!({"Policy": text(json!([delegation()]))});
    let admin = |standing: Standing| kms.under(Standing { identity: vec![all()], ..standing });
    admin(Standing::default()).ok(CreateKey, body.clone()).await;
    let create_alone = attached(&allow(&json!("kms:CreateKey"), "*"));
    for standing in [
        Standing { boundary: Some(create_alone.clone()), ..Standing::default() },
        Standing { session: Some(vec![create_alone.clone(), some()]), ..Standing::default() },
        Standing { service_control: vec![vec![create_alone.clone()]], ..Standing::default() },
    ] {
        assert_eq!(admin(standing).refused(CreateKey, body.clone()).await, LOCKED_OUT);
    }
    let creator = kms.under(Standing { identity: vec![create_alone], ..Standing::default() });
    assert_eq!(creator.refused(CreateKey, body).await, LOCKED_OUT);
    // The policy that nobody has put is not checked, nor is what a root user puts for the account.
    creator.ok(CreateKey, json!({})).await;
    kms.in_account(ACCOUNT)
        .ok(PutKeyPolicy, json!({"KeyId": key, "Policy": text(json!([delegation()]))}))
        .await;
}

#[tokio::test]
async fn the_policy_of_a_replica_is_checked_in_its_region() {
    let kms = TestKms::new().await;
    let key = kms.create_key_with(json!({"MultiRegion": true})).await;
    let only_in = |region: &str| {
        let mut statement = delegation();
        statement["Condition"] = json!({"StringEquals": {"aws:RequestedRegion": region}});
        json!({"KeyId": key, "ReplicaRegion": "eu-west-1", "Policy": text(json!([statement]))})
    };
    assert_eq!(kms.refused(ReplicateKey, only_in("eu-central-1")).await, LOCKED_OUT);
    kms.ok(ReplicateKey, only_in("eu-west-1")).await;
}

#[tokio::test]
async fn a_condition_on_bypassing_sees_whether_it_was_asked_for() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let statement = json!({
        "Effect": "Allow", "Action": "kms:PutKeyPolicy", "Resource": "*",
        "Condition": {"Null": {"kms:BypassPolicyLockoutSafetyCheck": true}},
    });
    let alice = alice(&kms, &statement);
    let mut body = json!({"KeyId": key, "Policy": text(json!([delegation()]))});
    alice.ok(PutKeyPolicy, body.clone()).await;
    body["BypassPolicyLockoutSafetyCheck"] = json!(false);
    assert!(alice.refused(PutKeyPolicy, body).await.starts_with("AccessDeniedException: "));
}

#[tokio::test]
async fn a_user_of_the_same_name_inherits_nothing() {
    let kms = TestKms::new().await;
    let add = Command::AddUser {
        account: ACCOUNT.parse().expect("an account"),
        name: "alice".to_owned(),
        path: "/".to_owned(),
        administrator: false,
    };
    assert_eq!(kms.service.administer(add).await, Reply::Done);
    let key = kms.create_key().await;
    let by_name = to(json!({"AWS": "arn:aws:iam::111122223333:user/alice"}), "Allow", "kms:DescribeKey");
    kms.put_policy(&key, &json!([admin_alone(), by_name.clone()])).await;
    // It reads as it was put, though it is not kept so.
    let shown = kms.ok(GetKeyPolicy, json!({"KeyId": key})).await["Policy"].clone();
    let shown: Value = serde_json::from_str(shown.as_str().expect("a text")).expect("JSON");
    assert_eq!(shown["Statement"], json!([admin_alone(), by_name]));
    let id = key.parse().expect("an id");
    let region = kms.region;
    let stored = trent_database::read(&*kms.database, move |records| records.key(region, id)).await;
    let stored = stored.expect("the database").expect("the key").policy.expect("a policy");
    assert!(!stored.contains("user/alice") && !stored.contains(ADMIN), "{stored}");
    assert!(stored.contains("\"AIDA"), "{stored}");
    // This alice has another unique id than the one who was named.
    let expected = denied(
        "kms:DescribeKey",
        &format!("resource: {}", kms.arn(&key)),
        &silent("resource-based policy", "kms:DescribeKey"),
    );
    assert_eq!(kms.as_user("alice").refused(DescribeKey, json!({"KeyId": key})).await, expected);
}

#[tokio::test]
async fn permission_comes_before_the_state_of_the_key_and_before_a_dry_run() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let blob = kms.encrypt(&key, b"text").await;
    kms.disable(&key).await;
    let decrypt = json!({"CiphertextBlob": blob});
    let may = alice(&kms, &allow(&json!("kms:*"), "*"));
    assert!(may.refused(Decrypt, decrypt.clone()).await.starts_with("DisabledException: "));
    assert!(kms.as_user("alice").refused(Decrypt, decrypt).await.starts_with("AccessDeniedException: "));
    kms.enable(&key).await;
    let dry = json!({"KeyId": key, "Plaintext": base64(b"text"), "DryRun": true});
    assert!(may.refused(Encrypt, dry.clone()).await.starts_with("DryRunOperationException: "));
    assert!(kms.as_user("alice").refused(Encrypt, dry).await.starts_with("AccessDeniedException: "));
}
