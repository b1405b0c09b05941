//! The tables, and how a database of an older trent gets those of this one.

use std::path::Path;

use rusqlite::Connection;

use super::backup;
use super::connection::not_a_database;
use crate::error::DatabaseError;

/// The newest schema that this trent knows, and the one it writes.
pub const SCHEMA_VERSION: u32 = 1;

/// Marks the file as ours ("tRNT"), so that another program's database is not taken for one.
const APPLICATION_ID: i64 = 0x7452_4e54;

/// What makes version n of version n - 1. Never changed once released.
const MIGRATIONS: [&str; SCHEMA_VERSION as usize] = [include_str!("schema/1.sql")];

/// Brings the database up to date: each version in a transaction, after a copy of what was there.
pub(super) fn migrate(connection: &Connection, path: &Path) -> Result<(), DatabaseError> {
    migrate_by(connection, path, &MIGRATIONS)
}

fn migrate_by(connection: &Connection, path: &Path, migrations: &[&str]) -> Result<(), DatabaseError> {
    let found = check_version(connection, path, migrations.len())?;
    if found > 0 && found < migrations.len() {
        let copy = path.with_extension(format!("schema-{found}.db"));
        match backup::write(path, &copy) {
            // A migration that was interrupted before has made it.
            Ok(()) | Err(DatabaseError::Exists(_)) => {}
            Err(error) => return Err(error),
        }
        tracing::warn!(from = found, to = migrations.len(), copy = %copy.display(), "migrating the database");
    }
    for (version, statements) in (1..).zip(migrations).skip(found) {
        let transaction = connection.unchecked_transaction()?;
        transaction.execute_batch(statements)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

/// The version of the database, 0 when it is empty; an error when it is not one for this trent.
pub(super) fn version(connection: &Connection, path: &Path) -> Result<usize, DatabaseError> {
    check_version(connection, path, MIGRATIONS.len())
}

fn check_version(connection: &Connection, path: &Path, known: usize) -> Result<usize, DatabaseError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables = connection.query_row(tables, [], |row| row.get::<_, i64>(0));
    let tables = tables.map_err(|error| not_a_database(path, error))?;
    let (application, found) = (pragma("application_id")?, pragma("user_version")?);
    match (usize::try_from(found), tables, application) {
        (Ok(0), 0, 0) => Ok(0),
        (Ok(version), _, APPLICATION_ID) if (1..=known).contains(&version) => Ok(version),
        (_, _, APPLICATION_ID) => {
            Err(DatabaseError::Newer { found, known: u32::try_from(known).unwrap_or(u32::MAX) })
        }
        _ => Err(DatabaseError::Foreign(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::connection::open_to_write;

    fn tables(connection: &Connection) -> Vec<String> {
        let mut statement =
            connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
        let names = statement.as_mut().unwrap().query_map([], |row| row.get(0)).unwrap();
        names.map(Result::unwrap).collect()
    }

    #[test]
    fn an_older_database_is_copied_and_brought_up_to_date() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trent.db");
        let one = ["CREATE TABLE one (a TEXT) STRICT; INSERT INTO one VALUES ('kept');"];
        let both = [one[0], "CREATE TABLE two (b TEXT) STRICT; INSERT INTO two SELECT a FROM one;"];
        let connection = open_to_write(&path).unwrap();
        migrate_by(&connection, &path, &one).unwrap();
        migrate_by(&connection, &path, &one).unwrap();
        assert!(!dir.path().join("trent.schema-1.db").exists());
        migrate_by(&connection, &path, &both).unwrap();
        assert_eq!(tables(&connection), ["one", "two"]);
        let moved: String = connection.query_row("SELECT b FROM two", [], |row| row.get(0)).unwrap();
        assert_eq!(moved, "kept");
        let copy = Connection::open(dir.path().join("trent.schema-1.db")).unwrap();
        assert_eq!(tables(&copy), ["one"]);
        // An older trent refuses it, and changes nothing.
        let refused = migrate_by(&connection, &path, &one).unwrap_err();
        assert!(matches!(refused, DatabaseError::Newer { found: 2, known: 1 }), "{refused}");
    }

    #[test]
    fn a_migration_that_fails_leaves_the_version_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trent.db");
        let connection = open_to_write(&path).unwrap();
        let bad = ["CREATE TABLE one (a TEXT) STRICT;", "CREATE TABLE two (b TEXT) STRICT; SELECT nonsense;"];
        migrate_by(&connection, &path, &bad).unwrap_err();
        assert_eq!(tables(&connection), ["one"]);
        assert_eq!(check_version(&connection, &path, 2).unwrap(), 1);
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let other = dir.path().join("other.db");
        Connection::open(&other).unwrap().execute_batch("CREATE TABLE theirs (a TEXT)").unwrap();
        let connection = open_to_write(&other).unwrap();
        assert!(matches!(migrate(&connection, &other), Err(DatabaseError::Foreign(_))));
        let text = dir.path().join("text");
        std::fs::write(&text, "no database, but long enough to have a header: ".repeat(10)).unwrap();
        assert!(matches!(open_to_write(&text), Err(DatabaseError::Foreign(_))));
    }
}
