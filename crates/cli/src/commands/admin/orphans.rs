//! `trent admin key-store orphans`: keys in HSMs that nobody owns, and what is to become of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Result, bail};
use trent_service::admin::{Command, LackingLine, OrphanLine, Reply};

use super::table;
use crate::admin_socket::ask;
use crate::arguments::OrphansArguments;

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
    let keys: BTreeSet<String> = old.iter().map(|orphan| orphan.id.clone()).collect();
    let number = keys.len();
    if number > 0 && !words.yes && !is_agreed(&found(old, Vec::new(), unseen), number)? {
        bail!("nothing was destroyed");
    }
    let mut done = if keys.is_empty() {
        Reply::Destroyed { destroyed: Vec::new(), left: BTreeMap::new() }
    } else {
        ask(data_dir, &Command::DestroyOrphans { store, keys, min_age_minutes: words.min_age_minutes })?
    };
    let Reply::Destroyed { left, .. } = &mut done else { return Ok((done, false)) };
    let why = format!("it is younger than {} minutes", words.min_age_minutes);
    left.extend(young.into_iter().map(|orphan| (orphan.id, why.clone())));
    let is_well = left.is_empty();
    Ok((done, is_well))
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
