//! Sign: which keys sign what with which algorithm, and what is refused.

use serde_json::json;
use tokio::task::JoinSet;
use trent_protocol::Operation::{Sign, Verify};
use trent_testkit::{TestKms, base64, bytes};

use crate::kinds::{
    SIGNING, digest_for, incompatible, keys_for_other_usages, kinds_for, mu, sign, to_sign, to_verify,
    verify, wrong_usage,
};

const MESSAGE: &[u8] = b"a message that is signed";

/// How long signatures are, at most for those in DER.
fn signature_bytes_max(spec: &str) -> usize {
    match spec {
        "RSA_2048" => 256,
        "RSA_3072" => 384,
        "RSA_4096" => 512,
        "ECC_NIST_P256" | "ECC_SECG_P256K1" => 72,
        "ECC_NIST_P384" => 104,
        "ECC_NIST_P521" => 139,
        "ECC_NIST_EDWARDS25519" => 64,
        "ML_DSA_44" => 2420,
        "ML_DSA_65" => 3309,
        "ML_DSA_87" => 4627,
        other => panic!("{other} does not sign"),
    }
}

#[tokio::test]
async fn every_spec_signs_with_every_algorithm_and_message_type_or_says_why_not() {
    let kms = TestKms::new().await;
    let mut signed = 0;
    for kind in kinds_for("SIGN_VERIFY") {
        let (key, spec) = (kind.create(&kms).await, kind.spec);
        for signing in &SIGNING {
            let algorithm = signing.algorithm;
            let representatives = [
                ("RAW", signing.raw.then_some(MESSAGE.len())),
                ("DIGEST", signing.digest_bytes),
                ("EXTERNAL_MU", signing.mu_bytes),
            ];
            for (kind_of_message, length) in representatives {
                let message = vec![7; length.unwrap_or(64)];
                let request = to_sign(&key, algorithm, kind_of_message, &message);
                let expected = if !kind.algorithms.contains(&algorithm) {
                    incompatible(algorithm, spec)
                } else if length.is_none() {
                    // The rule is documented, the text is trent's.
                    format!(
                        "ValidationException: Algorithm {algorithm} does not support message type {kind_of_message}."
                    )
                } else {
                    let mut answer = kms.ok(Sign, request).await;
                    let signature = bytes(&answer["Signature"].take());
                    let bytes_max = signature_bytes_max(spec);
                    let is_der = spec.starts_with("ECC") && spec != "ECC_NIST_EDWARDS25519";
                    assert!(
                        signature.len() == bytes_max
                            || is_der && (bytes_max - 9..bytes_max).contains(&signature.len()),
                        "{spec} {algorithm}: {} bytes",
                        signature.len()
                    );
                    let expected =
                        json!({"KeyId": kms.arn(&key), "Signature": null, "SigningAlgorithm": algorithm});
                    assert_eq!(answer, expected);
                    let request = to_verify(&key, algorithm, kind_of_message, &message, &signature);
                    let expected = json!({"KeyId": kms.arn(&key), "SignatureValid": true, "SigningAlgorithm": algorithm});
                    assert_eq!(kms.ok(Verify, request).await, expected, "{spec} {kind_of_message}");
                    signed += 1;
                    continue;
                };
                assert_eq!(kms.refused(Sign, request.clone()).await, expected, "{spec}");
                let mut request = request;
                request["Signature"] = json!(base64(b"signature"));
                assert_eq!(kms.refused(Verify, request).await, expected, "{spec}");
            }
        }
    }
    // 3 RSA specs by 6 algorithms, 4 curves, 3 sizes of ML-DSA: each with two message types; Ed25519 with one for each.
    assert_eq!(signed, 3 * 6 * 2 + 4 * 2 + 3 * 2 + 2);
}

#[tokio::test]
async fn a_signature_of_the_message_is_one_of_its_digest_and_the_other_way_round() {
    let kms = TestKms::new().await;
    for kind in kinds_for("SIGN_VERIFY").filter(|kind| !matches!(kind.spec, "RSA_3072" | "RSA_4096")) {
        let key = kind.create(&kms).await;
        let public = kms.public_key(&key).await;
        for algorithm in kind.algorithms.iter().filter(|algorithm| !algorithm.starts_with("ED25519")) {
            let (short, representative) = match *algorithm {
                "ML_DSA_SHAKE_256" => ("EXTERNAL_MU", mu(&public, MESSAGE)),
                algorithm => ("DIGEST", digest_for(algorithm, MESSAGE)),
            };
            let signature = sign(&kms, &key, algorithm, "RAW", MESSAGE).await;
            verify(&kms, &key, algorithm, short, &representative, &signature).await;
            let signature = sign(&kms, &key, algorithm, short, &representative).await;
            verify(&kms, &key, algorithm, "RAW", MESSAGE, &signature).await;
        }
    }
}

#[tokio::test]
async fn ed25519ph_hashes_the_digest_once_more() {
    let kms = TestKms::new().await;
    let key = kms.create_key_of("ECC_NIST_EDWARDS25519", "SIGN_VERIFY").await;
    let digest = digest_for("SHA_512", MESSAGE);
    let (pure, prehashed) = ("ED25519_SHA_512", "ED25519_PH_SHA_512");
    let signature = sign(&kms, &key, prehashed, "DIGEST", &digest).await;
    // Neither is it a pure signature of anything.
    for message in [MESSAGE, &digest] {
        let request = to_verify(&key, pure, "RAW", message, &signature);
        assert_eq!(kms.refused(Verify, request).await, "KMSInvalidSignatureException");
    }
    verify(&kms, &key, prehashed, "DIGEST", &digest, &signature).await;
}

#[tokio::test]
async fn a_message_is_taken_whole_unless_the_request_says_otherwise() {
    let kms = TestKms::new().await;
    let key = kms.create_key_of("ECC_NIST_P256", "SIGN_VERIFY").await;
    let request = json!({"KeyId": key, "SigningAlgorithm": "ECDSA_SHA_256", "Message": base64(MESSAGE)});
    let signature = bytes(&kms.ok(Sign, request).await["Signature"]);
    verify(&kms, &key, "ECDSA_SHA_256", "RAW", MESSAGE, &signature).await;
    let digest = digest_for("ECDSA_SHA_256", MESSAGE);
    verify(&kms, &key, "ECDSA_SHA_256", "DIGEST", &digest, &signature).await;
}

#[tokio::test]
async fn what_is_to_be_a_digest_has_its_length() {
    let kms = TestKms::new().await;
    for (spec, short) in [
        ("RSA_2048", "DIGEST"),
        ("ECC_NIST_P256", "DIGEST"),
        ("ECC_NIST_P384", "DIGEST"),
        ("ECC_NIST_P521", "DIGEST"),
        ("ECC_SECG_P256K1", "DIGEST"),
        ("ECC_NIST_EDWARDS25519", "DIGEST"),
        ("ML_DSA_44", "EXTERNAL_MU"),
    ] {
        let kind = kinds_for("SIGN_VERIFY").find(|kind| kind.spec == spec).unwrap();
        let key = kind.create(&kms).await;
        for algorithm in kind.algorithms.iter().filter(|algorithm| **algorithm != "ED25519_SHA_512") {
            let fitting = SIGNING.iter().find(|signing| signing.algorithm == *algorithm).unwrap();
            let fitting = fitting.digest_bytes.or(fitting.mu_bytes).unwrap();
            for wrong in [1, 28, fitting - 1, fitting + 1, 4096] {
                let expected =
                    format!("ValidationException: Digest is invalid length for algorithm {algorithm}.");
                let request = to_sign(&key, algorithm, short, &vec![0; wrong]);
                assert_eq!(kms.refused(Sign, request).await, expected, "{wrong} bytes");
                let request = to_verify(&key, algorithm, short, &vec![0; wrong], b"signature");
                assert_eq!(kms.refused(Verify, request).await, expected, "{wrong} bytes");
            }
        }
    }
}

#[tokio::test]
async fn some_signatures_are_always_the_same_and_the_others_never() {
    let kms = TestKms::new().await;
    for (spec, algorithm, kind, same) in [
        ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_256", "RAW", true),
        ("RSA_2048", "RSASSA_PSS_SHA_256", "RAW", false),
        ("ECC_NIST_P256", "ECDSA_SHA_256", "RAW", false),
        ("ECC_SECG_P256K1", "ECDSA_SHA_256", "RAW", false),
        ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512", "RAW", true),
        ("ECC_NIST_EDWARDS25519", "ED25519_PH_SHA_512", "DIGEST", true),
        ("ML_DSA_44", "ML_DSA_SHAKE_256", "RAW", false),
    ] {
        let key = kms.create_key_of(spec, "SIGN_VERIFY").await;
        let one = sign(&kms, &key, algorithm, kind, &[1; 64]).await;
        assert_eq!(one == sign(&kms, &key, algorithm, kind, &[1; 64]).await, same, "{algorithm}");
    }
}

#[tokio::test]
async fn messages_have_1_to_4096_bytes() {
    let kms = TestKms::new().await;
    let key = kms.create_key_of("ECC_NIST_P256", "SIGN_VERIFY").await;
    for length in [1, 4096] {
        sign(&kms, &key, "ECDSA_SHA_256", "RAW", &vec![0; length]).await;
    }
    for (length, rule) in [(0, "greater than or equal to 1"), (4097, "less than or equal to 4096")] {
        for kind in ["RAW", "DIGEST", "EXTERNAL_MU"] {
            let request = to_sign(&key, "ECDSA_SHA_256", kind, &vec![0; length]);
            let expected = format!(
                "ValidationException: 1 validation error detected: Value at 'message' failed to satisfy constraint: \
                 Member must have length {rule}"
            );
            assert_eq!(kms.refused(Sign, request).await, expected);
        }
    }
}

#[tokio::test]
async fn keys_of_other_usages_do_not_sign() {
    let kms = TestKms::new().await;
    let mut keys = keys_for_other_usages(&kms, "SIGN_VERIFY").await;
    keys.push((kms.create_key_of("RSA_2048", "ENCRYPT_DECRYPT").await, "ENCRYPT_DECRYPT"));
    for (key, usage) in keys {
        let request = to_sign(&key, "RSASSA_PSS_SHA_256", "RAW", MESSAGE);
        assert_eq!(kms.refused(Sign, request).await, wrong_usage(&kms, &key, usage, "Sign"));
    }
}

#[tokio::test]
async fn state_comes_before_usage_usage_before_the_algorithm_and_that_before_the_length() {
    let kms = TestKms::new().await;
    let (key, mac) = (
        kms.create_key_of("ECC_NIST_P256", "SIGN_VERIFY").await,
        kms.create_key_of("HMAC_256", "GENERATE_VERIFY_MAC").await,
    );
    let wrong = |key: &str| to_sign(key, "ECDSA_SHA_384", "DIGEST", &[0; 31]);
    assert_eq!(kms.refused(Sign, wrong(&key)).await, incompatible("ECDSA_SHA_384", "ECC_NIST_P256"));
    assert_eq!(kms.refused(Sign, wrong(&mac)).await, wrong_usage(&kms, &mac, "GENERATE_VERIFY_MAC", "Sign"));
    kms.disable(&mac).await;
    assert_eq!(
        kms.refused(Sign, wrong(&mac)).await,
        format!("DisabledException: {} is disabled.", kms.arn(&mac))
    );
}

#[tokio::test]
async fn a_signing_key_outlives_a_restart() {
    let mut kms = TestKms::new().await;
    let mut signed = Vec::new();
    for kind in kinds_for("SIGN_VERIFY").filter(|kind| !matches!(kind.spec, "RSA_3072" | "RSA_4096")) {
        let (key, algorithm) = (kind.create(&kms).await, kind.algorithms[0]);
        let signature = sign(&kms, &key, algorithm, "RAW", MESSAGE).await;
        signed.push((kms.public_key(&key).await, key, algorithm, signature));
    }
    kms = kms.restart().await;
    for (public, key, algorithm, signature) in signed {
        assert_eq!(kms.public_key(&key).await, public);
        verify(&kms, &key, algorithm, "RAW", MESSAGE, &signature).await;
        let signature = sign(&kms, &key, algorithm, "RAW", MESSAGE).await;
        verify(&kms, &key, algorithm, "RAW", MESSAGE, &signature).await;
    }
}

#[tokio::test]
async fn many_sign_at_once() {
    let kms = TestKms::new().await;
    let mut callers = JoinSet::new();
    for (spec, algorithm) in [
        ("RSA_2048", "RSASSA_PSS_SHA_256"),
        ("ECC_NIST_P256", "ECDSA_SHA_256"),
        ("ECC_NIST_P384", "ECDSA_SHA_384"),
        ("ML_DSA_65", "ML_DSA_SHAKE_256"),
    ] {
        let key = kms.create_key_of(spec, "SIGN_VERIFY").await;
        for number in 0..50_u8 {
            let (kms, key) = (kms.clone(), key.clone());
            callers.spawn(async move {
                let signature = sign(&kms, &key, algorithm, "RAW", &[number]).await;
                verify(&kms, &key, algorithm, "RAW", &[number], &signature).await;
                let other = to_verify(&key, algorithm, "RAW", &[number + 1], &signature);
                assert_eq!(kms.refused(Verify, other).await, "KMSInvalidSignatureException");
            });
        }
    }
    assert_eq!(callers.join_all().await.len(), 200);
}
