//! Records: what is durable, behind a narrow trait that an embedded database implements here.
//!
//! [`read`] runs a body on a consistent view of the records; [`write()`] runs one in a transaction and returns once
//! what it did is on disk and published to the caches. Bodies do nothing but read and write records: they may run
//! more than once, on threads of this crate.
//!
//! Not here: what records mean (`domain`), and any key: material and secrets arrive sealed and leave sealed.
//!
//! Invariants: what [`write()`] has answered survives the death of process and machine; a body that fails undoes
//! itself and nothing else; a write is finished even if whoever asked for it is gone; a row that breaks a rule of
//! its table is an error naming it, never a default.

mod bundle;
#[cfg(test)]
mod contract;
mod embedded;
mod error;
mod job;
mod records;

use std::sync::Arc;

use trent_domain::alias::AliasName;
use trent_domain::grant::Grant;
use trent_domain::identifier::{AccountId, KeyId, Region};
use trent_domain::key_store::KeyStoreId;

pub use bundle::{Bundle, BundleError};
pub use embedded::{Embedded, SCHEMA_VERSION};
pub use error::DatabaseError;
pub use job::{ReadJob, WriteJob, read, write};
pub use records::{DueKey, ProxyRecord, Records, RingKey, Transaction};

/// A database: takes jobs, does not wait for them.
pub trait Database: Send + Sync {
    /// Queues a read; [`DatabaseError::Busy`] when too many wait.
    fn submit_read(&self, job: Box<dyn ReadJob>);

    /// Queues a write; [`DatabaseError::Busy`] when too many wait.
    fn submit_write(&self, job: Box<dyn WriteJob>);

    /// Has every later commit published to `observer`, before whoever asked for it is answered.
    fn observe(&self, observer: Arc<dyn Observer>);

    /// Does what is queued, and closes; what comes later is refused with [`DatabaseError::Closed`]. Blocks until that is
    /// done. Whoever still holds the database does not keep it open.
    fn close(&self);
}

/// Learns what commits have changed.
pub trait Observer: Send + Sync {
    /// Called after a commit and before its answers, by one thread at a time. Must be quick.
    fn publish(&self, changes: &[Change]);
}

/// Something that a commit has changed: made, altered or deleted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Change {
    /// A key.
    Key(Region, KeyId),
    /// An alias.
    Alias(AccountId, Region, AliasName),
    /// A custom key store.
    KeyStore(KeyStoreId),
    /// A grant was made.
    GrantCreated(Arc<Grant>),
    /// A grant was deleted by itself; those that went with their key are not told of.
    GrantDeleted(Arc<Grant>),
    /// Accounts, what they have by name, or access keys.
    Identities,
    /// A key of the ring, by name.
    Ring(String),
}
