//! Verify: what is a signature and what is not.

use serde_json::json;
use trent_protocol::Operation::{Sign, Verify};
use trent_testkit::{TestKms, bytes};

use crate::kinds::{
    incompatible, keys_for_other_usages, kinds_for, sign, to_sign, to_verify, verify, wrong_usage,
};

const INVALID: &str = "KMSInvalidSignatureException";
const MESSAGE: &[u8] = b"a message that is signed";

#[tokio::test]
async fn another_message_another_key_and_an_altered_signature_are_invalid() {
    let kms = TestKms::new().await;
    for kind in kinds_for("SIGN_VERIFY").filter(|kind| !matches!(kind.spec, "RSA_3072" | "RSA_4096")) {
        let (key, other) = (kind.create(&kms).await, kind.create(&kms).await);
        for algorithm in kind.algorithms {
            let (kind_of_message, message) = match *algorithm {
                "ED25519_PH_SHA_512" => ("DIGEST", [1; 64]),
                _ => ("RAW", [1; 64]),
            };
            let signature = sign(&kms, &key, algorithm, kind_of_message, &message).await;
            let request = |key: &str, message: &[u8], signature: &[u8]| {
                to_verify(key, algorithm, kind_of_message, message, signature)
            };
            let altered = |at: usize| {
                let mut altered = signature.clone();
                altered[at] ^= 1;
                request(&key, &message, &altered)
            };
            let (last, cut) = signature.split_last().unwrap();
            for wrong in [
                request(&key, &[2; 64], &signature),
                request(&other, &message, &signature),
                altered(0),
                altered(signature.len() / 2),
                altered(signature.len() - 1),
                request(&key, &message, cut),
                request(&key, &message, &[&signature[..], &[*last]].concat()),
                request(&key, &message, &[0]),
                request(&key, &message, &vec![0; signature.len()]),
                request(&key, &message, &vec![0xff; signature.len()]),
                request(&key, &message, &[0x30; 6144]),
            ] {
                assert_eq!(kms.refused(Verify, wrong).await, INVALID, "{} {algorithm}", kind.spec);
            }
        }
    }
}

#[tokio::test]
async fn a_signature_of_another_algorithm_of_the_same_key_is_invalid() {
    let kms = TestKms::new().await;
    let kind = kinds_for("SIGN_VERIFY").find(|kind| kind.spec == "RSA_2048").unwrap();
    let key = kind.create(&kms).await;
    for made in kind.algorithms {
        let signature = sign(&kms, &key, made, "RAW", MESSAGE).await;
        for other in kind.algorithms.iter().filter(|other| *other != made) {
            let request = to_verify(&key, other, "RAW", MESSAGE, &signature);
            assert_eq!(kms.refused(Verify, request).await, INVALID, "{made} as {other}");
        }
    }
}

#[tokio::test]
async fn bytes_that_are_a_signature_of_another_family_are_invalid() {
    let kms = TestKms::new().await;
    let curve = kms.create_key_of("ECC_NIST_P256", "SIGN_VERIFY").await;
    let rsa = kms.create_key_of("RSA_2048", "SIGN_VERIFY").await;
    let signature = sign(&kms, &curve, "ECDSA_SHA_256", "RAW", MESSAGE).await;
    let request = to_verify(&rsa, "RSASSA_PSS_SHA_256", "RAW", MESSAGE, &signature);
    assert_eq!(kms.refused(Verify, request).await, INVALID);
    let signature = sign(&kms, &rsa, "RSASSA_PSS_SHA_256", "RAW", MESSAGE).await;
    let request = to_verify(&curve, "ECDSA_SHA_256", "RAW", MESSAGE, &signature);
    assert_eq!(kms.refused(Verify, request).await, INVALID);
}

#[tokio::test]
async fn keys_of_other_usages_do_not_verify() {
    let kms = TestKms::new().await;
    for (key, usage) in keys_for_other_usages(&kms, "SIGN_VERIFY").await {
        let request = to_verify(&key, "ECDSA_SHA_256", "RAW", MESSAGE, b"signature");
        assert_eq!(kms.refused(Verify, request).await, wrong_usage(&kms, &key, usage, "Verify"));
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_request_is_told_before_what_is_wrong_with_the_signature() {
    let kms = TestKms::new().await;
    let key = kms.create_key_of("ECC_NIST_P256", "SIGN_VERIFY").await;
    let request = to_verify(&key, "ECDSA_SHA_512", "DIGEST", &[0; 31], b"signature");
    assert_eq!(kms.refused(Verify, request).await, incompatible("ECDSA_SHA_512", "ECC_NIST_P256"));
    let request = to_verify(&key, "ECDSA_SHA_256", "DIGEST", &[0; 31], b"signature");
    assert_eq!(
        kms.refused(Verify, request).await,
        "ValidationException: Digest is invalid length for algorithm ECDSA_SHA_256."
    );
}

#[tokio::test]
async fn a_disabled_key_verifies_nothing_and_verifies_again_when_it_is_enabled() {
    let kms = TestKms::new().await;
    let key = kms.create_key_of("ML_DSA_44", "SIGN_VERIFY").await;
    let signature = sign(&kms, &key, "ML_DSA_SHAKE_256", "RAW", MESSAGE).await;
    kms.disable(&key).await;
    let request = to_verify(&key, "ML_DSA_SHAKE_256", "RAW", MESSAGE, &signature);
    let expected = format!("DisabledException: {} is disabled.", kms.arn(&key));
    assert_eq!(kms.refused(Verify, request).await, expected);
    kms.enable(&key).await;
    verify(&kms, &key, "ML_DSA_SHAKE_256", "RAW", MESSAGE, &signature).await;
}

#[tokio::test]
async fn the_key_may_be_named_in_every_way_and_the_answer_names_its_arn() {
    let kms = TestKms::new().await;
    let key = kms.create_key_of("ECC_NIST_EDWARDS25519", "SIGN_VERIFY").await;
    kms.create_alias("alias/signer", &key).await;
    for name in [key.clone(), kms.arn(&key), "alias/signer".to_owned(), kms.alias_arn("alias/signer")] {
        let signed = kms.ok(Sign, to_sign(&name, "ED25519_SHA_512", "RAW", MESSAGE)).await;
        let request = to_verify(&name, "ED25519_SHA_512", "RAW", MESSAGE, &bytes(&signed["Signature"]));
        let answer = kms.ok(Verify, request).await;
        assert_eq!((&signed["KeyId"], &answer["KeyId"]), (&json!(kms.arn(&key)), &json!(kms.arn(&key))));
    }
}
