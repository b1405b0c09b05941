//! UpdatePrimaryRegion with three Regions: whoever leads, all of them agree, and nothing else changes.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use trent_protocol::Operation::{
    DisableKeyRotation, EnableKeyRotation, GetKeyPolicy, GetKeyRotationStatus, ListAliases, ListKeyRotations,
    ListResourceTags, ReplicateKey, RotateKeyOnDemand, TagResource, UpdateKeyDescription,
    UpdatePrimaryRegion,
};
use trent_testkit::{REGION, TestKms};

use super::{REGION_OF_THIRD, THERE, configuration, not_primary, primary, promote, related, replicate};

const REGIONS: [&str; 3] = [REGION, THERE, REGION_OF_THIRD];

/// One key in three Regions, each with words, a tag and an alias of its own.
async fn in_three() -> ([TestKms; 3], String) {
    let kms = TestKms::new().await;
    let key = primary(&kms).await;
    let regions = REGIONS.map(|region| kms.in_region(region));
    for region in &REGIONS[1..] {
        replicate(&kms, &key, region).await;
    }
    for (kms, region) in regions.iter().zip(REGIONS) {
        kms.ok(UpdateKeyDescription, json!({"KeyId": key, "Description": region})).await;
        let tags = json!([{"TagKey": "region", "TagValue": region}]);
        kms.ok(TagResource, json!({"KeyId": key, "Tags": tags})).await;
        kms.create_alias(&format!("alias/{region}"), &key).await;
    }
    (regions, key)
}

/// All that a Region has of its own.
async fn own(kms: &TestKms, key: &str) -> Value {
    let mut metadata = kms.metadata(key).await;
    metadata["MultiRegionConfiguration"].take();
    let about = json!({"KeyId": key});
    json!({
        "metadata": metadata,
        "aliases": kms.ok(ListAliases, about.clone()).await,
        "tags": kms.ok(ListResourceTags, about.clone()).await,
        "policy": kms.ok(GetKeyPolicy, about).await,
    })
}

async fn materials(kms: &TestKms, key: &str) -> Vec<Value> {
    let all = json!({"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"});
    let materials = kms.list_all(ListKeyRotations, &all, "Rotations").await;
    materials.into_iter().map(|mut material| material["KeyMaterialId"].take()).collect()
}

/// What has to be so whoever leads.
async fn check(regions: &[TestKms; 3], key: &str, leads: usize) {
    let replicas =
        || REGIONS.iter().enumerate().filter(|(index, _)| *index != leads).map(|(_, region)| *region);
    let replicas: Vec<_> = replicas().collect::<BTreeSet<_>>().into_iter().collect();
    let blobs = [
        regions[0].encrypt(key, b"first").await,
        regions[1].encrypt(key, b"second").await,
        regions[2].encrypt(key, b"third").await,
    ];
    for (index, kms) in regions.iter().enumerate() {
        let kind = if index == leads { "PRIMARY" } else { "REPLICA" };
        assert_eq!(configuration(kms, key).await, related(kms, key, kind, REGIONS[leads], &replicas));
        for (blob, text) in blobs.iter().zip([&b"first"[..], b"second", b"third"]) {
            assert_eq!(kms.decrypt(blob).await, text);
        }
        assert_eq!(materials(kms, key).await, materials(&regions[leads], key).await);
        if index != leads {
            let to = |member: &str, region: &str| json!({"KeyId": key, member: region});
            for (operation, request) in [
                (RotateKeyOnDemand, json!({"KeyId": key})),
                (EnableKeyRotation, json!({"KeyId": key})),
                (DisableKeyRotation, json!({"KeyId": key})),
                (ReplicateKey, to("ReplicaRegion", "eu-north-1")),
                (UpdatePrimaryRegion, to("PrimaryRegion", REGIONS[leads])),
                (UpdatePrimaryRegion, to("PrimaryRegion", REGIONS[index])),
            ] {
                assert_eq!(kms.refused(operation, request).await, not_primary(kms, key), "{operation}");
            }
        }
    }
}

#[tokio::test]
async fn the_lead_goes_round_and_all_regions_agree_on_it() {
    let (regions, key) = in_three().await;
    check(&regions, &key, 0).await;
    let before = [own(&regions[0], &key).await, own(&regions[1], &key).await, own(&regions[2], &key).await];
    let mut leads = 0;
    // Each Region hands over to each other one.
    for next in [1, 2, 1, 0, 2, 0] {
        promote(&regions[leads], &key, REGIONS[next]).await;
        leads = next;
        check(&regions, &key, leads).await;
        for (kms, before) in regions.iter().zip(&before) {
            assert_eq!(own(kms, &key).await, *before, "led by {}", REGIONS[leads]);
        }
    }
    // Whoever leads rotates for all.
    let mut count = 1;
    for next in [1, 2, 0] {
        promote(&regions[leads], &key, REGIONS[next]).await;
        leads = next;
        regions[leads].ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
        count += 1;
        assert_eq!(materials(&regions[(leads + 1) % 3], &key).await.len(), count);
        check(&regions, &key, leads).await;
    }
}

#[tokio::test]
async fn the_schedule_goes_with_the_lead_and_a_deleted_leader_waits_for_both_others() {
    let (regions, key) = in_three().await;
    let [first, second, third] = &regions;
    first.ok(EnableKeyRotation, json!({"KeyId": key, "RotationPeriodInDays": 90})).await;
    promote(first, &key, THERE).await;
    promote(second, &key, REGION_OF_THIRD).await;
    for kms in &regions {
        let status = kms.ok(GetKeyRotationStatus, json!({"KeyId": key})).await;
        assert_eq!(status["RotationPeriodInDays"], 90);
    }
    first.clock.advance_days(90);
    assert_eq!(first.run_jobs().await.rotated, 1);
    check(&regions, &key, 2).await;

    third.schedule_deletion(&key).await;
    assert_eq!(third.metadata(&key).await["KeyState"], "PendingReplicaDeletion");
    let gone = [first, second];
    for (left, kms) in gone.iter().enumerate() {
        kms.schedule_deletion(&key).await;
        first.clock.advance_days(7);
        assert_eq!(first.run_jobs().await.deleted, 1);
        let state = if left == 0 { "PendingReplicaDeletion" } else { "PendingDeletion" };
        assert_eq!(third.metadata(&key).await["KeyState"], state);
    }
    first.clock.advance_days(7);
    assert_eq!(first.run_jobs().await.deleted, 1);
}
