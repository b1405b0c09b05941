//! Answers of the real service (and choices of this project) about bodies, one by one.

use trent_protocol::*;

/// The text of the one violation, without the fixed beginning.
fn violation(decoded: Result<(), DecodeError>) -> String {
    match decoded {
        Err(DecodeError::Validation(text)) => {
            text.strip_prefix("1 validation error detected: ").unwrap_or(&text).to_owned()
        }
        other => format!("{other:?}"),
    }
}

fn check<R: Request>(body: &str) -> Result<(), DecodeError> {
    R::decode(body.as_bytes()).map(drop)
}

fn base64_of_zeros(bytes: usize) -> String {
    assert_eq!(bytes % 3, 1, "padding is written out for this case only");
    "A".repeat(bytes / 3 * 4) + "AA=="
}

#[test]
fn malformed_bodies_are_serialization_errors() {
    let bad_base64 = r#"{"CiphertextBlob":"this-is-not-base64"}"#;
    assert_eq!(check::<DecryptRequest>(bad_base64), Err(DecodeError::Serialization));
    for body in [
        "{",
        " ",
        "[]",
        "null",
        "\"x\"",
        "7",
        r#"{"KeyId":"k"} x"#,
        r#"{"KeyId":"k"}{}"#,
        r#"{"KeyId":"k",}"#,
        r#"["k","aGk="]"#,
        "{\"KeyId\":\"\u{1}\"}",
        r#"{"KeyId":"\ud800"}"#,
        r#"{"Plaintext":"\ud800"}"#,
    ] {
        assert_eq!(check::<EncryptRequest>(body), Err(DecodeError::Serialization), "{body}");
    }
    let not_utf8 = b"{\"KeyId\":\"\xff\",\"Plaintext\":\"aGk=\"}";
    assert_eq!(EncryptRequest::decode(not_utf8).map(drop), Err(DecodeError::Serialization));
    let not_utf8_in_a_member_that_is_skipped = b"{\"Foo\":\"\xff\"}";
    let decoded = CreateKeyRequest::decode(not_utf8_in_a_member_that_is_skipped).map(drop);
    assert_eq!(decoded, Err(DecodeError::Serialization));
}

#[test]
fn deep_nesting_does_not_exhaust_the_stack() {
    for open in ["[", "{\"a\":"] {
        let body = format!("{{\"Foo\":{}", open.repeat(200_000));
        assert_eq!(check::<CreateKeyRequest>(&body), Err(DecodeError::Serialization));
    }
    let closed = format!("{{\"Foo\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(check::<CreateKeyRequest>(&closed), Ok(()));
}

#[test]
fn an_empty_body_is_an_empty_object() {
    assert_eq!(check::<ListKeysRequest>(""), Ok(()));
    assert!(violation(check::<DescribeKeyRequest>("")).starts_with("Value null at 'keyId'"));
}

#[test]
fn plaintext_has_1_to_4096_bytes() {
    let encrypt = |base64: &str| {
        violation(check::<EncryptRequest>(&format!(r#"{{"KeyId":"k","Plaintext":"{base64}"}}"#)))
    };
    assert_eq!(
        encrypt(""),
        "Value at 'plaintext' failed to satisfy constraint: Member must have length greater than or equal to 1"
    );
    assert_eq!(encrypt(&base64_of_zeros(4096)), "Ok(())");
    let longer = base64_of_zeros(4096).replace("AA==", "AAA=");
    assert_eq!(
        encrypt(&longer),
        "Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096"
    );
}

#[test]
fn single_violations_read_as_recorded() {
    let longer = |length| "x".repeat(length);
    let tag = |key: &str, value: &str| format!(r#"{{"Tags":[{{"TagKey":"{key}","TagValue":"{value}"}}]}}"#);
    for (decoded, expected) in [
        (
            check::<DecryptRequest>(r#"{"CiphertextBlob":""}"#),
            "Value at 'ciphertextBlob' failed to satisfy constraint: Member must have length greater than or equal to 1".into(),
        ),
        (
            check::<TagResourceRequest>(r#"{"KeyId":"k"}"#),
            "Value null at 'tags' failed to satisfy constraint: Member must not be null".into(),
        ),
        (
            check::<PutKeyPolicyRequest>(r#"{"KeyId":"k"}"#),
            "Value null at 'policy' failed to satisfy constraint: Member must not be null".into(),
        ),
        (
            check::<PutKeyPolicyRequest>(r#"{"KeyId":"k","Policy":"{}","PolicyName":"invalid-name"}"#),
            r"Value 'invalid-name' at 'policyName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w]+".into(),
        ),
        (
            check::<GenerateMacRequest>(r#"{"KeyId":"k","Message":"aGk=","MacAlgorithm":"INVALID"}"#),
            "Value 'INVALID' at 'macAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: [HMAC_SHA_224, HMAC_SHA_256, HMAC_SHA_384, HMAC_SHA_512]".into(),
        ),
        (
            check::<SignRequest>(r#"{"KeyId":"k","Message":"aGk=","MessageType":"INVALID","SigningAlgorithm":"ECDSA_SHA_256"}"#),
            "Value 'INVALID' at 'messageType' failed to satisfy constraint: Member must satisfy enum value set: [RAW, DIGEST, EXTERNAL_MU]".into(),
        ),
        (
            check::<CreateKeyRequest>(r#"{"KeySpec":"HMAC_256","KeyUsage":"RANDOM"}"#),
            "Value 'RANDOM' at 'keyUsage' failed to satisfy constraint: Member must satisfy enum value set: [SIGN_VERIFY, ENCRYPT_DECRYPT, GENERATE_VERIFY_MAC, KEY_AGREEMENT, ENCAPSULATE_DECAPSULATE]".into(),
        ),
        (
            check::<CreateKeyRequest>(&tag(&longer(129), "v")),
            format!("Value '{}' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have length less than or equal to 128", longer(129)),
        ),
        (
            check::<CreateKeyRequest>(&tag("k", &longer(257))),
            format!("Value '{}' at 'tags.1.member.tagValue' failed to satisfy constraint: Member must have length less than or equal to 256", longer(257)),
        ),
        (
            check::<TagResourceRequest>(r#"{"KeyId":"k","Tags":[{"TagKey":"a","TagValue":""},{"TagKey":"","TagValue":""}]}"#),
            "Value '' at 'tags.2.member.tagKey' failed to satisfy constraint: Member must have length greater than or equal to 1".into(),
        ),
        (
            check::<ScheduleKeyDeletionRequest>(r#"{"KeyId":"k","PendingWindowInDays":0}"#),
            "Value '0' at 'pendingWindowInDays' failed to satisfy constraint: Member must have value greater than or equal to 1".into(),
        ),
        (
            check::<ScheduleKeyDeletionRequest>(r#"{"KeyId":"k","PendingWindowInDays":366}"#),
            "Value '366' at 'pendingWindowInDays' failed to satisfy constraint: Member must have value less than or equal to 365".into(),
        ),
        (
            check::<GenerateDataKeyRequest>(r#"{"KeyId":"k","NumberOfBytes":1025}"#),
            "Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024".into(),
        ),
        (
            check::<GenerateRandomRequest>(r#"{"NumberOfBytes":0}"#),
            "Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal to 1".into(),
        ),
        (
            check::<GenerateRandomRequest>(r#"{"NumberOfBytes":1025}"#),
            "Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024".into(),
        ),
        (
            check::<EnableKeyRotationRequest>(r#"{"KeyId":"k","RotationPeriodInDays":89}"#),
            "Value '89' at 'rotationPeriodInDays' failed to satisfy constraint: Member must have value greater than or equal to 90".into(),
        ),
        (
            check::<EnableKeyRotationRequest>(r#"{"KeyId":"k","RotationPeriodInDays":2561}"#),
            "Value '2561' at 'rotationPeriodInDays' failed to satisfy constraint: Member must have value less than or equal to 2560".into(),
        ),
        (
            check::<CreateGrantRequest>(r#"{"KeyId":"k","Operations":["Decrypt"],"Constraints":{"SourceArn":"arn:aws:s3::123456789012:"}}"#),
            "Value 'arn:aws:s3::123456789012:' at 'constraints.sourceArn' failed to satisfy constraint: Member must satisfy regular expression pattern: ^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$".into(),
        ),
        (
            check::<UntagResourceRequest>(r#"{"KeyId":"k","TagKeys":["a",""]}"#),
            "Value '[a, ]' at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1]".into(),
        ),
        (
            check::<ListKeysRequest>(r#"{"ResourceOwners":["SELF","ME"]}"#),
            "Value '[SELF, ME]' at 'resourceOwners' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [SELF, OTHER_ACCOUNTS_VIA_RAM]]".into(),
        ),
        (
            check::<ListKeysRequest>(r#"{"ResourceOwners":[]}"#),
            "Value '[]' at 'resourceOwners' failed to satisfy constraint: Member must have length greater than or equal to 1".into(),
        ),
    ] {
        assert_eq!(violation(decoded), expected);
    }
}

#[test]
fn all_violations_are_reported_together_in_order_of_the_model() {
    assert_eq!(
        violation(check::<EncryptRequest>("{}")),
        "2 validation errors detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null; \
         Value null at 'plaintext' failed to satisfy constraint: Member must not be null"
    );
    assert_eq!(
        violation(check::<CreateAliasRequest>(r#"{"TargetKeyId":"k","AliasName":""}"#)),
        "2 validation errors detected: Value '' at 'aliasName' failed to satisfy constraint: Member must have length \
         greater than or equal to 1; Value '' at 'aliasName' failed to satisfy constraint: Member must satisfy \
         regular expression pattern: ^[a-zA-Z0-9:/_-]+$"
    );
}

#[test]
fn enum_errors_come_alone_and_leave_out_sm2() {
    for (body, path) in [
        (r#"{"KeySpec":"HMAC_random"}"#, "Value 'HMAC_random' at 'keySpec'"),
        (r#"{"KeySpec":"SM2","KeyUsage":"ENCRYPT_DECRYPT"}"#, "Value 'SM2' at 'keySpec'"),
        (r#"{"CustomerMasterKeySpec":"RSA_1024"}"#, "Value 'RSA_1024' at 'customerMasterKeySpec'"),
    ] {
        let text = violation(check::<CreateKeyRequest>(body));
        assert!(text.starts_with(path), "{text}");
        let (_, offered) = text.split_once("enum value set: [").unwrap();
        assert!(offered.contains("SYMMETRIC_DEFAULT") && !offered.contains("SM2"), "{text}");
    }
}

#[test]
fn requests_in_china_may_name_sm2_and_are_told_so() {
    let decode = |body: &str| CreateKeyRequest::decode_with(body.as_bytes(), Offer::AwsCn);
    let request = decode(r#"{"KeySpec":"SM2","KeyUsage":"KEY_AGREEMENT"}"#).unwrap();
    assert_eq!(request.key_spec, Some(KeySpec::Sm2));
    let Err(DecodeError::Validation(text)) = decode(r#"{"KeySpec":"SM3"}"#) else { panic!("SM3 is no spec") };
    let (_, offered) = text.split_once("enum value set: [").unwrap();
    assert!(offered.contains("RSA_2048") && offered.contains("SM2"), "{text}");
}

#[test]
fn unknown_members_and_nulls_do_not_matter() {
    assert_eq!(check::<CreateKeyRequest>(r#"{"Foo":{"a":[1,null,"x"]},"Policy":null}"#), Ok(()));
    assert_eq!(check::<EncryptRequest>(r#"{"keyid":1,"KeyId":"k","Plaintext":"aGk="}"#), Ok(()));
}

#[test]
fn the_last_of_repeated_members_counts() {
    let request = EncryptRequest::decode(
        br#"{"KeyId":"a","Plaintext":"aGk=","EncryptionContext":{"a":"1","a":"2"},"KeyId":"b","DryRun":true,"DryRun":null}"#,
    );
    let request = request.unwrap();
    assert_eq!((request.key_id.as_str(), request.dry_run), ("b", None));
    assert_eq!(request.encryption_context.unwrap()["a"], "2");
}

#[test]
fn an_encrypt_request_comes_out_as_it_went_in() {
    let request = EncryptRequest::decode(
        br#"{"Plaintext":"aGVsbG8=","EncryptionContext":{"purpose":"\u0074est","n":42},"GrantTokens":["t"],
            "KeyId":"alias\/x","EncryptionAlgorithm":"SYMMETRIC_DEFAULT","DryRun":false}"#,
    )
    .unwrap();
    assert_eq!(request.key_id, "alias/x");
    assert_eq!(request.plaintext.expose_secret(), b"hello");
    assert_eq!(request.encryption_algorithm, Some(EncryptionAlgorithm::SymmetricDefault));
    assert_eq!(request.grant_tokens.as_deref(), Some(&["t".to_owned()][..]));
    assert_eq!(request.dry_run, Some(false));
    let context: Vec<_> = request.encryption_context.into_iter().flatten().collect();
    assert_eq!(context, [("n".into(), "42".into()), ("purpose".into(), "test".into())]);
}

#[test]
fn secrets_of_requests_are_neither_printed_nor_echoed() {
    let body = r#"{"CustomKeyStoreId":"cks-1","KeyStorePassword":"hunter2","XksProxyAuthenticationCredential":
        {"AccessKeyId":"ABCDEFGHIJKLMNOPQRST","RawSecretAccessKey":"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq"}}"#;
    let request = UpdateCustomKeyStoreRequest::decode(body.as_bytes()).unwrap();
    assert_eq!(request.key_store_password.as_ref().unwrap().expose_secret(), "hunter2");
    let printed = format!("{request:?}");
    for secret in ["hunter2", "ABCDEF", "abcdef"] {
        assert!(!printed.contains(secret), "{printed}");
    }
    let short = r#"{"CustomKeyStoreId":"cks-1","KeyStorePassword":"hunter"}"#;
    assert_eq!(
        violation(check::<UpdateCustomKeyStoreRequest>(short)),
        "Value at 'keyStorePassword' failed to satisfy constraint: Member must have length greater than or equal to 7"
    );
}

#[test]
fn blobs_print_as_their_length() {
    let request = DecryptRequest::decode(br#"{"CiphertextBlob":"c2VjcmV0"}"#).unwrap();
    assert!(format!("{request:?}").contains("ciphertext_blob: Some(<6 bytes>)"), "{request:?}");
}

#[test]
fn a_policy_of_the_greatest_length_is_checked_quickly() {
    let started = std::time::Instant::now();
    let body = format!(r#"{{"KeyId":"k","Policy":"{}"}}"#, "p".repeat(131_072));
    assert_eq!(check::<PutKeyPolicyRequest>(&body), Ok(()));
    assert!(started.elapsed() < std::time::Duration::from_millis(500), "{:?}", started.elapsed());
    let beyond_latin = format!(r#"{{"KeyId":"k","Policy":"{}€"}}"#, "p".repeat(131_071));
    assert!(violation(check::<PutKeyPolicyRequest>(&beyond_latin)).contains("pattern: [\\u0009"));
}

#[test]
fn operations_are_found_by_their_target() {
    for operation in Operation::ALL {
        let target = format!("TrentService.{operation}");
        assert_eq!(Operation::from_target(&target), Some(operation));
    }
    for target in [
        "",
        "Encrypt",
        "TrentService.",
        "TrentService.NoSuchOp",
        "trentservice.Encrypt",
        "TrentService.encrypt",
    ] {
        assert_eq!(Operation::from_target(target), None, "{target}");
    }
}

#[test]
fn operations_know_their_modelled_errors() {
    assert!(Operation::RotateKeyOnDemand.errors().contains(&ErrorCode::Conflict));
    assert!(!Operation::Encrypt.errors().contains(&ErrorCode::Conflict));
    assert!(Operation::Verify.errors().contains(&ErrorCode::KmsInvalidSignature));
    assert_eq!(Operation::ListKeys.errors().len(), 3);
}

#[test]
fn stored_enumerations_know_sm2_and_requests_do_not() {
    assert_eq!(KeySpec::parse("SM2"), Some(KeySpec::Sm2));
    assert_eq!(KeySpec::from_wire("SM2", Offer::Everywhere), None);
    assert_eq!(KeySpec::from_wire("SM2", Offer::AwsCn), Some(KeySpec::Sm2));
    assert_eq!(KeySpec::from_wire("RSA_2048", Offer::Everywhere), Some(KeySpec::Rsa2048));
    assert_eq!(serde_json::from_str::<KeySpec>("\"SM2\"").unwrap(), KeySpec::Sm2);
    assert!(serde_json::from_str::<KeySpec>("\"RSA_1\"").is_err());
    assert_eq!(serde_json::to_string(&KeySpec::Rsa2048).unwrap(), "\"RSA_2048\"");
    let unoffered = [
        KeySpec::ALL.into_iter().filter(|value| !value.is_offered(Offer::Everywhere)).count(),
        CustomerMasterKeySpec::ALL.into_iter().filter(|value| !value.is_offered(Offer::Everywhere)).count(),
        DataKeyPairSpec::ALL.into_iter().filter(|value| !value.is_offered(Offer::Everywhere)).count(),
        WrappingKeySpec::ALL.into_iter().filter(|value| !value.is_offered(Offer::Everywhere)).count(),
        EncryptionAlgorithm::ALL.into_iter().filter(|value| !value.is_offered(Offer::Everywhere)).count(),
        SigningAlgorithm::ALL.into_iter().filter(|value| !value.is_offered(Offer::Everywhere)).count(),
        WrappingAlgorithm::ALL.into_iter().filter(|value| !value.is_offered(Offer::Everywhere)).count(),
    ];
    assert_eq!(unoffered, [1; 7]);
}
