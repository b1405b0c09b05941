//! What conditions may ask: each condition key with the value that requests give it, and when it is absent.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use trent_domain::identity::{Caller, Organization, Session, Source, Via};
use trent_domain::time::Timestamp;
use trent_protocol::Operation::{self, *};
use trent_service::{Call, Connection, Endpoint};
use trent_testkit::{Subject, TestKms, base64, request};

use super::{alice, allow};

/// An allow of everything under one condition.
fn under(operator: &str, key: &str, value: &Value) -> Value {
    let mut statement = allow(&json!("*"), "*");
    statement["Condition"] = json!({operator: {key: value}});
    statement
}

/// Whether an operation is allowed, whatever else may be wrong with the request.
async fn is_allowed(caller: &TestKms, operation: Operation, body: Value) -> bool {
    let answer = caller.call(operation, body).await;
    !answer.is_err_and(|error| error.to_string().starts_with("AccessDenied"))
}

/// A request of the operation with some members more.
fn with(operation: Operation, subject: &Subject, more: &Value) -> Value {
    let mut body = request(operation, subject);
    for (name, value) in more.as_object().expect("members") {
        body[name] = value.clone();
    }
    body
}

#[tokio::test]
async fn what_requests_ask_has_these_values() {
    let kms = TestKms::new().await;
    let days = |days: i32| json!({"RotationPeriodInDays": days});
    let until = json!({"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": 1_767_312_000});
    let context = json!({"EncryptionContext": {"AppName": "X"}});
    let tags = json!({"Tags": [{"TagKey": "team", "TagValue": "core"}]});
    for (operation, more, key, value) in [
        (CreateKey, json!({}), "kms:KeySpec", "SYMMETRIC_DEFAULT"),
        (CreateKey, json!({}), "kms:CustomerMasterKeySpec", "SYMMETRIC_DEFAULT"),
        (CreateKey, json!({}), "kms:KeyUsage", "ENCRYPT_DECRYPT"),
        (CreateKey, json!({}), "kms:KeyOrigin", "AWS_KMS"),
        (CreateKey, json!({}), "kms:MultiRegion", "false"),
        (CreateKey, json!({"MultiRegion": true}), "kms:MultiRegion", "true"),
        (CreateKey, json!({"MultiRegion": true}), "kms:MultiRegionKeyType", "PRIMARY"),
        (
            CreateKey,
            json!({"BypassPolicyLockoutSafetyCheck": false}),
            "kms:BypassPolicyLockoutSafetyCheck",
            "false",
        ),
        (CreateKey, json!({}), "kms:CallerAccount", "111122223333"),
        (CreateKey, tags.clone(), "aws:RequestTag/Team", "core"),
        (CreateKey, tags.clone(), "aws:TagKeys", "team"),
        (TagResource, tags, "aws:RequestTag/team", "core"),
        (UntagResource, json!({}), "aws:TagKeys", "team"),
        (Encrypt, json!({}), "kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT"),
        (Decrypt, json!({}), "kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT"),
        (GenerateDataKey, json!({}), "kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT"),
        (GenerateDataKeyPair, json!({}), "kms:DataKeyPairSpec", "ECC_NIST_P256"),
        (GenerateDataKeyPairWithoutPlaintext, json!({}), "kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT"),
        (Encrypt, context.clone(), "kms:EncryptionContext:AppName", "X"),
        (Encrypt, context.clone(), "kms:encryptioncontext:APPNAME", "X"),
        (GenerateDataKeyWithoutPlaintext, context.clone(), "kms:EncryptionContextKeys", "AppName"),
        (Decrypt, context, "kms:EncryptionContext:AppName", "X"),
        (Sign, json!({}), "kms:SigningAlgorithm", "ECDSA_SHA_256"),
        (Sign, json!({}), "kms:MessageType", "RAW"),
        (Verify, json!({}), "kms:MessageType", "RAW"),
        (Verify, json!({}), "kms:SigningAlgorithm", "ECDSA_SHA_256"),
        (GenerateMac, json!({}), "kms:MacAlgorithm", "HMAC_SHA_256"),
        (VerifyMac, json!({}), "kms:MacAlgorithm", "HMAC_SHA_256"),
        (DeriveSharedSecret, json!({}), "kms:KeyAgreementAlgorithm", "ECDH"),
        (EnableKeyRotation, json!({}), "kms:RotationPeriodInDays", "365"),
        (EnableKeyRotation, days(180), "kms:RotationPeriodInDays", "180"),
        (
            ScheduleKeyDeletion,
            json!({"PendingWindowInDays": 9}),
            "kms:ScheduleKeyDeletionPendingWindowInDays",
            "9",
        ),
        (ScheduleKeyDeletion, json!({}), "kms:TrailingDaysWithoutKeyUsage", "0"),
        (GetKeyPolicy, json!({}), "kms:PolicyName", "default"),
        (PutKeyPolicy, json!({}), "kms:PolicyName", "default"),
        (GetParametersForImport, json!({}), "kms:WrappingAlgorithm", "RSAES_OAEP_SHA_256"),
        (GetParametersForImport, json!({}), "kms:WrappingKeySpec", "RSA_2048"),
        (ImportKeyMaterial, until.clone(), "kms:ExpirationModel", "KEY_MATERIAL_EXPIRES"),
        (ImportKeyMaterial, until, "kms:ValidTo", "1767312000.000"),
        (ReplicateKey, json!({}), "aws:PrincipalType", "User"),
        (UpdatePrimaryRegion, json!({}), "kms:PrimaryRegion", "eu-west-1"),
        (ReEncrypt, json!({}), "kms:ReEncryptOnSameKey", "true"),
        (ReEncrypt, json!({}), "kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT"),
    ] {
        let (fits, other) = (json!(value), json!("something else"));
        for (value, expected) in [(&fits, true), (&other, false)] {
            let subject = Subject::of(&kms, operation).await;
            let alice = alice(&kms, &under("StringEquals", key, value));
            let allowed = is_allowed(&alice, operation, with(operation, &subject, &more)).await;
            assert_eq!(allowed, expected, "{operation} {more} {key} {value}");
        }
    }
}

#[tokio::test]
async fn what_keys_are_has_these_values() {
    let kms = TestKms::new().await;
    let key = kms
        .create_key_with(json!({"MultiRegion": true, "Tags": [{"TagKey": "Team", "TagValue": "core"}]}))
        .await;
    kms.create_alias("alias/k", &key).await;
    kms.ok(ReplicateKey, json!({"KeyId": key, "ReplicaRegion": "eu-west-1"})).await;
    for (there, name, condition, value) in [
        (&kms, key.as_str(), "kms:KeySpec", "SYMMETRIC_DEFAULT"),
        (&kms, &key, "kms:KeyUsage", "ENCRYPT_DECRYPT"),
        (&kms, &key, "kms:CustomerMasterKeyUsage", "ENCRYPT_DECRYPT"),
        (&kms, &key, "kms:KeyOrigin", "AWS_KMS"),
        (&kms, &key, "kms:MultiRegion", "true"),
        (&kms, &key, "kms:MultiRegionKeyType", "PRIMARY"),
        (&kms.in_region("eu-west-1"), &key, "kms:MultiRegionKeyType", "REPLICA"),
        (&kms.in_region("eu-west-1"), &key, "aws:RequestedRegion", "eu-west-1"),
        (&kms, &key, "aws:ResourceTag/team", "core"),
        (&kms, &key, "aws:ResourceAccount", "111122223333"),
        (&kms, &key, "kms:ResourceAliases", "alias/k"),
        (&kms, &key, "kms:CallerAccount", "111122223333"),
        (&kms, "alias/k", "kms:RequestAlias", "alias/k"),
        (&kms, &kms.alias_arn("alias/k"), "kms:RequestAlias", "alias/k"),
    ] {
        for (wanted, expected) in [(value, true), ("something else", false)] {
            let alice = alice(there, &under("StringEquals", condition, &json!(wanted)));
            let allowed = is_allowed(&alice, DescribeKey, json!({"KeyId": name})).await;
            assert_eq!(allowed, expected, "{name} {condition} {wanted}");
        }
    }
}

#[tokio::test]
async fn what_a_request_does_not_have_is_absent() {
    let kms = TestKms::new().await;
    for (operation, key) in [
        (CreateKey, "kms:BypassPolicyLockoutSafetyCheck"),
        (CreateKey, "kms:MultiRegionKeyType"),
        (CreateKey, "aws:TagKeys"),
        (Encrypt, "kms:EncryptionContextKeys"),
        (Encrypt, "kms:EncryptionContext:a"),
        (Encrypt, "kms:RequestAlias"),
        (Encrypt, "kms:MultiRegionKeyType"),
        (Encrypt, "kms:ViaService"),
        (Encrypt, "kms:GrantIsForAWSResource"),
        (Encrypt, "kms:ResourceAliases:x"),
        (Encrypt, "kms:TrailingDaysWithoutKeyUsage"),
        (Encrypt, "aws:TokenIssueTime"),
        (Encrypt, "aws:MultiFactorAuthPresent"),
        (Encrypt, "aws:MultiFactorAuthAge"),
        (Encrypt, "aws:SourceArn"),
        (Encrypt, "aws:SourceVpce"),
        (Encrypt, "aws:PrincipalOrgID"),
        (Encrypt, "aws:PrincipalServiceName"),
        (Encrypt, "aws:CalledVia"),
        (ListKeys, "kms:KeySpec"),
        (ListKeys, "kms:CallerAccount"),
        (ImportKeyMaterial, "kms:ValidTo"),
        (ScheduleKeyDeletion, "kms:ScheduleKeyDeletionPendingWindowInDays"),
        (CreateAlias, "kms:PolicyName"),
    ] {
        for (absent, expected) in [(true, true), (false, false)] {
            let subject = Subject::of(&kms, operation).await;
            let alice = alice(&kms, &under("Null", key, &json!(absent)));
            let allowed = is_allowed(&alice, operation, request(operation, &subject)).await;
            assert_eq!(allowed, expected, "{operation} {key} absent: {absent}");
        }
    }
}

#[tokio::test]
async fn the_aliases_of_a_key_are_not_for_its_policy_to_ask() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.create_alias("alias/k", &key).await;
    let mut statement = super::to(json!("*"), "Allow", "kms:DescribeKey");
    statement["Condition"] = json!({"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/k"}});
    kms.put_policy(&key, &json!([super::admin_alone(), statement])).await;
    // An identity policy that asks too does not make them known to the key policy.
    let alice = alice(&kms, &under("StringEquals", "kms:ResourceAliases", &json!("alias/k")));
    assert!(!is_allowed(&alice, DescribeKey, json!({"KeyId": key})).await);
}

#[tokio::test]
async fn days_without_use_count_from_the_last_use_or_from_the_creation() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let mut deny = super::to(json!("*"), "Deny", "kms:DisableKey");
    deny["Condition"] = json!({"NumericLessThanEquals": {"kms:TrailingDaysWithoutKeyUsage": 30}});
    kms.put_policy(&key, &json!([super::delegation(), deny])).await;
    let disable = || is_allowed(&kms, DisableKey, json!({"KeyId": key}));
    assert!(!disable().await, "created today");
    kms.clock.advance_days(40);
    assert!(disable().await, "created 40 days ago, never used");
    kms.enable(&key).await;
    kms.encrypt(&key, b"text").await;
    kms.clock.advance_days(3);
    assert!(!disable().await, "used 3 days ago");
    kms.clock.advance_days(28);
    assert!(disable().await, "used 31 days ago");
}

/// A session of a role that a service calls for, of an organization, with tags, a second factor and claims.
fn session(kms: &TestKms) -> Caller {
    let caller = Caller::clone(&kms.as_role_session("s1").caller);
    let organization = Arc::new(Organization { id: "o-1".to_owned(), paths: vec!["o-1/r-1/".to_owned()] });
    Caller {
        tags: Arc::new(BTreeMap::from([("Team".to_owned(), "core".to_owned())])),
        organization: Some(organization),
        session: Some(Arc::new(Session {
            issued: Timestamp::from_millis(1_767_225_600_000),
            mfa: Some(Timestamp::from_millis(trent_domain::time::Clock::now(&*kms.clock).millis() - 90_000)),
            source_identity: Some("alice".into()),
            provider: Some("arn:aws:iam::111122223333:oidc-provider/issuer.example".into()),
            claims: BTreeMap::from([("issuer.example:sub".to_owned(), "pod".to_owned())]),
        })),
        ..caller
    }
}

#[tokio::test]
async fn callers_have_these_values() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let of_session = kms.called_by(session(&kms));
    let forwarded = kms.called_by(Caller {
        via: Some(Via {
            service: "s3.eu-central-1.amazonaws.com".into(),
            source: Source {
                arn: Some("arn:aws:s3:::bucket".into()),
                account: kms.caller.account.into(),
                organization: None,
            },
        }),
        ..session(&kms)
    });
    let user = kms.as_user("alice");
    for (caller, condition, value) in [
        (&user, "aws:PrincipalArn", "arn:aws:iam::111122223333:user/alice"),
        (&user, "aws:PrincipalAccount", "111122223333"),
        (&user, "aws:PrincipalType", "User"),
        (&user, "aws:userid", "AIDATESTTESTTESTTESTT"),
        (&user, "aws:username", "alice"),
        (&user, "aws:PrincipalIsAWSService", "false"),
        (&user, "aws:ViaAWSService", "false"),
        (&of_session, "aws:PrincipalArn", "arn:aws:iam::111122223333:role/eng/app"),
        (&of_session, "aws:PrincipalType", "AssumedRole"),
        (&of_session, "aws:userid", "AROATESTTESTTESTTESTT:s1"),
        (&of_session, "aws:PrincipalTag/team", "core"),
        (&of_session, "aws:PrincipalOrgID", "o-1"),
        (&of_session, "aws:PrincipalOrgPaths", "o-1/r-1/"),
        (&of_session, "aws:ResourceOrgID", "o-1"),
        (&of_session, "aws:TokenIssueTime", "2026-01-01T00:00:00Z"),
        (&of_session, "aws:MultiFactorAuthPresent", "true"),
        (&of_session, "aws:MultiFactorAuthAge", "90"),
        (&of_session, "aws:SourceIdentity", "alice"),
        (&of_session, "aws:FederatedProvider", "arn:aws:iam::111122223333:oidc-provider/issuer.example"),
        (&of_session, "issuer.example:sub", "pod"),
        (&forwarded, "kms:ViaService", "s3.eu-central-1.amazonaws.com"),
        (&forwarded, "aws:ViaAWSService", "true"),
        (&forwarded, "aws:CalledVia", "s3.eu-central-1.amazonaws.com"),
        (&forwarded, "aws:CalledViaFirst", "s3.eu-central-1.amazonaws.com"),
        (&forwarded, "aws:SourceArn", "arn:aws:s3:::bucket"),
        (&forwarded, "aws:SourceAccount", "111122223333"),
    ] {
        for (wanted, expected) in [(value, true), ("something else", false)] {
            let caller = caller.with_identity_policy(&under("StringEquals", condition, &json!(wanted)));
            let allowed = is_allowed(&caller, DescribeKey, json!({"KeyId": key})).await;
            assert_eq!(allowed, expected, "{condition} {wanted}");
        }
    }
}

#[tokio::test]
async fn a_service_is_let_in_by_name_and_by_what_it_calls_for() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let mut statement = super::to(json!({"Service": "cloudtrail.amazonaws.com"}), "Allow", "kms:DescribeKey");
    statement["Condition"] = json!({
        "ArnEquals": {"aws:SourceArn": "arn:aws:cloudtrail:eu-central-1:111122223333:trail/fin"},
        "StringEquals": {"aws:PrincipalServiceName": "cloudtrail.amazonaws.com", "aws:PrincipalType": "AWSService"},
        "Bool": {"aws:PrincipalIsAWSService": true},
    });
    kms.put_policy(&key, &json!([super::admin_alone(), statement])).await;
    for (trail, expected) in [("fin", true), ("other", false)] {
        let arn = format!("arn:aws:cloudtrail:eu-central-1:111122223333:trail/{trail}");
        let source = Source { arn: Some(arn.into()), ..Source::default() };
        let service = Caller::service(kms.caller.account, "cloudtrail.amazonaws.com", source, "AKIASERVICE");
        let service = kms.called_by(service);
        assert_eq!(
            is_allowed(&service, DescribeKey, json!({"KeyId": kms.arn(&key)})).await,
            expected,
            "{trail}"
        );
    }
}

#[tokio::test]
async fn connections_have_these_values() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let endpoint = Endpoint {
        id: "vpce-1".to_owned(),
        network: "vpc-1".to_owned(),
        account: Some("111122223333".to_owned()),
        organization: Some("o-trent00001".to_owned()),
        policy: None,
    };
    let public = Connection {
        source: Some("10.1.2.3".parse().expect("an address")),
        tls: true,
        user_agent: Some("aws-cli/2"),
        referer: Some("https://example.com"),
        endpoint: None,
    };
    let private = Connection { endpoint: Some(&endpoint), tls: false, ..public };
    for (connection, operator, condition, value) in [
        (&public, "IpAddress", "aws:SourceIp", "10.0.0.0/8"),
        (&public, "Bool", "aws:SecureTransport", "true"),
        (&public, "StringLike", "aws:UserAgent", "aws-cli/*"),
        (&public, "StringEquals", "aws:Referer", "https://example.com"),
        (&public, "DateGreaterThan", "aws:CurrentTime", "2025-01-01T00:00:00Z"),
        (&public, "NumericGreaterThan", "aws:EpochTime", "1700000000"),
        (&public, "Null", "aws:SourceVpce", "true"),
        (&public, "Null", "aws:VpcSourceIp", "true"),
        (&private, "StringEquals", "aws:SourceVpce", "vpce-1"),
        (&private, "StringEquals", "aws:SourceVpc", "vpc-1"),
        (&private, "StringEquals", "aws:VpceAccount", "111122223333"),
        (&private, "IpAddress", "aws:VpcSourceIp", "10.1.2.3/32"),
        (&private, "Bool", "aws:SecureTransport", "false"),
        (&private, "Null", "aws:SourceIp", "true"),
    ] {
        let caller = alice(&kms, &under(operator, condition, &json!(value)));
        let call = Call {
            caller: Arc::clone(&caller.caller),
            standing: Arc::clone(&caller.standing),
            region: kms.region,
            request_id: kms.service.new_request_id(),
            connection: *connection,
        };
        let body = json!({"KeyId": key}).to_string();
        let event = trent_audit::Event::default();
        let answer = trent_server::dispatch(&kms.service, DescribeKey, body.as_bytes(), &call, &event).await;
        assert!(answer.is_ok(), "{condition} {value}: {answer:?}");
    }
}

#[tokio::test]
async fn a_variable_stands_for_the_callers_own_value() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let alice = alice(&kms, &under("StringEquals", "kms:EncryptionContext:user", &json!("${aws:username}")));
    for (user, expected) in [("alice", true), ("bob", false)] {
        let body = json!({"KeyId": key, "Plaintext": base64(b"text"), "EncryptionContext": {"user": user}});
        assert_eq!(is_allowed(&alice, Encrypt, body).await, expected, "{user}");
    }
}
