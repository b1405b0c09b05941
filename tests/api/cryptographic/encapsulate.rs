//! Encapsulate: a secret of 32 bytes, another each time, and the ciphertext that carries it.

use serde_json::{Value, json};
use trent_protocol::Operation::{Decapsulate, Encapsulate};
use trent_testkit::{TestKms, bytes};

use crate::kinds::{keys_for_other_usages, kinds_for, wrong_usage};

fn request(key: &str) -> Value {
    json!({"KeyId": key, "EncapsulationAlgorithm": "ML_KEM"})
}

#[tokio::test]
async fn every_spec_gives_a_secret_of_32_bytes_in_a_ciphertext_of_its_length() {
    let kms = TestKms::new().await;
    for (kind, length) in kinds_for("ENCAPSULATE_DECAPSULATE").zip([768, 1088, 1568]) {
        let key = kind.create(&kms).await;
        let mut answer = kms.ok(Encapsulate, request(&key)).await;
        let (secret, blob) = (answer["SharedSecret"].take(), answer["SharedSecretCiphertextBlob"].take());
        assert_eq!((bytes(&secret).len(), bytes(&blob).len()), (32, length), "{}", kind.spec);
        let expected = json!({
            "KeyId": kms.arn(&key),
            "SharedSecret": null,
            "SharedSecretCiphertextBlob": null,
            "EncapsulationAlgorithm": "ML_KEM",
        });
        assert_eq!(answer, expected);
        let mut opening = request(&key);
        opening["SharedSecretCiphertextBlob"] = blob;
        let expected =
            json!({"KeyId": kms.arn(&key), "SharedSecret": secret, "EncapsulationAlgorithm": "ML_KEM"});
        assert_eq!(kms.ok(Decapsulate, opening).await, expected);
    }
}

#[tokio::test]
async fn every_secret_is_another_one() {
    let kms = TestKms::new().await;
    let key = kms.create_key_of("ML_KEM_512", "ENCAPSULATE_DECAPSULATE").await;
    let (one, other) = (kms.ok(Encapsulate, request(&key)).await, kms.ok(Encapsulate, request(&key)).await);
    assert_ne!(one["SharedSecret"], other["SharedSecret"]);
    assert_ne!(one["SharedSecretCiphertextBlob"], other["SharedSecretCiphertextBlob"]);
}

#[tokio::test]
async fn keys_of_other_usages_do_not_encapsulate() {
    let kms = TestKms::new().await;
    for (key, usage) in keys_for_other_usages(&kms, "ENCAPSULATE_DECAPSULATE").await {
        let refused = kms.refused(Encapsulate, request(&key)).await;
        assert_eq!(refused, wrong_usage(&kms, &key, usage, "Encapsulate"));
    }
}

#[tokio::test]
async fn the_key_may_be_named_in_every_way() {
    let kms = TestKms::new().await;
    let key = kms.create_key_of("ML_KEM_768", "ENCAPSULATE_DECAPSULATE").await;
    kms.create_alias("alias/kem", &key).await;
    for name in [key.clone(), kms.arn(&key), "alias/kem".to_owned(), kms.alias_arn("alias/kem")] {
        assert_eq!(kms.ok(Encapsulate, request(&name)).await["KeyId"], kms.arn(&key));
    }
}
