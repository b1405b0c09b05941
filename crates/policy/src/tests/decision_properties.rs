//! What must hold for every decision, whatever policies and grants there are.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Keys;
use super::oracle;
use super::world::{ACCOUNT, Statements, TestGrant, World};

const CALLERS: [&str; 10] =
    ["root", "alice", "carol", "bob", "app/s1", "app/s2", "guest", "cloudtrail", "r/s", "root of B"];
const ACTIONS: [&str; 3] = ["kms:Decrypt", "kms:Encrypt", "kms:PutKeyPolicy"];

fn pick<T: Clone + std::fmt::Debug + 'static>(items: &[T]) -> impl Strategy<Value = T> + use<T> {
    proptest::sample::select(items.to_vec())
}

fn principal() -> impl Strategy<Value = Value> {
    let named = pick(&[
        "111122223333",
        "arn:aws:iam::444455556666:root",
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::111122223333:user/alice",
        "arn:aws:iam::111122223333:role/app",
        "arn:aws:iam::444455556666:role/r",
        "arn:aws:sts::111122223333:assumed-role/app/s1",
        "arn:aws:sts::111122223333:federated-user/guest",
        "arn:aws:iam::444455556666:user/bob",
    ]);
    prop_oneof![
        1 => Just(json!("*")),
        1 => Just(json!({"Service": "cloudtrail.amazonaws.com"})),
        4 => proptest::collection::vec(named, 1..4).prop_map(|names| json!({"AWS": names})),
    ]
}

fn condition() -> impl Strategy<Value = Value> {
    let operator = pick(&[
        "StringEquals",
        "StringNotEquals",
        "StringLike",
        "StringNotLikeIfExists",
        "ForAllValues:StringLike",
        "ForAnyValue:StringNotEquals",
        "StringEqualsIgnoreCase",
    ]);
    let values = proptest::collection::vec(pick(&["a", "b", "a*", "${aws:y}"]), 0..3);
    prop_oneof![
        4 => (operator, pick(&["aws:x", "aws:y", "AWS:X"]), values)
            .prop_map(|(operator, key, values)| json!({operator: {key: values}})),
        1 => pick(&["true", "false"]).prop_map(|wanted| json!({"Null": {"aws:x": wanted}})),
    ]
}

fn statement(effect: &'static str, with_principal: bool) -> impl Strategy<Value = Value> {
    let action =
        pick(&[json!("*"), json!("kms:*"), json!("KMS:De*"), json!(["kms:Encrypt", "kms:Put?eyPolicy"])]);
    let resource = pick(&["*", "*", "arn:aws:kms:*:*:key/*", "arn:aws:kms:*:*:alias/*"]);
    let negations = proptest::array::uniform3(proptest::bool::weighted(0.2));
    let shape = (negations, principal(), action, resource, proptest::option::weighted(0.3, condition()));
    shape.prop_map(move |([not_principal, not_action, not_resource], who, action, resource, condition)| {
        let mut statement = json!({"Effect": effect});
        if with_principal {
            statement[if not_principal { "NotPrincipal" } else { "Principal" }] = who;
        }
        statement[if not_action { "NotAction" } else { "Action" }] = action;
        statement[if not_resource { "NotResource" } else { "Resource" }] = json!(resource);
        if let Some(condition) = condition {
            statement["Condition"] = condition;
        }
        statement
    })
}

fn any_statement(with_principal: bool) -> impl Strategy<Value = Value> {
    prop_oneof![4 => statement("Allow", with_principal), 1 => statement("Deny", with_principal)]
}

fn document(with_principal: bool) -> impl Strategy<Value = Statements> {
    proptest::collection::vec(any_statement(with_principal), 1..4)
}

fn grant() -> impl Strategy<Value = TestGrant> {
    let to = pick(&[
        "arn:aws:iam::111122223333:user/alice",
        "arn:aws:iam::444455556666:user/bob",
        "arn:aws:iam::111122223333:role/app",
        "arn:aws:iam::444455556666:role/r",
        "arn:aws:sts::111122223333:assumed-role/app/s1",
        "444455556666",
        ACCOUNT,
        "cloudtrail.amazonaws.com",
    ]);
    let operations = pick(&[vec!["Decrypt"], vec!["Encrypt"], vec!["Decrypt", "Encrypt"]]);
    (to, operations, pick(&[ACCOUNT, "444455556666"])).prop_map(|(to, operations, issuer)| TestGrant {
        id: "g".to_owned(),
        to: to.to_owned(),
        operations: operations.into_iter().map(str::to_owned).collect(),
        issuer: issuer.to_owned(),
    })
}

fn world() -> impl Strategy<Value = World> {
    let held = pick(&[
        json!({}),
        json!({"aws:x": "a"}),
        json!({"aws:x": "b", "aws:y": "a"}),
        json!({"aws:x": ["a", "c"]}),
        json!({"aws:x": []}),
    ]);
    let asked = (
        pick(&CALLERS),
        pick(&ACTIONS),
        prop_oneof![4 => Just("key"), 1 => pick(&["account", "alias/x", "missing"])],
        proptest::bool::weighted(0.8),
        held,
    );
    let own = (
        proptest::collection::vec(document(false), 0..3),
        proptest::option::weighted(0.3, document(false)),
        proptest::option::weighted(0.3, document(false)),
        proptest::collection::vec(proptest::collection::vec(document(false), 0..3), 0..2),
    );
    let other = (
        document(true),
        proptest::collection::vec(statement("Deny", true).prop_map(|deny| vec![deny]), 0..2),
        proptest::option::weighted(0.2, document(true)),
        proptest::collection::vec(grant(), 0..3),
    );
    (asked, own, other).prop_map(|(asked, own, other)| {
        let (caller, action, on, cross_account, held) = asked;
        let (identity, boundary, session, service_control) = own;
        let (key, resource_control, endpoint, grants) = other;
        World {
            caller: caller.to_owned(),
            action: action.to_owned(),
            on: on.to_owned(),
            cross_account,
            keys: Keys::from_json(&held),
            key,
            identity,
            boundary,
            session,
            service_control,
            resource_control,
            endpoint,
            grants,
        }
    })
}

/// Where a statement can be added.
#[derive(Debug, Clone, Copy)]
enum Place {
    Key,
    Identity,
    Boundary,
    Session,
    ServiceControl,
    ResourceControl,
    Endpoint,
}

fn place() -> impl Strategy<Value = Place> {
    use Place::*;
    pick(&[Key, Identity, Boundary, Session, ServiceControl, ResourceControl, Endpoint])
}

/// Adds a statement to a document that is there. A new document in place of none could narrow what it stands for.
fn add(world: &mut World, place: Place, mut statement: Value) {
    let takes_principal = matches!(place, Place::Key | Place::ResourceControl | Place::Endpoint);
    if !takes_principal {
        let members = statement.as_object_mut().unwrap();
        members.remove("Principal");
        members.remove("NotPrincipal");
    }
    let document = match place {
        Place::Key => Some(&mut world.key),
        Place::Identity => world.identity.first_mut(),
        Place::Boundary => world.boundary.as_mut(),
        Place::Session => world.session.as_mut(),
        Place::ServiceControl => world.service_control.first_mut().and_then(|level| level.first_mut()),
        Place::ResourceControl => world.resource_control.first_mut(),
        Place::Endpoint => world.endpoint.as_mut(),
    };
    if let Some(document) = document {
        document.push(statement);
    }
}

fn is_allowed(world: &World) -> bool {
    oracle::coarse(&world.decide().code) == "allow"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn both_evaluators_decide_alike(world in world()) {
        let (found, expected) = (world.decide(), oracle::judge(&world));
        prop_assert_eq!(oracle::coarse(&found.code), expected);
    }

    #[test]
    fn another_deny_never_gives_access(world in world(), place in place(), deny in statement("Deny", true)) {
        let mut after = world.clone();
        add(&mut after, place, deny);
        prop_assert!(is_allowed(&world) || !is_allowed(&after));
    }

    #[test]
    fn another_allow_never_takes_access(world in world(), place in place(), allow in statement("Allow", true)) {
        let mut after = world.clone();
        add(&mut after, place, allow);
        prop_assert!(!is_allowed(&world) || is_allowed(&after));
    }

    #[test]
    fn another_grant_never_takes_access_and_one_less_never_gives_it(world in world(), grant in grant()) {
        let mut after = world.clone();
        after.grants.push(grant);
        prop_assert!(!is_allowed(&world) || is_allowed(&after));
    }

    #[test]
    fn another_ceiling_never_gives_access(world in world(), document in document(false)) {
        let mut after = world.clone();
        after.service_control.push(vec![document]);
        prop_assert!(is_allowed(&world) || !is_allowed(&after));
    }

    #[test]
    fn the_order_of_grants_decides_nothing(world in world()) {
        let mut after = world.clone();
        after.grants.reverse();
        prop_assert_eq!(world.decide().code, after.decide().code);
    }

    #[test]
    fn another_account_learns_nothing_of_the_key(world in world(), other in document(true)) {
        // Whatever the key's policy says, and whether or not there is a key: denied on the key's side, the answer is one.
        let (mut missing, mut changed) = (world.clone(), world.clone());
        missing.on = "missing".to_owned();
        changed.key = other;
        let is_foreign = world.on == "key" && world.caller().account != Some(ACCOUNT) && world.caller != "cloudtrail";
        if is_foreign && changed.decide().code == "X" && world.decide().code == "X" {
            prop_assert_eq!(missing.decide().code, "X");
        }
    }
}
