//! Copies: made while the database is in use, checked before they are taken back.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::connection::{not_a_database, open_to_read};
use super::schema;
use crate::error::DatabaseError;

/// Writes a consistent copy of the database `from` to the new file `to`: whole or not at all.
pub(super) fn write(from: &Path, to: &Path) -> Result<(), DatabaseError> {
    if !from.is_file() {
        return Err(DatabaseError::file(from, ErrorKind::NotFound.into()));
    }
    let connection = open_to_read(from)?;
    schema::version(&connection, from)?;
    into_place(to, |unfinished| {
        let path = unfinished
            .to_str()
            .ok_or_else(|| DatabaseError::file(unfinished, ErrorKind::InvalidFilename.into()))?;
        // The statement writes another file, which a connection that may only query refuses.
        connection.pragma_update(None, "query_only", false)?;
        connection.execute("VACUUM INTO ?1", [path])?;
        Ok(())
    })
}

/// Makes the database `to`, which must not be there, of the copy `from`.
pub(super) fn restore(from: &Path, to: &Path) -> Result<(), DatabaseError> {
    check(from)?;
    into_place(to, |unfinished| {
        fs::copy(from, unfinished).map(|_| ()).map_err(|error| DatabaseError::file(unfinished, error))
    })
}

/// Reads the whole file and checks it against itself.
pub(super) fn check(path: &Path) -> Result<(), DatabaseError> {
    let connection = open_alone(path)?;
    if schema::version(&connection, path)? == 0 {
        return Err(DatabaseError::Foreign(path.to_owned()));
    }
    let problem: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if problem != "ok" {
        return Err(DatabaseError::Damaged { path: path.to_owned(), problem });
    }
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    if let Some(row) = statement.query([])?.next()? {
        let table: String = row.get(0)?;
        let problem = format!("a row of `{table}` refers to a row that is gone");
        return Err(DatabaseError::Damaged { path: path.to_owned(), problem });
    }
    Ok(())
}

fn open_alone(path: &Path) -> Result<Connection, DatabaseError> {
    File::open(path).map_err(|error| DatabaseError::file(path, error))?;
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        .map_err(|error| not_a_database(path, error))?;
    Ok(connection)
}

/// Has `fill` write a file beside `to`, for its owner alone, and puts it there when it is on disk.
fn into_place(to: &Path, fill: impl FnOnce(&Path) -> Result<(), DatabaseError>) -> Result<(), DatabaseError> {
    if to.exists() {
        return Err(DatabaseError::Exists(to.to_owned()));
    }
    let unfinished = beside(to);
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| DatabaseError::file(path, error)
    };
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished);
    let file = made.map_err(at(&unfinished))?;
    let placed = fill(&unfinished)
        .and_then(|()| file.sync_all().map_err(at(&unfinished)))
        // Unlike a rename, a link does not replace what has come there since.
        .and_then(|()| fs::hard_link(&unfinished, to).map_err(at(to)));
    fs::remove_file(&unfinished).map_err(at(&unfinished))?;
    placed?;
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(at(parent))
}

fn beside(to: &Path) -> PathBuf {
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    to.with_file_name(name)
}
