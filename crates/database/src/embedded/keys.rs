//! Table `keys`, and `key_counts` beside it.

use rusqlite::{Connection, OptionalExtension, Row, named_params};
use trent_domain::identifier::{AccountId, KeyId, Region};
use trent_domain::key::Key;
use trent_domain::key_store::{InStore, KeyStoreId};
use trent_domain::time::Timestamp;

use super::body;
use crate::error::DatabaseError;
use crate::records::DueKey;

type Result<T> = std::result::Result<T, DatabaseError>;

/// A row as it is in the table.
pub(crate) struct KeyRow {
    pub(crate) id: String,
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) version: i64,
    pub(crate) body: String,
}

pub(super) fn find(connection: &Connection, region: Region, id: KeyId) -> Result<Option<Key>> {
    let text = "SELECT id, region, account, version, body FROM keys WHERE id = :id AND region = :region";
    let mut statement = connection.prepare_cached(text)?;
    let row = statement.query_row(named_params! {":id": id.to_string(), ":region": region.as_str()}, |row| {
        Ok(KeyRow {
            id: row.get(0)?,
            region: row.get(1)?,
            account: row.get(2)?,
            version: row.get(3)?,
            body: row.get(4)?,
        })
    });
    row.optional()?.map(|row| body::read_key(&row)).transpose()
}

pub(super) fn list(
    connection: &Connection,
    account: AccountId,
    region: Region,
    after: Option<KeyId>,
    limit: usize,
) -> Result<Vec<KeyId>> {
    // No id is less than the empty text.
    let after = after.map(|after| after.to_string()).unwrap_or_default();
    let text = "SELECT id FROM keys WHERE account = :account AND region = :region AND id > :after \
                ORDER BY id LIMIT :limit";
    let mut statement = connection.prepare_cached(text)?;
    let parameters = named_params! {":account": account.as_str(), ":region": region.as_str(), ":after": after, ":limit": rows(limit)};
    let mut found = statement.query(parameters)?;
    let mut ids = Vec::new();
    while let Some(row) = found.next()? {
        let id: String = row.get(0)?;
        ids.push(id.parse().map_err(|_| broken("id", &id))?);
    }
    Ok(ids)
}

/// The keys of all accounts and Regions.
pub(super) fn every(
    connection: &Connection,
    after: Option<(Region, KeyId)>,
    limit: usize,
) -> Result<Vec<(Region, KeyId)>> {
    let text =
        "SELECT region, id FROM keys WHERE (id, region) > (:id, :region) ORDER BY id, region LIMIT :limit";
    let mut statement = connection.prepare_cached(text)?;
    // Nothing comes before empty texts.
    let (region, id) = after.map(|(region, id)| (region.to_string(), id.to_string())).unwrap_or_default();
    let mut found = statement.query(named_params! {":id": id, ":region": region, ":limit": rows(limit)})?;
    let mut places = Vec::new();
    while let Some(row) = found.next()? {
        places.push(read_place(row, 0)?);
    }
    Ok(places)
}

pub(super) fn count(connection: &Connection, account: AccountId, region: Region) -> Result<u64> {
    let text = "SELECT customer_keys FROM key_counts WHERE account = :account AND region = :region";
    let mut statement = connection.prepare_cached(text)?;
    let count = statement
        .query_row(named_params! {":account": account.as_str(), ":region": region.as_str()}, |row| {
            row.get::<_, i64>(0)
        })
        .optional()?;
    let broken =
        |_| DatabaseError::Broken { table: "key_counts", column: "customer_keys", id: account.to_string() };
    u64::try_from(count.unwrap_or(0)).map_err(broken)
}

pub(super) fn due(
    connection: &Connection,
    now: Timestamp,
    after: Option<DueKey>,
    limit: usize,
) -> Result<Vec<DueKey>> {
    let text = "SELECT due_at, region, id FROM keys \
                WHERE due_at <= :now AND (due_at, region, id) > (:at, :region, :id) \
                ORDER BY due_at, region, id LIMIT :limit";
    let mut statement = connection.prepare_cached(text)?;
    // Nothing comes before the least time with empty texts.
    let at = after.map_or(i64::MIN, |after| after.at.millis());
    let region = after.map(|after| after.region.to_string()).unwrap_or_default();
    let id = after.map(|after| after.id.to_string()).unwrap_or_default();
    let mut found = statement.query(
        named_params! {":now": now.millis(), ":at": at, ":region": region, ":id": id, ":limit": rows(limit)},
    )?;
    let mut due = Vec::new();
    while let Some(row) = found.next()? {
        let (region, id) = read_place(row, 1)?;
        due.push(DueKey { at: Timestamp::from_millis(row.get(0)?), region, id });
    }
    Ok(due)
}

/// The keys that a custom key store holds.
pub(super) fn of_store(
    connection: &Connection,
    store: &KeyStoreId,
    external_key: Option<&str>,
) -> Result<Vec<(Region, KeyId)>> {
    let text = "SELECT region, id FROM keys WHERE key_store = :store \
                AND (:external_key IS NULL OR external_key = :external_key) ORDER BY id";
    let mut statement = connection.prepare_cached(text)?;
    let mut found =
        statement.query(named_params! {":store": store.as_str(), ":external_key": external_key})?;
    let mut places = Vec::new();
    while let Some(row) = found.next()? {
        places.push(read_place(row, 0)?);
    }
    Ok(places)
}

/// Region and id of a row that has them in the columns from `first` on.
fn read_place(row: &Row<'_>, first: usize) -> Result<(Region, KeyId)> {
    let (region, id): (String, String) = (row.get(first)?, row.get(first + 1)?);
    let region = region.parse().map_err(|_| broken("region", &id))?;
    Ok((region, id.parse().map_err(|_| broken("id", &id))?))
}

pub(super) fn insert(connection: &Connection, key: &Key) -> Result<()> {
    let text = "INSERT INTO keys (region, id, account, version, due_at, key_store, external_key, body) \
                VALUES (:region, :id, :account, 1, :due_at, :key_store, :external_key, :body)";
    let in_store = key.in_store.as_ref();
    connection.prepare_cached(text)?.execute(named_params! {
        ":region": key.region.as_str(),
        ":id": key.id.to_string(),
        ":account": key.account.as_str(),
        ":due_at": key.due_at().map(Timestamp::millis),
        ":key_store": in_store.map(|place| place.store.as_str()),
        ":external_key": in_store.and_then(InStore::external_key),
        ":body": body::write_key(key)?,
    })?;
    add_to_count(connection, key, 1)
}

pub(super) fn update(connection: &Connection, key: &Key) -> Result<()> {
    let text = "UPDATE keys SET version = version + 1, due_at = :due_at, body = :body \
                WHERE id = :id AND region = :region AND version = :version";
    let version = i64::try_from(key.version).map_err(|_| broken("version", &key.id.to_string()))?;
    let updated = connection.prepare_cached(text)?.execute(named_params! {
        ":region": key.region.as_str(),
        ":id": key.id.to_string(),
        ":version": version,
        ":due_at": key.due_at().map(Timestamp::millis),
        ":body": body::write_key(key)?,
    })?;
    if updated == 1 {
        Ok(())
    } else {
        Err(DatabaseError::Conflict { table: "keys", id: key.arn().to_string() })
    }
}

pub(super) fn delete(connection: &Connection, region: Region, id: KeyId) -> Result<()> {
    let Some(key) = find(connection, region, id)? else { return Ok(()) };
    let text = "DELETE FROM keys WHERE id = :id AND region = :region";
    let parameters = named_params! {":id": id.to_string(), ":region": region.as_str()};
    connection.prepare_cached(text)?.execute(parameters)?;
    add_to_count(connection, &key, -1)
}

fn add_to_count(connection: &Connection, key: &Key, difference: i64) -> Result<()> {
    if key.is_aws_managed() {
        return Ok(());
    }
    // The row is made with zero keys: SQLite checks the row of an INSERT before it sees the conflict, and one
    // with -1 keys would not do.
    let text = "INSERT INTO key_counts (account, region, customer_keys) VALUES (:account, :region, max(:difference, 0)) \
                ON CONFLICT (account, region) DO UPDATE SET customer_keys = customer_keys + :difference";
    connection.prepare_cached(text)?.execute(named_params! {
        ":account": key.account.as_str(),
        ":region": key.region.as_str(),
        ":difference": difference,
    })?;
    Ok(())
}

fn broken(column: &'static str, id: &str) -> DatabaseError {
    DatabaseError::Broken { table: "keys", column, id: id.to_owned() }
}

/// A limit as SQLite counts.
pub(super) fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
