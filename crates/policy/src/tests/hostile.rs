//! Documents of the largest size, written to be slow. The bounds are generous, since tests run unoptimised
//! beside others; what they rule out is time that grows with the square of the length or worse.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Keys, facts};
use crate::{DOCUMENT_BYTES_MAX, Document, Kind};

const TIME_MAX: Duration = Duration::from_secs(2);

fn parse_in_time(text: &str) {
    let begin = Instant::now();
    let result = Document::parse(text, Kind::Resource);
    assert!(begin.elapsed() < TIME_MAX, "{:.80} took {:?}", text, begin.elapsed());
    assert!(text.len() <= DOCUMENT_BYTES_MAX, "{} bytes", text.len());
    drop(result);
}

#[test]
fn large_documents_parse_in_proportion_to_their_length() {
    let statement = |sid: usize| {
        json!({"Sid": sid.to_string(), "Effect": "Deny", "Principal": "*", "Action": "*",
        "Resource": "*"})
    };
    parse_in_time(&json!({"Statement": (0..1_500).map(statement).collect::<Vec<_>>()}).to_string());
    let members: Vec<String> = (0..12_000).map(|n| format!("\"{n}\":0")).collect();
    parse_in_time(&format!("{{{}}}", members.join(",")));
    let condition = |values| {
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*", "Action": "*",
            "Resource": "*", "Condition": {"ArnNotLike": {"a": values}}}})
        .to_string()
    };
    parse_in_time(&condition(json!("${a}".repeat(30_000))));
    parse_in_time(&condition(json!("${".repeat(60_000))));
    parse_in_time(&condition(json!(":".repeat(120_000))));
    parse_in_time(&condition(json!(vec!["arn:${a}:*:*:*:*"; 5_000])));
    parse_in_time(&"[".repeat(DOCUMENT_BYTES_MAX));
}

#[test]
fn a_large_pattern_matches_in_time() {
    let keys = Keys::from_json(&json!({"a": "a".repeat(8_000)}));
    for pattern in ["*a".repeat(15_000), "*ab".repeat(10_000), format!("*{}b", "a".repeat(30_000))] {
        let text = json!({"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*",
            "Condition": {"StringLike": {"a": [pattern, format!("{pattern}c")]}}}});
        let document = Document::parse(&text.to_string(), Kind::Resource).unwrap();
        let begin = Instant::now();
        assert_eq!(document.evaluate(&facts("alice", "kms:Decrypt", &keys)).denied_by, None);
        assert!(begin.elapsed() < TIME_MAX, "{pattern:.20} took {:?}", begin.elapsed());
    }
}

#[test]
fn long_numbers_are_written_as_they_were_read() {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*",
        "Condition":{{"NumericEquals":{{"aws:x":12888888888888{}}}}}}}}}"#,
        "8".repeat(200).replacen("888", "868", 1)
    );
    let rendered = Document::parse(&text, Kind::Resource).unwrap().render();
    assert_eq!(Document::parse(&rendered, Kind::Resource).unwrap().render(), rendered);
}
