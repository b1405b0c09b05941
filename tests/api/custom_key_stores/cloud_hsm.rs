//! CloudHSM key stores: what a cluster must be, and how a key store comes to be connected to one.

use serde_json::{Value, json};
use trent_domain::key_store::{ClusterFailure, ClusterState, HsmState, RegisteredCluster};
use trent_protocol::Operation::{
    ConnectCustomKeyStore, CreateCustomKeyStore, DeleteCustomKeyStore, DescribeCustomKeyStores,
    DisconnectCustomKeyStore, GenerateRandom, UpdateCustomKeyStore,
};
use trent_service::Options;
use trent_service::admin::{Command, Reply};
use trent_testkit::{CLUSTER, HSM_PASSWORD, HsmWorld, SERIALS, TestKms, trust_anchor as anchor};

use super::{code, connect, create, disconnect, external, shown, state, with};

const PASSWORD: &str = HSM_PASSWORD;

fn named(id: &str) -> Value {
    json!({"CustomKeyStoreId": id})
}

async fn refused(kms: &TestKms, request: Value) -> String {
    let refused = kms.refused(CreateCustomKeyStore, request).await;
    assert_eq!(kms.ok(DescribeCustomKeyStores, json!({})).await["CustomKeyStores"], json!([]));
    code(&refused).to_owned()
}

#[tokio::test]
async fn a_store_shows_its_cluster_and_never_its_password() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let id = world.create(&kms).await;
    let shown = shown(&kms, &id).await;
    assert_eq!(
        with(shown, json!({"CreationDate": null})),
        json!({
            "CustomKeyStoreId": id,
            "CustomKeyStoreName": "hsm",
            "CustomKeyStoreType": "AWS_CLOUDHSM",
            "CloudHsmClusterId": CLUSTER,
            "TrustAnchorCertificate": world.pem,
            "ConnectionState": "DISCONNECTED",
        })
    );
    assert_eq!(kms.clusters.take_tries(), [], "the password is not tried");
}

#[tokio::test]
async fn a_cluster_must_be_as_aws_demands() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let create = async || refused(&kms, world.request()).await;
    HsmWorld::register_all(&kms, Vec::new());
    assert_eq!(create().await, "CloudHsmClusterNotFoundException");
    world.change(&kms, |it| it.account = "999988887777".parse().unwrap());
    assert_eq!(create().await, "CloudHsmClusterNotFoundException");
    world.change(&kms, |it| it.region = "ap-south-1".parse().unwrap());
    assert_eq!(create().await, "CloudHsmClusterNotFoundException");
    for state in [ClusterState::Uninitialized, ClusterState::Initialized, ClusterState::Deleted] {
        world.change(&kms, |it| it.state = state);
        assert_eq!(create().await, "CloudHsmClusterNotActiveException");
    }
    world.change(&kms, |it| it.hsms[1].state = HsmState::Inactive);
    assert_eq!(create().await, "CloudHsmClusterInvalidConfigurationException");
    world.change(&kms, |it| it.hsms[1].availability_zone = it.hsms[0].availability_zone.clone());
    assert_eq!(create().await, "CloudHsmClusterInvalidConfigurationException");
    world.change(&kms, |it| it.security_group_ok = false);
    assert_eq!(create().await, "CloudHsmClusterInvalidConfigurationException");

    world.register(&kms);
    for wrong in [anchor().0, "no certificate".to_owned()] {
        let request = with(world.request(), json!({"TrustAnchorCertificate": wrong}));
        assert_eq!(refused(&kms, request).await, "IncorrectTrustAnchorException");
    }
    let lines = format!("  {}\r\n", world.pem.trim().replace('\n', "\r\n"));
    kms.ok(CreateCustomKeyStore, with(world.request(), json!({"TrustAnchorCertificate": lines}))).await;
}

#[tokio::test]
async fn a_cluster_is_behind_one_store_of_an_account_and_its_relatives_behind_none() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let related = RegisteredCluster { id: "cluster-restoredfrom".to_owned(), ..world.cluster.clone() };
    HsmWorld::register_all(&kms, vec![world.cluster.clone(), related]);
    let id = world.create(&kms).await;
    let create = async |members: Value| {
        let refused = kms.refused(CreateCustomKeyStore, with(world.request(), members)).await;
        code(&refused).to_owned()
    };
    let other = json!({"CustomKeyStoreName": "other"});
    assert_eq!(create(other.clone()).await, "CloudHsmClusterInUseException");
    let restored = with(other, json!({"CloudHsmClusterId": "cluster-restoredfrom"}));
    assert_eq!(create(restored).await, "CloudHsmClusterInUseException");
    assert_eq!(create(json!({"KeyStorePassword": "another1"})).await, "CustomKeyStoreNameInUseException");
    kms.ok(DeleteCustomKeyStore, named(&id)).await;
    world.create(&kms).await;
}

#[tokio::test]
async fn creating_again_with_the_same_values_answers_the_same_store() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let id = world.create(&kms).await;
    for number in 0..9 {
        kms.ok(CreateCustomKeyStore, external(&format!("other-{number}"))).await;
    }
    let count = async || {
        let all = kms.ok(DescribeCustomKeyStores, json!({})).await;
        all["CustomKeyStores"].as_array().unwrap().len()
    };
    assert_eq!((world.create(&kms).await, count().await), (id.clone(), 10));
    let refused = kms.refused(CreateCustomKeyStore, external("one-more")).await;
    assert_eq!(code(&refused), "LimitExceededException");
    kms.ok(DeleteCustomKeyStore, named(&with_name(&kms, "other-0").await)).await;
    connect(&kms, &id).await;
    let again = kms.refused(CreateCustomKeyStore, world.request()).await;
    assert_eq!((code(&again), count().await), ("CustomKeyStoreNameInUseException", 9));
}

async fn with_name(kms: &TestKms, name: &str) -> String {
    let found = kms.ok(DescribeCustomKeyStores, json!({"CustomKeyStoreName": name})).await;
    found["CustomKeyStores"][0]["CustomKeyStoreId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn connecting_changes_the_password_in_every_hsm() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let id = world.create(&kms).await;
    kms.ok(ConnectCustomKeyStore, named(&id)).await;
    assert_eq!(state(&kms, &id).await, "CONNECTING");
    kms.ok(ConnectCustomKeyStore, named(&id)).await;
    assert_eq!(kms.settle_key_stores().await, 1);
    assert_eq!(state(&kms, &id).await, "CONNECTED");
    assert_eq!(kms.clusters.logged_in(&id), SERIALS);
    let [first, second] = SERIALS.map(|serial| kms.clusters.password(serial));
    assert_eq!(first, second);
    assert!(first.len() == 32 && first.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{first}");

    kms.ok(ConnectCustomKeyStore, named(&id)).await;
    assert_eq!(kms.settle_key_stores().await, 0);
    assert_eq!(kms.clusters.password(SERIALS[0]), first, "it is connected already");
    disconnect(&kms, &id).await;
    assert_eq!((state(&kms, &id).await, kms.clusters.logged_in(&id)), ("DISCONNECTED".to_owned(), vec![]));
    kms.clusters.take_tries();
    connect(&kms, &id).await;
    let tries = SERIALS.map(|serial| (serial.to_owned(), first.clone()));
    assert_eq!(kms.clusters.take_tries(), tries, "the one that trent has made is the first to be tried");
    assert_ne!(kms.clusters.password(SERIALS[0]), first);
}

#[tokio::test]
async fn wrong_passwords_count_on_in_the_next_store_of_the_cluster() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    for serial in SERIALS {
        kms.clusters.set_password(serial, "another-1");
    }
    let attempts = async |id: &str, number: usize| {
        let mut states = Vec::new();
        for _ in 0..number {
            connect(&kms, id).await;
            states.push(state(&kms, id).await);
            disconnect(&kms, id).await;
        }
        kms.ok(DeleteCustomKeyStore, json!({"CustomKeyStoreId": id})).await;
        states
    };
    let wrong = "FAILED INVALID_CREDENTIALS";
    assert_eq!(attempts(&world.create(&kms).await, 3).await, [wrong; 3]);
    // Nobody had tried five of them before.
    assert_eq!(attempts(&world.create(&kms).await, 3).await, [wrong, wrong, "FAILED USER_LOCKED_OUT"]);
    let id = world.create(&kms).await;
    kms.service.administer(Command::UnlockKeyStore { id: id.clone() }).await;
    for serial in SERIALS {
        kms.clusters.set_password(serial, PASSWORD);
    }
    assert_eq!(attempts(&id, 1).await, ["CONNECTED"]);
    // What has been right is forgotten.
    for serial in SERIALS {
        kms.clusters.set_password(serial, "another-1");
    }
    assert_eq!(attempts(&world.create(&kms).await, 5).await, [wrong; 5]);
}

#[tokio::test]
async fn a_failure_says_why() {
    use ClusterFailure as Failure;
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let id = world.create(&kms).await;
    let attempt = async || {
        connect(&kms, &id).await;
        let state = state(&kms, &id).await;
        disconnect(&kms, &id).await;
        state
    };
    for (failure, why) in [
        (Failure::NoHsm, "INSUFFICIENT_CLOUDHSM_HSMS"),
        (Failure::Network, "NETWORK_ERRORS"),
        (Failure::UserNotFound, "USER_NOT_FOUND"),
        (Failure::UserLoggedIn, "USER_LOGGED_IN"),
        (Failure::UserLockedOut, "USER_LOCKED_OUT"),
        (Failure::Internal, "INTERNAL_ERROR"),
    ] {
        for serial in SERIALS {
            kms.clusters.fail(serial, Some(failure));
        }
        assert_eq!(attempt().await, format!("FAILED {why}"), "{failure:?}");
    }
    for serial in SERIALS {
        kms.clusters.fail(serial, None);
    }
    HsmWorld::register_all(&kms, Vec::new());
    assert_eq!(attempt().await, "FAILED CLUSTER_NOT_FOUND");
    world.change(&kms, |it| it.state = ClusterState::Deleted);
    assert_eq!(attempt().await, "FAILED CLUSTER_NOT_FOUND");
    world.change(&kms, |it| it.subnets[1].deleted = true);
    assert_eq!(attempt().await, "FAILED SUBNET_NOT_FOUND");
    world.change(&kms, |it| it.subnets[1].free_addresses = 0);
    assert_eq!(attempt().await, "FAILED INSUFFICIENT_FREE_ADDRESSES_IN_SUBNET");
    for other in [anchor().1, Vec::new()] {
        world.change(&kms, |it| it.trust_anchor = other);
        assert_eq!(attempt().await, "FAILED NETWORK_ERRORS");
    }
    world.change(&kms, |it| it.lineage = [8; 32]);
    assert_eq!(attempt().await, "FAILED NETWORK_ERRORS");
    assert!(SERIALS.iter().all(|serial| kms.clusters.password(serial) == PASSWORD));

    world.change(&kms, |it| it.hsms[1].state = HsmState::Inactive);
    assert_eq!(attempt().await, "CONNECTED", "one HSM is enough");
}

#[tokio::test]
async fn what_is_known_without_an_attempt_is_told_at_once() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let id = world.create(&kms).await;
    let connect = async || {
        let refused = kms.refused(ConnectCustomKeyStore, named(&id)).await;
        assert_eq!(state(&kms, &id).await, "DISCONNECTED");
        code(&refused).to_owned()
    };
    world.change(&kms, |it| it.state = ClusterState::Initialized);
    assert_eq!(connect().await, "CloudHsmClusterNotActiveException");
    let changes: [fn(&mut RegisteredCluster); 3] = [
        |it| it.hsms.iter_mut().for_each(|hsm| hsm.state = HsmState::Inactive),
        |it| it.subnets.truncate(1),
        |it| it.security_group_ok = false,
    ];
    for change in changes {
        world.change(&kms, change);
        assert_eq!(connect().await, "CloudHsmClusterInvalidConfigurationException");
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_and_five_of_them_lock_out() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let wrong = with(world.request(), json!({"KeyStorePassword": "wrong-password"}));
    let created = kms.ok(CreateCustomKeyStore, wrong).await;
    let id = created["CustomKeyStoreId"].as_str().unwrap();
    let attempt = async || {
        connect(&kms, id).await;
        let state = state(&kms, id).await;
        if state != "CONNECTED" {
            disconnect(&kms, id).await;
        }
        state
    };
    let password = async |password: &str| {
        let update = json!({"CustomKeyStoreId": id, "KeyStorePassword": password});
        kms.ok(UpdateCustomKeyStore, update).await;
    };
    for _ in 0..4 {
        assert_eq!(attempt().await, "FAILED INVALID_CREDENTIALS");
    }
    password(PASSWORD).await;
    assert_eq!(attempt().await, "CONNECTED");
    disconnect(&kms, id).await;
    password("wrong-password").await;
    for _ in 0..5 {
        assert_eq!(attempt().await, "FAILED INVALID_CREDENTIALS");
    }
    kms.clusters.take_tries();
    let current = kms.clusters.password(SERIALS[0]);
    password(&current).await;
    assert_eq!(attempt().await, "FAILED USER_LOCKED_OUT");
    assert_eq!(kms.clusters.take_tries(), []);
    // Of HSMs that count for themselves.
    world.change(&kms, |it| it.failed_logins_max = 0);
    assert_eq!(attempt().await, "CONNECTED");
    world.register(&kms);
    disconnect(&kms, id).await;
    password("wrong-password").await;
    for _ in 0..5 {
        assert_eq!(attempt().await, "FAILED INVALID_CREDENTIALS");
    }
    let current = kms.clusters.password(SERIALS[0]);
    password(&current).await;
    kms.service.administer(Command::UnlockKeyStore { id: id.to_owned() }).await;
    assert_eq!(attempt().await, "CONNECTED");
}

#[tokio::test]
async fn a_change_that_was_broken_off_is_brought_to_an_end() {
    for after in [0, 1] {
        let world = HsmWorld::new();
        let kms = world.kms().await;
        let id = world.create(&kms).await;
        kms.clusters.break_off_after(Some(after));
        connect(&kms, &id).await;
        assert_eq!(state(&kms, &id).await, "FAILED INTERNAL_ERROR");
        let [first, second] = SERIALS.map(|serial| kms.clusters.password(serial));
        assert_eq!((first != PASSWORD, second.as_str()), (after == 1, PASSWORD));
        let kms = kms.restart().await;
        world.register(&kms);
        disconnect(&kms, &id).await;
        kms.clusters.break_off_after(None);
        connect(&kms, &id).await;
        assert_eq!(state(&kms, &id).await, "CONNECTED");
        assert_eq!(kms.clusters.logged_in(&id), SERIALS);
        let [first, second] = SERIALS.map(|serial| kms.clusters.password(serial));
        assert!(first == second && first != PASSWORD);
        // No other password is left over.
        disconnect(&kms, &id).await;
        kms.clusters.take_tries();
        connect(&kms, &id).await;
        assert_eq!(kms.clusters.take_tries().len(), 2);
    }
}

#[tokio::test]
async fn an_hsm_that_was_away_catches_up() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let id = world.create(&kms).await;
    let again = async || {
        disconnect(&kms, &id).await;
        connect(&kms, &id).await;
        assert_eq!(state(&kms, &id).await, "CONNECTED");
    };
    kms.clusters.fail(SERIALS[1], Some(ClusterFailure::NoHsm));
    connect(&kms, &id).await;
    assert_eq!(kms.clusters.logged_in(&id), SERIALS[..1]);
    again().await;
    assert_eq!(kms.clusters.password(SERIALS[1]), PASSWORD);
    kms.clusters.fail(SERIALS[1], None);
    again().await;
    let [first, second] = SERIALS.map(|serial| kms.clusters.password(serial));
    assert_eq!((first, kms.clusters.logged_in(&id)), (second, SERIALS.map(str::to_owned).to_vec()));

    // One that lets the user in, and does not take the new password.
    kms.clusters.stick(SERIALS[0], true);
    again().await;
    kms.clusters.stick(SERIALS[0], false);
    again().await;
    let [first, second] = SERIALS.map(|serial| kms.clusters.password(serial));
    assert_eq!(first, second);
}

#[tokio::test]
async fn a_connection_that_was_given_up_is_never_connected() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let id = world.create(&kms).await;
    kms.ok(ConnectCustomKeyStore, named(&id)).await;
    kms.clusters.stall(true);
    let jobs = {
        let kms = kms.clone();
        tokio::spawn(async move { kms.settle_key_stores().await })
    };
    tokio::task::yield_now().await;
    kms.ok(DisconnectCustomKeyStore, named(&id)).await;
    kms.clusters.stall(false);
    jobs.await.unwrap();
    kms.settle_key_stores().await;
    assert_eq!((state(&kms, &id).await, kms.clusters.logged_in(&id)), ("DISCONNECTED".to_owned(), vec![]));
    connect(&kms, &id).await;
    assert_eq!(state(&kms, &id).await, "CONNECTED", "whatever password the HSMs have, the record has it too");
}

#[tokio::test]
async fn hsms_that_hang_keep_nobody_waiting() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let (hung, other, key) = (world.create(&kms).await, create(&kms, "other").await, kms.create_key().await);
    kms.ok(ConnectCustomKeyStore, named(&hung)).await;
    kms.clusters.stall(true);
    let settling = {
        let kms = kms.clone();
        tokio::spawn(async move { kms.settle_key_stores().await })
    };
    while !kms.clusters.is_anybody_waiting() {
        tokio::task::yield_now().await;
    }
    // Neither what is due,
    kms.schedule_deletion(&key).await;
    kms.clock.advance_days(8);
    assert_eq!(kms.run_jobs().await.deleted, 1);
    // nor another key store,
    kms.ok(ConnectCustomKeyStore, named(&other)).await;
    assert_eq!(kms.settle_key_stores().await, 1);
    assert_eq!(state(&kms, &other).await, "CONNECTED");
    // nor whoever gives up.
    kms.ok(DisconnectCustomKeyStore, named(&hung)).await;
    assert_eq!(kms.settle_key_stores().await, 0, "another run is still at it, and is told");
    assert_eq!(settling.await.unwrap(), 0);
    kms.service.key_stores_wanted().await;
    assert_eq!(kms.settle_key_stores().await, 1);
    assert_eq!(state(&kms, &hung).await, "DISCONNECTED");
    kms.clusters.stall(false);
    connect(&kms, &hung).await;
    assert_eq!(state(&kms, &hung).await, "CONNECTED");
}

#[tokio::test]
async fn an_attempt_ends_when_its_time_is_over() {
    let world = HsmWorld::new();
    let kms = TestKms::with_options(Options { cluster_connect_seconds: 0, ..Options::default() }).await;
    world.register(&kms);
    let id = world.create(&kms).await;
    kms.clusters.stall(true);
    connect(&kms, &id).await;
    assert_eq!(state(&kms, &id).await, "FAILED NETWORK_ERRORS");
}

#[tokio::test]
async fn a_connected_store_is_logged_in_again_after_a_restart() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let id = world.connected(&kms).await;
    let password = kms.clusters.password(SERIALS[0]);
    let kms = kms.restart().await;
    world.register(&kms);
    assert_eq!(kms.clusters.logged_in(&id), [""; 0]);
    kms.settle_key_stores().await;
    assert_eq!(kms.clusters.logged_in(&id), SERIALS);
    assert_eq!(kms.clusters.password(SERIALS[0]), password, "the password changes when it is connected");

    // Outages never take a store out of its state.
    let kms = kms.restart().await;
    kms.settle_key_stores().await;
    assert_eq!((state(&kms, &id).await, kms.clusters.logged_in(&id)), ("CONNECTED".to_owned(), vec![]));
}

#[tokio::test]
async fn an_hsm_that_comes_back_is_logged_in_to_and_catches_up() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let id = world.create(&kms).await;
    kms.clusters.fail(SERIALS[1], Some(ClusterFailure::NoHsm));
    connect(&kms, &id).await;
    assert_eq!(kms.clusters.logged_in(&id), SERIALS[..1]);
    assert_eq!(kms.clusters.password(SERIALS[1]), PASSWORD);
    kms.settle_key_stores().await;
    assert_eq!(kms.clusters.logged_in(&id), SERIALS[..1]);
    kms.clusters.fail(SERIALS[1], None);
    kms.settle_key_stores().await;
    assert_eq!(kms.clusters.logged_in(&id), SERIALS);
    let [first, second] = SERIALS.map(|serial| kms.clusters.password(serial));
    assert_eq!(first, second);
    // The record knows it: nothing else is tried.
    let kms = kms.restart().await;
    world.register(&kms);
    kms.clusters.take_tries();
    kms.settle_key_stores().await;
    assert_eq!(kms.clusters.take_tries(), SERIALS.map(|serial| (serial.to_owned(), first.clone())));

    // One that lets the user in and does not take the password is behind, and tried with what it has.
    disconnect(&kms, &id).await;
    kms.clusters.fail(SERIALS[1], Some(ClusterFailure::NoHsm));
    connect(&kms, &id).await;
    kms.clusters.fail(SERIALS[1], None);
    kms.clusters.stick(SERIALS[1], true);
    kms.settle_key_stores().await;
    assert_eq!(kms.clusters.logged_in(&id), SERIALS);
    kms.clusters.stick(SERIALS[1], false);
    let kms = kms.restart().await;
    world.register(&kms);
    kms.settle_key_stores().await;
    let [first, second] = SERIALS.map(|serial| kms.clusters.password(serial));
    assert_eq!((first, kms.clusters.logged_in(&id)), (second, SERIALS.map(str::to_owned).to_vec()));
}

#[tokio::test]
async fn wrong_passwords_are_tried_once_until_somebody_unlocks() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let id = world.connected(&kms).await;
    let password = kms.clusters.password(SERIALS[1]);
    kms.clusters.set_password(SERIALS[1], "another1");
    let tries = async |kms: &TestKms| {
        kms.clusters.take_tries();
        for _ in 0..3 {
            kms.settle_key_stores().await;
        }
        let tries = kms.clusters.take_tries();
        tries.into_iter().map(|(serial, _)| serial).collect::<Vec<_>>()
    };
    let restarted = async |kms: TestKms| {
        let kms = kms.restart().await;
        world.register(&kms);
        kms
    };
    let kms = restarted(kms).await;
    assert_eq!(tries(&kms).await, SERIALS);
    // Nor does it need a way to the cluster to be remembered.
    let kms = kms.restart().await;
    HsmWorld::register_all(&kms, Vec::new());
    assert_eq!(tries(&kms).await, [""; 0]);
    let kms = restarted(kms).await;
    assert_eq!(tries(&kms).await, SERIALS[..1]);
    let unlock = async |id: &str| kms.service.administer(Command::UnlockKeyStore { id: id.to_owned() }).await;
    assert!(matches!(unlock("cks-00000000000000000").await, Reply::Refused { .. }));
    kms.clusters.set_password(SERIALS[1], &password);
    assert!(matches!(unlock(&id).await, Reply::Done));
    assert_eq!(tries(&kms).await, SERIALS[1..]);
    assert_eq!(kms.clusters.logged_in(&id), SERIALS);
}

#[tokio::test]
async fn random_bytes_come_from_the_hsms_of_a_connected_store() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let id = world.create(&kms).await;
    let request = |store: &str| json!({"NumberOfBytes": 20, "CustomKeyStoreId": store});
    let refused = async |store: &str| {
        let refused = kms.refused(GenerateRandom, request(store)).await;
        code(&refused).to_owned()
    };
    assert_eq!(refused(&id).await, "CustomKeyStoreInvalidStateException");
    connect(&kms, &id).await;
    let made = async || trent_testkit::bytes(&kms.ok(GenerateRandom, request(&id)).await["Plaintext"]);
    let of = |serial: &str| serial.bytes().cycle().take(20).collect::<Vec<_>>();
    assert_eq!(made().await, of(SERIALS[0]));
    kms.clusters.fail(SERIALS[0], Some(ClusterFailure::Network));
    assert_eq!(made().await, of(SERIALS[1]));
    kms.clusters.fail(SERIALS[1], Some(ClusterFailure::Network));
    assert_eq!(refused(&id).await, "KMSInternalException");
    assert_eq!(refused("cks-00000000000000000").await, "CustomKeyStoreNotFoundException");
    disconnect(&kms, &id).await;
    assert_eq!(refused(&id).await, "CustomKeyStoreInvalidStateException");
}

#[tokio::test]
async fn a_store_moves_to_a_related_cluster_while_it_is_disconnected() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let related = RegisteredCluster { id: "cluster-restoredfrom".to_owned(), ..world.cluster.clone() };
    let unrelated =
        RegisteredCluster { id: "cluster-another2345".to_owned(), lineage: [8; 32], ..world.cluster.clone() };
    let small = RegisteredCluster {
        id: "cluster-small234567".to_owned(),
        hsms: world.cluster.hsms[..1].to_vec(),
        ..world.cluster.clone()
    };
    HsmWorld::register_all(&kms, vec![world.cluster.clone(), related, unrelated, small]);
    let id = world.create(&kms).await;
    let update = |members: Value| with(named(&id), members);
    let refused = async |members: Value| {
        let refused = kms.refused(UpdateCustomKeyStore, update(members)).await;
        code(&refused).to_owned()
    };
    let to = |cluster: &str| json!({"CloudHsmClusterId": cluster});
    assert_eq!(refused(to("cluster-another2345")).await, "CloudHsmClusterNotRelatedException");
    assert_eq!(refused(to("cluster-nowhere2345")).await, "CloudHsmClusterNotFoundException");
    assert_eq!(refused(to("cluster-small234567")).await, "CloudHsmClusterInvalidConfigurationException");
    assert_eq!(refused(json!({"XksProxyUriPath": "/kms/xks/v1"})).await, "ValidationException");
    kms.ok(UpdateCustomKeyStore, update(to("cluster-restoredfrom"))).await;
    assert_eq!(shown(&kms, &id).await["CloudHsmClusterId"], "cluster-restoredfrom");

    connect(&kms, &id).await;
    kms.ok(UpdateCustomKeyStore, update(json!({"NewCustomKeyStoreName": "renamed"}))).await;
    assert_eq!(refused(to(CLUSTER)).await, "CustomKeyStoreInvalidStateException");
    assert_eq!(
        refused(json!({"KeyStorePassword": "password1"})).await,
        "CustomKeyStoreInvalidStateException"
    );
}
