//! ListKeyRotations: completed rotations, or all materials, oldest first.

use serde_json::{Value, json};
use trent_protocol::Operation::{
    DeleteImportedKeyMaterial, EnableKeyRotation, ListKeyRotations, RotateKeyOnDemand,
};
use trent_testkit::TestKms;

const START: i64 = 1_767_225_600;
const DAY: i64 = 24 * 60 * 60;

async fn material(kms: &TestKms, key: &str) -> Value {
    kms.metadata(key).await["CurrentKeyMaterialId"].take()
}

/// A key that was rotated on demand on the first day and by itself on the 91st.
async fn rotated(kms: &TestKms) -> (String, [Value; 3]) {
    let key = kms.create_key().await;
    kms.ok(EnableKeyRotation, json!({"KeyId": key, "RotationPeriodInDays": 90})).await;
    let first = material(kms, &key).await;
    kms.clock.advance_days(1);
    kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
    let second = material(kms, &key).await;
    kms.clock.advance_days(90);
    kms.run_jobs().await;
    let third = material(kms, &key).await;
    (key, [first, second, third])
}

#[tokio::test]
async fn completed_rotations_are_listed_oldest_first() {
    let kms = TestKms::new().await;
    let (key, [_, second, third]) = rotated(&kms).await;
    let answer = kms.ok(ListKeyRotations, json!({"KeyId": key})).await;
    let arn = kms.arn(&key);
    let expected = json!({"Rotations": [
        {"KeyId": arn, "KeyMaterialId": second, "KeyMaterialState": "NON_CURRENT", "RotationDate": START + DAY,
         "RotationType": "ON_DEMAND"},
        {"KeyId": arn, "KeyMaterialId": third, "KeyMaterialState": "CURRENT", "RotationDate": START + 91 * DAY,
         "RotationType": "AUTOMATIC"},
    ], "Truncated": false});
    assert_eq!(answer, expected);
    let explicit = json!({"KeyId": key, "IncludeKeyMaterial": "ROTATIONS_ONLY"});
    assert_eq!(kms.ok(ListKeyRotations, explicit).await, expected);
}

#[tokio::test]
async fn all_key_material_begins_with_the_first_which_no_rotation_made() {
    let kms = TestKms::new().await;
    let (key, [first, ..]) = rotated(&kms).await;
    let request = json!({"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"});
    let rotations = kms.ok(ListKeyRotations, request).await["Rotations"].take();
    assert_eq!(rotations.as_array().unwrap().len(), 3);
    let expected = json!({"KeyId": kms.arn(&key), "KeyMaterialId": first, "KeyMaterialState": "NON_CURRENT"});
    assert_eq!(rotations[0], expected);
}

#[tokio::test]
async fn a_key_that_was_never_rotated_has_one_material_and_no_rotation() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let answer = kms.ok(ListKeyRotations, json!({"KeyId": key})).await;
    assert_eq!(answer, json!({"Rotations": [], "Truncated": false}));
    let all = kms.ok(ListKeyRotations, json!({"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"})).await;
    let current = material(&kms, &key).await;
    let only = json!({"KeyId": kms.arn(&key), "KeyMaterialId": current, "KeyMaterialState": "CURRENT"});
    assert_eq!(all, json!({"Rotations": [only], "Truncated": false}));
}

#[tokio::test]
async fn every_size_of_page_gives_the_same_list() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    for _ in 0..5 {
        kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
    }
    for (include, count) in [("ROTATIONS_ONLY", 5), ("ALL_KEY_MATERIAL", 6)] {
        let request = |limit: usize| json!({"KeyId": key, "IncludeKeyMaterial": include, "Limit": limit});
        let whole = kms.list_all(ListKeyRotations, &request(1000), "Rotations").await;
        assert_eq!(whole.len(), count);
        for limit in 1..=7 {
            let paged = kms.list_all(ListKeyRotations, &request(limit), "Rotations").await;
            assert_eq!(paged, whole, "{include} in pages of {limit}");
        }
    }
}

#[tokio::test]
async fn a_marker_of_one_kind_of_list_is_none_of_the_other() {
    let kms = TestKms::new().await;
    let (key, _) = rotated(&kms).await;
    let marker = kms.ok(ListKeyRotations, json!({"KeyId": key, "Limit": 1})).await["NextMarker"].take();
    let request = json!({"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL", "Marker": marker});
    assert_eq!(kms.refused(ListKeyRotations, request).await, "InvalidMarkerException");
}

#[tokio::test]
async fn imported_material_is_told_with_its_state_words_and_end() {
    let kms = TestKms::new().await;
    let key = kms.create_external_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    let valid_to = 1_767_225_600 + 3600;
    let expires = json!({
        "ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": valid_to, "KeyMaterialDescription": "the first",
    });
    let first = kms.import(&key, &[1; 32], expires).await["KeyMaterialId"].take();
    let new = json!({"ImportType": "NEW_KEY_MATERIAL"});
    let second = kms.import(&key, &[2; 32], new.clone()).await["KeyMaterialId"].take();
    kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
    let third = kms.import(&key, &[3; 32], new).await["KeyMaterialId"].take();
    kms.ok(DeleteImportedKeyMaterial, json!({"KeyId": key})).await;
    let arn = kms.arn(&key);
    let rotated = json!({
        "KeyId": arn, "KeyMaterialId": second, "ImportState": "PENDING_IMPORT", "KeyMaterialState": "CURRENT",
        "RotationDate": 1_767_225_600, "RotationType": "ON_DEMAND",
    });
    let listed = kms.ok(ListKeyRotations, json!({"KeyId": key})).await;
    assert_eq!(listed, json!({"Rotations": [rotated], "Truncated": false}));
    let all = kms.ok(ListKeyRotations, json!({"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"})).await;
    let was = json!({
        "KeyId": arn, "KeyMaterialId": first, "KeyMaterialDescription": "the first", "ImportState": "IMPORTED",
        "KeyMaterialState": "NON_CURRENT", "ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": valid_to,
    });
    let waits = json!({
        "KeyId": arn, "KeyMaterialId": third, "ImportState": "IMPORTED", "KeyMaterialState": "PENDING_ROTATION",
        "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
    });
    assert_eq!(all["Rotations"], json!([was, rotated, waits]));
}
