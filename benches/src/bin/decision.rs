//! How long one decision takes: with the policies that most keys and users have, and with a hundred statements.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use trent_policy::{
    Attached, Caller, CallerKind, ConditionKeys, Document, KeyTarget, Kind, NoGrants, Request, Standing,
    Target, Values, decide, default_key_policy, managed_policy,
};

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const ACCOUNT: &str = "111122223333";
/// Decisions in one measurement, and measurements, of which the best counts: the machine may be doing something else.
const DECISIONS: u32 = 20_000;
const ROUNDS: u32 = 20;

fn main() -> Result<()> {
    let administrator = managed_policy("aws:AdministratorAccess").context("the policy of administrators")?;
    let standing = |identity: Vec<Attached>| Standing { identity, ..Standing::default() };
    let default = Document::parse(&default_key_policy("aws", ACCOUNT), Kind::Resource)?;
    let hundred = Document::parse(&statements(true).to_string(), Kind::Resource)?;
    let own = Document::parse(&statements(false).to_string(), Kind::Identity)?;
    let own = Attached { name: "own".into(), document: Arc::new(own) };
    report("default key policy, administrator", &default, &standing(vec![administrator.clone()]));
    report("key policy of 100 statements, administrator", &hundred, &standing(vec![administrator.clone()]));
    report("default key policy, identity policy of 100 statements", &default, &standing(vec![own.clone()]));
    report("100 statements each", &hundred, &standing(vec![own]));
    Ok(())
}

/// A hundred statements, of which the last allows.
fn statements(with_principal: bool) -> Value {
    let statement = |number: u32| {
        let last = number == 99;
        let user = if last { "alice".to_owned() } else { format!("user-{number}") };
        let arn = format!("arn:aws:iam::111122223333:user/{user}");
        let mut statement = json!({
            "Sid": format!("statement{number}"),
            "Effect": if number % 10 == 3 { "Deny" } else { "Allow" },
            "Action": ["kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*", "kms:DescribeKey"],
            "Resource": if with_principal || last { "*".to_owned() } else { format!("{KEY}{number}") },
            "Condition": {"StringEquals": {"kms:CallerAccount": ACCOUNT}, "StringNotLike": {"aws:username": "bob*"}},
        });
        if let Some(members) = statement.as_object_mut().filter(|_| with_principal) {
            members.insert("Principal".to_owned(), json!({"AWS": arn}));
        }
        statement
    };
    json!({"Version": "2012-10-17", "Statement": (0..100).map(statement).collect::<Vec<_>>()})
}

struct Keys;

impl ConditionKeys for Keys {
    fn values(&self, key: &str) -> Option<Values<'_>> {
        match key {
            "kms:calleraccount" => Some(Values::One(ACCOUNT)),
            "aws:username" => Some(Values::One("alice")),
            _ => None,
        }
    }
}

fn report(what: &str, policy: &Document, standing: &Standing) {
    let once = || {
        let target = KeyTarget {
            arn: KEY,
            account: ACCOUNT,
            policy,
            keys: &Keys,
            grants: &NoGrants,
            cross_account: true,
        };
        let request = Request {
            action: "kms:Encrypt",
            caller: Caller {
                kind: CallerKind::User,
                arn: "arn:aws:iam::111122223333:user/alice",
                account: Some(ACCOUNT),
                session_arn: None,
                service: None,
                unique_id: Some("AIDAJQABLZS4A3QDU576Q"),
            },
            standing,
            endpoint: None,
            keys: &Keys,
            target: Target::Key(target),
        };
        black_box(decide(black_box(&request)).is_allowed())
    };
    let round = |_| {
        let begin = Instant::now();
        for _ in 0..DECISIONS {
            once();
        }
        begin.elapsed()
    };
    let best: Duration = (0..ROUNDS).map(round).min().unwrap_or_default();
    let allowed = if once() { "allowed" } else { "denied" };
    println!("{what}: {} ns, {allowed}", best.as_nanos() / u128::from(DECISIONS));
}
