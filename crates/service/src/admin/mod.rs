//! What an operator does through the admin socket: accounts and all that they have, custom key stores.
//!
//! The socket is a file of the data directory that only its owner may open; whoever reaches it may do all this. What
//! the identity file manages is shown and not changed: it would come back with the next reload.
//!
//! A change is tried on everything there is, inside its transaction: what does not fit together afterwards is
//! undone and refused.

mod access_keys;
mod accounts;
mod command;
mod explain;
mod key_stores;
mod mfa_devices;
mod orphans;
mod records;
mod tokens;

use std::sync::Arc;

use trent_audit::AdminRecord;
use trent_database::{DatabaseError, Transaction};
use trent_domain::identifier::AccountId;
use trent_domain::identity::Status;
use trent_gate::{OpenError, StoreError};

use crate::error::KmsError;
use crate::identity::{Configured, IdentityProblem, Stored, fits};
use crate::open::{ReloadError, Service};
use tokens::Wanted;

pub use command::{
    AccessKeyLine, AccountLine, Command, LackingLine, Managed, MfaDeviceLine, OrphanLine, RecordLine, Reply,
    Rights, TokenLine, UserLine,
};
pub use explain::{Explained, GrantLine, NearLine, PolicyLine, Question};
pub use key_stores::NewKeyStore;

const UNRECORDABLE: &str = "the audit trail cannot be written, and nothing is done unrecorded; see the log";

/// Why a command was not done: a sentence for the operator.
#[derive(Debug)]
pub(crate) struct Refused(String);

impl Refused {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl From<DatabaseError> for Refused {
    fn from(error: DatabaseError) -> Self {
        Self(format!("the database could not do it: {error}"))
    }
}

impl From<KmsError> for Refused {
    fn from(error: KmsError) -> Self {
        Self(error.message.unwrap_or_else(|| error.code.to_string()))
    }
}

impl From<ReloadError> for Refused {
    fn from(error: ReloadError) -> Self {
        Self(error.to_string())
    }
}

impl From<IdentityProblem> for Refused {
    fn from(error: IdentityProblem) -> Self {
        Self(error.to_string())
    }
}

impl From<OpenError> for Refused {
    fn from(error: OpenError) -> Self {
        Self(error.to_string())
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

type Outcome = Result<Reply, Refused>;

impl Service {
    /// Does what an operator asked for, and records it.
    pub async fn administer(&self, command: Command) -> Reply {
        if !self.recorder.accepts() {
            return Reply::Refused { problem: UNRECORDABLE.to_owned() };
        }
        let (name, parameters) = trent_audit::command(&command);
        let read_only = command.only_reads();
        let reply = self.execute(command).await;
        let error = match &reply {
            Reply::Refused { problem } => Some(&**problem),
            _ => None,
        };
        let (at, outcome) = (self.now(), reply.recorded());
        let record =
            AdminRecord { name: &name, parameters: &parameters, read_only, at, error, outcome: &outcome };
        let written = self.recorder.admin(&record, self.new_event_id()).await;
        match written {
            Ok(()) => reply,
            Err(_) => Reply::Refused { problem: UNRECORDABLE.to_owned() },
        }
    }

    async fn execute(&self, command: Command) -> Reply {
        let done = match command {
            Command::ListAccounts {} => self.list_accounts().await,
            Command::AddAccount { id, name } => self.add_account(id, name).await,
            Command::EnableAccount { id } => self.set_account(id, Status::Active).await,
            Command::DisableAccount { id } => self.set_account(id, Status::Inactive).await,
            Command::ListAccessKeys {} => self.list_access_keys().await,
            Command::AddAccessKey { account, user } => self.add_access_key(account, user).await,
            Command::EnableAccessKey { id } => self.set_access_key(id, Status::Active).await,
            Command::DisableAccessKey { id } => self.set_access_key(id, Status::Inactive).await,
            Command::DeleteAccessKey { id } => self.delete_access_key(id).await,
            Command::ListMfaDevices {} => self.list_mfa_devices().await,
            Command::AddMfaDevice { account, user, name } => self.add_mfa_device(account, user, name).await,
            Command::Explain { question } => self.explain(&question).await,
            Command::RotateSessionKey {} => self.rotate_session_key().await,
            Command::ListTokens {} => self.list_tokens().await,
            Command::CreateToken { account, user, role, session, region, days, description } => {
                let wanted = Wanted { account, user, role, session, region, days, description };
                self.create_token(wanted).await
            }
            Command::RevokeToken { id } => self.revoke_token(id).await,
            Command::CreateKeyStore { new } => self.create_key_store(new).await,
            Command::ListOrphans { store } => self.list_orphans(&store).await,
            Command::DestroyOrphans { store, keys, min_age_minutes } => {
                self.destroy_orphans(&store, keys, min_age_minutes).await
            }
            Command::UnlockKeyStore { id } => self.unlock_key_store(&id).await,
            other => self.administer_records(other).await,
        };
        done.unwrap_or_else(|Refused(problem)| Reply::Refused { problem })
    }

    async fn rotate_session_key(&self) -> Outcome {
        self.gate.rotate_session_key(self.now()).await?;
        Ok(Reply::Done)
    }

    // The directory in memory is replaced before the command is answered, so that an access key that was
    // disabled signs no request that starts after the answer. Changes come one after the other: each is tried
    // together with the file as it is when it is committed.
    async fn change_identities(
        &self,
        name: &'static str,
        mut body: impl FnMut(&mut dyn Transaction, &Configured) -> Result<(), Refused> + Send + 'static,
    ) -> Outcome {
        let configured = self.configured.lock().await;
        let with = Arc::clone(&configured);
        trent_database::write(&*self.database, name, move |transaction| {
            body(transaction, &with)?;
            Ok::<_, Refused>(fits(&Stored::read(transaction)?, &with)?)
        })
        .await??;
        self.publish(&configured).await?;
        Ok(Reply::Done)
    }
}

fn check_account(transaction: &dyn Transaction, account: AccountId) -> Result<(), Refused> {
    if transaction.accounts()?.iter().any(|known| known.id == account) {
        return Ok(());
    }
    Err(unknown_account(account))
}

fn unknown_account(account: AccountId) -> Refused {
    Refused(format!("no account {account} in the database; `trent admin account list` shows those there are"))
}

/// The refusal to change what the identity file has.
fn managed(object: impl std::fmt::Display) -> Refused {
    Refused(format!("{object} is in the identity file; change it there"))
}
