//! The first start, the second, and starts that are refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use crate::support::{ACCESS_KEY, ACCOUNT, Ask, SECRET, Server, exchange, misused, serve, trent};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_first_start_makes_an_administrator_and_says_how_to_use_it() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&mut serve(&data));
    assert!(server.ready.starts_with(&format!("trent is ready: kms http://{} ops http://", server.kms)));
    let key = server.ok("CreateKey", &json!({}));
    assert_eq!(key["KeyMetadata"]["AWSAccountId"], ACCOUNT);
    let log = server.log();
    assert!(log.contains(&format!("AWS_ENDPOINT_URL_KMS=http://{}", server.kms)), "{log}");
    assert!(log.contains("aws-credentials") && log.contains("aws kms create-key"), "{log}");
    assert!(log.contains("made the root key") && log.contains("keep a copy"), "{log}");
    assert!(!log.contains(SECRET), "the secret is not on the terminal");
    let credentials = fs::read_to_string(data.join("aws-credentials")).unwrap();
    assert!(credentials.contains(&format!(
        "[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET}\n"
    )));
}

#[test]
fn files_are_for_their_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&mut serve(&data));
    assert_eq!(mode(&data), 0o700);
    for entry in fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
    for name in ["aws-credentials", "root.key", "admin.sock"] {
        assert_eq!(mode(&data.join(name)), 0o600, "{name}");
    }
    assert_eq!(server.stop(), 0);
    assert!(!data.join("admin.sock").exists());
}

#[test]
fn what_is_not_fixed_is_drawn_at_random() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut command = trent(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()]);
    let server = Server::start(&mut command);
    let credentials = fs::read_to_string(data.join("aws-credentials")).unwrap();
    let value = |name: &str| {
        let line = credentials.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_once(" = ").unwrap().1.to_owned()
    };
    let (id, secret) = (value("aws_access_key_id"), value("aws_secret_access_key"));
    let (status, answer) = server.call_as(&id, &secret, "CreateKey", &json!({}));
    assert_eq!(status, 200, "{answer}");
    assert_eq!((id.len(), secret.len()), (20, 40));
}

#[test]
fn the_second_start_has_the_keys_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let first = Server::start(&mut serve(dir.path()));
    let blob = first.encrypted_hello();
    assert_eq!(first.stop(), 0);
    let second = Server::start(&mut serve(dir.path()));
    second.decrypts_to_hello(&blob);
    assert!(!second.log().contains("Made an account"), "{}", second.log());
}

#[test]
fn what_was_answered_outlives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let first = Server::start(&mut serve(dir.path()));
    let blob = first.encrypted_hello();
    first.kill();
    Server::start(&mut serve(dir.path())).decrypts_to_hello(&blob);
}

#[test]
fn a_second_process_on_the_same_data_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = Server::start(&mut serve(dir.path()));
    let refused = misused(&mut serve(dir.path()));
    assert!(refused.contains(&format!("in use by another trent (process {})", first.id())), "{refused}");
}

#[test]
fn an_address_in_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = Server::start(&mut serve(dir.path()));
    let other = tempfile::tempdir().unwrap();
    let mut second = trent(&["serve", "--listen", &first.kms.to_string(), "--ops-listen", "127.0.0.1:0"]);
    let refused = finish_last_line(second.arg("--data-dir").arg(other.path()));
    assert!(refused.contains("cannot listen on"), "{refused}");
}

/// The last line of standard error of a first start that is refused after it made the root key, and said so.
fn finish_last_line(command: &mut std::process::Command) -> String {
    let (code, _, stderr) = crate::support::finish(command);
    assert_eq!(code, 2, "{stderr}");
    stderr.trim_end().lines().last().unwrap().to_owned()
}

#[test]
fn plain_http_is_refused_on_addresses_that_others_reach() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let line = ["serve", "--listen", "0.0.0.0:0", "--data-dir", data.to_str().unwrap()];
    let refused = misused(&mut trent(&line));
    assert!(refused.contains("--allow-plain-http") && refused.contains("--tls-cert"), "{refused}");
    assert!(!data.exists(), "nothing was made");
    let allowed = Server::start(trent(&line).arg("--allow-plain-http"));
    assert!(allowed.ready.contains("http://0.0.0.0:"), "{}", allowed.ready);
}

#[test]
fn a_certificate_makes_it_https() {
    let dir = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let (chain_file, key_file) = (dir.path().join("chain.pem"), dir.path().join("key.pem"));
    fs::write(&chain_file, certificate.pem()).unwrap();
    let mut command = serve(&dir.path().join("data"));
    command.arg("--tls-cert").arg(&chain_file);
    assert!(misused(&mut command).contains("no key"));
    command.arg("--tls-key").arg(&key_file);
    assert!(misused(&mut command).contains("cannot be read"));
    fs::write(&key_file, key.serialize_pem()).unwrap();
    let server = Server::start(&mut command);
    assert!(server.ready.contains(&format!("kms https://{}", server.kms)), "{}", server.ready);
    // The end that rcgen gives certificates unless told otherwise: the first of January of the year 4096.
    assert_eq!(metric(&server, "trent_certificate_expires_seconds"), "67090118400");
}

fn metric(server: &Server, name: &str) -> String {
    let (_, metrics) = exchange(server.ops, "GET", "/metrics", &[("host", b"ops")], b"");
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {metrics}")).to_owned()
}

#[test]
fn runs_of_jobs_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(serve(dir.path()).env("TRENT_JOBS__INTERVAL_SECONDS", "1"));
    assert_eq!(metric(&server, r#"trent_job_runs_total{result="Failure"}"#), "0");
    assert_eq!(metric(&server, "trent_certificate_expires_seconds"), "0");
    let until = std::time::Instant::now() + trent_testkit::PATIENCE;
    while metric(&server, "trent_job_last_success_seconds") == "0" {
        assert!(std::time::Instant::now() < until, "no job has run");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_ne!(metric(&server, r#"trent_job_runs_total{result="Success"}"#), "0");
}

#[test]
fn operations_are_told_on_a_listener_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&mut serve(dir.path()));
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/", 404)] {
        assert_eq!(exchange(server.ops, "GET", path, &[("host", b"ops")], b"").0, status, "{path}");
    }
}

#[test]
fn the_version_tells_those_of_the_formats() {
    let (code, stdout, _) = crate::support::finish(&mut trent(&["--version"]));
    assert_eq!(code, 0);
    for line in ["trent ", "database schema ", "ciphertext format ", "envelope format "] {
        assert!(stdout.lines().any(|found| found.starts_with(line)), "{line}: {stdout}");
    }
}

#[test]
fn unusable_bootstrap_variables_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = misused(serve(dir.path()).env("TRENT_BOOTSTRAP_ACCESS_KEY_ID", "short"));
    assert!(refused.contains("TRENT_BOOTSTRAP_ACCESS_KEY_ID"), "{refused}");
}
