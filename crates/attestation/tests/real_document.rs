//! A document that AWS signed, for an enclave in eu-central-1 on 2025-01-06 at 16:07:05 UTC. It was published with the
//! crate `nitro_attest`, whose tests state the same id, time and registers of it.

use trent_attestation::{ChainError, DocumentError, Freshness, Kind, Roots};
use trent_crypto::SystemRandom;

const DOCUMENT: &[u8] = include_bytes!("../testdata/enclave.cose");
const SIGNED_AT: u64 = 1_736_179_625_472;
const HOUR: u64 = 60 * 60 * 1000;

fn verify(document: &[u8], now_millis: u64) -> Result<trent_attestation::Attested, DocumentError> {
    Roots::aws().verify(document, now_millis, Freshness::default())
}

#[test]
fn a_document_of_aws_is_verified() {
    let attested = verify(DOCUMENT, SIGNED_AT).unwrap();
    assert_eq!(attested.kind(), Kind::Enclave);
    assert_eq!(attested.module_id(), "i-0bee92034f3d60691-enc01943c5eaab3ad6a");
    assert_eq!(attested.root(), "aws");
    assert!((0..16).all(|index| attested.register(index).is_some_and(|value| value.len() == 48)));
    assert_eq!(attested.register(16), None);

    let keys = attested.condition_keys();
    let value = |name: &str| keys.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
    let image =
        "8bb159f202bb95d6d4d98e0e103918246cea734f1d57cd263e4fd56075ed53f6fa8c68854817a32749a241e11874c26b";
    assert_eq!(value("kms:recipientattestation:imagesha384"), Some(image));
    assert_eq!(value("kms:recipientattestation:pcr0"), Some(image));
    assert_eq!(value("kms:recipientattestation:pcr15"), Some(&*"0".repeat(96)));
    assert_eq!(value("kms:recipientattestation:pcr16"), None);
    assert_eq!(value("trent:attestationroot"), Some("aws"));

    assert!(attested.seal(b"text", &SystemRandom::new()).is_ok());
}

#[test]
fn it_is_valid_as_long_as_its_certificates_are() {
    assert!(verify(DOCUMENT, SIGNED_AT + 2 * HOUR).is_ok());
    let expired = DocumentError::Chain(ChainError::Expired);
    assert_eq!(verify(DOCUMENT, SIGNED_AT + 4 * HOUR).unwrap_err(), expired);
    let early = DocumentError::Chain(ChainError::NotYetValid);
    let any_clock = Freshness { skew_seconds: u32::MAX, ..Freshness::default() };
    for before in [24 * HOUR, 24 * 365 * 10 * HOUR] {
        let at = SIGNED_AT - before;
        assert_eq!(Roots::aws().verify(DOCUMENT, at, any_clock).unwrap_err(), early);
        assert_eq!(verify(DOCUMENT, at).unwrap_err(), DocumentError::Future);
    }
}

#[test]
fn no_byte_of_it_can_be_altered_or_left_out() {
    // Not every byte: that would take ten seconds and tell nothing more.
    for at in (0..DOCUMENT.len()).step_by(23).chain(0..16) {
        let mut altered = DOCUMENT.to_vec();
        altered[at] ^= 1;
        assert!(verify(&altered, SIGNED_AT).is_err(), "byte {at}");
        assert!(verify(&DOCUMENT[..at], SIGNED_AT).is_err(), "{at} bytes");
    }
    assert!(verify(&[DOCUMENT, &[0]].concat(), SIGNED_AT).is_err());
}

#[test]
fn a_document_in_the_other_form_of_the_envelope_is_verified() {
    assert!(verify(&[&[0xd2], DOCUMENT].concat(), SIGNED_AT).is_ok());
    assert!(verify(&[&[0xd2, 0xd2], DOCUMENT].concat(), SIGNED_AT).is_err());
}

#[test]
fn nobody_is_trusted_without_roots() {
    let refused = Roots::default().verify(DOCUMENT, SIGNED_AT, Freshness::default()).unwrap_err();
    assert_eq!(refused, DocumentError::Chain(ChainError::UnknownRoot));
}
