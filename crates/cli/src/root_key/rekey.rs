//! A new root key in place of another, so that a crash at any moment leaves one that opens the database.
//!
//! 1. The new key (or passphrase record) is written beside its place as `….pending-FINGERPRINT`, durably.
//! 2. The database commits the ring sealed under it, and its fingerprint.
//! 3. What was there is renamed to `….replaced-by-FINGERPRINT`, the pending file to its final name.
//!
//! A crash before 2 leaves the old key in force and a pending file that seals nothing; one after 2 is completed by
//! the next start, which finds a pending file with the fingerprint of the database. No key is ever deleted here:
//! backups made before need the old one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use trent_crypto::root::{self, PassphraseParams, PassphraseRecord};
use trent_crypto::{Key256, Random};

use super::{Fingerprint, Places, Settled, Source, hex};
use crate::data_dir::{directory_of, rename_durably, write_durably};

const PENDING: &str = ".pending-";
const REPLACED: &str = ".replaced-by-";

/// A new root key that waits to be put in force.
pub(crate) struct Pending {
    /// The key.
    pub(crate) root: Key256,
    path: PathBuf,
}

impl Pending {
    /// Step 1: makes a key, or derives it from the passphrase, and writes it down.
    pub(crate) async fn write(next: &Source, places: &Places, random: &dyn Random) -> Result<Self> {
        let (root, content) = match next.settle(places) {
            Settled::File => {
                let root = Key256::generate(random)?;
                let text = root::encode_file(&root);
                (root, text)
            }
            Settled::Passphrase(passphrase) => {
                let params = PassphraseParams::generate(random)?;
                let (record, root) = PassphraseRecord::create(passphrase.expose(), params, random)?;
                (root, record.encode().into())
            }
            Settled::Hsm(hsm) => {
                let root = Key256::generate(random)?;
                let wrapped = hsm.wrap(&root, random).await?;
                (root, wrapped.encode().into())
            }
        };
        let path = beside(next.place(places), PENDING, &root::fingerprint(&root));
        write_durably(&path, content.expose())
            .with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Self { root, path })
    }

    /// Takes step 1 back, after step 2 was refused.
    pub(crate) fn discard(self) {
        // One that stays seals nothing.
        let _ = fs::remove_file(self.path);
    }
}

/// Step 3, also of a rekeying that was interrupted after step 2; nothing if there is none.
///
/// Gives the files that the keys before were renamed to.
pub(crate) fn complete(places: &Places, sealed_with: Fingerprint) -> Result<Option<Vec<PathBuf>>> {
    for place in places.all() {
        let pending = beside(place, PENDING, &sealed_with);
        if !pending.exists() {
            continue;
        }
        let mut replaced = Vec::new();
        // The pending file is renamed last: as long as it is there, all of this is done again.
        let others = places.all().into_iter().filter(|other| *other != place);
        for old in others.chain([place]).filter(|old| old.exists()) {
            let aside = beside(old, REPLACED, &sealed_with);
            match rename_durably(old, &aside) {
                Ok(()) => replaced.push(aside),
                // The new key does not need the place of the old one, which may be on a medium of its own.
                Err(error) if old != place => {
                    tracing::warn!(%error, "{} could not be renamed", old.display());
                }
                Err(error) => {
                    return Err(error).with_context(|| format!("{} cannot be renamed", old.display()));
                }
            }
            crash_point("old-key-aside");
        }
        rename_durably(&pending, place)
            .with_context(|| format!("{} cannot be renamed", pending.display()))?;
        return Ok(Some(replaced));
    }
    Ok(None)
}

/// Whether a rekeying to the root key with this fingerprint was interrupted before step 3.
pub(crate) fn is_pending(places: &Places, sealed_with: Fingerprint) -> bool {
    places.all().into_iter().any(|place| beside(place, PENDING, &sealed_with).exists())
}

/// Whether some rekeying to a root key that needs nobody to give a passphrase has not been completed.
pub(super) fn is_unattended_pending(places: &Places) -> bool {
    let starts = [&places.file, &places.wrapped].map(|place| {
        let name = place.file_name().unwrap_or_default();
        format!("{}{PENDING}", name.to_string_lossy())
    });
    let is_one = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        starts.iter().any(|start| name.starts_with(start))
    };
    leftovers(places).iter().any(is_one)
}

/// Files that rekeying left behind: keys that are in force no more, or never were.
pub(crate) fn leftovers(places: &Places) -> Vec<PathBuf> {
    let directories = places.all().map(|place| directory_of(place));
    let mut found: Vec<_> = directories
        .into_iter()
        .filter_map(|directory| fs::read_dir(directory).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.contains(PENDING) || name.contains(REPLACED)
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

fn beside(place: &Path, kind: &str, fingerprint: &Fingerprint) -> PathBuf {
    let mut name = place.file_name().unwrap_or_default().to_owned();
    name.push(format!("{kind}{}", hex(fingerprint)));
    place.with_file_name(name)
}

/// Kills the process where a test asks for it. Not in release builds.
#[cfg(debug_assertions)]
pub(crate) fn crash_point(name: &str) {
    if crate::config::Environment::of_process().get("TRENT_TEST_CRASH_AT") == Some(name) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// See above.
#[cfg(not(debug_assertions))]
pub(crate) fn crash_point(_name: &str) {}
