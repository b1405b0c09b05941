//! Files, variables and flags.

use std::fs;

use serde_json::json;

use crate::support::{Ask, Server, finish, misused, serve, trent};

#[test]
fn the_default_file_is_valid_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (code, text, _) = finish(&mut trent(&["config", "default"]));
    assert_eq!(code, 0);
    let file = dir.path().join("trent.toml");
    fs::write(&file, text).unwrap();
    let server = Server::start(serve(&dir.path().join("data")).arg("--config").arg(&file));
    assert_eq!(server.stop(), 0);
}

#[test]
fn an_unknown_name_is_told_with_line_and_column() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trent.toml");
    fs::write(&file, "[http]\nthreads = 1\n lisen = \"127.0.0.1:1\"\n").unwrap();
    let refused = misused(serve(&dir.path().join("data")).arg("--config").arg(&file));
    assert!(refused.contains("trent.toml:3:2: unknown field `lisen`, expected one of `listen`"), "{refused}");
    assert!(!dir.path().join("data").exists());
}

#[test]
fn a_missing_file_is_refused() {
    let refused = misused(&mut trent(&["serve", "--config", "/not/there.toml"]));
    assert!(refused.starts_with("trent: /not/there.toml: "), "{refused}");
}

#[test]
fn variables_override_the_file_and_flags_override_both() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trent.toml");
    fs::write(&file, "[http]\npath_prefix = \"/file\"\nlisten = \"127.0.0.1:1\"\n").unwrap();
    let mut command = serve(&dir.path().join("data"));
    let command = command.arg("--config").arg(&file).env("TRENT_HTTP__PATH_PREFIX", "/variable");
    let server = Server::start(command.env("TRENT_HTTP__LISTEN", "127.0.0.1:2"));
    assert!(server.ready.contains("/variable"), "{}", server.ready);
    assert!(server.kms.port() > 2);
}

#[test]
fn an_unknown_variable_names_the_nearest_setting() {
    let refused = misused(trent(&["serve"]).env("TRENT_HTTP__LISTENS", "x"));
    assert!(refused.contains("TRENT_HTTP__LISTENS") && refused.contains("TRENT_HTTP__LISTEN ("), "{refused}");
}

#[test]
fn limits_of_the_file_hold() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(serve(dir.path()).env("TRENT_LIMITS__KEYS_PER_REGION", "1"));
    server.ok("CreateKey", &json!({}));
    let (status, answer) = server.call("CreateKey", &json!({}));
    assert_eq!((status, answer["__type"].as_str()), (400, Some("LimitExceededException")));
}

#[test]
fn a_user_in_file_and_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&mut serve(&dir.path().join("data")));
    assert_eq!(server.stop(), 0);
    let file = dir.path().join("identities.toml");
    fs::write(
        &file,
        "[[account]]\nid = \"111122223333\"\nname = \"a\"\n[[account.user]]\nname = \"admin\"\n",
    )
    .unwrap();
    let refused = misused(serve(&dir.path().join("data")).env("TRENT_IDENTITY__FILE", &file));
    assert!(refused.contains("identities.toml:5:8: user `admin` of account 111122223333: "), "{refused}");
    assert!(refused.contains("arn:aws:iam::111122223333:user/admin"), "{refused}");
}

#[test]
fn accounts_of_the_file_need_no_first_administrator() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("identities.toml");
    let text = "[[account]]\nid = \"444455556666\"\nname = \"a\"\n[[account.user]]\nname = \"alice\"\n\
                policies = [\"aws:AdministratorAccess\"]\n[[account.user.access_key]]\n\
                id = \"AKIAALICEALICEALICE0\"\nsecret = \"env:ALICE\"\n";
    fs::write(&file, text).unwrap();
    let data = dir.path().join("data");
    let mut command = trent(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()]);
    let server = Server::start(command.env("TRENT_IDENTITY__FILE", &file).env("ALICE", "secret-of-alice"));
    let (status, answer) = server.call_as("AKIAALICEALICEALICE0", "secret-of-alice", "CreateKey", &json!({}));
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["KeyMetadata"]["AWSAccountId"], "444455556666");
    assert!(!data.join("aws-credentials").exists());
}

#[test]
fn a_wrong_flag_is_usage() {
    let (code, _, stderr) = finish(&mut trent(&["serve", "--listen", "localhost"]));
    assert_eq!(code, 2, "{stderr}");
    let (code, _, _) = finish(&mut trent(&["no-such-command"]));
    assert_eq!(code, 2);
}
