//! Table `key_stores`.

use rusqlite::{Connection, Row, named_params};
use trent_domain::identifier::Region;
use trent_domain::key_store::{KeyStore, KeyStoreId};
use trent_domain::time::Timestamp;

use crate::error::DatabaseError;

type Result<T> = std::result::Result<T, DatabaseError>;

const TABLE: &str = "key_stores";
const COLUMNS: &str =
    "id, account, region, name, created, backing, sealed_secret, connection, attempt, version";

/// All key stores, or those of a Region, in order of creation.
pub(super) fn list(connection: &Connection, region: Option<Region>) -> Result<Vec<KeyStore>> {
    let text = format!(
        "SELECT {COLUMNS} FROM key_stores WHERE :region IS NULL OR region = :region ORDER BY created, id"
    );
    let mut statement = connection.prepare_cached(&text)?;
    let mut found = statement.query(named_params! {":region": region.as_ref().map(Region::as_str)})?;
    let mut stores = Vec::new();
    while let Some(row) = found.next()? {
        stores.push(read(row)?);
    }
    Ok(stores)
}

pub(super) fn find(connection: &Connection, id: &KeyStoreId) -> Result<Option<KeyStore>> {
    let text = format!("SELECT {COLUMNS} FROM key_stores WHERE id = :id");
    let mut statement = connection.prepare_cached(&text)?;
    let mut found = statement.query(named_params! {":id": id.as_str()})?;
    found.next()?.map(read).transpose()
}

pub(super) fn insert(connection: &Connection, store: &KeyStore) -> Result<()> {
    let text = format!(
        "INSERT INTO key_stores ({COLUMNS}) VALUES \
         (:id, :account, :region, :name, :created, :backing, :sealed_secret, :connection, :attempt, 1)"
    );
    connection.prepare_cached(&text)?.execute(named_params! {
        ":id": store.id.as_str(),
        ":account": store.account.as_str(),
        ":region": store.region.as_str(),
        ":name": store.name,
        ":created": store.created.millis(),
        ":backing": serde_json::to_string(&store.backing).map_err(DatabaseError::engine)?,
        ":sealed_secret": store.sealed_secret,
        ":connection": serde_json::to_string(&store.connection).map_err(DatabaseError::engine)?,
        ":attempt": integer(store.attempt),
    })?;
    Ok(())
}

pub(super) fn update(connection: &Connection, store: &KeyStore) -> Result<()> {
    let text = "UPDATE key_stores SET name = :name, backing = :backing, sealed_secret = :sealed_secret, \
                connection = :connection, attempt = :attempt, version = version + 1 \
                WHERE id = :id AND version = :version";
    let changed = connection.prepare_cached(text)?.execute(named_params! {
        ":id": store.id.as_str(),
        ":name": store.name,
        ":backing": serde_json::to_string(&store.backing).map_err(DatabaseError::engine)?,
        ":sealed_secret": store.sealed_secret,
        ":connection": serde_json::to_string(&store.connection).map_err(DatabaseError::engine)?,
        ":attempt": integer(store.attempt),
        ":version": integer(store.version),
    })?;
    if changed == 1 {
        Ok(())
    } else {
        Err(DatabaseError::Conflict { table: TABLE, id: store.id.to_string() })
    }
}

pub(super) fn delete(connection: &Connection, id: &KeyStoreId) -> Result<()> {
    let text = "DELETE FROM key_stores WHERE id = :id";
    connection.prepare_cached(text)?.execute(named_params! {":id": id.as_str()})?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<KeyStore> {
    let id: String = row.get(0)?;
    let broken = |column| DatabaseError::Broken { table: TABLE, column, id: id.clone() };
    let (account, region): (String, String) = (row.get(1)?, row.get(2)?);
    let (backing, state): (String, String) = (row.get(5)?, row.get(7)?);
    let (attempt, version): (i64, i64) = (row.get(8)?, row.get(9)?);
    Ok(KeyStore {
        id: id.parse().map_err(|_| broken("id"))?,
        account: account.parse().map_err(|_| broken("account"))?,
        region: region.parse().map_err(|_| broken("region"))?,
        name: row.get(3)?,
        created: Timestamp::from_millis(row.get(4)?),
        backing: serde_json::from_str(&backing).map_err(|_| broken("backing"))?,
        sealed_secret: row.get(6)?,
        connection: serde_json::from_str(&state).map_err(|_| broken("connection"))?,
        attempt: u64::try_from(attempt).map_err(|_| broken("attempt"))?,
        version: u64::try_from(version).map_err(|_| broken("version"))?,
    })
}

// Counters that begin at zero and go up by one do not get there.
fn integer(counter: u64) -> i64 {
    i64::try_from(counter).unwrap_or(i64::MAX)
}
