//! Table `last_usages`.

use rusqlite::{Connection, OptionalExtension, named_params};
use trent_domain::identifier::{KeyId, Region};
use trent_domain::time::Timestamp;
use trent_domain::usage::LastUsage;
use trent_protocol::TrackedOperation;

use crate::error::DatabaseError;

type Result<T> = std::result::Result<T, DatabaseError>;

pub(super) fn find(connection: &Connection, region: Region, id: KeyId) -> Result<Option<LastUsage>> {
    let text =
        "SELECT operation, at, request_id, event_id FROM last_usages WHERE key = :key AND region = :region";
    let mut statement = connection.prepare_cached(text)?;
    let parameters = named_params! {":key": id.to_string(), ":region": region.as_str()};
    let row: Option<(String, i64, String, String)> = statement
        .query_row(parameters, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((operation, at, request_id, event_id)) = row else { return Ok(None) };
    let broken =
        |column| DatabaseError::Broken { table: "last_usages", column, id: format!("{region}/{id}") };
    Ok(Some(LastUsage {
        operation: TrackedOperation::parse(&operation).ok_or_else(|| broken("operation"))?,
        at: Timestamp::from_millis(at),
        request_id: request_id.parse().map_err(|_| broken("request_id"))?,
        event_id: event_id.parse().map_err(|_| broken("event_id"))?,
    }))
}

pub(super) fn record(connection: &Connection, region: Region, id: KeyId, usage: &LastUsage) -> Result<()> {
    let text = "INSERT INTO last_usages (key, region, operation, at, request_id, event_id) \
                SELECT id, region, :operation, :at, :request_id, :event_id FROM keys \
                WHERE id = :key AND region = :region \
                ON CONFLICT (key, region) DO UPDATE SET \
                operation = excluded.operation, at = excluded.at, \
                request_id = excluded.request_id, event_id = excluded.event_id \
                WHERE excluded.at >= last_usages.at";
    connection.prepare_cached(text)?.execute(named_params! {
        ":key": id.to_string(),
        ":region": region.as_str(),
        ":operation": usage.operation.as_str(),
        ":at": usage.at.millis(),
        ":request_id": usage.request_id.to_string(),
        ":event_id": usage.event_id.to_string(),
    })?;
    Ok(())
}

pub(super) fn delete(connection: &Connection, region: Region, id: KeyId) -> Result<()> {
    let text = "DELETE FROM last_usages WHERE key = :key AND region = :region";
    let parameters = named_params! {":key": id.to_string(), ":region": region.as_str()};
    connection.prepare_cached(text)?.execute(parameters)?;
    Ok(())
}
