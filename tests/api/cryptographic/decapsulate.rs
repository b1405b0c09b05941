//! Decapsulate: the secret of a ciphertext; another secret, but no error, of one that was altered.

use serde_json::{Value, json};
use trent_crypto::asymmetric::{KeyPairSpec, PublicKey};
use trent_protocol::Operation::{Decapsulate, Encapsulate};
use trent_testkit::{TestKms, base64, bytes};

use crate::kinds::{keys_for_other_usages, kinds_for, wrong_usage};

fn request(key: &str, blob: &[u8]) -> Value {
    json!({"KeyId": key, "EncapsulationAlgorithm": "ML_KEM", "SharedSecretCiphertextBlob": base64(blob)})
}

async fn encapsulate(kms: &TestKms, key: &str) -> (Vec<u8>, Vec<u8>) {
    let answer = kms.ok(Encapsulate, json!({"KeyId": key, "EncapsulationAlgorithm": "ML_KEM"})).await;
    (bytes(&answer["SharedSecret"]), bytes(&answer["SharedSecretCiphertextBlob"]))
}

async fn decapsulate(kms: &TestKms, key: &str, blob: &[u8]) -> Vec<u8> {
    bytes(&kms.ok(Decapsulate, request(key, blob)).await["SharedSecret"])
}

#[tokio::test]
async fn an_altered_ciphertext_gives_another_secret_and_always_the_same() {
    let kms = TestKms::new().await;
    for kind in kinds_for("ENCAPSULATE_DECAPSULATE") {
        let key = kind.create(&kms).await;
        let (secret, blob) = encapsulate(&kms, &key).await;
        for at in [0, blob.len() / 2, blob.len() - 1] {
            let mut altered = blob.clone();
            altered[at] ^= 1;
            let other = decapsulate(&kms, &key, &altered).await;
            assert_eq!(other.len(), 32);
            assert_ne!(other, secret, "{} byte {at}", kind.spec);
            assert_eq!(decapsulate(&kms, &key, &altered).await, other);
        }
    }
}

#[tokio::test]
async fn a_ciphertext_for_another_key_gives_another_secret() {
    let kms = TestKms::new().await;
    let kind = kinds_for("ENCAPSULATE_DECAPSULATE").next().unwrap();
    let (key, other) = (kind.create(&kms).await, kind.create(&kms).await);
    let (secret, blob) = encapsulate(&kms, &key).await;
    assert_ne!(decapsulate(&kms, &other, &blob).await, secret);
}

#[tokio::test]
async fn a_ciphertext_of_another_length_is_invalid() {
    let kms = TestKms::new().await;
    for (kind, length) in kinds_for("ENCAPSULATE_DECAPSULATE").zip([768, 1088, 1568]) {
        let key = kind.create(&kms).await;
        let lengths = [1, 32, 768, 1088, 1568, length - 1, length + 1, 6144];
        for wrong in lengths.into_iter().filter(|wrong| *wrong != length) {
            let refused = kms.refused(Decapsulate, request(&key, &vec![7; wrong])).await;
            assert_eq!(refused, "InvalidCiphertextException", "{} {wrong} bytes", kind.spec);
        }
    }
}

#[tokio::test]
async fn whoever_has_the_public_key_can_encapsulate_outside() {
    let kms = TestKms::new().await;
    for (kind, spec) in kinds_for("ENCAPSULATE_DECAPSULATE").zip([
        KeyPairSpec::MlKem512,
        KeyPairSpec::MlKem768,
        KeyPairSpec::MlKem1024,
    ]) {
        let key = kind.create(&kms).await;
        let outside = PublicKey::from_spki(spec, &kms.public_key(&key).await).unwrap();
        let made = outside.encapsulate().unwrap();
        assert_eq!(&decapsulate(&kms, &key, &made.ciphertext).await, made.shared_secret.expose());
    }
}

#[tokio::test]
async fn keys_of_other_usages_do_not_decapsulate_and_that_is_told_before_the_length() {
    let kms = TestKms::new().await;
    for (key, usage) in keys_for_other_usages(&kms, "ENCAPSULATE_DECAPSULATE").await {
        let refused = kms.refused(Decapsulate, request(&key, b"short")).await;
        assert_eq!(refused, wrong_usage(&kms, &key, usage, "Decapsulate"));
    }
}

#[tokio::test]
async fn a_secret_outlives_a_restart() {
    let kms = TestKms::new().await;
    let mut made = Vec::new();
    for kind in kinds_for("ENCAPSULATE_DECAPSULATE") {
        let key = kind.create(&kms).await;
        made.push((encapsulate(&kms, &key).await, key));
    }
    let kms = kms.restart().await;
    for ((secret, blob), key) in made {
        assert_eq!(decapsulate(&kms, &key, &blob).await, secret);
    }
}
