//! Keys in external key stores: how they are made, what is told of them, and what becomes of them with their store.

use serde_json::{Value, json};
use trent_domain::key_store::{NOT_CONNECTED, ProxyFailure};
use trent_protocol::Operation::{
    CancelKeyDeletion, CreateAlias, CreateGrant, CreateKey, DeleteCustomKeyStore, DisableKey,
    DisconnectCustomKeyStore, EnableKey, Encrypt, GenerateDataKey, GenerateRandom, ListAliases, ListGrants,
    ListKeys, PutKeyPolicy, ScheduleKeyDeletion, TagResource, UpdateKeyDescription,
};
use trent_protocol::{ErrorCode, Operation};
use trent_service::Options;
use trent_testkit::{TestKms, base64};

use super::{code, connect, connected, create, disconnect, with};

/// A request for a key on an external key.
pub(super) fn wanted(store: &str, external_key: &str) -> Value {
    json!({"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": external_key})
}

async fn refused(kms: &TestKms, request: Value) -> String {
    kms.refused(CreateKey, request).await
}

async fn state(kms: &TestKms, key: &str) -> (Value, Value) {
    let metadata = kms.metadata(key).await;
    (metadata["KeyState"].clone(), metadata["Enabled"].clone())
}

#[tokio::test]
async fn a_key_is_made_once_its_proxy_has_told_of_its_external_key() {
    let kms = TestKms::new().await;
    let store = connected(&kms, "one").await;
    kms.proxies.add_key("foo", "AES_256", "ENABLED", &["ENCRYPT", "DECRYPT", "WRAP"]);
    kms.proxies.take_asked();
    let request =
        with(wanted(&store, "foo"), json!({"Description": "theirs", "KeyUsage": "ENCRYPT_DECRYPT"}));
    let made = kms.ok(CreateKey, request).await["KeyMetadata"].take();
    let id = made["KeyId"].as_str().unwrap();
    assert_eq!(
        with(made.clone(), json!({"CreationDate": null, "KeyId": null, "Arn": null})),
        json!({
            "AWSAccountId": kms.caller.account.to_string(),
            "CustomKeyStoreId": store,
            "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
            "Description": "theirs",
            "Enabled": true,
            "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
            "KeyManager": "CUSTOMER",
            "KeySpec": "SYMMETRIC_DEFAULT",
            "KeyState": "Enabled",
            "KeyUsage": "ENCRYPT_DECRYPT",
            "MultiRegion": false,
            "Origin": "EXTERNAL_KEY_STORE",
            "XksKeyConfiguration": {"Id": "foo"},
        })
    );
    let [asked] = <[_; 1]>::try_from(kms.proxies.take_asked()).unwrap();
    assert_eq!((asked.api, asked.operation), ("metadata", "CreateKey"));
    assert_eq!((asked.external_key.as_deref(), asked.key_arn), (Some("foo"), None));
    assert_eq!(asked.principal.as_deref(), Some(&*kms.caller.arn));
    // Describing it asks nobody.
    kms.proxies.fail(Some(ProxyFailure::NotReachable));
    assert_eq!(kms.metadata(id).await, made);
    assert_eq!(kms.proxies.take_asked(), []);
}

#[tokio::test]
async fn members_go_together_or_are_refused_before_anybody_is_asked() {
    let kms = TestKms::new().await;
    let store = connected(&kms, "one").await;
    kms.proxies.add_good_key("foo");
    kms.proxies.take_asked();
    let good = || wanted(&store, "foo");
    let cases = [
        (json!({"XksKeyId": null}), "ValidationException"),
        (json!({"CustomKeyStoreId": null}), "ValidationException"),
        (json!({"Origin": null}), "ValidationException"),
        (json!({"Origin": "EXTERNAL"}), "ValidationException"),
        (json!({"Origin": "AWS_CLOUDHSM"}), "ValidationException"),
        (json!({"XksKeyId": "."}), "ValidationException"),
        (json!({"XksKeyId": ".."}), "ValidationException"),
        (json!({"XksKeyId": "a b"}), "ValidationException"),
        (json!({"XksKeyId": "a".repeat(129)}), "ValidationException"),
        (json!({"KeySpec": "RSA_2048"}), "UnsupportedOperationException"),
        (json!({"KeySpec": "HMAC_256"}), "UnsupportedOperationException"),
        (json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}), "UnsupportedOperationException"),
        (json!({"CustomerMasterKeySpec": "RSA_2048"}), "UnsupportedOperationException"),
        (json!({"KeyUsage": "SIGN_VERIFY"}), "UnsupportedOperationException"),
        (json!({"MultiRegion": true}), "UnsupportedOperationException"),
        (json!({"Tags": [{"TagKey": "aws:a", "TagValue": ""}]}), "TagException"),
        (json!({"Policy": "{}"}), "MalformedPolicyDocumentException"),
        (json!({"CustomKeyStoreId": "cks-00000000000000000"}), "CustomKeyStoreNotFoundException"),
        (json!({"CustomKeyStoreId": "mine"}), "CustomKeyStoreNotFoundException"),
        (json!({"Origin": "AWS_CLOUDHSM", "XksKeyId": null}), "UnsupportedOperationException"),
    ];
    for (members, expected) in cases {
        let refused = refused(&kms, with(good(), members.clone())).await;
        assert_eq!(code(&refused), expected, "{members}: {refused}");
    }
    let others = [kms.in_region("us-east-1"), kms.in_account("444455556666")];
    for other in others {
        assert_eq!(code(&refused(&other, good()).await), "CustomKeyStoreNotFoundException");
    }
    assert_eq!(code(&refused(&kms.as_user("alice"), good()).await), "AccessDeniedException");
    assert_eq!(kms.proxies.take_asked(), []);
    assert_eq!(kms.ok(ListKeys, json!({})).await["Keys"], json!([]));
    kms.ok(CreateKey, with(good(), json!({"MultiRegion": false, "KeySpec": "SYMMETRIC_DEFAULT"}))).await;
}

#[tokio::test]
async fn a_uri_that_proxies_need_not_take_is_refused() {
    let kms = TestKms::new().await;
    let path = format!("/{}/kms/xks/v1", "a".repeat(110));
    let request = with(super::external("one"), json!({"XksProxyUriPath": path}));
    let store = kms.ok(Operation::CreateCustomKeyStore, request).await["CustomKeyStoreId"].take();
    let store = store.as_str().unwrap();
    connect(&kms, store).await;
    kms.proxies.take_asked();
    let refused = refused(&kms, wanted(store, &"b".repeat(128))).await;
    assert_eq!(
        refused,
        "ValidationException: The URI of requests about the external key must have at most 256 characters"
    );
    assert_eq!(kms.proxies.take_asked(), []);
}

#[tokio::test]
async fn no_key_is_made_of_an_external_key_that_is_unfit() {
    let kms = TestKms::new().await;
    let store = connected(&kms, "one").await;
    let both = ["ENCRYPT", "DECRYPT"];
    let cases = [
        (
            ("AES_128", "DISABLED", &both[..]),
            "The key spec of the external key must be AES_256. The key spec of specified external key is AES_128.",
        ),
        (
            ("AES_256", "DISABLED", &both),
            "The status of the external key must be ENABLED. The status of specified external key is DISABLED.",
        ),
        (
            ("AES_256", "ENABLED", &both[..1]),
            "The key usage of the external key must include ENCRYPT and DECRYPT. The key use of specified external key is ENCRYPT.",
        ),
    ];
    for ((spec, status, usage), text) in cases {
        kms.proxies.add_key("foo", spec, status, usage);
        let refused = refused(&kms, wanted(&store, "foo")).await;
        assert_eq!(refused, format!("XksKeyInvalidConfigurationException: {text}"));
    }
    let unknown = refused(&kms, wanted(&store, "bar")).await;
    assert_eq!(unknown, format!("XksKeyNotFoundException: {}", ProxyFailure::KeyNotFound.message()));
}

#[tokio::test]
async fn what_the_proxy_says_instead_is_told_and_no_key_is_made() {
    use ProxyFailure as Failure;
    let kms = TestKms::new().await;
    let store = connected(&kms, "one").await;
    kms.proxies.add_good_key("foo");
    let invalid = "CustomKeyStoreInvalidStateException";
    let cases = [
        (Failure::Validation, invalid),
        (Failure::InvalidState, "XksKeyInvalidConfigurationException"),
        (Failure::InvalidKeyUsage, "XksKeyInvalidConfigurationException"),
        (Failure::AuthenticationFailed, invalid),
        (Failure::AccessDenied, invalid),
        (Failure::KeyNotFound, "XksKeyNotFoundException"),
        (Failure::InvalidUriPath, invalid),
        (Failure::UnsupportedOperation, "UnsupportedOperationException"),
        (Failure::DependencyTimeout, invalid),
        (Failure::Throttling, invalid),
        (Failure::Internal, invalid),
        (Failure::NotReachable, invalid),
        (Failure::Tls, invalid),
        (Failure::TimedOut, invalid),
        (Failure::Malformed, invalid),
    ];
    for (failure, code) in cases {
        kms.proxies.fail(Some(failure));
        let refused = refused(&kms, wanted(&store, "foo")).await;
        assert_eq!(refused, format!("{code}: {}", failure.message()), "{failure:?}");
    }
    assert_eq!(kms.ok(ListKeys, json!({})).await["Keys"], json!([]));
    kms.proxies.fail(None);
    kms.ok(CreateKey, wanted(&store, "foo")).await;
}

#[tokio::test]
async fn an_external_key_is_in_one_key_of_its_store_alone() {
    let kms = TestKms::new().await;
    let (one, two) = (connected(&kms, "one").await, connected(&kms, "two").await);
    let key = kms.create_key_in(&one, "foo").await;
    let taken = "XksKeyAlreadyInUseException: The external key is already associated with another KMS key in this \
                 external key store.";
    kms.proxies.take_asked();
    assert_eq!(refused(&kms, wanted(&one, "foo")).await, taken);
    assert_eq!(kms.proxies.take_asked(), []);
    kms.create_key_in(&two, "foo").await;
    kms.create_key_in(&one, "FOO").await;
    kms.schedule_deletion(&key).await;
    assert_eq!(refused(&kms, wanted(&one, "foo")).await, taken);
    // Free again once the key is gone, and the proxy is told nothing.
    kms.clock.advance_days(8);
    kms.proxies.take_asked();
    assert_eq!(kms.run_jobs().await.deleted, 1);
    assert_eq!(kms.proxies.take_asked(), []);
    kms.ok(CreateKey, wanted(&one, "foo")).await;
}

#[tokio::test]
async fn of_two_who_want_an_external_key_at_once_one_gets_it() {
    let kms = TestKms::new().await;
    let store = connected(&kms, "one").await;
    kms.proxies.add_good_key("foo");
    kms.proxies.stall(true);
    let asking = async || kms.call(CreateKey, wanted(&store, "foo")).await;
    let release = async {
        // Both have found the external key free before either makes a key of it.
        while kms.proxies.waiting() < 2 {
            tokio::task::yield_now().await;
        }
        kms.proxies.stall(false);
    };
    let (first, second, ()) = tokio::join!(asking(), asking(), release);
    let errors: Vec<_> =
        [first, second].into_iter().filter_map(Result::err).map(|error| error.code).collect();
    assert_eq!(errors, [ErrorCode::XksKeyAlreadyInUse]);
    assert_eq!(kms.ok(ListKeys, json!({})).await["Keys"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_key_is_made_only_while_its_store_is_connected() {
    let kms = TestKms::new().await;
    let store = create(&kms, "one").await;
    kms.proxies.add_good_key("foo");
    let expected = format!("CustomKeyStoreInvalidStateException: {NOT_CONNECTED}");
    assert_eq!(refused(&kms, wanted(&store, "foo")).await, expected);
    kms.ok(Operation::ConnectCustomKeyStore, json!({"CustomKeyStoreId": store})).await;
    assert_eq!(refused(&kms, wanted(&store, "foo")).await, expected);
    kms.settle_key_stores().await;
    // It was connected when the request came, and is not when the key would be made.
    kms.proxies.take_asked();
    kms.proxies.stall(true);
    let interfere = async {
        while kms.proxies.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        kms.ok(DisconnectCustomKeyStore, json!({"CustomKeyStoreId": store})).await;
        kms.proxies.stall(false);
    };
    let (refused, ()) = tokio::join!(refused(&kms, wanted(&store, "foo")), interfere);
    assert_eq!(refused, expected);
    assert_eq!(kms.ok(ListKeys, json!({})).await["Keys"], json!([]));
}

#[tokio::test]
async fn keys_of_stores_count_towards_the_quota_before_a_proxy_is_asked() {
    let kms = TestKms::with_options(Options { keys_per_region_max: 1, ..Options::default() }).await;
    let store = connected(&kms, "one").await;
    kms.create_key_in(&store, "foo").await;
    kms.proxies.add_good_key("bar");
    kms.proxies.take_asked();
    assert_eq!(code(&refused(&kms, wanted(&store, "bar")).await), "LimitExceededException");
    assert_eq!(kms.proxies.take_asked(), []);
}

#[tokio::test]
async fn a_key_is_unavailable_while_its_store_is_not_connected_and_then_what_it_was() {
    let kms = TestKms::new().await;
    let store = connected(&kms, "one").await;
    let key = kms.create_key_in(&store, "foo").await;
    let encrypt = json!({"KeyId": key, "Plaintext": base64(b"text")});
    kms.ok(Encrypt, encrypt.clone()).await;
    // At once, and not when the store has been disconnected.
    kms.ok(DisconnectCustomKeyStore, json!({"CustomKeyStoreId": store})).await;
    let unavailable = format!("KMSInvalidStateException: {NOT_CONNECTED}");
    assert_eq!(kms.refused(Encrypt, encrypt.clone()).await, unavailable);
    assert_eq!(state(&kms, &key).await, (json!("Unavailable"), json!(false)));
    kms.settle_key_stores().await;
    kms.ok(DisableKey, json!({"KeyId": key})).await;
    assert_eq!(state(&kms, &key).await, (json!("Unavailable"), json!(false)));
    assert_eq!(kms.refused(Encrypt, encrypt.clone()).await, unavailable, "before it is disabled");
    connect(&kms, &store).await;
    assert_eq!(state(&kms, &key).await, (json!("Disabled"), json!(false)));
    let disabled = format!("DisabledException: {} is disabled.", kms.arn(&key));
    assert_eq!(kms.refused(Encrypt, encrypt.clone()).await, disabled);
    disconnect(&kms, &store).await;
    kms.ok(EnableKey, json!({"KeyId": key})).await;
    connect(&kms, &store).await;
    assert_eq!(state(&kms, &key).await, (json!("Enabled"), json!(true)));
    kms.ok(Encrypt, encrypt.clone()).await;
    // A failed attempt is no connection either, and a restart changes nothing.
    disconnect(&kms, &store).await;
    kms.proxies.fail(Some(ProxyFailure::NotReachable));
    connect(&kms, &store).await;
    assert_eq!(super::state(&kms, &store).await, "FAILED XKS_PROXY_NOT_REACHABLE");
    let kms = kms.restart().await;
    assert_eq!(state(&kms, &key).await.0, "Unavailable");
    assert_eq!(kms.refused(Encrypt, encrypt).await, unavailable);
}

#[tokio::test]
async fn what_does_not_need_the_proxy_goes_on_without_it() {
    let kms = TestKms::new().await;
    let store = connected(&kms, "one").await;
    let key = kms.create_key_in(&store, "foo").await;
    disconnect(&kms, &store).await;
    kms.proxies.take_asked();
    let policy = kms.ok(Operation::GetKeyPolicy, json!({"KeyId": key})).await["Policy"].take();
    let grantee = format!("arn:aws:iam::{}:root", kms.caller.account);
    let grant = json!({"KeyId": key, "GranteePrincipal": grantee, "Operations": ["Encrypt"]});
    kms.ok(CreateGrant, grant).await;
    kms.ok(PutKeyPolicy, json!({"KeyId": key, "Policy": policy})).await;
    kms.ok(TagResource, json!({"KeyId": key, "Tags": [{"TagKey": "a", "TagValue": "b"}]})).await;
    kms.ok(CreateAlias, json!({"AliasName": "alias/a", "TargetKeyId": key})).await;
    kms.ok(UpdateKeyDescription, json!({"KeyId": key, "Description": "new"})).await;
    assert_eq!(kms.ok(ListGrants, json!({"KeyId": key})).await["Grants"].as_array().map(Vec::len), Some(1));
    let aliases = kms.ok(ListAliases, json!({"KeyId": key})).await;
    assert_eq!(aliases["Aliases"][0]["AliasName"], "alias/a");
    let scheduled = kms.ok(ScheduleKeyDeletion, json!({"KeyId": key, "PendingWindowInDays": 7})).await;
    assert_eq!(scheduled["KeyState"], "PendingDeletion");
    // That it is to be deleted is told before that it is unavailable.
    assert_eq!(state(&kms, &key).await.0, "PendingDeletion");
    let pending = format!("KMSInvalidStateException: {} is pending deletion.", kms.arn(&key));
    assert_eq!(kms.refused(GenerateDataKey, json!({"KeyId": key, "KeySpec": "AES_256"})).await, pending);
    kms.ok(CancelKeyDeletion, json!({"KeyId": key})).await;
    assert_eq!(state(&kms, &key).await.0, "Unavailable");
    assert_eq!(
        kms.refused(CancelKeyDeletion, json!({"KeyId": key})).await,
        format!("KMSInvalidStateException: {} is not pending deletion.", kms.arn(&key))
    );
    assert_eq!(kms.proxies.take_asked(), []);
    connect(&kms, &store).await;
    assert_eq!(state(&kms, &key).await.0, "Disabled");
}

#[tokio::test]
async fn a_store_with_a_key_in_whatever_state_stays() {
    let kms = TestKms::new().await;
    let store = connected(&kms, "one").await;
    let key = kms.create_key_in(&store, "foo").await;
    disconnect(&kms, &store).await;
    let delete = json!({"CustomKeyStoreId": store});
    assert_eq!(
        code(&kms.refused(DeleteCustomKeyStore, delete.clone()).await),
        "CustomKeyStoreHasCMKsException"
    );
    kms.schedule_deletion(&key).await;
    assert_eq!(
        code(&kms.refused(DeleteCustomKeyStore, delete.clone()).await),
        "CustomKeyStoreHasCMKsException"
    );
    kms.clock.advance_days(8);
    assert_eq!(kms.run_jobs().await.deleted, 1);
    kms.ok(DeleteCustomKeyStore, delete).await;
}

#[tokio::test]
async fn external_key_stores_make_no_random_bytes() {
    let kms = TestKms::new().await;
    let store = create(&kms, "one").await;
    let asked = |store: &str| json!({"NumberOfBytes": 32, "CustomKeyStoreId": store});
    assert_eq!(code(&kms.refused(GenerateRandom, asked(&store)).await), "UnsupportedOperationException");
    connect(&kms, &store).await;
    assert_eq!(code(&kms.refused(GenerateRandom, asked(&store)).await), "UnsupportedOperationException");
    let unknown = kms.refused(GenerateRandom, asked("cks-00000000000000000")).await;
    assert_eq!(code(&unknown), "CustomKeyStoreNotFoundException");
}
