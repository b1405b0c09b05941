//! The data directory: who may read it, whether the database is whole, and whether the root key is its own.

use std::path::Path;

use anyhow::Result;
use trent_database::Embedded;

use super::Finding;
use crate::config::Config;
use crate::data_dir::{DataDir, mode};
use crate::root_key::{Given, Places, Source, is_pending, leftovers};
use crate::wiring::{directory_sealed_with, random};

/// Findings, and whether a server runs on the directory.
pub(super) fn check(config: &Config, given: &Given) -> (bool, Vec<Finding>) {
    let dir = &config.data.dir;
    let shown = dir.display();
    if !dir.exists() {
        return (
            false,
            vec![Finding::fine(format!("data directory: {shown} is not there; the first start makes it"))],
        );
    }
    let mut findings = vec![directory(dir)];
    // Locked while it is looked at, so that nobody starts or rekeys meanwhile.
    let lock = match DataDir::try_open_existing(dir) {
        Ok(Ok(lock)) => Some(lock),
        Ok(Err(_in_use)) => {
            findings.push(Finding::fine(format!("data directory: a server runs on {shown}")));
            None
        }
        Err(error) => {
            findings.push(Finding::wrong(format!("data directory: {error:#}")));
            return (false, findings);
        }
    };
    findings.extend(database(config, given));
    (lock.is_none(), findings)
}

fn directory(dir: &Path) -> Finding {
    let shown = dir.display();
    match mode(dir) {
        Ok(mode) if mode & 0o077 != 0 => Finding::wrong(format!(
            "data directory: others may look into {shown} (mode {mode:o}); chmod 700 it"
        )),
        Ok(_) => Finding::fine(format!("data directory: {shown} is its owner's alone")),
        Err(error) => Finding::wrong(format!("data directory: {shown}: {error}")),
    }
}

fn database(config: &Config, given: &Given) -> Vec<Finding> {
    let dir = &config.data.dir;
    if !Embedded::exists(dir) {
        return vec![Finding::fine("database: there is none; the first start makes it")];
    }
    let mut findings = match Embedded::check(dir) {
        Ok(()) => vec![Finding::fine("database: whole")],
        Err(error) => {
            let error = anyhow::Error::new(error);
            return vec![Finding::wrong(format!(
                "database: {error:#}; stop the server and restore a backup"
            ))];
        }
    };
    findings.extend(
        root_key(config, given).unwrap_or_else(|error| vec![Finding::wrong(format!("root key: {error:#}"))]),
    );
    findings
}

/// Whether the root key opens the database. A passphrase is not asked for where none is given.
fn root_key(config: &Config, given: &Given) -> Result<Vec<Finding>> {
    let places = Places::of(&config.root_key, &config.data.dir);
    let mut findings = Vec::new();
    let source = match Source::choose(config.root_key.provider, &places, given) {
        Ok(source) => source,
        Err(error) => return Ok(vec![Finding::warning(format!("root key: not looked at: {error:#}"))]),
    };
    let place = source.place(&places);
    if let Ok(mode) = mode(place)
        && mode & 0o077 != 0
    {
        let shown = place.display();
        findings
            .push(Finding::wrong(format!("root key: others may read {shown} (mode {mode:o}); chmod 600 it")));
    }
    match directory_sealed_with(&config.data.dir)? {
        None => findings.push(Finding::fine("root key: nothing is sealed yet; the first start makes one")),
        Some(fingerprint) if is_pending(&places, fingerprint) => {
            findings
                .push(Finding::warning("root key: a rekeying was interrupted; the next start completes it"));
        }
        Some(fingerprint) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(source.open(&places, Some(fingerprint), &*random()))?;
            findings.push(Finding::fine(format!("root key: {} opens this database", place.display())));
        }
    }
    for path in leftovers(&places) {
        findings.push(Finding::warning(format!(
            "root key: {} is left over from a rekeying; keep it for backups made before, else delete it",
            path.display()
        )));
    }
    Ok(findings)
}
