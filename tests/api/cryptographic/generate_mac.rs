//! GenerateMac: plain HMAC (RFC 2104) with the one algorithm of the key.

use aws_lc_rs::hmac;
use serde_json::{Value, json};
use trent_protocol::Operation::{GenerateMac, VerifyMac};
use trent_testkit::{TestKms, base64, bytes};

use crate::kinds::{incompatible, keys_for_other_usages, kinds_for, wrong_usage};

fn request(key: &str, algorithm: &str, message: &[u8]) -> Value {
    json!({"KeyId": key, "MacAlgorithm": algorithm, "Message": base64(message)})
}

#[tokio::test]
async fn every_spec_makes_macs_of_its_length_with_its_algorithm_alone() {
    let kms = TestKms::new().await;
    for (kind, length) in kinds_for("GENERATE_VERIFY_MAC").zip([28, 32, 48, 64]) {
        let key = kind.create(&kms).await;
        for algorithm in ["HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512"] {
            if kind.algorithms != [algorithm] {
                let refused = kms.refused(GenerateMac, request(&key, algorithm, b"text")).await;
                assert_eq!(refused, incompatible(algorithm, kind.spec));
                continue;
            }
            let mut answer = kms.ok(GenerateMac, request(&key, algorithm, b"text")).await;
            assert_eq!(bytes(&answer["Mac"].take()).len(), length);
            let expected = json!({"KeyId": kms.arn(&key), "Mac": null, "MacAlgorithm": algorithm});
            assert_eq!(answer, expected);
        }
    }
}

#[tokio::test]
async fn a_mac_is_one_of_key_and_message() {
    let kms = TestKms::new().await;
    let (key, other) = (
        kms.create_key_of("HMAC_256", "GENERATE_VERIFY_MAC").await,
        kms.create_key_of("HMAC_256", "GENERATE_VERIFY_MAC").await,
    );
    let mac = async |key: &str, message: &[u8]| {
        kms.ok(GenerateMac, request(key, "HMAC_SHA_256", message)).await["Mac"].take()
    };
    let one = mac(&key, b"text").await;
    assert_eq!(mac(&key, b"text").await, one);
    assert_ne!(mac(&key, b"texu").await, one);
    assert_ne!(mac(&other, b"text").await, one);
    // It is no hash of the message alone, nor one under a key of zeros.
    let zeros = hmac::Key::new(hmac::HMAC_SHA256, &[0; 32]);
    assert_ne!(bytes(&one), hmac::sign(&zeros, b"text").as_ref());
}

#[tokio::test]
async fn messages_have_1_to_4096_bytes() {
    let kms = TestKms::new().await;
    let key = kms.create_key_of("HMAC_512", "GENERATE_VERIFY_MAC").await;
    for length in [1, 4096] {
        kms.ok(GenerateMac, request(&key, "HMAC_SHA_512", &vec![0; length])).await;
    }
    for (length, rule) in [(0, "greater than or equal to 1"), (4097, "less than or equal to 4096")] {
        let expected = format!(
            "ValidationException: 1 validation error detected: Value at 'message' failed to satisfy constraint: \
             Member must have length {rule}"
        );
        assert_eq!(kms.refused(GenerateMac, request(&key, "HMAC_SHA_512", &vec![0; length])).await, expected);
    }
}

#[tokio::test]
async fn keys_of_other_usages_make_no_macs_and_that_is_told_before_the_algorithm() {
    let kms = TestKms::new().await;
    for (key, usage) in keys_for_other_usages(&kms, "GENERATE_VERIFY_MAC").await {
        let refused = kms.refused(GenerateMac, request(&key, "HMAC_SHA_224", b"text")).await;
        assert_eq!(refused, wrong_usage(&kms, &key, usage, "GenerateMac"));
    }
}

#[tokio::test]
async fn a_mac_key_outlives_a_restart() {
    let kms = TestKms::new().await;
    let mut made = Vec::new();
    for kind in kinds_for("GENERATE_VERIFY_MAC") {
        let request = request(&kind.create(&kms).await, kind.algorithms[0], b"text");
        made.push((kms.ok(GenerateMac, request.clone()).await, request));
    }
    let kms = kms.restart().await;
    for (answer, mut request) in made {
        assert_eq!(kms.ok(GenerateMac, request.clone()).await, answer);
        request["Mac"] = answer["Mac"].clone();
        kms.ok(VerifyMac, request).await;
    }
}
