//! ImportKeyMaterial: material of every kind, its tokens, its expiry, and several materials of one key.

use serde_json::{Value, json};
use trent_crypto::SystemRandom;
use trent_crypto::asymmetric::{KeyPair, KeyPairSpec};
use trent_protocol::Operation::{
    CreateKey, Decrypt, DeleteImportedKeyMaterial, Encrypt, GenerateMac, GetPublicKey, ImportKeyMaterial,
    RotateKeyOnDemand,
};
use trent_testkit::{ImportParameters, TestKms, base64, bytes, fresh_material};

use super::{materials, pending_import, states, wrong_origin};

const MONTH: i64 = 1_767_225_600 + 30 * 24 * 60 * 60;

async fn symmetric(kms: &TestKms) -> String {
    kms.create_external_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await
}

async fn parameters(kms: &TestKms, key: &str) -> ImportParameters {
    ImportParameters::of(kms, key, "RSAES_OAEP_SHA_256", "RSA_2048").await
}

#[tokio::test]
async fn a_key_without_material_waits_for_it() {
    let kms = TestKms::new().await;
    for (spec, usage) in [("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), ("ECC_NIST_P256", "SIGN_VERIFY")] {
        let request = json!({"KeySpec": spec, "KeyUsage": usage, "Origin": "EXTERNAL"});
        let metadata = kms.ok(CreateKey, request).await["KeyMetadata"].take();
        assert_eq!(
            (&metadata["KeyState"], &metadata["Enabled"], &metadata["Origin"]),
            (&json!("PendingImport"), &json!(false), &json!("EXTERNAL"))
        );
        for absent in ["CurrentKeyMaterialId", "ExpirationModel", "ValidTo"] {
            assert!(metadata.get(absent).is_none(), "{absent}");
        }
    }
    let key = symmetric(&kms).await;
    let refused = kms.refused(Encrypt, json!({"KeyId": key, "Plaintext": "dGV4dA=="})).await;
    assert_eq!(refused, pending_import(&kms, &key));
    assert_eq!(materials(&kms, &key).await, Vec::<Value>::new());
}

#[tokio::test]
async fn without_an_end_of_validity_a_bare_import_fails_and_its_token_stays_good() {
    let kms = TestKms::new().await;
    let key = symmetric(&kms).await;
    let parameters = parameters(&kms, &key).await;
    let mut bare = parameters.request(&[7; 32]);
    bare.as_object_mut().unwrap().remove("ExpirationModel");
    assert_eq!(
        kms.refused(ImportKeyMaterial, bare).await,
        "ValidationException: A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"
    );
    assert_eq!(kms.metadata(&key).await["KeyState"], "PendingImport");
    let answer = kms.ok(ImportKeyMaterial, parameters.request(&[7; 32])).await;
    let metadata = kms.metadata(&key).await;
    assert_eq!(answer, json!({"KeyId": kms.arn(&key), "KeyMaterialId": metadata["CurrentKeyMaterialId"]}));
    assert_eq!(
        (&metadata["KeyState"], &metadata["Enabled"], &metadata["ExpirationModel"]),
        (&json!("Enabled"), &json!(true), &json!("KEY_MATERIAL_DOES_NOT_EXPIRE"))
    );
    assert!(metadata.get("ValidTo").is_none());
    assert_eq!(kms.decrypt(&kms.encrypt(&key, b"text").await).await, b"text");
}

#[tokio::test]
async fn material_of_every_spec_is_imported_and_used() {
    let kms = TestKms::new().await;
    for (spec, usage) in [
        ("RSA_2048", "ENCRYPT_DECRYPT"),
        ("RSA_2048", "SIGN_VERIFY"),
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("ECC_NIST_P384", "KEY_AGREEMENT"),
        ("ECC_NIST_P521", "SIGN_VERIFY"),
        ("ECC_SECG_P256K1", "SIGN_VERIFY"),
        ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY"),
        ("ML_DSA_44", "SIGN_VERIFY"),
        ("ML_DSA_65", "SIGN_VERIFY"),
        ("ML_DSA_87", "SIGN_VERIFY"),
        ("ML_KEM_512", "ENCAPSULATE_DECAPSULATE"),
        ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"),
        ("ML_KEM_1024", "ENCAPSULATE_DECAPSULATE"),
    ] {
        let key = kms.create_external_key(spec, usage).await;
        let answer = kms.import(&key, &fresh_material(spec), json!({})).await;
        assert_eq!(answer, json!({"KeyId": kms.arn(&key)}), "{spec}");
        let metadata = kms.metadata(&key).await;
        assert_eq!(metadata["KeyState"], "Enabled", "{spec}");
        assert!(metadata.get("CurrentKeyMaterialId").is_none(), "{spec}");
        assert!(!kms.public_key(&key).await.is_empty(), "{spec}");
    }
}

#[tokio::test]
async fn the_public_key_of_an_imported_pair_is_its_own() {
    let kms = TestKms::new().await;
    for (name, spec, algorithm, wrapping) in [
        ("ECC_NIST_P256", KeyPairSpec::EccNistP256, "RSAES_OAEP_SHA_256", "RSA_2048"),
        ("ECC_NIST_P384", KeyPairSpec::EccNistP384, "RSAES_OAEP_SHA_1", "RSA_2048"),
        ("ECC_NIST_P521", KeyPairSpec::EccNistP521, "RSAES_OAEP_SHA_256", "RSA_4096"),
        ("RSA_4096", KeyPairSpec::Rsa4096, "RSA_AES_KEY_WRAP_SHA_256", "RSA_3072"),
    ] {
        let pair = KeyPair::generate(spec, &SystemRandom::new()).unwrap();
        let key = kms.create_external_key(name, "SIGN_VERIFY").await;
        let parameters = ImportParameters::of(&kms, &key, algorithm, wrapping).await;
        kms.ok(ImportKeyMaterial, parameters.request(pair.to_pkcs8().expose())).await;
        assert_eq!(kms.public_key(&key).await, pair.public().spki(), "{name}");
    }
}

#[tokio::test]
async fn hmac_keys_have_at_least_a_hash_and_at_most_a_block() {
    let kms = TestKms::new().await;
    for (bits, most) in [(224, 64), (256, 64), (384, 128), (512, 128)] {
        let spec = format!("HMAC_{bits}");
        for (length, fits) in [(bits / 8 - 1, false), (bits / 8, true), (most, true), (most + 1, false)] {
            let key = kms.create_external_key(&spec, "GENERATE_VERIFY_MAC").await;
            let request = parameters(&kms, &key).await.request(&vec![3; length]);
            if !fits {
                let refused = kms.refused(ImportKeyMaterial, request).await;
                assert_eq!(refused, "IncorrectKeyMaterialException", "{spec} {length}");
                assert_eq!(kms.metadata(&key).await["KeyState"], "PendingImport");
                continue;
            }
            assert_eq!(kms.ok(ImportKeyMaterial, request).await, json!({"KeyId": kms.arn(&key)}));
            assert!(kms.metadata(&key).await.get("CurrentKeyMaterialId").is_none());
            let algorithm = format!("HMAC_SHA_{bits}");
            let request = json!({"KeyId": key, "Message": "dGV4dA==", "MacAlgorithm": algorithm});
            assert_eq!(bytes(&kms.ok(GenerateMac, request).await["Mac"]).len(), bits / 8);
        }
    }
}

#[tokio::test]
async fn material_of_another_length_curve_or_size_is_incorrect() {
    let kms = TestKms::new().await;
    let pkcs8 = fresh_material;
    for (spec, usage, material) in [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", vec![1; 31]),
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", vec![1; 33]),
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", vec![1; 16]),
        ("ECC_NIST_P256", "SIGN_VERIFY", pkcs8("ECC_NIST_P384")),
        ("ECC_NIST_P256", "SIGN_VERIFY", pkcs8("ECC_SECG_P256K1")),
        ("ECC_SECG_P256K1", "SIGN_VERIFY", pkcs8("ECC_NIST_P256")),
        ("ECC_NIST_P256", "SIGN_VERIFY", vec![1; 32]),
        ("RSA_3072", "SIGN_VERIFY", pkcs8("RSA_2048")),
        ("RSA_2048", "SIGN_VERIFY", pkcs8("ECC_NIST_P256")),
        ("ML_DSA_65", "SIGN_VERIFY", pkcs8("ML_DSA_44")),
    ] {
        let key = kms.create_external_key(spec, usage).await;
        let parameters = ImportParameters::of(&kms, &key, "RSA_AES_KEY_WRAP_SHA_256", "RSA_2048").await;
        let refused = kms.refused(ImportKeyMaterial, parameters.request(&material)).await;
        assert_eq!(refused, "IncorrectKeyMaterialException", "{spec}, {} bytes", material.len());
        assert_eq!(kms.metadata(&key).await["KeyState"], "PendingImport");
        kms.ok(ImportKeyMaterial, parameters.request(&fresh_material(spec))).await;
    }
}

#[tokio::test]
async fn a_token_is_one_of_its_own_key_and_none_other() {
    let kms = TestKms::new().await;
    let (key, other) = (symmetric(&kms).await, symmetric(&kms).await);
    let (own, others) = (parameters(&kms, &key).await, parameters(&kms, &other).await);
    let mut request = others.request(&[1; 32]);
    request["KeyId"] = json!(key);
    assert_eq!(kms.refused(ImportKeyMaterial, request).await, "InvalidImportTokenException");

    let genuine = bytes(&json!(own.token));
    let mut forged = vec![vec![0; 100], vec![1], genuine[..genuine.len() - 1].to_vec()];
    for at in [0, 1, 20, 40, genuine.len() / 2, genuine.len() - 1] {
        let mut token = genuine.clone();
        token[at] ^= 1;
        forged.push(token);
    }
    for token in forged {
        let mut request = own.request(&[1; 32]);
        request["ImportToken"] = json!(base64(&token));
        assert_eq!(kms.refused(ImportKeyMaterial, request).await, "InvalidImportTokenException");
    }
    kms.ok(ImportKeyMaterial, own.request(&[1; 32])).await;
}

#[tokio::test]
async fn a_token_is_good_for_24_hours() {
    let kms = TestKms::new().await;
    let key = symmetric(&kms).await;
    let parameters = parameters(&kms, &key).await;
    kms.clock.advance_days(1);
    kms.ok(ImportKeyMaterial, parameters.request(&[1; 32])).await;
    kms.clock.advance_millis(1000);
    let refused = kms.refused(ImportKeyMaterial, parameters.request(&[1; 32])).await;
    assert_eq!(refused, "ExpiredImportTokenException");
}

#[tokio::test]
async fn a_token_outlives_a_restart() {
    let kms = TestKms::new().await;
    let key = symmetric(&kms).await;
    let parameters = parameters(&kms, &key).await;
    let kms = kms.restart().await;
    kms.ok(ImportKeyMaterial, parameters.request(&[1; 32])).await;
    let blob = kms.encrypt(&key, b"text").await;
    let kms = kms.restart().await;
    assert_eq!(kms.decrypt(&blob).await, b"text");
}

#[tokio::test]
async fn what_does_not_unwrap_is_an_invalid_ciphertext() {
    let kms = TestKms::new().await;
    let key = symmetric(&kms).await;
    let [oaep, sha1, two_steps] = ["RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"];
    let of = |algorithm| ImportParameters::of(&kms, &key, algorithm, "RSA_2048");
    let (oaep, sha1, two_steps) = (of(oaep).await, of(sha1).await, of(two_steps).await);
    let mut altered = two_steps.wrap(&[1; 32]);
    *altered.last_mut().unwrap() ^= 1;
    for (parameters, wrapped) in [
        (&oaep, vec![1]),
        (&oaep, vec![1; 256]),
        (&oaep, vec![1; 512]),
        // Under another wrapping key, by another algorithm.
        (&oaep, sha1.wrap(&[1; 32])),
        (&oaep, two_steps.wrap(&[1; 32])),
        (&two_steps, oaep.wrap(&[1; 32])),
        (&two_steps, altered),
        (&two_steps, vec![1; 296]),
    ] {
        let mut request = parameters.request(&[1; 32]);
        request["EncryptedKeyMaterial"] = json!(base64(&wrapped));
        assert_eq!(kms.refused(ImportKeyMaterial, request).await, "InvalidCiphertextException");
    }
    assert_eq!(kms.metadata(&key).await["KeyState"], "PendingImport");
    for parameters in [oaep, sha1, two_steps] {
        kms.ok(ImportKeyMaterial, parameters.request(&[1; 32])).await;
    }
}

#[tokio::test]
async fn material_expires_within_a_year() {
    let kms = TestKms::new().await;
    let key = symmetric(&kms).await;
    let parameters = parameters(&kms, &key).await;
    let now = 1_767_225_600_i64;
    let year = now + 365 * 24 * 60 * 60;
    // The texts are trent's.
    for (model, valid_to, text) in [
        ("KEY_MATERIAL_EXPIRES", now, "The validTo date must be in the future"),
        ("KEY_MATERIAL_EXPIRES", 0, "The validTo date must be in the future"),
        ("KEY_MATERIAL_EXPIRES", year + 1, "The validTo date must be within 365 days from now"),
        (
            "KEY_MATERIAL_DOES_NOT_EXPIRE",
            year,
            "A validTo date cannot be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE",
        ),
    ] {
        let mut request = parameters.request(&[1; 32]);
        request["ExpirationModel"] = json!(model);
        request["ValidTo"] = json!(valid_to);
        assert_eq!(kms.refused(ImportKeyMaterial, request).await, format!("ValidationException: {text}"));
    }
    let mut request = parameters.request(&[1; 32]);
    request.as_object_mut().unwrap().remove("ExpirationModel");
    request["ValidTo"] = json!(year);
    kms.ok(ImportKeyMaterial, request).await;
    let metadata = kms.metadata(&key).await;
    assert_eq!(
        (&metadata["ExpirationModel"], &metadata["ValidTo"]),
        (&json!("KEY_MATERIAL_EXPIRES"), &json!(year))
    );
}

#[tokio::test]
async fn material_goes_when_its_time_has_come_and_comes_back_with_the_next_import() {
    let kms = TestKms::new().await;
    let key = symmetric(&kms).await;
    kms.import(&key, &[5; 32], json!({"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": MONTH})).await;
    let (blob, before) = (kms.encrypt(&key, b"text").await, kms.metadata(&key).await);
    kms.clock.advance_millis(30 * 24 * 60 * 60 * 1000 - 1);
    assert_eq!(kms.run_jobs().await.expired, 0);
    assert_eq!(kms.metadata(&key).await, before);
    kms.clock.advance_millis(1);
    // It counts no longer from that moment on, not only once the job has deleted it.
    assert_eq!(kms.refused(Decrypt, json!({"CiphertextBlob": blob})).await, pending_import(&kms, &key));
    assert_eq!(kms.run_jobs().await.expired, 1);
    assert_eq!(kms.run_jobs().await.expired, 0);
    let after = kms.metadata(&key).await;
    assert_eq!((&after["KeyState"], &after["Enabled"]), (&json!("PendingImport"), &json!(false)));
    assert_eq!(after["CurrentKeyMaterialId"], before["CurrentKeyMaterialId"]);
    assert!(after.get("ExpirationModel").is_none() && after.get("ValidTo").is_none());
    assert_eq!(kms.refused(Decrypt, json!({"CiphertextBlob": blob})).await, pending_import(&kms, &key));
    // The same material, by default, since there was some; and it does not expire any more.
    kms.import(&key, &[5; 32], json!({})).await;
    assert_eq!(kms.decrypt(&blob).await, b"text");
    assert_eq!(kms.metadata(&key).await["ExpirationModel"], "KEY_MATERIAL_DOES_NOT_EXPIRE");
    kms.clock.advance_days(400);
    assert_eq!(kms.run_jobs().await.expired, 0);
}

#[tokio::test]
async fn the_same_material_in_the_same_key_has_the_same_id() {
    let kms = TestKms::new().await;
    let (key, other) = (symmetric(&kms).await, symmetric(&kms).await);
    let first = kms.import(&key, &[5; 32], json!({})).await;
    assert_eq!(kms.import(&key, &[5; 32], json!({})).await, first);
    assert_ne!(kms.import(&other, &[5; 32], json!({})).await["KeyMaterialId"], first["KeyMaterialId"]);
    let id = first["KeyMaterialId"].as_str().unwrap();
    assert!(id.len() == 64 && id.bytes().all(|digit| b"0123456789abcdef".contains(&digit)));
    // Named as what it is, and as what it is not.
    kms.import(&key, &[5; 32], json!({"KeyMaterialId": id, "ImportType": "EXISTING_KEY_MATERIAL"})).await;
    let mut request = parameters(&kms, &key).await.request(&[5; 32]);
    request["KeyMaterialId"] = json!("0".repeat(64));
    assert_eq!(kms.refused(ImportKeyMaterial, request).await, "IncorrectKeyMaterialException");
}

#[tokio::test]
async fn other_material_than_the_key_knows_is_incorrect_unless_it_is_said_to_be_new() {
    let kms = TestKms::new().await;
    let key = symmetric(&kms).await;
    let parameters = parameters(&kms, &key).await;
    let refused = async |material: u8, kind: Option<&str>| {
        let mut request = parameters.request(&[material; 32]);
        request["ImportType"] = json!(kind);
        kms.refused(ImportKeyMaterial, request).await
    };
    assert_eq!(refused(1, Some("EXISTING_KEY_MATERIAL")).await, "IncorrectKeyMaterialException");
    kms.ok(ImportKeyMaterial, parameters.request(&[1; 32])).await;
    assert_eq!(refused(2, None).await, "IncorrectKeyMaterialException");
    assert_eq!(refused(2, Some("EXISTING_KEY_MATERIAL")).await, "IncorrectKeyMaterialException");
    assert_eq!(refused(1, Some("NEW_KEY_MATERIAL")).await, "IncorrectKeyMaterialException");
    kms.ok(DeleteImportedKeyMaterial, json!({"KeyId": key})).await;
    assert_eq!(refused(2, None).await, "IncorrectKeyMaterialException");
    assert_eq!(kms.metadata(&key).await["KeyState"], "PendingImport");
    kms.ok(ImportKeyMaterial, parameters.request(&[1; 32])).await;
}

#[tokio::test]
async fn a_key_of_another_kind_has_one_material_for_good() {
    let kms = TestKms::new().await;
    for (spec, usage) in [("ECC_NIST_P256", "SIGN_VERIFY"), ("HMAC_256", "GENERATE_VERIFY_MAC")] {
        let key = kms.create_external_key(spec, usage).await;
        let parameters = parameters(&kms, &key).await;
        let (own, other) = (fresh_material(spec), fresh_material(spec));
        kms.ok(ImportKeyMaterial, parameters.request(&own)).await;
        kms.ok(ImportKeyMaterial, parameters.request(&own)).await;
        let refused = kms.refused(ImportKeyMaterial, parameters.request(&other)).await;
        assert_eq!(refused, "IncorrectKeyMaterialException");
        kms.ok(DeleteImportedKeyMaterial, json!({"KeyId": key})).await;
        let refused = kms.refused(ImportKeyMaterial, parameters.request(&other)).await;
        assert_eq!(refused, "IncorrectKeyMaterialException");
        kms.ok(ImportKeyMaterial, parameters.request(&own)).await;
        // The code is one of the two that the documentation leaves open, the text trent's.
        for (member, value) in [
            ("ImportType", "EXISTING_KEY_MATERIAL"),
            ("KeyMaterialDescription", "mine"),
            ("KeyMaterialId", "0000000000000000000000000000000000000000000000000000000000000000"),
        ] {
            let mut request = parameters.request(&own);
            request[member] = json!(value);
            assert_eq!(
                kms.refused(ImportKeyMaterial, request).await,
                format!("ValidationException: {member} is not supported for key spec {spec}.")
            );
        }
    }
}

#[tokio::test]
async fn new_material_waits_for_its_rotation() {
    let kms = TestKms::new().await;
    let key = symmetric(&kms).await;
    let first = kms.import(&key, &[1; 32], json!({})).await["KeyMaterialId"].take();
    let old = kms.encrypt(&key, b"old").await;
    let before = kms.metadata(&key).await;
    let new = json!({"ImportType": "NEW_KEY_MATERIAL", "KeyMaterialDescription": "the second one"});
    let second = kms.import(&key, &[2; 32], new.clone()).await["KeyMaterialId"].take();
    assert_eq!(kms.metadata(&key).await, before);
    assert_eq!(states(&kms, &key).await, ["CURRENT", "PENDING_ROTATION"]);

    // At most one waits.
    let mut request = parameters(&kms, &key).await.request(&[3; 32]);
    request["ImportType"] = json!("NEW_KEY_MATERIAL");
    let refused = kms.refused(ImportKeyMaterial, request).await;
    let prefix = "KMSInvalidStateException: New key material (id: ";
    let third = &refused.strip_prefix(prefix).expect("the id of the new material")[..64];
    assert_eq!(
        refused,
        format!(
            "KMSInvalidStateException: New key material (id: {third}) cannot be imported into KMS key {}, because \
             another key material (id: {}) is pending rotation.",
            kms.arn(&key),
            second.as_str().unwrap()
        )
    );

    assert_eq!(kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await, json!({"KeyId": kms.arn(&key)}));
    assert_eq!(kms.metadata(&key).await["CurrentKeyMaterialId"], second);
    assert_eq!(states(&kms, &key).await, ["NON_CURRENT", "CURRENT"]);
    let opened = kms.ok(Decrypt, json!({"CiphertextBlob": old})).await;
    assert_eq!((&opened["KeyMaterialId"], bytes(&opened["Plaintext"])), (&first, b"old".to_vec()));
    let blob = kms.encrypt(&key, b"new").await;
    assert_eq!(kms.ok(Decrypt, json!({"CiphertextBlob": blob})).await["KeyMaterialId"], second);
    // The third one is free to come now, under the id that it was refused with.
    assert_eq!(
        kms.import(&key, &[3; 32], json!({"ImportType": "NEW_KEY_MATERIAL"})).await["KeyMaterialId"],
        third
    );
}

#[tokio::test]
async fn an_import_that_names_its_material_is_none_of_new_material() {
    let kms = TestKms::new().await;
    let key = symmetric(&kms).await;
    let mut request = parameters(&kms, &key).await.request(&[1; 32]);
    request["ImportType"] = json!("NEW_KEY_MATERIAL");
    request["KeyMaterialId"] = json!("0".repeat(64));
    assert_eq!(
        kms.refused(ImportKeyMaterial, request).await,
        "ValidationException: KeyMaterialId cannot be specified when the ImportType is NEW_KEY_MATERIAL"
    );
}

#[tokio::test]
async fn the_earliest_end_of_all_materials_of_a_key_is_told() {
    let kms = TestKms::new().await;
    let key = symmetric(&kms).await;
    let until = |at: i64| json!({"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": at});
    kms.import(&key, &[1; 32], until(MONTH)).await;
    let mut second = until(MONTH - 5);
    second["ImportType"] = json!("NEW_KEY_MATERIAL");
    kms.import(&key, &[2; 32], second).await;
    // What waits for its rotation is no part of the key yet.
    assert_eq!(kms.metadata(&key).await["ValidTo"], MONTH);
    kms.ok(RotateKeyOnDemand, json!({"KeyId": key})).await;
    assert_eq!(kms.metadata(&key).await["ValidTo"], MONTH - 5);
    kms.import(&key, &[2; 32], json!({})).await;
    let metadata = kms.metadata(&key).await;
    assert_eq!(
        (&metadata["ExpirationModel"], &metadata["ValidTo"]),
        (&json!("KEY_MATERIAL_EXPIRES"), &json!(MONTH))
    );
    // The old material goes, and nothing works until it is back.
    let blob = kms.encrypt(&key, b"text").await;
    kms.clock.advance_days(30);
    assert_eq!(kms.run_jobs().await.expired, 1);
    assert_eq!(kms.refused(Decrypt, json!({"CiphertextBlob": blob})).await, pending_import(&kms, &key));
    kms.import(&key, &[1; 32], json!({})).await;
    assert_eq!(kms.decrypt(&blob).await, b"text");
}

#[tokio::test]
async fn a_disabled_key_stays_disabled() {
    let kms = TestKms::new().await;
    let key = symmetric(&kms).await;
    kms.import(&key, &[1; 32], json!({})).await;
    kms.disable(&key).await;
    kms.import(&key, &[1; 32], json!({})).await;
    assert_eq!(kms.metadata(&key).await["KeyState"], "Disabled");
}

#[tokio::test]
async fn a_key_whose_material_trent_makes_takes_none() {
    let kms = TestKms::new().await;
    let (made, external) = (kms.create_key().await, symmetric(&kms).await);
    kms.schedule_deletion(&made).await;
    let mut request = parameters(&kms, &external).await.request(&[1; 32]);
    request["KeyId"] = json!(made);
    assert_eq!(kms.refused(ImportKeyMaterial, request).await, wrong_origin(&kms, &made, "AWS_KMS"));
}

#[tokio::test]
async fn a_key_that_waits_for_material_says_so_before_what_else_is_wrong() {
    let kms = TestKms::new().await;
    let key = kms.create_external_key("HMAC_256", "GENERATE_VERIFY_MAC").await;
    for (operation, request) in [
        (Encrypt, json!({"KeyId": key, "Plaintext": "dGV4dA=="})),
        (GenerateMac, json!({"KeyId": key, "Message": "dGV4dA==", "MacAlgorithm": "HMAC_SHA_224"})),
        (GetPublicKey, json!({"KeyId": key})),
    ] {
        assert_eq!(kms.refused(operation, request).await, pending_import(&kms, &key), "{operation}");
    }
}
