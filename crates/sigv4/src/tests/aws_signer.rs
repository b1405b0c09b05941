//! The signer of the AWS SDK for Rust as a second opinion: on random requests it signs what we sign, and we accept it.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials as AwsCredentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
        sign as aws_sign,
    },
    sign::v4,
};
use proptest::{collection::vec, prelude::*, sample::select};

use super::{Lines, SECRET, Sent, judge};
use crate::{Credentials, Rules, Timestamp, presign, sign};

/// What is signed, and by whom.
#[derive(Debug, Clone)]
struct Order {
    sent: Sent,
    token: Option<String>,
    region: &'static str,
    now: i64,
    /// Whether the hash of the body is sent as a header.
    body_hash: bool,
}

impl Order {
    fn credentials(&self) -> Credentials<'_> {
        Credentials {
            access_key_id: "AKIDEXAMPLE",
            secret_access_key: SECRET.as_bytes(),
            session_token: self.token.as_deref(),
            region: self.region,
            service: "kms",
        }
    }

    /// The signature, and the headers and parameters to add, as the SDK has them.
    fn signed_by_aws(&self, expires_seconds: Option<u32>) -> (String, Lines, Vec<(String, String)>) {
        let identity = AwsCredentials::new("AKIDEXAMPLE", SECRET, self.token.clone(), None, "test").into();
        let mut settings = SigningSettings::default();
        if self.body_hash {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        if let Some(seconds) = expires_seconds {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(Duration::from_secs(seconds.into()));
        }
        let time = UNIX_EPOCH + Duration::from_secs(self.now.try_into().unwrap());
        let params =
            v4::SigningParams::builder().identity(&identity).region(self.region).name("kms").time(time);
        let params = params.settings(settings).build().unwrap().into();
        let Sent { method, path, query, headers, body } = &self.sent;
        let headers = headers.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let uri = format!("https://kms.test{path}?{query}");
        let request =
            SignableRequest::new(method, uri, headers, SignableBody::Bytes(body.as_bytes())).unwrap();
        let (instructions, signature) = aws_sign(request, &params).unwrap().into_parts();
        let (headers, parameters) = instructions.into_parts();
        let headers = headers.iter().map(|header| (header.name().to_owned(), header.value().to_owned()));
        let parameters = parameters.into_iter().map(|(name, value)| (name.to_owned(), value.into_owned()));
        (signature, Lines(headers.collect()), parameters.collect())
    }
}

fn orders() -> impl Strategy<Value = Order> {
    let token = proptest::option::of("[A-Za-z0-9+/=]{1,80}");
    let region = select(&["us-east-1", "eu-central-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1"][..]);
    // From the second day of 1970 to the year 2399.
    (sent(), token, region, 86_400_i64..13_569_465_600, any::<bool>())
        .prop_map(|(sent, token, region, now, body_hash)| Order { sent, token, region, now, body_hash })
}

fn sent() -> impl Strategy<Value = Sent> {
    let method = select(&["GET", "POST", "PUT", "DELETE", "PATCH"][..]);
    (method, path(), query(), headers(), ".{0,40}").prop_map(|(method, path, query, headers, body)| Sent {
        method: method.to_owned(),
        path,
        query,
        headers,
        body,
    })
}

/// Paths that do not climb above the root: we refuse those, and the SDK does not.
fn path() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        4 => "[A-Za-z0-9._~!$&'()*+,;=:@-]{1,8}",
        2 => "(%[0-9A-Fa-f]{2}){1,3}",
        2 => select(&["", ".", "..", "%2e", "..."][..]).prop_map(str::to_owned),
    ];
    vec(segment, 0..6).prop_map(|segments| {
        let mut depth = 0;
        let mut path = String::new();
        for segment in &segments {
            depth += match segment.as_str() {
                "" | "." => 0,
                ".." if depth == 0 => continue,
                ".." => -1,
                _ => 1,
            };
            path.push('/');
            path.push_str(segment);
        }
        if path.is_empty() { "/".to_owned() } else { path }
    })
}

/// Parameters of any characters, each of them as it is or escaped where both can be.
fn query() -> impl Strategy<Value = String> {
    let name_or_value = || vec((any::<char>(), any::<bool>()), 0..5).prop_map(|text| written(&text));
    let common = select(&["a", "a-", "a%20", "A", "b", ""][..]).prop_map(str::to_owned);
    let name = prop_oneof![name_or_value(), common];
    let piece = (name, proptest::option::of(name_or_value())).prop_map(|(name, value)| match value {
        Some(value) => format!("{name}={value}"),
        None => name,
    });
    vec(piece, 0..6).prop_map(|pieces| pieces.join("&"))
}

fn written(text: &[(char, bool)]) -> String {
    let mut out = String::new();
    for (character, escaped) in text {
        let plain = character.is_ascii_alphanumeric() || "-._~!$'()*,;:@/?".contains(*character);
        if *character == ' ' && !escaped {
            out.push('+');
        } else if plain && !escaped {
            out.push(*character);
        } else {
            let mut bytes = [0; 4];
            out.extend(character.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02x}")));
        }
    }
    out
}

/// Some names often, so that they come twice. Values without tabs at their ends, which the SDK signs and HTTP cuts off.
fn headers() -> impl Strategy<Value = Lines> {
    const NAMES: [&str; 10] = [
        "Content-Type",
        "X-Amz-Target",
        "x-trent-a",
        "X-Custom",
        "x-CUSTOM",
        "a",
        "A-b",
        "A",
        "accept",
        "Date",
    ];
    let line = (select(&NAMES[..]), " {0,2}([!-~]([ -~\t]{0,12}[!-~])?)?  {0,2}");
    let host = select(&["kms.test", "kms.test:8443", "[::1]:5670", "localhost"][..]);
    let unsigned = proptest::option::of(Just("User-Agent"));
    (host, vec(line, 0..8), unsigned).prop_map(|(host, lines, unsigned)| {
        let mut headers = Lines::default();
        headers.push("Host", host);
        lines.iter().for_each(|(name, value)| headers.push(name, value));
        unsigned.iter().for_each(|name| headers.push(name, "anything"));
        headers
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn headers_are_signed_alike_and_accepted(order in orders()) {
        let (_, added, _) = order.signed_by_aws(None);
        let mut sent = order.sent.clone();
        sent.headers.0.extend(added.0.clone());
        prop_assert_eq!(judge(&sent, order.now, &Rules::new("kms"), SECRET), Ok(()));

        // The SDK adds the hash of the body itself; our signer takes it as one header among others.
        let mut unsigned = order.sent.clone();
        unsigned.headers.0.extend(added.0.iter().filter(|(name, _)| name == "x-amz-content-sha256").cloned());
        let ours = sign(&unsigned.request(), &order.credentials(), order.now).unwrap();
        let theirs = |name: &str| added.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
        prop_assert_eq!(Some(ours.authorization), theirs("authorization"));
        prop_assert_eq!(Some(ours.x_amz_date), theirs("x-amz-date"));
        prop_assert_eq!(ours.x_amz_security_token, theirs("x-amz-security-token"));
    }

    #[test]
    fn queries_are_signed_alike_and_accepted(order in orders(), expires_seconds in 1_u32..=604_800) {
        let (signature, _, parameters) = order.signed_by_aws(Some(expires_seconds));
        let mut sent = order.sent.clone();
        for (name, value) in parameters {
            let value: Vec<(char, bool)> = value.chars().map(|character| (character, character == '/')).collect();
            sent.query.push_str(&format!("&{name}={}", written(&value)));
        }
        let last = order.now + i64::from(expires_seconds);
        prop_assert_eq!(judge(&sent, last, &Rules::new("kms"), SECRET), Ok(()));
        prop_assert!(judge(&sent, last + 1, &Rules::new("kms"), SECRET).is_err());

        let credentials = order.credentials();
        let ours = presign(&order.sent.request(), &credentials, order.now, Some(expires_seconds)).unwrap();
        prop_assert_eq!(ours.rsplit_once("&X-Amz-Signature=").unwrap().1, signature);
    }

    #[test]
    fn dates_are_written_alike(now in 0_i64..=253_402_300_799) {
        let order = Order { sent: Sent::default(), token: None, region: "us-east-1", now, body_hash: false };
        let order = Order { sent: Sent { method: "GET".into(), path: "/".into(), ..order.sent }, ..order };
        let (_, added, _) = order.signed_by_aws(None);
        let date = added.0.iter().find(|(name, _)| name == "x-amz-date").map(|(_, value)| value.as_str());
        let ours = Timestamp::from_epoch_seconds(now);
        prop_assert_eq!(date, Some(ours.as_str()));
    }
}
