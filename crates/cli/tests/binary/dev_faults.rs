//! The faults of `trent dev`.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::admin::{done, refused};
use crate::dev_clock::{dev, new_key, ok};
use crate::support::{Ask, Server, serve, trent};

fn answer(server: &Server, operation: &str, body: &Value) -> (u16, Value) {
    server.call_as("test", "test", operation, body)
}

#[test]
fn faults_are_answers_as_the_model_has_them_and_end_when_they_are_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let (data, server) = (dir.path(), dev(dir.path()));
    let key = new_key(&server);
    let describe = || answer(&server, "DescribeKey", &json!({"KeyId": key}));
    for (kind, operation, status, code) in [
        ("throttling", "DescribeKey", 400, "ThrottlingException"),
        ("internal-error", "DescribeKey", 500, "KMSInternalException"),
        ("dependency-timeout", "DescribeKey", 500, "DependencyTimeoutException"),
        ("key-unavailable", "Encrypt", 500, "KeyUnavailableException"),
    ] {
        done(data, &["fault", "add", kind]);
        let body = match operation {
            "Encrypt" => json!({"KeyId": key, "Plaintext": "aGk="}),
            _ => json!({"KeyId": key}),
        };
        let (told, body) = answer(&server, operation, &body);
        assert_eq!((told, body["__type"].as_str()), (status, Some(code)), "{body}");
        assert!(body["message"].is_string(), "{body}");
        done(data, &["fault", "clear"]);
        assert_eq!(describe().0, 200);
    }
    // A stranger is told what strangers are told.
    done(data, &["fault", "add", "throttling"]);
    let (_, body) = server.call_as("test", "wrong", "ListKeys", &json!({}));
    assert_eq!(body["__type"], "InvalidSignatureException");
}

#[test]
fn a_fault_strikes_the_operations_and_the_key_that_it_is_for_as_often_as_it_is_to() {
    let dir = tempfile::tempdir().unwrap();
    let (data, server) = (dir.path(), dev(dir.path()));
    let (struck, spared) = (new_key(&server), new_key(&server));
    let name = struck.as_str().unwrap();
    let arn = ok(&server, "DescribeKey", &json!({"KeyId": struck}))["KeyMetadata"]["Arn"].clone();
    ok(&server, "CreateAlias", &json!({"AliasName": "alias/struck", "TargetKeyId": struck}));
    let sealed = |key: &Value| ok(&server, "Encrypt", &json!({"KeyId": key, "Plaintext": "aGk="}));
    let (blob, other) =
        (sealed(&struck)["CiphertextBlob"].clone(), sealed(&spared)["CiphertextBlob"].clone());
    let words = ["fault", "add", "throttling", "--operation", "Decrypt", "--operation", "DescribeKey"];
    done(data, &[&words[..], &["--key", name, "--count", "3"]].concat());
    let status = |operation: &str, body: Value| answer(&server, operation, &body).0;
    assert_eq!(status("Decrypt", json!({"CiphertextBlob": other})), 200);
    assert_eq!(status("DescribeKey", json!({"KeyId": spared})), 200);
    assert_eq!(status("GetKeyPolicy", json!({"KeyId": struck})), 200);
    // By what the blob says, by alias, by ARN.
    assert_eq!(status("Decrypt", json!({"CiphertextBlob": blob})), 400);
    assert_eq!(status("DescribeKey", json!({"KeyId": "alias/struck"})), 400);
    assert_eq!(status("DescribeKey", json!({"KeyId": arn})), 400);
    assert_eq!(status("DescribeKey", json!({"KeyId": arn})), 200);
    assert_eq!(status("Decrypt", json!({"CiphertextBlob": blob})), 200);
    let list = done(data, &["fault", "list"]);
    assert!(list.contains("throttling  Decrypt DescribeKey") && list.contains("3 of 3"), "{list}");
    done(data, &["fault", "remove", "1"]);
    assert!(refused(data, &["fault", "remove", "1"]).contains("no fault 1"));
}

#[test]
fn a_rate_strikes_the_same_requests_for_the_same_seed() {
    let dir = tempfile::tempdir().unwrap();
    let (data, server) = (dir.path(), dev(dir.path()));
    let round = |seed: &str| {
        done(data, &["fault", "clear"]);
        done(data, &["fault", "add", "throttling", "--rate", "0.5", "--seed", seed]);
        (0..40).map(|_| answer(&server, "ListKeys", &json!({})).0).collect::<Vec<_>>()
    };
    let (first, again, other) = (round("1"), round("1"), round("2"));
    assert_eq!(first, again);
    assert_ne!(first, other);
    let struck = first.iter().filter(|status| **status == 400).count();
    assert!((8..32).contains(&struck), "{struck}");
}

#[test]
fn answers_come_late() {
    let dir = tempfile::tempdir().unwrap();
    let (data, server) = (dir.path(), dev(dir.path()));
    done(data, &["fault", "add", "latency", "--delay", "300ms-400ms"]);
    let started = Instant::now();
    assert_eq!(answer(&server, "ListKeys", &json!({})).0, 200);
    assert!(started.elapsed() >= Duration::from_millis(300), "{:?}", started.elapsed());
}

#[test]
fn connections_are_reset() {
    let server = Server::start(&mut trent(&["dev", "--listen", "127.0.0.1:0", "--any-credentials"]));
    server.wait_for_log("clock advance");
    let dir = server.log();
    let dir = dir.split("--data-dir ").nth(1).unwrap().split(' ').next().unwrap();
    done(dir.as_ref(), &["fault", "add", "reset", "--count", "1"]);
    let ask = || {
        let mut stream = TcpStream::connect(server.kms).unwrap();
        let head = "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
                    x-amz-target: TrentService.ListKeys\r\ncontent-length: 2\r\n\r\n{}";
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map(|_| answer)
    };
    assert_eq!(ask().unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(ask().unwrap().starts_with(b"HTTP/1.1 200"));
}

#[test]
fn what_cannot_be_is_refused_with_a_word_of_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let (data, _server) = (dir.path(), dev(dir.path()));
    for (words, told) in [
        (&["key-unavailable", "--operation", "ListKeys"][..], "ListKeys never fails so"),
        (&["throttling", "--operation", "encrypt"], "such as GenerateDataKey"),
        (&["throttling", "--key", "alias/x"], "give one, or a key ARN"),
        (&["throttling", "--rate", "2"], "from 0 to 1"),
        (&["throttling", "--delay", "1s"], "for latency alone"),
        (&["latency"], "--delay says it"),
        (&["latency", "--delay", "2s-1s"], "the shorter comes first"),
    ] {
        let refused = refused(data, &[&["fault", "add"], words].concat());
        assert!(refused.contains(told), "{refused}");
    }
    assert_eq!(done(data, &["fault", "list"]).lines().count(), 1);
}

#[test]
fn serve_has_no_faults() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&mut serve(dir.path()));
    for words in [&["fault", "add", "throttling"][..], &["fault", "list"], &["fault", "clear"]] {
        assert!(refused(dir.path(), words).contains("none of `trent dev`"));
    }
    assert_eq!(server.call("ListKeys", &json!({})).0, 200);
}
