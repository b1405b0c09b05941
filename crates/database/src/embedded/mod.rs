//! The embedded database: SQLite in one file of the data directory, for one process.
//!
//! One thread writes, in groups (`writer.rs`); a few read, each on a connection of its own (`readers.rs`). The data
//! directory is locked by whoever opens this; a backup needs no lock.

mod aliases;
mod backup;
pub(crate) mod body;
mod connection;
pub(crate) mod grant_body;
mod grants;
mod identities;
mod key_stores;
pub(crate) mod keys;
mod proxy;
mod readers;
mod ring;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod usage;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::DatabaseError;
use crate::job::{ReadJob, WriteJob};
use crate::records::Records;
use crate::{Database, Observer};

pub use schema::SCHEMA_VERSION;

use readers::Readers;
use rows::Rows;
use writer::Writer;

/// The file of a data directory.
const FILE: &str = "trent.db";

/// The database of one data directory. Closed at the latest when dropped, after what was queued is done.
pub struct Embedded {
    writer: Writer,
    readers: Readers,
}

impl Embedded {
    /// Opens the database of a directory; makes it where there is none, and brings an older one up to date.
    ///
    /// # Errors
    /// The file is damaged, of a newer trent, or of something else; nothing was changed then.
    pub fn open(dir: &Path) -> Result<Self, DatabaseError> {
        let path = file(dir);
        let writing = connection::open_to_write(&path)?;
        schema::migrate(&writing, &path)?;
        Ok(Self { readers: Readers::start(&path)?, writer: Writer::start(writing)? })
    }

    /// Whether a directory has a database.
    #[must_use]
    pub fn exists(dir: &Path) -> bool {
        file(dir).exists()
    }

    /// Runs `body` on the records of a directory's database, without changing or migrating it.
    ///
    /// # Errors
    /// There is no database for this trent, and those of `body`.
    pub fn look<T>(
        dir: &Path,
        body: impl FnOnce(&dyn Records) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        let path = file(dir);
        let connection = connection::open_to_read(&path)?;
        schema::version(&connection, &path)?;
        body(&Rows::new(&connection))
    }

    /// Reads the whole database of a directory and checks it against itself, without changing anything.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(dir: &Path) -> Result<(), DatabaseError> {
        backup::check(&file(dir))
    }

    /// Writes a consistent copy of a directory's database to a new file, whether or not somebody is using it.
    ///
    /// # Errors
    /// There is something at `to` already, or one of the two cannot be read or written.
    pub fn backup(dir: &Path, to: &Path) -> Result<(), DatabaseError> {
        backup::write(&file(dir), to)
    }

    /// Makes the database of a directory, which must have none, from a backup.
    ///
    /// # Errors
    /// `from` is no backup that this trent reads, or the directory cannot be written.
    pub fn restore(from: &Path, dir: &Path) -> Result<(), DatabaseError> {
        backup::restore(from, &file(dir))
    }
}

fn file(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

impl Database for Embedded {
    fn submit_read(&self, job: Box<dyn ReadJob>) {
        self.readers.submit(job);
    }

    fn submit_write(&self, job: Box<dyn WriteJob>) {
        self.writer.submit(job);
    }

    fn observe(&self, observer: Arc<dyn Observer>) {
        self.writer.observe(observer);
    }

    fn close(&self) {
        // The last connection to be closed brings the write-ahead log home, which one that only reads cannot.
        self.readers.close();
        self.writer.close();
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.close();
    }
}
