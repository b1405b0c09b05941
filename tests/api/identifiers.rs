//! How requests name keys: which forms an operation takes, and what it says to those that lead nowhere.

use serde_json::{Value, json};
use trent_protocol::Operation::{self, *};
use trent_testkit::{Subject, TestKms, request};

const UNKNOWN: &str = "12345678-90ab-cdef-1234-567890abcdef";

/// Operations and the members that name a key, as the API's reference lists them. True: aliases are accepted.
const NAMING: [(Operation, &str, bool); 46] = [
    (CancelKeyDeletion, "KeyId", false),
    (CreateGrant, "KeyId", false),
    (Decapsulate, "KeyId", true),
    (Decrypt, "KeyId", true),
    (DeleteImportedKeyMaterial, "KeyId", false),
    (DeriveSharedSecret, "KeyId", true),
    (DescribeKey, "KeyId", true),
    (DisableKey, "KeyId", false),
    (DisableKeyRotation, "KeyId", false),
    (EnableKey, "KeyId", false),
    (EnableKeyRotation, "KeyId", false),
    (Encapsulate, "KeyId", true),
    (Encrypt, "KeyId", true),
    (GenerateDataKey, "KeyId", true),
    (GenerateDataKeyPair, "KeyId", true),
    (GenerateDataKeyPairWithoutPlaintext, "KeyId", true),
    (GenerateDataKeyWithoutPlaintext, "KeyId", true),
    (GenerateMac, "KeyId", true),
    (GetKeyLastUsage, "KeyId", false),
    (GetKeyPolicy, "KeyId", false),
    (GetKeyRotationStatus, "KeyId", false),
    (GetParametersForImport, "KeyId", false),
    (GetPublicKey, "KeyId", true),
    (ImportKeyMaterial, "KeyId", false),
    (ListAliases, "KeyId", false),
    (ListGrants, "KeyId", false),
    (ListKeyPolicies, "KeyId", false),
    (ListKeyRotations, "KeyId", false),
    (ListResourceTags, "KeyId", false),
    (PutKeyPolicy, "KeyId", false),
    (ReEncrypt, "SourceKeyId", true),
    (ReEncrypt, "DestinationKeyId", true),
    (ReplicateKey, "KeyId", false),
    (RetireGrant, "KeyId", false),
    (RevokeGrant, "KeyId", false),
    (RotateKeyOnDemand, "KeyId", false),
    (ScheduleKeyDeletion, "KeyId", false),
    (Sign, "KeyId", true),
    (TagResource, "KeyId", false),
    (UntagResource, "KeyId", false),
    (UpdateKeyDescription, "KeyId", false),
    (UpdatePrimaryRegion, "KeyId", false),
    (Verify, "KeyId", true),
    (VerifyMac, "KeyId", true),
    // These two have an answer of their own to aliases.
    (CreateAlias, "TargetKeyId", false),
    (UpdateAlias, "TargetKeyId", false),
];

fn naming(operation: Operation, member: &str, name: &str, subject: &Subject) -> Value {
    let mut request = request(operation, subject);
    request[member] = json!(name);
    request
}

/// What every operation that names a key answers when the key is named so.
async fn answers(name: impl Fn(&TestKms) -> String, expected: impl Fn(&TestKms) -> String) {
    let kms = TestKms::new().await;
    let subject = Subject::new(&kms).await;
    for (operation, member, _) in NAMING {
        let request = naming(operation, member, &name(&kms), &subject);
        assert_eq!(kms.refused(operation, request).await, expected(&kms), "{operation}, {member}");
    }
}

#[tokio::test]
async fn what_is_neither_id_nor_arn_nor_alias_is_no_key_id() {
    let upper_mrk = format!("MRK-{}", "0".repeat(32));
    for name in [
        "fake-key-id",
        "key_id",
        "134f2428cec14b25a1ae9048164dba47",
        "mrk-fake-key-id",
        "mrk-134f2428-cec1-4b25-a1ae-9048164dba47",
        "134f2428-cec1-4b25-a1ae-9048164dba4",
        "134f2428-cec1-4b25-a1ae-9048164dba4g",
        "{134f2428-cec1-4b25-a1ae-9048164dba47}",
        "key/134f2428-cec1-4b25-a1ae-9048164dba47",
        " 134f2428-cec1-4b25-a1ae-9048164dba47",
        &upper_mrk,
    ] {
        answers(|_| name.to_owned(), |_| format!("NotFoundException: Invalid keyId '{name}'")).await;
    }
}

#[tokio::test]
async fn a_well_formed_id_that_does_not_exist_is_named_by_its_arn() {
    for id in [UNKNOWN, "mrk-1234567890abcdef1234567890abcdef"] {
        let expected = |kms: &TestKms| format!("NotFoundException: Key '{}' does not exist", kms.arn(id));
        answers(|_| id.to_owned(), expected).await;
        answers(|kms| kms.arn(id), expected).await;
    }
}

#[tokio::test]
async fn an_arn_of_another_region_is_answered_with_that_region_alone() {
    let arn = format!("arn:aws:kms:us-west-2:111122223333:key/{UNKNOWN}");
    answers(|_| arn.clone(), |_| "NotFoundException: Invalid arn us-west-2".to_owned()).await;
}

#[tokio::test]
async fn an_arn_that_is_not_one_of_kms_is_invalid() {
    for arn in [
        "arn:",
        "arn:aws:kms:eu-central-1:111122223333",
        "arn:aws:kms:eu-central-1:111122223333:key/fake-key-id",
        "arn:aws:kms:eu-central-1:111122223333:grant/1",
        "arn:aws:kms:eu-central-1::key/12345678-90ab-cdef-1234-567890abcdef",
        "arn:aws:kms:nowhere:111122223333:key/12345678-90ab-cdef-1234-567890abcdef",
        "arn:aws-cn:kms:eu-central-1:111122223333:key/12345678-90ab-cdef-1234-567890abcdef",
        "arn:aws:s3:eu-central-1:111122223333:key/12345678-90ab-cdef-1234-567890abcdef",
    ] {
        answers(|_| arn.to_owned(), |_| format!("InvalidArnException: Invalid arn {arn}")).await;
    }
}

#[tokio::test]
async fn a_key_is_found_in_its_own_region_alone() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let elsewhere = kms.in_region("us-west-2");
    let refused = elsewhere.refused(DescribeKey, json!({"KeyId": key})).await;
    assert_eq!(refused, format!("NotFoundException: Key '{}' does not exist", elsewhere.arn(&key)));
    let refused = elsewhere.refused(DescribeKey, json!({"KeyId": kms.arn(&key)})).await;
    assert_eq!(refused, "NotFoundException: Invalid arn eu-central-1");
}

#[tokio::test]
async fn aliases_are_accepted_where_the_reference_says_so() {
    for (operation, member, accepted) in NAMING {
        let kms = TestKms::new().await;
        let subject = Subject::of(&kms, operation).await;
        for alias in [subject.alias.clone(), kms.alias_arn(&subject.alias)] {
            let answer = kms.call(operation, naming(operation, member, &alias, &subject)).await;
            let expected = match operation {
                _ if accepted => None,
                CreateAlias | UpdateAlias => {
                    Some("ValidationException: Aliases must refer to keys. Not aliases".into())
                }
                _ if alias.starts_with("arn:") => {
                    Some("InvalidArnException: Key Aliases are not supported for this operation.".into())
                }
                _ => Some(format!("NotFoundException: Invalid keyId '{alias}'")),
            };
            assert_eq!(
                answer.err().as_ref().map(trent_testkit::told),
                expected,
                "{operation}, {member}: {alias}"
            );
        }
    }
}

#[tokio::test]
async fn an_alias_that_does_not_exist_is_not_found() {
    let kms = TestKms::new().await;
    let subject = Subject::new(&kms).await;
    let arn = kms.alias_arn("alias/does-not-exist");
    for (operation, member, _) in NAMING.iter().filter(|(_, _, accepted)| *accepted) {
        for name in ["alias/does-not-exist", &arn] {
            let refused = kms.refused(*operation, naming(*operation, member, name, &subject)).await;
            assert_eq!(
                refused,
                format!("NotFoundException: Alias {arn} is not found."),
                "{operation}, {member}"
            );
        }
    }
}

#[tokio::test]
async fn an_alias_arn_of_another_region_is_answered_with_that_region_alone() {
    let kms = TestKms::new().await;
    let subject = Subject::new(&kms).await;
    let arn = kms.in_region("us-west-2").alias_arn(&subject.alias);
    for (operation, member, _) in NAMING.iter().filter(|(_, _, accepted)| *accepted) {
        let refused = kms.refused(*operation, naming(*operation, member, &arn, &subject)).await;
        assert_eq!(refused, "NotFoundException: Invalid arn us-west-2", "{operation}, {member}");
    }
}

#[tokio::test]
async fn hexadecimal_digits_may_be_in_upper_case() {
    // AWS does not say; its own ids are in lower case, and so are all answers.
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    assert_eq!(kms.metadata(&key.to_uppercase()).await["KeyId"], key);
}

#[tokio::test]
async fn every_built_operation_that_names_a_key_is_in_the_table() {
    let named: Vec<_> = NAMING.iter().map(|(operation, ..)| *operation).collect();
    let kms = TestKms::new().await;
    let subject = Subject::new(&kms).await;
    for operation in Operation::ALL {
        let request = request(operation, &subject);
        let answer = kms.call(operation, request.clone()).await;
        let built =
            !answer.is_err_and(|error| trent_testkit::told(&error).contains("not supported by this version"));
        let names_a_key =
            ["KeyId", "TargetKeyId", "DestinationKeyId"].iter().any(|name| !request[*name].is_null());
        assert!(!(built && names_a_key) || named.contains(&operation), "{operation}");
    }
}
