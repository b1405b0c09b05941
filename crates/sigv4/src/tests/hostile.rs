//! What no client would send: nothing panics, nothing is accepted, limits hold, and no text says what it must not.

use proptest::{collection::vec, prelude::*};

use super::{ACCESS_KEY_ID, CREDENTIALS, DATE, Lines, NOW, SECRET, Sent, judge};
use crate::{
    Credentials, ECHO_BYTES_MAX, EXPIRES_SECONDS_MAX, QUERY_BYTES_MAX, Request, Rules, SIGNED_HEADERS_MAX,
    SignError, SignatureError, SigningKey, body_sha256, presign, read, sign,
};

const TOKEN: &str = "session-token";

fn request() -> Sent {
    let lines = [("host", "kms.test"), ("x-amz-target", "TrentService.Encrypt")];
    Sent {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        query: String::new(),
        headers: Lines(lines.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()),
        body: String::new(),
    }
}

/// A request whose signature is of the given texts.
fn with_authorization(authorization: &str) -> Sent {
    let mut sent = request();
    sent.headers.push("x-amz-date", DATE);
    sent.headers.push("authorization", authorization);
    sent
}

fn error(sent: &Sent) -> SignatureError {
    judge(sent, NOW, &Rules::new("kms"), SECRET).unwrap_err()
}

#[test]
fn the_query_has_a_longest_length() {
    let longest = Sent { query: "a".repeat(QUERY_BYTES_MAX), ..request() };
    let mut sent = longest.signed(&CREDENTIALS, NOW);
    assert_eq!(judge(&sent, NOW, &Rules::new("kms"), SECRET), Ok(()));
    sent.query.push('a');
    assert_eq!(error(&sent), SignatureError::QueryTooLong);
    assert_eq!(error(&sent).message(), "The query string must not be longer than 8192 bytes");
    let too_long = Sent { query: sent.query, ..request() };
    let refused = SignError::Malformed(SignatureError::QueryTooLong);
    assert_eq!(sign(&too_long.request(), &CREDENTIALS, NOW).err(), Some(refused.clone()));
    assert_eq!(presign(&longest.request(), &CREDENTIALS, NOW, None).err(), Some(refused));
}

#[test]
fn the_list_of_signed_headers_has_a_longest_length() {
    let mut most = request();
    // `host`, `x-amz-target` and `x-amz-date` are signed too.
    (3..SIGNED_HEADERS_MAX).for_each(|number| most.headers.push(&format!("x-{number}"), "a"));
    assert_eq!(judge(&most.signed(&CREDENTIALS, NOW), NOW, &Rules::new("kms"), SECRET), Ok(()));
    most.headers.push("one-more", "a");
    assert_eq!(sign(&most.request(), &CREDENTIALS, NOW).err(), Some(SignError::TooManyHeaders));
    let list = vec!["host"; SIGNED_HEADERS_MAX + 1].join(";");
    let refused = error(&with_authorization(&format!(
        "AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}, SignedHeaders={list}, Signature=0"
    )));
    assert_eq!(refused, SignatureError::TooManySignedHeaders);
    assert_eq!(refused.message(), "SignedHeaders must not list more than 100 headers");
    assert_eq!(refused.code(), "IncompleteSignatureException");
}

#[test]
fn texts_repeat_no_more_of_a_value_than_the_limit() {
    let long = "é".repeat(ECHO_BYTES_MAX);
    for authorization in [
        format!("AWS4-HMAC-SHA256 {long}"),
        format!("AWS4-{}", "A".repeat(10 * ECHO_BYTES_MAX)),
        format!(
            "AWS4-HMAC-SHA256 Credential={long}, SignedHeaders=host;x-amz-date;x-amz-target, Signature=0"
        ),
        format!(
            "AWS4-HMAC-SHA256 Credential=a/{long}/{long}/b/{long}, SignedHeaders=host;x-amz-date;x-amz-target, \
             Signature=0"
        ),
    ] {
        let message = error(&with_authorization(&authorization)).message();
        assert!(message.len() < 4 * ECHO_BYTES_MAX + 512 && message.contains('…'), "{message}");
    }
}

#[test]
fn no_text_repeats_a_signature_or_a_token() {
    let signed = request().signed(&Credentials { session_token: Some(TOKEN), ..CREDENTIALS }, NOW);
    let (_, authorization) = signed.headers.0.last().unwrap();
    let signature = authorization.rsplit_once('=').unwrap().1;
    for changed in [
        authorization.replace(' ', ""),
        authorization.replace(' ', "\t").replace("AWS4-HMAC-SHA256", "AWS4-X"),
        authorization.replace("Credential", "Other"),
        authorization.replace("host", "guest"),
        authorization.replace("20150830", "20150829"),
    ] {
        let mut sent = signed.clone();
        sent.headers.0.last_mut().unwrap().1 = changed;
        let message = error(&sent).message();
        assert!(!message.contains(signature) && !message.contains(TOKEN), "{message}");
    }
    let request = signed.request();
    let claim = read(&request, NOW, &Rules::new("kms")).unwrap();
    for text in [format!("{claim:?}"), format!("{request:?}")] {
        assert!(!text.contains(signature) && !text.contains(TOKEN), "{text}");
    }
}

#[test]
fn a_claim_says_what_the_request_says_of_itself() {
    let credentials = Credentials { session_token: Some(TOKEN), ..CREDENTIALS };
    for (sent, presigned) in [
        (request().signed(&credentials, NOW), false),
        (request().presigned(&credentials, NOW, Some(60)), true),
    ] {
        let request = sent.request();
        let claim = read(&request, NOW + 1, &Rules::new("kms")).unwrap();
        assert_eq!(claim.access_key_id(), ACCESS_KEY_ID);
        assert_eq!((claim.date(), claim.region(), claim.service()), ("20150830", "us-east-1", "kms"));
        assert_eq!(claim.session_token(), Some(TOKEN));
        assert_eq!(claim.timestamp().as_str(), DATE);
        assert_eq!(claim.is_presigned(), presigned);
    }
}

#[test]
fn what_cannot_be_signed_is_not_signed() {
    let mut no_host = request();
    no_host.headers.remove(&["host"]);
    let above = Sent { path: "/..".to_owned(), ..request() };
    let twice = Sent { query: "X-Amz-Algorithm=a".to_owned(), ..request() };
    let broken = Sent { query: "%".to_owned(), ..request() };
    let malformed = |error| SignError::Malformed(error);
    for (sent, refused) in [
        (&no_host, SignError::MissingHost),
        (&above, malformed(SignatureError::MalformedPath)),
        (&twice, SignError::AlreadySigned("X-Amz-Algorithm")),
        (&broken, malformed(SignatureError::IncompleteEscape)),
    ] {
        assert_eq!(sign(&sent.request(), &CREDENTIALS, NOW).err(), Some(refused.clone()));
        assert_eq!(presign(&sent.request(), &CREDENTIALS, NOW, None).err(), Some(refused));
    }
    for seconds in [0, EXPIRES_SECONDS_MAX + 1] {
        let refused = presign(&request().request(), &CREDENTIALS, NOW, Some(seconds)).err();
        assert_eq!(refused, Some(SignError::InvalidExpires(seconds)));
    }
}

#[test]
fn a_signed_request_can_be_signed_anew() {
    let old = request().signed(&Credentials { session_token: Some("old"), ..CREDENTIALS }, NOW - 1000);
    let anew = Sent { headers: old.headers.clone(), ..request() };
    let mut sent = anew.signed(&CREDENTIALS, NOW);
    let last = sent.headers.0.pop().unwrap();
    sent.headers.remove(&["authorization"]);
    sent.headers.0.push(last);
    assert_eq!(judge(&sent, NOW, &Rules::new("kms"), SECRET), Ok(()));
}

/// Looks like a signature, most of the time.
fn almost() -> impl Strategy<Value = String> {
    let words = [
        "AWS4-HMAC-SHA256",
        " ",
        ",",
        "=",
        "/",
        ";",
        "Credential=",
        "SignedHeaders=",
        "Signature=",
        "host",
        "x-amz-date",
        "AKIDEXAMPLE/20150830/us-east-1/kms/aws4_request",
        "%",
        "%2",
        "é",
        "\t",
        "\n",
        "\0",
        "&",
        "X-Amz-Algorithm=",
        "X-Amz-Credential=",
        "X-Amz-Date=20150830T123600Z",
        "X-Amz-SignedHeaders=",
        "X-Amz-Signature=",
        "X-Amz-Expires=",
        "+",
        "..",
        "20150830T123600Z",
        "0",
        "-1",
    ];
    vec(
        prop_oneof![8 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => ".{0,4}"],
        0..24,
    )
    .prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn noise_is_never_accepted(
        authorization in proptest::option::of(almost()), query in almost(), path in almost(), date in almost(),
        bytes in vec(any::<u8>(), 0..40), now in any::<i64>(),
    ) {
        let mut headers: Vec<(&str, &[u8])> = vec![("host", &bytes), ("x-amz-date", date.as_bytes()), ("date", &bytes)];
        headers.extend(authorization.as_ref().map(|text| ("Authorization", text.as_bytes())));
        headers.push(("authorization", &bytes));
        let request =
            Request { method: "POST", path: &path, query: &query, headers: &headers[..], body_sha256: body_sha256(&bytes) };
        for now in [NOW, now] {
            let rules = Rules { echo_canonical: true, ..Rules::new("kms") };
            match read(&request, now, &rules) {
                Ok(claim) => {
                    let key = SigningKey::derive(SECRET.as_bytes(), claim.date(), claim.region(), claim.service());
                    prop_assert!(claim.verify(&key).is_err());
                }
                Err(error) => prop_assert!(error.message().len() < 8192),
            }
        }
    }
}
