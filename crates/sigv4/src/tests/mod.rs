//! Tests of whole requests: known signatures, a second signer, every failure, changes on the way, and noise.

mod aws_signer;
mod cache;
mod failures;
mod hostile;
mod known;
mod tampering;

use crate::{Credentials, Headers, Request, Rules, SignatureError, SigningKey, Timestamp, body_sha256, read};

/// The keys and the date of AWS's own examples.
const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const DATE: &str = "20150830T123600Z";
const NOW: i64 = 1_440_938_160;

const CREDENTIALS: Credentials<'static> = Credentials {
    access_key_id: ACCESS_KEY_ID,
    secret_access_key: SECRET.as_bytes(),
    session_token: None,
    region: "us-east-1",
    service: "kms",
};

/// Header lines that own their texts.
#[derive(Debug, Clone, Default, PartialEq)]
struct Lines(Vec<(String, String)>);

impl Lines {
    fn push(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    fn remove(&mut self, names: &[&str]) {
        self.0.retain(|(name, _)| !names.iter().any(|other| name.eq_ignore_ascii_case(other)));
    }
}

impl Headers for Lines {
    fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
    }
}

/// A request that owns its texts.
#[derive(Debug, Clone, Default, PartialEq)]
struct Sent {
    method: String,
    path: String,
    query: String,
    headers: Lines,
    body: String,
}

impl Sent {
    fn request(&self) -> Request<'_, Lines> {
        Request {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body_sha256: body_sha256(self.body.as_bytes()),
        }
    }

    /// Signed in the header form.
    fn signed(&self, credentials: &Credentials<'_>, now: i64) -> Self {
        let added = crate::sign(&self.request(), credentials, now).unwrap();
        let mut sent = self.clone();
        sent.headers.remove(&["x-amz-date", "x-amz-security-token"]);
        sent.headers.push("X-Amz-Date", &added.x_amz_date);
        if let Some(token) = &added.x_amz_security_token {
            sent.headers.push("X-Amz-Security-Token", token);
        }
        sent.headers.push("Authorization", &added.authorization);
        sent
    }

    /// Signed in the query form.
    fn presigned(&self, credentials: &Credentials<'_>, now: i64, expires_seconds: Option<u32>) -> Self {
        let query = crate::presign(&self.request(), credentials, now, expires_seconds).unwrap();
        Self { query, ..self.clone() }
    }
}

/// What a server that knows one secret says to a request.
fn judge(sent: &Sent, now: i64, rules: &Rules<'_>, secret: &str) -> Result<(), SignatureError> {
    let request = sent.request();
    let claim = read(&request, now, rules)?;
    let key = SigningKey::derive(secret.as_bytes(), claim.date(), claim.region(), claim.service());
    claim.verify(&key)
}

/// The canonical request and the string to sign of a request that can be read.
fn echo(sent: &Sent, now: i64, rules: &Rules<'_>) -> Result<crate::Echo, SignatureError> {
    let request = sent.request();
    let rules = Rules { echo_canonical: true, ..*rules };
    match read(&request, now, &rules)?.verify(&SigningKey::dummy()) {
        Err(SignatureError::Mismatch(Some(echo))) => Ok(*echo),
        other => panic!("no echo: {other:?}"),
    }
}

fn seconds(date: &str) -> i64 {
    Timestamp::parse_basic(date).unwrap().epoch_seconds()
}
