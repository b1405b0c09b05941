//! Table `grants`, and `grant_counts` beside it.

use rusqlite::{Connection, OptionalExtension, Params, Row, named_params};
use trent_domain::grant::{Grant, PrincipalId, Terms};
use trent_domain::identifier::{GrantId, KeyArn, KeyId, Region};
use trent_domain::time::Timestamp;

use super::grant_body;
use super::keys::rows;
use crate::error::DatabaseError;

type Result<T> = std::result::Result<T, DatabaseError>;

pub(super) fn find(
    connection: &Connection,
    region: Region,
    key: KeyId,
    id: GrantId,
) -> Result<Option<Grant>> {
    let text = "SELECT region, key, id, account, created, name, grantee, retiring, body FROM grants \
                WHERE key = :key AND region = :region AND id = :id";
    let parameters =
        named_params! {":key": key.to_string(), ":region": region.as_str(), ":id": id.to_string()};
    Ok(query(connection, text, parameters)?.pop())
}

pub(super) fn list(
    connection: &Connection,
    region: Region,
    key: KeyId,
    grantee: Option<&PrincipalId>,
    after: Option<GrantId>,
    limit: usize,
) -> Result<Vec<Grant>> {
    let (key, region, limit) = (key.to_string(), region.as_str(), rows(limit));
    // No id is less than the empty text.
    let after = after.map(|after| after.to_string()).unwrap_or_default();
    let Some(grantee) = grantee else {
        let text = "SELECT region, key, id, account, created, name, grantee, retiring, body FROM grants \
                    WHERE key = :key AND region = :region AND id > :after ORDER BY id LIMIT :limit";
        let parameters = named_params! {":key": key, ":region": region, ":after": after, ":limit": limit};
        return query(connection, text, parameters);
    };
    let text = "SELECT region, key, id, account, created, name, grantee, retiring, body FROM grants \
                WHERE key = :key AND region = :region AND grantee = :grantee AND id > :after \
                ORDER BY id LIMIT :limit";
    let grantee = grantee.to_string();
    let parameters =
        named_params! {":key": key, ":region": region, ":grantee": grantee, ":after": after, ":limit": limit};
    query(connection, text, parameters)
}

pub(super) fn list_retirable(
    connection: &Connection,
    region: Region,
    retiring: &PrincipalId,
    after: Option<(KeyId, GrantId)>,
    limit: usize,
) -> Result<Vec<Grant>> {
    let text = "SELECT region, key, id, account, created, name, grantee, retiring, body FROM grants \
                WHERE retiring = :retiring AND region = :region AND (key, id) > (:key, :id) \
                ORDER BY key, id LIMIT :limit";
    let (key, id) = after.map(|(key, id)| (key.to_string(), id.to_string())).unwrap_or_default();
    let (retiring, region, limit) = (retiring.to_string(), region.as_str(), rows(limit));
    let parameters =
        named_params! {":retiring": retiring, ":region": region, ":key": key, ":id": id, ":limit": limit};
    query(connection, text, parameters)
}

pub(super) fn find_with(
    connection: &Connection,
    region: Region,
    key: KeyId,
    terms: &Terms,
) -> Result<Option<GrantId>> {
    let text = "SELECT id FROM grants WHERE key = :key AND region = :region AND name = :name \
                AND grantee = :grantee AND retiring IS :retiring AND body = :body ORDER BY row LIMIT 1";
    let mut statement = connection.prepare_cached(text)?;
    let parameters = named_params! {
        ":key": key.to_string(),
        ":region": region.as_str(),
        ":name": terms.name,
        ":grantee": terms.grantee.to_string(),
        ":retiring": terms.retiring.as_ref().map(PrincipalId::to_string),
        ":body": grant_body::write(terms)?,
    };
    let found = statement.query_row(parameters, |row| row.get::<_, String>(0)).optional()?;
    found.map(|id| id.parse().map_err(|_| broken("id", &id))).transpose()
}

pub(super) fn count(connection: &Connection, region: Region, key: KeyId) -> Result<u64> {
    let text = "SELECT grants FROM grant_counts WHERE key = :key AND region = :region";
    let parameters = named_params! {":key": key.to_string(), ":region": region.as_str()};
    let count =
        connection.prepare_cached(text)?.query_row(parameters, |row| row.get::<_, i64>(0)).optional()?;
    let broken = |_| DatabaseError::Broken { table: "grant_counts", column: "grants", id: key.to_string() };
    u64::try_from(count.unwrap_or(0)).map_err(broken)
}

pub(super) fn insert(connection: &Connection, grant: &Grant) -> Result<()> {
    let Grant { id, key, created, terms } = grant;
    let text = "INSERT INTO grants (region, key, id, account, created, name, grantee, retiring, body) \
                VALUES (:region, :key, :id, :account, :created, :name, :grantee, :retiring, :body)";
    connection.prepare_cached(text)?.execute(named_params! {
        ":region": key.region.as_str(),
        ":key": key.id.to_string(),
        ":id": id.to_string(),
        ":account": key.account.as_str(),
        ":created": created.millis(),
        ":name": terms.name,
        ":grantee": terms.grantee.to_string(),
        ":retiring": terms.retiring.as_ref().map(PrincipalId::to_string),
        ":body": grant_body::write(terms)?,
    })?;
    let text = "INSERT INTO grant_counts (key, region, grants) VALUES (:key, :region, 1) \
                ON CONFLICT (key, region) DO UPDATE SET grants = grants + 1";
    let parameters = named_params! {":key": key.id.to_string(), ":region": key.region.as_str()};
    connection.prepare_cached(text)?.execute(parameters)?;
    Ok(())
}

/// Deletes a grant that is there.
pub(super) fn delete(connection: &Connection, region: Region, key: KeyId, id: GrantId) -> Result<()> {
    let text = "DELETE FROM grants WHERE key = :key AND region = :region AND id = :id";
    let (key, region) = (key.to_string(), region.as_str());
    let parameters = named_params! {":key": key, ":region": region, ":id": id.to_string()};
    connection.prepare_cached(text)?.execute(parameters)?;
    let text = "UPDATE grant_counts SET grants = grants - 1 WHERE key = :key AND region = :region";
    connection.prepare_cached(text)?.execute(named_params! {":key": key, ":region": region})?;
    Ok(())
}

/// Deletes all grants of a key.
pub(super) fn delete_of(connection: &Connection, region: Region, key: KeyId) -> Result<()> {
    let parameters = named_params! {":key": key.to_string(), ":region": region.as_str()};
    let text = "DELETE FROM grants WHERE key = :key AND region = :region";
    connection.prepare_cached(text)?.execute(parameters)?;
    let text = "DELETE FROM grant_counts WHERE key = :key AND region = :region";
    connection.prepare_cached(text)?.execute(parameters)?;
    Ok(())
}

fn query(connection: &Connection, text: &str, parameters: impl Params) -> Result<Vec<Grant>> {
    let mut statement = connection.prepare_cached(text)?;
    let mut found = statement.query(parameters)?;
    let mut grants = Vec::new();
    while let Some(row) = found.next()? {
        grants.push(read(row)?);
    }
    Ok(grants)
}

fn read(row: &Row<'_>) -> Result<Grant> {
    let (region, key, id): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let (account, grantee, retiring): (String, String, Option<String>) =
        (row.get(3)?, row.get(6)?, row.get(7)?);
    let (created, name, body): (i64, Option<String>, String) = (row.get(4)?, row.get(5)?, row.get(8)?);
    let broken = |column| broken(column, &id);
    let (issuer, scope) = grant_body::read(&body).ok_or_else(|| broken("body"))?;
    let retiring = retiring.map(|retiring| retiring.parse().map_err(|_| broken("retiring"))).transpose()?;
    Ok(Grant {
        id: id.parse().map_err(|_| broken("id"))?,
        key: KeyArn {
            region: region.parse().map_err(|_| broken("region"))?,
            account: account.parse().map_err(|_| broken("account"))?,
            id: key.parse().map_err(|_| broken("key"))?,
        },
        created: Timestamp::from_millis(created),
        terms: Terms {
            name,
            grantee: grantee.parse().map_err(|_| broken("grantee"))?,
            retiring,
            issuer,
            scope,
        },
    })
}

fn broken(column: &'static str, id: &str) -> DatabaseError {
    DatabaseError::Broken { table: "grants", column, id: id.to_owned() }
}
