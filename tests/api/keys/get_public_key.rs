//! GetPublicKey: the public key of every kind of pair, and what it may be used for.

use serde_json::json;
use trent_protocol::Operation::GetPublicKey;
use trent_testkit::{TestKms, bytes};

use crate::kinds::KINDS;

#[tokio::test]
async fn every_pair_has_a_public_key_of_its_length_and_one_list_of_algorithms() {
    let kms = TestKms::new().await;
    for kind in KINDS.iter().filter(|kind| kind.spki_bytes > 0) {
        let key = kind.create(&kms).await;
        let mut answer = kms.ok(GetPublicKey, json!({"KeyId": key})).await;
        let public = bytes(&answer["PublicKey"].take());
        assert_eq!(public.len(), kind.spki_bytes, "{} {}", kind.spec, kind.usage);
        let mut expected = json!({
            "KeyId": kms.arn(&key),
            "PublicKey": null,
            "KeySpec": kind.spec,
            "CustomerMasterKeySpec": kind.spec,
            "KeyUsage": kind.usage,
        });
        expected[kind.listed_as] = json!(kind.algorithms);
        assert_eq!(answer, expected);
        assert_eq!(kms.public_key(&key).await, public, "it is always the same");
    }
}

/// What stands before the key, as far as it is the same for all keys of a spec.
#[tokio::test]
async fn the_frame_names_the_algorithm_as_its_standard_has_it() {
    let kms = TestKms::new().await;
    let oid = |text: &str| {
        let mut bytes = Vec::new();
        for byte in text.split(' ') {
            bytes.push(u8::from_str_radix(byte, 16).unwrap());
        }
        bytes
    };
    for (spec, usage, frame) in [
        // rsaEncryption with NULL, also of keys that are used for PSS (RFC 3279).
        (
            "RSA_2048",
            "SIGN_VERIFY",
            "30 82 01 22 30 0d 06 09 2a 86 48 86 f7 0d 01 01 01 05 00 03 82 01 0f 00",
        ),
        // id-ecPublicKey with a named curve and an uncompressed point (RFC 5480).
        (
            "ECC_NIST_P256",
            "KEY_AGREEMENT",
            "30 59 30 13 06 07 2a 86 48 ce 3d 02 01 06 08 2a 86 48 ce 3d 03 01 07 03 42 00 04",
        ),
        (
            "ECC_NIST_P384",
            "SIGN_VERIFY",
            "30 76 30 10 06 07 2a 86 48 ce 3d 02 01 06 05 2b 81 04 00 22 03 62 00 04",
        ),
        (
            "ECC_NIST_P521",
            "SIGN_VERIFY",
            "30 81 9b 30 10 06 07 2a 86 48 ce 3d 02 01 06 05 2b 81 04 00 23 03 81 86 00 04",
        ),
        (
            "ECC_SECG_P256K1",
            "SIGN_VERIFY",
            "30 56 30 10 06 07 2a 86 48 ce 3d 02 01 06 05 2b 81 04 00 0a 03 42 00 04",
        ),
        // RFC 8410.
        ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY", "30 2a 30 05 06 03 2b 65 70 03 21 00"),
        // RFC 9881: 2.16.840.1.101.3.4.3.17 to .19.
        ("ML_DSA_44", "SIGN_VERIFY", "30 82 05 32 30 0b 06 09 60 86 48 01 65 03 04 03 11 03 82 05 21 00"),
        ("ML_DSA_65", "SIGN_VERIFY", "30 82 07 b2 30 0b 06 09 60 86 48 01 65 03 04 03 12 03 82 07 a1 00"),
        ("ML_DSA_87", "SIGN_VERIFY", "30 82 0a 32 30 0b 06 09 60 86 48 01 65 03 04 03 13 03 82 0a 21 00"),
        // RFC 9935: 2.16.840.1.101.3.4.4.1 to .3.
        (
            "ML_KEM_512",
            "ENCAPSULATE_DECAPSULATE",
            "30 82 03 32 30 0b 06 09 60 86 48 01 65 03 04 04 01 03 82 03 21 00",
        ),
        (
            "ML_KEM_768",
            "ENCAPSULATE_DECAPSULATE",
            "30 82 04 b2 30 0b 06 09 60 86 48 01 65 03 04 04 02 03 82 04 a1 00",
        ),
        (
            "ML_KEM_1024",
            "ENCAPSULATE_DECAPSULATE",
            "30 82 06 32 30 0b 06 09 60 86 48 01 65 03 04 04 03 03 82 06 21 00",
        ),
    ] {
        let public = kms.public_key(&kms.create_key_of(spec, usage).await).await;
        let frame = oid(frame);
        assert_eq!(&public[..frame.len()], frame, "{spec}");
    }
}

#[tokio::test]
async fn keys_without_a_public_half_have_none_to_give() {
    let kms = TestKms::new().await;
    for (spec, usage) in [("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), ("HMAC_384", "GENERATE_VERIFY_MAC")] {
        let key = kms.create_key_of(spec, usage).await;
        assert_eq!(
            kms.refused(GetPublicKey, json!({"KeyId": key})).await,
            "UnsupportedOperationException",
            "{spec}"
        );
    }
}

#[tokio::test]
async fn a_disabled_key_does_not_give_its_public_key() {
    let kms = TestKms::new().await;
    for (spec, usage) in [("RSA_2048", "ENCRYPT_DECRYPT"), ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")] {
        let key = kms.create_key_of(spec, usage).await;
        kms.disable(&key).await;
        let expected = format!("DisabledException: {} is disabled.", kms.arn(&key));
        assert_eq!(kms.refused(GetPublicKey, json!({"KeyId": key})).await, expected);
    }
}

#[tokio::test]
async fn the_key_may_be_named_in_every_way() {
    let kms = TestKms::new().await;
    let key = kms.create_key_of("ECC_NIST_P256", "SIGN_VERIFY").await;
    kms.create_alias("alias/pair", &key).await;
    for name in [key.clone(), kms.arn(&key), "alias/pair".to_owned(), kms.alias_arn("alias/pair")] {
        assert_eq!(kms.ok(GetPublicKey, json!({"KeyId": name})).await["KeyId"], kms.arn(&key));
    }
}

#[tokio::test]
async fn a_public_key_outlives_a_restart() {
    let kms = TestKms::new().await;
    let mut made = Vec::new();
    for kind in KINDS.iter().filter(|kind| kind.spki_bytes > 0 && !kind.spec.starts_with("RSA")) {
        let key = kind.create(&kms).await;
        made.push((kms.ok(GetPublicKey, json!({"KeyId": key})).await, key));
    }
    let kms = kms.restart().await;
    for (answer, key) in made {
        assert_eq!(kms.ok(GetPublicKey, json!({"KeyId": key})).await, answer);
    }
}
