//! What keys of spec SM2 do, against OpenSSL in both directions.

use serde_json::{Value, json};
use trent_protocol::Operation::{
    CreateKey, Decrypt, DeriveSharedSecret, Encrypt, GenerateDataKeyPair,
    GenerateDataKeyPairWithoutPlaintext, GetParametersForImport, GetPublicKey, ReEncrypt, ReplicateKey, Sign,
    Verify,
};
use trent_testkit::{ImportParameters, TestKms, base64, bytes};

use super::{in_china, openssl};

async fn key(kms: &TestKms, usage: &str) -> String {
    kms.create_key_of("SM2", usage).await
}

fn signing(key: &str, kind: &str, message: &[u8]) -> Value {
    json!({
        "KeyId": key, "MessageType": kind, "Message": base64(message), "SigningAlgorithm": "SM2DSA",
    })
}

#[tokio::test]
async fn a_key_has_the_algorithm_of_its_usage() {
    let kms = in_china().await;
    for (usage, list, algorithm) in [
        ("ENCRYPT_DECRYPT", "EncryptionAlgorithms", "SM2PKE"),
        ("SIGN_VERIFY", "SigningAlgorithms", "SM2DSA"),
        ("KEY_AGREEMENT", "KeyAgreementAlgorithms", "ECDH"),
    ] {
        let key = key(&kms, usage).await;
        let metadata = kms.metadata(&key).await;
        assert_eq!(
            metadata["Arn"],
            format!("arn:aws-cn:kms:cn-north-1:{}:key/{key}", trent_testkit::ACCOUNT)
        );
        assert_eq!(
            (&metadata["KeySpec"], &metadata["CustomerMasterKeySpec"]),
            (&json!("SM2"), &json!("SM2"))
        );
        assert_eq!(metadata[list], json!([algorithm]));
        let public = kms.ok(GetPublicKey, json!({"KeyId": key})).await;
        assert_eq!((&public["KeySpec"], &public[list]), (&json!("SM2"), &json!([algorithm])));
        assert_eq!(bytes(&public["PublicKey"]).len(), 91);
    }
    let refused = kms.refused(CreateKey, json!({"KeySpec": "SM2"})).await;
    assert!(refused.contains("You must specify a KeyUsage value"), "{refused}");
    let refused = kms.refused(CreateKey, json!({"KeySpec": "SM2", "KeyUsage": "GENERATE_VERIFY_MAC"})).await;
    assert!(
        refused.ends_with("KeyUsage GENERATE_VERIFY_MAC is not compatible with KeySpec SM2"),
        "{refused}"
    );
}

#[tokio::test]
async fn signatures_verify_in_both_directions_whole_or_as_digest() {
    let kms = in_china().await;
    let key = key(&kms, "SIGN_VERIFY").await;
    let public = kms.public_key(&key).await;
    let private = openssl::private_key();
    let imported = kms.create_external_key("SM2", "SIGN_VERIFY").await;
    kms.import(&imported, &private, json!({})).await;
    assert_eq!(kms.public_key(&imported).await, openssl::public_key(&private));
    for message in [&b"m"[..], &[7; 100], &[8; 4096]] {
        for (kind, signed) in [("RAW", message.to_vec()), ("DIGEST", openssl::digest(&public, message))] {
            let made = kms.ok(Sign, signing(&key, kind, &signed)).await;
            assert_eq!(made["SigningAlgorithm"], "SM2DSA");
            let signature = bytes(&made["Signature"]);
            assert!(openssl::verifies(&public, message, &signature), "{kind}");
            assert!(!openssl::verifies(&public, b"another", &signature), "{kind}");
        }
        let signature = openssl::sign(&private, message);
        let own = openssl::digest(&openssl::public_key(&private), message);
        for (kind, signed) in [("RAW", message), ("DIGEST", &own)] {
            let mut request = signing(&imported, kind, signed);
            request["Signature"] = json!(base64(&signature));
            assert_eq!(kms.ok(Verify, request.clone()).await["SignatureValid"], true);
            request["KeyId"] = json!(key);
            assert_eq!(kms.refused(Verify, request).await, "KMSInvalidSignatureException");
        }
    }
    assert_eq!(
        kms.refused(Sign, signing(&key, "DIGEST", &[7; 31])).await,
        "ValidationException: Digest is invalid length for algorithm SM2DSA."
    );
    let mut other = signing(&key, "RAW", b"m");
    other["SigningAlgorithm"] = json!("ECDSA_SHA_256");
    assert_eq!(
        kms.refused(Sign, other).await,
        "InvalidKeyUsageException: Algorithm ECDSA_SHA_256 is incompatible with key spec SM2."
    );
}

#[tokio::test]
async fn ciphertexts_open_in_both_directions() {
    let kms = in_china().await;
    let private = openssl::private_key();
    let key = kms.create_external_key("SM2", "ENCRYPT_DECRYPT").await;
    kms.import(&key, &private, json!({})).await;
    let public = kms.public_key(&key).await;
    let encryption = |plaintext: &[u8]| json!({"KeyId": key, "Plaintext": base64(plaintext), "EncryptionAlgorithm": "SM2PKE"});
    let decryption =
        |blob: &[u8]| json!({"KeyId": key, "CiphertextBlob": base64(blob), "EncryptionAlgorithm": "SM2PKE"});
    for length in [1, 32, 1024] {
        let plaintext = vec![7; length];
        let made = kms.ok(Encrypt, encryption(&plaintext)).await;
        assert_eq!(made["EncryptionAlgorithm"], "SM2PKE");
        assert_eq!(openssl::decrypt(&private, &bytes(&made["CiphertextBlob"])), plaintext);
        let blob = openssl::encrypt(&public, &plaintext);
        let opened = kms.ok(Decrypt, decryption(&blob)).await;
        assert_eq!((bytes(&opened["Plaintext"]), opened.get("KeyMaterialId")), (plaintext, None));
        let mut altered = blob.clone();
        *altered.last_mut().unwrap() ^= 1;
        assert_eq!(kms.refused(Decrypt, decryption(&altered)).await, "InvalidCiphertextException");
    }
    assert_eq!(
        kms.refused(Encrypt, encryption(&[7; 1025])).await,
        "ValidationException: Algorithm SM2PKE and key spec SM2 cannot encrypt data larger than 1024 bytes."
    );
    let bare = json!({"KeyId": key, "Plaintext": "dGV4dA=="});
    assert_eq!(
        kms.refused(Encrypt, bare).await,
        "InvalidKeyUsageException: Algorithm SYMMETRIC_DEFAULT is incompatible with key spec SM2."
    );

    // Between SM2 and a symmetric key, there and back.
    let symmetric = kms.create_key().await;
    let there = json!({
        "CiphertextBlob": base64(&openssl::encrypt(&public, b"text")), "SourceKeyId": key,
        "SourceEncryptionAlgorithm": "SM2PKE", "DestinationKeyId": symmetric,
    });
    let sealed = kms.ok(ReEncrypt, there).await;
    assert_eq!(sealed["SourceEncryptionAlgorithm"], "SM2PKE");
    let back = json!({
        "CiphertextBlob": sealed["CiphertextBlob"], "DestinationKeyId": key,
        "DestinationEncryptionAlgorithm": "SM2PKE",
    });
    let back = kms.ok(ReEncrypt, back).await;
    assert_eq!(openssl::decrypt(&private, &bytes(&back["CiphertextBlob"])), b"text");
}

/// The shared secret in the fixture was computed by the curve's formulas in Python; OpenSSL gives out none.
#[tokio::test]
async fn agreement_gives_the_x_coordinate_that_others_compute() {
    let kms = in_china().await;
    let case: Value =
        serde_json::from_str(include_str!("../../../crates/crypto/testdata/keys/sm2.json")).unwrap();
    let case = &case["cases"][0];
    let hex = |text: &Value| -> Vec<u8> {
        let digits = text.as_str().unwrap();
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    };
    let key = kms.create_external_key("SM2", "KEY_AGREEMENT").await;
    kms.import(&key, &hex(&case["pkcs8"]), json!({})).await;
    let derive = |key: &str, peer: &[u8]| json!({"KeyId": key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": base64(peer)});
    let derived = kms.ok(DeriveSharedSecret, derive(&key, &hex(&case["peer"]))).await;
    assert_eq!(bytes(&derived["SharedSecret"]), hex(&case["secret"]));
    assert_eq!(derived["KeyOrigin"], "EXTERNAL");

    let other = self::key(&kms, "KEY_AGREEMENT").await;
    let one = kms.ok(DeriveSharedSecret, derive(&key, &kms.public_key(&other).await)).await;
    let two = kms.ok(DeriveSharedSecret, derive(&other, &kms.public_key(&key).await)).await;
    assert_eq!(one["SharedSecret"], two["SharedSecret"]);
    // Another curve, and no point of this one.
    let p256 = kms.create_key_of("ECC_NIST_P256", "KEY_AGREEMENT").await;
    let mut off = kms.public_key(&other).await;
    *off.last_mut().unwrap() ^= 1;
    for peer in [kms.public_key(&p256).await, off, b"none".to_vec()] {
        assert_eq!(kms.refused(DeriveSharedSecret, derive(&key, &peer)).await, "ValidationException");
    }
}

#[tokio::test]
async fn data_key_pairs_are_sm2_to_openssl() {
    let kms = in_china().await;
    let key = kms.create_key().await;
    let request = json!({"KeyId": key, "KeyPairSpec": "SM2"});
    let pair = kms.ok(GenerateDataKeyPair, request.clone()).await;
    assert_eq!(pair["KeyPairSpec"], "SM2");
    let (private, public) = (bytes(&pair["PrivateKeyPlaintext"]), bytes(&pair["PublicKey"]));
    assert_eq!(openssl::public_key(&private), public);
    assert!(openssl::verifies(&public, b"text", &openssl::sign(&private, b"text")));
    assert_eq!(kms.decrypt(pair["PrivateKeyCiphertextBlob"].as_str().unwrap()).await, private);
    let pair = kms.ok(GenerateDataKeyPairWithoutPlaintext, request).await;
    let private = kms.decrypt(pair["PrivateKeyCiphertextBlob"].as_str().unwrap()).await;
    assert_eq!(openssl::public_key(&private), bytes(&pair["PublicKey"]));
}

#[tokio::test]
async fn material_is_wrapped_with_sm2_by_openssl() {
    let kms = in_china().await;
    for (spec, usage) in [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
        ("HMAC_512", "GENERATE_VERIFY_MAC"),
        ("SM2", "SIGN_VERIFY"),
        ("ECC_NIST_P521", "SIGN_VERIFY"),
        ("RSA_2048", "SIGN_VERIFY"),
    ] {
        let key = kms.create_external_key(spec, usage).await;
        let parameters = ImportParameters::of(&kms, &key, "SM2PKE", "SM2").await;
        assert_eq!(parameters.public.len(), 91);
        let material = trent_testkit::fresh_material(spec);
        let mut request = json!({
            "KeyId": key, "ImportToken": parameters.token, "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
            "EncryptedKeyMaterial": base64(&openssl::encrypt(&parameters.public, &material)),
        });
        kms.ok(trent_protocol::Operation::ImportKeyMaterial, request.clone()).await;
        assert_eq!(kms.metadata(&key).await["KeyState"], "Enabled", "{spec}");
        let other = ImportParameters::of(&kms, &key, "SM2PKE", "SM2").await;
        request["EncryptedKeyMaterial"] = json!(base64(&openssl::encrypt(&other.public, &material)));
        let refused = kms.refused(trent_protocol::Operation::ImportKeyMaterial, request).await;
        assert_eq!(refused, "InvalidCiphertextException", "{spec}");
    }
    // SM2 material comes by RSA as well, and RSA and SM2 do not mix.
    let key = kms.create_external_key("SM2", "ENCRYPT_DECRYPT").await;
    let parameters = ImportParameters::of(&kms, &key, "RSAES_OAEP_SHA_256", "RSA_2048").await;
    let request = parameters.request(&openssl::private_key());
    kms.ok(trent_protocol::Operation::ImportKeyMaterial, request).await;
    for (algorithm, spec) in [("SM2PKE", "RSA_2048"), ("RSAES_OAEP_SHA_256", "SM2")] {
        let request = json!({"KeyId": key, "WrappingAlgorithm": algorithm, "WrappingKeySpec": spec});
        assert_eq!(
            kms.refused(GetParametersForImport, request).await,
            format!(
                "UnsupportedOperationException: Wrapping algorithm {algorithm} is not compatible with wrapping key spec \
                 {spec}."
            )
        );
    }
}

#[tokio::test]
async fn a_replica_stays_in_china() {
    let kms = in_china().await;
    let request = json!({"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY", "MultiRegion": true});
    let key = kms.create_key_with(request).await;
    kms.ok(ReplicateKey, json!({"KeyId": key, "ReplicaRegion": "cn-northwest-1"})).await;
    let there = kms.in_region("cn-northwest-1");
    assert_eq!(there.public_key(&key).await, kms.public_key(&key).await);
    let signature = bytes(&there.ok(Sign, signing(&key, "RAW", b"m")).await["Signature"]);
    assert!(openssl::verifies(&kms.public_key(&key).await, b"m", &signature));
    let refused = kms.refused(ReplicateKey, json!({"KeyId": key, "ReplicaRegion": "eu-central-1"})).await;
    assert!(refused.starts_with("UnsupportedOperationException: "), "{refused}");
}
