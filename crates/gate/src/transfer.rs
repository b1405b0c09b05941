//! Keys on their way to another deployment: `trent export` and `trent import`.
//!
//! Both consume the gate: a server, whose gate is shared by all who serve, can do neither. What leaves is sealed for one
//! recipient, and each material in it under a key of this transfer alone, so that no domain key leaves with it.

mod arrival;
mod departure;

use trent_crypto::SecretBytes;
use trent_crypto::envelope::label;
use trent_crypto::transfer::{Recipient, RecipientKey, TransferError};
use trent_crypto::{Purpose, RandomError};
use trent_database::{BundleError, DatabaseError};
use trent_domain::identifier::{KeyArn, KeyName};
use trent_keystore::{RingName, StoreError};

use crate::opening::{Gate, OpenError};

pub use arrival::Imported;
pub use departure::{Exported, Selection};

/// Why keys were not handed over or taken over: nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// There are no such keys.
    #[error("there is no key {}", listed(.0))]
    UnknownKeys(Vec<KeyName>),
    /// Keys whose material is elsewhere were named.
    #[error("{} cannot be moved: in a custom key store", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    InStore(Vec<KeyArn>),
    /// The file cannot be opened.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// What is in the file cannot be read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The file has a key of a custom key store.
    #[error("{0} in it is in a custom key store")]
    Foreign(KeyArn),
    /// Material in the file is not what the key says.
    #[error("the material of {0} cannot be used")]
    Material(KeyArn, #[source] StoreError),
    /// Keys or aliases are there already.
    #[error("{} of the keys and aliases are there already", .0.len())]
    Conflicts(Vec<String>),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A key of the ring could not be made or opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Something could not be sealed or opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no randomness.
    #[error("no randomness")]
    Random(#[from] RandomError),
}

fn listed(names: &[KeyName]) -> String {
    let text = |name: &KeyName| match name {
        KeyName::Id(id) => id.to_string(),
        KeyName::Arn(arn) => arn.to_string(),
        KeyName::Alias(name) => name.to_string(),
        KeyName::AliasArn(arn) => arn.to_string(),
    };
    names.iter().map(text).collect::<Vec<_>>().join(", ")
}

impl Gate {
    /// Makes a recipient, whose private keys are kept sealed in the database.
    ///
    /// # Errors
    /// See [`MoveError`].
    pub async fn new_recipient(&self) -> Result<RecipientKey, MoveError> {
        self.ensure(RingName::Transfers).await?;
        let recipient = Recipient::generate(&*self.random)?;
        let public = recipient.public();
        let id = public.id();
        let sealed = with_purpose(&id, |purpose| {
            self.keyring.seal(RingName::Transfers, purpose, recipient.to_bytes().expose())
        })?;
        let name = setting(&id);
        trent_database::write(&*self.database, "new recipient", move |transaction| {
            transaction.put_setting(&name, &sealed)
        })
        .await??;
        Ok(public)
    }

    /// Opens a file with the recipient that it was sealed for.
    async fn open_transfer(&self, file: &[u8]) -> Result<SecretBytes, MoveError> {
        let id = trent_crypto::transfer::recipient_of(file)?;
        let name = setting(&id);
        let sealed = trent_database::read(&*self.database, move |records| records.setting(&name)).await?;
        let sealed = sealed.ok_or(TransferError::OtherRecipient)?;
        let kept = with_purpose(&id, |purpose| self.keyring.open(RingName::Transfers, purpose, &sealed))?;
        Ok(Recipient::from_bytes(kept.expose())?.open(file)?)
    }
}

fn with_purpose<R>(id: &[u8; 16], use_it: impl FnOnce(&Purpose<'_>) -> R) -> R {
    use_it(&Purpose::new(label::TRANSFER_RECIPIENT, &[("id", id)]))
}

/// Where the private keys of a recipient are kept.
fn setting(id: &[u8; 16]) -> String {
    format!("transfer-recipient/{:032x}", u128::from_be_bytes(*id))
}
