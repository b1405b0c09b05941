//! The data directory: made for its owner alone, locked for one process, its files written whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::failure::misuse;

const LOCK: &str = "lock";

/// A data directory that this process has to itself for as long as this lives.
pub(crate) struct DataDir {
    path: PathBuf,
    // The lock goes with the descriptor: a process that is killed leaves none behind.
    _lock: File,
}

impl DataDir {
    /// Makes the directory unless it is there, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        make(path).with_context(|| format!("the data directory {} cannot be made", path.display()))?;
        Ok(Self::lock(path)??)
    }

    /// Locks a directory that must be there.
    pub(crate) fn open_existing(path: &Path) -> Result<Self> {
        Ok(Self::try_open_existing(path)??)
    }

    /// The same, telling apart that another process has it locked.
    pub(crate) fn try_open_existing(path: &Path) -> Result<Result<Self, InUse>> {
        if !path.is_dir() {
            let shown = path.display();
            return Err(misuse(format!(
                "there is no data directory {shown}; name the right one with --data-dir"
            )));
        }
        Self::lock(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn lock(path: &Path) -> Result<Result<Self, InUse>> {
        let shown = path.display();
        let path = fs::canonicalize(path).with_context(|| format!("the data directory {shown}"))?;
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut lock = options
            .open(path.join(LOCK))
            .with_context(|| format!("the data directory {shown} cannot be written"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who it is is a courtesy.
                let _ = lock.read_to_string(&mut holder);
                return Ok(Err(InUse { dir: path, holder: holder.trim().to_owned() }));
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("the data directory {shown} cannot be locked"));
            }
        }
        lock.set_len(0)?;
        writeln!(lock, "{}", std::process::id())?;
        Ok(Ok(Self { path, _lock: lock }))
    }
}

/// Refuses the work of another user than the server's, who could not open the files that it would leave behind.
pub(crate) fn check_user(path: &Path, user: u32) -> Result<()> {
    // Not the directory: volumes in containers belong to others than those who write to them.
    let Ok(lock) = fs::metadata(path.join(LOCK)) else { return Ok(()) };
    let owner = lock.uid();
    if owner == user {
        return Ok(());
    }
    let shown = path.display();
    Err(misuse(format!(
        "the server of {shown} runs as user {owner}, and this as user {user}: run it as that one (sudo -u '#{owner}' trent …)"
    )))
}

/// Another process has the data directory to itself.
pub(crate) struct InUse {
    dir: PathBuf,
    holder: String,
}

impl From<InUse> for anyhow::Error {
    fn from(InUse { dir, holder }: InUse) -> Self {
        let shown = dir.display();
        misuse(format!(
            "the data directory {shown} is in use by another trent (process {holder}); stop it, or name another with \
             --data-dir"
        ))
    }
}

fn make(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let made: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    // Else a power failure could take the whole directory away, with all that was synced in it.
    made.into_iter().filter(|folder| !folder.as_os_str().is_empty()).try_for_each(sync_parent)
}

/// Writes a file that only its owner may read, so that after a crash it is there whole or not at all.
pub(crate) fn write_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let unfinished = path.with_file_name(name);
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    // One that was left over may have another mode.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(content)?;
    file.sync_all()?;
    rename_durably(&unfinished, path)
}

/// Renames within a directory, and waits until that is on disk.
pub(crate) fn rename_durably(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_parent(to)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    File::open(directory_of(path))?.sync_all()
}

/// The directory that a file is in, also where its name is all that is given.
pub(crate) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The permission bits of a file.
pub(crate) fn mode(path: &Path) -> io::Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_made_for_its_owner_and_locked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let first = DataDir::open(&path).unwrap();
        assert_eq!(mode(first.path()).unwrap(), 0o700);
        let refused = DataDir::open(&path).err().unwrap().to_string();
        assert!(refused.contains(&format!("(process {})", std::process::id())), "{refused}");
        drop(first);
        DataDir::open_existing(&path).unwrap();
    }

    #[test]
    fn work_of_another_user_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        drop(DataDir::open(dir.path()).unwrap());
        let own = rustix::process::geteuid().as_raw();
        check_user(dir.path(), own).unwrap();
        let refused = check_user(dir.path(), own + 1).unwrap_err().to_string();
        assert!(refused.contains(&format!("runs as user {own}, and this as user {}", own + 1)), "{refused}");
    }

    #[test]
    fn files_are_replaced_whole_and_for_their_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(dir.path().join("file.tmp"), "left over").unwrap();
        write_durably(&path, b"first").unwrap();
        write_durably(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(mode(&path).unwrap(), 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
