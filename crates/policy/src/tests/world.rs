//! One request with everything that bears on it, written in few words, for tests of decisions.
//!
//! A statement is `{"Allow": "kms:Decrypt", "to": "alice", "on": "K", "if": {…}}`: `Allow` or `Deny` with actions
//! (`but` for all others), `to` or `not_to` with callers by name, `on` or `not_on` with resources (all, if left out),
//! `if` with conditions.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{KEY, Keys, caller};
use crate::{
    Attached, Caller, Clause, Decision, Document, Facts, Grant, Grantee, Grants, KeyTarget, Kind, Reason,
    Request, ResourceControl, Source, Standing, Target, Told, decide,
};

pub(super) const ACCOUNT: &str = "111122223333";
const KEY_2: &str = "arn:aws:kms:us-east-1:111122223333:key/56ef56ef-12ab-34cd-56ef-1234567890ab";
const ALIAS_PREFIX: &str = "arn:aws:kms:us-east-1:111122223333:";

/// A list of statements: one document.
pub(super) type Statements = Vec<Value>;

/// A request and what bears on it. Statements are those of the policy language.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    pub(super) caller: String,
    pub(super) action: String,
    /// `key`, `account`, `missing`, or `alias/…`.
    pub(super) on: String,
    pub(super) cross_account: bool,
    pub(super) keys: Keys,
    pub(super) key: Statements,
    pub(super) identity: Vec<Statements>,
    pub(super) boundary: Option<Statements>,
    pub(super) session: Option<Statements>,
    pub(super) service_control: Vec<Vec<Statements>>,
    pub(super) resource_control: Vec<Statements>,
    pub(super) endpoint: Option<Statements>,
    pub(super) grants: Vec<TestGrant>,
}

/// A grant without constraints.
#[derive(Debug, Clone)]
pub(super) struct TestGrant {
    pub(super) id: String,
    /// An ARN, an account's ID, or a service.
    pub(super) to: String,
    pub(super) operations: Vec<String>,
    pub(super) issuer: String,
}

/// What came out, in the codes of the tables: `delegation`, `R1`, …
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) code: String,
    pub(super) clause: Option<(String, usize)>,
}

impl World {
    /// From a case of the table.
    pub(super) fn from_json(case: &Value) -> World {
        let text = |name: &str, or: &str| case[name].as_str().unwrap_or(or).to_owned();
        let list = |name: &str| case[name].as_array().cloned();
        let many = |documents: &Value| documents.as_array().unwrap().iter().map(statements).collect();
        World {
            caller: text("caller", ""),
            action: text("action", ""),
            on: text("on", "key"),
            cross_account: case["cross_account"].as_bool().unwrap_or(true),
            keys: Keys::from_json(&case["keys"]),
            key: statements(&case["key"]),
            identity: match list("identity") {
                Some(all) if all.iter().all(Value::is_array) => many(&case["identity"]),
                Some(_) => vec![statements(&case["identity"])],
                None => Vec::new(),
            },
            boundary: list("boundary").map(|_| statements(&case["boundary"])),
            session: list("session").map(|_| statements(&case["session"])),
            service_control: list("service_control").unwrap_or_default().iter().map(many).collect(),
            resource_control: list("resource_control")
                .map_or(Vec::new(), |_| many(&case["resource_control"])),
            endpoint: list("endpoint").map(|_| statements(&case["endpoint"])),
            grants: list("grants").unwrap_or_default().iter().enumerate().map(TestGrant::from_json).collect(),
        }
    }

    /// The caller by all names.
    pub(super) fn caller(&self) -> Caller<'static> {
        caller(&self.caller)
    }

    /// The resource's ARN.
    pub(super) fn resource(&self) -> Option<String> {
        match self.on.as_str() {
            "account" => None,
            "key" => Some(KEY.to_owned()),
            "missing" => Some(KEY_2.to_owned()),
            alias => Some(format!("{ALIAS_PREFIX}{alias}")),
        }
    }

    /// What the crate decides.
    pub(super) fn decide(&self) -> Outcome {
        self.asked(|request| Outcome::of(&decide(request)))
    }

    /// Hands over the request.
    pub(super) fn asked<T>(&self, with: impl FnOnce(&Request<'_>) -> T) -> T {
        let standing = Standing {
            identity: self.identity.iter().filter_map(|own| attached(own, Kind::Identity)).collect(),
            boundary: self.boundary.as_ref().and_then(|own| attached(own, Kind::Identity)),
            session: self.session.as_ref().map(|own| attached(own, Kind::Identity).into_iter().collect()),
            service_control: self
                .service_control
                .iter()
                .map(|level| level.iter().filter_map(|own| attached(own, Kind::Identity)).collect())
                .collect(),
            resource_control: Arc::new(ResourceControl::new([(
                ACCOUNT.into(),
                self.resource_control.iter().filter_map(|own| attached(own, Kind::Resource)).collect(),
            )])),
        };
        let endpoint = self.endpoint.as_ref().and_then(|own| attached(own, Kind::Resource));
        let nothing = || json!({"Effect": "Allow", "Principal": "*", "Action": "none:none", "Resource": "*"});
        let policy = if self.key.is_empty() { vec![nothing()] } else { self.key.clone() };
        let policy = attached(&policy, Kind::Resource).unwrap().document;
        let resource = self.resource();
        let target = match (self.on.as_str(), &resource) {
            ("key", _) => Target::Key(KeyTarget {
                arn: KEY,
                account: ACCOUNT,
                policy: &policy,
                keys: &self.keys,
                grants: self,
                cross_account: self.cross_account,
            }),
            ("missing", Some(arn)) => Target::NoSuchKey(arn),
            (_, Some(arn)) => Target::Alias(arn),
            (_, None) => Target::Account,
        };
        with(&Request {
            action: &self.action,
            caller: self.caller(),
            standing: &standing,
            endpoint: endpoint.as_ref(),
            keys: &self.keys,
            target,
        })
    }
}

impl Grants for World {
    fn matching<'g>(&'g self, facts: &Facts<'_>, found: &mut dyn FnMut(Grant<'g>)) {
        let operation = facts.action.trim_start_matches("kms:");
        for grant in self.grants.iter().filter(|grant| grant.operations.iter().any(|own| own == operation)) {
            if let Some(grantee) = grant.names(&facts.caller) {
                found(Grant { id: &grant.id, grantee, issuer: &grant.issuer });
            }
        }
    }
}

impl TestGrant {
    fn from_json((index, json): (usize, &Value)) -> TestGrant {
        TestGrant {
            id: format!("g{index}"),
            to: match json["to"].as_str().unwrap() {
                "A" => ACCOUNT.to_owned(),
                "B" => "444455556666".to_owned(),
                service if service.contains(".amazonaws.com") => service.to_owned(),
                name => arn_of(name),
            },
            operations: json["operations"]
                .as_array()
                .unwrap()
                .iter()
                .map(|o| o.as_str().unwrap().into())
                .collect(),
            issuer: json["issuer"].as_str().unwrap_or(ACCOUNT).to_owned(),
        }
    }

    /// How the grant names a caller.
    pub(super) fn names(&self, caller: &Caller<'_>) -> Option<Grantee> {
        let is = |name: Option<&str>| name == Some(&*self.to);
        match () {
            () if is(caller.session_arn) || is(caller.service) => Some(Grantee::Exact),
            () if is(Some(caller.arn)) && caller.session_arn.is_none() => Some(Grantee::Exact),
            () if is(Some(caller.arn)) => Some(Grantee::Role),
            () if is(caller.account) => Some(Grantee::Account),
            () => None,
        }
    }
}

impl Outcome {
    fn of(decision: &Decision<'_>) -> Outcome {
        let owned = |clause: Option<Clause<'_>>| clause.map(|c| (format!("{:?}", c.source), c.statement));
        match decision {
            Decision::Allowed(allowance) => {
                let code = match allowance.by {
                    crate::By::Identity => "identity",
                    crate::By::KeyPolicy(_) => "key policy",
                    crate::By::Delegation(_) => "delegation",
                    crate::By::Grant(_) => "grant",
                };
                Outcome { code: code.to_owned(), clause: owned(allowance.identity) }
            }
            Decision::Denied(denial) => {
                let code = match (denial.told, denial.reason) {
                    (Told::Nothing, _) => "X".to_owned(),
                    (_, Reason::ExplicitDeny(source)) => code(source, "D"),
                    (_, Reason::NotAllowed(source)) => code(source, "1"),
                    (_, other) => panic!("{other:?} is told"),
                };
                Outcome { code, clause: owned(denial.clause) }
            }
        }
    }
}

fn code(source: Source, suffix: &str) -> String {
    let letter = match source {
        Source::ServiceControl => "C",
        Source::ResourceControl => return "CR".to_owned(),
        Source::Endpoint => "V",
        Source::Resource => "R",
        Source::Identity => "I",
        Source::Boundary => "B",
        Source::Session => "S",
    };
    format!("{letter}{suffix}")
}

fn attached(statements: &[Value], kind: Kind) -> Option<Attached> {
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let document = (!statements.is_empty()).then(|| Document::parse(&text, kind).unwrap())?;
    Some(Attached { name: "test".into(), document: Arc::new(document) })
}

/// The statements of a case, written out.
fn statements(json: &Value) -> Statements {
    json.as_array().into_iter().flatten().map(statement).collect()
}

fn statement(short: &Value) -> Value {
    let allow = short.get("Allow");
    let mut long = json!({"Effect": if allow.is_some() { "Allow" } else { "Deny" }});
    match short.get("but") {
        Some(actions) => long["NotAction"] = actions.clone(),
        None => long["Action"] = allow.or(short.get("Deny")).unwrap().clone(),
    }
    for (name, element) in [("to", "Principal"), ("not_to", "NotPrincipal")] {
        if let Some(names) = short.get(name) {
            long[element] = principals(names);
        }
    }
    match short.get("not_on") {
        Some(resource) => long["NotResource"] = json!(resource_arn(resource.as_str().unwrap())),
        None => long["Resource"] = json!(resource_arn(short["on"].as_str().unwrap_or("*"))),
    }
    if let Some(conditions) = short.get("if") {
        long["Condition"] = conditions.clone();
    }
    long
}

fn resource_arn(name: &str) -> String {
    match name {
        "K" => KEY.to_owned(),
        "K2" => KEY_2.to_owned(),
        alias if alias.starts_with("alias/") => format!("{ALIAS_PREFIX}{alias}"),
        other => other.to_owned(),
    }
}

fn principals(names: &Value) -> Value {
    let names: Vec<&str> = match names {
        Value::String(one) => vec![one],
        many => many.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect(),
    };
    match names.as_slice() {
        ["*"] => json!("*"),
        [service] if service.starts_with("service:") => {
            json!({"Service": service.trim_start_matches("service:")})
        }
        names => json!({"AWS": names.iter().map(|name| arn_of(name)).collect::<Vec<_>>()}),
    }
}

fn arn_of(name: &str) -> String {
    match name {
        "A" => "arn:aws:iam::111122223333:root".to_owned(),
        "B" => "arn:aws:iam::444455556666:root".to_owned(),
        "app" => caller("app/s1").arn.to_owned(),
        "r" => caller("r/s").arn.to_owned(),
        id if id.bytes().all(|b| b.is_ascii_digit()) => id.to_owned(),
        name => caller(name).session_arn.unwrap_or(caller(name).arn).to_owned(),
    }
}
