//! The cases of `tests/data/authorization.json`: who asks what of a key under which policies and grants, and the answer.
//! All of them are asked in one process and over HTTP with real signatures and sessions of STS.
//!
//! Cases whose `source` is AWS follow its documentation or what it was seen to answer; those of trent are its own choice
//! where AWS does not say. In an answer, `R1` is a denial for want of a resource-based policy and `RD` an explicit
//! deny in one; so with `I` for identities, `B` for boundaries, `S` for sessions, `C` for service control, `V` for endpoints.
//! `X1`, `X2` and `I2` are what strangers are told.
//!
//! A case that is `pending` is about what is not built yet, and fails here as soon as it is answered as it should be.

mod case;
mod people;
mod wire;
mod world;

use std::collections::BTreeSet;

use case::{Case, Signing};
use trent_protocol::Operation;
use world::World;

/// The cases of the specification; variants of one have a `+` behind their number.
const CASES: usize = 223;

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> =
        serde_json::from_str(include_str!("../data/authorization.json")).expect("a table of cases");
    // Those for which days pass come last: others are about keys of today.
    cases.sort_by_key(|case| !case.idle_days.is_empty());
    cases
}

#[test]
fn every_case_is_in_the_table_with_its_source() {
    let cases = cases();
    let numbers: BTreeSet<_> = cases.iter().map(|case| case.case.trim_end_matches('+').to_owned()).collect();
    let expected: BTreeSet<_> = (1..=CASES).map(|number| format!("T{number:03}")).collect();
    assert_eq!(numbers, expected);
    for case in &cases {
        assert!(["AWS", "trent"].contains(&case.source.as_str()), "{}", case.case);
    }
    let names: BTreeSet<_> = cases.iter().map(|case| &case.case).collect();
    assert_eq!(names.len(), cases.len(), "a name occurs twice");
}

/// Asks all cases and reports those that are not answered as the table says.
async fn judge(cases: Vec<Case>, over_http: bool) {
    let mut world = World::new(cases, over_http).await;
    let mut wrong = Vec::new();
    for index in 0..world.len() {
        let answer = world.ask(index).await;
        let case = world.case(index);
        let expected = world.expected(index);
        let fits = expected.fits(&answer);
        match (&case.pending, fits) {
            (None, true) | (Some(_), false) => {}
            (None, false) => wrong.push(format!(
                "{}, {}:\n  expected {expected:?}\n  answered {answer:?}",
                case.case, case.says
            )),
            (Some(reason), true) => {
                wrong.push(format!("{} is answered rightly now: take `pending` away ({reason})", case.case));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn every_case_is_answered_as_the_table_says() {
    // Signatures and endpoints are of HTTP alone.
    let directly = |case: &Case| case.signing.is_none() && case.through.is_none();
    judge(cases().into_iter().filter(directly).collect(), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_is_answered_so_over_http() {
    judge(cases(), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_operation_is_answered_to_whom_nobody_knows() {
    let mut world = World::new(cases().into_iter().take(1).collect(), true).await;
    let signing = Signing::default;
    for (caller, signing, code) in [
        (
            "alice",
            Signing { without: vec!["authorization".to_owned()], ..signing() },
            "MissingAuthenticationTokenException",
        ),
        ("alice", Signing { secret: Some("x".repeat(40)), ..signing() }, "InvalidSignatureException"),
        (
            "alice",
            Signing { access_key: Some("AKIANOBODYNOBODYNOBO".to_owned()), ..signing() },
            "UnrecognizedClientException",
        ),
        ("app/s1", Signing { wait_seconds: 3_601, ..signing() }, "ExpiredTokenException"),
    ] {
        for operation in Operation::ALL {
            let answer = world.signed_badly(operation.name(), caller, signing.clone()).await;
            let told = answer.expect_err("a refusal");
            assert!(told.starts_with(code), "{operation}: {told}");
        }
    }
}
