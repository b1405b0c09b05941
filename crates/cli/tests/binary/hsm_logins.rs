//! Logging in to HSMs again: each password that has become wrong is tried once, since the HSMs count that against the user.

use std::path::Path;
use std::process::Command;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trent_softhsm::Shim;
use trent_testkit::{Client, Signer};

use crate::hsm::{PASSWORD, PATIENCE, World, named, start, state};
use crate::hsm_outages::wait_for_return;
use crate::support::{ACCESS_KEY, Ask, SECRET, Server, serve};

pub(crate) const CALLERS: usize = 16;
const SETTINGS: &str = "replication = 'oaep_transfer'\n[jobs]\ninterval_seconds = 1\n";

/// The processes that a server has started.
pub(crate) fn workers(server: &Server) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.id())).unwrap();
    let children = tasks.flatten().map(|task| task.path().join("children"));
    let listed: String = children.filter_map(|file| std::fs::read_to_string(file).ok()).collect();
    listed.split_whitespace().map(str::to_owned).collect()
}

/// Kills all workers of a server, and waits until it has noticed.
fn kill_workers(server: &Server) {
    let running = workers(server);
    assert!(!running.is_empty());
    assert!(Command::new("kill").arg("-KILL").args(&running).status().unwrap().success());
    let until = Instant::now() + PATIENCE;
    while workers(server).iter().any(|worker| running.contains(worker)) {
        assert!(Instant::now() < until, "{}", server.log());
        thread::sleep(Duration::from_millis(10));
    }
}

/// Encrypts with a key, so often at once, and answers the statuses.
pub(crate) fn encrypt_at_once(server: &Server, key: &Value) -> Vec<u16> {
    let (together, request) = (Barrier::new(CALLERS), json!({"KeyId": key, "Plaintext": "c2VjcmV0"}));
    let kms = server.kms;
    thread::scope(|scope| {
        let call = || {
            together.wait();
            Client::new(kms, Signer::new(ACCESS_KEY, SECRET)).call("Encrypt", &request).unwrap().0
        };
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(call)).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    })
}

#[test]
fn a_request_that_comes_right_after_a_start_waits_for_the_login() {
    let world = World::new(&[Some(PASSWORD), Some(PASSWORD)]);
    let (shim, data) = (Shim::new(&world.tokens), tempfile::tempdir().unwrap());
    // As long as the jobs are not run, nobody but the start itself logs in.
    let settings = SETTINGS.replace("interval_seconds = 1", "interval_seconds = 60");
    let config = world.configure(shim.module(), &settings);
    let (server, store) = world.connected(data.path(), &config);
    let made = server.ok("CreateKey", &json!({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store}));
    server.kill();
    shim.order("C_Login", "wait 1000");
    let server = start(data.path(), &config);
    let stores = server.ok("DescribeCustomKeyStores", &json!({"CustomKeyStoreId": store}));
    assert_eq!(stores["CustomKeyStores"][0]["ConnectionState"], "CONNECTED");
    assert_eq!(encrypt_at_once(&server, &made["KeyMetadata"]["KeyId"]), [200; CALLERS], "{}", server.log());
    server.ok("GenerateRandom", &json!({"NumberOfBytes": 16, "CustomKeyStoreId": store}));
    // Where nobody can be let in, nobody waits for ever.
    server.kill();
    shim.order("C_Login", "fail 30");
    let server = start(data.path(), &config);
    assert_eq!(encrypt_at_once(&server, &made["KeyMetadata"]["KeyId"]), [400; CALLERS], "{}", server.log());
    server.stop();
    // And not at all where no way to them is configured any more.
    let (server, asked) = (Server::start(&mut serve(data.path())), Instant::now());
    assert_eq!(encrypt_at_once(&server, &made["KeyMetadata"]["KeyId"]), [400; CALLERS], "{}", server.log());
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    server.stop();
}

#[test]
fn a_password_that_was_changed_behind_trents_back_is_tried_once_however_many_ask() {
    let world = World::new(&[Some(PASSWORD), Some(PASSWORD)]);
    let (shim, data) = (Shim::new(&world.tokens), tempfile::tempdir().unwrap());
    let config = world.configure(shim.module(), SETTINGS);
    let (server, store) = world.connected(data.path(), &config);
    let made = server.ok("CreateKey", &json!({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store}));
    let key = &made["KeyMetadata"]["KeyId"];
    // Slow enough for all to come before the first has its answer.
    shim.order("C_Login", "wait 300");

    // A worker that dies takes all logins along: they log in again, and nobody fails.
    kill_workers(&server);
    assert_eq!(encrypt_at_once(&server, key), [200; CALLERS], "{}", server.log());
    assert_eq!(shim.tried_pins().1, 0);

    world.set_passwords("somebody's");
    assert_eq!(encrypt_at_once(&server, key), [200; CALLERS], "who is logged in stays so");
    kill_workers(&server);
    assert_eq!(encrypt_at_once(&server, key), [400; CALLERS], "{}", server.log());
    assert_eq!(shim.tried_pins().1, 2, "once in each token: {}", server.log());
    assert_eq!(encrypt_at_once(&server, key), [400; CALLERS]);

    // It is in the record, for the next start.
    server.wait_for_log("no password is tried in these HSMs");
    server.kill();
    let server = start(data.path(), &config);
    server.wait_for_log("HSMs of a custom key store cannot be used");
    assert_eq!(encrypt_at_once(&server, key), [400; CALLERS]);
    assert_eq!(shim.tried_pins().1, 2, "{}", server.log());

    // Nobody but a person says that they are right now: then they are tried again.
    let unlocked = Command::new(env!("CARGO_BIN_EXE_trent"))
        .args(["admin", "key-store", "unlock", &store, "--data-dir"])
        .arg(Path::new(data.path()))
        .status();
    assert!(unlocked.unwrap().success());
    let until = Instant::now() + PATIENCE;
    while shim.tried_pins().1 < 4 {
        assert!(Instant::now() < until, "{}", server.log());
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(encrypt_at_once(&server, key), [400; CALLERS]);
    assert_eq!(shim.tried_pins().1, 4, "{}", server.log());
    server.stop();
}

#[test]
fn an_hsm_that_answers_too_late_that_it_has_a_new_password_is_logged_in_to_with_it() {
    let world = World::new(&[Some(PASSWORD), Some(PASSWORD)]);
    let (shim, data) = (Shim::new(&world.tokens), tempfile::tempdir().unwrap());
    let server = start(data.path(), &world.configure(shim.module(), SETTINGS));
    let store = world.create(&server, PASSWORD);
    // Longer than a call may take.
    shim.order("C_SetPIN", "late 20000");
    server.ok("ConnectCustomKeyStore", &named(&store));
    let until = Instant::now() + PATIENCE;
    // Not by trying the password, which SoftHSM writes down: who reads the token meanwhile finds none.
    while !shim.is_obeyed("C_SetPIN") {
        assert!(Instant::now() < until, "{}", server.log());
        thread::sleep(Duration::from_millis(50));
    }
    // The other one answers in time.
    assert_eq!(state(&server, &store), "CONNECTED", "{}", server.log());
    server.wait_for_log("an HSM did not take the new password");
    wait_for_return(&server, world.tokens.serial(0), 0);
    assert!(!world.tokens.is_pin(0, PASSWORD) && !world.tokens.is_pin(1, PASSWORD));
    // The password that it had may have been tried, and once.
    assert!(shim.tried_pins().1 <= 1, "{}", server.log());
    server.ok("CreateKey", &json!({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store}));
    server.stop();
}
