//! CloudHSM key stores: what each state of their connection allows, what is one store's own, and what the trail tells.

use serde_json::{Value, json};
use trent_domain::key_store::{ClusterFailure, ClusterState, RegisteredCluster};
use trent_protocol::Operation::{
    self, ConnectCustomKeyStore, CreateCustomKeyStore, CreateKey, DeleteCustomKeyStore,
    DescribeCustomKeyStores, DisconnectCustomKeyStore, UpdateCustomKeyStore,
};
use trent_testkit::{CLUSTER, HSM_PASSWORD, HsmWorld, SERIALS, TestKms};

use super::{code, connect, disconnect, shown, state, with};

const RELATED: &str = "cluster-restoredfrom";
const STATES: [&str; 5] = ["DISCONNECTED", "CONNECTING", "CONNECTED", "FAILED", "DISCONNECTING"];

fn named(id: &str) -> Value {
    json!({"CustomKeyStoreId": id})
}

fn related_to(cluster: &RegisteredCluster) -> RegisteredCluster {
    RegisteredCluster { id: RELATED.to_owned(), ..cluster.clone() }
}

async fn bring_into(kms: &TestKms, id: &str, wanted: &str) {
    match wanted {
        "DISCONNECTED" => {}
        "CONNECTING" => drop(kms.ok(ConnectCustomKeyStore, named(id)).await),
        "CONNECTED" => connect(kms, id).await,
        "FAILED" => {
            let all = |failure| SERIALS.iter().for_each(|serial| kms.clusters.fail(serial, failure));
            all(Some(ClusterFailure::UserLoggedIn));
            connect(kms, id).await;
            all(None);
        }
        "DISCONNECTING" => {
            connect(kms, id).await;
            kms.ok(DisconnectCustomKeyStore, named(id)).await;
        }
        _ => panic!("no way into state {wanted}"),
    }
    let reached = if wanted == "FAILED" { "FAILED USER_LOGGED_IN" } else { wanted };
    assert_eq!(state(kms, id).await, reached);
}

#[tokio::test]
async fn each_state_of_a_connection_allows_what_it_allows_and_a_refusal_changes_nothing() {
    const NONE: [Option<&str>; 4] = [None; 4];
    let world = HsmWorld::new();
    let (begins, ends, stays) = (Some("CONNECTING"), Some("DISCONNECTING"), Some("DISCONNECTED"));
    let alone = [stays, NONE[0], NONE[1], NONE[2], NONE[3]];
    let (rename, password) = (json!({"NewCustomKeyStoreName": "b"}), json!({"KeyStorePassword": "another1"}));
    // The states that come of it, or that it is refused, and the states that it needs.
    let cases: [(Operation, Value, [Option<&str>; 5], &str); 7] = [
        (ConnectCustomKeyStore, json!({}), [begins, begins, Some("CONNECTED"), None, None], "DISCONNECTED"),
        (
            DisconnectCustomKeyStore,
            json!({}),
            [None, ends, ends, ends, None],
            "CONNECTED, CONNECTING or FAILED",
        ),
        (
            UpdateCustomKeyStore,
            rename.clone(),
            [stays, None, Some("CONNECTED"), None, None],
            "CONNECTED or DISCONNECTED",
        ),
        (UpdateCustomKeyStore, password.clone(), alone, "DISCONNECTED"),
        (UpdateCustomKeyStore, json!({"CloudHsmClusterId": RELATED}), alone, "DISCONNECTED"),
        (UpdateCustomKeyStore, with(rename, password), alone, "DISCONNECTED"),
        (DeleteCustomKeyStore, json!({}), alone, "DISCONNECTED"),
    ];
    for (operation, members, outcomes, needed) in cases {
        for (from, outcome) in STATES.into_iter().zip(outcomes) {
            let kms = world.kms().await;
            HsmWorld::register_all(&kms, vec![world.cluster.clone(), related_to(&world.cluster)]);
            let id = world.create(&kms).await;
            bring_into(&kms, &id, from).await;
            let (request, cell) = (with(named(&id), members.clone()), format!("{operation} on {from}"));
            match outcome {
                Some(_) if operation == DeleteCustomKeyStore => {
                    assert_eq!(kms.ok(operation, request).await, json!({}), "{cell}");
                    let none = kms.ok(DescribeCustomKeyStores, json!({})).await;
                    assert_eq!(none, json!({"CustomKeyStores": [], "Truncated": false}));
                }
                Some(expected) => {
                    assert_eq!(kms.ok(operation, request).await, json!({}), "{cell}");
                    // No error code beside it.
                    assert_eq!(state(&kms, &id).await, expected, "{cell}");
                    let now = shown(&kms, &id).await;
                    let wants =
                        |name: &str, member: &str| members.get(name).is_none_or(|new| now[member] == *new);
                    assert!(wants("NewCustomKeyStoreName", "CustomKeyStoreName"), "{cell}: {now}");
                    assert!(wants("CloudHsmClusterId", "CloudHsmClusterId"), "{cell}: {now}");
                }
                None => {
                    let before = shown(&kms, &id).await;
                    let expected = format!(
                        "CustomKeyStoreInvalidStateException: The custom key store {id} is {from}; this can be done \
                         only while it is {needed}."
                    );
                    assert_eq!(kms.refused(operation, request).await, expected, "{cell}");
                    assert_eq!(shown(&kms, &id).await, before, "{cell}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_name_is_one_stores_own_whatever_its_cluster() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let second =
        RegisteredCluster { id: "cluster-another2345".to_owned(), lineage: [8; 32], ..world.cluster.clone() };
    HsmWorld::register_all(&kms, vec![world.cluster.clone(), second]);
    let id = world.create(&kms).await;
    let other = with(world.request(), json!({"CloudHsmClusterId": "cluster-another2345"}));
    let taken = "CustomKeyStoreNameInUseException: A custom key store named hsm already exists.";
    assert_eq!(kms.refused(CreateCustomKeyStore, other.clone()).await, taken);
    let other = with(other, json!({"CustomKeyStoreName": "HSM"}));
    let other = kms.ok(CreateCustomKeyStore, other).await["CustomKeyStoreId"].take();
    let rename = |name: &str| json!({"CustomKeyStoreId": other, "NewCustomKeyStoreName": name});
    assert_eq!(kms.refused(UpdateCustomKeyStore, rename("hsm")).await, taken);
    kms.ok(UpdateCustomKeyStore, rename("HSM")).await;
    kms.ok(UpdateCustomKeyStore, json!({"CustomKeyStoreId": other})).await;
    kms.ok(DeleteCustomKeyStore, named(&id)).await;
    kms.ok(UpdateCustomKeyStore, rename("hsm")).await;
}

#[tokio::test]
async fn a_store_moves_to_no_cluster_that_no_store_could_be_made_of() {
    type Change = fn(&mut RegisteredCluster);
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let id = world.create(&kms).await;
    let before = shown(&kms, &id).await;
    let changes: [(Change, &str); 4] = [
        (|it| it.state = ClusterState::Initialized, "CloudHsmClusterNotActiveException"),
        (|it| it.security_group_ok = false, "CloudHsmClusterInvalidConfigurationException"),
        (|it| it.subnets.truncate(1), "CloudHsmClusterInvalidConfigurationException"),
        (|it| it.account = "999988887777".parse().unwrap(), "CloudHsmClusterNotFoundException"),
    ];
    for (change, expected) in changes {
        let mut related = related_to(&world.cluster);
        change(&mut related);
        HsmWorld::register_all(&kms, vec![world.cluster.clone(), related]);
        let update =
            with(named(&id), json!({"CloudHsmClusterId": RELATED, "NewCustomKeyStoreName": "moved"}));
        assert_eq!(code(&kms.refused(UpdateCustomKeyStore, update).await), expected);
        assert_eq!(shown(&kms, &id).await, before, "all of it or nothing");
    }
}

#[tokio::test]
async fn stores_of_both_types_are_listed_together() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    super::create(&kms, "first").await;
    kms.clock.advance_millis(1_000);
    let hsm = world.create(&kms).await;
    kms.clock.advance_millis(1_000);
    super::create(&kms, "last").await;
    let first = kms.ok(DescribeCustomKeyStores, json!({"Limit": 2})).await;
    assert_eq!(first["Truncated"], true);
    let rest = kms.ok(DescribeCustomKeyStores, json!({"Limit": 2, "Marker": first["NextMarker"]})).await;
    assert_eq!((&rest["Truncated"], rest.get("NextMarker")), (&json!(false), None));
    let listed = [&first, &rest].map(|page| page["CustomKeyStores"].as_array().unwrap().clone()).concat();
    let types: Vec<_> = listed.iter().map(|store| store["CustomKeyStoreType"].as_str().unwrap()).collect();
    assert_eq!(types, ["EXTERNAL_KEY_STORE", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"]);
    for filter in [named(&hsm), json!({"CustomKeyStoreName": "hsm"})] {
        assert_eq!(kms.ok(DescribeCustomKeyStores, filter).await["CustomKeyStores"], json!([listed[1]]));
    }
    // Neither has what the other has.
    let has = |store: &Value, member: &str| store.get(member).is_some();
    for store in &listed {
        let is_hsm = store["CustomKeyStoreType"] == "AWS_CLOUDHSM";
        assert_eq!((has(store, "CloudHsmClusterId"), has(store, "XksProxyConfiguration")), (is_hsm, !is_hsm));
    }
}

#[tokio::test]
async fn the_trail_tells_of_each_operation_what_it_was_on_and_no_secret() {
    let world = HsmWorld::new();
    let kms = TestKms::audited().await;
    world.join(&kms);
    HsmWorld::register_all(&kms, vec![world.cluster.clone(), related_to(&world.cluster)]);
    let id = world.create(&kms).await;
    let last = |event: &str| {
        let record = kms.records().into_iter().rfind(|record| record["eventName"] == event);
        let record = record.expect("an event of this name");
        let member = |name: &str| record.get(name).cloned().unwrap_or_default();
        ["requestParameters", "responseElements", "additionalEventData"].map(member)
    };
    let store = named(&id);
    let made = json!({"customKeyStoreName": "hsm", "clusterId": CLUSTER});
    let small = json!({"customKeyStoreId": id});
    assert_eq!(last("CreateCustomKeyStore"), [made.clone(), small.clone(), Value::Null]);
    kms.ok(DescribeCustomKeyStores, json!({"CustomKeyStoreName": "hsm"})).await;
    let filter = json!({"customKeyStoreName": "hsm"});
    assert_eq!(last("DescribeCustomKeyStores"), [filter, Value::Null, Value::Null]);
    let update = json!({
        "NewCustomKeyStoreName": "renamed", "CloudHsmClusterId": RELATED, "KeyStorePassword": HSM_PASSWORD
    });
    kms.ok(UpdateCustomKeyStore, with(store.clone(), update)).await;
    let changes = json!({"customKeyStoreId": id, "newCustomKeyStoreName": "renamed", "clusterId": RELATED});
    let place = json!({"customKeyStoreName": "renamed", "clusterId": RELATED});
    assert_eq!(last("UpdateCustomKeyStore"), [changes, Value::Null, place.clone()]);
    connect(&kms, &id).await;
    assert_eq!(last("ConnectCustomKeyStore"), [small.clone(), Value::Null, place.clone()]);
    let password = kms.clusters.password(SERIALS[0]);
    kms.ok(CreateKey, json!({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": id})).await;
    let [parameters, elements, _] = last("CreateKey");
    assert_eq!(
        (&parameters["origin"], &parameters["customKeyStoreId"]),
        (&json!("AWS_CLOUDHSM"), &json!(id))
    );
    let metadata = &elements["keyMetadata"];
    assert_eq!(
        (&metadata["customKeyStoreId"], &metadata["cloudHsmClusterId"]),
        (&json!(id), &json!(RELATED))
    );
    disconnect(&kms, &id).await;
    assert_eq!(last("DisconnectCustomKeyStore"), [small.clone(), Value::Null, place.clone()]);
    // What was refused is told without what it was on.
    assert_eq!(
        code(&kms.refused(DeleteCustomKeyStore, store.clone()).await),
        "CustomKeyStoreHasCMKsException"
    );
    assert_eq!(last("DeleteCustomKeyStore"), [small.clone(), Value::Null, Value::Null]);
    let second = kms.ok(DescribeCustomKeyStores, store).await;
    assert_eq!(second["CustomKeyStores"].as_array().map(Vec::len), Some(1));

    let all = Value::from(kms.records()).to_string();
    let anchor = world.pem.lines().nth(1).unwrap();
    for secret in [HSM_PASSWORD, &password, anchor] {
        assert!(!all.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn the_trail_names_a_store_that_is_deleted() {
    let world = HsmWorld::new();
    let kms = TestKms::audited().await;
    world.join(&kms);
    let (hsm, external) = (world.create(&kms).await, super::create(&kms, "external").await);
    for (id, place) in [
        (hsm, json!({"customKeyStoreName": "hsm", "clusterId": CLUSTER})),
        (external, json!({"customKeyStoreName": "external"})),
    ] {
        kms.ok(DeleteCustomKeyStore, named(&id)).await;
        let record = kms.records().into_iter().rfind(|record| record["eventName"] == "DeleteCustomKeyStore");
        assert_eq!(record.expect("an event of this name")["additionalEventData"], place);
    }
}
