//! `trent admin cluster`: what the configuration says of clusters, and what their HSMs say.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use trent_crypto::SecretBytes;
use trent_domain::key_store::{Hsm, HsmState};
use trent_hsm::{Error, KEY_ID_BYTES, KeyId, Pin, TokenError, TokenFacts, Worker};

use super::table;
use crate::arguments::ClusterCommand;
use crate::clusters::{Reached, registered};
use crate::config::{ClusterSection, HsmSection};
use crate::failure::misuse;
use crate::wiring;

/// The label of a key that is made for a trial alone.
const TRIAL_LABEL: &str = "trent trial key";

/// A line of the answer: an HSM.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    cluster: String,
    hsm: String,
    availability_zone: String,
    token: String,
    state: HsmState,
    /// What was found; nothing where nobody looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<String>,
}

/// What was asked for, and whether all is well.
pub(super) fn run(command: &ClusterCommand, section: &HsmSection) -> Result<(Vec<Finding>, bool)> {
    // The same checks as at the start of the server.
    registered(section)?;
    match command {
        ClusterCommand::List => {
            let all = section.cluster.iter();
            let all = all.flat_map(|cluster| cluster.hsms.iter().map(|hsm| Finding::of(cluster, hsm, None)));
            Ok((all.collect(), true))
        }
        ClusterCommand::Check { id, password_file } => {
            let cluster = section.cluster.iter().find(|cluster| cluster.cluster_id == *id);
            let cluster =
                cluster.ok_or_else(|| misuse(format!("no cluster `{id}` is in the configuration")))?;
            let reached = Reached::new(section, cluster);
            let pin = password_file.as_deref().map(|path| pin(&reached, path)).transpose()?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(check(cluster, &reached, pin.as_ref()))
        }
    }
}

/// An answer for people.
pub(super) fn text(findings: Vec<Finding>) -> String {
    table(
        ["CLUSTER", "HSM", "ZONE", "TOKEN", "STATE", "FOUND"],
        findings.into_iter().map(|line| {
            let state = match line.state {
                HsmState::Active => "ACTIVE",
                HsmState::Inactive => "INACTIVE",
            };
            let found = line.found.unwrap_or_default();
            [line.cluster, line.hsm, line.availability_zone, line.token, state.to_owned(), found]
        }),
    )
}

impl Finding {
    fn of(cluster: &ClusterSection, hsm: &Hsm, found: Option<String>) -> Self {
        Self {
            cluster: cluster.cluster_id.clone(),
            hsm: hsm.id.clone(),
            availability_zone: hsm.availability_zone.clone(),
            token: hsm.token_serial.clone(),
            state: hsm.state,
            found,
        }
    }
}

async fn check(
    cluster: &ClusterSection,
    reached: &Reached,
    pin: Option<&Pin>,
) -> Result<(Vec<Finding>, bool)> {
    let worker = reached.worker()?;
    let mut found = Vec::new();
    for hsm in &cluster.hsms {
        found.push((hsm, look(&worker, hsm).await));
    }
    let active = |hsm: &Hsm| hsm.state == HsmState::Active;
    // An HSM that takes no part need not be there.
    let is_well = |found: &[(&Hsm, Result<String, String>)]| {
        found.iter().all(|(hsm, found)| found.is_ok() || !active(hsm))
    };
    if let (Some(pin), true) = (pin, is_well(&found)) {
        let serials = cluster.hsms.iter().filter(|hsm| active(hsm)).map(|hsm| hsm.token_serial.as_str());
        let serials: Vec<&str> = serials.collect();
        let tried = trial(&worker, reached, &serials, pin).await;
        for (hsm, found) in found.iter_mut().filter(|(hsm, _)| active(hsm)) {
            match &tried {
                Ok(()) => *found = found.clone().map(|text| text + "; a trial key works in all HSMs"),
                Err((serial, error)) if *serial == hsm.token_serial => *found = Err(error.to_string()),
                Err(_) => {}
            }
        }
    }
    let is_well = is_well(&found);
    let shown = found
        .into_iter()
        .map(|(hsm, found)| Finding::of(cluster, hsm, Some(found.unwrap_or_else(|problem| problem))));
    Ok((shown.collect(), is_well))
}

/// What an HSM says of itself, or what is wrong with it.
async fn look(worker: &Worker, hsm: &Hsm) -> Result<String, String> {
    let facts = worker.facts(&hsm.token_serial).await.map_err(|error| error.to_string())?;
    match facts {
        TokenFacts { has_user_pin: false, .. } => Err("the user has no PIN".to_owned()),
        TokenFacts { is_pin_locked: true, .. } => Err("the PIN is locked".to_owned()),
        TokenFacts { label, model, .. } => Ok(format!("{label} ({model})")),
    }
}

/// Makes a key for all HSMs, as CreateKey is to, and uses it in each of them. It is destroyed in any case. An error comes
/// with the serial number of the token that it is about.
async fn trial<'s>(
    worker: &Worker,
    reached: &Reached,
    serials: &[&'s str],
    pin: &Pin,
) -> Result<(), (&'s str, Error)> {
    for serial in serials {
        worker.log_in(serial, pin).await.map_err(|error| (*serial, error))?;
    }
    let Some(first) = serials.first() else { return Ok(()) };
    let mut id: KeyId = [0; KEY_ID_BYTES];
    let drawn = wiring::random().fill(&mut id);
    drawn.map_err(|error| (*first, Error::NotStarted(error.to_string())))?;
    let made = worker.generate_in_all(serials, reached.replication, id, TRIAL_LABEL).await;
    made.map_err(|error| (*first, error))?;
    let used = use_in_all(worker, reached, serials, id).await;
    worker.destroy_in_all(serials, id).await;
    used
}

/// Encrypts in each HSM, and decrypts in all.
async fn use_in_all<'s>(
    worker: &Worker,
    reached: &Reached,
    serials: &[&'s str],
    id: KeyId,
) -> Result<(), (&'s str, Error)> {
    let (plaintext, aad, mode) = (b"trial", b"additional data", reached.iv_mode);
    for from in serials {
        let sealed = worker.encrypt(from, id, mode, plaintext, aad).await.map_err(|error| (*from, error))?;
        for to in serials {
            let opened = worker.decrypt(to, id, mode, sealed.clone(), aad).await;
            let opened = opened.map_err(|error| (*to, error))?;
            if opened.as_slice() != plaintext {
                return Err((*to, Error::Token(TokenError::InvalidCiphertext)));
            }
        }
    }
    Ok(())
}

fn pin(reached: &Reached, path: &Path) -> Result<Pin> {
    let read = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let read = SecretBytes::from(read);
    let line = SecretBytes::from(read.expose().trim_ascii_end().to_vec());
    reached.pin(&line).ok_or_else(|| misuse(format!("`{}` holds no text", path.display())))
}
