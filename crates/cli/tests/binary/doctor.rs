//! `trent doctor`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use crate::support::{Server, finish, serve, trent};

fn doctor(data: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = trent(&["doctor", "--listen", "127.0.0.1:0", "--data-dir"]);
    let (code, findings, stderr) = finish(command.arg(data).args(arguments));
    assert!(stderr.is_empty(), "{stderr}");
    (code, findings)
}

/// A data directory that was served once.
fn used() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(Server::start(&mut serve(dir.path())).stop(), 0);
    dir
}

#[test]
fn a_sound_installation_has_nothing_wrong() {
    let dir = used();
    let (code, findings) = doctor(dir.path(), &[]);
    assert_eq!(code, 0, "{findings}");
    for topic in ["configuration", "data directory", "database", "root key", "swap", "locked memory", "clock"]
    {
        assert!(findings.lines().any(|line| line.contains(&format!("  {topic}: "))), "{topic}: {findings}");
    }
}

#[test]
fn a_server_that_runs_is_no_finding() {
    let dir = used();
    let server = Server::start(&mut serve(dir.path()));
    let (code, findings) = doctor(dir.path(), &["--ops-listen", &server.ops.to_string()]);
    assert_eq!(code, 0, "{findings}");
    assert!(findings.contains("a server runs"), "{findings}");
}

#[test]
fn what_is_wrong_is_told_with_what_to_do() {
    let other = used();
    type Damage = fn(&Path, &Path);
    let cases: [(Damage, &str); 5] = [
        (|data, _| fs::set_permissions(data, fs::Permissions::from_mode(0o755)).unwrap(), "chmod 700"),
        (
            |data, _| fs::set_permissions(data.join("root.key"), fs::Permissions::from_mode(0o640)).unwrap(),
            "chmod 600",
        ),
        (|data, _| fs::remove_file(data.join("root.key")).unwrap(), "put it back"),
        (
            |data, other| assert!(fs::copy(other.join("root.key"), data.join("root.key")).is_ok()),
            "put the right one",
        ),
        (|data, _| fs::write(data.join("trent.toml"), "[htp]").unwrap(), "unknown field `htp`"),
    ];
    for (damage, expected) in cases {
        let dir = used();
        damage(dir.path(), other.path());
        let file = dir.path().join("trent.toml");
        let config = ["--config", file.to_str().unwrap()];
        let (code, findings) = doctor(dir.path(), if file.exists() { &config } else { &[] });
        assert_eq!(code, 1, "{expected}: {findings}");
        assert!(
            findings.lines().any(|line| line.starts_with("WRONG") && line.contains(expected)),
            "{findings}"
        );
    }
}

#[test]
fn a_damaged_database_is_found() {
    let dir = used();
    let name = crate::support::names_in(dir.path()).into_iter().find(|name| name.ends_with(".db")).unwrap();
    let path = dir.path().join(name);
    let mut content = fs::read(&path).unwrap();
    let middle = content.len() / 2;
    content[middle..].fill(0xff);
    fs::write(&path, content).unwrap();
    let (code, findings) = doctor(dir.path(), &[]);
    assert_eq!(code, 1, "{findings}");
    assert!(
        findings.lines().any(|line| line.starts_with("WRONG") && line.contains("database")),
        "{findings}"
    );
}

#[test]
fn a_port_in_use_is_found() {
    let dir = used();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, findings) = doctor(dir.path(), &["--ops-listen", &address]);
    assert_eq!(code, 1, "{findings}");
    assert!(findings.contains(&format!("address {address}: ")), "{findings}");
}

#[test]
fn certificates_are_looked_at() {
    let dir = used();
    let (chain, key_file) = (dir.path().join("chain.pem"), dir.path().join("key.pem"));
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    fs::write(&chain, params.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
    let tls = ["--tls-cert", chain.to_str().unwrap(), "--tls-key", key_file.to_str().unwrap()];
    let (code, findings) = doctor(dir.path(), &tls);
    assert_eq!(code, 1, "{findings}");
    assert!(findings.contains("ran out"), "{findings}");
}

#[test]
fn an_empty_place_is_ready_for_a_first_start() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("none");
    let (code, findings) = doctor(&data, &[]);
    assert_eq!(code, 0, "{findings}");
    assert!(findings.contains("the first start makes it"), "{findings}");
    assert!(!data.exists(), "nothing was made");
}

#[test]
fn what_nobody_reads_is_no_failure() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = trent(&["doctor", "--listen", "127.0.0.1:0", "--data-dir"]);
    let mut child = command.arg(dir.path().join("data")).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
