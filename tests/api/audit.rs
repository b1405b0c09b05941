//! What is recorded of each operation, and what never is.
//!
//! The table is that of the CloudTrail chapters of the developer guide: which members of the request, which of the
//! answer, which resources.

use serde_json::{Map, Value, json};
use trent_audit::{Known, verify};
use trent_domain::operations::{Effect, rules};
use trent_domain::time::Clock;
use trent_protocol::Operation::{self, *};
use trent_testkit::{ACCOUNT, ImportParameters, REGION, Subject, TestKms, base64, request};

const KEY: &[&str] = &["key"];
const NONE: &[&str] = &[];

/// The recorded members of a request, those of an answer, and the resources, of each operation.
#[rustfmt::skip]
fn row(operation: Operation) -> (&'static [&'static str], &'static [&'static str], &'static [&'static str]) {
    const KEY_ID: &[&str] = &["keyId"];
    const STORE: &[&str] = &["customKeyStoreId"];
    match operation {
        CancelKeyDeletion | DisableKey | DisableKeyRotation | EnableKey | RotateKeyOnDemand => (KEY_ID, KEY_ID, KEY),
        EnableKeyRotation => (&["keyId", "rotationPeriodInDays"], KEY_ID, KEY),
        UpdateKeyDescription => (&["keyId", "description"], KEY_ID, KEY),
        CreateKey => (&["description", "tags", "keySpec", "keyUsage", "policy"], &["keyMetadata"], KEY),
        ReplicateKey => (&["keyId", "replicaRegion", "tags"],
            &["replicaKeyMetadata", "replicaPolicy", "replicaTags"], KEY),
        UpdatePrimaryRegion => (&["keyId", "primaryRegion"], NONE, KEY),
        ScheduleKeyDeletion => (&["keyId", "pendingWindowInDays"],
            &["keyId", "keyState", "deletionDate", "pendingWindowInDays"], KEY),
        PutKeyPolicy => (&["keyId", "policy", "policyName"], KEY_ID, KEY),
        TagResource => (&["keyId", "tags"], KEY_ID, KEY),
        UntagResource => (&["keyId", "tagKeys"], KEY_ID, KEY),
        CreateAlias | UpdateAlias => (&["aliasName", "targetKeyId"], NONE, &["key", "alias"]),
        DeleteAlias => (&["aliasName"], NONE, &["alias", "key"]),
        ImportKeyMaterial => (&["keyId", "expirationModel", "validTo"], &["keyId", "keyMaterialId"], KEY),
        DeleteImportedKeyMaterial => (KEY_ID, KEY_ID, KEY),
        GetParametersForImport => (&["keyId", "wrappingAlgorithm", "wrappingKeySpec"], NONE, KEY),
        Encrypt => (&["keyId", "encryptionAlgorithm", "encryptionContext"], NONE, KEY),
        Decrypt => (&["encryptionAlgorithm", "encryptionContext"], NONE, KEY),
        ReEncrypt => (&["destinationKeyId", "sourceEncryptionAlgorithm", "destinationEncryptionAlgorithm",
            "sourceEncryptionContext"], NONE, KEY),
        GenerateDataKey | GenerateDataKeyWithoutPlaintext => (&["keyId", "keySpec", "encryptionContext"], NONE, KEY),
        GenerateDataKeyPair | GenerateDataKeyPairWithoutPlaintext =>
            (&["keyId", "keyPairSpec", "encryptionContext"], NONE, KEY),
        GenerateMac | VerifyMac => (&["keyId", "macAlgorithm"], NONE, KEY),
        Sign | Verify => (&["keyId", "messageType", "signingAlgorithm"], NONE, KEY),
        DeriveSharedSecret => (&["keyId", "keyAgreementAlgorithm"], NONE, KEY),
        Encapsulate | Decapsulate => (&["keyId", "encapsulationAlgorithm"], NONE, KEY),
        GenerateRandom => (NONE, NONE, NONE),
        DescribeKey | GetKeyLastUsage | GetKeyRotationStatus | GetPublicKey => (KEY_ID, NONE, KEY),
        GetKeyPolicy => (&["keyId", "policyName"], NONE, KEY),
        ListGrants | ListKeyPolicies | ListKeyRotations | ListResourceTags => (&["keyId", "limit"], NONE, KEY),
        ListAliases | ListKeys => (&["limit"], NONE, NONE),
        ListRetirableGrants => (&["retiringPrincipal", "limit"], NONE, NONE),
        CreateGrant => (&["keyId", "operations", "granteePrincipal"], &["grantId"], KEY),
        RetireGrant | RevokeGrant => (&["keyId", "grantId"], KEY_ID, KEY),
        CreateCustomKeyStore => (&["customKeyStoreName", "customKeyStoreType", "xksProxyUriEndpoint",
            "xksProxyUriPath", "xksProxyConnectivity"], STORE, NONE),
        UpdateCustomKeyStore => (&["customKeyStoreId", "newCustomKeyStoreName"], NONE, NONE),
        ConnectCustomKeyStore | DeleteCustomKeyStore | DisconnectCustomKeyStore => (STORE, NONE, NONE),
        DescribeCustomKeyStores => (NONE, NONE, NONE),
    }
}

/// A request with more members than it needs, secrets among them: none of these may be recorded.
fn full(operation: Operation, subject: &Subject, kms: &TestKms) -> Value {
    let mut request = request(operation, subject);
    let more = match operation {
        CreateKey => json!({"Description": "d", "Tags": [{"TagKey": "k", "TagValue": "v"}],
            "KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT",
            "Policy": trent_policy::default_key_policy("aws", ACCOUNT)}),
        ReplicateKey => json!({"Tags": [{"TagKey": "k", "TagValue": "v"}]}),
        Encrypt
        | GenerateDataKey
        | GenerateDataKeyWithoutPlaintext
        | GenerateDataKeyPair
        | GenerateDataKeyPairWithoutPlaintext => json!({"EncryptionContext": {"Case": "kept"}}),
        Sign | Verify => json!({"MessageType": "RAW"}),
        EnableKeyRotation => json!({"RotationPeriodInDays": 100}),
        ScheduleKeyDeletion => json!({"PendingWindowInDays": 7}),
        PutKeyPolicy | GetKeyPolicy => json!({"PolicyName": "default"}),
        ListGrants | ListKeyPolicies | ListKeyRotations | ListResourceTags | ListAliases | ListKeys
        | ListRetirableGrants => json!({"Limit": 10}),
        ImportKeyMaterial => {
            json!({"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": kms.clock.now().plus_days(100).seconds()})
        }
        CreateCustomKeyStore => return crate::custom_key_stores::external("store"),
        UpdateCustomKeyStore => json!({"KeyStorePassword": "a password"}),
        _ => json!({}),
    };
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

fn small(name: &str) -> String {
    name[..1].to_ascii_lowercase() + &name[1..]
}

/// What is to be recorded of a request: the members of the row that it has, by their small names.
fn expected_parameters(operation: Operation, request: &Value) -> Value {
    let recorded = row(operation).0;
    let mut expected = Map::new();
    for (name, value) in request.as_object().unwrap() {
        if recorded.contains(&&*small(name)) {
            expected.insert(small(name), value.clone());
        }
    }
    for name in recorded.iter().filter(|name| name.to_ascii_lowercase().ends_with("encryptionalgorithm")) {
        expected.entry(*name).or_insert("SYMMETRIC_DEFAULT".into());
    }
    if let Some(tags) = expected.get_mut("tags") {
        let small = |tag: &Value| json!({"tagKey": tag["TagKey"], "tagValue": tag["TagValue"]});
        *tags = tags.as_array().unwrap().iter().map(small).collect();
    }
    if let Some(at) = expected.get_mut("validTo") {
        *at = long(at.as_i64().unwrap()).into();
    }
    if expected.is_empty() { Value::Null } else { expected.into() }
}

/// A time as it stands within requests.
fn long(seconds: i64) -> String {
    let at = jiff::Timestamp::from_second(seconds).unwrap().to_zoned(jiff::tz::TimeZone::UTC);
    at.strftime("%b %-d, %Y, %-I:%M:%S %p").to_string()
}

async fn prepare(kms: &TestKms, operation: Operation) -> (Subject, Value) {
    let subject = Subject::of(kms, operation).await;
    match operation {
        CancelKeyDeletion => kms.schedule_deletion(&subject.key).await,
        EnableKey => kms.disable(&subject.key).await,
        _ => {}
    }
    let mut request = full(operation, &subject, kms);
    if operation == ImportKeyMaterial {
        let key = kms.create_external_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
        let parameters = ImportParameters::of(kms, &key, "RSAES_OAEP_SHA_256", "RSA_2048").await;
        let valid_to = request["ValidTo"].take();
        request = parameters.request(&[7; 32]);
        request["ExpirationModel"] = "KEY_MATERIAL_EXPIRES".into();
        request["ValidTo"] = valid_to;
        return (Subject { key, ..subject }, request);
    }
    (subject, request)
}

#[tokio::test]
async fn every_operation_is_recorded_as_cloudtrail_does() {
    for operation in Operation::ALL {
        let kms = TestKms::audited().await;
        let (subject, request) = prepare(&kms, operation).await;
        let request_id = kms.service.new_request_id();
        let answer = kms.call_with_request_id(operation, request.to_string().as_bytes(), request_id).await;
        let records = kms.records();
        let mut of_call = records.iter().filter(|record| record["requestID"] == request_id.to_string());
        let record = of_call.next().unwrap_or_else(|| panic!("{operation} is not recorded"));
        assert!(of_call.next().is_none(), "{operation} is recorded once");

        let fixed = json!({
            "eventVersion": "1.11", "eventSource": "kms.amazonaws.com", "eventName": operation.name(),
            "awsRegion": REGION, "sourceIPAddress": "AWS Internal", "userAgent": "testkit",
            "readOnly": rules(operation).effect != Effect::Changes, "eventType": "AwsApiCall",
            "managementEvent": true, "eventCategory": "Management", "recipientAccountId": ACCOUNT,
        });
        for (name, value) in fixed.as_object().unwrap() {
            assert_eq!(&record[name], value, "{operation}: {name}");
        }
        let identity = json!({"type": "IAMUser", "principalId": kms.caller.unique_id, "arn": kms.caller.arn,
            "accountId": ACCOUNT, "accessKeyId": kms.caller.access_key_id, "userName": "admin"});
        assert_eq!(record["userIdentity"], identity, "{operation}");
        assert_eq!(record["requestParameters"], expected_parameters(operation, &request), "{operation}");

        let (_, elements, resources) = row(operation);
        match &answer {
            Ok(_) => {
                assert_eq!(record.get("errorCode"), None, "{operation}");
                let mut answered: Vec<_> =
                    record["responseElements"].as_object().into_iter().flat_map(Map::keys).collect();
                let mut elements = elements.to_vec();
                answered.sort();
                elements.sort_unstable();
                assert_eq!(answered, elements, "{operation}");
                if elements.contains(&"keyId") {
                    assert_eq!(record["responseElements"]["keyId"], kms.arn(&subject.key), "{operation}");
                }
                let named: Vec<_> = record["resources"].as_array().unwrap().iter().map(kind_of).collect();
                assert_eq!(named, resources, "{operation}");
            }
            Err(error) => {
                assert_eq!(record["errorCode"], error.code.name(), "{operation}");
                assert_eq!(record["errorMessage"].as_str(), error.message.as_deref(), "{operation}");
                assert!(record["responseElements"].is_null(), "{operation}");
            }
        }
        hides_secrets(&kms, &request, &answer.unwrap_or_default());
    }
}

fn kind_of(resource: &Value) -> &'static str {
    assert_eq!((&resource["type"], &resource["accountId"]), (&json!("AWS::KMS::Key"), &json!(ACCOUNT)));
    if resource["ARN"].as_str().unwrap().contains(":alias/") { "alias" } else { "key" }
}

/// Nothing of what requests and answers carry as blobs, tokens, passwords or policies read is in the files.
fn hides_secrets(kms: &TestKms, request: &Value, answer: &Value) {
    let text: String = trent_audit::list(&kms.audit_dir())
        .unwrap()
        .iter()
        .map(|file| std::fs::read_to_string(&file.path).unwrap())
        .collect();
    let secret = |name: &str| {
        [
            "Blob",
            "Plaintext",
            "Message",
            "Signature",
            "Mac",
            "Token",
            "Material",
            "Secret",
            "Password",
            "PublicKey",
        ]
        .iter()
        .any(|part| name.contains(part))
            && ![
                "KeyMaterialId",
                "CurrentKeyMaterialId",
                "MessageType",
                "MacAlgorithm",
                "SigningAlgorithm",
                "MacAlgorithms",
                "KeyMaterialState",
                "KeyMaterialDescription",
                "CurrentKeyMaterialId",
                "SourceKeyMaterialId",
                "DestinationKeyMaterialId",
                "IncludeKeyMaterial",
                "ImportToken0",
            ]
            .contains(&name)
    };
    let mut texts = Vec::new();
    collect(request, &secret, &mut texts);
    collect(answer, &secret, &mut texts);
    for found in texts.into_iter().filter(|found| found.len() > 4) {
        assert!(!text.contains(&found), "{found} is recorded");
    }
}

fn collect(value: &Value, secret: &impl Fn(&str) -> bool, texts: &mut Vec<String>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::String(text) if secret(name) => texts.push(text.clone()),
            other => collect(other, secret, texts),
        }
    }
}

async fn last_of(kms: &TestKms, operation: Operation, request: Value) -> Value {
    let _ = kms.call(operation, request).await;
    kms.records().pop().unwrap()
}

#[tokio::test]
async fn refusals_are_recorded_with_what_was_found() {
    let kms = TestKms::audited().await;
    let key = kms.create_key().await;
    let encrypt = json!({"KeyId": key, "Plaintext": base64(b"message")});

    let denied = last_of(&kms.as_user("nobody"), Encrypt, encrypt.clone()).await;
    assert_eq!(denied["errorCode"], "AccessDenied");
    assert!(denied["errorMessage"].as_str().unwrap().contains("not authorized"));
    assert_eq!(denied["userIdentity"]["userName"], "nobody");
    assert!(denied["responseElements"].is_null());

    let dry =
        last_of(&kms, Encrypt, json!({"KeyId": key, "Plaintext": base64(b"message"), "DryRun": true})).await;
    assert_eq!(dry["errorCode"], "DryRunOperationException");
    assert_eq!(dry["requestParameters"]["dryRun"], true);
    assert_eq!(dry["resources"][0]["ARN"], kms.arn(&key));

    kms.disable(&key).await;
    let disabled = last_of(&kms, Encrypt, encrypt).await;
    assert_eq!(
        (&disabled["errorCode"], &disabled["resources"][0]["ARN"]),
        (&json!("DisabledException"), &json!(kms.arn(&key)))
    );

    let unread = kms.call_bytes(Encrypt, b"{").await;
    assert!(unread.is_err());
    let unread = kms.records().pop().unwrap();
    assert_eq!(
        (&unread["errorCode"], &unread["requestParameters"]),
        (&json!("SerializationException"), &Value::Null)
    );
}

#[tokio::test]
async fn messages_of_violations_do_not_repeat_values() {
    let kms = TestKms::audited().await;
    let token = "secret-token-".repeat(1000);
    let request = json!({"KeyId": "", "Plaintext": base64(b"x"), "GrantTokens": [token]});
    let record = last_of(&kms, Encrypt, request).await;
    assert_eq!(record["errorCode"], "ValidationException");
    let message = record["errorMessage"].as_str().unwrap();
    assert!(message.starts_with("Invalid members: ") && message.contains("keyId"), "{message}");
    assert!(!message.contains("secret-token"), "{message}");
}

#[tokio::test]
async fn the_id_of_a_use_is_that_of_its_record() {
    let kms = TestKms::audited().await;
    let key = kms.create_key().await;
    kms.encrypt(&key, b"message").await;
    let record = kms.records().pop().unwrap();
    assert_eq!(record["eventName"], "Encrypt");
    assert!(record["additionalEventData"]["keyMaterialId"].as_str().unwrap().len() == 64);
    let usage = kms.ok(GetKeyLastUsage, json!({"KeyId": key})).await;
    let told = usage.to_string();
    assert!(told.contains(record["eventID"].as_str().unwrap()), "{told}");
}

#[tokio::test]
async fn what_the_service_does_by_itself_is_recorded() {
    let kms = TestKms::audited().await;
    let key = kms.create_key().await;
    kms.ok(EnableKeyRotation, json!({"KeyId": key, "RotationPeriodInDays": 100})).await;
    kms.clock.advance_days(101);
    kms.run_jobs().await;
    let rotated = kms.records().pop().unwrap();
    assert_eq!(
        (&rotated["eventName"], &rotated["eventType"]),
        (&json!("RotateKey"), &json!("AwsServiceEvent"))
    );
    let details = &rotated["serviceEventDetails"];
    assert_eq!(
        (&details["keyId"], &details["rotationType"], &details["keyOrigin"]),
        (&json!(key), &json!("AUTOMATIC"), &json!("AWS_KMS"))
    );
    assert_ne!(details["previousKeyMaterialId"], details["currentKeyMaterialId"]);
    assert_eq!(rotated["userIdentity"], json!({"accountId": ACCOUNT, "invokedBy": "AWS Internal"}));
    assert_eq!(
        (&rotated["sourceIPAddress"], &rotated["userAgent"]),
        (&json!("AWS Internal"), &json!("AWS Internal"))
    );
    assert!(rotated["requestParameters"].is_null() && rotated["readOnly"] == false);

    kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
    let [.., call, rotated] = &kms.records()[..] else { panic!("two records") };
    assert_eq!(
        (&call["eventName"], &rotated["eventName"]),
        (&json!("RotateKeyOnDemand"), &json!("RotateKey"))
    );
    assert_eq!(rotated["serviceEventDetails"]["rotationType"], "ON_DEMAND");

    kms.schedule_deletion(&key).await;
    kms.clock.advance_days(8);
    kms.run_jobs().await;
    let deleted = kms.records().pop().unwrap();
    assert_eq!(
        (&deleted["eventName"], &deleted["resources"][0]["ARN"]),
        (&json!("DeleteKey"), &json!(kms.arn(&key)))
    );
}

#[tokio::test]
async fn replicas_are_recorded_in_both_regions() {
    let kms = TestKms::audited().await;
    let key = kms.create_key_with(json!({"MultiRegion": true})).await;
    kms.ok(ReplicateKey, json!({"KeyId": key, "ReplicaRegion": "eu-west-1"})).await;
    let records = kms.records();
    let [.., replicate, create, synchronize] = &records[..] else { panic!("three records") };
    assert_eq!((&replicate["eventName"], &replicate["awsRegion"]), (&json!("ReplicateKey"), &json!(REGION)));
    assert_eq!((&create["eventName"], &create["awsRegion"]), (&json!("CreateKey"), &json!("eu-west-1")));
    assert_eq!(synchronize["eventName"], "SynchronizeMultiRegionKey");
    assert_eq!(synchronize["resources"][0]["ARN"], kms.arn(&key));
}

#[tokio::test]
async fn what_operators_do_is_recorded_without_secrets() {
    use trent_service::admin::{Command, Reply};
    let kms = TestKms::audited().await;
    let account = ACCOUNT.parse().unwrap();
    let command = Command::AddAccessKey { account, user: Some("admin".to_owned()) };
    let Reply::NewAccessKey { secret, .. } = kms.service.administer(command).await else {
        panic!("an access key")
    };
    let record = kms.records().pop().unwrap();
    assert_eq!(
        (&record["eventSource"], &record["eventName"]),
        (&json!("trent.admin"), &json!("AddAccessKey"))
    );
    assert_eq!(record["requestParameters"], json!({"account": ACCOUNT, "user": "admin"}));
    assert!(!record.to_string().contains(secret.expose()));
    let unknown = Command::DisableAccessKey { id: "AKIANOSUCHKEY0000000".to_owned() };
    assert!(matches!(kms.service.administer(unknown).await, Reply::Refused { .. }));
    assert_eq!(kms.records().pop().unwrap()["errorCode"], "Refused");
}

#[tokio::test]
async fn the_trail_of_all_this_is_verified() {
    let kms = TestKms::audited().await;
    let key = kms.create_key().await;
    for _ in 0..20 {
        kms.encrypt(&key, b"message").await;
    }
    kms.service.close_trail().await.unwrap();
    let report = verify(&kms.audit_dir(), &Known::default()).unwrap();
    assert_eq!((report.faults, report.records, report.unsigned), (vec![], 23, 0));
}
