//! The audit trail of a service: opened with what the database knows of it, and the newest checkpoint kept there, so that
//! a journal that was cut short shows.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use trent_audit::{AdminRecord, Checkpoint, Internal, Rotation, Settings, Signer, Trail, hex};
use trent_crypto::Random;
use trent_database::{Database, DatabaseError};
use trent_domain::identity::Owner;
use trent_domain::time::Clock;
use trent_gate::{CheckpointSigner, Gate, Rotated};
use uuid::Uuid;

use crate::error::KmsError;
use crate::open::Service;

/// The row with the newest checkpoint that is on disk.
const CHECKPOINT: &str = "audit-checkpoint";
/// The row with the id of this node's chain.
const NODE: &str = "audit-node";
/// The row with the public key of checkpoints, in hexadecimal digits.
const PUBLIC_KEY: &str = "audit-public-key";

/// What the database knows of the audit trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownTrail {
    /// What checkpoints are signed with.
    pub public_key: [u8; 32],
    /// The newest checkpoint that was told to it.
    pub checkpoint: Option<Checkpoint>,
}

impl KnownTrail {
    /// Reads it from the rows; nothing where no trail was ever opened.
    pub fn read(records: &dyn trent_database::Records) -> Result<Option<Self>, DatabaseError> {
        let text = |name| Ok::<_, DatabaseError>(records.setting(name)?.map(into_text));
        let key = text(PUBLIC_KEY)?.and_then(|text| trent_audit::from_hex(text.as_bytes()));
        let checkpoint = text(CHECKPOINT)?.and_then(|text| Checkpoint::parse(&text));
        Ok(key.map(|public_key| Self { public_key, checkpoint }))
    }
}

impl Service {
    /// The service with the trail in a directory, on which it records what it does.
    ///
    /// # Errors
    /// In words: the database or the files cannot be read or written, or the trail is damaged.
    pub async fn open_trail(self, settings: Settings) -> Result<Self, String> {
        let fresh = self.random_uuid().map_err(|error| in_words(&error))?;
        let trail = open(&self.gate, &self.database, self.clock(), fresh, settings).await?;
        let service = self.with_trail(trail);
        service.keep_checkpoint().await.map_err(|error| in_words(&error))?;
        Ok(service)
    }

    /// Tells the database the newest checkpoint that is on disk.
    pub(crate) async fn keep_checkpoint(&self) -> Result<(), KmsError> {
        let Some(checkpoint) = self.trail.checkpoint() else { return Ok(()) };
        let mut kept = self.kept_checkpoint.lock().await;
        if *kept == Some(checkpoint) {
            return Ok(());
        }
        keep(&self.database, &checkpoint).await?;
        *kept = Some(checkpoint);
        Ok(())
    }

    /// Ends the trail with a signed record, and tells the database. What happens afterwards is not recorded.
    pub async fn close_trail(&self) -> Result<(), KmsError> {
        let trail = self.trail.clone();
        // It waits for the disk.
        tokio::task::spawn_blocking(move || trail.close())
            .await
            .map_err(|error| KmsError::internal(&error))?;
        self.keep_checkpoint().await
    }

    /// Closes the database, whoever still holds the service. Blocks until what was queued is done.
    ///
    /// A process that ends without this loses nothing, but leaves the database's log to the next one.
    pub fn close_database(&self) {
        self.database.close();
    }

    /// Records that the deployment was made, and who may sign in it.
    pub async fn record_first_start(&self) -> Result<(), KmsError> {
        let keys = trent_database::read(&*self.database, |records| records.access_keys()).await?;
        let told = keys.first().map(|key| {
            let user = match &key.owner {
                Owner::Root => None,
                Owner::User(name) => Some(name),
            };
            json!({"account": key.account, "user": user, "accessKeyId": key.id})
        });
        let parameters = told.unwrap_or_else(|| json!({})).to_string();
        let record = AdminRecord {
            name: "FirstStart",
            parameters: parameters.as_bytes(),
            read_only: false,
            at: self.now(),
            error: None,
            outcome: b"",
        };
        let written = self.recorder.admin(&record, self.new_event_id());
        written.await.map_err(|_| KmsError::unrecordable())
    }

    /// Records what a job did.
    pub(crate) async fn record(&self, event: &Internal) -> Result<(), KmsError> {
        let written = self.recorder.internal(event, self.now(), self.new_event_id());
        written.await.map_err(|_| KmsError::unrecordable())
    }
}

/// Opens the trail of a deployment; `fresh` is the id of its chain if it has none.
async fn open(
    gate: &Gate,
    database: &Arc<dyn Database>,
    clock: Arc<dyn Clock>,
    fresh: Uuid,
    settings: Settings,
) -> Result<Trail, String> {
    let signer = gate.checkpoint_signer().await.map_err(|error| in_words(&error))?;
    let public_key = hex(&signer.public_key());
    let known = trent_database::write(&**database, "open audit trail", move |transaction| {
        let node = transaction.setting(NODE)?.map(into_text).and_then(|text| text.parse::<Uuid>().ok());
        let node = node.unwrap_or(fresh);
        transaction.put_setting(NODE, node.to_string().as_bytes())?;
        transaction.put_setting(PUBLIC_KEY, public_key.as_bytes())?;
        let checkpoint = transaction.setting(CHECKPOINT)?.map(into_text);
        Ok::<_, DatabaseError>((node, checkpoint.and_then(|text| Checkpoint::parse(&text))))
    });
    let (node, known) = known.await.map_err(|error| in_words(&error))?.map_err(|error| in_words(&error))?;
    Trail::open(settings, Arc::new(Sealed(signer)), clock, known, node).map_err(|error| in_words(&error))
}

async fn keep(database: &Arc<dyn Database>, checkpoint: &Checkpoint) -> Result<(), DatabaseError> {
    let text = checkpoint.to_text();
    trent_database::write(&**database, "keep checkpoint", move |transaction| {
        transaction.put_setting(CHECKPOINT, text.as_bytes())
    })
    .await?
}

fn in_words(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// The trail of a deployment that no server runs, for a command that has it to itself.
pub struct StoppedTrail {
    trail: Trail,
    database: Arc<dyn Database>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl StoppedTrail {
    /// Opens it, if one is kept. Only a server begins one.
    ///
    /// # Errors
    /// In words: as for a server, or the directory is not the one where the server keeps it.
    pub async fn open(
        gate: &Gate,
        database: Arc<dyn Database>,
        (clock, random): (Arc<dyn Clock>, Arc<dyn Random>),
        settings: Option<Settings>,
    ) -> Result<Self, String> {
        let known = trent_database::read(&*database, |records| KnownTrail::read(records))
            .await
            .map_err(|error| in_words(&error))?;
        let trail = match settings.zip(known) {
            Some((settings, known)) => {
                check_place(&settings.dir, known.checkpoint)?;
                open(gate, &database, Arc::clone(&clock), event_id(&*random)?, settings).await?
            }
            None => Trail::default(),
        };
        Ok(Self { trail, database, clock, random })
    }

    /// Records what the command does; it is on disk when this is done.
    ///
    /// # Errors
    /// In words: it could not be written.
    pub async fn record(&self, name: &str, parameters: &serde_json::Value) -> Result<(), String> {
        let parameters = parameters.to_string();
        let record = AdminRecord {
            name,
            parameters: parameters.as_bytes(),
            read_only: false,
            at: self.clock.now(),
            error: None,
            outcome: b"",
        };
        let written = self.trail.recorder().admin(&record, event_id(&*self.random)?);
        written.await.map_err(|_| "the audit trail cannot be written".to_owned())
    }

    /// Ends it with a signed record, and tells the database.
    ///
    /// # Errors
    /// In words: one of them could not be written.
    pub async fn close(&self) -> Result<(), String> {
        self.trail.close();
        match self.trail.checkpoint() {
            Some(checkpoint) => keep(&self.database, &checkpoint).await.map_err(|error| in_words(&error)),
            None => Ok(()),
        }
    }
}

/// Refuses a directory where the chain would seem to be cut short: a record there would break the one elsewhere for good.
fn check_place(dir: &Path, known: Option<Checkpoint>) -> Result<(), String> {
    let reached = known.map(|known| trent_audit::reaches(dir, known)).transpose();
    if reached.map_err(|error| in_words(&error))? == Some(true) {
        return Ok(());
    }
    let dir = dir.display();
    Err(format!(
        "the audit trail of this deployment does not end in {dir}: give the --config of `trent serve`; if it is the same, \
         start and stop the server first"
    ))
}

fn event_id(random: &dyn Random) -> Result<Uuid, String> {
    let mut bytes = [0; 16];
    random.fill(&mut bytes).map_err(|error| in_words(&error))?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

/// What is recorded of a rotation.
pub(crate) fn rotation(kind: &str, rotated: &Rotated) -> Vec<Internal> {
    let (previous, current) = (rotated.previous.map(|id| id.to_string()), rotated.current.to_string());
    let rotation = Rotation {
        kind,
        origin: rotated.origin.as_str(),
        previous: previous.as_deref().unwrap_or_default(),
        current: &current,
    };
    let arn = rotated.arn.to_string();
    let synchronized = rotated.replicated.then(|| Internal::synchronize(arn.clone()));
    [Some(Internal::rotate_key(arn, &rotation)), synchronized].into_iter().flatten().collect()
}

fn into_text(value: Vec<u8>) -> String {
    // What is no text is none of these rows' formats either.
    String::from_utf8(value).unwrap_or_default()
}

struct Sealed(CheckpointSigner);

impl Signer for Sealed {
    fn public_key(&self) -> [u8; 32] {
        self.0.public_key()
    }

    fn sign(&self, text: &[u8]) -> Option<[u8; 64]> {
        self.0
            .sign(text)
            .inspect_err(|error| tracing::error!(%error, "a checkpoint could not be signed"))
            .ok()
    }
}
