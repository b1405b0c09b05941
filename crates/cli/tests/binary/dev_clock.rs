//! The clock of `trent dev`.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::admin::{done, refused};
use crate::support::{Server, serve, trent};

pub(crate) fn dev(data: &Path) -> Server {
    Server::start(trent(&["dev", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data))
}

#[track_caller]
pub(crate) fn ok(server: &Server, operation: &str, body: &Value) -> Value {
    use crate::support::Ask;
    let (status, answer) = server.call_as("test", "test", operation, body);
    assert_eq!(status, 200, "{operation}: {answer}");
    answer
}

#[track_caller]
pub(crate) fn new_key(server: &Server) -> Value {
    ok(server, "CreateKey", &json!({}))["KeyMetadata"]["KeyId"].clone()
}

fn clock(data: &Path, words: &[&str]) -> Value {
    serde_json::from_str(&done(data, &[&["--json", "clock"], words].concat())).unwrap()
}

#[test]
fn a_key_is_deleted_after_seven_days_in_a_moment() {
    use crate::support::Ask;
    let dir = tempfile::tempdir().unwrap();
    let (data, server) = (dir.path(), dev(dir.path()));
    let key = new_key(&server);
    ok(&server, "ScheduleKeyDeletion", &json!({"KeyId": key, "PendingWindowInDays": 7}));
    let started = Instant::now();
    let before = done(data, &["clock", "advance", "6d23h"]);
    assert!(before.contains("6d23h") && before.ends_with("Nothing was due.\n"), "{before}");
    assert_eq!(
        ok(&server, "DescribeKey", &json!({"KeyId": key}))["KeyMetadata"]["KeyState"],
        "PendingDeletion"
    );
    let moved = clock(data, &["advance", "2h"]);
    assert_eq!(moved["happened"], json!({"deleted": 1, "rotated": 0, "expired": 0, "settled": 0}));
    let (status, gone) = server.call_as("test", "test", "DescribeKey", &json!({"KeyId": key}));
    assert_eq!((status, gone["__type"].as_str()), (400, Some("NotFoundException")), "{gone}");
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

#[test]
fn what_is_due_on_the_way_happens_at_its_time_and_in_its_order() {
    let dir = tempfile::tempdir().unwrap();
    let (data, server) = (dir.path(), dev(dir.path()));
    let key = new_key(&server);
    ok(&server, "EnableKeyRotation", &json!({"KeyId": key, "RotationPeriodInDays": 90}));
    let start = clock(data, &["show"])["milliseconds"].as_i64().unwrap();
    let moved = clock(data, &["advance", "365d"]);
    assert_eq!(moved["happened"]["rotated"], 4);
    let rotations = ok(&server, "ListKeyRotations", &json!({"KeyId": key}));
    let day = |rotation: &Value| {
        let at = rotation["RotationDate"].as_f64().unwrap();
        ((at - start as f64 / 1000.0) / 86_400.0).round() as i64
    };
    let mut days: Vec<_> = rotations["Rotations"].as_array().unwrap().iter().map(day).collect();
    days.sort_unstable();
    assert_eq!(days, [90, 180, 270, 360]);
}

#[test]
fn the_clock_is_moved_by_time_too_and_never_back() {
    let dir = tempfile::tempdir().unwrap();
    let (data, server) = (dir.path(), dev(dir.path()));
    let moved = clock(data, &["set", "2090-01-01T00:00:00Z"]);
    assert!(moved["now"].as_str().unwrap().starts_with("2090-01-01T00:00:0"), "{moved}");
    // Signatures go by the clock of the world, and so does this client; keys are made by the service's.
    let made = ok(&server, "CreateKey", &json!({}))["KeyMetadata"]["CreationDate"].as_f64().unwrap();
    assert!((3_786_912_000.0..3_786_912_600.0).contains(&made), "{made}");
    let back = refused(data, &["clock", "set", "2089-12-31T23:59:59Z"]);
    assert!(back.contains("never goes back, and it is 2090-01-01T00:00:0"), "{back}");
    assert!(refused(data, &["clock", "advance", "9000000d"]).contains("the clock ends at 9999-12-30"));
    let (code, _, stderr) = crate::admin::admin(data, &["clock", "advance", "8"]);
    assert!(code == 2 && stderr.contains("8d or 1h30m"), "{stderr}");
    assert_eq!(server.stop(), 0);
    let _again = dev(data);
    assert!(clock(data, &["show"])["now"].as_str().unwrap().starts_with("2090-01-01T00:"));
}

#[test]
fn serve_has_no_clock_to_move() {
    let dir = tempfile::tempdir().unwrap();
    let _server = Server::start(&mut serve(dir.path()));
    for words in
        [&["clock", "show"][..], &["clock", "advance", "8d"], &["clock", "set", "2090-01-01T00:00:00Z"]]
    {
        let told = refused(dir.path(), words);
        assert!(told.contains("none of `trent dev`"), "{told}");
    }
}
