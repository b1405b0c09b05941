//! Signed requests, made before a measurement begins so that signing is no part of it.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde_json::Value;
use trent_sigv4::{Credentials, Request, body_sha256, sign};

use crate::answer::Expected;

/// The access key that servers are started with; it opens nothing but what a measurement makes.
pub(crate) const ACCESS_KEY_ID: &str = "AKIAMEASUREMENTS0000";
pub(crate) const SECRET_ACCESS_KEY: &str = "a-secret-of-measurements-40-characters-0";
pub(crate) const REGION: &str = "eu-central-1";
/// What an SDK sends; servers read it and do nothing with it.
const USER_AGENT: &str =
    "aws-sdk-rust/1.3 ua/2.1 api/kms#1.80 os/linux lang/rust#1.95 m/E cfg/retry-mode#standard";

/// What to ask.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) operation: &'static str,
    pub(crate) body: String,
    pub(crate) expected: Expected,
}

impl Question {
    pub(crate) fn new(operation: &'static str, body: &Value) -> Self {
        Self { operation, body: body.to_string(), expected: Expected::Success }
    }
}

/// A request as it goes over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub(crate) bytes: Vec<u8>,
    pub(crate) expected: Expected,
}

/// Signs requests for a server, as of now: they are good for 300 s.
pub(crate) fn prepare(questions: &[Question], to: SocketAddr) -> Result<Vec<Prepared>> {
    let now = now_epoch_seconds()?;
    questions.iter().map(|question| prepare_one(question, to, now)).collect()
}

fn prepare_one(question: &Question, to: SocketAddr, now_epoch_seconds: i64) -> Result<Prepared> {
    let body = question.body.as_bytes();
    let (host, target) = (to.to_string(), format!("TrentService.{}", question.operation));
    let headers: [(&str, &[u8]); 3] = [
        ("host", host.as_bytes()),
        ("content-type", b"application/x-amz-json-1.1"),
        ("x-amz-target", target.as_bytes()),
    ];
    let request = Request {
        method: "POST",
        path: "/",
        query: "",
        headers: &headers[..],
        body_sha256: body_sha256(body),
    };
    let credentials = Credentials {
        access_key_id: ACCESS_KEY_ID,
        secret_access_key: SECRET_ACCESS_KEY.as_bytes(),
        session_token: None,
        region: REGION,
        service: "kms",
    };
    let signed = sign(&request, &credentials, now_epoch_seconds)?;
    let mut bytes = format!(
        "POST / HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-amz-json-1.1\r\nx-amz-target: {target}\r\n\
         x-amz-date: {}\r\nauthorization: {}\r\nuser-agent: {USER_AGENT}\r\ncontent-length: {}\r\n\r\n",
        signed.x_amz_date,
        signed.authorization,
        body.len(),
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    Ok(Prepared { bytes, expected: question.expected.clone() })
}

#[expect(clippy::disallowed_methods, reason = "signatures carry the time, and here is nobody to pass it in")]
fn now_epoch_seconds() -> Result<i64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    Ok(i64::try_from(since.as_secs())?)
}
