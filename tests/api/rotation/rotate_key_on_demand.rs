//! RotateKeyOnDemand: new material now, 25 times at most.

use serde_json::{Value, json};
use trent_protocol::Operation::{
    Decrypt, DisableKeyRotation, EnableKeyRotation, GetKeyRotationStatus, ImportKeyMaterial,
    ListKeyRotations, RotateKeyOnDemand,
};
use trent_testkit::{ImportParameters, TestKms};

use crate::kinds::KINDS;

#[tokio::test]
async fn the_key_has_new_material_and_keeps_its_names() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.create_alias("alias/a", &key).await;
    let (before, blob) = (kms.metadata(&key).await, kms.encrypt(&key, b"text").await);
    assert_eq!(kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await, json!({"KeyId": kms.arn(&key)}));
    let mut after = kms.metadata("alias/a").await;
    assert_ne!(after["CurrentKeyMaterialId"], before["CurrentKeyMaterialId"]);
    after["CurrentKeyMaterialId"] = before["CurrentKeyMaterialId"].clone();
    assert_eq!(after, before);
    let decrypted = kms.ok(Decrypt, json!({"CiphertextBlob": blob})).await;
    assert_eq!(decrypted["KeyMaterialId"], before["CurrentKeyMaterialId"]);
}

#[tokio::test]
async fn the_automatic_schedule_stays() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.ok(EnableKeyRotation, json!({"KeyId": key})).await;
    let before = kms.ok(GetKeyRotationStatus, json!({"KeyId": key})).await;
    kms.clock.advance_days(10);
    kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
    assert_eq!(kms.ok(GetKeyRotationStatus, json!({"KeyId": key})).await, before);
}

#[tokio::test]
async fn the_26th_rotation_is_refused_and_automatic_ones_do_not_count() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.ok(EnableKeyRotation, json!({"KeyId": key, "RotationPeriodInDays": 90})).await;
    kms.clock.advance_days(90);
    kms.run_jobs().await;
    for _ in 0..25 {
        kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
    }
    assert_eq!(
        kms.refused(RotateKeyOnDemand, json!({"KeyId": key})).await,
        format!(
            "LimitExceededException: The on-demand rotations limit has been reached for the given keyId. No more \
             on-demand rotations can be performed for this key: {}",
            kms.arn(&key)
        )
    );
    kms.clock.advance_days(90);
    assert_eq!(kms.run_jobs().await.rotated, 1);
    assert_eq!(kms.list_all(ListKeyRotations, &json!({"KeyId": key}), "Rotations").await.len(), 27);
}

#[tokio::test]
async fn an_automatic_rotation_that_is_due_within_20_minutes_is_a_conflict() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.ok(EnableKeyRotation, json!({"KeyId": key, "RotationPeriodInDays": 90})).await;
    let twenty_minutes = 20 * 60 * 1000;
    kms.clock.advance_millis(90 * 24 * 60 * 60 * 1000 - twenty_minutes - 1);
    kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
    kms.clock.advance_millis(1);
    // The code is documented, the text is trent's.
    assert_eq!(
        kms.refused(RotateKeyOnDemand, json!({"KeyId": key})).await,
        format!("ConflictException: An automatic rotation of {} is due within 20 minutes.", kms.arn(&key))
    );
    kms.clock.advance_millis(twenty_minutes);
    kms.run_jobs().await;
    kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
}

#[tokio::test]
async fn a_disabled_key_is_refused() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.disable(&key).await;
    let refused = kms.refused(RotateKeyOnDemand, json!({"KeyId": key})).await;
    assert_eq!(refused, format!("DisabledException: {} is disabled.", kms.arn(&key)));
}

#[tokio::test]
async fn an_unknown_key_is_not_found() {
    let kms = TestKms::new().await;
    let unknown = "12345678-90ab-cdef-1234-567890abcdef";
    let refused = kms.refused(RotateKeyOnDemand, json!({"KeyId": unknown})).await;
    assert_eq!(refused, format!("NotFoundException: Key '{}' does not exist", kms.arn(unknown)));
}

#[tokio::test]
async fn rotations_at_once_each_make_a_material_of_their_own() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let request = json!({"KeyId": key});
    tokio::join!(
        kms.ok(RotateKeyOnDemand, request.clone()),
        kms.ok(RotateKeyOnDemand, request.clone()),
        kms.ok(RotateKeyOnDemand, request.clone()),
    );
    let all = json!({"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"});
    let materials = kms.list_all(ListKeyRotations, &all, "Rotations").await;
    let mut ids: Vec<_> = materials.iter().map(|material| material["KeyMaterialId"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    let current: Vec<&Value> =
        materials.iter().filter(|material| material["KeyMaterialState"] == "CURRENT").collect();
    assert_eq!(current.len(), 1);
}

/// A key of each kind that does not rotate; of RSA, which takes long to make, one for them all.
async fn keys_that_do_not_rotate(kms: &TestKms) -> Vec<String> {
    let mut keys = vec![kms.create_key_of("RSA_2048", "SIGN_VERIFY").await];
    for kind in KINDS.iter().filter(|kind| kind.spec != "SYMMETRIC_DEFAULT" && !kind.spec.starts_with("RSA"))
    {
        keys.push(kind.create(kms).await);
    }
    keys
}

#[tokio::test]
async fn keys_of_other_kinds_keep_their_material_for_good() {
    let kms = TestKms::new().await;
    for key in keys_that_do_not_rotate(&kms).await {
        for operation in [RotateKeyOnDemand, EnableKeyRotation, DisableKeyRotation, ListKeyRotations] {
            let refused = kms.refused(operation, json!({"KeyId": key})).await;
            assert_eq!(refused, "UnsupportedOperationException", "{operation}");
        }
        let status = kms.ok(GetKeyRotationStatus, json!({"KeyId": key})).await;
        assert_eq!(status, json!({"KeyId": kms.arn(&key), "KeyRotationEnabled": false}));
    }
}

#[tokio::test]
async fn the_state_of_such_a_key_is_told_before_its_kind_when_it_is_to_rotate_on_demand() {
    let kms = TestKms::new().await;
    let key = kms.create_key_of("ECC_NIST_P256", "SIGN_VERIFY").await;
    let request = json!({"KeyId": key});
    kms.disable(&key).await;
    let disabled = format!("DisabledException: {} is disabled.", kms.arn(&key));
    assert_eq!(kms.refused(RotateKeyOnDemand, request.clone()).await, disabled);
    kms.schedule_deletion(&key).await;
    let dying = format!("KMSInvalidStateException: {} is pending deletion.", kms.arn(&key));
    assert_eq!(kms.refused(RotateKeyOnDemand, request.clone()).await, dying);
    // The other way round with the rest, as the developer guide has it for origins.
    for operation in [EnableKeyRotation, DisableKeyRotation, ListKeyRotations] {
        assert_eq!(kms.refused(operation, request.clone()).await, "UnsupportedOperationException");
    }
}

#[tokio::test]
async fn imported_material_has_to_wait_for_the_rotation() {
    let kms = TestKms::new().await;
    let key = kms.create_external_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    let arn = kms.arn(&key);
    let rotate = json!({"KeyId": key});
    assert_eq!(
        kms.refused(RotateKeyOnDemand, rotate.clone()).await,
        format!("KMSInvalidStateException: {arn} is pending import.")
    );
    kms.import(&key, &[0; 32], json!({})).await;
    let nothing =
        format!("KMSInvalidStateException: No available key material pending rotation for the key: {arn}.");
    assert_eq!(kms.refused(RotateKeyOnDemand, rotate.clone()).await, nothing);
    kms.import(&key, &[1; 32], json!({"ImportType": "NEW_KEY_MATERIAL"})).await;
    kms.disable(&key).await;
    assert_eq!(
        kms.refused(RotateKeyOnDemand, rotate.clone()).await,
        format!("DisabledException: {arn} is disabled.")
    );
    kms.enable(&key).await;
    kms.ok(RotateKeyOnDemand, rotate.clone()).await;
    assert_eq!(kms.refused(RotateKeyOnDemand, rotate).await, nothing);
}

#[tokio::test]
async fn a_key_rotates_to_imported_material_25_times_and_reads_what_each_of_them_wrote() {
    let kms = TestKms::new().await;
    let key = kms.create_external_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    let parameters = ImportParameters::of(&kms, &key, "RSAES_OAEP_SHA_256", "RSA_2048").await;
    let mut blobs = Vec::new();
    for number in 0..=26_u8 {
        let mut request = parameters.request(&[number; 32]);
        request["ImportType"] = json!("NEW_KEY_MATERIAL");
        kms.ok(ImportKeyMaterial, request).await;
        match number {
            0 => {}
            26 => {
                let refused = kms.refused(RotateKeyOnDemand, json!({"KeyId": key})).await;
                assert!(
                    refused.starts_with("LimitExceededException: The on-demand rotations limit"),
                    "{refused}"
                );
            }
            _ => {
                kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
            }
        }
        blobs.push((number, kms.encrypt(&key, &[number]).await));
    }
    for (number, blob) in blobs {
        assert_eq!(kms.decrypt(&blob).await, [number]);
    }
}
