//! Other implementations in Rust, side by side: `ml-dsa` and `ml-kem` of RustCrypto, in both directions.

use ::ml_dsa::signature::{Signer, Verifier};
use ::ml_dsa::{MlDsaParams, SigningKey};
use ::ml_kem::{Decapsulate, DecapsulationKey, KeyExport};
use shake::{ExtendableOutput, Shake256, Update};

use super::*;

/// The μ of a message, for an empty context: FIPS 204 algorithm 7 line 6.
pub(super) fn mu(public: &[u8], message: &[u8]) -> [u8; 64] {
    shake256(&[&shake256(&[public]), &[0, 0], message])
}

fn shake256(parts: &[&[u8]]) -> [u8; 64] {
    let mut hash = Shake256::default();
    for part in parts {
        hash.update(part);
    }
    let mut output = [0; 64];
    hash.finalize_xof_into(&mut output);
    output
}

fn ml_dsa_agrees<P: MlDsaParams>(spec: KeyPairSpec) {
    let algorithm = SigningAlgorithm::MlDsaShake256;
    for seed in 0..8 {
        let seed = [seed; 32];
        let ours = KeyPair::new(spec, Form::Short, seed.to_vec().into()).unwrap();
        let theirs = SigningKey::<P>::from_seed(&seed.into());
        assert_eq!(ours.public().raw(), theirs.expanded_key().verifying_key().encode().as_slice());

        let mu = mu(ours.public().raw(), b"m");
        let made = theirs.sign(b"m").encode();
        let made_of_mu = theirs.expanded_key().sign_mu_deterministic(&mu.into()).encode();
        for message in [Message::Raw(b"m"), Message::ExternalMu(&mu)] {
            assert_eq!(ours.public().verify(algorithm, message, &made), Ok(()));
            assert_eq!(ours.public().verify(algorithm, message, &made_of_mu), Ok(()));
            let signature = ours.sign(algorithm, message).unwrap();
            let signature = ::ml_dsa::Signature::decode(signature.as_slice().try_into().unwrap()).unwrap();
            assert!(theirs.expanded_key().verifying_key().verify(b"m", &signature).is_ok());
        }
    }
}

#[test]
fn ml_dsa_agrees_with_another_implementation() {
    ml_dsa_agrees::<::ml_dsa::MlDsa44>(KeyPairSpec::MlDsa44);
    ml_dsa_agrees::<::ml_dsa::MlDsa65>(KeyPairSpec::MlDsa65);
    ml_dsa_agrees::<::ml_dsa::MlDsa87>(KeyPairSpec::MlDsa87);
}

macro_rules! ml_kem_agrees {
    ($set:ident, $spec:ident) => {
        for seed in 0..8 {
            let seed = [seed; 64];
            let ours = KeyPair::new(KeyPairSpec::$spec, Form::Short, seed.to_vec().into()).unwrap();
            let theirs = DecapsulationKey::<::ml_kem::$set>::from_seed(seed.into());
            assert_eq!(ours.public().raw(), theirs.encapsulation_key().to_bytes().as_slice());

            let made = ours.public().encapsulate().unwrap();
            let secret = theirs.decapsulate(made.ciphertext.as_slice().try_into().unwrap());
            assert_eq!(*made.shared_secret.expose(), secret.as_slice());
            let (ciphertext, secret) = theirs.encapsulation_key().encapsulate_deterministic(&[9; 32].into());
            assert_eq!(*ours.decapsulate(&ciphertext).unwrap().expose(), secret.as_slice());
            let altered = flipped(&ciphertext, 50);
            let secret = theirs.decapsulate(altered.as_slice().try_into().unwrap());
            assert_eq!(*ours.decapsulate(&altered).unwrap().expose(), secret.as_slice());
        }
    };
}

#[test]
fn ml_kem_agrees_with_another_implementation() {
    ml_kem_agrees!(MlKem512, MlKem512);
    ml_kem_agrees!(MlKem768, MlKem768);
    ml_kem_agrees!(MlKem1024, MlKem1024);
}
