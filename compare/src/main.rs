//! iam-rs, an evaluator of policies by other people, asked the same as trent: of random identity policies, requests and
//! contexts, in as much of the language as both mean the same by.
//!
//! `trent-compare [CASES [SEED]]` compares as many, 20,000 by default, drawn from a seed that is always the same unless
//! another is given, and fails on the first that is judged differently, which it shows in its smallest form. It fails as well where one of the three answers hardly occurs: then nothing was compared.
//!
//! Not here, because iam-rs has it otherwise than AWS documents, or not at all: principals, key policies, `ArnEquals`
//! (letter by letter there), several values of a key, sets, dates, addresses, variables.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process::ExitCode;

use iam_rs::{
    Arn, Context, ContextValue, Decision, IAMPolicy, IAMRequest, Principal, PrincipalId, evaluate_policy,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use serde_json::{Map, Value, json};
use trent_policy::{Caller, CallerKind, ConditionKeys, Document, Facts, Kind, Values};

const CASES: u32 = 20_000;
const SEED: u64 = 20_261_126;
const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
const ACTIONS: [&str; 6] = [
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:ReEncryptFrom",
    "kms:PutKeyPolicy",
    "kms:DescribeKey",
    "sts:AssumeRole",
];
const RESOURCES: [&str; 5] = [
    "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-000000000000",
    "arn:aws:kms:eu-west-1:444455556666:key/mrk-1234abcd12ab34cd56ef1234567890ab",
    "arn:aws:kms:us-east-1:111122223333:alias/app",
    "arn:aws:iam::111122223333:role/app",
];

/// One request, by the two forms that its parts have.
#[derive(Debug, Clone)]
struct Asked {
    action: &'static str,
    resource: &'static str,
    keys: BTreeMap<&'static str, &'static str>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let cases = arguments.next().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let seed = arguments.next().and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
    println!("{cases} cases, seed {seed}");
    let rng_seed = RngSeed::Fixed(seed);
    let config = Config { cases, rng_seed, failure_persistence: None, ..Config::default() };
    let counted = RefCell::new(BTreeMap::<&str, u32>::new());
    let done = TestRunner::new(config).run(&(document(), asked()), |(document, asked)| {
        let (ours, theirs) = (ours(&document, &asked), theirs(&document, &asked));
        *counted.borrow_mut().entry(ours).or_default() += 1;
        prop_assert_eq!(ours, theirs, "trent and iam-rs");
        Ok(())
    });
    let counted = counted.into_inner();
    println!("{counted:?}");
    if let Err(difference) = done {
        eprintln!("{difference}");
        return ExitCode::FAILURE;
    }
    let rare = ["allow", "deny", "nothing"]
        .iter()
        .find(|answer| counted.get(*answer).copied().unwrap_or(0) < cases / 20);
    match rare {
        Some(answer) => {
            eprintln!("`{answer}` is too rare for this to mean anything");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

fn ours(document: &Value, asked: &Asked) -> &'static str {
    let document = Document::parse(&document.to_string(), Kind::Identity).expect("a policy");
    let caller = Caller {
        kind: CallerKind::User,
        arn: ALICE,
        account: Some("111122223333"),
        session_arn: None,
        service: None,
        unique_id: None,
    };
    let said = document.evaluate(&Facts {
        action: asked.action,
        resource: Some(asked.resource),
        caller,
        keys: asked,
    });
    match (said.denied_by, said.allowed_by) {
        (Some(_), _) => "deny",
        (None, Some(_)) => "allow",
        (None, None) => "nothing",
    }
}

impl ConditionKeys for Asked {
    fn values(&self, key: &str) -> Option<Values<'_>> {
        let (_, value) = self.keys.iter().find(|(name, _)| name.eq_ignore_ascii_case(key))?;
        Some(Values::One(value))
    }
}

fn theirs(document: &Value, asked: &Asked) -> &'static str {
    let policy = IAMPolicy::from_json(&document.to_string()).expect("a policy for iam-rs");
    let mut context = Context::new();
    for (name, value) in &asked.keys {
        // Values have types there; here all are texts, which operators read.
        let value = match *name {
            "kms:MultiRegion" => ContextValue::Boolean(*value == "true"),
            "kms:RotationPeriodInDays" => ContextValue::Number(value.parse().expect("a number")),
            _ => ContextValue::String((*value).to_owned()),
        };
        context.insert((*name).to_owned(), value);
    }
    let principal = Principal::Aws(PrincipalId::String(ALICE.to_owned()));
    let resource = Arn::parse(asked.resource).expect("an ARN");
    let request = IAMRequest::new_with_context(principal, asked.action, resource, context);
    match evaluate_policy(&policy, &request).expect("iam-rs evaluates it") {
        Decision::Allow => "allow",
        Decision::Deny => "deny",
        Decision::NotApplicable => "nothing",
    }
}

fn asked() -> impl Strategy<Value = Asked> {
    let key = select(vec![
        ("kms:CallerAccount", "111122223333"),
        ("kms:KeySpec", "RSA_2048"),
        ("kms:KeySpec", "SYMMETRIC_DEFAULT"),
        ("kms:RotationPeriodInDays", "90"),
        ("kms:RotationPeriodInDays", "365"),
        ("kms:MultiRegion", "true"),
        ("kms:MultiRegion", "false"),
    ]);
    let keys = vec(key, 0..5).prop_map(|keys| keys.into_iter().collect());
    (select(ACTIONS.to_vec()), select(RESOURCES.to_vec()), keys).prop_map(|(action, resource, keys)| Asked {
        action,
        resource,
        keys,
    })
}

fn document() -> impl Strategy<Value = Value> {
    vec(statement(), 1..5).prop_map(|statements| json!({"Version": "2012-10-17", "Statement": statements}))
}

fn statement() -> impl Strategy<Value = Value> {
    let actions = vec(
        select(vec![
            "*",
            "kms:*",
            "kms:De*",
            "kms:Decrypt",
            "kms:Encrypt",
            "kms:ReEncrypt*",
            "kms:*Key*",
            "kms:?ncrypt",
            "sts:*",
        ]),
        1..3,
    );
    let resources = vec(
        select(vec![
            "*",
            "arn:aws:kms:*:*:key/*",
            "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws:kms:us-east-1:111122223333:key/1234abcd-*",
            "arn:aws:kms:us-east-1:111122223333:alias/*",
            "arn:aws:kms:eu-????-1:444455556666:key/mrk-*",
            "arn:aws:iam::111122223333:role/*",
        ]),
        1..3,
    );
    let shape = (any::<[bool; 3]>(), actions, resources, option::of(conditions()));
    shape.prop_map(|([denies, not_action, not_resource], actions, resources, conditions)| {
        let mut statement = json!({"Effect": if denies { "Deny" } else { "Allow" }});
        statement[if not_action { "NotAction" } else { "Action" }] = json!(actions);
        statement[if not_resource { "NotResource" } else { "Resource" }] = json!(resources);
        if let Some(conditions) = conditions {
            statement["Condition"] = Value::Object(conditions);
        }
        statement
    })
}

fn conditions() -> impl Strategy<Value = Map<String, Value>> {
    let texts = (
        select(vec![
            "StringEquals",
            "StringNotEquals",
            "StringLike",
            "StringNotLike",
            "StringEqualsIfExists",
            "StringLikeIfExists",
            "StringEqualsIgnoreCase",
        ]),
        select(vec!["kms:CallerAccount", "kms:KeySpec"]),
        select(vec!["111122223333", "RSA_2048", "rsa_2048", "RSA_*", "SYMMETRIC_DEFAULT"]),
    );
    let numbers = (
        select(vec![
            "NumericEquals",
            "NumericLessThan",
            "NumericLessThanEquals",
            "NumericGreaterThan",
            "NumericGreaterThanEquals",
            "NumericEqualsIfExists",
        ]),
        Just("kms:RotationPeriodInDays"),
        select(vec!["90", "180", "365"]),
    );
    let truths =
        (select(vec!["Bool", "BoolIfExists"]), Just("kms:MultiRegion"), select(vec!["true", "false"]));
    let absence =
        (Just("Null"), select(vec!["kms:KeySpec", "kms:MultiRegion"]), select(vec!["true", "false"]));
    let one = prop_oneof![texts, numbers, truths, absence];
    vec(one, 1..3).prop_map(|all| {
        let mut conditions = Map::new();
        for (operator, key, value) in all {
            let keys = conditions.entry(operator).or_insert_with(|| json!({}));
            keys[key] = json!(value);
        }
        conditions
    })
}
