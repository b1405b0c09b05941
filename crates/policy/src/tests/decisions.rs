//! The table of decisions, and the texts of denials.

use super::cases::{each, equal};
use super::oracle;
use super::world::World;
use crate::{Decision, Denial, Reason, Source, Told, explain};

const TABLE: &str = include_str!("../../testdata/decisions.json");

#[test]
fn requests_are_decided_as_documented() {
    each(TABLE, |case| {
        let found = World::from_json(case).decide();
        if let Some(clause) = case.get("clause") {
            let (source, statement) = found.clause.clone().ok_or("no statement is named")?;
            equal(&serde_json::json!([source, statement]), clause)?;
        }
        equal(&found.code.as_str(), &case["expected"].as_str().unwrap())
    });
}

#[test]
fn the_slow_evaluator_decides_them_so_too() {
    each(TABLE, |case| {
        let world = World::from_json(case);
        equal(&oracle::judge(&world), &oracle::coarse(case["expected"].as_str().unwrap()))
    });
}

#[test]
fn an_explanation_agrees_with_its_decision() {
    each(TABLE, |case| {
        World::from_json(case).asked(|request| {
            let explanation = explain(request);
            let denies =
                |source| explanation.policies.iter().any(|v| v.source == source && v.denies.is_some());
            let agrees = match explanation.decision {
                Decision::Allowed(_) => explanation.policies.iter().all(|voice| voice.denies.is_none()),
                Decision::Denied(denial) => match denial.reason {
                    Reason::ExplicitDeny(source) => denies(source),
                    Reason::NotAllowed(Source::Resource) => explanation.opened.is_none(),
                    Reason::NotAllowed(Source::Identity) => !explanation.identity_allows,
                    Reason::NotAllowed(source) => explanation.silent.contains(&source),
                    Reason::OwnAccountOnly | Reason::NoSuchKey => true,
                },
            };
            if agrees { Ok(()) } else { Err(format!("{explanation:?}")) }
        })
    });
}

#[test]
fn denials_are_told_in_the_words_of_aws() {
    let text = |reason, told| Denial { reason, told, clause: None }.explain("kms:Decrypt").to_string();
    let explicit = |source| text(Reason::ExplicitDeny(source), Told::Reason);
    let silent = |source| text(Reason::NotAllowed(source), Told::Reason);
    for (source, name) in [
        (Source::Identity, "an identity-based policy"),
        (Source::Resource, "a resource-based policy"),
        (Source::Boundary, "a permissions boundary"),
        (Source::Session, "a session policy"),
        (Source::ServiceControl, "a service control policy"),
        (Source::ResourceControl, "a resource control policy"),
        (Source::Endpoint, "a VPC endpoint policy"),
    ] {
        assert_eq!(explicit(source), format!("with an explicit deny in {name}"));
        let (_, kind) = name.split_once(' ').unwrap();
        assert_eq!(silent(source), format!("because no {kind} allows the kms:Decrypt action"));
    }
    let hidden = "because the resource does not exist in this Region, no resource-based policies allow access, or a \
                  resource-based policy explicitly denies access";
    for reason in [Reason::NoSuchKey, Reason::OwnAccountOnly, Reason::ExplicitDeny(Source::Resource)] {
        assert_eq!(text(reason, Told::Nothing), hidden);
    }
    assert_eq!(text(Reason::NoSuchKey, Told::Reason), hidden);
}
