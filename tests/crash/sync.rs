//! What a kill does not show: that a change is on disk, not only with the system, before it is answered. The system
//! calls tell, in their order.
//!
//! Needs strace, and the right to trace a process that is not dumpable, which root has; elsewhere it says so.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use trent_testkit::{Client, Server, Signer, built_binary, serve};

use crate::model::policy;

const CALLS: &str = "trace=fsync,fdatasync,pwrite64,pwritev,write,writev,sendto,sendmsg";

/// As Linux has it on all machines that trent runs on.
const O_DSYNC: u32 = 0o10000;

#[test]
fn what_is_answered_was_synced() {
    let folder = tempfile::tempdir().unwrap();
    let (data, trace) = (folder.path().join("data"), folder.path().join("trace"));
    let server = Server::start(&mut serve(&built_binary(), &data));
    let Some(mut strace) = attach(&server, &trace) else {
        println!("not shown: strace is not there, or may not trace");
        return;
    };
    let mut client = Client::new(server.kms, Signer::default());
    let changes = change(&mut client);
    server.kill();
    strace.wait().unwrap();
    let order = Order::of(&fs::read_to_string(&trace).unwrap());
    println!("{changes} changes: {order:?}");
    assert_eq!(order.answers, changes);
    assert_eq!(order.answers_before_sync, 0);
    assert_eq!(order.answers_without_sync, 0);
}

#[test]
fn what_is_answered_was_recorded() {
    const REQUESTS: usize = 20;
    let folder = tempfile::tempdir().unwrap();
    let (data, trace) = (folder.path().join("data"), folder.path().join("trace"));
    let server = Server::start(&mut serve(&built_binary(), &data));
    let mut client = Client::new(server.kms, Signer::default());
    let key = client.ok("CreateKey", &json!({}))["KeyMetadata"]["KeyId"].take();
    let Some(mut strace) = attach(&server, &trace) else {
        println!("not shown: strace is not there, or may not trace");
        return;
    };
    for _ in 0..REQUESTS {
        client.ok("Encrypt", &json!({"KeyId": key, "Plaintext": "AA=="}));
    }
    let flags = flags_of(server.id(), "/ahead-0.bin");
    server.kill();
    strace.wait().unwrap();
    assert_eq!(flags & O_DSYNC, O_DSYNC, "a write is durable when it returns");
    // Of each record: written ahead, then answered.
    let text = fs::read_to_string(&trace).unwrap();
    let (mut begun, mut recorded, mut answers) = (false, false, 0);
    for line in text.lines() {
        if line.contains("/ahead-") {
            (begun, recorded) = (true, !line.contains("<unfinished"));
        } else if begun && line.contains("pwrite64 resumed>") {
            recorded = true;
        } else if line.contains("\"HTTP/1.1 200") {
            assert!(recorded, "answered before it was recorded: {text}");
            (begun, recorded, answers) = (false, false, answers + 1);
        }
    }
    assert_eq!(answers, REQUESTS);
}

/// The flags that a process has a file open with.
fn flags_of(process: u32, file: &str) -> u32 {
    for open in fs::read_dir(format!("/proc/{process}/fd")).unwrap() {
        let path = open.unwrap().path();
        if fs::read_link(&path).is_ok_and(|target| target.to_string_lossy().ends_with(file)) {
            let number = path.file_name().unwrap().to_string_lossy();
            let facts = fs::read_to_string(format!("/proc/{process}/fdinfo/{number}")).unwrap();
            let flags = facts.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
            return u32::from_str_radix(flags.trim(), 8).unwrap();
        }
    }
    panic!("{file} is not open");
}

/// Traces a server, which ends with it.
fn attach(server: &Server, trace: &Path) -> Option<Child> {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-s", "32", "-e", CALLS, "-p", &server.id().to_string(), "-o"]).arg(trace);
    let mut strace = strace.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().ok()?;
    let mut told = BufReader::new(strace.stderr.take()?).lines();
    let attached = told.next()?.is_ok_and(|line| line.contains("attached"));
    if !attached {
        strace.wait().ok()?;
        return None;
    }
    // It must not be held up by what nobody reads.
    std::thread::spawn(move || told.for_each(drop));
    Some(strace)
}

/// Changes of every kind, one after the other; gives their number.
fn change(client: &mut Client) -> usize {
    let mut changes = 0;
    let mut ok = |operation: &str, body: &Value| {
        changes += 1;
        client.ok(operation, body)
    };
    for round in 0..3 {
        let key = ok("CreateKey", &json!({}))["KeyMetadata"]["KeyId"].take();
        let (alias, named) = (format!("alias/sync-{round}"), json!({"KeyId": key}));
        ok("CreateAlias", &json!({"AliasName": alias, "TargetKeyId": key}));
        ok("UpdateAlias", &json!({"AliasName": alias, "TargetKeyId": key}));
        ok("DeleteAlias", &json!({"AliasName": alias}));
        ok("RotateKeyOnDemand", &named);
        ok("EnableKeyRotation", &named);
        ok("DisableKeyRotation", &named);
        ok("PutKeyPolicy", &json!({"KeyId": key, "Policy": policy("synced")}));
        ok("TagResource", &json!({"KeyId": key, "Tags": [{"TagKey": "a", "TagValue": "b"}]}));
        ok("UntagResource", &json!({"KeyId": key, "TagKeys": ["a"]}));
        ok("UpdateKeyDescription", &json!({"KeyId": key, "Description": "synced"}));
        ok("DisableKey", &named);
        ok("EnableKey", &named);
        ok("ScheduleKeyDeletion", &named);
        ok("CancelKeyDeletion", &named);
    }
    changes
}

/// What a trace says about the order of writing, syncing and answering.
#[derive(Debug, Default, PartialEq, Eq)]
struct Order {
    answers: usize,
    /// Answers while something was written that was not synced.
    answers_before_sync: usize,
    /// Answers since whose predecessor nothing was synced.
    answers_without_sync: usize,
}

impl Order {
    fn of(trace: &str) -> Self {
        let mut order = Self::default();
        let (mut unsynced, mut synced) = (false, false);
        for line in trace.lines() {
            let of_database = line.contains("/trent.db");
            // A sync that others interrupt in the trace is told twice: begun with its file, ended with its result.
            let ends_sync = line.contains("sync") && line.trim_end().ends_with("= 0");
            if of_database && line.contains("pwrite") {
                unsynced = true;
            } else if ends_sync && (of_database || line.contains("sync resumed>")) {
                (unsynced, synced) = (false, true);
            } else if line.contains("\"HTTP/1.1 200") {
                order.answers += 1;
                order.answers_before_sync += usize::from(unsynced);
                order.answers_without_sync += usize::from(!synced);
                synced = false;
            }
        }
        order
    }
}

#[test]
fn an_answer_that_comes_too_early_is_seen() {
    const WRITE: &str = "7 pwrite64(12</d/trent.db-wal>, \"\", 24, 0) = 24\n";
    const SYNC: &str = "7 fsync(12</d/trent.db-wal>) = 0\n";
    const BEGUN: &str = "7 fsync(12</d/trent.db-wal> <unfinished ...>\n";
    const ENDED: &str = "7 <... fsync resumed>) = 0\n";
    const ANSWER: &str = "8 writev(9<socket:[1]>, [{iov_base=\"HTTP/1.1 200 OK\\r\\n\"...}], 2) = 700\n";
    let order = |lines: &[&str]| {
        let Order { answers, answers_before_sync, answers_without_sync } = Order::of(&lines.concat());
        (answers, answers_before_sync, answers_without_sync)
    };
    assert_eq!(order(&[WRITE, SYNC, ANSWER, WRITE, BEGUN, ENDED, ANSWER]), (2, 0, 0));
    assert_eq!(order(&[WRITE, ANSWER, SYNC]), (1, 1, 1));
    assert_eq!(order(&[WRITE, SYNC, ANSWER, WRITE, BEGUN, ANSWER, ENDED]), (2, 1, 1));
    assert_eq!(order(&[WRITE, SYNC, ANSWER, ANSWER]), (2, 0, 1));
}
