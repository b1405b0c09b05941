//! What grants permit, beside policies, against `tests/data/grants.json`: each case has a key policy, identity policies
//! and grants, and asks one thing.
//!
//! Cases whose `source` is AWS follow its documentation; those of trent are its own choice where AWS does not say. In
//! an answer, `R1` is a denial for want of a resource-based policy, `I1` for want of an identity-based one, `RD` and `ID`
//! are explicit denies of these, and `X1` is what strangers are told.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use trent_domain::identity::{Caller, Source, Via};
use trent_policy::{Attached, Document, Kind};
use trent_protocol::Operation::{self, *};
use trent_service::Standing;
use trent_testkit::{ACCOUNT, TestKms, base64, told};

use super::{OTHER, World};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    case: String,
    says: String,
    source: String,
    policy: Vec<String>,
    #[serde(default)]
    identity: BTreeMap<String, Value>,
    grants: Vec<Wanted>,
    caller: String,
    /// The service that calls for the caller.
    via: Option<String>,
    /// What a service calls for.
    source_arn: Option<String>,
    request: Asked,
    /// Whether a grant of the same name is found or another one made.
    again: Option<String>,
    answer: String,
}

/// A grant that is there, or that a request is for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    grantee: String,
    operations: Value,
    #[serde(default)]
    constraints: Value,
    retiring: Option<String>,
    name: Option<String>,
    key: Option<String>,
    /// Who makes it: the administrator, unless somebody else.
    issuer: Option<String>,
    #[serde(default)]
    revoked: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    operation: String,
    #[serde(default)]
    context: Value,
    token: Option<String>,
    grant: Option<Wanted>,
    retiring: Option<String>,
    name: Option<String>,
}

/// Everybody, two keys of the first account, and the case that they are for.
struct Stage {
    world: World,
    other_key: String,
    people: BTreeMap<String, TestKms>,
    made: Vec<(String, String)>,
}

impl Stage {
    async fn set(case: &Case) -> Self {
        let mut world = World::new().await;
        let mut people = BTreeMap::from([("admin".to_owned(), world.kms.clone())]);
        for name in ["alice", "carol", "dave", "eve"] {
            people.insert(name.to_owned(), world.user(name).await);
        }
        for name in ["bob", "carl"] {
            people.insert(name.to_owned(), world.user_of(OTHER, name).await);
        }
        let (_, session) = world.role("app").await;
        for name in ["any", "s1", "s2"] {
            people.insert(format!("app/{name}"), session(name));
        }
        let source = Source { arn: case.source_arn.as_deref().map(Into::into), ..Source::default() };
        let account = ACCOUNT.parse().expect("an account id");
        let rds = Caller::service(account, "rds.amazonaws.com", source, "AKIASERVICESERVICESE");
        people.insert("rds".to_owned(), world.kms.called_by(rds));

        let policy = key_policy(&case.policy);
        world.key = world.kms.create_key_with(json!({"Policy": policy})).await;
        let other_key = world.kms.create_key_with(json!({"Policy": policy})).await;
        let arn = world.kms.arn(&world.key);
        for (name, statements) in &case.identity {
            let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
            let text = text.replace("\"Resource\":\"K\"", &format!("\"Resource\":\"{arn}\""));
            let document = Document::parse(&text, Kind::Identity).expect("a policy");
            let identity = vec![Attached { name: "test".into(), document: Arc::new(document) }];
            let person = people.get_mut(name).expect("somebody known");
            *person = person.under(Standing { identity, ..Standing::default() });
        }
        let mut stage = Self { world, other_key, people, made: Vec::new() };
        for wanted in &case.grants {
            stage.make(wanted).await;
        }
        stage
    }

    async fn make(&mut self, wanted: &Wanted) {
        let issuer = self.person(wanted.issuer.as_deref().unwrap_or("admin"));
        let answer = issuer.ok(CreateGrant, self.create(wanted)).await;
        let text = |member: &str| answer[member].as_str().expect("a text").to_owned();
        let (id, token) = (text("GrantId"), text("GrantToken"));
        if wanted.revoked {
            self.world.kms.ok(RevokeGrant, json!({"KeyId": self.world.key, "GrantId": id})).await;
        }
        self.made.push((id, token));
    }

    fn person(&self, name: &str) -> TestKms {
        self.people.get(name).unwrap_or_else(|| panic!("nobody is called {name}")).clone()
    }

    fn key(&self, name: &str) -> String {
        self.world.kms.arn(if name == "K2" { &self.other_key } else { &self.world.key })
    }

    fn arn(&self, name: &str) -> String {
        match name {
            "A:root" => format!("arn:aws:iam::{ACCOUNT}:root"),
            "role app" => format!("arn:aws:iam::{ACCOUNT}:role/app"),
            name => self.person(name).caller.arn.to_string(),
        }
    }

    fn create(&self, wanted: &Wanted) -> Value {
        let mut request = json!({
            "KeyId": self.key(wanted.key.as_deref().unwrap_or("K")), "Operations": wanted.operations,
            "Constraints": wanted.constraints, "Name": wanted.name,
            "RetiringPrincipal": wanted.retiring.as_deref().map(|name| self.arn(name)),
        });
        match wanted.grantee.strip_prefix("service ") {
            Some(service) => request["GranteeServicePrincipal"] = json!(service),
            None => request["GranteePrincipal"] = json!(self.arn(&wanted.grantee)),
        }
        request
    }

    async fn request(&self, asked: &Asked) -> (Operation, Value) {
        let key = self.key("K");
        let operation = Operation::ALL.into_iter().find(|known| known.name() == asked.operation);
        let operation = operation.expect("an operation");
        let grant = || json!({"KeyId": key, "GrantId": self.made[0].0});
        let mut request = match operation {
            CreateGrant => self.create(asked.grant.as_ref().expect("a grant")),
            DescribeKey => json!({"KeyId": key}),
            Decrypt => {
                json!({"CiphertextBlob": self.blob(&asked.context).await, "KeyId": key, "EncryptionContext": asked.context})
            }
            ReEncrypt => {
                json!({"CiphertextBlob": self.blob(&asked.context).await, "DestinationKeyId": self.key("K2")})
            }
            Encrypt => self.world.encrypt(),
            RetireGrant | RevokeGrant => grant(),
            ListRetirableGrants => {
                json!({"RetiringPrincipal": self.arn(asked.retiring.as_deref().expect("a name"))})
            }
            _ => panic!("no request of {operation}"),
        };
        assert!(asked.name.as_deref().is_none_or(|name| name == "arn"));
        match asked.token.as_deref() {
            None => {}
            Some("own") => request["GrantTokens"] = json!([self.made[0].1]),
            Some(other) => request["GrantTokens"] = json!([other]),
        }
        (operation, request)
    }

    async fn blob(&self, context: &Value) -> Value {
        let request =
            json!({"KeyId": self.world.key, "Plaintext": base64(b"text"), "EncryptionContext": context});
        self.world.kms.ok(Encrypt, request).await["CiphertextBlob"].take()
    }

    /// The answer in full; one that has only a code leaves the words to trent.
    fn expected(&self, answer: &str, caller: &TestKms) -> Option<String> {
        let mut words = answer.split(' ');
        let (code, action, key) = (words.next()?, words.next().unwrap_or(""), words.next().unwrap_or(""));
        let on = format!("on resource: {}", self.key(key));
        let reason = match code {
            "allow" => return None,
            "R1" => format!("{on} because no resource-based policy allows the {action} action"),
            "I1" => format!("{on} because no identity-based policy allows the {action} action"),
            "RD" => format!("{on} with an explicit deny in a resource-based policy"),
            "ID" => format!("{on} with an explicit deny in an identity-based policy"),
            "X1" => "on this resource because the resource does not exist in this Region, no resource-based policies \
                     allow access, or a resource-based policy explicitly denies access"
                .to_owned(),
            _ => return Some(answer.to_owned()),
        };
        let arn = &caller.caller.arn;
        Some(format!("AccessDeniedException: User: {arn} is not authorized to perform: {action} {reason}"))
    }

    async fn judge(&self, case: &Case) -> Result<(), String> {
        let mut caller = self.person(&case.caller);
        if let Some(service) = &case.via {
            let via = Via { service: service.as_str().into(), source: Source::default() };
            caller.caller = Arc::new(Caller { via: Some(via), ..(*caller.caller).clone() });
        }
        let (operation, request) = self.request(&case.request).await;
        let answer = caller.call(operation, request).await;
        let expected = self.expected(&case.answer, &caller);
        match (answer, expected) {
            (Ok(answer), None) => self.judge_name(case, &answer),
            (Err(error), Some(expected)) if told(&error) == expected => Ok(()),
            (Err(error), Some(expected)) if !expected.contains(' ') && error.code.to_string() == expected => {
                Ok(())
            }
            (answer, expected) => {
                let answer = answer.map_err(|error| told(&error));
                Err(format!("expected {expected:?}\n    answered {answer:?}"))
            }
        }
    }

    fn judge_name(&self, case: &Case, answer: &Value) -> Result<(), String> {
        let same = |index: usize, member: &str| {
            let (id, token) = &self.made[index];
            answer[member] == *if member == "GrantId" { id } else { token }
        };
        let right = match case.again.as_deref() {
            None => true,
            Some("same") => same(0, "GrantId") && !same(0, "GrantToken"),
            Some(_) => !same(0, "GrantId"),
        };
        if right { Ok(()) } else { Err(format!("{answer}, beside {:?}", self.made)) }
    }
}

/// A key policy: `ROOT` delegates to the account, `ADMIN` names the administrator; else effect, principal and action.
fn key_policy(parts: &[String]) -> String {
    let user = |account: &str, name: &str| format!("arn:aws:iam::{account}:user/{name}");
    let root = |account: &str| format!("arn:aws:iam::{account}:root");
    let statements: Vec<Value> = parts
        .iter()
        .map(|part| {
            let words: Vec<_> = part.split(' ').collect();
            let (effect, principal, action) = match words[..] {
                ["ROOT"] => ("Allow", root(ACCOUNT), "kms:*"),
                ["ADMIN"] => ("Allow", user(ACCOUNT, "admin"), "kms:*"),
                [effect, "B:root", action] => (effect, root(OTHER), action),
                [effect, name, action] => (effect, user(ACCOUNT, name), action),
                _ => panic!("no statement: {part}"),
            };
            json!({"Effect": effect, "Principal": {"AWS": principal}, "Action": action, "Resource": "*"})
        })
        .collect();
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

#[tokio::test]
async fn every_case_is_answered_as_the_table_says() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../data/grants.json")).expect("a table of cases");
    assert!(cases.len() >= 47);
    let mut wrong = Vec::new();
    for case in &cases {
        assert!(["AWS", "trent"].contains(&case.source.as_str()), "{}", case.case);
        let stage = Stage::set(case).await;
        if let Err(problem) = stage.judge(case).await {
            wrong.push(format!("{}, {}: {problem}", case.case, case.says));
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}
