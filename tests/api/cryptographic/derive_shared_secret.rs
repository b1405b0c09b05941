//! DeriveSharedSecret: both sides have the same secret, and public keys that are none of the curve are refused.

use serde_json::{Value, json};
use trent_crypto::asymmetric::{KeyPair, KeyPairSpec};
use trent_protocol::Operation::DeriveSharedSecret;
use trent_testkit::{SeededRandom, TestKms, base64, bytes};

use crate::kinds::{keys_for_other_usages, kinds_for, wrong_usage};

fn request(key: &str, peer: &[u8]) -> Value {
    json!({"KeyId": key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": base64(peer)})
}

#[tokio::test]
async fn two_keys_of_a_curve_agree_on_a_secret_of_its_length() {
    let kms = TestKms::new().await;
    for (kind, length) in kinds_for("KEY_AGREEMENT").zip([32, 48, 66]) {
        let (one, other) = (kind.create(&kms).await, kind.create(&kms).await);
        let (public, other_public) = (kms.public_key(&one).await, kms.public_key(&other).await);
        let mut answer = kms.ok(DeriveSharedSecret, request(&one, &other_public)).await;
        let secret = answer["SharedSecret"].take();
        let expected = json!({
            "KeyId": kms.arn(&one),
            "SharedSecret": null,
            "KeyAgreementAlgorithm": "ECDH",
            "KeyOrigin": "AWS_KMS",
        });
        assert_eq!(answer, expected);
        assert_eq!(bytes(&secret).len(), length, "{}", kind.spec);
        assert_eq!(kms.ok(DeriveSharedSecret, request(&other, &public)).await["SharedSecret"], secret);
        // The same again, and another one with another key.
        assert_eq!(kms.ok(DeriveSharedSecret, request(&one, &other_public)).await["SharedSecret"], secret);
        assert_ne!(kms.ok(DeriveSharedSecret, request(&one, &public)).await["SharedSecret"], secret);
    }
}

#[tokio::test]
async fn the_other_side_may_be_outside() {
    let kms = TestKms::new().await;
    let outside = KeyPair::generate(KeyPairSpec::EccNistP256, &SeededRandom::new(1)).unwrap();
    let key = kms.create_key_of("ECC_NIST_P256", "KEY_AGREEMENT").await;
    let answer = kms.ok(DeriveSharedSecret, request(&key, outside.public().spki())).await;
    let agreed = outside.agree(&kms.public_key(&key).await).unwrap();
    assert_eq!(&bytes(&answer["SharedSecret"]), agreed.expose());
}

#[tokio::test]
async fn what_is_no_public_key_of_the_curve_is_refused_without_a_text() {
    let kms = TestKms::new().await;
    let key = kms.create_key_of("ECC_NIST_P256", "KEY_AGREEMENT").await;
    let good = kms.public_key(&key).await;
    let changed = |at: usize, to: u8| {
        let mut changed = good.clone();
        changed[at] = to;
        changed
    };
    // The header of 26 bytes, the mark of an uncompressed point, and both coordinates.
    let mut infinity = good[..27].to_vec();
    infinity[26] = 0;
    let zeros = [&good[..27], &[0; 64]].concat();
    let compressed = [&good[..26], &[2 + (good[90] & 1)], &good[27..59]].concat();
    for (what, wrong) in [
        ("a text", b"InvalidPublicKey".to_vec()),
        ("one byte", vec![0]),
        ("a curve that is secp256k1", {
            kms.public_key(&kms.create_key_of("ECC_SECG_P256K1", "SIGN_VERIFY").await).await
        }),
        ("P-384", kms.public_key(&kms.create_key_of("ECC_NIST_P384", "KEY_AGREEMENT").await).await),
        ("Ed25519", kms.public_key(&kms.create_key_of("ECC_NIST_EDWARDS25519", "SIGN_VERIFY").await).await),
        ("ML-KEM", {
            kms.public_key(&kms.create_key_of("ML_KEM_512", "ENCAPSULATE_DECAPSULATE").await).await
        }),
        ("a point off the curve", changed(90, good[90] ^ 1)),
        ("the point at infinity", infinity),
        ("the point 0, 0", zeros),
        ("a coordinate above the field", [&good[..27], &[0xff; 64]].concat()),
        ("the bare point", good[26..].to_vec()),
        ("half the key", good[..60].to_vec()),
        ("a byte more", [&good[..], &[0]].concat()),
        ("another version of DER", changed(0, 0x31)),
        ("a mark of nothing", changed(26, 5)),
        ("a compressed point in a frame for a whole one", compressed),
        ("zeros", vec![0; 91]),
        ("much", vec![0x30; 8192]),
    ] {
        assert_eq!(
            kms.refused(DeriveSharedSecret, request(&key, &wrong)).await,
            "ValidationException",
            "{what}"
        );
    }
}

#[tokio::test]
async fn keys_of_other_usages_do_not_agree_and_that_is_told_before_the_public_key() {
    let kms = TestKms::new().await;
    for (key, usage) in keys_for_other_usages(&kms, "KEY_AGREEMENT").await {
        let refused = kms.refused(DeriveSharedSecret, request(&key, b"InvalidPublicKey")).await;
        assert_eq!(refused, wrong_usage(&kms, &key, usage, "DeriveSharedSecret"));
    }
}

#[tokio::test]
async fn who_claims_to_be_attested_is_refused_rather_than_answered_in_clear() {
    let kms = TestKms::new().await;
    let key = kms.create_key_of("ECC_NIST_P256", "KEY_AGREEMENT").await;
    let mut request = request(&key, &kms.public_key(&key).await);
    request["Recipient"] =
        json!({"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": base64(b"doc")});
    assert_eq!(
        kms.refused(DeriveSharedSecret, request).await,
        "ValidationException: The attestation document is not valid: its CBOR ends too early."
    );
}

#[tokio::test]
async fn an_agreement_key_outlives_a_restart() {
    let kms = TestKms::new().await;
    let mut agreed = Vec::new();
    for kind in kinds_for("KEY_AGREEMENT") {
        let key = kind.create(&kms).await;
        let request = request(&key, &kms.public_key(&key).await);
        agreed.push((kms.ok(DeriveSharedSecret, request.clone()).await, request));
    }
    let kms = kms.restart().await;
    for (answer, request) in agreed {
        assert_eq!(kms.ok(DeriveSharedSecret, request).await, answer);
    }
}
