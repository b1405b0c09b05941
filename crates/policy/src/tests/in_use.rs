//! Policies as people write them: what modules, guides and tools have in key policies and identity policies, in the short
//! form of these tests; what is decided under them, and what is said against them.

use serde_json::{Value, json};

use super::cases::{each, equal};
use super::lint::ACTIONS;
use super::world::World;
use crate::{Document, Kind, Surroundings};

const TABLE: &str = include_str!("../../testdata/in_use.json");

/// The worlds of a case, one for each of its questions, with the answer.
fn asked(case: &Value) -> Vec<(Value, World, String)> {
    let mut all = Vec::new();
    for ask in case["asks"].as_array().unwrap() {
        let mut whole = case.clone();
        for (member, value) in ask.as_object().unwrap() {
            whole[member] = value.clone();
        }
        all.push((ask.clone(), World::from_json(&whole), ask["expected"].as_str().unwrap().to_owned()));
    }
    all
}

#[test]
fn they_are_decided_as_their_authors_mean_them() {
    each(TABLE, |case| {
        asked(case).into_iter().try_for_each(|(ask, world, expected)| {
            equal(&world.decide().code, &expected).map_err(|problem| format!("{ask}{problem}"))
        })
    });
}

#[test]
fn only_what_is_wrong_with_them_is_said_against_them() {
    each(TABLE, |case| {
        let world = World::from_json(case);
        let text = json!({"Version": "2012-10-17", "Statement": world.key}).to_string();
        let document = Document::parse(&text, Kind::Resource).map_err(|error| error.to_string())?;
        let found = document.lint(Surroundings { account: Some("111122223333"), actions: &ACTIONS });
        let codes: Vec<_> = found.iter().map(|finding| finding.code).collect();
        equal(&json!(codes), &case["warnings"])
    });
}
