//! What a cluster is like, by the configuration and in its tokens, is told when a key store is made or connected.

use std::path::Path;

use serde_json::{Value, json};
use trent_softhsm::{MODULE, Shim};

use crate::hsm::{CLUSTER, PASSWORD, World, connect, disconnect, named, reload, start, state};
use crate::support::{Ask, Server, finish, trent};

/// What comes of connecting: the error that is answered, or how the attempt ends.
fn outcome(server: &Server, store: &str) -> String {
    let (status, refused) = server.call("ConnectCustomKeyStore", &named(store));
    if status != 200 {
        assert_eq!((status, state(server, store)), (400, "DISCONNECTED".to_owned()));
        return refused["__type"].as_str().unwrap().to_owned();
    }
    let reached = state(server, store);
    disconnect(server, store);
    reached
}

#[test]
fn what_is_configured_of_a_cluster_is_told_when_it_is_connected() {
    let world = World::new(&[Some(PASSWORD), Some(PASSWORD)]);
    let data = tempfile::tempdir().unwrap();
    let config = world.configure(Path::new(MODULE), "");
    let good = std::fs::read_to_string(&config).unwrap();
    let server = start(data.path(), &config);
    let store = world.create(&server, PASSWORD);
    let invalid = "CloudHsmClusterInvalidConfigurationException";
    let second = "{ id = 'two', availability_zone = 'b'";
    for (from, to, expected) in [
        (CLUSTER, "cluster-another2345", "FAILED CLUSTER_NOT_FOUND"),
        ("hsms = ", "state = 'DELETED'\nhsms = ", "FAILED CLUSTER_NOT_FOUND"),
        ("hsms = ", "state = 'INITIALIZED'\nhsms = ", "CloudHsmClusterNotActiveException"),
        ("token_serial", "state = 'INACTIVE', token_serial", invalid),
        ("hsms = ", "security_group_ok = false\nhsms = ", invalid),
        (second, "{ id = 'two', availability_zone = 'a'", invalid),
        (second, &format!("{second}, deleted = true"), "FAILED SUBNET_NOT_FOUND"),
        (second, &format!("{second}, free_addresses = 0"), "FAILED INSUFFICIENT_FREE_ADDRESSES_IN_SUBNET"),
        ("token_serial = '", "token_serial = 'x", "FAILED INSUFFICIENT_CLOUDHSM_HSMS"),
        (MODULE, "/nowhere/module.so", "FAILED NETWORK_ERRORS"),
        ("hsms = ", "state = 'DEGRADED'\nhsms = ", "CONNECTED"),
    ] {
        let text = good.replace(from, to);
        assert_ne!(text, good);
        reload(&server, &config, &text);
        assert_eq!(outcome(&server, &store), expected, "{to}: {}", server.log());
        assert_eq!(world.tokens.is_pin(0, PASSWORD), expected != "CONNECTED", "{to}");
    }
}

#[test]
fn a_user_without_a_password_in_one_of_the_tokens_is_none() {
    for pins in [[None, None], [Some(PASSWORD), None]] {
        let world = World::new(&pins);
        let data = tempfile::tempdir().unwrap();
        let server = start(data.path(), &world.configure(Path::new(MODULE), ""));
        let store = world.create(&server, PASSWORD);
        assert_eq!(connect(&server, &store), "FAILED USER_NOT_FOUND", "{pins:?}");
        server.stop();
    }
}

#[test]
fn five_wrong_passwords_lock_out_until_somebody_unlocks() {
    let world = World::new(&[Some(PASSWORD), Some(PASSWORD)]);
    let (shim, data) = (Shim::new(&world.tokens), tempfile::tempdir().unwrap());
    let server = start(data.path(), &world.configure(shim.module(), ""));
    let store = world.create(&server, "wrong-password");
    for attempt in 1..=5 {
        assert_eq!(outcome(&server, &store), "FAILED INVALID_CREDENTIALS", "attempt {attempt}");
    }
    let tried = shim.tried_pins();
    assert_eq!(tried.0, tried.1, "all were wrong");
    let right: Value = json!({"CustomKeyStoreId": store, "KeyStorePassword": PASSWORD});
    server.ok("UpdateCustomKeyStore", &right);
    assert_eq!(outcome(&server, &store), "FAILED USER_LOCKED_OUT");
    assert_eq!(shim.tried_pins(), tried, "the right one is not tried");
    let mut unlock = trent(&["admin", "key-store", "unlock", &store, "--data-dir"]);
    assert_eq!(finish(unlock.arg(data.path())).0, 0);
    assert_eq!(outcome(&server, &store), "CONNECTED", "{}", server.log());
    server.stop();
}
