//! Every operation on a key in every state that keys can be in, against `data/key_states.json`.
//!
//! The table is that of the developer guide, its codes written out as answers: so each cell is run on a fresh
//! key that was brought into the state, and answered word for word.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use trent_domain::operations::{On, rules};
use trent_protocol::Operation;
use trent_testkit::{HsmWorld, ImportParameters, Subject, TestKms, fresh_material, request, told};

/// The table as it is in the file.
struct Table {
    states: Vec<String>,
    answers: BTreeMap<String, Option<String>>,
    rows: BTreeMap<String, Vec<String>>,
    /// Answers of another name, by row, to a key that is disabled beside being unavailable.
    of_disabled: BTreeMap<String, String>,
}

impl Table {
    fn read() -> Self {
        Self::parse(include_str!("data/key_states.json"))
    }

    /// The states that only multi-Region keys have.
    fn of_multi_region_keys() -> Self {
        Self::parse(include_str!("data/key_states_multi_region.json"))
    }

    /// The states of keys in external key stores, which no other key shares with them.
    fn of_stored_keys() -> Self {
        Self::parse(include_str!("data/key_states_in_stores.json"))
    }

    /// The same of keys in CloudHSM key stores, of which some is told in other words.
    fn of_hsm_keys() -> Self {
        let text = include_str!("data/key_states_in_stores.json");
        let mut file: Value = serde_json::from_str(text).expect("JSON");
        let own: BTreeMap<_, _> =
            serde_json::from_value(file["answers_in_hsms"].take()).expect("answers by name");
        let mut table = Self::of_stored_keys();
        assert!(own.keys().all(|name| table.answers.contains_key(name)));
        table.answers.extend(own);
        table
    }

    fn parse(text: &str) -> Self {
        let mut file: Value = serde_json::from_str(text).expect("JSON");
        let mut part = |name: &str| file[name].take();
        Self {
            states: serde_json::from_value(part("states")).expect("a list of states"),
            answers: serde_json::from_value(part("answers")).expect("answers by name"),
            rows: serde_json::from_value(part("operations")).expect("rows by operation"),
            of_disabled: serde_json::from_value(part("unavailable_and_disabled")).unwrap_or_default(),
        }
    }
}

/// The operation of a row; `ReEncrypt, source` and `ReEncrypt, destination` are both rows of ReEncrypt.
fn operation(row: &str) -> Operation {
    let name = row.split(", ").next().unwrap_or_default();
    Operation::ALL
        .into_iter()
        .find(|operation| operation.name() == name)
        .unwrap_or_else(|| panic!("no operation {row}"))
}

/// The request of a row on `subject`, which is not yet in its state; in rows with two keys, the other one is `other`.
async fn request_of(kms: &TestKms, row: &str, subject: &Subject, other: &Subject) -> Value {
    let mut request = request(operation(row), subject);
    match row {
        "ReEncrypt, source" => request["DestinationKeyId"] = json!(other.key),
        "ReEncrypt, destination" => request["CiphertextBlob"] = json!(other.blob),
        "UpdateAlias, current target" => request["TargetKeyId"] = json!(other.key),
        "UpdateAlias, new target" => request["AliasName"] = json!(other.alias),
        "ListAliases" => request["KeyId"] = json!(subject.key),
        "ImportKeyMaterial" => {
            let parameters = ImportParameters::of(kms, &subject.key, "RSAES_OAEP_SHA_256", "RSA_2048").await;
            request = parameters.request(&fresh_material("SYMMETRIC_DEFAULT"));
            request["ImportType"] = json!("NEW_KEY_MATERIAL");
        }
        _ => assert!(!row.contains(", "), "no request for row {row}"),
    }
    request
}

/// The key of a row and another one, both of a kind that its operation works with. Only a key whose material is imported
/// can wait for its import.
async fn subjects(kms: &TestKms, row: &str, state: &str) -> (Subject, Subject) {
    let other = Subject::of(kms, operation(row)).await;
    let subject = match state {
        "PendingImport" => Subject::imported(kms, operation(row)).await,
        _ => Subject::of(kms, operation(row)).await,
    };
    (subject, other)
}

async fn bring_into(kms: &TestKms, state: &str, key: &str) {
    match state {
        "Enabled" => {}
        "Disabled" => kms.disable(key).await,
        "PendingDeletion" => kms.schedule_deletion(key).await,
        "PendingImport" => {
            kms.ok(Operation::DeleteImportedKeyMaterial, json!({"KeyId": key})).await;
        }
        _ => panic!("no way into state {state}"),
    }
    let pending = kms.metadata(key).await["MultiRegionConfiguration"]["ReplicaKeys"].as_array().map(Vec::len);
    // A primary with replicas waits for them first.
    let state =
        if state == "PendingDeletion" && pending == Some(1) { "PendingReplicaDeletion" } else { state };
    assert_eq!(kms.metadata(key).await["KeyState"], state);
}

/// A multi-Region key in a state that no other key has, related to one in the Region that requests name.
async fn related_in(kms: &TestKms, state: &str, operation: Operation) -> Subject {
    let there = kms.in_region("eu-west-1");
    let subject = match state {
        "PendingReplicaDeletion" => {
            let subject = Subject::primary(kms, operation).await;
            kms.ok(Operation::ReplicateKey, request(Operation::ReplicateKey, &subject)).await;
            kms.schedule_deletion(&subject.key).await;
            subject
        }
        "Creating" => Subject::replica(kms, &there, operation).await,
        "Updating" => {
            let subject = Subject::replica(kms, &there, operation).await;
            kms.clock.advance_millis(60_000);
            kms.run_jobs().await;
            let promote = json!({"KeyId": subject.key, "PrimaryRegion": kms.region.as_str()});
            there.ok(Operation::UpdatePrimaryRegion, promote).await;
            subject
        }
        _ => panic!("no way into state {state}"),
    };
    assert_eq!(kms.metadata(&subject.key).await["KeyState"], state);
    subject
}

#[test]
fn every_operation_has_a_row() {
    let table = Table::read();
    for operation in Operation::ALL {
        let rows = table.rows.keys().filter(|row| self::operation(row) == operation).count();
        assert!(rows > 0, "{operation} has no row");
    }
    assert!(
        table.rows.values().all(|row| row.len() == table.states.len()),
        "a row has one answer for each state"
    );
}

#[tokio::test]
async fn every_cell_is_answered_as_the_table_says() {
    let (kms, table) = (TestKms::new().await, Table::read());
    let mut wrong = Vec::new();
    for (row, answers) in &table.rows {
        for (state, answer) in table.states.iter().zip(answers) {
            let (subject, other) = subjects(&kms, row, state).await;
            let request = request_of(&kms, row, &subject, &other).await;
            bring_into(&kms, state, &subject.key).await;
            let answer =
                table.answers.get(answer).unwrap_or_else(|| panic!("{row}: `{answer}` is no answer"));
            let expected = answer.as_ref().map(|answer| {
                answer.replace("{key}", &kms.arn(&subject.key)).replace("{operation}", operation(row).name())
            });
            let answered = kms.call(operation(row), request).await;
            let answered = answered.err().as_ref().map(told);
            if answered != expected {
                wrong.push(format!("{row} on {state}: expected {expected:?}, answered {answered:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_refused_operation_leaves_the_state_alone() {
    let (kms, table) = (TestKms::new().await, Table::read());
    for (row, answers) in &table.rows {
        for (state, answer) in table.states.iter().zip(answers) {
            if answer != "ok" {
                let (subject, other) = subjects(&kms, row, state).await;
                let request = request_of(&kms, row, &subject, &other).await;
                bring_into(&kms, state, &subject.key).await;
                let before = kms.metadata(&subject.key).await;
                kms.refused(operation(row), request).await;
                assert_eq!(kms.metadata(&subject.key).await, before, "{row} on {state}");
            }
        }
    }
}

#[tokio::test]
async fn every_cell_of_multi_region_keys_is_answered_as_the_table_says_and_a_refusal_changes_nothing() {
    let options = trent_service::Options { settling_seconds: 60, ..Default::default() };
    let (kms, table) = (TestKms::with_options(options).await, Table::of_multi_region_keys());
    let mut wrong = Vec::new();
    for (row, answers) in &table.rows {
        // Those of imported material have keys of another origin, in `key_kinds`.
        if trent_domain::operations::origin(operation(row)) == Some(trent_protocol::Origin::External) {
            continue;
        }
        for (state, answer) in table.states.iter().zip(answers) {
            let subject = related_in(&kms, state, operation(row)).await;
            let other = Subject::of(&kms, operation(row)).await;
            let before = kms.metadata(&subject.key).await;
            let expected = table.answers[answer].as_ref();
            let expected = expected.map(|answer| answer.replace("{key}", &kms.arn(&subject.key)));
            let request = request_of(&kms, row, &subject, &other).await;
            let answered = kms.call(operation(row), request).await;
            let answered = answered.err().as_ref().map(told);
            if answered != expected {
                wrong.push(format!("{row} on {state}: expected {expected:?}, answered {answered:?}"));
            }
            if answered.is_some() && kms.metadata(&subject.key).await != before {
                wrong.push(format!("{row} on {state}: something has changed"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How a key of a key store comes into a state: what is done with it, and whether the store is disconnected then. What is
/// shown is the same whichever way it came.
fn ways_into(state: &str) -> &[(&str, bool)] {
    match state {
        "Enabled" => &[("Enabled", false)],
        "Disabled" => &[("Disabled", false)],
        "PendingDeletion" => &[("PendingDeletion", false), ("PendingDeletion", true)],
        "Unavailable" => &[("Enabled", true), ("Disabled", true)],
        _ => panic!("no way into state {state}"),
    }
}

/// Runs the table on keys that `make` makes in a connected key store.
async fn check_stored(kms: &TestKms, table: &Table, store: &str, mut make: impl AsyncFnMut() -> String) {
    let mut wrong = Vec::new();
    for (row, answers) in &table.rows {
        for (state, answer) in table.states.iter().zip(answers) {
            for (base, is_disconnected) in ways_into(state) {
                let key = make().await;
                let (subject, other) = (Subject::of_key(kms, key).await, Subject::new(kms).await);
                let request = match row.as_str() {
                    // There is nothing to import into such a key.
                    "ImportKeyMaterial" => request(operation(row), &subject),
                    _ => request_of(kms, row, &subject, &other).await,
                };
                bring_into(kms, base, &subject.key).await;
                if *is_disconnected {
                    kms.disconnect_store(store).await;
                }
                let cell = format!("{row} on {state} ({base}, disconnected: {is_disconnected})");
                let before = kms.metadata(&subject.key).await;
                assert_eq!(
                    (&before["KeyState"], &before["Enabled"]),
                    (&json!(state), &json!(state == "Enabled"))
                );
                let own = table.of_disabled.get(row).filter(|_| *base == "Disabled" && *is_disconnected);
                let expected = table.answers[own.unwrap_or(answer)].as_ref().map(|answer| {
                    let answer = answer.replace("{key}", &kms.arn(&subject.key));
                    answer.replace("{operation}", operation(row).name())
                });
                let answered = kms.call(operation(row), request).await;
                let answered = answered.err().as_ref().map(told);
                if answered != expected {
                    wrong.push(format!("{cell}: expected {expected:?}, answered {answered:?}"));
                }
                if answered.is_some() && kms.metadata(&subject.key).await != before {
                    wrong.push(format!("{cell}: something has changed"));
                }
                if *is_disconnected {
                    kms.connect_store(store).await;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_cell_of_keys_in_external_key_stores_is_answered_as_the_table_says_and_a_refusal_changes_nothing()
 {
    let kms = TestKms::new().await;
    let store = kms.connected_store("store").await;
    let mut number = 0;
    let make = async || {
        number += 1;
        kms.create_key_in(&store, &format!("key-{number}")).await
    };
    check_stored(&kms, &Table::of_stored_keys(), &store, make).await;
}

#[tokio::test]
async fn every_cell_of_keys_in_hsms_is_answered_as_the_table_says_and_a_refusal_changes_nothing() {
    let world = HsmWorld::new();
    let kms = world.kms().await;
    let store = world.connected(&kms).await;
    let make = async || kms.create_hsm_key_in(&store).await;
    check_stored(&kms, &Table::of_hsm_keys(), &store, make).await;
}

#[test]
fn the_table_of_keys_in_key_stores_has_the_rows_of_that_of_multi_region_keys() {
    let (stored, multi_region) = (Table::of_stored_keys(), Table::of_multi_region_keys());
    assert!(stored.rows.keys().eq(multi_region.rows.keys()));
}

#[test]
fn the_table_of_multi_region_keys_has_every_operation_that_takes_them() {
    let (all, multi_region) = (Table::read(), Table::of_multi_region_keys());
    for (row, answers) in &all.rows {
        let takes_keys = rules(operation(row)).on == On::Key || row == "ListAliases";
        let built = answers.iter().any(|answer| answer != "unsupported");
        if takes_keys && built {
            assert!(multi_region.rows.contains_key(row), "no row {row}");
        }
    }
}
