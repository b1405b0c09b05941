//! Keys in CloudHSM key stores on SoftHSM tokens, with the ways that modules have with IVs, and with modules that fail.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trent_softhsm::{MODULE, Shim};

use crate::hsm::{CLUSTER, PASSWORD, PATIENCE, World, connect, start};
use crate::support::{Ask, Server};

/// What an operation answers once it succeeds: after a start, and after a worker has died, a job logs in again.
#[track_caller]
pub(crate) fn once(server: &Server, operation: &str, request: &Value) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let (status, answer) = server.call(operation, request);
        if status == 200 {
            return answer;
        }
        assert!(Instant::now() < until, "{answer}: {}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[track_caller]
pub(crate) fn create_key(server: &Server, wanted: &Value) -> Value {
    once(server, "CreateKey", wanted)["KeyMetadata"].take()
}

#[test]
fn keys_are_in_the_tokens_and_work_there_alone() {
    let world = World::new(&[Some(PASSWORD), Some(PASSWORD)]);
    let data = tempfile::tempdir().unwrap();
    // These tokens share nothing, so that a key which is made in one of them is of no use.
    let (server, id) =
        world.connected(data.path(), &world.configure(Path::new(MODULE), "replication = 'shared'\n"));
    let wanted = json!({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": id});
    let (status, refused) = server.call("CreateKey", &wanted);
    assert_eq!((status, &refused["__type"]), (500, &json!("DependencyTimeoutException")), "{}", server.log());
    server.stop();

    let config = world.configure(Path::new(MODULE), "replication = 'oaep_transfer'\n");
    let server = start(data.path(), &config);
    let key = create_key(&server, &wanted);
    assert_eq!((&key["KeyState"], &key["CloudHsmClusterId"]), (&json!("Enabled"), &json!(CLUSTER)));
    let (id, context) = (&key["KeyId"], json!({"tenant": "17"}));
    let encrypt = json!({"KeyId": id, "Plaintext": "c2VjcmV0", "EncryptionContext": context});
    let decrypts = |blob: &Value| {
        let decrypt = json!({"CiphertextBlob": blob, "EncryptionContext": context});
        assert_eq!(server.ok("Decrypt", &decrypt)["Plaintext"], "c2VjcmV0");
        let (status, refused) = server.call("Decrypt", &json!({"CiphertextBlob": blob}));
        assert_eq!((status, &refused["__type"]), (400, &json!("InvalidCiphertextException")));
    };
    // Each of them in one token, and then in the other.
    let blobs: Vec<_> = (0..4).map(|_| server.ok("Encrypt", &encrypt)["CiphertextBlob"].take()).collect();
    for _ in 0..2 {
        blobs.iter().for_each(decrypts);
    }
    for objects in world.objects() {
        assert_eq!(objects.matches("Secret Key Object").count(), 1, "{objects}");
        assert!(objects.contains(key["Arn"].as_str().unwrap()) && objects.contains("sensitive"), "{objects}");
        assert!(!objects.contains("extract") || objects.contains("never extractable"), "{objects}");
    }
    world.tokens.remove(0);
    blobs.iter().for_each(decrypts);
    let (status, refused) = server.call("CreateKey", &wanted);
    let invalid = json!("CloudHsmClusterInvalidConfigurationException");
    assert_eq!((status, &refused["__type"]), (400, &invalid), "{}", server.log());
    server.stop();
}

#[test]
fn blobs_open_whoever_chose_their_ivs() {
    let world = World::new(&[Some(PASSWORD), Some(PASSWORD)]);
    let (shim, data) = (Shim::new(&world.tokens), tempfile::tempdir().unwrap());
    let mut ids = None;
    let mut blobs = Vec::new();
    for mode in ["caller", "zero_in_place", "appended"] {
        let lines = format!("replication = 'oaep_transfer'\ngcm_iv = '{mode}'\n");
        let server = start(data.path(), &world.configure(shim.module(), &lines));
        let (key, _) = ids.get_or_insert_with(|| {
            let store = world.create(&server, PASSWORD);
            assert_eq!(connect(&server, &store), "CONNECTED");
            let wanted = json!({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store});
            (create_key(&server, &wanted)["KeyId"].take(), store)
        });
        let encrypt = json!({"KeyId": key, "Plaintext": "c2VjcmV0"});
        if mode != "caller" {
            // A module that takes zeros, or nothing, for an IV: nobody gets what it has made.
            let until = Instant::now() + PATIENCE;
            while !server.log().contains("the module does not treat the IV as configured") {
                let (status, refused) = server.call("Encrypt", &encrypt);
                assert_eq!((status, &refused["__type"]), (400, &json!("KMSInvalidStateException")));
                assert!(Instant::now() < until, "{}", server.log());
            }
            shim.order("C_EncryptInit", "own-iv");
        }
        let made: Vec<_> =
            (0..3).map(|_| once(&server, "Encrypt", &encrypt)["CiphertextBlob"].take()).collect();
        blobs.extend(made);
        for blob in &blobs {
            assert_eq!(server.ok("Decrypt", &json!({"CiphertextBlob": blob}))["Plaintext"], "c2VjcmV0");
        }
        server.stop();
        if mode != "caller" {
            shim.revoke("C_EncryptInit");
        }
    }
    let texts: std::collections::BTreeSet<_> = blobs.iter().map(|blob| blob.as_str().unwrap()).collect();
    assert_eq!(texts.len(), 9);
}

#[test]
fn what_modules_do_wrong_with_keys_is_told_and_leaves_nothing() {
    let world = World::new(&[Some(PASSWORD), Some(PASSWORD)]);
    let (shim, data) = (Shim::new(&world.tokens), tempfile::tempdir().unwrap());
    let (server, store) =
        world.connected(data.path(), &world.configure(shim.module(), "replication = 'oaep_transfer'\n"));
    let wanted = json!({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store});
    // In the first token, and on the way to the second one, when the first has it already.
    for function in ["C_GenerateKey", "C_UnwrapKey"] {
        shim.order(function, "fail 30");
        let (status, refused) = server.call("CreateKey", &wanted);
        assert_eq!((status, &refused["__type"]), (500, &json!("KMSInternalException")), "{function}");
        shim.revoke(function);
    }
    // A worker that hangs is killed, and what it was at is undone by the next one.
    shim.order("C_UnwrapKey", "hang");
    let (status, refused) = server.call("CreateKey", &wanted);
    assert_eq!((status, &refused["__type"]), (500, &json!("DependencyTimeoutException")), "{}", server.log());
    shim.revoke("C_UnwrapKey");
    let key = create_key(&server, &wanted);
    let encrypt = json!({"KeyId": key["KeyId"], "Plaintext": "c2VjcmV0"});
    let decrypt = json!({"CiphertextBlob": once(&server, "Encrypt", &encrypt)["CiphertextBlob"]});
    for (function, order, operation, request) in [
        ("C_Encrypt", "fail 30", "Encrypt", &encrypt),
        ("C_EncryptInit", "crash", "Encrypt", &encrypt),
        ("C_DecryptInit", "fail 30", "Decrypt", &decrypt),
        ("C_DecryptInit", "crash", "Decrypt", &decrypt),
    ] {
        once(&server, operation, request);
        shim.order(function, order);
        let (status, refused) = server.call(operation, request);
        let told = (status, refused["__type"].as_str().unwrap(), refused["message"].as_str().unwrap());
        let text = "KMS cannot communicate with your CloudHSM cluster";
        assert_eq!(told, (400, "KMSInvalidStateException", text), "{function} {order}: {}", server.log());
        shim.revoke(function);
    }
    once(&server, "Decrypt", &decrypt);
    // From here on the password is another one, so that no other worker could log in.
    let until = Instant::now() + PATIENCE;
    while world.objects().iter().any(|objects| objects.matches("Secret Key Object").count() != 1) {
        assert!(Instant::now() < until, "{:?} {}", world.objects(), server.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    server.stop();
}
