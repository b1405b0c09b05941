//! What must hold for every document and every request.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Keys, facts};
use crate::{Document, Evaluation, Kind};

const CALLERS: [&str; 8] = ["root", "alice", "carol", "bob", "app/s1", "app/s2", "guest", "cloudtrail"];
const ACTIONS: [&str; 4] = ["kms:Decrypt", "kms:Encrypt", "kms:PutKeyPolicy", "kms:DescribeKey"];

fn one_of(items: &[Value]) -> impl Strategy<Value = Value> + use<> {
    proptest::sample::select(items.to_vec())
}

fn principal() -> impl Strategy<Value = Value> {
    let named = one_of(&[
        json!("111122223333"),
        json!("arn:aws:iam::444455556666:root"),
        json!("arn:aws:iam::111122223333:user/alice"),
        json!("arn:aws:iam::111122223333:role/app"),
        json!("arn:aws:sts::111122223333:assumed-role/app/s1"),
        json!("AROADBQP57FF2AEXAMPLE"),
        json!("nobody"),
    ]);
    prop_oneof![
        Just(json!("*")),
        Just(json!({"Service": "cloudtrail.amazonaws.com"})),
        proptest::collection::vec(named, 1..4).prop_map(|names| json!({"AWS": names})),
    ]
}

fn condition() -> impl Strategy<Value = Value> {
    let operator = proptest::sample::select(vec![
        "StringEquals",
        "StringNotEquals",
        "StringLike",
        "StringEqualsIfExists",
        "ForAllValues:StringLike",
        "ForAnyValue:StringNotEquals",
        "StringNotEqualsIgnoreCase",
    ]);
    let key = proptest::sample::select(vec!["aws:x", "aws:y", "AWS:X"]);
    let value = proptest::sample::select(vec!["a", "b", "a*", "${aws:y}", "${aws:z, 'a'}"]);
    (operator, key, proptest::collection::vec(value, 0..3))
        .prop_map(|(operator, key, values)| json!({operator: {key: values}}))
}

fn statement(effect: &'static str) -> impl Strategy<Value = Value> {
    let action =
        one_of(&[json!("*"), json!("kms:*"), json!("kms:De*"), json!(["kms:Encrypt", "kms:Put?eyPolicy"])]);
    let resource = one_of(&[json!("*"), json!("arn:aws:kms:*:*:key/*"), json!("arn:aws:kms:*:*:alias/*")]);
    let shape = (any::<[bool; 3]>(), principal(), action, resource, proptest::option::of(condition()));
    shape.prop_map(move |([not_principal, not_action, not_resource], who, action, resource, condition)| {
        let mut statement = json!({"Effect": effect});
        statement[if not_principal { "NotPrincipal" } else { "Principal" }] = who;
        statement[if not_action { "NotAction" } else { "Action" }] = action;
        statement[if not_resource { "NotResource" } else { "Resource" }] = resource;
        if let Some(condition) = condition {
            statement["Condition"] = condition;
        }
        statement
    })
}

fn statements() -> impl Strategy<Value = Vec<Value>> {
    proptest::collection::vec(prop_oneof![statement("Allow"), statement("Deny")], 1..5)
}

fn request() -> impl Strategy<Value = (&'static str, &'static str, Keys)> {
    let held = one_of(&[
        json!({}),
        json!({"aws:x": "a"}),
        json!({"aws:x": "b", "aws:y": "a"}),
        json!({"aws:x": ["a", "c"]}),
        json!({"aws:y": []}),
    ]);
    let keys = held.prop_map(|held| Keys::from_json(&held));
    (proptest::sample::select(CALLERS.to_vec()), proptest::sample::select(ACTIONS.to_vec()), keys)
}

/// Evaluates statements as a key policy and, the principals taken out, as an identity policy.
fn evaluate(statements: &[Value], request: &(&str, &str, Keys)) -> [Evaluation; 2] {
    [Kind::Resource, Kind::Identity].map(|kind| {
        let mut statements = statements.to_vec();
        if kind == Kind::Identity {
            for statement in statements.iter_mut().map(|s| s.as_object_mut().unwrap()) {
                statement.remove("Principal");
                statement.remove("NotPrincipal");
            }
        }
        let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let document = Document::parse(&text, kind).unwrap();
        document.evaluate(&facts(request.0, request.1, &request.2))
    })
}

fn allowed(evaluation: &Evaluation) -> bool {
    evaluation.denied_by.is_none() && (evaluation.allowed_by.is_some() || evaluation.delegated_by.is_some())
}

proptest! {
    #[test]
    fn another_deny_never_gives_access(
        before in statements(), deny in statement("Deny"), at in any::<prop::sample::Index>(), request in request(),
    ) {
        let mut after = before.clone();
        after.insert(at.index(before.len() + 1), deny);
        for (before, after) in evaluate(&before, &request).iter().zip(evaluate(&after, &request)) {
            prop_assert!(allowed(before) || !allowed(&after));
            prop_assert!(before.denied_by.is_none() || after.denied_by.is_some());
            // A deny is all it adds.
            prop_assert_eq!(before.allowed_by.is_some(), after.allowed_by.is_some());
            prop_assert_eq!(before.allowed_as, after.allowed_as);
            prop_assert_eq!(before.delegated_by.is_some(), after.delegated_by.is_some());
        }
    }

    #[test]
    fn another_allow_never_takes_access(
        before in statements(), allow in statement("Allow"), at in any::<prop::sample::Index>(), request in request(),
    ) {
        let mut after = before.clone();
        after.insert(at.index(before.len() + 1), allow);
        for (before, after) in evaluate(&before, &request).iter().zip(evaluate(&after, &request)) {
            prop_assert!(!allowed(before) || allowed(&after));
            prop_assert_eq!(before.denied_by.is_some(), after.denied_by.is_some());
            prop_assert!(before.allowed_by.is_none() || after.allowed_by.is_some());
            prop_assert!(before.allowed_as <= after.allowed_as);
            prop_assert!(before.delegated_by.is_none() || after.delegated_by.is_some());
        }
    }

    #[test]
    fn the_order_of_statements_decides_nothing(before in statements(), request in request()) {
        let after: Vec<Value> = before.iter().rev().cloned().collect();
        for (before, after) in evaluate(&before, &request).iter().zip(evaluate(&after, &request)) {
            prop_assert_eq!(before.denied_by.is_some(), after.denied_by.is_some());
            prop_assert_eq!(before.allowed_by.is_some(), after.allowed_by.is_some());
            prop_assert_eq!(before.allowed_as, after.allowed_as);
            prop_assert_eq!(before.delegated_by.is_some(), after.delegated_by.is_some());
        }
    }

    #[test]
    fn what_is_reported_is_in_the_document(statements in statements(), request in request()) {
        for evaluation in evaluate(&statements, &request) {
            let effect = |index: Option<usize>| index.map(|index| statements[index]["Effect"].as_str().unwrap());
            prop_assert_ne!(effect(evaluation.denied_by), Some("Allow"));
            prop_assert_ne!(effect(evaluation.allowed_by), Some("Deny"));
            prop_assert_ne!(effect(evaluation.delegated_by), Some("Deny"));
        }
    }

    #[test]
    fn rendering_changes_nothing(statements in statements()) {
        let given = json!({"Version": "2012-10-17", "Statement": statements});
        let document = Document::parse(&given.to_string(), Kind::Resource).unwrap();
        let rendered = document.render();
        prop_assert_eq!(serde_json::from_str::<Value>(&rendered).unwrap(), given);
        prop_assert_eq!(Document::parse(&rendered, Kind::Resource).unwrap().render(), rendered);
    }

    #[test]
    fn no_text_makes_parsing_panic(text in any::<String>()) {
        parse_as_all(&text);
    }

    #[test]
    fn no_almost_json_makes_parsing_panic(text in r#"([\[\]{},:"*$1]|null|"Statement":|"a"){0,40}"#) {
        parse_as_all(&text);
    }

    #[test]
    fn no_changed_document_makes_parsing_panic(
        statements in statements(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<char>(), 0..3u8), 1..6),
    ) {
        let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let mut chars: Vec<char> = text.chars().collect();
        for (at, c, how) in changes {
            let at = at.index(chars.len());
            match how {
                0 => chars[at] = c,
                1 => chars.insert(at, c),
                _ => drop(chars.remove(at)),
            }
        }
        parse_as_all(&chars.into_iter().collect::<String>());
    }

    #[test]
    fn no_odd_value_makes_parsing_panic(
        statements in statements(), name in "[A-Z][A-Za-z:]{0,12}", value in odd_value(), at in any::<prop::sample::Index>(),
    ) {
        let mut document = json!({"Version": "2012-10-17", "Statement": statements});
        let names = ["Sid", "Effect", "Principal", "Action", "Resource", "Condition", name.as_str()];
        document["Statement"][0][names[at.index(names.len())]] = value;
        parse_as_all(&document.to_string());
    }
}

fn odd_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~]{0,8}".prop_map(Value::from),
        one_of(&[
            json!("${"),
            json!("${a, '"),
            json!("arn:::::"),
            json!("2001-01-01T-"),
            json!("1/2"),
            json!("=")
        ]),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        let name = proptest::sample::select(vec![
            "AWS",
            "Service",
            "DateEquals",
            "IpAddress",
            "ArnLike",
            "Null",
            "x",
        ]);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            (name, inner).prop_map(|(name, value)| json!({name: value})),
        ]
    })
}

/// Parses a text as every kind; whatever parses must also evaluate and render.
fn parse_as_all(text: &str) {
    let keys = Keys::default();
    for kind in [Kind::Resource, Kind::Identity, Kind::Trust] {
        match Document::parse(text, kind) {
            Ok(document) => {
                let _ = document.evaluate(&facts("alice", "kms:Decrypt", &keys));
                assert!(Document::parse(&document.render(), kind).is_ok());
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}
