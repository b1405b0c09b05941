//! Root keys: missing, wrong, from a passphrase, exchanged, and exchanged with the power failing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::{Ask, Server, contents_of, finish, misused, names_in, serve, trent};

/// A data directory with a key, and a ciphertext under it.
pub(crate) struct Used {
    pub(crate) dir: TempDir,
    blob: String,
}

impl Used {
    pub(crate) fn new() -> Self {
        Self::with(|command| command)
    }

    pub(crate) fn with(options: impl Fn(&mut Command) -> &mut Command) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(options(&mut serve(dir.path())));
        let blob = server.encrypted_hello();
        assert_eq!(server.stop(), 0);
        Self { dir, blob }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn serve(&self) -> Command {
        serve(self.dir.path())
    }

    /// Serves, and decrypts what was encrypted at first.
    #[track_caller]
    pub(crate) fn is_readable(&self, options: impl Fn(&mut Command) -> &mut Command) {
        let server = Server::start(options(&mut self.serve()));
        server.decrypts_to_hello(&self.blob);
        assert_eq!(server.stop(), 0);
    }

    pub(crate) fn rekey(&self, to: &str) -> Command {
        let mut command = trent(&["rekey", "--to", to, "--data-dir"]);
        command.arg(self.dir.path());
        command
    }

    /// All but the lock, which names the process that had it last.
    pub(crate) fn contents(&self) -> Vec<(String, Vec<u8>)> {
        contents_of(self.dir.path()).into_iter().filter(|(name, _)| name != "lock").collect()
    }
}

pub(crate) fn passphrase(command: &mut Command) -> &mut Command {
    command.env("TRENT_ROOT_PASSPHRASE", "correct horse")
}

pub(crate) fn none(command: &mut Command) -> &mut Command {
    command
}

#[test]
fn a_missing_root_key_file_is_told_and_nothing_is_changed() {
    let used = Used::new();
    fs::rename(used.path("root.key"), used.path("elsewhere")).unwrap();
    let before = used.contents();
    let refused = misused(&mut used.serve());
    assert!(refused.contains("root.key is missing") && refused.contains("put it back"), "{refused}");
    assert_eq!(used.contents(), before);
    used.is_readable(|command| command.arg("--root-key-file").arg(used.path("elsewhere")));
}

#[test]
fn a_wrong_root_key_is_told_and_nothing_is_changed() {
    let (used, other) = (Used::new(), Used::new());
    fs::copy(used.path("root.key"), used.path("right")).unwrap();
    fs::copy(other.path("root.key"), used.path("root.key")).unwrap();
    let before = used.contents();
    let refused = misused(&mut used.serve());
    assert!(refused.contains("is not the one that this database was sealed with"), "{refused}");
    assert_eq!(used.contents(), before);
    fs::rename(used.path("right"), used.path("root.key")).unwrap();
    used.is_readable(none);
}

#[test]
fn a_damaged_root_key_file_is_told() {
    let used = Used::new();
    let text = fs::read_to_string(used.path("root.key")).unwrap();
    fs::write(used.path("root.key"), &text[..text.len() - 10]).unwrap();
    let refused = misused(&mut used.serve());
    assert!(refused.contains("cut short"), "{refused}");
}

#[test]
fn a_root_key_file_that_others_may_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let used = Used::new();
    fs::set_permissions(used.path("root.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let server = Server::start(&mut used.serve());
    assert!(server.log().contains("chmod 600"), "{}", server.log());
}

#[test]
fn a_passphrase_comes_from_the_environment_a_file_or_a_descriptor() {
    let used = Used::with(passphrase);
    assert!(!used.path("root.key").exists() && used.path("root.passphrase").exists());
    used.is_readable(passphrase);
    let file = used.path("passphrase");
    fs::write(&file, "correct horse\n").unwrap();
    used.is_readable(|command| command.arg("--passphrase-file").arg(&file));
    used.is_readable(|command| command.env("TRENT_ROOT_KEY__PASSPHRASE_FILE", &file));

    let serving = used.serve();
    let mut shell = Command::new("sh");
    let script = "exec 3< \"$0\"; exec \"$@\" --passphrase-fd 3";
    shell.args(["-c", script]).arg(&file).arg(serving.get_program()).args(serving.get_args());
    let server = Server::start(&mut shell);
    server.decrypts_to_hello(&used.blob);
}

#[test]
fn a_wrong_or_missing_passphrase_is_told_and_nothing_is_changed() {
    let used = Used::with(passphrase);
    let before = used.contents();
    let refused = misused(used.serve().env("TRENT_ROOT_PASSPHRASE", "wrong horse"));
    assert!(refused.contains("the passphrase is wrong"), "{refused}");
    let refused = misused(&mut used.serve());
    assert!(refused.contains("needs a passphrase") && refused.contains("--passphrase-file"), "{refused}");
    let refused = misused(used.serve().args(["--root-key-provider", "file"]));
    assert!(refused.contains("this data directory has a passphrase"), "{refused}");
    assert_eq!(used.contents(), before);
}

#[test]
fn a_passphrase_for_a_root_key_in_a_file_is_told() {
    let used = Used::new();
    let refused = misused(passphrase(&mut used.serve()));
    assert!(refused.contains("trent rekey --to passphrase"), "{refused}");
}

#[test]
fn keys_survive_rekeying_from_file_to_passphrase_and_back() {
    let used = Used::new();
    let first = fs::read(used.path("root.key")).unwrap();
    let (code, told, stderr) =
        finish(used.rekey("passphrase").env("TRENT_NEW_ROOT_PASSPHRASE", "correct horse"));
    assert_eq!(code, 0, "{stderr}");
    assert!(told.contains("backups made before need it"), "{told}");
    assert!(!used.path("root.key").exists());
    used.is_readable(passphrase);

    let (code, _, stderr) = finish(passphrase(&mut used.rekey("file")));
    assert_eq!(code, 0, "{stderr}");
    assert!(!used.path("root.passphrase").exists());
    assert_ne!(fs::read(used.path("root.key")).unwrap(), first);
    used.is_readable(none);

    let (code, _, stderr) = finish(&mut used.rekey("file"));
    assert_eq!(code, 0, "{stderr}");
    used.is_readable(none);
    let replaced = names_in(used.dir.path()).into_iter().filter(|name| name.contains(".replaced-by-"));
    assert_eq!(replaced.count(), 3, "no key is deleted");
}

#[test]
fn the_old_root_key_opens_nothing_any_more() {
    let used = Used::new();
    fs::copy(used.path("root.key"), used.path("old")).unwrap();
    assert_eq!(finish(&mut used.rekey("file")).0, 0);
    let refused = misused(used.serve().arg("--root-key-file").arg(used.path("old")));
    assert!(refused.contains("sealed with"), "{refused}");
}

#[test]
fn a_server_that_runs_cannot_be_rekeyed() {
    let used = Used::new();
    let _server = Server::start(&mut used.serve());
    assert!(misused(&mut used.rekey("file")).contains("in use by another trent"));
}

#[test]
fn rekeying_needs_the_root_key_and_a_new_passphrase() {
    let (used, other) = (Used::new(), Used::new());
    assert!(misused(&mut used.rekey("passphrase")).contains("--new-passphrase-file"));
    let wrong = other.path("root.key");
    let before = used.contents();
    assert!(misused(used.rekey("file").arg("--root-key-file").arg(wrong)).contains("sealed with"));
    assert_eq!(used.contents(), before);
    let nothing = tempfile::tempdir().unwrap();
    let mut command = trent(&["rekey", "--to", "file", "--data-dir"]);
    assert!(misused(command.arg(nothing.path())).contains("nothing to rekey"));
}

fn has_pending(dir: &Path) -> bool {
    names_in(dir).iter().any(|name| name.contains(".pending-"))
}

/// Rekeys, is killed at the given step, and must be readable with what is right then.
#[track_caller]
pub(crate) fn rekeyed_until(
    step: &str,
    to: &str,
    from: impl Fn(&mut Command) -> &mut Command,
    then: impl Fn(&mut Command) -> &mut Command,
) {
    let used = Used::with(&from);
    let mut command = used.rekey(to);
    let command = from(command.env("TRENT_NEW_ROOT_PASSPHRASE", "correct horse"));
    let (code, _, stderr) = finish(command.env("TRENT_TEST_CRASH_AT", step));
    assert_eq!(code, -1, "killed; {stderr}");
    assert!(has_pending(used.dir.path()));
    used.is_readable(&then);
    used.is_readable(&then);
    assert_eq!(has_pending(used.dir.path()), step == "pending-written");
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "release builds do not crash on demand")]
fn a_crash_before_the_commit_leaves_the_old_root_key() {
    rekeyed_until("pending-written", "file", none, none);
    rekeyed_until("pending-written", "passphrase", none, none);
    rekeyed_until("pending-written", "file", passphrase, passphrase);
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "release builds do not crash on demand")]
fn a_crash_after_the_commit_is_completed_by_the_next_start() {
    for step in ["database-committed", "old-key-aside"] {
        rekeyed_until(step, "file", none, none);
        rekeyed_until(step, "passphrase", none, passphrase);
        rekeyed_until(step, "file", passphrase, none);
    }
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "release builds do not crash on demand")]
fn a_crash_is_completed_also_where_the_file_is_named_without_its_directory() {
    let folder = tempfile::tempdir().unwrap();
    let used = Used::with(passphrase);
    let relative = |command: &mut Command| {
        command.current_dir(folder.path()).args(["--root-key-file", "root.key"]);
    };
    let mut command = used.rekey("file");
    relative(passphrase(&mut command));
    let (code, _, stderr) = finish(command.env("TRENT_TEST_CRASH_AT", "database-committed"));
    assert_eq!(code, -1, "killed; {stderr}");
    assert!(has_pending(folder.path()));
    used.is_readable(|command| {
        relative(command);
        command
    });
    assert!(!has_pending(folder.path()));
}
