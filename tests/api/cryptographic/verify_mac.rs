//! VerifyMac: what is a MAC of a message and what is not.

use serde_json::{Value, json};
use trent_protocol::Operation::{GenerateMac, VerifyMac};
use trent_testkit::{TestKms, base64, bytes};

use crate::kinds::{incompatible, keys_for_other_usages, kinds_for, wrong_usage};

const INVALID: &str = "KMSInvalidMacException";

fn request(key: &str, algorithm: &str, message: &[u8], mac: &[u8]) -> Value {
    json!({"KeyId": key, "MacAlgorithm": algorithm, "Message": base64(message), "Mac": base64(mac)})
}

async fn generate(kms: &TestKms, key: &str, algorithm: &str) -> Vec<u8> {
    let request = json!({"KeyId": key, "MacAlgorithm": algorithm, "Message": base64(b"text")});
    bytes(&kms.ok(GenerateMac, request).await["Mac"])
}

#[tokio::test]
async fn a_mac_of_every_spec_is_valid_for_its_message_and_key_and_whole_alone() {
    let kms = TestKms::new().await;
    for kind in kinds_for("GENERATE_VERIFY_MAC") {
        let (key, other, algorithm) = (kind.create(&kms).await, kind.create(&kms).await, kind.algorithms[0]);
        let mac = generate(&kms, &key, algorithm).await;
        let answer = kms.ok(VerifyMac, request(&key, algorithm, b"text", &mac)).await;
        assert_eq!(answer, json!({"KeyId": kms.arn(&key), "MacValid": true, "MacAlgorithm": algorithm}));
        let altered = |at: usize| {
            let mut altered = mac.clone();
            altered[at] ^= 1;
            request(&key, algorithm, b"text", &altered)
        };
        for wrong in [
            request(&key, algorithm, b"texu", &mac),
            request(&other, algorithm, b"text", &mac),
            altered(0),
            altered(mac.len() - 1),
            request(&key, algorithm, b"text", &mac[..mac.len() - 1]),
            request(&key, algorithm, b"text", &mac[..1]),
            request(&key, algorithm, b"text", &[&mac[..], &[0]].concat()),
            request(&key, algorithm, b"text", &vec![0; mac.len()]),
            request(&key, algorithm, b"text", &[0; 6144]),
        ] {
            assert_eq!(kms.refused(VerifyMac, wrong).await, INVALID, "{algorithm}");
        }
    }
}

#[tokio::test]
async fn the_algorithm_is_judged_before_the_mac() {
    let kms = TestKms::new().await;
    let key = kms.create_key_of("HMAC_256", "GENERATE_VERIFY_MAC").await;
    for algorithm in ["HMAC_SHA_224", "HMAC_SHA_384", "HMAC_SHA_512"] {
        let refused = kms.refused(VerifyMac, request(&key, algorithm, b"text", b"mac")).await;
        assert_eq!(refused, incompatible(algorithm, "HMAC_256"));
    }
}

#[tokio::test]
async fn keys_of_other_usages_verify_no_macs() {
    let kms = TestKms::new().await;
    for (key, usage) in keys_for_other_usages(&kms, "GENERATE_VERIFY_MAC").await {
        let refused = kms.refused(VerifyMac, request(&key, "HMAC_SHA_256", b"text", b"mac")).await;
        assert_eq!(refused, wrong_usage(&kms, &key, usage, "VerifyMac"));
    }
}

#[tokio::test]
async fn a_disabled_key_verifies_nothing() {
    let kms = TestKms::new().await;
    let key = kms.create_key_of("HMAC_224", "GENERATE_VERIFY_MAC").await;
    let mac = generate(&kms, &key, "HMAC_SHA_224").await;
    kms.disable(&key).await;
    let refused = kms.refused(VerifyMac, request(&key, "HMAC_SHA_224", b"text", &mac)).await;
    assert_eq!(refused, format!("DisabledException: {} is disabled.", kms.arn(&key)));
}
