//! Policy documents: parsing never panics, rendering loses nothing, an explicit deny always shows.
//!
//! The first byte chooses the kind of document, the rest is its text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use trent_policy::{Caller, CallerKind, ConditionKeys, Document, Evaluation, Facts, Kind, Values};

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fuzz_target!(|data: &[u8]| {
    let Some((first, text)) = data.split_first() else { return };
    let Ok(text) = str::from_utf8(text) else { return };
    let kind = [Kind::Resource, Kind::Identity, Kind::Trust][usize::from(*first) % 3];
    match Document::parse(text, kind) {
        Ok(document) => check(&document, text),
        Err(malformed) => assert!(!malformed.wire_text().is_empty() && !format!("{malformed:?}").is_empty()),
    }
});

fn check(document: &Document, text: &str) {
    let rendered = document.render();
    assert_eq!(document.render_with_principals(&|_| None), rendered);
    let again = Document::parse(&rendered, document.kind()).expect("what is rendered parses");
    assert_eq!(again.render(), rendered);
    let read = |text: &str| serde_json::from_str::<Value>(text).expect("a document is JSON");
    assert_eq!(read(text), read(&rendered), "rendering changed the document");
    let denying = with_deny(read(text), document.kind());
    let denying = Document::parse(&denying, document.kind());
    for caller in callers() {
        for action in ["kms:Decrypt", "kms:PutKeyPolicy", "sts:AssumeRole"] {
            let facts = Facts { action, resource: Some(KEY), caller, keys: &Keys };
            let said = document.evaluate(&facts);
            assert_eq!(said, again.evaluate(&facts));
            check_evaluation(&said, document);
            if let Ok(denying) = &denying {
                assert!(denying.evaluate(&facts).denied_by.is_some(), "a deny of everything is passed over");
            }
        }
    }
}

/// The document with one more statement, which denies everything to everybody.
fn with_deny(mut document: Value, kind: Kind) -> String {
    let mut deny = json!({"Effect": "Deny", "Action": "*"});
    if kind != Kind::Trust {
        deny["Resource"] = json!("*");
    }
    if kind != Kind::Identity {
        deny["Principal"] = json!("*");
    }
    let statements = document["Statement"].take();
    let mut statements = match statements {
        Value::Array(statements) => statements,
        single => vec![single],
    };
    statements.push(deny);
    document["Statement"] = Value::Array(statements);
    document.to_string()
}

fn check_evaluation(said: &Evaluation, document: &Document) {
    for index in [said.denied_by, said.allowed_by, said.delegated_by].into_iter().flatten() {
        assert!(index < document.statement_count());
        let _ = document.sid(index);
    }
    assert!(said.allowed_as.is_none() || said.allowed_by.is_some());
}

fn callers() -> [Caller<'static>; 4] {
    let user = Caller {
        kind: CallerKind::User,
        arn: "arn:aws:iam::111122223333:user/alice",
        account: Some("111122223333"),
        session_arn: None,
        service: None,
        unique_id: Some("AIDAJQABLZS4A3QDU576Q"),
    };
    let role = Caller {
        kind: CallerKind::RoleSession,
        arn: "arn:aws:iam::111122223333:role/app",
        session_arn: Some("arn:aws:sts::111122223333:assumed-role/app/s1"),
        unique_id: Some("AROADBQP57FF2AEXAMPLE"),
        ..user
    };
    let root =
        Caller { kind: CallerKind::Root, arn: "arn:aws:iam::111122223333:root", unique_id: None, ..user };
    let service = Caller {
        kind: CallerKind::Service,
        arn: "cloudtrail.amazonaws.com",
        account: None,
        service: Some("cloudtrail.amazonaws.com"),
        ..root
    };
    [user, role, root, service]
}

/// Every operator family has a key here whose value it can read, and one it cannot.
struct Keys;

impl ConditionKeys for Keys {
    fn values(&self, key: &str) -> Option<Values<'_>> {
        Some(match key {
            "aws:sourceip" => Values::One("203.0.113.7"),
            "aws:currenttime" => Values::One("2015-08-30T12:36:00Z"),
            "aws:epochtime" => Values::One("1440938160"),
            "aws:securetransport" => Values::One("true"),
            "aws:principalarn" => Values::One("arn:aws:iam::111122223333:user/alice"),
            "aws:username" => Values::One("alice"),
            "aws:tagkeys" => Values::Many(&["team", "stage"]),
            "kms:encryptioncontextkeys" => Values::Many(&[] as &[&str; 0]),
            key if key.starts_with("kms:encryptioncontext:") => Values::One("a*b?${c}"),
            "aws:x" => Values::One("a"),
            "aws:y" => Values::One(""),
            _ => return None,
        })
    }
}
