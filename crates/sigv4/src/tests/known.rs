//! Signatures that others have made: those that AWS publishes and those of botocore.
//!
//! For every one, the canonical request and the string to sign are theirs, the request is accepted, and what we sign
//! is what they signed.

use serde::Deserialize;

use super::{Lines, Sent, echo, judge, seconds};
use crate::{Credentials, Rules, presign, sign};

#[derive(Deserialize)]
struct Table {
    source: String,
    made_by: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    region: String,
    service: String,
    now: String,
    /// There in the query form.
    expires_seconds: Option<u32>,
    signed: Wire,
    canonical_request: String,
    string_to_sign: String,
    signature: String,
    /// Why our signer does otherwise.
    signer_differs: Option<String>,
    /// Why we do not take it.
    refused: Option<Refused>,
}

#[derive(Deserialize)]
struct Refused {
    code: String,
    message: String,
}

#[derive(Deserialize)]
struct Wire {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Case {
    fn sent(&self) -> Sent {
        let Wire { method, path, query, headers, body } = &self.signed;
        Sent {
            method: method.clone(),
            path: path.clone(),
            query: query.clone(),
            headers: Lines(headers.clone()),
            body: body.clone(),
        }
    }

    /// The request before it was signed, less what botocore adds afterwards.
    fn unsigned(&self) -> Sent {
        let mut sent = self.sent();
        sent.headers.remove(&[
            "authorization",
            "x-amz-date",
            "x-amz-security-token",
            "amz-sdk-invocation-id",
        ]);
        let own = sent.query.split('&').filter(|piece| !piece.starts_with("X-Amz-"));
        sent.query = own.collect::<Vec<_>>().join("&");
        sent
    }

    fn credentials(&self) -> Credentials<'_> {
        Credentials {
            access_key_id: &self.access_key_id,
            secret_access_key: self.secret_access_key.as_bytes(),
            session_token: self.session_token.as_deref(),
            region: &self.region,
            service: &self.service,
        }
    }

    fn check(&self) -> Result<(), String> {
        let now = seconds(&self.now);
        let rules = Rules::new(&self.service);
        let verdict = judge(&self.sent(), now, &rules, &self.secret_access_key);
        match (&self.refused, verdict) {
            (None, Ok(())) => self.check_texts(now, &rules)?,
            (Some(refused), Err(error)) => {
                equal("code", error.code(), &refused.code)?;
                equal("message", &error.message(), &refused.message)?;
            }
            (_, verdict) => return Err(format!("the verdict is {verdict:?}")),
        }
        match self.signer_differs {
            Some(_) => Ok(()),
            None => self.check_signer(now),
        }
    }

    fn check_texts(&self, now: i64, rules: &Rules<'_>) -> Result<(), String> {
        let echo = echo(&self.sent(), now, rules).map_err(|error| error.to_string())?;
        equal("canonical request", &echo.canonical_request, &self.canonical_request)?;
        equal("string to sign", &echo.string_to_sign, &self.string_to_sign)
    }

    fn check_signer(&self, now: i64) -> Result<(), String> {
        let unsigned = self.unsigned();
        if self.expires_seconds.is_some() {
            let query = presign(&unsigned.request(), &self.credentials(), now, self.expires_seconds).unwrap();
            let (_, signature) = query.rsplit_once("&X-Amz-Signature=").unwrap();
            return equal("signature", signature, &self.signature);
        }
        let signed = sign(&unsigned.request(), &self.credentials(), now).unwrap();
        let theirs = self.signed.headers.iter().find(|(name, _)| name == "Authorization").unwrap();
        equal("header", &signed.authorization, &theirs.1)?;
        equal("date", &signed.x_amz_date, &self.now)?;
        assert!(theirs.1.ends_with(&self.signature), "two signatures in a case");
        Ok(())
    }
}

fn equal(what: &str, found: &str, expected: &str) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}\n  found    {found:?}\n  expected {expected:?}"))
    }
}

#[test]
fn what_others_sign_is_accepted_and_signed_alike() {
    let tables = [include_str!("../../testdata/vectors.json"), include_str!("../../testdata/botocore.json")];
    for table in tables {
        let Table { source, made_by, cases } = serde_json::from_str(table).unwrap();
        assert!(!source.is_empty() && !made_by.is_empty() && cases.len() > 50);
        let why = |case: &Case| case.check().err().map(|why| format!("{}: {why}", case.name));
        let failures: Vec<String> = cases.iter().filter_map(why).collect();
        assert!(failures.is_empty(), "{source}: {} fail:\n{}", failures.len(), failures.join("\n"));
    }
}

#[test]
fn what_others_sign_is_refused_with_another_secret_or_a_second_later_than_allowed() {
    let Table { cases, .. } = serde_json::from_str(include_str!("../../testdata/vectors.json")).unwrap();
    for case in cases.iter().filter(|case| case.refused.is_none()) {
        let rules = Rules::new(&case.service);
        let now = seconds(&case.now);
        let late = now + i64::from(case.expires_seconds.unwrap_or(rules.skew_seconds)) + 1;
        assert!(judge(&case.sent(), now, &rules, "another").is_err(), "{}", case.name);
        assert!(judge(&case.sent(), late, &rules, &case.secret_access_key).is_err(), "{}", case.name);
    }
}
