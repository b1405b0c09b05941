//! Keys in external key stores at work: encrypted twice, with the proxy asked once, last, and on behalf of the caller.

use serde_json::{Value, json};
use trent_crypto::ciphertext::double::Double;
use trent_domain::key_store::ProxyFailure;
use trent_protocol::Operation::{
    self, Decrypt, DescribeKey, Encrypt, GenerateDataKey, GenerateDataKeyPair,
    GenerateDataKeyPairWithoutPlaintext, GenerateDataKeyWithoutPlaintext, ReEncrypt, UpdateCustomKeyStore,
};
use trent_testkit::{Asked, TestKms, base64, bytes};

use super::{code, connected, with};

const DRY: &str = "DryRunOperationException: The request would have succeeded, but the DryRun option is set.";

/// A service, and a key in a connected store of it.
async fn with_key() -> (TestKms, String) {
    let kms = TestKms::new().await;
    let store = connected(&kms, "one").await;
    let key = kms.create_key_in(&store, "foo").await;
    kms.proxies.take_asked();
    (kms, key)
}

fn only(asked: Vec<Asked>) -> Asked {
    let [asked] = <[_; 1]>::try_from(asked).expect("one request");
    asked
}

async fn encrypt(kms: &TestKms, key: &str, members: Value) -> Value {
    let request = with(json!({"KeyId": key, "Plaintext": base64(b"text")}), members);
    kms.ok(Encrypt, request).await["CiphertextBlob"].take()
}

#[tokio::test]
async fn what_is_encrypted_is_encrypted_twice_and_decrypts() {
    let (kms, key) = with_key().await;
    let context = json!({"EncryptionContext": {"project": "nile"}});
    let request = with(json!({"KeyId": key, "Plaintext": base64(&[7; 4096])}), context.clone());
    let answer = kms.ok(Encrypt, request).await;
    assert_eq!(
        (&answer["KeyId"], &answer["EncryptionAlgorithm"]),
        (&json!(kms.arn(&key)), &json!("SYMMETRIC_DEFAULT"))
    );
    let asked = only(kms.proxies.take_asked());
    assert_eq!((asked.api, asked.operation), ("encrypt", "Encrypt"));
    assert_eq!(asked.principal.as_deref(), Some(&*kms.caller.arn));
    assert_eq!(asked.key_arn, Some(kms.arn(&key)));
    assert_eq!(asked.external_key.as_deref(), Some("foo"));
    assert!(asked.text.len() <= 4300, "{}", asked.text.len());
    assert!(!asked.text.windows(16).any(|window| window == [7; 16]), "the proxy sees no plaintext");
    let blob = answer["CiphertextBlob"].clone();
    let read = bytes(&blob);
    assert!(read.len() <= 6144);
    assert_eq!(Double::read(&read).unwrap().outer.metadata, Some(&b"v1"[..]));
    let decrypted = kms.ok(Decrypt, with(json!({"CiphertextBlob": blob}), context)).await;
    assert_eq!(bytes(&decrypted["Plaintext"]), [7; 4096]);
    assert_eq!((&decrypted["KeyId"], &decrypted["KeyMaterialId"]), (&json!(kms.arn(&key)), &Value::Null));
    let asked = only(kms.proxies.take_asked());
    assert_eq!((asked.api, asked.operation, asked.key_arn), ("decrypt", "Decrypt", Some(kms.arn(&key))));
}

#[tokio::test]
async fn the_proxy_gets_the_id_of_the_request() {
    let (kms, key) = with_key().await;
    let id = kms.service.new_request_id();
    let body = json!({"KeyId": key, "Plaintext": base64(b"text")}).to_string();
    kms.call_with_request_id(Encrypt, body.as_bytes(), id).await.unwrap();
    assert_eq!(only(kms.proxies.take_asked()).request_id, id);
}

#[tokio::test]
async fn data_keys_are_made_here_and_encrypted_there() {
    let (kms, key) = with_key().await;
    for operation in [GenerateDataKey, GenerateDataKeyWithoutPlaintext] {
        let made = kms.ok(operation, json!({"KeyId": key, "KeySpec": "AES_256"})).await;
        assert_eq!(made["KeyMaterialId"], Value::Null);
        let asked = only(kms.proxies.take_asked());
        assert_eq!((asked.api, asked.operation), ("encrypt", operation.name()));
        let plaintext =
            kms.ok(Decrypt, json!({"CiphertextBlob": made["CiphertextBlob"]})).await["Plaintext"].take();
        assert_eq!(bytes(&plaintext).len(), 32);
        if operation == GenerateDataKey {
            assert_eq!(plaintext, made["Plaintext"]);
        }
        kms.proxies.take_asked();
    }
}

#[tokio::test]
async fn re_encrypting_asks_the_proxy_of_each_side() {
    let (kms, outside) = with_key().await;
    let (inside, other) = (kms.create_key().await, connected(&kms, "two").await);
    let elsewhere = kms.create_key_in(&other, "bar").await;
    kms.proxies.take_asked();
    for (from, to, apis) in [
        (&outside, &inside, &["decrypt"][..]),
        (&inside, &outside, &["encrypt"]),
        (&outside, &elsewhere, &["decrypt", "encrypt"]),
        (&outside, &outside, &["decrypt", "encrypt"]),
    ] {
        let blob = encrypt(&kms, from, json!({})).await;
        kms.proxies.take_asked();
        let made = kms.ok(ReEncrypt, json!({"CiphertextBlob": blob, "DestinationKeyId": to})).await;
        for (member, key) in [("SourceKeyMaterialId", from), ("DestinationKeyMaterialId", to)] {
            assert_eq!(made[member].is_string(), *key == inside, "{member}");
        }
        let asked = kms.proxies.take_asked();
        assert_eq!(asked.iter().map(|asked| asked.api).collect::<Vec<_>>(), apis);
        for (asked, api) in asked.iter().zip(apis) {
            let key = if *api == "decrypt" { from } else { to };
            assert_eq!(
                (asked.operation, asked.key_arn.as_deref()),
                ("ReEncrypt", Some(kms.arn(key).as_str()))
            );
        }
        let opened = kms.ok(Decrypt, json!({"CiphertextBlob": made["CiphertextBlob"], "KeyId": to})).await;
        assert_eq!(bytes(&opened["Plaintext"]), b"text");
        kms.proxies.take_asked();
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_before_the_proxy_is_asked() {
    let (kms, key) = with_key().await;
    let other = connected(&kms, "two").await;
    let twin = kms.create_key_in(&other, "foo").await;
    let blob = encrypt(&kms, &key, json!({})).await;
    let read = bytes(&blob);
    kms.proxies.take_asked();
    let decrypt = |blob: &Value, members| with(json!({"CiphertextBlob": blob}), members);
    // The same external key makes no two keys one.
    let incorrect = kms.refused(Decrypt, decrypt(&blob, json!({"KeyId": twin}))).await;
    assert_eq!(code(&incorrect), "IncorrectKeyException");
    for cut in [1, 16, read.len() - 60, read.len() - 1] {
        let refused = kms.refused(Decrypt, decrypt(&json!(base64(&read[..cut])), json!({}))).await;
        assert_eq!(refused, "InvalidCiphertextException", "{cut}");
    }
    let longer = json!(base64(&[read.as_slice(), &[0]].concat()));
    assert_eq!(kms.refused(Decrypt, decrypt(&longer, json!({}))).await, "InvalidCiphertextException");
    // Another material than the key's.
    let mut altered = read.clone();
    altered[20] ^= 1;
    assert_eq!(
        kms.refused(Decrypt, decrypt(&json!(base64(&altered)), json!({}))).await,
        "InvalidCiphertextException"
    );
    let stranger = kms.as_user("alice");
    for (operation, request) in [
        (Encrypt, json!({"KeyId": kms.arn(&key), "Plaintext": base64(b"text")})),
        (Decrypt, decrypt(&blob, json!({}))),
        (GenerateDataKey, json!({"KeyId": key, "KeySpec": "AES_256"})),
        (ReEncrypt, json!({"CiphertextBlob": blob, "DestinationKeyId": key})),
    ] {
        assert_eq!(code(&stranger.refused(operation, request).await), "AccessDeniedException");
    }
    kms.disable(&key).await;
    assert_eq!(code(&kms.refused(Decrypt, decrypt(&blob, json!({}))).await), "DisabledException");
    assert_eq!(kms.proxies.take_asked(), []);
}

#[tokio::test]
async fn a_dry_run_asks_no_proxy() {
    let (kms, key) = with_key().await;
    let blob = encrypt(&kms, &key, json!({})).await;
    kms.proxies.take_asked();
    for (operation, request) in [
        (Encrypt, json!({"KeyId": key, "Plaintext": base64(b"text")})),
        (Decrypt, json!({"CiphertextBlob": blob})),
        (GenerateDataKey, json!({"KeyId": key, "KeySpec": "AES_256"})),
        (GenerateDataKeyWithoutPlaintext, json!({"KeyId": key, "KeySpec": "AES_256"})),
        (ReEncrypt, json!({"CiphertextBlob": blob, "DestinationKeyId": key})),
    ] {
        assert_eq!(kms.refused(operation, with(request, json!({"DryRun": true}))).await, DRY, "{operation}");
    }
    assert_eq!(kms.proxies.take_asked(), []);
}

#[tokio::test]
async fn what_the_proxy_says_instead_is_told() {
    use ProxyFailure as Failure;
    let (kms, key) = with_key().await;
    let blob = encrypt(&kms, &key, json!({})).await;
    for failure in [
        Failure::Validation,
        Failure::InvalidState,
        Failure::InvalidCiphertext,
        Failure::InvalidKeyUsage,
        Failure::AuthenticationFailed,
        Failure::AccessDenied,
        Failure::KeyNotFound,
        Failure::InvalidUriPath,
        Failure::UnsupportedOperation,
        Failure::DependencyTimeout,
        Failure::Throttling,
        Failure::Internal,
        Failure::Malformed,
        Failure::NotReachable,
        Failure::Tls,
        Failure::TimedOut,
    ] {
        kms.proxies.fail(Some(failure));
        let expected = format!("KMSInvalidStateException: {}", failure.message());
        for (operation, request) in [
            (Encrypt, json!({"KeyId": key, "Plaintext": base64(b"text")})),
            (Decrypt, json!({"CiphertextBlob": blob})),
            (GenerateDataKey, json!({"KeyId": key, "KeySpec": "AES_256"})),
            (GenerateDataKeyWithoutPlaintext, json!({"KeyId": key, "KeySpec": "AES_256"})),
            (ReEncrypt, json!({"CiphertextBlob": blob, "DestinationKeyId": key})),
        ] {
            assert_eq!(kms.refused(operation, request).await, expected, "{operation}");
        }
    }
    kms.proxies.fail(None);
    let metadata = kms.ok(DescribeKey, json!({"KeyId": key})).await["KeyMetadata"].take();
    assert_eq!(metadata["KeyState"], "Enabled", "whatever happens at the proxy is no state of the key");
    kms.ok(Decrypt, json!({"CiphertextBlob": blob})).await;
}

#[tokio::test]
async fn another_context_is_refused_by_the_proxy_and_a_wrong_answer_by_trent() {
    let (kms, key) = with_key().await;
    let blob = encrypt(&kms, &key, json!({"EncryptionContext": {"a": "b"}})).await;
    let expected = |failure: ProxyFailure| format!("KMSInvalidStateException: {}", failure.message());
    for context in [json!(null), json!({"a": "c"}), json!({"a": "b", "c": "d"})] {
        let request = with(json!({"CiphertextBlob": blob}), json!({"EncryptionContext": context}));
        assert_eq!(kms.refused(Decrypt, request).await, expected(ProxyFailure::InvalidCiphertext));
    }
    kms.proxies.garble(true);
    let request = json!({"CiphertextBlob": blob, "EncryptionContext": {"a": "b"}});
    assert_eq!(kms.refused(Decrypt, request).await, expected(ProxyFailure::InnerCiphertext));
}

#[tokio::test]
async fn what_keys_in_key_stores_do_not_do_is_refused_in_every_state() {
    let (kms, key) = with_key().await;
    let store = kms.metadata(&key).await["CustomKeyStoreId"].as_str().unwrap().to_owned();
    let refused = async || {
        let arn = kms.arn(&key);
        let expected = format!(
            "UnsupportedOperationException: {arn} origin is EXTERNAL_KEY_STORE which is not valid for this operation."
        );
        let of = |members: Value| with(json!({"KeyId": key}), members);
        let wrapping = json!({"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"});
        let import = json!({
            "ImportToken": base64(b"token"), "EncryptedKeyMaterial": base64(b"material"), "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"});
        for (operation, request) in [
            (Operation::EnableKeyRotation, of(json!({}))),
            (Operation::DisableKeyRotation, of(json!({}))),
            (Operation::GetKeyRotationStatus, of(json!({}))),
            (Operation::ListKeyRotations, of(json!({}))),
            (Operation::RotateKeyOnDemand, of(json!({}))),
            (Operation::GetParametersForImport, of(wrapping)),
            (Operation::ImportKeyMaterial, of(import)),
            (Operation::DeleteImportedKeyMaterial, of(json!({}))),
            (Operation::ReplicateKey, of(json!({"ReplicaRegion": "us-east-1"}))),
            (Operation::UpdatePrimaryRegion, of(json!({"PrimaryRegion": "us-east-1"}))),
            (GenerateDataKeyPair, of(json!({"KeyPairSpec": "ECC_NIST_P256"}))),
            (GenerateDataKeyPairWithoutPlaintext, of(json!({"KeyPairSpec": "ECC_NIST_P256"}))),
        ] {
            let answer = kms.refused(operation, request).await;
            assert_eq!(answer, expected, "{operation}");
        }
    };
    refused().await;
    super::disconnect(&kms, &store).await;
    refused().await;
    kms.disable(&key).await;
    super::connect(&kms, &store).await;
    refused().await;
    kms.schedule_deletion(&key).await;
    refused().await;
    assert!(kms.proxies.take_asked().iter().all(|asked| asked.api == "health"));
}

#[tokio::test]
async fn what_a_deleted_key_has_encrypted_no_other_key_decrypts() {
    let (kms, key) = with_key().await;
    let store = kms.metadata(&key).await["CustomKeyStoreId"].as_str().unwrap().to_owned();
    let blob = encrypt(&kms, &key, json!({})).await;
    kms.schedule_deletion(&key).await;
    kms.clock.advance_days(8);
    kms.run_jobs().await;
    let next = kms.create_key_in(&store, "foo").await;
    assert_eq!(
        code(&kms.refused(Decrypt, json!({"CiphertextBlob": blob, "KeyId": next})).await),
        "IncorrectKeyException"
    );
    // Even with the next key's name in it.
    let named = bytes(&encrypt(&kms, &next, json!({})).await);
    let forged = [&named[..50], &bytes(&blob)[50..]].concat();
    kms.proxies.take_asked();
    let refused = kms.refused(Decrypt, json!({"CiphertextBlob": base64(&forged)})).await;
    assert_eq!(refused, format!("KMSInvalidStateException: {}", ProxyFailure::InvalidCiphertext.message()));
}

#[tokio::test]
async fn the_proxy_is_told_who_calls_whatever_lets_them() {
    let other = "444455556666";
    let kms = TestKms::with_accounts(&[other]).await;
    let key = kms.create_key_in(&connected(&kms, "one").await, "foo").await;
    kms.proxies.take_asked();
    let own = kms.caller.account.to_string();
    let allow = |account: &str| json!({"Effect": "Allow", "Principal": {"AWS": account}, "Action": "kms:*", "Resource": "*"});
    kms.put_policy(&key, &json!([allow(other), allow(&own)])).await;
    let all = json!([{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]);
    let session = kms.as_role_session("session").with_identity_policy(&all);
    for caller in [kms.in_account(other), session] {
        let request = json!({"KeyId": kms.arn(&key), "KeySpec": "AES_256"});
        caller.ok(GenerateDataKey, request).await;
        assert_eq!(only(kms.proxies.take_asked()).principal.as_deref(), Some(&*caller.caller.arn));
    }
}

#[tokio::test]
async fn more_requests_than_a_store_may_have_are_throttled_in_the_words_of_every_quota() {
    let kms = TestKms::new().await;
    let store = connected(&kms, "one").await;
    let key = kms.create_key_in(&store, "foo").await;
    kms.proxies.fail(Some(ProxyFailure::OverQuota));
    let refused = kms.refused(GenerateDataKey, json!({"KeyId": key, "KeySpec": "AES_256"})).await;
    assert_eq!(
        refused,
        "ThrottlingException: You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."
    );
}

#[tokio::test]
async fn the_trail_names_store_and_external_key_and_nothing_of_the_proxy() {
    let kms = TestKms::audited().await;
    let store = connected(&kms, "one").await;
    let key = kms.create_key_in(&store, "foo").await;
    encrypt(&kms, &key, json!({})).await;
    let other = connected(&kms, "two").await;
    let elsewhere = kms.create_key_in(&other, "bar").await;
    let blob = encrypt(&kms, &key, json!({})).await;
    kms.ok(ReEncrypt, json!({"CiphertextBlob": blob, "DestinationKeyId": elsewhere})).await;
    kms.proxies.fail(Some(ProxyFailure::Throttling));
    kms.refused(GenerateDataKey, json!({"KeyId": key, "KeySpec": "AES_256"})).await;
    let records = kms.records();
    let of = |name: &str| {
        records.iter().find(|record| record["eventName"] == name).unwrap_or_else(|| panic!("no {name}"))
    };
    for name in ["Encrypt", "GenerateDataKey"] {
        let additional = &of(name)["additionalEventData"];
        assert_eq!(additional["customKeyStoreId"], json!(store), "{name}");
        assert_eq!(additional["xksKeyId"], "foo", "{name}");
    }
    assert_eq!(
        of("ReEncrypt")["additionalEventData"],
        json!({
            "customKeyStoreId": store,
            "xksKeyId": "foo",
            "destinationCustomKeyStoreId": other,
            "destinationXksKeyId": "bar",
        })
    );
    assert_eq!(of("GenerateDataKey")["errorCode"], "KMSInvalidStateException");
    let created = of("CreateKey");
    for (name, value) in [
        ("customKeyStoreId", json!(store)),
        ("xksKeyId", json!("foo")),
        ("origin", json!("EXTERNAL_KEY_STORE")),
    ] {
        assert_eq!(created["requestParameters"][name], value, "{name}");
    }
    let metadata = &created["responseElements"]["keyMetadata"];
    assert_eq!(metadata["customKeyStoreId"], json!(store), "{metadata}");
    assert_eq!(metadata["xksKeyConfiguration"]["id"], "foo", "{metadata}");
}

/// The store of the destination is looked at again when it is its turn, and by then it is not in memory any more.
#[tokio::test]
async fn a_store_that_cannot_be_looked_at_again_is_told_as_what_the_database_says() {
    let (kms, faults) = TestKms::with_faults().await;
    let (one, two) = (connected(&kms, "one").await, connected(&kms, "two").await);
    let (from, to) = (kms.create_key_in(&one, "foo").await, kms.create_key_in(&two, "bar").await);
    let blob = encrypt(&kms, &from, json!({})).await;
    let request = json!({"CiphertextBlob": blob, "DestinationKeyId": to});
    kms.ok(ReEncrypt, request.clone()).await;
    kms.proxies.take_asked();
    kms.proxies.stall(true);
    let interfere = async {
        while kms.proxies.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        let renamed = json!({"CustomKeyStoreId": two, "NewCustomKeyStoreName": "three"});
        kms.ok(UpdateCustomKeyStore, renamed).await;
        faults.fail_next_read();
        kms.proxies.stall(false);
    };
    let (refused, ()) = tokio::join!(kms.refused(ReEncrypt, request.clone()), interfere);
    assert_eq!(code(&refused), "ThrottlingException", "{refused}");
    let asked: Vec<_> = kms.proxies.take_asked().iter().map(|asked| asked.api).collect();
    assert_eq!(asked, ["decrypt"], "the other proxy is not asked");
    kms.ok(ReEncrypt, request).await;
}
