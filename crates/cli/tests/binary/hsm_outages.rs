//! What happens to HSMs, under load: they go and come back, hang, crash; and the server is killed while it connects to them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trent_softhsm::Shim;
use trent_testkit::{Client, Signer};

use crate::hsm::{CLUSTER, PASSWORD, PATIENCE, World, connect, named, start, state};
use crate::support::{ACCESS_KEY, Ask, SECRET, Server, serve};

const OTHER_CLUSTER: &str = "cluster-765zyxwvuTS";
const SETTINGS: &str = "replication = 'oaep_transfer'\n[jobs]\ninterval_seconds = 1\n";

/// A key in a key store that is connected; both are new.
fn key_in(server: &Server, store: &str) -> Value {
    assert_eq!(connect(server, store), "CONNECTED", "{}", server.log());
    let made = server.ok("CreateKey", &json!({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store}));
    made["KeyMetadata"]["KeyId"].clone()
}

/// What came of the requests of several callers that encrypt and decrypt with a key, one after the other.
#[derive(Default)]
struct Load {
    answers: Mutex<Answers>,
    stop: AtomicBool,
}

#[derive(Default)]
struct Answers {
    /// Milliseconds of those that succeeded.
    good: Vec<f64>,
    /// How often each error was answered.
    bad: BTreeMap<String, usize>,
}

impl Answers {
    fn quantile(&self, of: f64) -> f64 {
        let mut sorted = self.good.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get((sorted.len() as f64 * of) as usize).copied().unwrap_or_default()
    }

    /// How many were good, their median, and the 99th percentile.
    fn shown(&self) -> String {
        let (median, slow) = (self.quantile(0.5), self.quantile(0.99));
        format!("{} good, median {median:.1} ms, p99 {slow:.1} ms; {:?}", self.good.len(), self.bad)
    }
}

impl Load {
    /// Calls until it is told to stop.
    fn call(&self, kms: SocketAddr, key: &Value) {
        let mut client = Client::new(kms, Signer::new(ACCESS_KEY, SECRET));
        let mut blob = None;
        while !self.stop.load(Ordering::Relaxed) {
            let (operation, body) = match &blob {
                None => ("Encrypt", json!({"KeyId": key, "Plaintext": "c2VjcmV0"})),
                Some(blob) => ("Decrypt", json!({"CiphertextBlob": blob})),
            };
            let begun = Instant::now();
            let (status, mut answer) = client.call(operation, &body).unwrap();
            let mut answers = self.answers.lock().unwrap();
            if status == 200 {
                answers.good.push(begun.elapsed().as_secs_f64() * 1000.0);
                blob = blob.is_none().then(|| answer["CiphertextBlob"].take());
            } else {
                let text = answer["message"].as_str().unwrap_or_default();
                let error = format!("{}: {text}", answer["__type"].as_str().unwrap());
                *answers.bad.entry(error).or_default() += 1;
            }
        }
    }

    /// What has come of them since the last time.
    fn take(&self) -> Answers {
        std::mem::take(&mut self.answers.lock().unwrap())
    }

    /// Waits until this is so of what has come since.
    #[track_caller]
    fn wait(&self, server: &Server, what: impl Fn(&Answers) -> bool) -> Answers {
        let until = Instant::now() + PATIENCE;
        loop {
            if what(&self.answers.lock().unwrap()) {
                return self.take();
            }
            if Instant::now() > until {
                // Else those who call would go on for ever.
                self.stop.store(true, Ordering::Relaxed);
                panic!("{}\n{}", self.take().shown(), server.log());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for so many that succeed, and fails with any that does not.
    #[track_caller]
    fn good(&self, server: &Server, number: usize) -> Answers {
        let all = self.wait(server, |answers| answers.good.len() >= number || !answers.bad.is_empty());
        if !all.bad.is_empty() {
            self.stop.store(true, Ordering::Relaxed);
            panic!("{}\n{}", all.shown(), server.log());
        }
        all
    }

    /// Runs `body` while `callers` call with the key.
    fn while_calling<T>(server: &Server, key: &Value, callers: usize, body: impl FnOnce(&Self) -> T) -> T {
        let (load, kms) = (Self::default(), server.kms);
        thread::scope(|scope| {
            for _ in 0..callers {
                scope.spawn(|| load.call(kms, key));
            }
            let done = body(&load);
            load.stop.store(true, Ordering::Relaxed);
            done
        })
    }
}

#[test]
fn tokens_that_go_cost_no_request_and_are_used_again_when_they_come_back() {
    let world = World::new(&[Some(PASSWORD), Some(PASSWORD)]);
    let shim = Shim::new(&world.tokens);
    let data = tempfile::tempdir().unwrap();
    let server = start(data.path(), &world.configure(shim.module(), SETTINGS));
    let store = world.create(&server, PASSWORD);
    let key = key_in(&server, &store);
    let serials = [0, 1].map(|index| world.tokens.serial(index));
    let both = |order: &dyn Fn(&str)| serials.iter().for_each(|serial| order(serial));
    let remove = |serial: &str| shim.order_token(serial, "fail e0");
    let put_back = |serial: &str| shim.revoke_token(serial);
    Load::while_calling(&server, &key, 4, |load| {
        for round in ["a module that sees them come back", "a module that does not"] {
            println!("{round}: {}", load.good(&server, 100).shown());
            remove(serials[0]);
            println!("one of two is gone: {}", load.good(&server, 100).shown());
            remove(serials[1]);
            let gone = load.wait(&server, |answers| answers.bad.values().sum::<usize>() >= 20);
            let errors: Vec<_> = gone.bad.keys().collect();
            println!("both are gone: {errors:?}");
            let documented = "KMSInvalidStateException: KMS cannot communicate with your CloudHSM cluster";
            assert!(errors.iter().all(|error| error.starts_with(documented)), "{errors:?}");
            assert_eq!(state(&server, &store), "CONNECTED");
            let before = serials.map(|serial| returns(&server, serial));
            let begun = Instant::now();
            both(&put_back);
            load.wait(&server, |answers| !answers.good.is_empty());
            println!("requests succeed again after {} ms", begun.elapsed().as_millis());
            for (serial, before) in serials.iter().zip(before) {
                wait_for_return(&server, serial, before);
            }
            println!("both are back after {} ms", begun.elapsed().as_millis());
            // What was on its way when they were gone has been answered.
            load.wait(&server, |answers| answers.good.len() >= 20);
            // The first that went does alone.
            remove(serials[1]);
            println!("the other of two is gone: {}", load.good(&server, 100).shown());
            let before = returns(&server, serials[1]);
            put_back(serials[1]);
            wait_for_return(&server, serials[1], before);
            shim.forget_slots();
        }
        // One that takes the worker along costs time, and no request either: those that were asked beside it are asked again.
        for order in ["hang", "crash"] {
            load.take();
            let before = left_alone(&server, serials[0]);
            shim.order_token(serials[0], order);
            let until = Instant::now() + PATIENCE;
            while left_alone(&server, serials[0]) <= before && Instant::now() < until {
                thread::sleep(Duration::from_millis(20));
            }
            println!("one of two: {order}: {}", load.good(&server, 100).shown());
            let before = returns(&server, serials[0]);
            shim.revoke_token(serials[0]);
            wait_for_return(&server, serials[0], before);
        }
    });
    server.stop();
}

/// How often the log says of a token that it is left alone.
fn left_alone(server: &Server, serial: &str) -> usize {
    let log = server.log();
    log.lines().filter(|line| line.contains(serial) && line.contains("left alone")).count()
}

/// How often the log says of a token that it works again.
pub(crate) fn returns(server: &Server, serial: &str) -> usize {
    let log = server.log();
    let of = log.lines().filter(|line| line.contains(serial));
    of.filter(|line| line.contains("an HSM is back") || line.contains("an HSM works again")).count()
}

#[track_caller]
pub(crate) fn wait_for_return(server: &Server, serial: &str, before: usize) {
    let until = Instant::now() + PATIENCE;
    while returns(server, serial) <= before {
        assert!(Instant::now() < until, "{serial}: {}", server.log());
        thread::sleep(Duration::from_millis(20));
    }
}

/// The configuration of two worlds, each with a cluster of its own.
fn configure_both(one: &World, module: &Path, other: &World) -> std::path::PathBuf {
    let file = one.configure(module, "replication = 'oaep_transfer'\n");
    let second = other.configure(Path::new(trent_softhsm::MODULE), SETTINGS);
    let second = std::fs::read_to_string(second).unwrap().replace(CLUSTER, OTHER_CLUSTER);
    let second = second.split_once("[[hsm.cluster]]").unwrap().1;
    let both = format!("{}\n[[hsm.cluster]]{second}", std::fs::read_to_string(&file).unwrap());
    std::fs::write(&file, both).unwrap();
    file
}

#[test]
fn a_module_that_hangs_or_crashes_harms_no_other_store_and_no_plain_key() {
    let pins = [Some(PASSWORD), Some(PASSWORD)];
    let (world, other) = (World::new(&pins), World::new(&pins));
    let shim = Shim::new(&world.tokens);
    let data = tempfile::tempdir().unwrap();
    let server = start(data.path(), &configure_both(&world, shim.module(), &other));
    let store = world.create(&server, PASSWORD);
    let key = key_in(&server, &store);
    let (_, made) = server.call("CreateCustomKeyStore", &other.request("other", OTHER_CLUSTER, PASSWORD));
    let other_key = key_in(&server, made["CustomKeyStoreId"].as_str().unwrap());
    let plain = server.ok("CreateKey", &json!({}))["KeyMetadata"]["KeyId"].clone();
    let encrypt = json!({"KeyId": key, "Plaintext": "c2VjcmV0"});
    Load::while_calling(&server, &plain, 1, |plain| {
        Load::while_calling(&server, &other_key, 1, |other| {
            let measure = |when: &str| {
                plain.take();
                other.take();
                println!("{when}: plain key: {}", plain.good(&server, 300).shown());
                println!("{when}: other store: {}", other.good(&server, 300).shown());
            };
            Load::while_calling(&server, &key, 2, |load| {
                load.good(&server, 50);
                measure("before");
                for order in ["hang", "crash"] {
                    for function in ["C_EncryptInit", "C_DecryptInit"] {
                        shim.order(function, order);
                    }
                    let bad = load.wait(&server, |answers| !answers.bad.is_empty());
                    println!("{order}: {:?}", bad.bad.keys().collect::<Vec<_>>());
                    measure(order);
                    for function in ["C_EncryptInit", "C_DecryptInit"] {
                        shim.revoke(function);
                    }
                    let begun = Instant::now();
                    load.take();
                    load.wait(&server, |answers| answers.good.len() >= 20);
                    println!("after {order}: works again after {} ms", begun.elapsed().as_millis());
                    assert_eq!(server.call("Encrypt", &encrypt).0, 200, "{}", server.log());
                }
            });
        });
    });
    server.stop();
}

/// Kills the server where it is told to be in a step of connecting, and starts it again.
#[test]
#[cfg_attr(not(debug_assertions), ignore = "release builds do not crash on demand")]
fn a_server_that_is_killed_in_any_step_of_connecting_connects_when_it_is_started_again() {
    let world = World::new(&[Some(PASSWORD), Some(PASSWORD)]);
    let config = world.configure(Path::new(trent_softhsm::MODULE), SETTINGS);
    let data = tempfile::tempdir().unwrap();
    let mut store = None;
    for step in ["logged-in-to-hsms", "password-kept", "password-changed", "passwords-changed"] {
        let mut command = serve(data.path());
        let mut server = Server::start(command.arg("--config").arg(&config).env("TRENT_TEST_CRASH_AT", step));
        let id = store.get_or_insert_with(|| world.create(&server, PASSWORD)).clone();
        server.call("ConnectCustomKeyStore", &named(&id));
        assert_eq!(server.wait(), -1, "{step}: {}", server.log());

        let server = start(data.path(), &config);
        assert_eq!(state(&server, &id), "CONNECTED", "{step}: {}", server.log());
        let random = json!({"NumberOfBytes": 16, "CustomKeyStoreId": id});
        assert_eq!(server.call("GenerateRandom", &random).0, 200, "{step}: {}", server.log());
        // Killed again while it is connected, and then disconnected for the next step.
        server.kill();
        let server = start(data.path(), &config);
        let until = Instant::now() + PATIENCE;
        while server.call("GenerateRandom", &random).0 != 200 {
            assert!(Instant::now() < until, "{step}: {}", server.log());
            thread::sleep(Duration::from_millis(50));
        }
        server.ok("DisconnectCustomKeyStore", &named(&id));
        server.kill();
        let server = start(data.path(), &config);
        assert_eq!(state(&server, &id), "DISCONNECTED", "{step}: {}", server.log());
        server.stop();
    }
}
