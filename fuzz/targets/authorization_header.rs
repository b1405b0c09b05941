//! Reading the signature of any request at all: no panic, no acceptance without the key, no endless error text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trent_fuzz::RawRequest;
use trent_sigv4::{Request, Rules, SignatureError, SigningKey, body_sha256, read};

/// 2015-08-30T12:36:00Z, the date of AWS's own examples, which are in the corpus.
const NOW: i64 = 1_440_938_160;
/// Longest error text: a few echoed values and fixed words.
const MESSAGE_BYTES_MAX: usize = 8192;

fuzz_target!(|data: &[u8]| {
    let Some(raw) = RawRequest::parse(data) else { return };
    let request = Request {
        method: raw.method,
        path: raw.path,
        query: raw.query,
        headers: raw.headers.as_slice(),
        body_sha256: body_sha256(raw.body),
    };
    for (service, echo_canonical) in [("kms", false), ("service", true)] {
        let rules = Rules { echo_canonical, ..Rules::new(service) };
        match read(&request, NOW, &rules) {
            Ok(claim) => {
                assert!(claim.verify(&SigningKey::dummy()).is_err(), "accepted without a key");
                let key = SigningKey::derive(b"another", claim.date(), claim.region(), claim.service());
                assert!(claim.verify(&key).is_err(), "accepted with another key");
                assert!(!format!("{claim:?}").is_empty());
            }
            Err(error) => check_error(&error, &raw, data),
        }
    }
});

fn check_error(error: &SignatureError, raw: &RawRequest<'_>, data: &[u8]) {
    let message = error.message();
    assert!(message.len() <= MESSAGE_BYTES_MAX, "{} bytes of error text", message.len());
    assert!(!error.query_code().is_empty() || error.code().is_empty());
    for (name, value) in &raw.headers {
        // Without a space the whole header passes for the name of an algorithm, which is repeated; and what stands
        // elsewhere in the request too may be repeated on that account.
        let whole = value.len() > 64 && value.trim_ascii_end().contains(&b' ');
        let telling = name.eq_ignore_ascii_case("authorization") && whole;
        if telling && data.windows(value.len()).filter(|window| window == value).count() == 1 {
            assert!(!message.contains(&*String::from_utf8_lossy(value)), "the header is in the error text");
        }
    }
}
