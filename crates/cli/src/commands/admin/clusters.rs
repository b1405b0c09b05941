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
    let (mut findings, mut is_well) = (Vec::new(), true);
    for hsm in &cluster.hsms {
        let is_active = hsm.state == HsmState::Active;
        let found = look(&worker, hsm).await;
        let found = match (found, pin) {
            (Ok(found), Some(pin)) if is_active => {
                let tried = trial(&worker, reached, cluster, hsm, pin).await;
                tried.map(|tried| found + &tried).map_err(|error| error.to_string())
            }
            (found, _) => found,
        };
        // An HSM that takes no part need not be there.
        is_well &= found.is_ok() || !is_active;
        findings.push(Finding::of(cluster, hsm, Some(found.unwrap_or_else(|problem| problem))));
    }
    Ok((findings, is_well))
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

/// Makes a key in an HSM, encrypts and decrypts with it, and looks for it in the others. It is destroyed in any case.
async fn trial(
    worker: &Worker,
    reached: &Reached,
    cluster: &ClusterSection,
    hsm: &Hsm,
    pin: &Pin,
) -> Result<String, Error> {
    let serial = &hsm.token_serial;
    worker.log_in(serial, pin).await?;
    let mut id: KeyId = [0; KEY_ID_BYTES];
    wiring::random().fill(&mut id).map_err(|error| Error::NotStarted(error.to_string()))?;
    worker.generate(serial, id, TRIAL_LABEL).await?;
    let used = round_trip(worker, reached, serial, id).await;
    let (mut others, mut seen) = (0, 0);
    for other in cluster.hsms.iter().filter(|other| other.state == HsmState::Active && other.id != hsm.id) {
        others += 1;
        let found = match worker.log_in(&other.token_serial, pin).await {
            Ok(()) => worker.find(&other.token_serial, id).await,
            Err(error) => Err(error),
        };
        seen += usize::from(found.is_ok());
    }
    worker.destroy(serial, id).await?;
    used?;
    Ok(format!("; a key works, and is in {seen} of {others} other HSMs"))
}

async fn round_trip(worker: &Worker, reached: &Reached, serial: &str, id: KeyId) -> Result<(), Error> {
    let (plaintext, aad, mode) = (b"trial", b"additional data", reached.iv_mode);
    let sealed = worker.encrypt(serial, id, mode, plaintext, aad).await?;
    let opened = worker.decrypt(serial, id, mode, sealed, aad).await?;
    if opened.as_slice() == plaintext { Ok(()) } else { Err(Error::Token(TokenError::InvalidCiphertext)) }
}

fn pin(reached: &Reached, path: &Path) -> Result<Pin> {
    let read = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let read = SecretBytes::from(read);
    let line = SecretBytes::from(read.expose().trim_ascii_end().to_vec());
    reached.pin(&line).ok_or_else(|| misuse(format!("`{}` holds no text", path.display())))
}
