//! `trent admin` and its socket.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{ACCESS_KEY, ACCOUNT, Ask, Server, finish, serve, trent};

pub(crate) fn admin(data: &Path, arguments: &[&str]) -> (i32, String, String) {
    finish(trent(&["admin", "--data-dir"]).arg(data).args(arguments))
}

#[track_caller]
pub(crate) fn done(data: &Path, arguments: &[&str]) -> String {
    let (code, stdout, stderr) = admin(data, arguments);
    assert_eq!(code, 0, "{arguments:?}: {stderr}");
    stdout
}

#[track_caller]
pub(crate) fn refused(data: &Path, arguments: &[&str]) -> String {
    let (code, _, stderr) = admin(data, arguments);
    assert_eq!((code, stderr.trim_end().lines().count()), (1, 1), "{arguments:?}: {stderr}");
    stderr
}

#[test]
fn accounts_users_and_access_keys_are_added_and_used() {
    let dir = tempfile::tempdir().unwrap();
    let (data, server) = (dir.path(), Server::start(&mut serve(dir.path())));
    done(data, &["account", "add", "444455556666", "--name", "second"]);
    done(data, &["user", "add", "bob", "--account", "444455556666", "--path", "/eng/", "--administrator"]);
    let made = done(data, &["access-key", "add", "--account", "444455556666", "--user", "bob", "--json"]);
    let made: Value = serde_json::from_str(&made).unwrap();
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let (status, answer) = server.call_as(id, secret, "CreateKey", &json!({}));
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["KeyMetadata"]["AWSAccountId"], "444455556666");

    let accounts = done(data, &["account", "list"]);
    assert!(
        accounts.starts_with("ACCOUNT       NAME    STATUS  MANAGED BY\n")
            && accounts.contains("444455556666  second  Active  database\n"),
        "{accounts}"
    );
    let users = done(data, &["user", "list"]);
    assert!(users.contains("arn:aws:iam::444455556666:user/eng/bob"), "{users}");
    let keys = done(data, &["access-key", "list"]);
    assert!(keys.contains(ACCESS_KEY) && keys.contains("user bob") && !keys.contains(secret), "{keys}");
}

#[test]
fn a_disabled_access_key_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&mut serve(dir.path()));
    let status = || server.call("ListKeys", &json!({})).0;
    assert_eq!(status(), 200);
    done(dir.path(), &["access-key", "disable", ACCESS_KEY]);
    assert_eq!(status(), 400);
    assert!(done(dir.path(), &["access-key", "list"]).contains("Inactive"));
    done(dir.path(), &["access-key", "enable", ACCESS_KEY]);
    assert_eq!(status(), 200);
}

#[test]
fn a_disabled_user_or_account_is_refused_at_once_with_all_its_access_keys() {
    let dir = tempfile::tempdir().unwrap();
    let (data, server) = (dir.path(), Server::start(&mut serve(dir.path())));
    let status = || server.call("ListKeys", &json!({})).0;
    let kinds: [(&str, &[&str]); 2] = [("account", &[ACCOUNT]), ("user", &["admin", "--account", ACCOUNT])];
    for (kind, name) in kinds {
        done(data, &[&[kind, "disable"], name].concat());
        assert_eq!(status(), 400, "{kind}");
        assert!(done(data, &[kind, "list"]).contains("  Inactive  "), "{kind}");
        done(data, &[&[kind, "enable"], name].concat());
        assert_eq!(status(), 200, "{kind}");
        assert!(!done(data, &[kind, "list"]).contains("Inactive"), "{kind}");
    }
    assert!(refused(data, &["user", "disable", "nobody", "--account", ACCOUNT]).contains("no user `nobody`"));
    assert!(refused(data, &["account", "disable", "999999999999"]).contains("no account"));
}

#[test]
fn what_cannot_be_done_is_told_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let missing = refused(dir.path(), &["account", "list"]);
    assert!(missing.contains("no server runs"), "{missing}");
    let _server = Server::start(&mut serve(dir.path()));
    assert!(refused(dir.path(), &["access-key", "disable", "AKIANOTTHERE"]).contains("no access key"));
    assert!(refused(dir.path(), &["account", "add", ACCOUNT, "--name", "x"]).contains("exists already"));
    assert!(refused(dir.path(), &["user", "add", "x", "--account", "999999999999"]).contains("no account"));
    let (code, _, _) = admin(dir.path(), &["account", "add", "123", "--name", "x"]);
    assert_eq!(code, 2);
}

#[test]
fn what_the_file_manages_is_shown_and_not_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (data, file) = (dir.path().join("data"), dir.path().join("identities.toml"));
    let text = "[[account]]\nid = \"777788889999\"\nname = \"filed\"\n[[account.user]]\nname = \"carol\"\n\
                [[account.user.access_key]]\nid = \"AKIACAROLCAROLCAROL0\"\nsecret = \"secret-of-carol\"\n";
    fs::write(&file, text).unwrap();
    let _server = Server::start(serve(&data).env("TRENT_IDENTITY__FILE", &file));
    assert!(done(&data, &["account", "list"]).contains("filed"));
    assert!(done(&data, &["user", "list"]).contains("carol"));
    assert!(done(&data, &["access-key", "list"]).contains("AKIACAROLCAROLCAROL0"));
    for arguments in [
        &["account", "add", "777788889999", "--name", "x"][..],
        &["user", "add", "carol", "--account", "777788889999"],
        &["access-key", "add", "--account", "777788889999", "--user", "carol"],
        &["access-key", "disable", "AKIACAROLCAROLCAROL0"],
    ] {
        assert!(refused(&data, arguments).contains("is in the identity file"), "{arguments:?}");
    }
}

#[test]
fn the_socket_bounds_and_survives_what_it_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let _server = Server::start(&mut serve(dir.path()));
    let socket = dir.path().join("admin.sock");
    let ask = |line: &[u8]| {
        let mut stream = UnixStream::connect(&socket).unwrap();
        // The server may close before all of it is sent.
        let _ = stream.write_all(line);
        let mut reply = String::new();
        let _ = BufReader::new(stream).read_line(&mut reply);
        reply
    };
    assert!(ask(b"nonsense\n").contains("not a command"));
    assert!(ask(b"{\"command\":\"no-such\"}\n").contains("not a command"));
    assert!(ask(b"{\"command\":\"list-users\",\"more\":1}\n").contains("refused"));
    assert!(ask(&[b'x'; 70_000]).contains("at most 65536 bytes"));
    assert!(ask(b"{\"command\":\"list-users\"}\n").contains("admin"));
}

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},
    "Action":"sts:AssumeRole"}]}"#;
const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}"#;

#[test]
fn groups_roles_and_policies_are_made_given_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let _server = Server::start(&mut serve(&data));
    let (trust, policy) = (dir.path().join("trust.json"), dir.path().join("policy.json"));
    fs::write(&trust, TRUST).unwrap();
    fs::write(&policy, POLICY).unwrap();
    let (trust, policy) = (trust.to_str().unwrap(), policy.to_str().unwrap());
    let run = |words: &str| {
        let words = words.replace("TRUST", trust).replace("POLICY", policy);
        let arguments: Vec<_> = words.split(' ').chain(["--account", ACCOUNT]).collect();
        done(&data, &arguments)
    };
    let fails = |words: &str| {
        let words = words.replace("TRUST", trust).replace("POLICY", policy);
        let arguments: Vec<_> = words.split(' ').chain(["--account", ACCOUNT]).collect();
        refused(&data, &arguments)
    };
    run("policy add kms-user --document POLICY");
    run("group add team");
    run("group attach team --policy kms-user");
    run("role add app --trust TRUST --path /eng/");
    run("role put-inline app --policy extra --document POLICY");
    run("role boundary app --policy kms-user");
    run("role tag app team=core stage=");
    run("user add bob");
    run("user join bob --group team");
    let shown = run("role show app --json");
    for part in ["\"boundary\":\"kms-user\"", "\"team\":\"core\"", "\"extra\"", "AROA", "\"path\":\"/eng/\""]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(done(&data, &["user", "list"]).contains("policies"));

    // What is in use stays; what is not there is not attached; what is no policy is not taken.
    assert!(fails("policy delete kms-user").contains("has no policy `kms-user`"));
    assert!(fails("group delete team").contains("the group `team`, which is not there"));
    assert!(fails("user attach bob --policy no-such").contains("has no policy `no-such`"));
    assert!(fails("role update app --trust POLICY").contains("who may assume it"));
    assert!(fails("role update app --max-session-seconds 60").contains("from 3600 to 43200"));
    assert!(fails("user add team/x").contains("is no name"));
    assert!(fails("group add team").contains("exists already"));
    assert!(fails("role show nobody").contains("has no role `nobody`"));

    run("role revoke-sessions app");
    assert!(run("role show app --json").contains("revoke_sessions_before"));
    run("role boundary app");
    run("role untag app stage");
    run("user leave bob --group team");
    run("group delete team");
    run("policy delete kms-user");
    run("role delete app");
    assert!(fails("role delete app").contains("has no role `app`"));
}

#[test]
fn a_deleted_user_takes_its_access_keys_along() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let server = Server::start(&mut serve(data));
    done(data, &["user", "add", "bob", "--account", ACCOUNT, "--administrator"]);
    let new_key = || {
        let made = done(data, &["access-key", "add", "--account", ACCOUNT, "--user", "bob", "--json"]);
        let made: Value = serde_json::from_str(&made).unwrap();
        (made["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
    };
    let status = |(id, secret): &(String, String)| server.call_as(id, secret, "ListKeys", &json!({})).0;
    let (first, second) = (new_key(), new_key());
    assert_eq!((status(&first), status(&second)), (200, 200));
    done(data, &["access-key", "delete", &first.0]);
    assert_eq!((status(&first), status(&second)), (400, 200));
    done(data, &["user", "delete", "bob", "--account", ACCOUNT]);
    assert_eq!(status(&second), 400);
    // Another user of that name has another id, and none of the keys.
    done(data, &["user", "add", "bob", "--account", ACCOUNT, "--administrator"]);
    assert_eq!(status(&second), 400);
    assert!(!done(data, &["access-key", "list"]).contains(&second.0));
}
