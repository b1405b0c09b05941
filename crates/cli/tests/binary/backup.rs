//! Backup while serving, restore elsewhere.

use std::fs;

use serde_json::json;

use crate::support::{Ask, Server, finish, misused, serve, trent};

#[test]
fn a_backup_of_a_server_that_runs_is_restored_and_serves() {
    let dir = tempfile::tempdir().unwrap();
    let (data, copy, other) = (dir.path().join("data"), dir.path().join("copy.db"), dir.path().join("other"));
    let server = Server::start(&mut serve(&data));
    let blob = server.encrypted_hello();
    let (code, told, stderr) = finish(trent(&["backup"]).arg(&copy).arg("--data-dir").arg(&data));
    assert_eq!(code, 0, "{stderr}");
    assert!(told.contains("root key is not in it"), "{told}");
    server.ok("CreateKey", &json!({}));

    let (code, told, stderr) = finish(trent(&["restore"]).arg(&copy).arg("--data-dir").arg(&other));
    assert_eq!(code, 0, "{stderr}");
    assert!(told.contains("root.key"), "{told}");
    assert!(misused(&mut serve(&other)).contains("root.key is missing"));
    fs::copy(data.join("root.key"), other.join("root.key")).unwrap();
    let restored = Server::start(&mut serve(&other));
    restored.decrypts_to_hello(&blob);
    assert_eq!(restored.ok("ListKeys", &json!({}))["Keys"].as_array().unwrap().len(), 1);
}

#[test]
fn a_backup_without_a_server_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (data, copy, other) = (dir.path().join("data"), dir.path().join("copy.db"), dir.path().join("other"));
    let server = Server::start(&mut serve(&data));
    let blob = server.encrypted_hello();
    assert_eq!(server.stop(), 0);
    assert_eq!(finish(trent(&["backup"]).arg(&copy).arg("--data-dir").arg(&data)).0, 0);
    assert_eq!(finish(trent(&["restore"]).arg(&copy).arg("--data-dir").arg(&other)).0, 0);
    fs::copy(data.join("root.key"), other.join("root.key")).unwrap();
    Server::start(&mut serve(&other)).decrypts_to_hello(&blob);
}

#[test]
fn nothing_is_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let (data, copy) = (dir.path().join("data"), dir.path().join("copy.db"));
    let server = Server::start(&mut serve(&data));
    fs::write(&copy, "mine").unwrap();
    let refused = misused(trent(&["backup"]).arg(&copy).arg("--data-dir").arg(&data));
    assert!(refused.contains("is there already"), "{refused}");
    assert_eq!(fs::read(&copy).unwrap(), b"mine");
    fs::remove_file(&copy).unwrap();
    assert_eq!(finish(trent(&["backup"]).arg(&copy).arg("--data-dir").arg(&data)).0, 0);
    drop(server);
    let refused = misused(trent(&["restore"]).arg(&copy).arg("--data-dir").arg(&data));
    assert!(refused.contains("is not empty"), "{refused}");
}

#[test]
fn what_is_no_backup_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "no database").unwrap();
    let (code, _, stderr) =
        finish(trent(&["restore"]).arg(&file).arg("--data-dir").arg(dir.path().join("data")));
    assert_eq!((code, stderr.trim_end().lines().count()), (1, 1), "{stderr}");
    misused(trent(&["restore", "/not/there"]).arg("--data-dir").arg(dir.path().join("data")));
    misused(trent(&["backup"]).arg(dir.path().join("copy")).arg("--data-dir").arg(dir.path().join("none")));
}
