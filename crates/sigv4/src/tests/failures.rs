//! Every failure has its code and its text, and of several the first in the order of the checks is told.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{ACCESS_KEY_ID, DATE, Lines, NOW, SECRET, Sent, echo, judge};
use crate::{Rules, SignatureError, SigningKey, canonical::put_encoded, is_region_name};

#[derive(Deserialize)]
struct Table {
    source: String,
    cases: Vec<Case>,
    accepted: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    form: Form,
    step: Option<u8>,
    /// Made before the request is signed.
    #[serde(default)]
    before: Changes,
    /// Made to the signed request.
    #[serde(default)]
    changes: Changes,
    code: Option<String>,
    message: Option<String>,
    #[serde(default)]
    mismatch: bool,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Form {
    #[default]
    Header,
    Query,
}

type Changes = BTreeMap<String, Value>;

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS \
    Secret Access Key and signing method. Consult the service documentation for details.";

impl Case {
    fn expected(&self) -> (&str, &str) {
        if self.mismatch {
            return ("InvalidSignatureException", MISMATCH);
        }
        (self.code.as_deref().unwrap(), self.message.as_deref().unwrap())
    }

    fn check(&self) -> Result<(), String> {
        let mut draft = Draft::signed(self.form, &self.before);
        draft.change(&self.changes);
        let error = draft.judge().err().ok_or("accepted")?;
        let found = (error.code(), error.message());
        if (found.0, found.1.as_str()) != self.expected() || step(&error) != self.step.unwrap() {
            return Err(format!("{error:?}\n  found    {found:?}\n  expected {:?}", self.expected()));
        }
        Ok(())
    }

    fn touches(&self, pieces: &[&str]) -> bool {
        self.changes.keys().any(|name| pieces.contains(&name.as_str()))
    }

    /// Whether this failure remains what it is when a later one comes to it.
    fn is_apart_from(&self, later: &Self) -> bool {
        const IN_HEADER: [&str; 5] = ["algorithm", "credential", "signed_headers", "signature", "more"];
        let header = self.form == Form::Header;
        let one_whole = |whole: &Self, part: &Self| {
            header && whole.touches(&["authorization"]) && part.touches(&IN_HEADER)
        };
        // A header that is taken away need not be signed.
        let takes = |(name, value): (&String, &Value)| name.starts_with("header ") && value.is_null();
        let gone = self.step == Some(8) && later.changes.iter().any(takes);
        // Another date or scope may be in the window, or in a Region, that the first one was not in.
        let moved = later.step == Some(17)
            && self.touches(&["now", "regions", "header host", "credential"])
            && later.touches(&["header x-amz-date", "expires", "credential"]);
        let same = self.changes.keys().any(|name| later.changes.contains_key(name));
        !(same || one_whole(self, later) || one_whole(later, self) || gone || moved)
    }
}

/// A request in pieces, each of which can be another.
struct Draft {
    form: Form,
    pieces: Changes,
}

impl Draft {
    /// A request that is accepted, with some changes before it is signed.
    fn signed(form: Form, before: &Changes) -> Self {
        let common = json!({
            "method": "POST", "path": "/", "query": "", "body": "{}", "now": 0, "secret": SECRET,
            "algorithm": "AWS4-HMAC-SHA256", "signature": "0",
            "credential": format!("{ACCESS_KEY_ID}/20150830/us-east-1/kms/aws4_request"),
            "header host": "kms.test", "header content-type": "application/x-amz-json-1.1",
            "header x-amz-target": "TrentService.Encrypt",
        });
        let own = match form {
            Form::Header => {
                json!({"header x-amz-date": DATE, "signed_headers": "content-type;host;x-amz-date;x-amz-target"})
            }
            Form::Query => {
                json!({"date": DATE, "expires": "60", "signed_headers": "content-type;host;x-amz-target"})
            }
        };
        let mut draft = Self { form, pieces: Changes::new() };
        for changes in [common, own] {
            draft.change(&serde_json::from_value(changes).unwrap());
        }
        draft.change(before);
        let echo = echo(&draft.sent(), NOW, &Rules::new("kms")).unwrap();
        let key = SigningKey::derive(SECRET.as_bytes(), "20150830", "us-east-1", "kms");
        let signature = key.sign(echo.string_to_sign.as_bytes());
        draft.pieces.insert("signature".to_owned(), json!(str::from_utf8(&signature).unwrap()));
        draft
    }

    fn change(&mut self, changes: &Changes) {
        self.pieces.extend(changes.clone());
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.pieces.get(name).and_then(Value::as_str)
    }

    fn sent(&self) -> Sent {
        let text = |name| self.text(name).unwrap_or_default().to_owned();
        let mut headers = Lines::default();
        for (name, value) in &self.pieces {
            let Some(name) = name.strip_prefix("header ") else { continue };
            let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            values.iter().filter_map(Value::as_str).for_each(|value| headers.push(name, value));
        }
        if let Some(authorization) = self.authorization() {
            headers.push("Authorization", &authorization);
        }
        let query = if self.form == Form::Query { self.query() } else { text("query") };
        Sent { method: text("method"), path: text("path"), query, headers, body: text("body") }
    }

    fn authorization(&self) -> Option<String> {
        if self.form == Form::Query || self.pieces.contains_key("authorization") {
            return self.text("authorization").map(str::to_owned);
        }
        let names =
            [("credential", "Credential"), ("signed_headers", "SignedHeaders"), ("signature", "Signature")];
        let parts = names.iter().filter_map(|(piece, name)| Some(format!("{name}={}", self.text(piece)?)));
        let parts: Vec<String> = parts.chain(self.text("more").map(str::to_owned)).collect();
        Some(format!("{} {}", self.text("algorithm").unwrap_or_default(), parts.join(", ")))
    }

    fn query(&self) -> String {
        const NAMES: [(&str, &str); 7] = [
            ("algorithm", "X-Amz-Algorithm"),
            ("credential", "X-Amz-Credential"),
            ("date", "X-Amz-Date"),
            ("expires", "X-Amz-Expires"),
            ("token", "X-Amz-Security-Token"),
            ("signed_headers", "X-Amz-SignedHeaders"),
            ("signature", "X-Amz-Signature"),
        ];
        let mut query = self.text("query").unwrap_or_default().to_owned();
        for (piece, name) in NAMES {
            let Some(value) = self.text(piece) else { continue };
            query.push_str(&format!("&{name}="));
            put_encoded(&mut query, value.as_bytes());
        }
        query
    }

    fn judge(&self) -> Result<(), SignatureError> {
        let texts = |name| -> Vec<&str> {
            let list = self.pieces.get(name).and_then(Value::as_array);
            list.into_iter().flatten().filter_map(Value::as_str).collect()
        };
        let allowed = texts("regions");
        let regions = |name: &str| is_region_name(name) && (allowed.is_empty() || allowed.contains(&name));
        let skew = self.pieces.get("skew_seconds").and_then(Value::as_u64).unwrap_or(300);
        let rules = Rules {
            regions: &regions,
            skew_seconds: u32::try_from(skew).unwrap(),
            signed_when_sent: &texts("signed_when_sent"),
            ..Rules::new("kms")
        };
        judge(&self.sent(), NOW + self.pieces["now"].as_i64().unwrap(), &rules, self.text("secret").unwrap())
    }
}

/// The number of the check that an error belongs to. A new error makes this incomplete, and asks for cases.
fn step(error: &SignatureError) -> u8 {
    match error {
        SignatureError::MalformedPath => 0,
        SignatureError::SignedTwice => 1,
        SignatureError::NotSigned => 2,
        SignatureError::UnsupportedAlgorithm(_) => 3,
        SignatureError::NotKeyValue(_) => 4,
        SignatureError::MissingHeaderParts(_) | SignatureError::MissingQueryParts(_) => 5,
        SignatureError::QueryTooLong
        | SignatureError::IncompleteEscape
        | SignatureError::IllegalEscape(_) => 6,
        SignatureError::TooManySignedHeaders | SignatureError::HostNotSigned => 7,
        SignatureError::HeaderNotSigned(_) => 8,
        SignatureError::InvalidDate(_) | SignatureError::InvalidExpires(_) => 9,
        SignatureError::Expired(_) => 10,
        SignatureError::NotYetCurrent(_) => 11,
        SignatureError::InvalidCredential(_) => 12,
        SignatureError::WrongScope(_) => 13,
        SignatureError::UnknownAccessKey => 14,
        SignatureError::InvalidToken => 15,
        SignatureError::ExpiredToken => 16,
        SignatureError::Mismatch(_) => 17,
    }
}

fn table() -> Table {
    let table: Table = serde_json::from_str(include_str!("../../testdata/failures.json")).unwrap();
    assert!(!table.source.is_empty());
    table
}

fn report(failures: &[String]) {
    assert!(failures.is_empty(), "{} fail:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_failure_has_its_code_and_text() {
    let Table { cases, .. } = table();
    let failures: Vec<String> =
        cases.iter().filter_map(|case| Some(format!("{}: {}", case.name, case.check().err()?))).collect();
    report(&failures);
    let steps: BTreeSet<u8> = cases.iter().filter_map(|case| case.step).collect();
    // 14 to 16 are found by the caller.
    assert_eq!(steps, (0..=13).chain([17]).collect());
}

#[test]
fn what_is_right_is_accepted() {
    let failures = table().accepted.into_iter().filter_map(|case| {
        let mut draft = Draft::signed(case.form, &case.before);
        draft.change(&case.changes);
        Some(format!("{}: {:?}", case.name, draft.judge().err()?))
    });
    report(&failures.collect::<Vec<_>>());
}

#[test]
fn of_two_failures_the_first_in_order_is_told() {
    let cases: Vec<Case> = table().cases.into_iter().filter(|case| case.before.is_empty()).collect();
    let mut failures = Vec::new();
    let mut pairs = BTreeSet::new();
    for first in &cases {
        let later = |second: &&Case| second.form == first.form && second.step > first.step;
        // 1 is two signatures and 2 is none: never both.
        let both =
            |second: &&Case| first.is_apart_from(second) && (first.step, second.step) != (Some(1), Some(2));
        for second in cases.iter().filter(later).filter(both) {
            let mut draft = Draft::signed(first.form, &first.before);
            draft.change(&second.changes);
            draft.change(&first.changes);
            pairs.insert((first.form == Form::Query, first.step, second.step));
            let error = draft.judge().unwrap_err();
            if (error.code(), error.message().as_str()) != first.expected() {
                failures.push(format!("{} and {}: {error:?}", first.name, second.name));
            }
        }
    }
    report(&failures);
    // Of 105 pairs of checks in the header form and 91 in the query form, these are not here: 1 and 2; 2 and 3, which
    // are both about the algorithm; 10 and 11; and, in the header form, 1 and 6, which is a case of its own.
    assert_eq!(pairs.len(), 105 - 4 + 91 - 3, "{pairs:?}");
}

#[test]
fn what_the_caller_finds_has_the_words_of_aws() {
    for (error, code, message) in [
        (
            SignatureError::UnknownAccessKey,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        (
            SignatureError::InvalidToken,
            "UnrecognizedClientException",
            "The security token included in the request is invalid",
        ),
        (
            SignatureError::ExpiredToken,
            "ExpiredTokenException",
            "The security token included in the request is expired",
        ),
    ] {
        assert_eq!((error.code(), error.message().as_str()), (code, message));
    }
}

#[test]
fn the_query_protocol_has_codes_of_its_own() {
    for (error, code) in [
        (SignatureError::NotSigned, "MissingAuthenticationToken"),
        (SignatureError::TooManySignedHeaders, "IncompleteSignature"),
        (SignatureError::HostNotSigned, "SignatureDoesNotMatch"),
        (SignatureError::InvalidToken, "InvalidClientTokenId"),
        (SignatureError::ExpiredToken, "ExpiredToken"),
        (SignatureError::IncompleteEscape, "MalformedQueryString"),
        (SignatureError::MalformedPath, ""),
    ] {
        assert_eq!(error.query_code(), code, "{error:?}");
    }
}

#[test]
fn a_wrong_signature_is_explained_where_that_is_wanted() {
    let mut draft = Draft::signed(Form::Header, &Changes::new());
    draft.change(&Changes::from([("body".to_owned(), json!(""))]));
    let rules = Rules { echo_canonical: true, ..Rules::new("kms") };
    let error = judge(&draft.sent(), NOW, &rules, SECRET).unwrap_err();
    assert_eq!(error.code(), "InvalidSignatureException");
    let canonical = "POST\n/\n\ncontent-type:application/x-amz-json-1.1\nhost:kms.test\nx-amz-date:20150830T123600Z\n\
        x-amz-target:TrentService.Encrypt\n\ncontent-type;host;x-amz-date;x-amz-target\n\
        e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let (start, end) =
        error.message().split_once("AWS4-HMAC-SHA256\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert_eq!(
        start,
        format!(
            "{MISMATCH}\n\nThe Canonical String for this request should have been\n'{canonical}'\n\nThe String-to-Sign \
             should have been\n'"
        )
    );
    assert!(
        end.starts_with("20150830T123600Z\n20150830/us-east-1/kms/aws4_request\n") && end.ends_with("'\n")
    );
}
