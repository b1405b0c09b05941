//! `trent admin key-store orphans`: keys in HSMs that nobody owns, and what is to become of them.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Result, bail};
use trent_service::admin::{Command, LackingLine, OrphanLine, Reply};

use super::table;
use crate::admin_socket::ask;
use crate::arguments::OrphansArguments;

/// Keys that one command has destroyed: it has its answer while an HSM takes its time, and its record stays readable.
const AT_ONCE: usize = 128;

/// Destroys those that are old enough, once a person has agreed. Answers what has become of them, and whether all are gone.
pub(super) fn destroy(data_dir: &Path, words: &OrphansArguments) -> Result<(Reply, bool)> {
    let store = words.id.clone();
    let Reply::Orphans { orphans, unseen, .. } =
        ask(data_dir, &Command::ListOrphans { store: store.clone() })?
    else {
        bail!("the server's answer is not understood");
    };
    let is_old = |orphan: &OrphanLine| orphan.age_minutes >= u64::from(words.min_age_minutes);
    let (old, young): (Vec<_>, Vec<_>) = orphans.into_iter().partition(is_old);
    let keys: Vec<String> = old.iter().map(|orphan| orphan.id.clone()).collect();
    let number = keys.len();
    if number > 0 && !words.yes && !is_agreed(&found(old, Vec::new(), unseen), number)? {
        bail!("nothing was destroyed");
    }
    let why = format!("it is younger than {} minutes", words.min_age_minutes);
    let mut left: BTreeMap<_, _> = young.into_iter().map(|orphan| (orphan.id, why.clone())).collect();
    let (mut destroyed, mut chunks) = (Vec::new(), keys.chunks(AT_ONCE).enumerate());
    for (number, keys) in &mut chunks {
        let (store, min_age_minutes) = (store.clone(), words.min_age_minutes);
        let command =
            Command::DestroyOrphans { store, keys: keys.iter().cloned().collect(), min_age_minutes };
        match ask(data_dir, &command) {
            Ok(Reply::Destroyed { destroyed: gone, left: kept }) => {
                destroyed.extend(gone);
                left.extend(kept);
            }
            Ok(_) => bail!("the server's answer is not understood"),
            Err(error) if number == 0 => return Err(error),
            // What the others have come to is told all the same.
            Err(error) => {
                let why = format!("it may be gone: {error:#}");
                left.extend(keys.iter().map(|key| (key.clone(), why.clone())));
                break;
            }
        }
    }
    let unasked = chunks.flat_map(|(_, keys)| keys);
    left.extend(unasked.map(|key| (key.clone(), "not asked for after that".to_owned())));
    let is_well = left.is_empty();
    Ok((Reply::Destroyed { destroyed, left }, is_well))
}

/// Asks the person at the terminal. What is answered goes to standard output, and this does not.
fn is_agreed(found: &str, number: usize) -> Result<bool> {
    let mut terminal = io::stderr();
    write!(
        terminal,
        "{found}Destroy these {number} in all HSMs? Only a backup of the HSMs would bring them back. Type yes: "
    )?;
    terminal.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

/// What was found, for people.
pub(super) fn found(
    orphans: Vec<OrphanLine>,
    lacking: Vec<LackingLine>,
    unseen: BTreeMap<String, String>,
) -> String {
    if orphans.is_empty() && lacking.is_empty() && unseen.is_empty() {
        return "Nothing is wrong.\n".to_owned();
    }
    let orphans = orphans.into_iter().map(|line| {
        let what = format!("has no KMS key, {} minutes old", line.age_minutes);
        [line.id, line.label, what, line.hsms.join(" ")]
    });
    let lacking = lacking
        .into_iter()
        .map(|line| [line.id, line.key, "lacks its key in".to_owned(), line.hsms.join(" ")]);
    let unseen = unseen
        .into_iter()
        .map(|(hsm, why)| [String::new(), String::new(), format!("not looked at: {why}"), hsm]);
    table(["CKA_ID", "KEY", "FOUND", "HSM"], orphans.chain(lacking).chain(unseen))
}

/// What has become of them, for people.
pub(super) fn outcome(destroyed: Vec<String>, left: BTreeMap<String, String>) -> String {
    if destroyed.is_empty() && left.is_empty() {
        return "There is nothing to destroy.\n".to_owned();
    }
    let destroyed = destroyed.into_iter().map(|id| [id, "destroyed".to_owned()]);
    let left = left.into_iter().map(|(id, why)| [id, format!("left: {why}")]);
    table(["CKA_ID", "OUTCOME"], destroyed.chain(left))
}
