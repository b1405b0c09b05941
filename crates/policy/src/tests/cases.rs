//! The tables of `testdata/`: what is asked, what must come out, and where that is known from.

use serde_json::{Value, json};

use super::{Keys, facts};
use crate::{Directory, Document, Evaluation, Facts, Kind, PrincipalError, default_key_policy};

/// Calls `check` with every case of a table and reports all that fail by name.
pub(super) fn each(table: &str, check: impl Fn(&Value) -> Result<(), String>) {
    let cases: Vec<Value> = serde_json::from_str(table).unwrap();
    assert!(!cases.is_empty());
    let failures: Vec<String> = cases
        .iter()
        .inspect(|case| assert!(case["source"].is_string(), "a case without source: {case}"))
        .filter_map(|case| check(case).err().map(|why| format!("{}: {why}", case["name"])))
        .collect();
    assert!(failures.is_empty(), "{} of {} fail:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

pub(super) fn kind(case: &Value) -> Kind {
    match case["kind"].as_str() {
        Some("resource") | None => Kind::Resource,
        Some("identity") => Kind::Identity,
        Some("trust") => Kind::Trust,
        Some(other) => panic!("no kind `{other}`"),
    }
}

pub(super) fn equal<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("\n  found    {found:?}\n  expected {expected:?}")) }
}

fn as_json(evaluation: &Evaluation) -> Value {
    let mut all = json!({
        "denied_by": evaluation.denied_by,
        "allowed_by": evaluation.allowed_by,
        "allowed_as": evaluation.allowed_as.map(|named| format!("{named:?}")),
        "delegated_by": evaluation.delegated_by,
    });
    all.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    all
}

fn check_asks(case: &Value) -> Result<(), String> {
    let document = Document::parse(&case["document"].to_string(), kind(case)).map_err(|e| e.to_string())?;
    for ask in case["asks"].as_array().unwrap() {
        let keys = Keys::from_json(&ask["keys"]);
        let mut facts = facts(ask["caller"].as_str().unwrap(), ask["action"].as_str().unwrap(), &keys);
        if let Some(resource) = ask.get("resource") {
            facts.resource = resource.as_str();
        }
        equal(&as_json(&document.evaluate(&facts)), &ask["expected"]).map_err(|e| format!("{ask}{e}"))?;
    }
    Ok(())
}

#[test]
fn requests_are_answered_as_documented() {
    each(include_str!("../../testdata/access.json"), check_asks);
}

#[test]
fn variables_in_resources_are_replaced() {
    each(include_str!("../../testdata/variables.json"), check_asks);
}

#[test]
fn conditions_are_met_as_documented() {
    each(include_str!("../../testdata/conditions.json"), |case| {
        let statement =
            json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": case["condition"]});
        let version = case.get("version").cloned().unwrap_or_else(|| json!("2012-10-17"));
        let mut document = json!({"Statement": statement});
        if !version.is_null() {
            document["Version"] = version;
        }
        let document = Document::parse(&document.to_string(), Kind::Identity).map_err(|e| e.to_string())?;
        for test in case["tests"].as_array().unwrap() {
            let keys = Keys::from_json(&test["keys"]);
            let evaluation = document.evaluate(&facts("alice", "kms:Decrypt", &keys));
            let met = evaluation.allowed_by.is_some();
            equal(&met, &test["met"].as_bool().unwrap()).map_err(|e| format!("{}{e}", test["keys"]))?;
        }
        Ok(())
    });
}

#[test]
fn malformed_documents_are_refused_with_a_reason() {
    each(include_str!("../../testdata/malformed.json"), |case| {
        let text = case["text"].as_str().map_or_else(|| case["document"].to_string(), str::to_owned);
        let error = Document::parse(&text, kind(case)).err().map(|e| e.to_string());
        equal(&error.as_deref(), &case["error"].as_str())
    });
}

#[test]
fn documents_render_in_the_layout_of_kms() {
    each(include_str!("../../testdata/rendering.json"), |case| {
        let text = case["text"].as_str().unwrap();
        let document = Document::parse(text, kind(case)).map_err(|e| e.to_string())?;
        let lines: Vec<_> =
            case["rendered"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
        equal(&document.render(), &lines.join("\n"))
    });
}

struct Known;

impl Directory for Known {
    fn knows_account(&self, id: &str) -> bool {
        id == "111122223333"
    }

    fn knows_principal(&self, arn: &str) -> bool {
        [
            "arn:aws:iam::111122223333:user/alice",
            "arn:aws:iam::111122223333:role/app",
            "arn:aws:sts::111122223333:assumed-role/app/s1",
        ]
        .contains(&arn)
    }

    fn knows_service(&self, name: &str) -> bool {
        name == "backup.trent.internal"
    }

    fn unique_id(&self, _arn: &str) -> Option<String> {
        None
    }

    fn arn(&self, _unique_id: &str) -> Option<String> {
        None
    }
}

#[test]
fn principals_must_exist() {
    each(include_str!("../../testdata/principals.json"), |case| {
        let mut statement = json!({"Effect": "Allow", "Principal": case["principal"], "Action": "kms:*"});
        if kind(case) == Kind::Resource {
            statement["Resource"] = json!("*");
        }
        let text = json!({"Statement": statement}).to_string();
        let document = Document::parse(&text, kind(case)).map_err(|e| e.to_string())?;
        let found = document.check_principals(&Known).err().map(|error| match error {
            PrincipalError::Unknown { .. } => "Unknown",
            PrincipalError::InvalidArn { .. } => "InvalidArn",
        });
        equal(&found, &case["error"].as_str())
    });
}

#[test]
fn a_principal_error_says_who_and_where() {
    let text = json!({"Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "NotPrincipal": {"AWS": "nobody"}, "Action": "*", "Resource": "*"},
    ]});
    let document = Document::parse(&text.to_string(), Kind::Resource).unwrap();
    let error = document.check_principals(&Known).unwrap_err();
    assert_eq!(error.to_string(), "Statement[1] names the principal `nobody`, which does not exist");
    assert_eq!(error.wire_text(), "Policy contains a statement with one or more invalid principals.");
}

#[test]
fn the_default_policy_is_the_one_of_kms_to_the_byte() {
    let expected = r#"{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws-cn:iam::111122223333:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}"#;
    let text = default_key_policy("aws-cn", "111122223333");
    assert_eq!(text, expected);
    let document = Document::parse(&text, Kind::Resource).unwrap();
    assert_eq!(document.render(), expected);
    assert_eq!(document.sid(0), Some("Enable IAM User Permissions"));
    assert_eq!(document.check_principals(&Known), Ok(()));
}

#[test]
fn principals_can_be_renamed_to_unique_ids_and_back() {
    let alice = "arn:aws:iam::111122223333:user/alice";
    let text = json!({"Statement": [
        {"Effect": "Allow", "Principal": {"AWS": [alice, "*"]}, "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "NotPrincipal": {"AWS": alice, "Service": alice}, "Action": "*", "Resource": "*"},
        {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": alice},
    ]});
    let document = Document::parse(&text.to_string(), Kind::Resource).unwrap();
    let stored =
        document.render_with_principals(&|arn| (arn == alice).then(|| "AIDAJQABLZS4A3QDU576Q".to_owned()));
    let mut expected = text.clone();
    expected["Statement"][0]["Principal"]["AWS"][0] = json!("AIDAJQABLZS4A3QDU576Q");
    expected["Statement"][1]["NotPrincipal"]["AWS"] = json!("AIDAJQABLZS4A3QDU576Q");
    assert_eq!(serde_json::from_str::<Value>(&stored).unwrap(), expected);

    let stored = Document::parse(&stored, Kind::Resource).unwrap();
    let back = stored.render_with_principals(&|id| (id == "AIDAJQABLZS4A3QDU576Q").then(|| alice.to_owned()));
    assert_eq!(serde_json::from_str::<Value>(&back).unwrap(), text);
}

#[test]
fn a_document_has_a_largest_size() {
    let fits = format!("{}{}", default_key_policy("aws", "111122223333"), " ".repeat(130_000));
    assert!(Document::parse(&fits, Kind::Resource).is_ok());
    let error = Document::parse(&format!("{fits}{fits}"), Kind::Resource).unwrap_err();
    assert!(error.to_string().ends_with("more than 131072"), "{error}");
}

#[test]
fn the_fixed_wire_text_comes_without_place() {
    let text = json!({"Statement": {"Sid": "s", "Effect": "Allow", "Principal": "*", "Action": "*",
        "Resource": "*", "Condition": {"ForAllValues:Bool": {"kms:EncryptionContext:a": "true"}}}});
    let error = Document::parse(&text.to_string(), Kind::Resource).unwrap_err();
    assert!(error.wire_text().starts_with("OverlyPermissiveCondition:EncryptionContext: Using the For"));
    assert!(error.to_string().starts_with("Statement[0] (Sid `s`), `Condition`: OverlyPermissive"));
}

#[test]
fn facts_can_be_made_from_borrowed_parts() {
    let names = ["a", "b"];
    let list: &[&str] = &names;
    let value = crate::Values::Many(&list);
    assert_eq!(format!("{value:?}"), r#"["a", "b"]"#);
    let keys = Keys::default();
    let facts: Facts<'_> = facts("alice", "kms:Decrypt", &keys);
    assert!(format!("{facts:?}").contains("kms:Decrypt"));
}
