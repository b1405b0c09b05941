//! SM2 against OpenSSL.

use super::*;

const SM2: &str = include_str!("../../../testdata/keys/sm2.json");
const ALGORITHM: SigningAlgorithm = SigningAlgorithm::Sm2Dsa;
const ENCRYPTION: EncryptionAlgorithm = EncryptionAlgorithm::Sm2Pke;

fn fixture() -> (KeyPair, Value) {
    let case = cases(SM2).remove(0);
    (KeyPair::from_record(KeyPairSpec::Sm2, &bytes(&case["record"])).unwrap(), case)
}

#[test]
fn sm2_keys_made_elsewhere_are_read_and_written_alike() {
    let (pair, case) = fixture();
    assert_eq!(hex(pair.to_record().expose()), case["record"].as_str().unwrap());
    assert_eq!(hex(pair.to_pkcs8().expose()), case["pkcs8"].as_str().unwrap());
    assert_eq!(hex(pair.public().spki()), case["spki"].as_str().unwrap());
    assert_eq!(pair.public().spki().len(), 91);
    let imported = KeyPair::from_pkcs8(KeyPairSpec::Sm2, &bytes(&case["pkcs8"])).unwrap();
    assert_eq!(imported.public(), pair.public());
    for other in [KeyPairSpec::EccNistP256, KeyPairSpec::EccSecgP256k1] {
        assert!(KeyPair::from_pkcs8(other, &bytes(&case["pkcs8"])).is_err());
    }
    let altered = flipped(pair.public().spki(), 90);
    assert!(PublicKey::from_spki(KeyPairSpec::Sm2, &altered).is_err(), "not on the curve");
}

#[test]
fn sm2_signatures_made_elsewhere_verify_and_ours_do() {
    let (pair, case) = fixture();
    for case in case["signatures"].as_array().unwrap() {
        let (text, signature) = (bytes(&case["message"]), bytes(&case["signature"]));
        let message = message(&case["type"], &text);
        assert_eq!(pair.public().verify(ALGORITHM, message, &signature), Ok(()));
        let own = pair.sign(ALGORITHM, message).unwrap();
        assert_eq!(pair.public().verify(ALGORITHM, message, &own), Ok(()));
        for altered in [flipped(&signature, 20), flipped(&signature, 60), signature[1..].to_vec(), Vec::new()]
        {
            let refused = pair.public().verify(ALGORITHM, message, &altered);
            assert_eq!(refused, Err(KeyUseError::InvalidSignature));
        }
    }
    let sign = |message| pair.sign(ALGORITHM, message).map(|_| ());
    assert_eq!(sign(Message::Digest(&[7; 31])), Err(KeyUseError::DigestLength));
    assert_eq!(sign(Message::ExternalMu(&[7; 64])), Err(KeyUseError::MessageType));
    let other = pair.sign(SigningAlgorithm::EcdsaSha256, Message::Raw(b"m"));
    assert_eq!(other, Err(KeyUseError::Incompatible));
}

#[test]
fn sm2_ciphertexts_made_elsewhere_decrypt_and_no_altered_one_does() {
    let (pair, case) = fixture();
    for case in case["ciphertexts"].as_array().unwrap() {
        let (plaintext, ciphertext) = (bytes(&case["plaintext"]), bytes(&case["ciphertext"]));
        assert_eq!(*pair.decrypt(ENCRYPTION, &ciphertext).unwrap().expose(), plaintext);
        let own = pair.public().encrypt(ENCRYPTION, &plaintext).unwrap();
        assert_eq!(*pair.decrypt(ENCRYPTION, &own).unwrap().expose(), plaintext);
        for at in 0..ciphertext.len().min(160) {
            let refused = pair.decrypt(ENCRYPTION, &flipped(&ciphertext, at)).unwrap_err();
            assert_eq!(refused, KeyUseError::InvalidCiphertext, "{at}");
            assert!(pair.decrypt(ENCRYPTION, &ciphertext[..at]).is_err());
        }
    }
    let too_long = pair.public().encrypt(ENCRYPTION, &[7; 1025]);
    assert_eq!(too_long, Err(KeyUseError::PlaintextTooLong { bytes_max: 1024 }));
    let oaep = pair.public().encrypt(EncryptionAlgorithm::RsaesOaepSha1, b"m");
    assert_eq!(oaep, Err(KeyUseError::Incompatible));
    let rsa = super::pair(&json!("RSA_2048"));
    assert_eq!(rsa.public().encrypt(ENCRYPTION, b"m"), Err(KeyUseError::Incompatible));
}

#[test]
fn sm2_secrets_are_those_that_others_compute() {
    let (pair, case) = fixture();
    assert_eq!(*pair.agree(&bytes(&case["peer"])).unwrap().expose(), bytes(&case["secret"]));
    let p256 = super::pair(&json!("ECC_NIST_P256"));
    assert_eq!(pair.agree(p256.public().spki()).unwrap_err(), KeyUseError::InvalidPublicKey);
}

/// Prints `testdata/keys/sm2_rust.json`, for `testdata/sm2.py` to check.
#[test]
#[ignore = "prints a fixture; run it when an algorithm or an encoding is added"]
fn print_sm2_for_python() {
    let pair = KeyPair::generate(KeyPairSpec::Sm2, &SystemRandom::new()).unwrap();
    let text = b"a message";
    let case = json!({
        "record": hex(pair.to_record().expose()), "pkcs8": hex(pair.to_pkcs8().expose()),
        "spki": hex(pair.public().spki()), "message": hex(text),
        "signature": hex(&pair.sign(ALGORITHM, Message::Raw(text)).unwrap()),
        "ciphertext": hex(&pair.public().encrypt(ENCRYPTION, text).unwrap()),
        "agreed": hex(pair.agree(pair.public().spki()).unwrap().expose()),
    });
    println!("{:#}", json!({ "source": "trent-crypto, `print_sm2_for_python`", "cases": [case] }));
}
