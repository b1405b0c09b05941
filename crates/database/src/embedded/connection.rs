//! Connections: how each is set up.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::error::DatabaseError;

/// How many prepared statements a connection keeps: more than there are in this crate.
const STATEMENTS: usize = 64;
/// How long to wait for another process, which is only ever one that makes a backup.
const BUSY_MILLISECONDS: i64 = 10_000;
/// Pages of the write-ahead log after which it is written back: a fifth of the syncs of SQLite's own default.
const CHECKPOINT_PAGES: i64 = 5_000;

/// The connection that writes. The file is made, for its owner alone, where there is none.
pub(super) fn open_to_write(path: &Path) -> Result<Connection, DatabaseError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| DatabaseError::file(path, error))?;
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Readers do not wait for the writer, nor it for them; and with FULL each commit is on disk when it returns.
    connection.pragma_update(None, "journal_mode", "WAL").map_err(|error| not_a_database(path, error))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    // What is deleted is overwritten: material that has gone should not be found in free pages.
    connection.pragma_update(None, "secure_delete", true)?;
    Ok(connection)
}

/// A connection that reads.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, DatabaseError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, DatabaseError> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "busy_timeout", BUSY_MILLISECONDS)?;
    // Nothing is spilled to files outside the data directory.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// Whether the file was no SQLite database at all.
pub(super) fn not_a_database(path: &Path, error: rusqlite::Error) -> DatabaseError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => DatabaseError::Foreign(path.to_owned()),
        _ => DatabaseError::engine(error),
    }
}

/// Ends a transaction that could not be ended before: it would keep all later ones from being begun.
pub(super) fn end_leftover(connection: &Connection) -> rusqlite::Result<()> {
    if connection.is_autocommit() { Ok(()) } else { connection.execute_batch("ROLLBACK") }
}
