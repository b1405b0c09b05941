//! EnableKeyRotation: the schedule, and the job that rotates what is due.

use serde_json::{Value, json};
use trent_database::DatabaseError;
use trent_domain::identifier::KeyId;
use trent_domain::key::Key;
use trent_domain::multi_region::MultiRegion;
use trent_domain::rotation::Schedule;
use trent_domain::time::Clock;
use trent_protocol::Operation::{
    CancelKeyDeletion, Decrypt, DisableKeyRotation, EnableKeyRotation, Encrypt, GetKeyRotationStatus,
    ListKeyRotations,
};
use trent_testkit::{TestKms, base64};

const START: i64 = 1_767_225_600;
const DAY: i64 = 24 * 60 * 60;

async fn material(kms: &TestKms, key: &str) -> Value {
    kms.metadata(key).await["CurrentKeyMaterialId"].take()
}

async fn next_rotation(kms: &TestKms, key: &str) -> Value {
    kms.ok(GetKeyRotationStatus, json!({"KeyId": key})).await["NextRotationDate"].take()
}

#[tokio::test]
async fn the_status_tells_the_period_and_the_next_date() {
    let kms = TestKms::new().await;
    for (period, days) in [(json!(90), 90), (json!(180), 180), (json!(2560), 2560), (Value::Null, 365)] {
        let key = kms.create_key().await;
        let request = json!({"KeyId": key, "RotationPeriodInDays": period});
        assert_eq!(kms.ok(EnableKeyRotation, request).await, Value::Null);
        let expected = json!({
            "KeyId": kms.arn(&key),
            "KeyRotationEnabled": true,
            "RotationPeriodInDays": days,
            "NextRotationDate": START + days * DAY,
        });
        assert_eq!(kms.ok(GetKeyRotationStatus, json!({"KeyId": key})).await, expected);
    }
}

#[tokio::test]
async fn a_new_period_is_counted_from_the_call_that_sets_it() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.ok(EnableKeyRotation, json!({"KeyId": key})).await;
    kms.clock.advance_days(100);
    kms.ok(EnableKeyRotation, json!({"KeyId": key, "RotationPeriodInDays": 90})).await;
    assert_eq!(next_rotation(&kms, &key).await, START + 190 * DAY);
}

#[tokio::test]
async fn periods_outside_90_to_2560_days_are_refused() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    for (days, rule) in [(89, "greater than or equal to 90"), (2561, "less than or equal to 2560")] {
        assert_eq!(
            kms.refused(EnableKeyRotation, json!({"KeyId": key, "RotationPeriodInDays": days})).await,
            format!(
                "ValidationException: 1 validation error detected: Value '{days}' at 'rotationPeriodInDays' failed \
                 to satisfy constraint: Member must have value {rule}"
            )
        );
    }
}

#[tokio::test]
async fn a_key_gets_new_material_when_it_is_due_and_old_ciphertexts_decrypt() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let first = material(&kms, &key).await;
    let blob = kms.encrypt(&key, b"text").await;
    kms.ok(EnableKeyRotation, json!({"KeyId": key, "RotationPeriodInDays": 90})).await;
    kms.clock.advance_millis(90 * DAY * 1000 - 1);
    assert_eq!(kms.run_jobs().await.rotated, 0);
    assert_eq!(material(&kms, &key).await, first);
    kms.clock.advance_millis(1);
    assert_eq!(kms.run_jobs().await.rotated, 1);
    let second = material(&kms, &key).await;
    assert_ne!(second, first);
    assert_eq!(kms.ok(Decrypt, json!({"CiphertextBlob": blob})).await["KeyMaterialId"], first);
    let new_blob = kms.encrypt(&key, b"text").await;
    assert_eq!(kms.ok(Decrypt, json!({"CiphertextBlob": new_blob})).await["KeyMaterialId"], second);
    assert_eq!(next_rotation(&kms, &key).await, START + 180 * DAY);
}

#[tokio::test]
async fn a_key_is_rotated_once_however_long_it_was_overdue() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.ok(EnableKeyRotation, json!({"KeyId": key, "RotationPeriodInDays": 90})).await;
    kms.clock.advance_days(1000);
    assert_eq!(kms.run_jobs().await.rotated, 1);
    assert_eq!(kms.run_jobs().await.rotated, 0);
    assert_eq!(next_rotation(&kms, &key).await, START + 1090 * DAY);
}

#[tokio::test]
async fn rotations_follow_one_another_and_all_materials_stay() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.ok(EnableKeyRotation, json!({"KeyId": key, "RotationPeriodInDays": 90})).await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push((kms.encrypt(&key, b"text").await, material(&kms, &key).await));
        kms.clock.advance_days(90);
        assert_eq!(kms.run_jobs().await.rotated, 1);
    }
    for (blob, material) in made {
        assert_eq!(kms.ok(Decrypt, json!({"CiphertextBlob": blob})).await["KeyMaterialId"], material);
    }
    let rotations = kms.list_all(ListKeyRotations, &json!({"KeyId": key}), "Rotations").await;
    assert_eq!(rotations.len(), 5);
    assert!(rotations.iter().all(|rotation| rotation["RotationType"] == "AUTOMATIC"));
}

#[tokio::test]
async fn a_disabled_key_is_not_rotated_and_an_overdue_one_is_as_soon_as_it_is_enabled() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.ok(EnableKeyRotation, json!({"KeyId": key, "RotationPeriodInDays": 90})).await;
    kms.disable(&key).await;
    kms.clock.advance_days(100);
    assert_eq!(kms.run_jobs().await.rotated, 0);
    kms.enable(&key).await;
    assert_eq!(kms.run_jobs().await.rotated, 1);
    assert_eq!(next_rotation(&kms, &key).await, START + 190 * DAY);
}

#[tokio::test]
async fn a_key_pending_deletion_is_not_rotated_and_has_its_schedule_again_when_it_is_kept() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.ok(EnableKeyRotation, json!({"KeyId": key, "RotationPeriodInDays": 90})).await;
    kms.clock.advance_days(85);
    kms.schedule_deletion(&key).await;
    kms.clock.advance_days(6);
    assert_eq!(kms.run_jobs().await.rotated, 0);
    kms.ok(CancelKeyDeletion, json!({"KeyId": key})).await;
    assert_eq!(next_rotation(&kms, &key).await, START + 90 * DAY);
    assert_eq!(kms.run_jobs().await.rotated, 0);
    kms.enable(&key).await;
    assert_eq!(kms.run_jobs().await.rotated, 1);
}

#[tokio::test]
async fn a_schedule_outlives_a_restart() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    let first = material(&kms, &key).await;
    kms.ok(EnableKeyRotation, json!({"KeyId": key, "RotationPeriodInDays": 90})).await;
    let kms = kms.restart().await;
    kms.clock.advance_days(90);
    assert_eq!(kms.run_jobs().await.rotated, 1);
    let kms = kms.restart().await;
    assert_ne!(material(&kms, &key).await, first);
    assert_eq!(next_rotation(&kms, &key).await, START + 180 * DAY);
}

#[tokio::test]
async fn a_key_whose_rotation_was_disabled_is_not_rotated() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.ok(EnableKeyRotation, json!({"KeyId": key, "RotationPeriodInDays": 90})).await;
    kms.ok(DisableKeyRotation, json!({"KeyId": key})).await;
    kms.clock.advance_days(100);
    assert_eq!(kms.run_jobs().await.rotated, 0);
}

#[tokio::test]
async fn more_keys_than_one_run_of_the_job_looks_at_are_rotated_in_time() {
    let kms = TestKms::new().await;
    for _ in 0..300 {
        let key = kms.create_key().await;
        kms.ok(EnableKeyRotation, json!({"KeyId": key, "RotationPeriodInDays": 90})).await;
    }
    kms.clock.advance_days(90);
    let mut rotated = 0;
    for _ in 0..2 {
        rotated += kms.run_jobs().await.rotated;
    }
    assert_eq!(rotated, 300);
}

#[tokio::test]
async fn more_keys_than_one_batch_that_fail_every_time_keep_no_other_from_its_rotation() {
    let kms = TestKms::new().await;
    let sound = kms.create_key().await;
    let model = kms.create_key().await.parse().unwrap();
    let (region, now) = (kms.region, kms.clock.now());
    let schedule = move |days| Some(Schedule { period_days: 90, next: now.plus_days(days) });
    trent_database::write(&*kms.database, "insert broken keys", move |records| {
        let model = records.key(region, model)?.expect("the key");
        for number in 0..600_u16 {
            // It leads a replica that is not there, so that a rotation, which has to reach it, cannot be done.
            let mut random = [0; 10];
            random[..2].copy_from_slice(&number.to_be_bytes());
            let id = KeyId::generate(now, random, true);
            let mut related = MultiRegion::primary(region);
            related.replicas.insert("eu-west-1".parse().expect("a Region"));
            let (schedule, multi_region) = (schedule(80), Some(related));
            records.insert_key(&Key { id, schedule, multi_region, ..model.clone() })?;
        }
        Ok::<_, DatabaseError>(())
    })
    .await
    .unwrap()
    .unwrap();
    kms.ok(EnableKeyRotation, json!({"KeyId": sound, "RotationPeriodInDays": 90})).await;
    kms.clock.advance_days(90);
    kms.service.run_jobs().await.expect_err("the broken ones cannot be rotated");
    let rotations = kms.ok(ListKeyRotations, json!({"KeyId": sound})).await;
    assert_eq!(rotations["Rotations"].as_array().map(Vec::len), Some(1), "{rotations}");
}

#[tokio::test]
async fn many_due_rotations_do_not_keep_a_deletion_waiting() {
    let kms = TestKms::new().await;
    for _ in 0..260 {
        let key = kms.create_key().await;
        kms.ok(EnableKeyRotation, json!({"KeyId": key, "RotationPeriodInDays": 90})).await;
    }
    kms.clock.advance_days(90);
    let dying = kms.create_key().await;
    kms.schedule_deletion(&dying).await;
    kms.clock.advance_days(7);
    let mut deleted = 0;
    for _ in 0..2 {
        deleted += kms.run_jobs().await.deleted;
    }
    assert_eq!(deleted, 1);
}

#[tokio::test]
async fn what_is_encrypted_while_the_job_runs_decrypts() {
    let kms = TestKms::new().await;
    let key = kms.create_key().await;
    kms.ok(EnableKeyRotation, json!({"KeyId": key, "RotationPeriodInDays": 90})).await;
    kms.clock.advance_days(90);
    let request = json!({"KeyId": key, "Plaintext": base64(b"text")});
    let (report, encrypted) = tokio::join!(kms.run_jobs(), kms.ok(Encrypt, request));
    assert_eq!(report.rotated, 1);
    assert_eq!(kms.decrypt(encrypted["CiphertextBlob"].as_str().unwrap()).await, b"text");
}

#[tokio::test]
async fn the_origin_of_a_key_is_told_before_its_state() {
    let kms = TestKms::new().await;
    let waiting = kms.create_external_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    let disabled = kms.create_imported_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    kms.disable(&disabled).await;
    for key in [waiting, disabled] {
        assert_eq!(
            kms.refused(EnableKeyRotation, json!({"KeyId": key})).await,
            format!(
                "UnsupportedOperationException: {} origin is EXTERNAL which is not valid for this operation.",
                kms.arn(&key)
            )
        );
    }
}
