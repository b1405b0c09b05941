//! Tables `ring_keys` and `settings`.

use rusqlite::{Connection, OptionalExtension, Row, named_params};

use crate::error::DatabaseError;
use crate::records::RingKey;

type Result<T> = std::result::Result<T, DatabaseError>;

pub(super) fn list(connection: &Connection) -> Result<Vec<RingKey>> {
    let mut statement = connection.prepare_cached("SELECT name, sealed FROM ring_keys ORDER BY name")?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<std::result::Result<_, _>>()?)
}

pub(super) fn find(connection: &Connection, name: &str) -> Result<Option<RingKey>> {
    let mut statement = connection.prepare_cached("SELECT name, sealed FROM ring_keys WHERE name = :name")?;
    Ok(statement.query_row(named_params! {":name": name}, read).optional()?)
}

pub(super) fn insert(connection: &Connection, key: &RingKey) -> Result<()> {
    let text = "INSERT INTO ring_keys (name, sealed) VALUES (:name, :sealed)";
    connection.prepare_cached(text)?.execute(named_params! {":name": key.name, ":sealed": key.sealed})?;
    Ok(())
}

pub(super) fn replace(connection: &Connection, key: &RingKey) -> Result<()> {
    let text = "UPDATE ring_keys SET sealed = :sealed WHERE name = :name";
    let parameters = named_params! {":name": key.name, ":sealed": key.sealed};
    match connection.prepare_cached(text)?.execute(parameters)? {
        1 => Ok(()),
        _ => Err(DatabaseError::Conflict { table: "ring_keys", id: key.name.clone() }),
    }
}

pub(super) fn delete(connection: &Connection, name: &str) -> Result<()> {
    let text = "DELETE FROM ring_keys WHERE name = :name";
    connection.prepare_cached(text)?.execute(named_params! {":name": name})?;
    Ok(())
}

pub(super) fn setting(connection: &Connection, name: &str) -> Result<Option<Vec<u8>>> {
    let mut statement = connection.prepare_cached("SELECT value FROM settings WHERE name = :name")?;
    Ok(statement.query_row(named_params! {":name": name}, |row| row.get(0)).optional()?)
}

pub(super) fn put_setting(connection: &Connection, name: &str, value: &[u8]) -> Result<()> {
    let text = "INSERT INTO settings (name, value) VALUES (:name, :value) \
                ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    connection.prepare_cached(text)?.execute(named_params! {":name": name, ":value": value})?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<RingKey> {
    Ok(RingKey { name: row.get(0)?, sealed: row.get(1)? })
}
