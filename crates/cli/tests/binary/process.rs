//! Signals, and what the process asks of its system.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{ACCOUNT, Ask, Server, serve};

#[test]
fn sigterm_ends_it_within_the_drain_time() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&mut serve(dir.path()));
    // An idle connection is no reason to wait.
    let _idle = TcpStream::connect(server.kms).unwrap();
    let begun = Instant::now();
    assert_eq!(server.stop(), 0);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn sigint_ends_it_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::start(&mut serve(dir.path()));
    server.signal(Signal::INT);
    assert_eq!(server.wait(), 0);
}

/// A connection that has sent half a request.
fn half_a_request(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.kms).unwrap();
    stream
        .write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\nexpect: 100-continue\r\n\r\n")
        .unwrap();
    // The server asks for the rest, so it is at work on the request.
    let mut asked = [0; 25];
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let _ = stream.read(&mut asked);
    stream
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::start(&mut serve(dir.path()));
    let _busy = half_a_request(&server);
    let begun = Instant::now();
    server.signal(Signal::TERM);
    server.wait_for_log("draining");
    server.signal(Signal::TERM);
    assert_eq!(server.wait(), 1);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn requests_that_take_too_long_are_cut() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::start(serve(dir.path()).env("TRENT_HTTP__DRAIN_SECONDS", "1"));
    let _busy = half_a_request(&server);
    let begun = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.wait(), 0);
    assert!((1..10).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

fn identities(secret: &str) -> String {
    format!(
        "[[account]]\nid = \"{ACCOUNT}\"\nname = \"prod\"\n[[account.user]]\n\
         name = \"alice\"\npolicies = [\"aws:AdministratorAccess\"]\n[[account.user.access_key]]\n\
         id = \"AKIAALICEALICEALICE0\"\nsecret = \"{secret}\"\n"
    )
}

#[test]
fn sighup_reloads_identities_and_keeps_them_when_a_file_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let (file, people) = (dir.path().join("trent.toml"), dir.path().join("identities.toml"));
    let configuration =
        format!("[log]\nlevel = \"info\"\n[identity]\nfile = \"{}\"\ncheck_seconds = 0\n", people.display());
    fs::write(&file, &configuration).unwrap();
    fs::write(&people, identities("first-secret")).unwrap();
    let server = Server::start(serve(&dir.path().join("data")).arg("--config").arg(&file));
    let status = |secret| server.call_as("AKIAALICEALICEALICE0", secret, "ListKeys", &json!({})).0;
    assert_eq!((status("first-secret"), status("second-secret")), (200, 400));

    fs::write(&people, identities("second-secret")).unwrap();
    server.signal(Signal::HUP);
    server.wait_for_log("configuration reloaded");
    assert_eq!((status("first-secret"), status("second-secret")), (400, 200));

    fs::write(&people, identities("third-secret") + "[htp]\n").unwrap();
    server.signal(Signal::HUP);
    server.wait_for_log("the configuration stays as it was");
    server.wait_for_log("identities.toml:10:2: unknown field `htp`");
    assert_eq!((status("second-secret"), status("third-secret")), (200, 400));

    fs::write(&people, identities("third-secret")).unwrap();
    fs::write(&file, configuration + "[jobs]\ninterval_seconds = 9\n").unwrap();
    server.signal(Signal::HUP);
    server.wait_for_log("need a restart");
    assert!(server.log().contains("jobs"), "{}", server.log());
    assert_eq!(server.stop(), 0);
}

#[test]
fn a_changed_identity_file_is_noticed_and_a_wrong_one_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let people = dir.path().join("identities.toml");
    fs::write(&people, identities("first-secret")).unwrap();
    let mut command = serve(&dir.path().join("data"));
    let command = command.env("TRENT_IDENTITY__FILE", &people).env("TRENT_IDENTITY__CHECK_SECONDS", "1");
    let server = Server::start(command);
    let status = |secret| server.call_as("AKIAALICEALICEALICE0", secret, "ListKeys", &json!({})).0;
    assert_eq!(status("first-secret"), 200);

    let wrong = identities("second-secret").replace("aws:AdministratorAccess", "no-such-policy");
    fs::write(&people, wrong).unwrap();
    server.wait_for_log("identities.toml:5:8: user `alice` of account 111122223333: ");
    server.wait_for_log("has no policy `no-such-policy`");
    assert_eq!((status("first-secret"), status("second-secret")), (200, 400));

    fs::write(&people, identities("third-secret")).unwrap();
    server.wait_for_log("identity file reloaded");
    assert_eq!((status("first-secret"), status("third-secret")), (400, 200));
    assert_eq!(server.stop(), 0);
}

#[test]
fn sighup_reloads_certificates() {
    let dir = tempfile::tempdir().unwrap();
    let (chain_file, key_file) = (dir.path().join("chain.pem"), dir.path().join("key.pem"));
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(&chain_file, certificate.pem()).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    let mut command = serve(&dir.path().join("data"));
    let server = Server::start(command.arg("--tls-cert").arg(&chain_file).arg("--tls-key").arg(&key_file));
    fs::write(&key_file, "no key").unwrap();
    server.signal(Signal::HUP);
    server.wait_for_log("the certificate stays as it was");
    assert_eq!(server.stop(), 0);
}

#[test]
fn the_process_dumps_no_core_and_may_open_as_many_files_as_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&mut serve(dir.path()));
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().rev().skip(1).take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"]);
    let files = limit("Max open files");
    assert_eq!(files[0], files[1]);
}

#[test]
fn the_log_can_be_json() {
    let dir = tempfile::tempdir().unwrap();
    let first = Server::start(&mut serve(dir.path()));
    assert_eq!(first.stop(), 0);
    let server = Server::start(serve(dir.path()).args(["--log-format", "json", "--log", "info"]));
    server.signal(Signal::HUP);
    server.wait_for_log("configuration reloaded");
    for line in server.log().lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
}
