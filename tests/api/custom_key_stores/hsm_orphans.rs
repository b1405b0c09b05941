//! Keys in HSMs that nobody owns: what is one, what is not, and what an operator can do about it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use trent_domain::identifier::KeyId;
use trent_domain::key_store::ClusterFailure;
use trent_domain::time::Clock;
use trent_protocol::Operation::CreateKey;
use trent_service::admin::{Command, LackingLine, OrphanLine, Reply};
use trent_testkit::{CLUSTER, HsmWorld, SERIALS, TestKms};

use super::disconnect;

struct Found {
    orphans: Vec<OrphanLine>,
    lacking: Vec<LackingLine>,
    unseen: BTreeMap<String, String>,
}

async fn list(kms: &TestKms, store: &str) -> Found {
    match kms.service.administer(Command::ListOrphans { store: store.to_owned() }).await {
        Reply::Orphans { orphans, lacking, unseen } => Found { orphans, lacking, unseen },
        other => panic!("{other:?}"),
    }
}

async fn destroy(
    kms: &TestKms,
    store: &str,
    keys: &[&str],
    min_age_minutes: u32,
) -> (Vec<String>, BTreeMap<String, String>) {
    let (store, keys) = (store.to_owned(), keys.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<_>>());
    match kms.service.administer(Command::DestroyOrphans { store, keys, min_age_minutes }).await {
        Reply::Destroyed { destroyed, left } => (destroyed, left),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_trent_has_made_and_no_key_has_is_shown_and_destroyed_and_nothing_else() {
    let world = HsmWorld::new();
    let kms = world.kms().await.with_trail().await;
    let store = world.connected(&kms).await;
    let wanted = json!({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store});
    let mut living = Vec::new();
    for _ in 0..3 {
        living.push(kms.create_key_with(wanted.clone()).await);
    }
    kms.disable(&living[1]).await;
    kms.schedule_deletion(&living[2]).await;

    let made = KeyId::generate(kms.clock.now(), [1; 10], false);
    let orphan = kms.arn(&made.to_string());
    kms.clusters.add_key(SERIALS[0], [0xab; 16], &orphan);
    let others = [
        "somebody's".to_owned(),
        kms.in_account("444455556666").arn(&made.to_string()),
        kms.in_region("eu-west-3").arn(&made.to_string()),
        // Of no time.
        kms.arn("1234abcd-12ab-44cd-86ef-1234567890ab"),
        format!("{orphan} "),
    ];
    for (label, id) in others.iter().zip(1..) {
        kms.clusters.add_key(SERIALS[0], [id; 16], label);
    }
    let id = "ab".repeat(16);
    for name in [&*store, CLUSTER] {
        let Found { orphans, lacking, unseen } = list(&kms, name).await;
        let shown = OrphanLine {
            id: id.clone(),
            label: orphan.clone(),
            age_minutes: 0,
            hsms: vec!["hsm-0".to_owned()],
        };
        assert_eq!(orphans, [shown]);
        assert!(lacking.is_empty() && unseen.is_empty());
    }

    // Too young; then not. What is no orphan is never touched, whatever is asked.
    let (destroyed, left) = destroy(&kms, &store, &[&id], 60).await;
    assert!(destroyed.is_empty() && left[&id].contains("younger than 60 minutes"), "{left:?}");
    kms.clock.advance_millis(61 * 60 * 1000);
    let foreign = "01".repeat(16);
    let (destroyed, left) = destroy(&kms, &store, &[&id, &foreign], 60).await;
    assert_eq!((destroyed, left), (vec![id.clone()], [(foreign, "it is no orphan".to_owned())].into()));
    assert!(list(&kms, &store).await.orphans.is_empty());
    assert_eq!(kms.clusters.keys(SERIALS[0]).len(), living.len() + others.len());
    assert_eq!(kms.clusters.keys(SERIALS[1]).len(), living.len());
    let records = kms.records();
    let recorded: Vec<_> = records.iter().filter(|record| record["eventName"] == "DestroyOrphans").collect();
    assert_eq!(recorded.len(), 2, "{records:?}");
    assert_eq!(recorded[0]["requestParameters"]["keys"], json!([id]));
}

#[tokio::test]
async fn keys_that_one_hsm_has_lost_are_shown_and_not_destroyed() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let store = world.connected(&kms).await;
    let wanted = json!({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store});
    let living = [kms.create_key_with(wanted.clone()).await, kms.create_key_with(wanted).await];
    kms.schedule_deletion(&living[1]).await;
    kms.clusters.empty(SERIALS[1]);
    let Found { orphans, lacking, .. } = list(&kms, &store).await;
    assert!(orphans.is_empty());
    let lack: BTreeSet<_> = lacking.iter().map(|line| line.key.clone()).collect();
    assert_eq!(lack, living.iter().map(|key| kms.arn(key)).collect());
    assert!(lacking.iter().all(|line| line.hsms == ["hsm-1"]), "{lacking:?}");
    let (destroyed, left) = destroy(&kms, &store, &[&lacking[0].id], 0).await;
    assert!(destroyed.is_empty() && left.len() == 1, "{left:?}");

    kms.clusters.fail(SERIALS[1], Some(ClusterFailure::NoHsm));
    assert!(list(&kms, &store).await.unseen.contains_key("hsm-1"));
    disconnect(&kms, &store).await;
    for name in [&*store, "cluster-nowhere"] {
        let told = kms.service.administer(Command::ListOrphans { store: name.to_owned() }).await;
        assert!(matches!(told, Reply::Refused { .. }), "{told:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_being_made_is_no_orphan() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let store = world.connected(&kms).await;
    kms.clusters.stall(true);
    let making = kms.ok(CreateKey, json!({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store}));
    let looking = async {
        while kms.clusters.keys(SERIALS[0]).is_empty() {
            tokio::task::yield_now().await;
        }
        let found = list(&kms, &store).await;
        kms.clusters.stall(false);
        found
    };
    let (_, during) = tokio::join!(making, looking);
    let after = list(&kms, &store).await;
    for Found { orphans, lacking, unseen } in [during, after] {
        assert!(orphans.is_empty() && lacking.is_empty() && unseen.is_empty(), "{orphans:?} {lacking:?}");
    }
}
