//! `trent policy`: what is said of a document before it is put, and why somebody may or may not.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::admin::done;
use crate::support::{ACCOUNT, Ask, Server, finish, serve, trent};

const ROOT: &str = "arn:aws:iam::111122223333:root";

fn written(dir: &Path, name: &str, document: &Value) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, document.to_string()).unwrap();
    path
}

fn check(path: &Path, more: &[&str]) -> (i32, String, String) {
    finish(trent(&["policy", "check"]).arg(path).args(more))
}

fn delegation() -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}]})
}

#[test]
fn a_policy_without_faults_has_nothing_said_against_it() {
    let dir = tempfile::tempdir().unwrap();
    let (code, stdout, _) = check(&written(dir.path(), "p", &delegation()), &["--account", "111122223333"]);
    assert_eq!((code, &*stdout), (0, "Nothing to say against it.\n"));
    let mut child =
        trent(&["policy", "check", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(delegation().to_string().as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn errors_are_those_of_the_api_and_fail() {
    let dir = tempfile::tempdir().unwrap();
    let said = |document: &str| {
        let path = dir.path().join("p");
        fs::write(&path, document).unwrap();
        let (code, stdout, _) = check(&path, &["--json"]);
        let report: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(code, 1, "{stdout}");
        assert!(!report["errors"][0]["advice"].as_str().unwrap().is_empty());
        (report["errors"][0]["code"].clone(), report["errors"][0]["message"].clone())
    };
    let locked_out = "The new key policy will not allow you to update the key policy in the future.";
    let only_use = json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:Encrypt", "Resource": "*"}});
    assert_eq!(said(&only_use.to_string()), (json!("MalformedPolicyDocumentException"), json!(locked_out)));
    let group = delegation().to_string().replace(ROOT, "arn:aws:iam::111122223333:group/admins");
    let invalid_arn = "An ARN in the specified key policy is invalid.";
    assert_eq!(said(&group), (json!("InvalidArnException"), json!(invalid_arn)));
    let gone = delegation().to_string().replace(ROOT, "AROADBQP57FF2AEXAMPLE");
    let nobody = "Policy contains a statement with one or more invalid principals.";
    assert_eq!(said(&gone), (json!("MalformedPolicyDocumentException"), json!(nobody)));
    let large = format!("{}{}", delegation(), " ".repeat(32_768));
    assert_eq!(said(&large).0, "LimitExceededException");
    assert_eq!(said("{\"Id\": \"\u{20ac}\"}").0, "ValidationException");
    assert!(said("{]").1.as_str().unwrap().starts_with("not valid JSON at byte 1"));
}

#[test]
fn warnings_fail_only_where_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let open = json!({"Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"},
        {"Sid": "open", "Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}]});
    let path = written(dir.path(), "p", &open);
    let (code, stdout, _) = check(&path, &[]);
    assert_eq!(code, 0);
    assert!(stdout.contains("warning open-to-everyone, Statement[1] (Sid `open`): "), "{stdout}");
    assert_eq!(check(&path, &["--deny-warnings"]).0, 1);
    assert_eq!(check(&dir.path().join("missing"), &[]).0, 2);
}

fn explain(data: &Path, arguments: &[&str]) -> (i32, Value, String) {
    let mut command = trent(&["policy", "explain", "--json", "--data-dir"]);
    let (code, stdout, stderr) = finish(command.arg(data).args(arguments));
    (code, serde_json::from_str(&stdout).unwrap_or_default(), stderr)
}

#[test]
fn a_decision_is_explained_as_it_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let (data, server) = (dir.path(), Server::start(&mut serve(dir.path())));
    done(data, &["user", "add", "alice", "--account", ACCOUNT]);
    let made = done(data, &["access-key", "add", "--account", ACCOUNT, "--user", "alice", "--json"]);
    let made: Value = serde_json::from_str(&made).unwrap();
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let key = server.call("CreateKey", &json!({})).1["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
    let request = json!({"KeyId": key, "Plaintext": "AAAA", "EncryptionContext": {"App": "web"}});
    let alice = format!("arn:aws:iam::{ACCOUNT}:user/alice");
    let mut question = vec!["--principal", &*alice, "--action", "kms:Encrypt", "--key", &*key];

    let (code, told, _) = explain(data, &question);
    let (status, answer) = server.call_as(id, secret, "Encrypt", &request);
    assert_eq!((code, status), (3, 400));
    assert_eq!(told["message"], answer["Message"]);
    assert_eq!(told["policies"][0]["delegates"], "Statement[0] (Sid `Enable IAM User Permissions`)");
    assert!(
        told["needs"][0].as_str().unwrap().contains("an identity policy that allows kms:Encrypt"),
        "{told}"
    );

    let policy = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*",
        "Condition": {"StringEquals": {"kms:EncryptionContext:App": "web"}}}});
    let path = written(data, "policy.json", &policy);
    done(
        data,
        &[
            "user",
            "put-inline",
            "alice",
            "--account",
            ACCOUNT,
            "--policy",
            "web",
            "--document",
            path.to_str().unwrap(),
        ],
    );
    let (code, told, _) = explain(data, &question);
    assert_eq!(code, 3);
    let near =
        "`StringEquals` of `kms:EncryptionContext:App` is not met: the request has no such condition key";
    let identity = told["policies"].as_array().unwrap().iter().find(|p| p["kind"] == "identity-based policy");
    assert_eq!(identity.unwrap()["near"][0]["because"][0], near);

    question.extend(["--context", "kms:EncryptionContext:App=web"]);
    let (code, told, _) = explain(data, &question);
    assert_eq!((code, told["allowed"].as_bool()), (0, Some(true)), "{told}");
    assert_eq!(server.call_as(id, secret, "Encrypt", &request).0, 200);
}

#[test]
fn another_key_policy_is_tried_without_being_put() {
    let dir = tempfile::tempdir().unwrap();
    let (data, server) = (dir.path(), Server::start(&mut serve(dir.path())));
    let key = server.call("CreateKey", &json!({})).1["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
    let admin = format!("arn:aws:iam::{ACCOUNT}:user/admin");
    let closed = json!({"Statement": {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}});
    let path = written(data, "closed.json", &closed);
    let file = path.to_str().unwrap();
    let mut question = vec!["--action", "Decrypt", "--key", &*key];
    assert_eq!(explain(data, &[&question[..], &["--principal", &admin]].concat()).0, 0);
    question.extend(["--key-policy", file]);
    let (code, told, _) = explain(data, &[&question[..], &["--principal", &admin]].concat());
    assert_eq!(code, 3);
    assert!(told["message"].as_str().unwrap().contains("no resource-based policy allows"), "{told}");
    let source = format!("aws:SourceAccount={ACCOUNT}");
    let service = ["--principal", "s3.amazonaws.com", "--context", &source];
    assert_eq!(explain(data, &[&question[..], &service].concat()).0, 0);
    assert_eq!(explain(data, &[&question[..], &service[..2]].concat()).0, 3);
}

#[test]
fn questions_without_an_answer_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let admin = format!("arn:aws:iam::{ACCOUNT}:user/admin");
    let _server = Server::start(&mut serve(dir.path()));
    let id = "11111111-1111-1111-1111-111111111111";
    for (arguments, expected) in [
        (&["--principal", "alice", "--action", "kms:Decrypt", "--key", id][..], "give the ARN of a user"),
        (&["--principal", &admin, "--action", "kms:Decrypt", "--key", id], "another Region with --region"),
        (&["--principal", &admin, "--action", "kms:Decrypt"], "name it with --key"),
        (&["--principal", &admin, "--action", "kms:CreateKey", "--key", id], "leave --key out"),
        (&["--principal", &admin, "--action", "kms:ReEncrypt", "--key", id], "kms:ReEncryptFrom"),
        (&["--principal", &admin, "--action", "kms:Decipher", "--key", id], "there is no action"),
    ] {
        let (code, _, stderr) = explain(dir.path(), arguments);
        assert_eq!(code, 1, "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    }
    assert_eq!(explain(dir.path(), &["--principal", &admin, "--action", "kms:CreateKey"]).0, 0);
}
