//! Certificates, alone and in attestation documents: reading never panics, and a chain with an altered one is refused
//! before anything that it signed is looked at.
//!
//! The first byte chooses: any bytes, or one of the document's certificates with alterations.
#![no_main]

use std::ops::Range;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use trent_attestation::{Freshness, Roots};
use trent_crypto::certificate::{Certificate, is_signed_by};
use trent_fuzz::Cut;

const DOCUMENT: &[u8] = include_bytes!("../../crates/attestation/testdata/enclave.cose");
/// When it was signed, in milliseconds since 1970.
const SIGNED_AT: u64 = 1_736_179_625_472;
/// Of COSE_Sign1 up to the payload's head, and the length of the payload in the document.
const PAYLOAD: Range<usize> = 10..10 + 0x1241;
/// A byte string whose length has two bytes, which is a SEQUENCE whose length has two bytes.
const HEADS: [u8; 2] = [0x59, 0x30];

/// Where the certificates are in the payload.
static CERTIFICATES: LazyLock<Vec<Range<usize>>> = LazyLock::new(|| {
    let payload = &DOCUMENT[PAYLOAD];
    let found =
        payload.windows(6).enumerate().filter(|(_, head)| [head[0], head[3]] == HEADS && head[4] == 0x82);
    let ranges = found.map(|(at, head)| at + 3..at + 3 + usize::from(u16::from_be_bytes([head[1], head[2]])));
    // The key to answer to begins so too.
    let is_certificate =
        |range: &Range<usize>| payload.get(range.clone()).and_then(Certificate::read).is_some();
    let ranges: Vec<_> = ranges.filter(is_certificate).collect();
    assert!(ranges.len() >= 4, "a chain");
    ranges
});

fuzz_target!(|data: &[u8]| {
    let mut cut = Cut::new(data);
    match cut.byte() % 2 {
        0 => read(cut.rest()),
        _ => altered(&mut cut),
    }
});

fn read(der: &[u8]) {
    let known = |der: &[u8]| CERTIFICATES.iter().any(|place| DOCUMENT[PAYLOAD][place.clone()] == *der);
    if Certificate::read(der).is_some() && !known(der) {
        let forged = |place: &Range<usize>| is_signed_by(der, &DOCUMENT[PAYLOAD][place.clone()]);
        assert!(!CERTIFICATES.iter().any(forged), "a forged certificate");
    }
    let _ = Roots::default().with("fuzz", der);
}

fn altered(cut: &mut Cut<'_>) {
    let payload = &DOCUMENT[PAYLOAD];
    let place = &CERTIFICATES[usize::from(cut.byte()) % CERTIFICATES.len()];
    let original = &payload[place.clone()];
    let altered = cut.altered(original);
    let _ = Certificate::read(&altered);
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
    let head = &payload[..place.start - 2];
    let payload = [head, &length(&altered), &altered, &payload[place.end..]].concat();
    let document =
        [&DOCUMENT[..PAYLOAD.start - 2], &length(&payload), &payload, &DOCUMENT[PAYLOAD.end..]].concat();
    let verified = Roots::aws().verify(&document, SIGNED_AT, Freshness::default());
    match verified {
        Ok(_) => assert_eq!(altered, original, "an altered certificate is believed"),
        Err(error) => {
            assert_ne!(altered, original, "{error}");
            assert_ne!(
                error.to_string(),
                "its signature is not valid",
                "an altered certificate is in a chain"
            );
        }
    }
}
