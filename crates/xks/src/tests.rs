//! Rules of the wire: vectors of the specification, limits, names, and that nothing of a body gets into an error.

use proptest::prelude::*;
use trent_crypto::SystemRandom;

use crate::integrity::{Sealed, associated_data, value};
use crate::request::{Decrypt, Encrypt, Plain, RequestMetadata};
use crate::response::{Encrypted, Health, KeyMetadata};
use crate::{
    AccessKeyId, Api, ConfigurationError, Credential, ErrorBody, ErrorName, ExternalKeyId,
    ProxyConfiguration, Route, SecretAccessKey, UriPath,
};

const METADATA: &str = r#""requestMetadata":{"awsPrincipalArn":"arn:aws:iam::123456789012:user/Alice",
    "kmsKeyArn":"arn:aws:kms:us-east-2:123456789012:/key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "kmsOperation":"FutureOperation","kmsRequestId":"4112f4d6-db54-4af4-ae30-c55a22a8dfae","somethingNew":[1]}"#;

fn body(members: &str) -> Vec<u8> {
    format!("{{{METADATA},\"new\":{{}}{members}}}").into_bytes()
}

#[test]
fn the_integrity_value_is_that_of_the_specification() {
    let response = br#"{"ciphertext":"ghxkK1txeDNn3q8Y","initializationVector":"HMrlRw85cAJUd5Ax",
        "authenticationTag":"vBxN2ncH1oEkR8WVXpmyYQ==","ciphertextMetadata":"a2V5X3ZlcnNpb249MQ==",
        "ciphertextDataIntegrityValue":"qHA/ImC9h5HsLRXqCyPmWgYx7tzyoTplzILbP0fPXsc="}"#;
    let aad = b"project=nile,department=marketing".as_slice();
    let encrypted = Encrypted::read(response).unwrap();
    assert_eq!(encrypted.metadata.as_deref(), Some(b"key_version=1".as_slice()));
    assert_eq!(encrypted.integrity, Some(encrypted.integrity_value(Some(aad))));
    assert_ne!(encrypted.integrity, Some(encrypted.integrity_value(None)));
    let sealed = Sealed { aad: b"", metadata: b"", iv: b"", ciphertext: b"", tag: b"" };
    assert_eq!(value(&sealed)[..4], [0xe3, 0xb0, 0xc4, 0x42]);
}

#[test]
fn both_parts_of_the_associated_data_have_their_length() {
    let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let both = associated_data(b"project=nile,department=marketing", b"key_version=1").unwrap();
    assert_eq!(
        hex(both),
        "002170726f6a6563743d6e696c652c6465706172746d656e743d6d61726b6574696e670d6b65795f76657273696f6e3d31"
    );
    assert_eq!(associated_data(b"", b"").unwrap(), [0, 0, 0]);
    assert!(associated_data(&[0; 8192], &[0; 20]).is_some());
    assert!(associated_data(&[0; 8193], b"").is_none() && associated_data(b"", &[0; 21]).is_none());
}

#[test]
fn paths_are_taken_apart_as_they_are() {
    let route = Route::parse("/a/b/kms/xks/v1/keys/.x-_9/encrypt").unwrap();
    assert_eq!((route.store, route.api), ("/a/b/kms/xks/v1", Api::Encrypt));
    assert_eq!(route.key.as_ref().map(ExternalKeyId::as_str), Some(".x-_9"));
    let health = Route::parse("/kms/xks/v1/health").unwrap();
    assert_eq!((health.store, health.api, health.key), ("/kms/xks/v1", Api::Health, None));
    // The id of a key may be any word of the API.
    assert_eq!(Route::parse("/p/keys/metadata/metadata").unwrap().store, "/p");
    let longest = format!("/p/keys/{}/decrypt", "k".repeat(128));
    assert!(Route::parse(&longest).is_some() && Route::parse(&longest.replace("/k", "/kk")).is_none());
    for other in [
        "",
        "/",
        "/ping",
        "health",
        "/p/keys/../encrypt",
        "/p/keys/./encrypt",
        "/p/keys//encrypt",
        "/p/keys/a%2e/encrypt",
        "/p/keys/a/b/encrypt",
        "/p/keys/a/encrypt/",
        "/p/keys/a/sign",
        "/p/key/a/encrypt",
    ] {
        let route = Route::parse(other);
        assert!(route.is_none(), "{other}: {route:?}");
    }
}

#[test]
fn names_have_the_form_of_the_api() {
    for good in ["/kms/xks/v1", "/a/kms/xks/v1", "/a_b-C/9/kms/xks/v1"] {
        assert_eq!(good.parse::<UriPath>().unwrap().as_str(), good);
    }
    let long = format!("/{}/kms/xks/v1", "a".repeat(117));
    for bad in [
        "",
        "/kms/xks/v2",
        "/kms/xks/v1/",
        "kms/xks/v1",
        "//kms/xks/v",
        "/a b/kms/xks/v1",
        "a/kms/xks/v1",
        "/a.b/kms/xks/v1",
        &long,
    ] {
        assert!(bad.parse::<UriPath>().is_err(), "{bad}");
    }
    assert!("BETWEEN2TENAND3TENCHARACTERS".parse::<AccessKeyId>().is_ok());
    for bad in ["ABCDE12345670EXAMPLE", "ABCDEFGHIJKLMNOPQRS", &"A".repeat(31), "abcdefghijklmnopqrstu"] {
        assert!(bad.parse::<AccessKeyId>().is_err(), "{bad}");
    }
    for (length, good) in [(42, false), (43, true), (64, true), (65, false)] {
        assert_eq!(SecretAccessKey::new(vec![b'='; length].into()).is_ok(), good, "{length}");
    }
}

#[test]
fn fresh_credentials_have_that_form() {
    let credential = Credential::generate(&SystemRandom::new()).unwrap();
    assert!(credential.access_key_id.as_str().parse::<AccessKeyId>().is_ok());
    assert_eq!(credential.secret.expose().len(), 44);
    assert!(!format!("{credential:?}").contains(std::str::from_utf8(credential.secret.expose()).unwrap()));
}

#[test]
fn a_request_is_read_with_all_that_is_new() {
    let request = Encrypt::parse(&body(r#","plaintext":"aGk=","encryptionAlgorithm":"AES_GCM""#)).unwrap();
    assert_eq!(request.plaintext.expose(), b"hi");
    assert_eq!((request.aad, request.with_integrity), (None, false));
    assert_eq!(request.metadata.kms_operation, "FutureOperation");
    // Slashes may be escaped.
    let escaped = body(r#","plaintext":"\/\/\/\/","encryptionAlgorithm":"AES_GCM""#);
    assert_eq!(Encrypt::parse(&escaped).unwrap().plaintext.expose(), &[0xff; 3]);
    let plain = Plain::parse(&body(""), Api::Metadata).unwrap();
    assert!(plain.kms_key_arn.is_some());
}

#[test]
fn what_is_missing_or_wrong_is_named_and_not_repeated() {
    const GOOD: &str = r#","plaintext":"aGk=","encryptionAlgorithm":"AES_GCM""#;
    for (from, to, told) in [
        (r#","plaintext":"aGk=""#, "", "`plaintext` is missing"),
        ("aGk=", "-_-_", "`plaintext` is not Base64"),
        ("aGk=", "aGk", "`plaintext` is not Base64"),
        (r#""aGk=""#, "4711", "of another type"),
        (r#""aGk=""#, r#""aGk=","plaintext":"4711""#, "there twice"),
        ("AES_GCM", "4711", "`encryptionAlgorithm` is not `AES_GCM`"),
        ("AES_GCM", r#"AES_GCM","ciphertextDataIntegrityValueAlgorithm":"4711"#, "is not `SHA_256`"),
        ("awsPrincipalArn", "other", "`awsPrincipalArn` is missing"),
        ("kmsKeyArn", "other", "`kmsKeyArn` is missing"),
        ("FutureOperation", "", "`kmsOperation` is empty"),
        ("kmsRequestId", "other", "`kmsRequestId` is missing"),
        ("requestMetadata", "other", "`requestMetadata` is missing"),
    ] {
        let text = String::from_utf8(body(GOOD)).unwrap().replacen(from, to, 1);
        let refused = Encrypt::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(refused.contains(told) && !refused.contains("4711"), "{to}: {refused}");
    }
    for other in
        ["", "[]", "{", "null", r#"["x"]"#, r#"{"requestMetadata":["a","b","c","d","e","f","g"]}"#, "{} x"]
    {
        assert!(Plain::parse(other.as_bytes(), Api::Health).is_err(), "{other}");
    }
}

#[test]
fn lengths_of_a_ciphertext_are_checked() {
    let good = r#","ciphertext":"aGk=","encryptionAlgorithm":"AES_GCM","initializationVector":"AAAAAAAAAAAAAAAA",
        "authenticationTag":"AAAAAAAAAAAAAAAAAAAAAA==","ciphertextMetadata":"AAAA""#;
    let decrypt = Decrypt::parse(&body(good)).unwrap();
    assert_eq!((decrypt.iv.len(), decrypt.tag.len()), (12, 16));
    for (from, to) in [
        ("AAAAAAAAAAAAAAAA\"", "AAAAAAAAAAAAAAAAAA==\""),
        ("AAAAAAAAAAAAAAAAAAAAAA==", "AAAAAAAAAAAAAAAA"),
        ("\"AAAA\"", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAA\""),
    ] {
        let text = String::from_utf8(body(good)).unwrap();
        assert!(text.contains(from));
        assert!(Decrypt::parse(text.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
    }
}

#[test]
fn responses_are_read_as_strictly_as_kms_does() {
    let health = r#"{"xksProxyFleetSize":1,"xksProxyVendor":"a","xksProxyModel":"b","ekmVendor":"c","ekmFleetDetails":
        [{"id":"1","model":"m","healthStatus":"UNAVAILABLE"},{"id":"2","model":"m","healthStatus":"DEGRADED"}]}"#;
    assert!(Health::parse(health.as_bytes()).unwrap().is_serving());
    assert!(!Health::parse(health.replace("DEGRADED", "UNAVAILABLE").as_bytes()).unwrap().is_serving());
    let entry = r#"{"id":"1","model":"m","healthStatus":"ACTIVE"},"#;
    for (from, to) in [
        ("Size\":1", "Size\":0"),
        ("Size\":1", "Size\":\"1\""),
        ("Size\":1", "Size\":1.5"),
        ("DEGRADED", "FINE"),
        ("\"ekmVendor\":\"c\",", ""),
        ("[{", &format!("[{}{{", entry.repeat(9))),
    ] {
        assert!(Health::parse(health.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
    }
    let metadata = r#"{"keySpec":"AES_256","keyUsage":["WRAP","DECRYPT","ENCRYPT"],"keyStatus":"ENABLED"}"#;
    let key = KeyMetadata::parse(metadata.as_bytes()).unwrap();
    assert!(key.is_aes_256() && key.is_enabled() && key.encrypts_and_decrypts());
    assert!(!KeyMetadata::parse(metadata.replace("ENABLED", "FINE").as_bytes()).unwrap().is_enabled());
    let many = metadata.replace("\"WRAP\"", &["\"WRAP\""; 9].join(","));
    assert!(KeyMetadata::parse(many.as_bytes()).is_err());
}

#[test]
fn errors_have_names_and_printable_messages() {
    let message = Some(format!("caf\u{e9}\n{}", "x".repeat(600)));
    let body = ErrorBody { name: ErrorName::KeyNotFoundException, message }.to_json();
    let read = ErrorBody::parse(&body, Api::Encrypt).unwrap();
    let message = read.message.unwrap();
    assert!(message.len() == 511 && message.starts_with("caf??x"), "{message}");
    assert!(ErrorBody::parse(&body, Api::Health).is_err());
    for other in [r#"{"errorName":"NewException"}"#, "{}", "<html>", r#"{"errorName":1}"#] {
        assert!(ErrorBody::parse(other.as_bytes(), Api::Encrypt).is_err(), "{other}");
    }
    for name in ErrorName::ALL {
        assert_eq!(ErrorName::from_name(name.as_str()), Some(name));
    }
}

const FILE: &str = r#"{"XksProxyUriPath":"/example-prefix/kms/xks/v1","XksProxyAuthenticationCredential":
    {"AccessKeyId":"ABCDE2345672345EXAMPLE","RawSecretAccessKey":"Z7EXAMPLEFA5FT0mCc3DrGUe2sti527BitkQ0Zr9MO9+vE="}}"#;

#[test]
fn the_configuration_file_is_read_and_written() {
    let read = ProxyConfiguration::parse(FILE.as_bytes()).unwrap();
    let again = ProxyConfiguration::parse(read.to_json().expose()).unwrap();
    assert_eq!(again.uri_path.as_str(), "/example-prefix/kms/xks/v1");
    assert_eq!(again.credential.access_key_id.as_str(), "ABCDE2345672345EXAMPLE");
    assert_eq!(again.credential.secret.expose(), b"Z7EXAMPLEFA5FT0mCc3DrGUe2sti527BitkQ0Zr9MO9+vE=");
}

#[test]
fn what_is_no_configuration_file_is_refused_without_its_secret() {
    for (from, to) in [
        ("{\"XksProxyUriPath\"", "{\"Other\":1,\"XksProxyUriPath\""),
        ("\"AccessKeyId\"", "\"Other\":1,\"AccessKeyId\""),
        ("\"AccessKeyId\"", "\"AccessKeyId\":\"A\",\"AccessKeyId\""),
        ("ABCDE2345672345EXAMPLE", "ABCDE12345670EXAMPLE"),
        ("Z7EX", "!7EX"),
        ("\"RawSecretAccessKey\"", "\"RawSecret\""),
        ("/v1", "/v1/"),
    ] {
        let refused = ProxyConfiguration::parse(FILE.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("EXAMPLEFA5"), "{refused}");
    }
    let other = ProxyConfiguration::parse(FILE.replace("/v1", "/v2").as_bytes()).unwrap_err();
    assert_eq!(other, ConfigurationError::UnknownVersion);
    let long = format!("{FILE}{}", " ".repeat(4096));
    assert_eq!(ProxyConfiguration::parse(long.as_bytes()).unwrap_err(), ConfigurationError::TooLarge);
}

proptest! {
    #[test]
    fn what_is_written_is_read(plaintext: Vec<u8>, aad: Option<Vec<u8>>, with_integrity: bool, principal in ".{1,60}") {
        let metadata = RequestMetadata {
            aws_principal_arn: Some(principal),
            kms_key_arn: Some("arn".to_owned()),
            kms_operation: "Encrypt".to_owned(),
            kms_request_id: "id".to_owned(),
            ..RequestMetadata::default()
        };
        let request = Encrypt { metadata, plaintext: plaintext.into(), aad, with_integrity };
        let read = Encrypt::parse(&request.to_json()).unwrap();
        prop_assert_eq!(&read.metadata, &request.metadata);
        prop_assert_eq!(read.plaintext.expose(), request.plaintext.expose());
        prop_assert_eq!((read.aad, read.with_integrity), (request.aad, request.with_integrity));
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_panic(bytes: Vec<u8>) {
        let _ = (Encrypt::parse(&bytes), Decrypt::parse(&bytes), Health::parse(&bytes), Encrypted::read(&bytes));
        let _ = ProxyConfiguration::parse(&bytes);
    }
}
