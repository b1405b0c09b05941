//! Table `aliases`.

use rusqlite::{Connection, Params, Row, named_params};
use trent_domain::alias::{Alias, AliasName};
use trent_domain::identifier::{AccountId, KeyId, Region};
use trent_domain::time::Timestamp;

use super::keys::rows;
use crate::error::DatabaseError;

type Result<T> = std::result::Result<T, DatabaseError>;

pub(super) fn find(
    connection: &Connection,
    account: AccountId,
    region: Region,
    name: &str,
) -> Result<Option<Alias>> {
    let text = "SELECT account, region, name, target, created, updated FROM aliases \
                WHERE account = :account AND region = :region AND name = :name";
    let parameters = named_params! {":account": account.as_str(), ":region": region.as_str(), ":name": name};
    Ok(query(connection, text, parameters)?.pop())
}

pub(super) fn list(
    connection: &Connection,
    account: AccountId,
    region: Region,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Alias>> {
    let text = "SELECT account, region, name, target, created, updated FROM aliases \
                WHERE account = :account AND region = :region AND name > :after ORDER BY name LIMIT :limit";
    let (account, region, after) = (account.as_str(), region.as_str(), after.unwrap_or_default());
    let parameters =
        named_params! {":account": account, ":region": region, ":after": after, ":limit": rows(limit)};
    query(connection, text, parameters)
}

pub(super) fn list_of(
    connection: &Connection,
    region: Region,
    key: KeyId,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Alias>> {
    let text = "SELECT account, region, name, target, created, updated FROM aliases \
                WHERE target = :target AND region = :region AND name > :after ORDER BY name LIMIT :limit";
    let (target, region, after) = (key.to_string(), region.as_str(), after.unwrap_or_default());
    let parameters =
        named_params! {":target": target, ":region": region, ":after": after, ":limit": rows(limit)};
    query(connection, text, parameters)
}

pub(super) fn count(connection: &Connection, region: Region, key: KeyId) -> Result<u64> {
    let text = "SELECT count(*) FROM aliases WHERE target = :target AND region = :region";
    let parameters = named_params! {":target": key.to_string(), ":region": region.as_str()};
    let count: i64 = connection.prepare_cached(text)?.query_row(parameters, |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or_default())
}

pub(super) fn insert(connection: &Connection, alias: &Alias) -> Result<()> {
    let text = "INSERT INTO aliases (account, region, name, target, created, updated) \
                VALUES (:account, :region, :name, :target, :created, :updated)";
    write(connection, text, alias).map(|_| ())
}

pub(super) fn update(connection: &Connection, alias: &Alias) -> Result<()> {
    let text = "UPDATE aliases SET target = :target, created = :created, updated = :updated \
                WHERE account = :account AND region = :region AND name = :name";
    match write(connection, text, alias)? {
        1 => Ok(()),
        _ => Err(DatabaseError::Conflict { table: "aliases", id: alias.arn().to_string() }),
    }
}

/// Deletes an alias; gives its name if it was there.
pub(super) fn delete(
    connection: &Connection,
    account: AccountId,
    region: Region,
    name: &str,
) -> Result<Option<AliasName>> {
    let text = "DELETE FROM aliases WHERE account = :account AND region = :region AND name = :name";
    let parameters = named_params! {":account": account.as_str(), ":region": region.as_str(), ":name": name};
    let deleted = connection.prepare_cached(text)?.execute(parameters)?;
    Ok((deleted > 0).then(|| AliasName::unchecked(name)))
}

/// Deletes all aliases of a key, and gives them.
pub(super) fn delete_of(connection: &Connection, region: Region, key: KeyId) -> Result<Vec<Alias>> {
    let gone = list_of(connection, region, key, None, usize::MAX)?;
    let text = "DELETE FROM aliases WHERE target = :target AND region = :region";
    let parameters = named_params! {":target": key.to_string(), ":region": region.as_str()};
    connection.prepare_cached(text)?.execute(parameters)?;
    Ok(gone)
}

fn write(connection: &Connection, text: &str, alias: &Alias) -> Result<usize> {
    Ok(connection.prepare_cached(text)?.execute(named_params! {
        ":account": alias.account.as_str(),
        ":region": alias.region.as_str(),
        ":name": alias.name.as_str(),
        ":target": alias.target.to_string(),
        ":created": alias.created.millis(),
        ":updated": alias.updated.millis(),
    })?)
}

fn query(connection: &Connection, text: &str, parameters: impl Params) -> Result<Vec<Alias>> {
    let mut statement = connection.prepare_cached(text)?;
    let mut found = statement.query(parameters)?;
    let mut aliases = Vec::new();
    while let Some(row) = found.next()? {
        aliases.push(read(row)?);
    }
    Ok(aliases)
}

fn read(row: &Row<'_>) -> Result<Alias> {
    let (account, region, name): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let (target, created, updated): (String, i64, i64) = (row.get(3)?, row.get(4)?, row.get(5)?);
    let broken =
        |column| DatabaseError::Broken { table: "aliases", column, id: format!("{account}/{region}/{name}") };
    Ok(Alias {
        account: account.parse().map_err(|_| broken("account"))?,
        region: region.parse().map_err(|_| broken("region"))?,
        target: target.parse().map_err(|_| broken("target"))?,
        name: AliasName::unchecked(&name),
        created: Timestamp::from_millis(created),
        updated: Timestamp::from_millis(updated),
    })
}
