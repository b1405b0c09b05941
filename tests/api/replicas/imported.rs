//! Multi-Region keys of imported material: it is imported in each Region, and rotated to once all have it.

use serde_json::{Value, json};
use trent_protocol::Operation::{
    Decrypt, DeleteImportedKeyMaterial, Encrypt, GenerateMac, GetParametersForImport, ImportKeyMaterial,
    ReplicateKey, RotateKeyOnDemand, VerifyMac,
};
use trent_service::Options;
use trent_testkit::{ImportParameters, REGION, TestKms, fresh_material};

use super::{REGION_OF_THIRD, THERE, configuration, not_primary, promote, related, replicate};
use crate::import::{materials, pending_import, states};

const NEW: &str = "NEW_KEY_MATERIAL";
const WAITS: &str = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION";

/// A primary whose material is imported.
async fn imported(kms: &TestKms, spec: &str, usage: &str, material: &[u8]) -> String {
    let request = json!({"KeySpec": spec, "KeyUsage": usage, "Origin": "EXTERNAL", "MultiRegion": true});
    let key = kms.create_key_with(request).await;
    kms.import(&key, material, json!({})).await;
    key
}

/// A symmetric primary and its replica, both with material 1.
async fn both() -> (TestKms, TestKms, String) {
    let kms = TestKms::new().await;
    let there = kms.in_region(THERE);
    let key = imported(&kms, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", &[1; 32]).await;
    replicate(&kms, &key, THERE).await;
    there.import(&key, &[1; 32], json!({})).await;
    (kms, there, key)
}

async fn import_new(kms: &TestKms, key: &str, material: u8) -> Value {
    kms.import(key, &[material; 32], json!({"ImportType": NEW})).await["KeyMaterialId"].take()
}

/// The answer to an import of material, and nothing of it beside its token.
async fn refused(kms: &TestKms, key: &str, material: &[u8], more: Value) -> String {
    let parameters = ImportParameters::of(kms, key, "RSA_AES_KEY_WRAP_SHA_256", "RSA_2048").await;
    let mut request = parameters.request(material);
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    kms.refused(ImportKeyMaterial, request).await
}

fn nothing_pending(kms: &TestKms, key: &str) -> String {
    let arn = kms.arn(key);
    format!("KMSInvalidStateException: No available key material pending rotation for the key: {arn}.")
}

#[tokio::test]
async fn a_replica_waits_for_the_material_of_its_primary_and_takes_no_other() {
    let kms = TestKms::new().await;
    let there = kms.in_region(THERE);
    let key = imported(&kms, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", &[1; 32]).await;
    let blob = kms.encrypt(&key, b"text").await;
    let made = replicate(&kms, &key, THERE).await;
    assert_eq!(made["ReplicaKeyMetadata"]["KeyState"], "Creating");
    assert_eq!(made["ReplicaKeyMetadata"]["Origin"], "EXTERNAL");
    let metadata = there.metadata(&key).await;
    assert_eq!((&metadata["KeyState"], &metadata["Enabled"]), (&json!("PendingImport"), &json!(false)));
    assert!(metadata.get("ExpirationModel").is_none(), "{metadata}");
    assert_eq!(configuration(&there, &key).await, related(&kms, &key, "REPLICA", REGION, &[THERE]));
    assert_eq!(there.refused(Decrypt, json!({"CiphertextBlob": blob})).await, pending_import(&there, &key));
    assert_eq!(kms.decrypt(&blob).await, b"text");

    for more in [json!({}), json!({"ImportType": "EXISTING_KEY_MATERIAL"})] {
        assert_eq!(refused(&there, &key, &[2; 32], more).await, "IncorrectKeyMaterialException");
    }
    for material in [1, 2] {
        let new = json!({"ImportType": NEW});
        assert_eq!(refused(&there, &key, &[material; 32], new).await, not_primary(&there, &key));
    }
    assert_eq!(there.metadata(&key).await["KeyState"], "PendingImport");
    let taken = there.import(&key, &[1; 32], json!({"KeyMaterialDescription": "there"})).await;
    let metadata = there.metadata(&key).await;
    assert_eq!((&metadata["KeyState"], &metadata["Enabled"]), (&json!("Enabled"), &json!(true)));
    assert_eq!(metadata["ExpirationModel"], "KEY_MATERIAL_DOES_NOT_EXPIRE");
    assert_eq!(taken["KeyMaterialId"], kms.metadata(&key).await["CurrentKeyMaterialId"]);
    assert_eq!(there.decrypt(&blob).await, b"text");
    // Words are each Region's own.
    assert_eq!(materials(&there, &key).await[0]["KeyMaterialDescription"], "there");
    assert!(materials(&kms, &key).await[0].get("KeyMaterialDescription").is_none());
}

#[tokio::test]
async fn a_token_of_the_primary_is_none_of_its_replica() {
    let kms = TestKms::new().await;
    let there = kms.in_region(THERE);
    let key = imported(&kms, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", &[1; 32]).await;
    replicate(&kms, &key, THERE).await;
    let parameters = ImportParameters::of(&kms, &key, "RSAES_OAEP_SHA_256", "RSA_2048").await;
    let refused = there.refused(ImportKeyMaterial, parameters.request(&[1; 32])).await;
    assert_eq!(refused, "InvalidImportTokenException");
}

#[tokio::test]
async fn keys_of_every_kind_are_replicated_and_imported_there() {
    let kms = TestKms::new().await;
    let there = kms.in_region(THERE);
    for (spec, usage) in [
        ("RSA_2048", "SIGN_VERIFY"),
        ("ECC_NIST_P256", "KEY_AGREEMENT"),
        ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY"),
        ("ML_DSA_44", "SIGN_VERIFY"),
        ("ML_KEM_512", "ENCAPSULATE_DECAPSULATE"),
    ] {
        let (own, other) = (fresh_material(spec), fresh_material(spec));
        let key = imported(&kms, spec, usage, &own).await;
        replicate(&kms, &key, THERE).await;
        assert_eq!(refused(&there, &key, &other, json!({})).await, "IncorrectKeyMaterialException", "{spec}");
        there.import(&key, &own, json!({})).await;
        assert_eq!(there.public_key(&key).await, kms.public_key(&key).await, "{spec}");
    }
    let key = imported(&kms, "HMAC_256", "GENERATE_VERIFY_MAC", &[7; 32]).await;
    replicate(&kms, &key, THERE).await;
    there.import(&key, &[7; 32], json!({})).await;
    let mut request = json!({"KeyId": key, "Message": "dGV4dA==", "MacAlgorithm": "HMAC_SHA_256"});
    request["Mac"] = kms.ok(GenerateMac, request.clone()).await["Mac"].take();
    there.ok(VerifyMac, request).await;
}

#[tokio::test]
async fn a_primary_without_its_material_is_not_replicated() {
    let kms = TestKms::new().await;
    let request = json!({"Origin": "EXTERNAL", "MultiRegion": true});
    let key = kms.create_key_with(request).await;
    let replication = json!({"KeyId": key, "ReplicaRegion": THERE});
    assert_eq!(kms.refused(ReplicateKey, replication.clone()).await, pending_import(&kms, &key));
    kms.import(&key, &[1; 32], json!({})).await;
    kms.ok(DeleteImportedKeyMaterial, json!({"KeyId": key})).await;
    assert_eq!(kms.refused(ReplicateKey, replication).await, pending_import(&kms, &key));
}

#[tokio::test]
async fn while_a_replica_is_created_nothing_is_imported_into_it() {
    let kms = TestKms::with_options(Options { settling_seconds: 30, ..Options::default() }).await;
    let there = kms.in_region(THERE);
    let key = imported(&kms, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", &[1; 32]).await;
    replicate(&kms, &key, THERE).await;
    let creating = format!("KMSInvalidStateException: {} is creating.", there.arn(&key));
    let parameters = json!({
        "KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048",
    });
    assert_eq!(there.refused(GetParametersForImport, parameters).await, creating);
    kms.clock.advance_millis(30_000);
    assert_eq!(kms.run_jobs().await.settled, 1);
    assert_eq!(there.metadata(&key).await["KeyState"], "PendingImport");
    there.import(&key, &[1; 32], json!({})).await;
    assert_eq!(there.metadata(&key).await["KeyState"], "Enabled");
}

#[tokio::test]
async fn new_material_is_rotated_to_once_every_region_has_it() {
    let (kms, there, key) = both().await;
    let third = kms.in_region(REGION_OF_THIRD);
    replicate(&kms, &key, REGION_OF_THIRD).await;
    third.import(&key, &[1; 32], json!({})).await;
    let old = there.encrypt(&key, b"old").await;
    let second = import_new(&kms, &key, 2).await;
    for kms in [&kms, &there, &third] {
        assert_eq!(states(kms, &key).await, ["CURRENT", WAITS]);
        assert_eq!(kms.metadata(&key).await["KeyState"], "Enabled");
    }
    let import_states = |materials: Vec<Value>| -> Vec<Value> {
        materials.into_iter().map(|mut material| material["ImportState"].take()).collect()
    };
    assert_eq!(import_states(materials(&kms, &key).await), ["IMPORTED", "IMPORTED"]);
    assert_eq!(import_states(materials(&there, &key).await), ["IMPORTED", "PENDING_IMPORT"]);
    assert_eq!(kms.refused(RotateKeyOnDemand, json!({"KeyId": key})).await, nothing_pending(&kms, &key));

    there.import(&key, &[2; 32], json!({"KeyMaterialId": second})).await;
    assert_eq!(states(&kms, &key).await, ["CURRENT", WAITS]);
    third.import(&key, &[2; 32], json!({"ImportType": "EXISTING_KEY_MATERIAL"})).await;
    for kms in [&kms, &there, &third] {
        assert_eq!(states(kms, &key).await, ["CURRENT", "PENDING_ROTATION"]);
    }
    assert_eq!(there.refused(RotateKeyOnDemand, json!({"KeyId": key})).await, not_primary(&there, &key));
    kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
    for maker in [&kms, &there, &third] {
        assert_eq!(states(maker, &key).await, ["NON_CURRENT", "CURRENT"]);
        assert_eq!(maker.metadata(&key).await["CurrentKeyMaterialId"], second);
        let blob = maker.encrypt(&key, b"new").await;
        for reader in [&kms, &there, &third] {
            assert_eq!(reader.decrypt(&blob).await, b"new");
            assert_eq!(reader.decrypt(&old).await, b"old");
        }
    }
    // What belongs to the key is missing in one Region, and nowhere else.
    third.ok(DeleteImportedKeyMaterial, json!({"KeyId": key, "KeyMaterialId": second})).await;
    assert_eq!(third.metadata(&key).await["KeyState"], "PendingImport");
    assert_eq!(there.decrypt(&old).await, b"old");
}

#[tokio::test]
async fn pending_material_that_is_deleted_in_one_region_is_waited_for_and_that_of_the_primary_is_forgotten() {
    let (kms, there, key) = both().await;
    let second = import_new(&kms, &key, 2).await;
    there.import(&key, &[2; 32], json!({})).await;
    assert_eq!(states(&kms, &key).await, ["CURRENT", "PENDING_ROTATION"]);
    let second = json!({"KeyId": key, "KeyMaterialId": second});
    there.ok(DeleteImportedKeyMaterial, second.clone()).await;
    for kms in [&kms, &there] {
        assert_eq!(states(kms, &key).await, ["CURRENT", WAITS]);
        assert_eq!(kms.metadata(&key).await["KeyState"], "Enabled");
    }
    assert_eq!(kms.refused(RotateKeyOnDemand, json!({"KeyId": key})).await, nothing_pending(&kms, &key));
    there.import(&key, &[2; 32], json!({})).await;
    kms.ok(DeleteImportedKeyMaterial, second).await;
    for kms in [&kms, &there] {
        assert_eq!(states(kms, &key).await, ["CURRENT"]);
        assert_eq!(kms.metadata(&key).await["KeyState"], "Enabled");
    }
    assert_eq!(refused(&there, &key, &[2; 32], json!({})).await, "IncorrectKeyMaterialException");
    import_new(&kms, &key, 3).await;
}

#[tokio::test]
async fn material_expires_in_each_region_by_itself() {
    let (kms, there, key) = both().await;
    let now = 1_767_225_600_i64;
    let until =
        |days: i64| json!({"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": now + days * 86_400});
    there.import(&key, &[1; 32], until(5)).await;
    assert_eq!(there.metadata(&key).await["ValidTo"], now + 5 * 86_400);
    assert_eq!(kms.metadata(&key).await["ExpirationModel"], "KEY_MATERIAL_DOES_NOT_EXPIRE");
    let blob = there.encrypt(&key, b"text").await;
    kms.clock.advance_days(5);
    // Before and after the job has been there.
    for expired in [1, 0] {
        let encrypt = json!({"KeyId": key, "Plaintext": "dGV4dA=="});
        assert_eq!(there.refused(Encrypt, encrypt).await, pending_import(&there, &key));
        assert_eq!(kms.decrypt(&blob).await, b"text");
        assert_eq!(kms.run_jobs().await.expired, expired);
    }
    there.import(&key, &[1; 32], json!({})).await;
    assert_eq!(there.decrypt(&blob).await, b"text");

    // What waits for its rotation: gone everywhere with the primary's, waited for with a replica's.
    let mut second = until(8);
    second["ImportType"] = json!(NEW);
    kms.import(&key, &[2; 32], second).await;
    there.import(&key, &[2; 32], until(7)).await;
    assert_eq!(states(&kms, &key).await, ["CURRENT", "PENDING_ROTATION"]);
    kms.clock.advance_days(2);
    assert_eq!(kms.run_jobs().await.expired, 1);
    assert_eq!(states(&kms, &key).await, ["CURRENT", WAITS]);
    kms.clock.advance_days(1);
    assert_eq!(kms.run_jobs().await.expired, 1);
    for kms in [&kms, &there] {
        assert_eq!(states(kms, &key).await, ["CURRENT"]);
        assert_eq!(kms.metadata(&key).await["KeyState"], "Enabled");
    }
}

#[tokio::test]
async fn the_last_region_that_lacked_new_material_may_go() {
    let (kms, there, key) = both().await;
    import_new(&kms, &key, 2).await;
    there.schedule_deletion(&key).await;
    assert_eq!(states(&kms, &key).await, ["CURRENT", WAITS]);
    kms.clock.advance_days(7);
    assert_eq!(kms.run_jobs().await.deleted, 1);
    assert_eq!(states(&kms, &key).await, ["CURRENT", "PENDING_ROTATION"]);
    // One that comes has to import both.
    replicate(&kms, &key, THERE).await;
    assert_eq!(states(&kms, &key).await, ["CURRENT", WAITS]);
    there.import(&key, &[1; 32], json!({})).await;
    assert_eq!(there.metadata(&key).await["KeyState"], "Enabled");
    there.import(&key, &[2; 32], json!({})).await;
    kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
    assert_eq!(states(&there, &key).await, ["NON_CURRENT", "CURRENT"]);
}

#[tokio::test]
async fn a_replica_that_has_become_the_primary_leads_new_material() {
    let (kms, there, key) = both().await;
    import_new(&kms, &key, 2).await;
    promote(&kms, &key, THERE).await;
    // The new primary lacks what waits, and may import it or delete it.
    assert_eq!(states(&there, &key).await, ["CURRENT", WAITS]);
    there.import(&key, &[2; 32], json!({})).await;
    there.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
    assert_eq!(refused(&kms, &key, &[3; 32], json!({"ImportType": NEW})).await, not_primary(&kms, &key));
    import_new(&there, &key, 3).await;
    let kms = {
        drop(there);
        kms.restart().await
    };
    assert_eq!(states(&kms, &key).await, ["NON_CURRENT", "CURRENT", WAITS]);
}
