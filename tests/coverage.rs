//! Each operation of the API is either built and tested, or recorded as missing; never both, never neither.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use trent_domain::operations::{Names, On, rules};
use trent_protocol::Operation;
use trent_testkit::{Subject, TestKms, file_name, request, told};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of the workspace").to_owned()
}

/// The family and the path of an operation's file below `folder`.
fn file(folder: &str, operation: Operation) -> Option<(String, PathBuf)> {
    let families = fs::read_dir(root().join(folder)).expect("the families");
    let mut files = families.map(|family| {
        let family = family.expect("a family");
        (family.file_name().to_string_lossy().into_owned(), family.path().join(file_name(operation) + ".rs"))
    });
    files.find(|(_, file)| file.is_file())
}

fn handler(operation: Operation) -> Option<(String, PathBuf)> {
    file("crates/service/src/operations", operation)
}

/// The recorded gaps: the rows of the page's tables, operation and what is missing.
fn known_gaps() -> BTreeMap<Operation, String> {
    let page = fs::read_to_string(root().join("docs/book/known-gaps.md")).expect("the page of known gaps");
    let mut gaps = BTreeMap::new();
    for line in page.lines() {
        let cells: Vec<_> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        let [name, missing] = cells[..] else { continue };
        let known = Operation::ALL.into_iter().find(|operation| operation.name() == name.trim_matches('`'));
        if let Some(operation) = known {
            assert_eq!(gaps.insert(operation, missing.to_owned()), None, "{operation} is recorded twice");
        }
    }
    gaps
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn each_operation_is_either_built_or_recorded_as_missing() {
    let gaps = known_gaps();
    for operation in Operation::ALL {
        match (handler(operation), gaps.get(&operation)) {
            (Some(_), None) => {}
            (None, Some(missing)) => assert!(!missing.is_empty(), "{operation}: say what is missing"),
            (None, None) => panic!("{operation} is neither built nor recorded in docs/book/known-gaps.md"),
            (Some(_), Some(_)) => panic!("{operation} is built: take it out of docs/book/known-gaps.md"),
        }
    }
}

#[test]
fn each_handler_handles_its_operation() {
    for operation in Operation::ALL {
        if let Some((_, path)) = handler(operation) {
            assert!(
                read(&path).contains(&format!("impl Handle for {operation}Request")),
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn each_built_operation_has_api_tests_in_its_family() {
    for operation in Operation::ALL {
        let Some((family, _)) = handler(operation) else { continue };
        let (tested_in, path) =
            file("tests/api", operation).unwrap_or_else(|| panic!("{operation} has no API tests"));
        assert_eq!(tested_in, family, "{operation}");
        assert!(read(&path).contains("#[tokio::test]"), "{} has no test", path.display());
        let family = path.with_file_name("mod.rs");
        let module = format!("mod {};", file_name(operation));
        assert!(read(&family).contains(&module), "{} does not have `{module}`", family.display());
    }
}

#[test]
fn each_operation_has_a_row_of_key_states() {
    let table: Value = serde_json::from_str(include_str!("data/key_states.json")).expect("JSON");
    let rows = table["operations"].as_object().expect("rows");
    let gaps = known_gaps();
    for operation in Operation::ALL {
        let name = operation.name();
        let mut own = rows.iter().filter(|(row, _)| row.split(", ").next() == Some(name)).peekable();
        assert!(own.peek().is_some(), "{operation} has no row");
        for (row, answers) in own {
            let unsupported =
                answers.as_array().expect("answers").iter().all(|answer| answer == "unsupported");
            assert_eq!(unsupported, gaps.contains_key(&operation), "{row}");
        }
    }
}

#[test]
fn each_operation_has_a_table_of_bad_input() {
    let gaps = known_gaps();
    for operation in Operation::ALL {
        let path = root().join("tests/data/bad_input").join(file_name(operation) + ".json");
        let table: Value = serde_json::from_str(&read(&path)).expect("JSON");
        // What is not built can be wrong on the wire alone.
        let least = if gaps.contains_key(&operation) { 3 } else { 8 };
        assert!(table.as_array().is_some_and(|cases| cases.len() >= least), "{}", path.display());
    }
}

#[test]
fn each_row_of_the_operation_table_agrees_with_the_requests_of_its_operation() {
    let subject = Subject {
        key: "key".to_owned(),
        blob: String::new(),
        alias: "alias/a".to_owned(),
        free_alias: "alias/b".to_owned(),
        grant: "0".repeat(64),
    };
    for operation in Operation::ALL {
        let (rules, request) = (rules(operation), request(operation, &subject));
        let names_a_key =
            ["KeyId", "TargetKeyId", "DestinationKeyId"].iter().any(|name| !request[*name].is_null());
        if names_a_key {
            assert_ne!(rules.names, Names::None, "{operation}");
        }
        if rules.on == On::Account {
            assert!(!names_a_key, "{operation}");
        }
    }
}

#[tokio::test]
async fn a_gap_says_so_and_nothing_that_is_built_does() {
    let kms = TestKms::new().await;
    let gaps = known_gaps();
    for operation in Operation::ALL {
        let subject = Subject::of(&kms, operation).await;
        let answer = kms.call(operation, request(operation, &subject)).await;
        let unsupported =
            format!("UnsupportedOperationException: {operation} is not supported by this version of trent.");
        let says_so = answer.as_ref().is_err_and(|error| told(error) == unsupported);
        assert_eq!(says_so, gaps.contains_key(&operation), "{operation}: {answer:?}");
    }
}
