//! How many CloudHSM key stores and keys in them an account may have in a Region.

use serde_json::{Value, json};
use trent_domain::key_store::RegisteredCluster;
use trent_protocol::Operation::{
    CreateCustomKeyStore, CreateKey, DeleteCustomKeyStore, DescribeCustomKeyStores, ListKeys,
};
use trent_service::Options;
use trent_testkit::{HsmWorld, SERIALS, TestKms};

use super::{code, connect, external, with};

const OTHER_ACCOUNT: &str = "444455556666";
const OTHER_REGION: &str = "us-east-1";
/// What AWS has.
const STORES_MAX: usize = 10;

/// A cluster of its own for each number.
fn cluster(world: &HsmWorld, number: u8) -> RegisteredCluster {
    let id = format!("cluster-numberedxy{}", char::from(b'a' + number));
    RegisteredCluster { id, lineage: [number; 32], ..world.cluster.clone() }
}

/// The request for a key store on it.
fn request(world: &HsmWorld, number: u8) -> Value {
    let id = cluster(world, number).id;
    with(world.request(), json!({"CustomKeyStoreName": format!("store-{number}"), "CloudHsmClusterId": id}))
}

async fn make(kms: &TestKms, request: Value) -> String {
    kms.ok(CreateCustomKeyStore, request).await["CustomKeyStoreId"].as_str().unwrap().to_owned()
}

async fn count(kms: &TestKms) -> usize {
    let all = kms.ok(DescribeCustomKeyStores, json!({})).await;
    all["CustomKeyStores"].as_array().unwrap().len()
}

/// Twelve clusters here, and one in another account and in another Region.
async fn world() -> (HsmWorld, TestKms) {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let mut clusters: Vec<_> = (0..12).map(|number| cluster(&world, number)).collect();
    clusters.push(RegisteredCluster { account: OTHER_ACCOUNT.parse().unwrap(), ..cluster(&world, 0) });
    clusters.push(RegisteredCluster { region: OTHER_REGION.parse().unwrap(), ..cluster(&world, 0) });
    HsmWorld::register_all(&kms, clusters);
    (world, kms)
}

#[tokio::test]
async fn ten_stores_are_an_accounts_in_a_region_and_no_more() {
    let (world, kms) = world().await;
    let mut ids = Vec::new();
    for number in 0..10 {
        ids.push(make(&kms, request(&world, number)).await);
    }
    assert_eq!(count(&kms).await, STORES_MAX);
    // Of any state: one is connected, one has failed.
    connect(&kms, &ids[1]).await;
    kms.clusters.set_password(SERIALS[0], "another1");
    kms.clusters.set_password(SERIALS[1], "another1");
    connect(&kms, &ids[2]).await;
    let full = "LimitExceededException: Custom key store quota for this account in this region is 10 but the current \
                usage is 10.";
    // Before its name and its cluster are looked at, and of either type.
    for more in [
        request(&world, 10),
        with(request(&world, 10), json!({"CustomKeyStoreName": "store-3"})),
        with(request(&world, 10), json!({"CloudHsmClusterId": "cluster-nowhere2345"})),
        external("one-more"),
    ] {
        assert_eq!(kms.refused(CreateCustomKeyStore, more).await, full);
    }
    assert_eq!(make(&kms, request(&world, 0)).await, ids[0], "it is there already");
    assert_eq!(count(&kms).await, STORES_MAX);
    for other in [kms.in_account(OTHER_ACCOUNT), kms.in_region(OTHER_REGION)] {
        make(&other, request(&world, 0)).await;
        assert_eq!(count(&other).await, 1);
    }
    kms.ok(DeleteCustomKeyStore, json!({"CustomKeyStoreId": ids[9]})).await;
    make(&kms, request(&world, 10)).await;
    assert_eq!(kms.refused(CreateCustomKeyStore, request(&world, 11)).await, full);
}

#[tokio::test]
async fn of_stores_that_are_made_at_once_no_more_come_to_be_than_may() {
    let (world, kms) = world().await;
    for number in 0..9 {
        make(&kms, external(&format!("other-{number}"))).await;
    }
    let mut tasks = Vec::new();
    for number in 0..12 {
        let (kms, request) = (kms.clone(), request(&world, number));
        tasks.push(tokio::spawn(async move { kms.call(CreateCustomKeyStore, request).await }));
    }
    let mut made = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => made += 1,
            Err(error) => assert_eq!(error.code.name(), "LimitExceededException"),
        }
    }
    assert_eq!((made, count(&kms).await), (1, STORES_MAX));
}

#[tokio::test]
async fn keys_in_hsms_count_as_all_keys_do_and_none_is_made_beyond_the_quota() {
    let world = HsmWorld::new();
    let kms = TestKms::with_options(Options { keys_per_region_max: 3, ..Options::default() }).await;
    world.join(&kms);
    let store = world.connected(&kms).await;
    let wanted = json!({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store});
    kms.create_key().await;
    let (first, _) = (kms.create_hsm_key_in(&store).await, kms.create_hsm_key_in(&store).await);
    let in_hsms = |kms: &TestKms| SERIALS.map(|serial| kms.clusters.keys(serial).len());
    assert_eq!(in_hsms(&kms), [2, 2]);
    // One that waits for its deletion counts; and the quota comes before the store.
    kms.schedule_deletion(&first).await;
    for request in
        [wanted.clone(), with(wanted.clone(), json!({"CustomKeyStoreId": "cks-00000000000000000"}))]
    {
        assert_eq!(code(&kms.refused(CreateKey, request).await), "LimitExceededException");
    }
    assert_eq!(in_hsms(&kms), [2, 2], "no HSM was asked");
    kms.clock.advance_days(8);
    assert_eq!(kms.run_jobs().await.deleted, 1);
    kms.settle_key_stores().await;
    assert_eq!(in_hsms(&kms), [1, 1]);

    // Two for the one place that is free: both are in the HSMs before either has its record.
    kms.clusters.stall(true);
    let both_are_made = async {
        while in_hsms(&kms) != [3, 3] {
            tokio::task::yield_now().await;
        }
        kms.clusters.stall(false);
    };
    let (one, other, ()) =
        tokio::join!(kms.call(CreateKey, wanted.clone()), kms.call(CreateKey, wanted.clone()), both_are_made);
    let refused: Vec<_> = [one, other].into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.iter().map(|error| error.code.name()).collect::<Vec<_>>(), ["LimitExceededException"]);
    assert_eq!(in_hsms(&kms), [2, 2], "what was made for nothing is destroyed");
    assert_eq!(kms.ok(ListKeys, json!({})).await["Keys"].as_array().map(Vec::len), Some(3));
}
