//! DeleteImportedKeyMaterial: the key waits for its material, and keeps all else.

use serde_json::json;
use trent_protocol::Operation::{
    CancelKeyDeletion, Decrypt, DeleteImportedKeyMaterial, Encrypt, RotateKeyOnDemand,
};
use trent_testkit::TestKms;

use super::{materials, pending_import, states, wrong_origin};

/// A symmetric key with two materials, the second one current, and their ids.
async fn rotated(kms: &TestKms) -> (String, [String; 2]) {
    let key = kms.create_external_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    let first = kms.import(&key, &[1; 32], json!({})).await;
    let second = kms.import(&key, &[2; 32], json!({"ImportType": "NEW_KEY_MATERIAL"})).await;
    kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
    let ids = [first, second].map(|answer| answer["KeyMaterialId"].as_str().unwrap().to_owned());
    (key, ids)
}

#[tokio::test]
async fn the_key_waits_for_its_material_and_keeps_the_id_of_it() {
    let kms = TestKms::new().await;
    let key = kms.create_imported_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    let before = kms.metadata(&key).await;
    let answer = kms.ok(DeleteImportedKeyMaterial, json!({"KeyId": key})).await;
    assert_eq!(answer, json!({"KeyId": kms.arn(&key), "KeyMaterialId": before["CurrentKeyMaterialId"]}));
    let after = kms.metadata(&key).await;
    assert_eq!((&after["KeyState"], &after["Enabled"]), (&json!("PendingImport"), &json!(false)));
    assert_eq!(after["CurrentKeyMaterialId"], before["CurrentKeyMaterialId"]);
    assert!(after.get("ExpirationModel").is_none());
    let refused = kms.refused(Encrypt, json!({"KeyId": key, "Plaintext": "dGV4dA=="})).await;
    assert_eq!(refused, pending_import(&kms, &key));
    // Once more: nothing happens.
    assert_eq!(kms.ok(DeleteImportedKeyMaterial, json!({"KeyId": key})).await, answer);
    assert_eq!(kms.metadata(&key).await, after);
}

#[tokio::test]
async fn of_a_key_that_never_had_material_nothing_is_deleted() {
    let kms = TestKms::new().await;
    let key = kms.create_external_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    let before = kms.metadata(&key).await;
    let answer = kms.ok(DeleteImportedKeyMaterial, json!({"KeyId": key})).await;
    assert_eq!(answer, json!({"KeyId": kms.arn(&key), "KeyMaterialId": ""}));
    assert_eq!(kms.metadata(&key).await, before);
}

#[tokio::test]
async fn a_key_that_misses_one_of_its_materials_does_nothing_with_the_others() {
    let kms = TestKms::new().await;
    let (key, [first, second]) = rotated(&kms).await;
    let blob = kms.encrypt(&key, b"text").await;
    let answer = kms.ok(DeleteImportedKeyMaterial, json!({"KeyId": key, "KeyMaterialId": first})).await;
    assert_eq!(answer["KeyMaterialId"], first);
    assert_eq!(kms.refused(Decrypt, json!({"CiphertextBlob": blob})).await, pending_import(&kms, &key));
    assert_eq!(kms.metadata(&key).await["CurrentKeyMaterialId"], second);
    // Both go; the key is back with the second one that is imported.
    kms.ok(DeleteImportedKeyMaterial, json!({"KeyId": key})).await;
    kms.import(&key, &[2; 32], json!({})).await;
    assert_eq!(kms.metadata(&key).await["KeyState"], "PendingImport");
    kms.import(&key, &[1; 32], json!({})).await;
    assert_eq!(kms.decrypt(&blob).await, b"text");
}

#[tokio::test]
async fn material_that_waits_for_its_rotation_is_forgotten_and_may_be_replaced() {
    let kms = TestKms::new().await;
    let (key, [_, second]) = rotated(&kms).await;
    let before = kms.metadata(&key).await;
    let new = json!({"ImportType": "NEW_KEY_MATERIAL"});
    let third = kms.import(&key, &[3; 32], new.clone()).await["KeyMaterialId"].take();
    kms.ok(DeleteImportedKeyMaterial, json!({"KeyId": key, "KeyMaterialId": third})).await;
    assert_eq!(kms.metadata(&key).await, before);
    assert_eq!(states(&kms, &key).await, ["NON_CURRENT", "CURRENT"]);
    kms.import(&key, &[4; 32], new).await;
    assert_eq!(states(&kms, &key).await, ["NON_CURRENT", "CURRENT", "PENDING_ROTATION"]);
    // Unless another is named, the current material goes.
    let deleted = kms.ok(DeleteImportedKeyMaterial, json!({"KeyId": key})).await;
    assert_eq!(deleted["KeyMaterialId"], second);
}

#[tokio::test]
async fn pending_material_expires_without_a_change_of_state() {
    let kms = TestKms::new().await;
    let (key, _) = rotated(&kms).await;
    let before = kms.metadata(&key).await;
    let valid_to = 1_767_225_600 + 60;
    let new = json!({
        "ImportType": "NEW_KEY_MATERIAL", "ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": valid_to,
    });
    kms.import(&key, &[3; 32], new).await;
    kms.clock.advance_millis(60_000);
    // From then on it waits for nothing, whether or not the job has been there.
    let told = format!(
        "KMSInvalidStateException: No available key material pending rotation for the key: {}.",
        kms.arn(&key)
    );
    assert_eq!(kms.refused(RotateKeyOnDemand, json!({"KeyId": key})).await, told);
    assert_eq!(kms.run_jobs().await.expired, 1);
    assert_eq!(kms.metadata(&key).await, before);
    assert_eq!(materials(&kms, &key).await.len(), 2);
}

#[tokio::test]
async fn a_material_that_the_key_does_not_have_is_not_found() {
    let kms = TestKms::new().await;
    let key = kms.create_imported_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    let id = "0".repeat(64);
    // The text is trent's.
    assert_eq!(
        kms.refused(DeleteImportedKeyMaterial, json!({"KeyId": key, "KeyMaterialId": id})).await,
        format!("NotFoundException: Key material '{id}' does not exist in key '{}'", kms.arn(&key))
    );
}

#[tokio::test]
async fn keys_of_other_kinds_have_no_ids_of_material() {
    let kms = TestKms::new().await;
    let key = kms.create_imported_key("HMAC_256", "GENERATE_VERIFY_MAC").await;
    let request = json!({"KeyId": key, "KeyMaterialId": "0".repeat(64)});
    assert_eq!(
        kms.refused(DeleteImportedKeyMaterial, request).await,
        "ValidationException: KeyMaterialId is not supported for key spec HMAC_256."
    );
    let answer = kms.ok(DeleteImportedKeyMaterial, json!({"KeyId": key})).await;
    assert_eq!(answer, json!({"KeyId": kms.arn(&key)}));
    assert_eq!(kms.metadata(&key).await["KeyState"], "PendingImport");
}

#[tokio::test]
async fn a_key_that_is_to_be_deleted_stays_so_and_waits_for_material_when_it_is_kept() {
    let kms = TestKms::new().await;
    let key = kms.create_imported_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    kms.schedule_deletion(&key).await;
    kms.ok(DeleteImportedKeyMaterial, json!({"KeyId": key})).await;
    assert_eq!(kms.metadata(&key).await["KeyState"], "PendingDeletion");
    kms.ok(CancelKeyDeletion, json!({"KeyId": key})).await;
    assert_eq!(kms.metadata(&key).await["KeyState"], "PendingImport");
}

#[tokio::test]
async fn material_that_trent_makes_is_not_deleted() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let refused = kms.refused(DeleteImportedKeyMaterial, json!({"KeyId": key})).await;
    assert_eq!(refused, wrong_origin(&kms, &key, "AWS_KMS"));
}
