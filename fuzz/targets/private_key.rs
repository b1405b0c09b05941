//! Keys from outside: PKCS#8 documents, public keys, key records; and what may be done with those that are taken.
//!
//! The first byte chooses the spec, the second what the rest is. Readers never panic; what they take is written back,
//! the same where there is one way to write it, and is a key that works.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trent_crypto::asymmetric::{
    EncryptionAlgorithm, KeyPair, KeyPairSpec, KeyWrapping, Message, PublicKey, SigningAlgorithm,
};
use trent_crypto::{MacKey, MacSpec};
use trent_fuzz::Cut;

fuzz_target!(|data: &[u8]| {
    let mut cut = Cut::new(data);
    let spec = usize::from(cut.byte());
    let pair_spec = KeyPairSpec::ALL[spec % KeyPairSpec::ALL.len()];
    match cut.byte() % 4 {
        0 => document(pair_spec, cut.rest()),
        1 => record(pair_spec, cut.rest()),
        2 => public_key(pair_spec, cut.rest()),
        _ => mac_record(MacSpec::ALL[spec % MacSpec::ALL.len()], cut.rest()),
    }
});

fn document(spec: KeyPairSpec, bytes: &[u8]) {
    let Ok(pair) = KeyPair::from_pkcs8(spec, bytes) else { return };
    let again = KeyPair::from_pkcs8(spec, pair.to_pkcs8().expose()).expect("what is written can be read");
    assert_eq!(again.public(), pair.public());
    assert!(again.to_record() == pair.to_record());
    let kept = KeyPair::from_record(spec, pair.to_record().expose()).expect("what is written can be read");
    assert_eq!(kept.public(), pair.public());
    works(&pair, bytes);
}

fn record(spec: KeyPairSpec, bytes: &[u8]) {
    let Ok(pair) = KeyPair::from_record(spec, bytes) else { return };
    assert_eq!(*pair.to_record().expose(), bytes);
    works(&pair, bytes);
}

fn public_key(spec: KeyPairSpec, bytes: &[u8]) {
    let Ok(key) = PublicKey::from_spki(spec, bytes) else { return };
    assert_eq!(key.spki(), bytes);
    assert!(key.verify(SigningAlgorithm::EcdsaSha256, Message::Raw(b"m"), bytes).is_err());
    let _ = key.encapsulate();
}

fn mac_record(spec: MacSpec, bytes: &[u8]) {
    let Ok(key) = MacKey::from_record(spec, bytes) else { return };
    assert_eq!(*key.to_record().expose(), bytes);
    assert!(key.verify_mac(b"m", &key.generate_mac(b"m")).is_ok());
}

/// A key that was taken does what its kind does, and gives nothing for `garbage`.
fn works(pair: &KeyPair, garbage: &[u8]) {
    for algorithm in
        [SigningAlgorithm::EcdsaSha256, SigningAlgorithm::EcdsaSha384, SigningAlgorithm::EcdsaSha512]
    {
        let message = Message::Raw(b"m");
        if let Ok(signature) = pair.sign(algorithm, message) {
            assert!(pair.public().verify(algorithm, message, &signature).is_ok());
        }
        assert!(pair.public().verify(algorithm, message, garbage).is_err());
    }
    for algorithm in [SigningAlgorithm::Ed25519Sha512, SigningAlgorithm::MlDsaShake256] {
        if let Ok(signature) = pair.sign(algorithm, Message::Raw(b"m")) {
            assert!(pair.public().verify(algorithm, Message::Raw(b"m"), &signature).is_ok());
        }
    }
    if let Ok(made) = pair.public().encapsulate() {
        assert!(pair.decapsulate(&made.ciphertext).expect("a secret") == made.shared_secret);
    }
    assert!(pair.decrypt(EncryptionAlgorithm::RsaesOaepSha256, garbage).is_err());
    assert!(pair.unwrap_key(KeyWrapping::RsaAesKeyWrapSha256, garbage).is_err());
    let _ = pair.agree(garbage);
}
