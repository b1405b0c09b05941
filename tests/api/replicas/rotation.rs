//! Rotation of related keys: led by the primary, for all of them at once.

use serde_json::{Value, json};
use trent_protocol::Operation::{
    Decrypt, DisableKeyRotation, EnableKeyRotation, GenerateDataKey, GetKeyRotationStatus, ListKeyRotations,
    RotateKeyOnDemand,
};
use trent_testkit::TestKms;

use super::{REGION_OF_THIRD, THERE, not_primary, primary, promote, replicate, replicated};

async fn current(kms: &TestKms, key: &str) -> Value {
    kms.metadata(key).await["CurrentKeyMaterialId"].take()
}

/// All materials as ListKeyRotations tells of them, without the key's own name.
async fn materials(kms: &TestKms, key: &str) -> Vec<Value> {
    let all = json!({"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"});
    let mut materials = kms.list_all(ListKeyRotations, &all, "Rotations").await;
    for material in &mut materials {
        assert_eq!(material["KeyId"].take(), kms.arn(key));
    }
    materials
}

#[tokio::test]
async fn a_rotation_on_demand_reaches_all_replicas() {
    let (kms, there, key) = replicated().await;
    let third = kms.in_region(REGION_OF_THIRD);
    replicate(&kms, &key, REGION_OF_THIRD).await;
    let old = there.encrypt(&key, b"before").await;
    let first = current(&kms, &key).await;
    kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
    let second = current(&kms, &key).await;
    assert_ne!(first, second);
    for replica in [&there, &third] {
        assert_eq!(current(replica, &key).await, second);
        assert_eq!(materials(replica, &key).await, materials(&kms, &key).await);
        let made = replica.ok(GenerateDataKey, json!({"KeyId": key, "KeySpec": "AES_256"})).await;
        assert_eq!(made["KeyMaterialId"], second);
        let opened = kms.ok(Decrypt, json!({"CiphertextBlob": made["CiphertextBlob"]})).await;
        assert_eq!(opened["Plaintext"], made["Plaintext"]);
        let opened = replica.ok(Decrypt, json!({"CiphertextBlob": old})).await;
        assert_eq!(opened["KeyMaterialId"], first);
    }
}

#[tokio::test]
async fn a_replica_of_a_rotated_key_has_all_its_materials() {
    let kms = TestKms::new().await;
    let (key, there) = (primary(&kms).await, kms.in_region(THERE));
    let mut blobs = Vec::new();
    for _ in 0..3 {
        blobs.push(kms.encrypt(&key, b"text").await);
        kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
    }
    replicate(&kms, &key, THERE).await;
    assert_eq!(materials(&there, &key).await, materials(&kms, &key).await);
    for blob in blobs {
        assert_eq!(there.decrypt(&blob).await, b"text");
    }
}

#[tokio::test]
async fn the_schedule_is_that_of_the_primary_also_for_replicas_made_later() {
    let (kms, there, key) = replicated().await;
    let status = async |kms: &TestKms| {
        let mut status = kms.ok(GetKeyRotationStatus, json!({"KeyId": key})).await;
        assert_eq!(status["KeyId"].take(), kms.arn(&key));
        status
    };
    kms.ok(EnableKeyRotation, json!({"KeyId": key, "RotationPeriodInDays": 100})).await;
    let shared = status(&kms).await;
    assert_eq!((&shared["KeyRotationEnabled"], &shared["RotationPeriodInDays"]), (&json!(true), &json!(100)));
    assert_eq!(status(&there).await, shared);
    kms.clock.advance_days(5);
    replicate(&kms, &key, REGION_OF_THIRD).await;
    let third = kms.in_region(REGION_OF_THIRD);
    assert_eq!(status(&third).await, shared);
    kms.ok(DisableKeyRotation, json!({"KeyId": key})).await;
    for kms in [&kms, &there, &third] {
        assert_eq!(status(kms).await["KeyRotationEnabled"], false);
    }
}

#[tokio::test]
async fn an_automatic_rotation_makes_one_material_for_all() {
    let (kms, there, key) = replicated().await;
    kms.ok(EnableKeyRotation, json!({"KeyId": key, "RotationPeriodInDays": 90})).await;
    // A disabled replica gets it all the same.
    there.disable(&key).await;
    for rotations in 1..=2 {
        kms.clock.advance_days(90);
        assert_eq!(kms.run_jobs().await.rotated, 1);
        assert_eq!(kms.run_jobs().await.rotated, 0);
        assert_eq!(materials(&kms, &key).await.len(), rotations + 1);
        assert_eq!(materials(&there, &key).await, materials(&kms, &key).await);
    }
    there.enable(&key).await;
    assert_eq!(kms.run_jobs().await.rotated, 0);
    let [here, replica] = [&kms, &there].map(|kms| kms.ok(GetKeyRotationStatus, json!({"KeyId": key})));
    let (here, replica) = (here.await, replica.await);
    assert_eq!(here["NextRotationDate"], replica["NextRotationDate"]);
}

#[tokio::test]
async fn a_disabled_primary_keeps_its_replicas_from_rotating() {
    let (kms, there, key) = replicated().await;
    kms.ok(EnableKeyRotation, json!({"KeyId": key, "RotationPeriodInDays": 90})).await;
    kms.disable(&key).await;
    kms.clock.advance_days(90);
    assert_eq!(kms.run_jobs().await.rotated, 0);
    kms.enable(&key).await;
    assert_eq!(kms.run_jobs().await.rotated, 1);
    assert_eq!(current(&there, &key).await, current(&kms, &key).await);
}

#[tokio::test]
async fn a_replica_does_not_lead() {
    let (kms, there, key) = replicated().await;
    for operation in [EnableKeyRotation, DisableKeyRotation, RotateKeyOnDemand] {
        assert_eq!(there.refused(operation, json!({"KeyId": key})).await, not_primary(&there, &key));
        // trent's own choice: the state is told first.
        there.disable(&key).await;
        let refused = there.refused(operation, json!({"KeyId": key})).await;
        assert_eq!(refused, format!("DisabledException: {} is disabled.", there.arn(&key)));
        there.enable(&key).await;
    }
    assert_eq!(materials(&kms, &key).await.len(), 1);
    there.ok(GetKeyRotationStatus, json!({"KeyId": key})).await;
}

#[tokio::test]
async fn kinds_that_do_not_rotate_say_so_before_they_say_what_they_are() {
    let kms = TestKms::new().await;
    let there = kms.in_region(THERE);
    let pair = json!({"MultiRegion": true, "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"});
    let key = kms.create_key_with(pair).await;
    replicate(&kms, &key, THERE).await;
    for kms in [&kms, &there] {
        for operation in [EnableKeyRotation, DisableKeyRotation, RotateKeyOnDemand] {
            assert_eq!(kms.refused(operation, json!({"KeyId": key})).await, "UnsupportedOperationException");
        }
    }
}

#[tokio::test]
async fn rotating_and_replicating_at_once_loses_no_material() {
    let kms = TestKms::new().await;
    let key = primary(&kms).await;
    let regions = [THERE, REGION_OF_THIRD, "eu-west-1", "sa-east-1"];
    let replicas = regions.map(|region| {
        let (kms, key) = (kms.clone(), key.clone());
        tokio::spawn(async move { replicate(&kms, &key, region).await })
    });
    let rotations = [(); 4].map(|()| {
        let (kms, key) = (kms.clone(), key.clone());
        tokio::spawn(async move { kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await })
    });
    for task in replicas.into_iter().chain(rotations) {
        task.await.unwrap();
    }
    let expected = materials(&kms, &key).await;
    assert_eq!(expected.len(), 5);
    for region in regions {
        let there = kms.in_region(region);
        assert_eq!(materials(&there, &key).await, expected);
        let blob = there.encrypt(&key, b"text").await;
        assert_eq!(kms.decrypt(&blob).await, b"text");
    }
}

#[tokio::test]
async fn a_rotation_that_could_not_be_written_reaches_no_region() {
    let (kms, faults) = TestKms::with_faults().await;
    let (key, there) = (primary(&kms).await, kms.in_region(THERE));
    replicate(&kms, &key, THERE).await;
    let before = current(&kms, &key).await;
    faults.fail_next("rotate key on demand");
    kms.refused(RotateKeyOnDemand, json!({"KeyId": key})).await;
    assert_eq!(current(&kms, &key).await, before);
    assert_eq!(current(&there, &key).await, before);
}

#[tokio::test]
async fn the_count_of_rotations_on_demand_moves_with_the_primary() {
    let (kms, there, key) = replicated().await;
    for _ in 0..25 {
        kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
    }
    promote(&kms, &key, THERE).await;
    let refused = there.refused(RotateKeyOnDemand, json!({"KeyId": key})).await;
    assert!(refused.starts_with("LimitExceededException: The on-demand rotations limit"), "{refused}");
}
