//! Keys that are left in HSMs, and those that are not: callers that hang up, key stores that are disconnected and servers that
//! stop or are killed while a key is made.

use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trent_softhsm::{MODULE, Shim};
use trent_testkit::{Client, Signer, connect as connect_to};

use crate::hsm::{CLUSTER, PASSWORD, PATIENCE, World, connect, named, start, state};
use crate::hsm_keys::once;
use crate::support::{ACCESS_KEY, Ask, SECRET, Server, finish, records, serve, trent};

const SETTINGS: &str = "replication = 'oaep_transfer'\n[jobs]\ninterval_seconds = 1\n";

fn wanted(store: &str) -> Value {
    json!({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store})
}

/// How many keys are in each token.
fn keys(world: &World) -> Vec<usize> {
    world.objects().iter().map(|objects| objects.matches("Secret Key Object").count()).collect()
}

fn orphans(data: &Path, words: &[&str]) -> (i32, String, String) {
    finish(trent(&["admin", "key-store", "orphans", CLUSTER, "--data-dir"]).arg(data).args(words))
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "release builds do not crash on demand")]
fn what_a_killed_server_has_left_is_found_and_destroyed_and_the_rest_stays() {
    let world = World::new(&[Some(PASSWORD), Some(PASSWORD)]);
    let (data, config) = (tempfile::tempdir().unwrap(), world.configure(Path::new(MODULE), SETTINGS));
    // Somebody else's, of whom trent knows nothing.
    let keygen = ["--keygen", "--key-type", "AES:32", "--label", "mine", "--id", &"0a".repeat(16)];
    world.tokens.tool_of(0, PASSWORD, &keygen);
    let (server, store) = world.connected(data.path(), &config);
    let key = server.ok("CreateKey", &wanted(&store))["KeyMetadata"].take();
    let encrypt = json!({"KeyId": key["KeyId"], "Plaintext": "c2VjcmV0"});
    let blob = server.ok("Encrypt", &encrypt)["CiphertextBlob"].take();
    let (code, found, _) = orphans(data.path(), &[]);
    assert_eq!((code, &*found), (0, "Nothing is wrong.\n"));
    server.stop();

    let mut command = serve(data.path());
    let mut server =
        Server::start(command.arg("--config").arg(&config).env("TRENT_TEST_CRASH_AT", "key-made-in-hsms"));
    // After the start the HSMs are logged in to.
    once(&server, "GenerateRandom", &json!({"NumberOfBytes": 16, "CustomKeyStoreId": store}));
    let mut client = Client::new(server.kms, Signer::new(ACCESS_KEY, SECRET));
    assert!(client.call("CreateKey", &wanted(&store)).is_err(), "it has been killed");
    assert_eq!(server.wait(), -1);

    let server = start(data.path(), &config);
    once(&server, "Decrypt", &json!({"CiphertextBlob": blob}));
    // Every HSM has let the user in, or is not looked at.
    let until = Instant::now() + PATIENCE;
    let found = loop {
        let (code, found, stderr) = orphans(data.path(), &["--json"]);
        assert_eq!(code, 0, "{stderr}");
        let found: Value = serde_json::from_str(&found).unwrap();
        if found["unseen"] == json!({}) {
            break found;
        }
        assert!(Instant::now() < until, "{found}");
    };
    let orphan = &found["orphans"][0];
    assert_eq!(found["orphans"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!((&orphan["hsms"], &found["lacking"]), (&json!(["hsm-a", "hsm-b"]), &json!([])), "{found}");
    assert!(orphan["label"].as_str().unwrap().starts_with("arn:aws:kms:") && orphan["label"] != key["Arn"]);
    let id = orphan["id"].as_str().unwrap();
    let (_, shown, _) = orphans(data.path(), &[]);
    assert!(shown.contains(id) && shown.contains(" minutes old  hsm-a hsm-b"), "{shown}");

    // It is younger than an hour; nobody says yes; then somebody does.
    let (code, told, _) = orphans(data.path(), &["--destroy", "--yes"]);
    assert!(code == 1 && told.contains("left: it is younger than 60 minutes"), "{told}");
    let (code, _, asked) = orphans(data.path(), &["--destroy", "--min-age-minutes", "0"]);
    assert!(code == 1 && asked.contains("Destroy these 1 in all HSMs?") && asked.contains(id), "{asked}");
    let (code, told, _) = orphans(data.path(), &["--destroy", "--yes", "--min-age-minutes", "0"]);
    assert!(code == 0 && told.contains(id) && told.contains("destroyed"), "{told}");
    let (code, told, _) = orphans(data.path(), &["--destroy", "--yes", "--min-age-minutes", "0"]);
    assert_eq!((code, &*told), (0, "There is nothing to destroy.\n"));
    once(&server, "Decrypt", &json!({"CiphertextBlob": blob}));
    server.stop();
    assert_eq!(keys(&world), [2, 1]);
    // What came of it is recorded.
    let outcomes = records(data.path(), "DestroyOrphans").into_iter();
    let outcomes: Vec<_> = outcomes.map(|mut record| record["responseElements"].take()).collect();
    assert_eq!(outcomes, [json!({"destroyed": [id], "left": {}})]);
    assert!(world.objects().iter().all(|objects| objects.contains(key["Arn"].as_str().unwrap())));
}

#[test]
fn who_hangs_up_and_who_disconnects_while_a_key_is_made_leaves_nothing() {
    let world = World::new(&[Some(PASSWORD), Some(PASSWORD)]);
    let (shim, data) = (Shim::new(&world.tokens), tempfile::tempdir().unwrap());
    let config = world.configure(shim.module(), SETTINGS);
    // A key that is made takes seconds here, on a busy machine more of them.
    let patient = std::fs::read_to_string(&config).unwrap().replace("call_seconds = 5", "call_seconds = 30");
    std::fs::write(&config, patient).unwrap();
    let (server, store) = world.connected(data.path(), &config);
    // On its way from the first token to the second.
    shim.order("C_UnwrapKey", "wait 3000");
    let kms = server.kms;
    let making = "making a key in HSMs";
    let request = wanted(&store);
    thread::scope(|scope| {
        let caller = scope.spawn(|| {
            let mut client = Client::new(kms, Signer::new(ACCESS_KEY, SECRET));
            client.call("CreateKey", &request).unwrap()
        });
        server.wait_for_log(making);
        server.ok("DisconnectCustomKeyStore", &named(&store));
        let (status, told) = caller.join().unwrap();
        let invalid = json!("CustomKeyStoreInvalidStateException");
        assert_eq!((status, &told["__type"]), (400, &invalid), "{}", server.log());
    });
    assert_eq!(state(&server, &store), "DISCONNECTED");
    assert_eq!(keys(&world), [0, 0], "{}", server.log());

    // What the security officer has set is the password now.
    server.ok("UpdateCustomKeyStore", &json!({"CustomKeyStoreId": store, "KeyStorePassword": PASSWORD}));
    assert_eq!(connect(&server, &store), "CONNECTED", "{}", server.log());
    let before = server.log().matches(making).count();
    let host = kms.to_string();
    let signed = Signer::new(ACCESS_KEY, SECRET).request(&host, "CreateKey", request.to_string().as_bytes());
    let mut stream = connect_to(kms).unwrap();
    stream.write_all(&signed).unwrap();
    let until = Instant::now() + PATIENCE;
    while server.log().matches(making).count() == before {
        assert!(Instant::now() < until, "{}", server.log());
        thread::sleep(Duration::from_millis(5));
    }
    drop(stream);
    // The server does not end before that has ended, either.
    assert_eq!(server.stop(), 0);
    assert_eq!(keys(&world), [0, 0]);
}
