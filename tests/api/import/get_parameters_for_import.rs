//! GetParametersForImport: a wrapping key and a token for one key, good for a day.

use std::collections::BTreeSet;

use serde_json::json;
use trent_protocol::Operation::{GetParametersForImport, ImportKeyMaterial};
use trent_testkit::{ImportParameters, TestKms, bytes, fresh_material};

use super::wrong_origin;

const OAEP: [&str; 2] = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"];
const TWO_STEPS: [&str; 2] = ["RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"];

#[tokio::test]
async fn the_answer_has_a_token_and_a_wrapping_key_that_are_good_for_a_day() {
    let kms = TestKms::new().await;
    let key = kms.create_external_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    // The lengths of RSA keys with exponent 65537 as SubjectPublicKeyInfo.
    for (spec, spki_bytes) in [("RSA_2048", 294), ("RSA_3072", 422), ("RSA_4096", 550)] {
        let request =
            json!({"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": spec});
        let answer = kms.ok(GetParametersForImport, request).await;
        assert_eq!(answer["KeyId"], kms.arn(&key));
        assert_eq!(bytes(&answer["PublicKey"]).len(), spki_bytes);
        assert!((1..=6144).contains(&bytes(&answer["ImportToken"]).len()), "{spec}");
        // The clock of the test stands at 2026-01-01T00:00:00Z.
        assert_eq!(answer["ParametersValidTo"], 1_767_225_600 + 24 * 60 * 60);
        assert_eq!(answer.as_object().unwrap().len(), 4);
    }
}

#[tokio::test]
async fn every_call_makes_another_pair_and_older_ones_stay_valid() {
    let kms = TestKms::new().await;
    let key = kms.create_external_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    let mut parameters = Vec::new();
    for _ in 0..3 {
        parameters.push(ImportParameters::of(&kms, &key, "RSAES_OAEP_SHA_256", "RSA_2048").await);
    }
    let publics: BTreeSet<_> = parameters.iter().map(|parameters| &parameters.public).collect();
    let tokens: BTreeSet<_> = parameters.iter().map(|parameters| &parameters.token).collect();
    assert_eq!((publics.len(), tokens.len()), (3, 3));
    for parameters in &parameters {
        kms.ok(ImportKeyMaterial, parameters.request(&[1; 32])).await;
    }
}

#[tokio::test]
async fn a_key_whose_material_trent_makes_takes_none() {
    let kms = TestKms::new().await;
    for state in ["Enabled", "Disabled", "PendingDeletion"] {
        let key = kms.create_key().await;
        match state {
            "Disabled" => kms.disable(&key).await,
            "PendingDeletion" => kms.schedule_deletion(&key).await,
            _ => {}
        }
        let request =
            json!({"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"});
        let refused = kms.refused(GetParametersForImport, request).await;
        assert_eq!(refused, wrong_origin(&kms, &key, "AWS_KMS"));
    }
}

#[tokio::test]
async fn oaep_wraps_what_is_short_enough_and_two_steps_wrap_everything() {
    let kms = TestKms::new().await;
    for (spec, usage, oaep) in [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", true),
        ("HMAC_512", "GENERATE_VERIFY_MAC", true),
        ("ECC_NIST_P256", "SIGN_VERIFY", true),
        ("ECC_NIST_P384", "SIGN_VERIFY", true),
        ("ECC_NIST_P521", "SIGN_VERIFY", false),
        ("ECC_SECG_P256K1", "SIGN_VERIFY", true),
        ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY", true),
        ("RSA_2048", "SIGN_VERIFY", false),
        ("ML_DSA_65", "SIGN_VERIFY", false),
        ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE", false),
    ] {
        let key = kms.create_external_key(spec, usage).await;
        for algorithm in OAEP {
            let request =
                json!({"KeyId": key, "WrappingAlgorithm": algorithm, "WrappingKeySpec": "RSA_2048"});
            let answer = kms.call(GetParametersForImport, request).await;
            assert_eq!(answer.is_ok(), oaep, "{algorithm} {spec}: {answer:?}");
        }
        let material = fresh_material(spec);
        for algorithm in TWO_STEPS {
            let parameters = ImportParameters::of(&kms, &key, algorithm, "RSA_2048").await;
            kms.ok(ImportKeyMaterial, parameters.request(&material)).await;
        }
    }
}

#[tokio::test]
async fn a_larger_wrapping_key_takes_the_longest_curve() {
    let kms = TestKms::new().await;
    let key = kms.create_external_key("ECC_NIST_P521", "KEY_AGREEMENT").await;
    let material = fresh_material("ECC_NIST_P521");
    for algorithm in OAEP {
        let parameters = ImportParameters::of(&kms, &key, algorithm, "RSA_3072").await;
        kms.ok(ImportKeyMaterial, parameters.request(&material)).await;
        // The code is one of the two that the documentation leaves open, the text trent's.
        let request = json!({"KeyId": key, "WrappingAlgorithm": algorithm, "WrappingKeySpec": "RSA_2048"});
        assert_eq!(
            kms.refused(GetParametersForImport, request).await,
            format!(
                "UnsupportedOperationException: Wrapping algorithm {algorithm} with wrapping key spec RSA_2048 is not \
                 supported for key spec ECC_NIST_P521."
            )
        );
    }
}

#[tokio::test]
async fn rsa_private_keys_are_too_long_for_oaep_and_pkcs1_is_withdrawn() {
    let kms = TestKms::new().await;
    let key = kms.create_external_key("RSA_2048", "ENCRYPT_DECRYPT").await;
    let request =
        |algorithm| json!({"KeyId": key, "WrappingAlgorithm": algorithm, "WrappingKeySpec": "RSA_4096"});
    for algorithm in OAEP {
        assert_eq!(
            kms.refused(GetParametersForImport, request(algorithm)).await,
            format!(
                "UnsupportedOperationException: Wrapping algorithm {algorithm} is not supported for key spec RSA_2048."
            )
        );
    }
    assert_eq!(
        kms.refused(GetParametersForImport, request("RSAES_PKCS1_V1_5")).await,
        "UnsupportedOperationException: Wrapping algorithm RSAES_PKCS1_V1_5 is no longer supported."
    );
}

#[tokio::test]
async fn a_key_that_is_to_be_deleted_takes_no_material() {
    let kms = TestKms::new().await;
    let key = kms.create_external_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    kms.schedule_deletion(&key).await;
    let request =
        json!({"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"});
    let refused = kms.refused(GetParametersForImport, request).await;
    assert_eq!(refused, format!("KMSInvalidStateException: {} is pending deletion.", kms.arn(&key)));
}
