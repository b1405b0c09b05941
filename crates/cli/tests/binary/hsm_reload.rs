//! Clusters of a configuration that changes while the server runs.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use trent_softhsm::{MODULE, Shim};
use trent_testkit::{Client, Signer};

use crate::hsm::{CLUSTER, PASSWORD, PATIENCE, World, reload};
use crate::hsm_keys::{create_key, once};
use crate::hsm_logins::{CALLERS, encrypt_at_once, workers};
use crate::support::{ACCESS_KEY, Ask, SECRET, Server, exchange};

const OTHER_CLUSTER: &str = "cluster-765zyxwvuTS";

#[test]
fn what_changes_of_a_cluster_is_in_force_at_once_and_nobody_fails_for_it() {
    let world = World::new(&[Some(PASSWORD), Some(PASSWORD)]);
    let (shim, data) = (Shim::new(&world.tokens), tempfile::tempdir().unwrap());
    // It is not the jobs that look for HSMs in time.
    let lines = "replication = 'oaep_transfer'\n[jobs]\ninterval_seconds = 60\n";
    let config = world.configure(Path::new(MODULE), lines);
    let good = std::fs::read_to_string(&config).unwrap();
    let (server, store) = world.connected(data.path(), &config);
    let key = create_key(&server, &json!({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store}));
    let (key, running) = (&key["KeyId"], workers(&server));
    assert_eq!(encrypt_at_once(&server, key), [200; CALLERS], "{}", server.log());

    // Another cluster is registered, and of this one all stays as it is.
    let (_, section) = good.split_once("[[hsm.cluster]]").unwrap();
    let (section, _) = section.split_once("[jobs]").unwrap();
    let both =
        good.replace("[jobs]", &format!("[[hsm.cluster]]{}[jobs]", section.replace(CLUSTER, OTHER_CLUSTER)));
    let request = world.request("other", OTHER_CLUSTER, PASSWORD);
    let create = || server.call("CreateCustomKeyStore", &request).1["__type"].take();
    assert_eq!(create(), "CloudHsmClusterNotFoundException");
    reload(&server, &config, &both);
    // It is known now, as one with the same certificate.
    assert_eq!(create(), "CloudHsmClusterInUseException");
    assert_eq!(encrypt_at_once(&server, key), [200; CALLERS], "{}", server.log());
    assert_eq!(workers(&server), running);

    // Its library is another one: what has been asked is answered, and who comes meanwhile waits until it is logged in to.
    shim.order("C_Login", "wait 500");
    let module = |path: &Path| format!("\nmodule = '{}'", path.display());
    let changed = good.replace(&module(Path::new(MODULE)), &module(shim.module()));
    while_encrypting(server.kms, key, || {
        reload(&server, &config, &changed);
        once(&server, "Encrypt", &json!({"KeyId": key, "Plaintext": "c2VjcmV0"}));
    });
    assert!(workers(&server).iter().all(|worker| !running.contains(worker)), "{}", server.log());
    shim.revoke("C_Login");

    // It is no more, and nobody waits for it; then it is back.
    let (none, _) = good.split_once("[[hsm.cluster]]").unwrap();
    let log_outs = || server.log().matches("HSMs are logged out of").count();
    let (before, until) = (log_outs(), Instant::now() + PATIENCE);
    assert_eq!(told_to_be_up(&server), 2);
    reload(&server, &config, none);
    while log_outs() == before {
        assert!(Instant::now() < until, "{}", server.log());
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(told_to_be_up(&server), 0, "nobody is to be alarmed by what is not there any more");
    let asked = Instant::now();
    assert_eq!(encrypt_at_once(&server, key), [400; CALLERS], "{}", server.log());
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    // Two at once: what one has begun the other ends.
    std::fs::write(&config, &changed).unwrap();
    server.signal(Signal::HUP);
    reload(&server, &config, &good);
    once(&server, "Encrypt", &json!({"KeyId": key, "Plaintext": "c2VjcmV0"}));

    // What is wrong changes nothing.
    let running = workers(&server);
    std::fs::write(&config, good.replace("hsms = ", "pin_format = 'x'\nhsms = ")).unwrap();
    server.signal(Signal::HUP);
    server.wait_for_log("pin_format must have {password} in it, once");
    assert_eq!(encrypt_at_once(&server, key), [200; CALLERS], "{}", server.log());
    assert_eq!(workers(&server), running);
    server.stop();
}

/// Of how many HSMs the metrics say whether they are up.
fn told_to_be_up(server: &Server) -> usize {
    let (_, metrics) = exchange(server.ops, "GET", "/metrics", &[("host", b"ops")], b"");
    metrics.lines().filter(|line| line.starts_with("trent_hsm_up{")).count()
}

/// Does something while many encrypt, none of whom fails.
fn while_encrypting(kms: SocketAddr, key: &Value, what: impl FnOnce()) {
    let (is_over, request) = (AtomicBool::new(false), json!({"KeyId": key, "Plaintext": "c2VjcmV0"}));
    let encrypt = || {
        let (mut client, mut answers) = (Client::new(kms, Signer::new(ACCESS_KEY, SECRET)), Vec::new());
        while !is_over.load(Ordering::Relaxed) {
            answers.push(client.call("Encrypt", &request).unwrap().0);
        }
        answers
    };
    thread::scope(|scope| {
        let callers: Vec<_> = std::iter::repeat_with(|| scope.spawn(encrypt)).take(CALLERS).collect();
        what();
        is_over.store(true, Ordering::Relaxed);
        for answers in callers.into_iter().map(|caller| caller.join().unwrap()) {
            assert!(answers.len() > 1 && answers.iter().all(|status| *status == 200), "{answers:?}");
        }
    });
}
