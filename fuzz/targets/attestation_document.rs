//! Attestation documents, whole and altered, and the statements inside.
//!
//! The first byte chooses. Nothing is believed but the document of AWS, in whatever way its envelope is written; whoever
//! it is believed of is who it was made for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trent_attestation::{Freshness, Roots};
use trent_fuzz::Cut;

const DOCUMENT: &[u8] = include_bytes!("../../crates/attestation/testdata/enclave.cose");
/// When it was signed, in milliseconds since 1970.
const SIGNED_AT: u64 = 1_736_179_625_472;
/// Of COSE_Sign1 up to the payload's head, and the length of the payload in the document.
const PAYLOAD: std::ops::Range<usize> = 10..10 + 0x1241;
const SIGNATURE_AT: usize = PAYLOAD.end;

fuzz_target!(|data: &[u8]| {
    let mut cut = Cut::new(data);
    match cut.byte() % 4 {
        0 => check(cut.rest()),
        1 => check(&cut.altered(DOCUMENT)),
        2 => check(&with_payload(cut.rest())),
        _ => {
            let payload = cut.altered(&DOCUMENT[PAYLOAD]);
            check(&with_payload(&payload));
        }
    }
});

fn check(document: &[u8]) {
    if let Ok(attested) = Roots::aws().verify(document, SIGNED_AT, Freshness::default()) {
        assert_eq!(attested.module_id(), "i-0bee92034f3d60691-enc01943c5eaab3ad6a");
        assert_eq!(attested.root(), "aws");
    }
}

/// The envelope of the document around another payload.
fn with_payload(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&DOCUMENT[..PAYLOAD.start - 2], &length, payload, &DOCUMENT[SIGNATURE_AT..]].concat()
}
