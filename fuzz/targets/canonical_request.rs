//! Signing and verifying agree with each other, with a second implementation of canonical requests, and with nothing
//! that was changed on the way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trent_fuzz::{RawRequest, canonical};
use trent_sigv4::{
    Claim, Credentials, QUERY_BYTES_MAX, Request, Rules, SignatureError, SigningKey, body_sha256, presign,
    read, sign,
};

const NOW: i64 = 1_440_938_160;
const SECRET: &[u8] = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const CREDENTIALS: Credentials<'static> = Credentials {
    access_key_id: "AKIDEXAMPLE",
    secret_access_key: SECRET,
    session_token: None,
    region: "us-east-1",
    service: "kms",
};

fuzz_target!(|data: &[u8]| {
    let Some(mut raw) = RawRequest::parse(data) else { return };
    raw.headers.retain(|(name, value)| is_passed_on(name, value));
    let decoded = canonical::decoded(raw.query);
    if raw.method.contains('\n') || contains(&decoded, b"X-Amz-") {
        return;
    }
    let hash = body_sha256(raw.body);
    let request = Request {
        method: raw.method,
        path: raw.path,
        query: raw.query,
        headers: raw.headers.as_slice(),
        body_sha256: hash,
    };
    header_form(&request, &raw);
    query_form(&request);
});

/// What an HTTP server lets through, less what belongs to signatures themselves.
fn is_passed_on(name: &str, value: &[u8]) -> bool {
    const OWN: [&str; 4] = ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"];
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty()
        && name.bytes().all(is_token)
        && !OWN.iter().any(|own| name.eq_ignore_ascii_case(own))
        && str::from_utf8(value).is_ok()
        && !value.contains(&b'\r')
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn header_form(request: &Request<'_>, raw: &RawRequest<'_>) {
    let Ok(signed) = sign(request, &CREDENTIALS, NOW) else { return };
    let mut headers = raw.headers.clone();
    headers.push(("Authorization", signed.authorization.as_bytes()));
    headers.push(("X-Amz-Date", signed.x_amz_date.as_bytes()));
    let sent = Request { headers: headers.as_slice(), ..*request };
    let rules = Rules { echo_canonical: true, ..Rules::new("kms") };
    let claim = match read(&sent, NOW, &rules) {
        Ok(claim) => claim,
        // The host names another Region.
        Err(SignatureError::WrongScope(_)) => return,
        Err(error) => panic!("what was signed cannot be read: {error:?}"),
    };
    assert!(claim.verify(&key()).is_ok(), "what was signed is refused");
    compare(&claim, &sent, &signed.authorization);
    refuse_changes(&sent);
}

fn key() -> SigningKey {
    SigningKey::derive(SECRET, "20150830", "us-east-1", "kms")
}

fn compare(claim: &Claim<'_>, sent: &Request<'_>, authorization: &str) {
    let Err(SignatureError::Mismatch(Some(echo))) = claim.verify(&SigningKey::dummy()) else {
        panic!("no echo of the canonical request");
    };
    let list =
        authorization.split_once("SignedHeaders=").and_then(|(_, rest)| rest.split_once(',')).unwrap().0;
    let other = canonical::request(sent.method, sent.path, sent.query, sent.headers, list, &sent.body_sha256);
    assert_eq!(echo.canonical_request, other, "two canonical requests");
}

/// Whatever is changed, the signature must no longer be right.
fn refuse_changes(sent: &Request<'_>) {
    let mut hash = sent.body_sha256;
    hash[0] ^= 1;
    refuse(&Request { body_sha256: hash, ..*sent }, "body");
    refuse(&Request { method: &format!("{}X", sent.method), ..*sent }, "method");
    refuse(&Request { path: &format!("{}/more", sent.path), ..*sent }, "path");
    let query = format!("{}&zz", sent.query);
    if query.len() <= QUERY_BYTES_MAX {
        refuse(&Request { query: &query, ..*sent }, "query");
    }
    for (position, (name, value)) in sent.headers.iter().enumerate() {
        if is_unsigned(name) {
            continue;
        }
        let altered = [*value, b"x"].concat();
        let mut headers = sent.headers.to_vec();
        headers[position].1 = &altered;
        refuse(&Request { headers: headers.as_slice(), ..*sent }, name);
    }
}

/// Headers that proxies change and signers leave out, and the signature's own.
fn is_unsigned(name: &str) -> bool {
    const UNSIGNED: [&str; 9] = [
        "authorization",
        "connection",
        "content-length",
        "expect",
        "transfer-encoding",
        "user-agent",
        "x-amzn-trace-id",
        "amz-sdk-request",
        "x-amz-date",
    ];
    UNSIGNED.iter().any(|other| name.eq_ignore_ascii_case(other))
}

fn refuse(changed: &Request<'_>, what: &str) {
    if let Ok(claim) = read(changed, NOW, &Rules::new("kms")) {
        assert!(claim.verify(&key()).is_err(), "accepted with another {what}");
    }
}

fn query_form(request: &Request<'_>) {
    let Ok(query) = presign(request, &CREDENTIALS, NOW, Some(60)) else { return };
    let sent = Request { query: &query, ..*request };
    let claim = match read(&sent, NOW + 60, &Rules::new("kms")) {
        Ok(claim) => claim,
        Err(SignatureError::WrongScope(_)) => return,
        Err(error) => panic!("what was presigned cannot be read: {error:?}"),
    };
    assert!(claim.verify(&key()).is_ok(), "what was presigned is refused");
    assert!(read(&sent, NOW + 61, &Rules::new("kms")).is_err(), "it outlives its time");
    let more = format!("{query}&zz");
    if more.len() <= QUERY_BYTES_MAX {
        refuse(&Request { query: &more, ..*request }, "query");
    }
}
