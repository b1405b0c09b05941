//! Keys in CloudHSM key stores: how they are made and used, what is told of them, and what becomes of them.

use serde_json::{Value, json};
use trent_domain::key_store::{ClusterFailure, HsmFailure, HsmState};
use trent_protocol::Operation::{
    self, CancelKeyDeletion, CreateKey, Decrypt, DeleteCustomKeyStore, DisableKey, DisconnectCustomKeyStore,
    EnableKey, Encrypt, GenerateDataKey, GenerateDataKeyWithoutPlaintext, GenerateRandom, ListKeys,
    ReEncrypt,
};
use trent_protocol::Operation::{
    DeleteImportedKeyMaterial, DisableKeyRotation, EnableKeyRotation, GenerateDataKeyPair,
    GenerateDataKeyPairWithoutPlaintext, GetKeyRotationStatus, GetParametersForImport, ListKeyRotations,
    ReplicateKey, RotateKeyOnDemand,
};
use trent_testkit::{CLUSTER, HsmWorld, SERIALS, TestKms, base64, bytes};

use super::{code, connect, connected, disconnect, with};

fn wanted(store: &str) -> Value {
    json!({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store})
}

async fn refused(kms: &TestKms, request: Value) -> String {
    kms.refused(CreateKey, request).await
}

async fn shown_state(kms: &TestKms, key: &str) -> (Value, Value) {
    let metadata = kms.metadata(key).await;
    (metadata["KeyState"].clone(), metadata["Enabled"].clone())
}

/// A connected key store and a key in it.
async fn world() -> (HsmWorld, TestKms, String, String) {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let store = world.connected(&kms).await;
    let key = kms.create_key_with(wanted(&store)).await;
    (world, kms, store, key)
}

async fn encrypt(kms: &TestKms, key: &str, context: Value) -> Value {
    let request = json!({"KeyId": key, "Plaintext": base64(b"secret"), "EncryptionContext": context});
    kms.ok(Encrypt, request).await["CiphertextBlob"].take()
}

fn hsm_keys(kms: &TestKms) -> [Vec<String>; 2] {
    SERIALS.map(|serial| kms.clusters.keys(serial))
}

#[tokio::test]
async fn whoever_is_cut_off_while_the_record_is_made_leaves_the_key_to_it() {
    let world = HsmWorld::new();
    let (kms, database) = TestKms::with_faults().await;
    world.join(&kms);
    let store = world.connected(&kms).await;
    database.hold_next("create key");
    // As the cores end at a stop, whatever they were at.
    let core = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let creating = {
        let kms = kms.clone();
        core.spawn(async move { kms.call(CreateKey, wanted(&store)).await })
    };
    until(|| database.holds()).await;
    core.shutdown_background();
    creating.await.expect_err("it was cut off");
    until(|| !kms.clusters.has_unsettled_keys()).await;
    database.let_go();
    // Written behind it.
    kms.create_key().await;
    let [first, second] = hsm_keys(&kms);
    assert_eq!((first.len(), &first), (1, &second));
    assert_eq!(shown_state(&kms, &first[0]).await, (json!("Enabled"), json!(true)));
}

async fn until(is_so: impl Fn() -> bool) {
    for _ in 0..3_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it never came");
}

#[tokio::test]
async fn a_key_is_made_in_every_hsm_and_tells_where_it_is() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let store = world.connected(&kms).await;
    let request = with(wanted(&store), json!({"Description": "in HSMs", "KeyUsage": "ENCRYPT_DECRYPT"}));
    let made = kms.ok(CreateKey, request).await["KeyMetadata"].take();
    let (id, arn) = (made["KeyId"].as_str().unwrap(), made["Arn"].as_str().unwrap());
    assert_eq!(
        with(made.clone(), json!({"CreationDate": null, "KeyId": null, "Arn": null})),
        json!({
            "AWSAccountId": kms.caller.account.to_string(),
            "CloudHsmClusterId": CLUSTER,
            "CustomKeyStoreId": store,
            "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
            "Description": "in HSMs",
            "Enabled": true,
            "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
            "KeyManager": "CUSTOMER",
            "KeySpec": "SYMMETRIC_DEFAULT",
            "KeyState": "Enabled",
            "KeyUsage": "ENCRYPT_DECRYPT",
            "MultiRegion": false,
            "Origin": "AWS_CLOUDHSM",
        })
    );
    assert_eq!(hsm_keys(&kms), [[arn], [arn]]);
    // Describing it asks nobody, and goes on without the cluster.
    kms.clusters.fail_keys(Some(HsmFailure::Unreachable));
    assert_eq!(kms.metadata(id).await, made);
}

#[tokio::test]
async fn members_go_together_or_are_refused_before_anything_is_made() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let (store, external) = (world.connected(&kms).await, connected(&kms, "external").await);
    let cases = [
        (json!({"XksKeyId": "foo"}), "ValidationException"),
        (json!({"CustomKeyStoreId": null}), "ValidationException"),
        (json!({"Origin": null}), "ValidationException"),
        (json!({"KeySpec": "RSA_2048"}), "UnsupportedOperationException"),
        (json!({"KeySpec": "HMAC_256"}), "UnsupportedOperationException"),
        (json!({"KeyUsage": "SIGN_VERIFY"}), "UnsupportedOperationException"),
        (json!({"MultiRegion": true}), "UnsupportedOperationException"),
        (json!({"CustomKeyStoreId": external}), "UnsupportedOperationException"),
        (json!({"Origin": "EXTERNAL_KEY_STORE", "XksKeyId": "foo"}), "UnsupportedOperationException"),
        (json!({"CustomKeyStoreId": "cks-00000000000000000"}), "CustomKeyStoreNotFoundException"),
        (json!({"Tags": [{"TagKey": "aws:a", "TagValue": ""}]}), "TagException"),
    ];
    for (members, expected) in cases {
        let refused = refused(&kms, with(wanted(&store), members.clone())).await;
        assert_eq!(code(&refused), expected, "{members}: {refused}");
    }
    assert_eq!(code(&refused(&kms.as_user("alice"), wanted(&store)).await), "AccessDeniedException");
    let elsewhere = [kms.in_region("us-east-1"), kms.in_account("444455556666")];
    for other in elsewhere {
        assert_eq!(code(&refused(&other, wanted(&store)).await), "CustomKeyStoreNotFoundException");
    }
    assert_eq!(kms.ok(ListKeys, json!({})).await["Keys"], json!([]));
    assert_eq!(hsm_keys(&kms), [[""; 0]; 2]);
}

#[tokio::test]
async fn two_hsms_in_two_zones_must_answer() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let store = world.connected(&kms).await;
    let invalid = "CloudHsmClusterInvalidConfigurationException: The configuration of the cluster does not fulfil the \
                   requirements of a custom key store: it must have at least two active HSMs in different Availability \
                   Zones.";
    world.change(&kms, |it| it.hsms[1].state = HsmState::Inactive);
    assert_eq!(refused(&kms, wanted(&store)).await, invalid);
    world.change(&kms, |it| it.hsms[1].availability_zone = it.hsms[0].availability_zone.clone());
    assert_eq!(refused(&kms, wanted(&store)).await, invalid);
    world.register(&kms);
    // It is registered, and does not answer.
    kms.clusters.fail(SERIALS[1], Some(ClusterFailure::NoHsm));
    assert_eq!(refused(&kms, wanted(&store)).await, invalid);
    kms.clusters.fail(SERIALS[1], None);
    kms.service.register(trent_service::Registry::default());
    let refused = refused(&kms, wanted(&store)).await;
    assert_eq!(code(&refused), "CloudHsmClusterInvalidConfigurationException", "{refused}");
    assert_eq!(kms.ok(ListKeys, json!({})).await["Keys"], json!([]));
    assert_eq!(hsm_keys(&kms), [[""; 0]; 2]);
    world.register(&kms);
    kms.ok(CreateKey, wanted(&store)).await;
}

#[tokio::test]
async fn what_goes_wrong_while_a_key_is_made_leaves_none() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let store = world.create(&kms).await;
    let not_connected = format!(
        "CustomKeyStoreInvalidStateException: The custom key store {store} is not connected to its cluster."
    );
    assert_eq!(refused(&kms, wanted(&store)).await, not_connected);
    connect(&kms, &store).await;
    for (failure, expected) in [
        (HsmFailure::TimedOut, "DependencyTimeoutException"),
        (HsmFailure::Unreachable, "KMSInternalException"),
        (HsmFailure::NoKey, "KMSInternalException"),
        (HsmFailure::Busy, "KMSInternalException"),
    ] {
        kms.clusters.fail_keys(Some(failure));
        assert_eq!(code(&refused(&kms, wanted(&store)).await), expected, "{failure:?}");
    }
    kms.clusters.fail_keys(None);
    // It was connected when the request came, and is not when the key's record is to be written.
    kms.clusters.stall(true);
    let interfere = async {
        while kms.clusters.keys(SERIALS[0]).is_empty() {
            tokio::task::yield_now().await;
        }
        kms.ok(DisconnectCustomKeyStore, json!({"CustomKeyStoreId": store})).await;
        kms.clusters.stall(false);
    };
    let (told, ()) = tokio::join!(refused(&kms, wanted(&store)), interfere);
    assert_eq!(told, not_connected);
    assert_eq!(kms.ok(ListKeys, json!({})).await["Keys"], json!([]));
    assert_eq!(hsm_keys(&kms), [[""; 0]; 2]);
    // Whoever asked has hung up meanwhile.
    kms.settle_key_stores().await;
    connect(&kms, &store).await;
    kms.clusters.stall(true);
    let gone = kms.call(CreateKey, wanted(&store));
    let seen = async {
        while kms.clusters.keys(SERIALS[0]).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = gone => panic!("it is stalled"),
        () = seen => {}
    }
    assert_eq!(hsm_keys(&kms), [[""; 0]; 2]);
}

#[tokio::test]
async fn what_is_encrypted_in_hsms_comes_back_with_its_context_alone() {
    let (_world, kms, _, key) = world().await;
    let context = json!({"tenant": "17"});
    let blob = encrypt(&kms, &key, context.clone()).await;
    let made = bytes(&blob);
    assert_eq!((&made[..2], made.len()), (&b"\x01h"[..], 62 + b"secret".len()));
    let decrypt =
        |blob: &Value, context: &Value| json!({"CiphertextBlob": blob, "EncryptionContext": context});
    for request in [decrypt(&blob, &context), with(decrypt(&blob, &context), json!({"KeyId": key}))] {
        let decrypted = kms.ok(Decrypt, request).await;
        assert_eq!(
            decrypted,
            json!({"KeyId": kms.arn(&key), "Plaintext": base64(b"secret"), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"})
        );
    }
    let invalid = "InvalidCiphertextException";
    for other in [json!({}), json!({"tenant": "18"}), json!({"tenant": "17", "a": ""})] {
        assert_eq!(kms.refused(Decrypt, decrypt(&blob, &other)).await, invalid);
    }
    // Whatever is done to it. The 16 bytes of the key id name another key, of which the caller learns nothing.
    let altered_blob = |blob: &[u8]| json!(base64(blob));
    for bit in 0..made.len() * 8 {
        let mut altered = made.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let refused = kms
            .refused(Decrypt, with(decrypt(&altered_blob(&altered), &context), json!({"KeyId": key})))
            .await;
        let expected = if (2..18).contains(&(bit / 8)) { "IncorrectKeyException" } else { invalid };
        assert_eq!(code(&refused), expected, "bit {bit}");
    }
    for length in [0, 1, 2, 18, 34, 61, 62, made.len() - 1] {
        let refused = kms.call(Decrypt, decrypt(&altered_blob(&made[..length]), &context)).await.unwrap_err();
        let expected = if length == 0 { "ValidationException" } else { invalid };
        assert_eq!(refused.code.to_string(), expected, "{length} bytes");
    }
    let longer = [&made[..], &[0]].concat();
    assert_eq!(kms.refused(Decrypt, decrypt(&altered_blob(&longer), &context)).await, invalid);
}

#[tokio::test]
async fn a_blob_is_of_one_key_alone() {
    let (_world, kms, store, key) = world().await;
    let (other, plain) = (kms.create_key_with(wanted(&store)).await, kms.create_key().await);
    let blob = encrypt(&kms, &key, json!({})).await;
    for wrong in [&other, &plain] {
        let refused = kms.refused(Decrypt, json!({"CiphertextBlob": blob, "KeyId": wrong})).await;
        assert_eq!(code(&refused), "IncorrectKeyException");
    }
    // Nor does a blob of either kind pass for one of the other that names the same key.
    let (made, of_plain) = (bytes(&blob), bytes(&encrypt(&kms, &plain, json!({})).await));
    for (from, names) in [(&made, &of_plain), (&of_plain, &made)] {
        let mut forged = from.clone();
        forged[2..18].copy_from_slice(&names[2..18]);
        assert_eq!(
            kms.refused(Decrypt, json!({"CiphertextBlob": base64(&forged)})).await,
            "InvalidCiphertextException"
        );
    }
}

#[tokio::test]
async fn data_keys_and_re_encryption_go_through_the_hsms() {
    let (_world, kms, _, key) = world().await;
    let plain = kms.create_key().await;
    let context = json!({"a": "b"});
    let made = kms
        .ok(GenerateDataKey, json!({"KeyId": key, "KeySpec": "AES_256", "EncryptionContext": context}))
        .await;
    let without = json!({"KeyId": key, "NumberOfBytes": 64, "EncryptionContext": context});
    let without = kms.ok(GenerateDataKeyWithoutPlaintext, without).await;
    assert!(made.get("KeyMaterialId").is_none() && without.get("KeyMaterialId").is_none(), "{made}");
    let decrypted = async |blob: &Value| {
        let request = json!({"CiphertextBlob": blob, "EncryptionContext": context});
        kms.ok(Decrypt, request).await["Plaintext"].take()
    };
    assert_eq!(decrypted(&made["CiphertextBlob"]).await, made["Plaintext"]);
    assert_eq!(bytes(&decrypted(&without["CiphertextBlob"]).await).len(), 64);
    let mut blob = made["CiphertextBlob"].clone();
    for (source, destination) in [(&key, &plain), (&plain, &key), (&key, &key)] {
        let request = json!({
            "CiphertextBlob": blob, "SourceEncryptionContext": context,
            "DestinationKeyId": destination, "DestinationEncryptionContext": context,
        });
        let mut moved = kms.ok(ReEncrypt, request).await;
        assert_eq!(
            (&moved["SourceKeyId"], &moved["KeyId"]),
            (&json!(kms.arn(source)), &json!(kms.arn(destination)))
        );
        blob = moved["CiphertextBlob"].take();
        assert_eq!(decrypted(&blob).await, made["Plaintext"]);
    }
    let longest = json!({"KeyId": key, "Plaintext": base64(&[7; 4096])});
    let blob = kms.ok(Encrypt, longest).await["CiphertextBlob"].take();
    let decrypted = kms.ok(Decrypt, json!({"CiphertextBlob": blob})).await;
    assert_eq!(decrypted["Plaintext"], base64(&[7; 4096]));
}

#[tokio::test]
async fn what_hsms_answer_instead_is_told() {
    let (_world, kms, _, key) = world().await;
    let blob = encrypt(&kms, &key, json!({})).await;
    let uses = [
        (Encrypt, json!({"KeyId": key, "Plaintext": base64(b"x")})),
        (GenerateDataKey, json!({"KeyId": key, "KeySpec": "AES_128"})),
        (Decrypt, json!({"CiphertextBlob": blob})),
        (ReEncrypt, json!({"CiphertextBlob": blob, "DestinationKeyId": key})),
    ];
    let unreachable = "KMSInvalidStateException: KMS cannot communicate with your CloudHSM cluster";
    for (failure, expected) in [
        (HsmFailure::Unreachable, unreachable),
        (HsmFailure::TimedOut, &format!("{unreachable}: it did not respond in time")),
        (HsmFailure::NoKey, &format!("KMSInvalidStateException: {}", HsmFailure::NoKey)),
        (HsmFailure::Busy, "KMSInternalException: The service had an internal error. Try again."),
        (
            HsmFailure::OverQuota,
            "ThrottlingException: You have exceeded the rate at which you may call KMS. Reduce the frequency of \
             your calls.",
        ),
    ] {
        kms.clusters.fail_keys(Some(failure));
        for (operation, request) in &uses {
            assert_eq!(kms.refused(*operation, request.clone()).await, expected, "{failure:?}");
        }
    }
    // A dry run reaches nobody.
    for (operation, request) in &uses {
        let refused = kms.refused(*operation, with(request.clone(), json!({"DryRun": true}))).await;
        assert_eq!(code(&refused), "DryRunOperationException", "{operation:?}");
    }
    kms.clusters.fail_keys(None);
    kms.clusters.fail(SERIALS[0], Some(ClusterFailure::Network));
    for (operation, request) in &uses {
        kms.ok(*operation, request.clone()).await;
    }
    // Whoever takes the key out of the HSMs leaves its state alone.
    kms.clusters.empty(SERIALS[1]);
    assert_eq!(shown_state(&kms, &key).await, (json!("Enabled"), json!(true)));
    for (operation, request) in uses {
        assert_eq!(code(&kms.refused(operation, request).await), "KMSInvalidStateException");
    }
}

#[tokio::test]
async fn what_such_keys_do_not_do_is_refused_connected_or_not() {
    let (_world, kms, store, key) = world().await;
    let expected = format!(
        "UnsupportedOperationException: {} origin is AWS_CLOUDHSM which is not valid for this operation.",
        kms.arn(&key)
    );
    let named = json!({"KeyId": key});
    let cases: [(Operation, Value); 10] = [
        (GenerateDataKeyPair, json!({"KeyId": key, "KeyPairSpec": "RSA_2048"})),
        (GenerateDataKeyPairWithoutPlaintext, json!({"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"})),
        (EnableKeyRotation, named.clone()),
        (DisableKeyRotation, named.clone()),
        (GetKeyRotationStatus, named.clone()),
        (ListKeyRotations, named.clone()),
        (RotateKeyOnDemand, named.clone()),
        (DeleteImportedKeyMaterial, named.clone()),
        (
            GetParametersForImport,
            json!({"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}),
        ),
        (ReplicateKey, json!({"KeyId": key, "ReplicaRegion": "us-east-1"})),
    ];
    for is_connected in [true, false] {
        if !is_connected {
            disconnect(&kms, &store).await;
        }
        for (operation, request) in &cases {
            assert_eq!(kms.refused(*operation, request.clone()).await, expected, "{operation:?}");
        }
    }
}

#[tokio::test]
async fn a_key_is_unavailable_while_its_store_is_not_connected_and_then_what_it_was() {
    let (world, kms, store, key) = world().await;
    let encrypt = json!({"KeyId": key, "Plaintext": base64(b"text")});
    kms.ok(DisconnectCustomKeyStore, json!({"CustomKeyStoreId": store})).await;
    let unavailable = format!("KMSInvalidStateException: {} is unavailable.", kms.arn(&key));
    assert_eq!(kms.refused(Encrypt, encrypt.clone()).await, unavailable);
    assert_eq!(shown_state(&kms, &key).await, (json!("Unavailable"), json!(false)));
    kms.settle_key_stores().await;
    kms.ok(DisableKey, json!({"KeyId": key})).await;
    assert_eq!(kms.refused(Encrypt, encrypt.clone()).await, unavailable, "before it is disabled");
    connect(&kms, &store).await;
    assert_eq!(shown_state(&kms, &key).await, (json!("Disabled"), json!(false)));
    let disabled = format!("DisabledException: {} is disabled.", kms.arn(&key));
    assert_eq!(kms.refused(Encrypt, encrypt.clone()).await, disabled);
    kms.ok(EnableKey, json!({"KeyId": key})).await;
    kms.ok(Encrypt, encrypt.clone()).await;
    // That it is to be deleted is told first; a deletion that is cancelled leaves it disabled, with its key in the HSMs.
    disconnect(&kms, &store).await;
    kms.schedule_deletion(&key).await;
    let pending = format!("KMSInvalidStateException: {} is pending deletion.", kms.arn(&key));
    assert_eq!(kms.refused(Encrypt, encrypt.clone()).await, pending);
    kms.ok(CancelKeyDeletion, json!({"KeyId": key})).await;
    assert_eq!(shown_state(&kms, &key).await.0, "Unavailable");
    connect(&kms, &store).await;
    assert_eq!(shown_state(&kms, &key).await.0, "Disabled");
    kms.ok(EnableKey, json!({"KeyId": key})).await;
    // After a restart nobody is logged in until a job has seen to it.
    let kms = kms.restart().await;
    world.register(&kms);
    let unreachable = format!("KMSInvalidStateException: {}", HsmFailure::Unreachable);
    assert_eq!(kms.refused(Encrypt, encrypt.clone()).await, unreachable);
    kms.settle_key_stores().await;
    kms.ok(Encrypt, encrypt).await;
}

/// `additionalEventData` of the last event of a name.
fn additional(kms: &TestKms, event: &str) -> Value {
    let mut records = kms.records();
    let last = records.iter_mut().rfind(|record| record["eventName"] == event);
    last.expect("an event of this name")["additionalEventData"].take()
}

#[tokio::test]
async fn a_deleted_key_is_destroyed_in_every_hsm_or_orphaned() {
    let world = HsmWorld::new();
    let kms = world.kms().await.with_trail().await;
    world.register(&kms);
    let store = world.connected(&kms).await;
    let key = kms.create_key_with(wanted(&store)).await;
    let created = additional(&kms, "CreateKey");
    assert_eq!(created["hsmSerials"], json!(SERIALS));
    let backing_key = created["backingKey"].as_str().unwrap().to_owned();
    let id = backing_key.split('"').nth(3).unwrap();
    assert_eq!((backing_key.as_str(), id.len()), (&*format!("{{\"backingKeyId\":\"{id}\"}}"), 32));
    let blob = encrypt(&kms, &key, json!({})).await;
    let place =
        json!({"customKeyStoreId": store, "clusterId": CLUSTER, "backingKeys": format!("[{backing_key}]")});
    let orphan = kms.create_key_with(wanted(&store)).await;
    kms.schedule_deletion(&key).await;
    assert_eq!(additional(&kms, "ScheduleKeyDeletion"), place);
    kms.clock.advance_days(8);
    assert_eq!(kms.run_jobs().await.deleted, 1);
    kms.settle_key_stores().await;
    let left = kms.arn(&orphan);
    assert_eq!(hsm_keys(&kms), [[&*left], [&*left]]);
    let status =
        |what: &str, id: &str| format!("[{{\"backingKeyId\":\"{id}\",\"deletionStatus\":\"{what}\"}}]");
    let statuses = json!({"backingKeysDeletionStatus": status("SUCCESS", id), "hsmSerials": SERIALS});
    assert_eq!(additional(&kms, "DeleteKey"), with(place, statuses));
    // Its blob is one of no key any more.
    let decrypt = json!({"CiphertextBlob": blob});
    assert_eq!(code(&kms.refused(Decrypt, decrypt).await), "AccessDeniedException");

    kms.schedule_deletion(&orphan).await;
    disconnect(&kms, &store).await;
    let delete = json!({"CustomKeyStoreId": store});
    let refused = kms.refused(DeleteCustomKeyStore, delete.clone()).await;
    assert_eq!(code(&refused), "CustomKeyStoreHasCMKsException");
    kms.clock.advance_days(8);
    assert_eq!(kms.run_jobs().await.deleted, 1);
    kms.settle_key_stores().await;
    assert_eq!(hsm_keys(&kms), [[&*left], [&*left]]);
    let deleted = additional(&kms, "DeleteKey");
    let id = deleted["backingKeys"].as_str().unwrap().split('"').nth(3).unwrap();
    assert_eq!(deleted["backingKeysDeletionStatus"], status("FAILURE", id));
    assert_eq!((&deleted["hsmSerials"], &deleted["orphanedHsmSerials"]), (&Value::Null, &json!(SERIALS)));
    connect(&kms, &store).await;
    kms.settle_key_stores().await;
    assert_eq!(hsm_keys(&kms), [[&*left], [&*left]], "nobody tries again");
    disconnect(&kms, &store).await;
    kms.ok(DeleteCustomKeyStore, delete).await;
}

/// A connected key store, a key in it, and a key of trent's own, with a trail.
async fn recorded() -> (HsmWorld, TestKms, String, [String; 2]) {
    let world = HsmWorld::new();
    let kms = world.kms().await.with_trail().await;
    world.register(&kms);
    let store = world.connected(&kms).await;
    let keys = [kms.create_key_with(wanted(&store)).await, kms.create_key().await];
    (world, kms, store, keys)
}

#[tokio::test]
async fn the_trail_names_the_hsm_that_did_it() {
    let (_world, kms, store, [key, _]) = recorded().await;
    let [first, second] = SERIALS;
    let by_first = json!({"customKeyStoreId": store, "hsmSerial": first});
    let uses = [
        (Encrypt, json!({"KeyId": key, "Plaintext": base64(b"x")})),
        (GenerateDataKey, json!({"KeyId": key, "KeySpec": "AES_256"})),
        (GenerateDataKeyWithoutPlaintext, json!({"KeyId": key, "KeySpec": "AES_256"})),
    ];
    for (operation, request) in &uses {
        kms.ok(*operation, request.clone()).await;
        assert_eq!(additional(&kms, operation.name()), by_first);
    }
    let blob = encrypt(&kms, &key, json!({})).await;
    let decrypt = json!({"CiphertextBlob": blob});
    kms.ok(Decrypt, decrypt.clone()).await;
    assert_eq!(additional(&kms, "Decrypt"), by_first);
    // That a ciphertext is invalid is what an HSM says; of one that is none no HSM is asked.
    let invalid = "InvalidCiphertextException";
    let other = with(decrypt.clone(), json!({"EncryptionContext": {"a": "b"}}));
    assert_eq!(kms.refused(Decrypt, other).await, invalid);
    assert_eq!(additional(&kms, "Decrypt"), by_first);
    let cut = json!({"CiphertextBlob": base64(&bytes(&blob)[..40])});
    assert_eq!(kms.refused(Decrypt, cut).await, invalid);
    assert_eq!(additional(&kms, "Decrypt"), Value::Null);
    let random = json!({"NumberOfBytes": 20, "CustomKeyStoreId": store});
    kms.ok(GenerateRandom, random.clone()).await;
    assert_eq!(additional(&kms, "GenerateRandom"), json!({"hsmSerial": first}));

    // With one of them away it is the other.
    kms.clusters.fail(first, Some(ClusterFailure::NoHsm));
    for (operation, request) in [&uses[..], &[(Decrypt, decrypt), (GenerateRandom, random)]].concat() {
        kms.ok(operation, request).await;
        assert_eq!(additional(&kms, operation.name())["hsmSerial"], second, "{operation:?}");
    }
    // Nobody did what failed.
    kms.clusters.fail_keys(Some(HsmFailure::TimedOut));
    let (operation, request) = uses[0].clone();
    kms.refused(operation, request).await;
    assert_eq!(additional(&kms, "Encrypt"), json!({"customKeyStoreId": store}));
}

#[tokio::test]
async fn the_trail_names_both_hsms_of_a_re_encryption_and_where_a_key_was_destroyed() {
    let (_world, kms, store, [key, plain]) = recorded().await;
    let [first, second] = SERIALS;
    let blob = encrypt(&kms, &key, json!({})).await;
    let re_encrypt = |blob: &Value, to: &str| json!({"CiphertextBlob": blob, "DestinationKeyId": to});
    let plain_blob = kms.ok(ReEncrypt, re_encrypt(&blob, &plain)).await["CiphertextBlob"].take();
    let of_re_encrypt = |kms: &TestKms| {
        let mut members = additional(kms, "ReEncrypt");
        ["customKeyStoreId", "hsmSerial", "destinationHsmSerial"].map(|name| members[name].take())
    };
    assert_eq!(of_re_encrypt(&kms), [json!(store), json!(first), Value::Null]);
    kms.ok(ReEncrypt, re_encrypt(&plain_blob, &key)).await;
    assert_eq!(of_re_encrypt(&kms), [json!(store), Value::Null, json!(first)]);
    kms.ok(ReEncrypt, re_encrypt(&blob, &key)).await;
    assert_eq!(of_re_encrypt(&kms), [json!(store), json!(first), json!(first)]);

    // It is destroyed where that is possible.
    kms.clusters.fail(first, Some(ClusterFailure::NoHsm));
    kms.schedule_deletion(&key).await;
    kms.clock.advance_days(8);
    assert_eq!(kms.run_jobs().await.deleted, 1);
    kms.settle_key_stores().await;
    let deleted = additional(&kms, "DeleteKey");
    assert_eq!(
        (&deleted["hsmSerials"], &deleted["orphanedHsmSerials"]),
        (&json!([second]), &json!([first])),
        "{deleted}"
    );
    kms.ok(Encrypt, json!({"KeyId": plain, "Plaintext": base64(b"x")})).await;
    assert_eq!(additional(&kms, "Encrypt").get("hsmSerial"), None);
}
