//! `trent dev`.

use std::fs;

use serde_json::json;

use crate::support::{ACCESS_KEY, Ask, SECRET, Server, exchange, misused, names_in, serve, trent};

const DEV: [&str; 3] = ["dev", "--listen", "127.0.0.1:0"];

#[test]
fn the_key_that_everybody_knows_does_everything_and_nothing_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(trent(&DEV).env("TMPDIR", dir.path()).current_dir(dir.path()));
    let (status, answer) = server.call_as("test", "test", "CreateKey", &json!({}));
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["KeyMetadata"]["AWSAccountId"], "000000000000");
    let (status, _) = server.call_as("test", "wrong", "CreateKey", &json!({}));
    assert_eq!(status, 400);
    assert_eq!(names_in(dir.path()).len(), 1, "the temporary directory");
    assert_eq!(server.stop(), 0);
    assert!(names_in(dir.path()).is_empty());
}

#[test]
fn any_credentials_are_those_of_the_root() {
    let server = Server::start(trent(&DEV).arg("--any-credentials"));
    assert!(server.log().contains("whatever they sign with"), "{}", server.log());
    let (status, answer) = server.call_as("AKIAWHOEVERWHOEVER00", "whatever", "CreateKey", &json!({}));
    assert_eq!(status, 200, "{answer}");
    let headers: &[(&str, &[u8])] = &[
        ("host", b"localhost"),
        ("content-type", b"application/x-amz-json-1.1"),
        ("x-amz-target", b"TrentService.ListKeys"),
    ];
    let (status, answer) = exchange(server.kms, "POST", "/", headers, b"{}");
    assert_eq!(status, 200, "{answer}");
}

#[test]
fn any_credentials_are_for_this_machine_alone() {
    let line = ["dev", "--listen", "0.0.0.0:0", "--allow-plain-http", "--any-credentials"];
    let (code, _, stderr) = crate::support::finish(&mut trent(&line));
    assert_eq!(code, 2, "{stderr}");
    let refused = misused(
        trent(&["dev", "--listen", "0.0.0.0:0", "--any-credentials"])
            .env("TRENT_HTTP__ALLOW_PLAIN_HTTP", "true"),
    );
    assert!(refused.contains("loopback"), "{refused}");
}

#[test]
fn a_data_directory_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = trent(&DEV);
    let command = command.arg("--data-dir").arg(dir.path());
    let first = Server::start(command);
    first.call_as("test", "test", "CreateKey", &json!({}));
    assert_eq!(first.stop(), 0);
    let second = Server::start(command);
    let (_, answer) = second.call_as("test", "test", "ListKeys", &json!({}));
    assert_eq!(answer["Keys"].as_array().unwrap().len(), 1);
}

#[test]
fn data_that_counts_is_not_served() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&mut serve(dir.path()));
    let (status, _) = server.call_as(ACCESS_KEY, SECRET, "ListKeys", &json!({}));
    assert_eq!((status, server.stop()), (200, 0));
    let mut command = trent(&DEV);
    let refused = misused(command.arg("--data-dir").arg(dir.path()));
    assert!(refused.contains("not made by `trent dev`"), "{refused}");
    assert!(fs::exists(dir.path().join("root.key")).unwrap());
}
