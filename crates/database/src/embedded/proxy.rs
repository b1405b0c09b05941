//! Table `proxy_records`.

use rusqlite::{Connection, Row, named_params};

use crate::error::DatabaseError;
use crate::records::ProxyRecord;

type Result<T> = std::result::Result<T, DatabaseError>;

pub(super) fn list(connection: &Connection) -> Result<Vec<ProxyRecord>> {
    let mut statement =
        connection.prepare_cached("SELECT store, key, body FROM proxy_records ORDER BY store, key")?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<std::result::Result<_, _>>()?)
}

pub(super) fn put(connection: &Connection, record: &ProxyRecord) -> Result<()> {
    let text = "INSERT INTO proxy_records (store, key, body) VALUES (:store, :key, :body) \
                ON CONFLICT (store, key) DO UPDATE SET body = excluded.body";
    let parameters = named_params! {":store": record.store, ":key": record.key, ":body": record.body};
    connection.prepare_cached(text)?.execute(parameters)?;
    Ok(())
}

pub(super) fn delete(connection: &Connection, store: &str, key: &str) -> Result<()> {
    let text = "DELETE FROM proxy_records WHERE store = :store AND key = :key";
    connection.prepare_cached(text)?.execute(named_params! {":store": store, ":key": key})?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<ProxyRecord> {
    Ok(ProxyRecord { store: row.get(0)?, key: row.get(1)?, body: row.get(2)? })
}
