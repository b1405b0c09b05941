//! What the process asks of its system: no core dump, no look at its memory by others of the same user, keys in
//! locked pages. That its limit for core dumps is 0 is tested with the binary's other tests.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;

use rustix::process::geteuid;
use trent_testkit::{Server, built_binary, serve};

/// Some user who is not root: what belongs to an undumpable process belongs to root, which shows only for others.
const NOBODY: u32 = 65_534;

#[test]
fn the_process_cannot_be_dumped_or_traced_by_its_own_user() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    // The binary may lie where that user cannot go.
    let binary = folder.path().join("trent");
    fs::copy(built_binary(), &binary).unwrap();
    let mut command = serve(&binary, &data);
    if geteuid().is_root() {
        for path in [folder.path(), &data] {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        command.uid(NOBODY).gid(NOBODY);
    }
    let server = Server::start(&mut command);
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
    assert!(!uid.split_whitespace().any(|uid| uid == "0"), "it does not run as root: {uid}");
    // proc(5): owned by the user of the process, unless that is not dumpable.
    let owner = fs::metadata(format!("/proc/{}/maps", server.id())).unwrap().uid();
    assert_eq!(owner, 0, "the process is dumpable");
    // The same look at one that is dumpable, so that this can fail.
    let mut other = std::process::Command::new("sleep");
    other.arg("60");
    if geteuid().is_root() {
        other.uid(NOBODY).gid(NOBODY);
    }
    let mut other = other.spawn().unwrap();
    let owner = fs::metadata(format!("/proc/{}/maps", other.id())).map(|there| there.uid());
    other.kill().unwrap();
    other.wait().unwrap();
    assert_ne!(owner.unwrap(), 0, "others belong to their user");
}

#[test]
fn keys_lie_in_locked_pages() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&mut serve(&built_binary(), folder.path()));
    let locked = server.memory_kib("VmLck");
    assert!(locked >= 4, "{locked} KiB are locked: {}", server.log());
}
