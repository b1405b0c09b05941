//! Backups made under load, with the server or the backup itself being killed: there is none, or it is whole.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use trent_testkit::{Client, Server, Signer, Starting, command, finish, serve};

use crate::caller::{Caller, ask, decrypts};
use crate::model::{Blob, State};

/// A backup that was begun.
pub(crate) struct Copied {
    begun: Instant,
    /// Whether it said that it was done.
    pub(crate) is_answered: bool,
}

/// Makes a backup; it may be killed after some time.
pub(crate) fn back_up(
    binary: &Path,
    data: &Path,
    copy: &Path,
    kill_after: Option<Duration>,
) -> Result<Copied, String> {
    let mut backup =
        command(binary, ["backup".as_ref(), copy.as_os_str(), "--data-dir".as_ref(), data.as_os_str()]);
    let begun = Instant::now();
    if let Some(wait) = kill_after {
        let backup = Starting::new(&mut backup);
        thread::sleep(wait);
        backup.kill();
        return Ok(Copied { begun, is_answered: false });
    }
    match finish(&mut backup) {
        (0, ..) => Ok(Copied { begun, is_answered: true }),
        (_, _, stderr) => Err(format!("trent backup: {stderr}")),
    }
}

/// Restores a backup, and finds all in it that had been answered before it was begun.
pub(crate) fn look_through(
    binary: &Path,
    copy: &Path,
    restored: &Path,
    data: &Path,
    copied: &Copied,
    callers: &[Caller],
) -> Result<(), String> {
    let restore = ["restore".as_ref(), copy.as_os_str(), "--data-dir".as_ref(), restored.as_os_str()];
    let (code, _, stderr) = finish(&mut command(binary, restore));
    if code != 0 {
        return Err(format!("trent restore: {stderr}"));
    }
    fs::copy(data.join("root.key"), restored.join("root.key")).map_err(|error| error.to_string())?;
    let server: Server = Starting::new(&mut serve(binary, restored)).ready()?;
    let mut client = Client::new(server.kms, Signer::default());
    for caller in callers {
        for key in caller.keys.iter().filter(|key| key.at < copied.begun) {
            usable(&mut client, &key.id)?;
            decrypt_those_before(&mut client, &key.blobs, copied.begun)?;
        }
        for share in &caller.shares {
            decrypt_those_before(&mut client, &share.blobs, copied.begun)?;
        }
    }
    Ok(())
}

/// In whatever state the key was: the copy is thrown away.
fn usable(client: &mut Client, key: &str) -> Result<(), String> {
    let named = json!({"KeyId": key});
    let state = State::parse(&ask(client, "DescribeKey", &named)?["KeyMetadata"]["KeyState"])?;
    if state == State::Pending {
        ask(client, "CancelKeyDeletion", &named)?;
    }
    ask(client, "EnableKey", &named)?;
    Ok(())
}

fn decrypt_those_before(client: &mut Client, blobs: &[Blob], time: Instant) -> Result<(), String> {
    let mut before = blobs.iter().filter(|blob| blob.at < time);
    Ok(before.try_for_each(|blob| decrypts(client, blob))?)
}
