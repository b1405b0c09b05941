//! Tests of whole documents: tables from `testdata/`, and properties of generated ones.

mod cases;
mod decision_properties;
mod decisions;
mod hostile;
mod in_use;
mod lint;
mod oracle;
mod properties;
mod world;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{Caller, CallerKind, ConditionKeys, Facts, Values};

pub(crate) const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// The condition keys of a test's request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys(BTreeMap<String, Held>);

#[derive(Debug, Clone)]
enum Held {
    One(String),
    Many(Vec<String>),
}

impl Keys {
    /// From `{"key": "value", "other": ["one", "two"]}`.
    fn from_json(json: &Value) -> Keys {
        let Some(members) = json.as_object() else { return Keys::default() };
        let held = |value: &Value| match value {
            Value::String(one) => Held::One(one.clone()),
            many => Held::Many(many.as_array().unwrap().iter().map(|v| v.as_str().unwrap().into()).collect()),
        };
        Keys(members.iter().map(|(key, value)| (key.clone(), held(value))).collect())
    }
}

impl ConditionKeys for Keys {
    fn values(&self, key: &str) -> Option<Values<'_>> {
        assert_eq!(key, key.to_ascii_lowercase(), "keys come in lower case");
        let (_, held) = self.0.iter().find(|(own, _)| own.eq_ignore_ascii_case(key))?;
        Some(match held {
            Held::One(value) => Values::One(value),
            Held::Many(values) => Values::Many(values),
        })
    }
}

/// The callers that tests know by name.
pub(crate) fn caller(name: &str) -> Caller<'static> {
    let of = |kind, arn, account| Caller {
        kind,
        arn,
        account: Some(account),
        session_arn: None,
        service: None,
        unique_id: None,
    };
    let app = of(CallerKind::RoleSession, "arn:aws:iam::111122223333:role/app", "111122223333");
    let s1 = Some("arn:aws:sts::111122223333:assumed-role/app/s1");
    let alice = of(CallerKind::User, "arn:aws:iam::111122223333:user/alice", "111122223333");
    let provider = "arn:aws:iam::111122223333:oidc-provider/issuer.example.com";
    match name {
        "root" => of(CallerKind::Root, "arn:aws:iam::111122223333:root", "111122223333"),
        "alice" => Caller { unique_id: Some("AIDAJQABLZS4A3QDU576Q"), ..alice },
        "carol" => of(CallerKind::User, "arn:aws:iam::111122223333:user/carol", "111122223333"),
        "admin" => of(CallerKind::User, "arn:aws:iam::111122223333:user/admin", "111122223333"),
        "root of B" => of(CallerKind::Root, "arn:aws:iam::444455556666:root", "444455556666"),
        "r/s" => Caller {
            session_arn: Some("arn:aws:sts::444455556666:assumed-role/r/s"),
            ..of(CallerKind::RoleSession, "arn:aws:iam::444455556666:role/r", "444455556666")
        },
        "bob" => of(CallerKind::User, "arn:aws:iam::444455556666:user/bob", "444455556666"),
        "app/s1" => Caller { session_arn: s1, unique_id: Some("AROADBQP57FF2AEXAMPLE"), ..app },
        "recreated app/s1" => Caller { session_arn: s1, unique_id: Some("AROA00000000000000000"), ..app },
        "app/s2" => Caller {
            session_arn: Some("arn:aws:sts::111122223333:assumed-role/app/s2"),
            unique_id: Some("AROADBQP57FF2AEXAMPLE"),
            ..app
        },
        "guest" => Caller {
            kind: CallerKind::FederatedUser,
            session_arn: Some("arn:aws:sts::111122223333:federated-user/guest"),
            ..alice
        },
        "cloudtrail" => Caller {
            account: None,
            service: Some("cloudtrail.amazonaws.com"),
            ..of(CallerKind::Service, "cloudtrail.amazonaws.com", "")
        },
        "logs" => Caller {
            account: None,
            service: Some("logs.us-east-1.amazonaws.com"),
            ..of(CallerKind::Service, "logs.us-east-1.amazonaws.com", "")
        },
        "backup" => Caller {
            service: Some("backup.trent.internal"),
            ..of(CallerKind::Service, "backup.trent.internal", "111122223333")
        },
        "web identity" => Caller { account: None, ..of(CallerKind::WebIdentity, provider, "") },
        other => panic!("no caller `{other}`"),
    }
}

pub(crate) fn facts<'a>(name: &str, action: &'a str, keys: &'a Keys) -> Facts<'a> {
    Facts { action, resource: Some(KEY), caller: caller(name), keys }
}
