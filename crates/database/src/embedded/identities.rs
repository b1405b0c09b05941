//! Tables `accounts`, `identities` and `access_keys`.

use rusqlite::{Connection, Row, named_params};
use serde::{Deserialize, Serialize};
use trent_domain::identity::{AccessKey, Account, Owner, Record, RecordName, Status};
use trent_domain::time::Timestamp;

use crate::error::DatabaseError;

type Result<T> = std::result::Result<T, DatabaseError>;

/// The version of bodies that is written. The book's page "Formats" describes it.
const VERSION: u32 = 1;

/// The body of a row of `identities`, as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    v: u32,
    record: Record,
}

/// The same, as it is written.
#[derive(Serialize)]
struct BodyOf<'a> {
    v: u32,
    record: &'a Record,
}

pub(super) fn accounts(connection: &Connection) -> Result<Vec<Account>> {
    query(connection, "SELECT id, name, active FROM accounts ORDER BY id", |row| {
        let id: String = row.get(0)?;
        let broken = broken("accounts", &id);
        Ok(Account {
            id: id.parse().map_err(|_| broken("id"))?,
            name: row.get(1)?,
            status: status(row.get(2)?).ok_or_else(|| broken("active"))?,
        })
    })
}

pub(super) fn identities(connection: &Connection) -> Result<Vec<Record>> {
    let text = "SELECT account, kind, name, body FROM identities ORDER BY account, kind, name";
    query(connection, text, |row| {
        let named: [String; 3] = [row.get(0)?, row.get(1)?, row.get(2)?];
        let [account, kind, name] = &named;
        let broken = broken("identities", name);
        let body: String = row.get(3)?;
        let Body { v, record } = serde_json::from_str(&body).map_err(|_| broken("body"))?;
        let RecordName { account: of, kind: is, name: called } = record.record_name();
        let fits = v == VERSION && of.as_str() == account && is.as_str() == kind && called == *name;
        if fits { Ok(record) } else { Err(broken("body")) }
    })
}

pub(super) fn access_keys(connection: &Connection) -> Result<Vec<AccessKey>> {
    let text = "SELECT id, account, user, active, created, sealed_secret FROM access_keys ORDER BY id";
    query(connection, text, |row| {
        let (id, account): (String, String) = (row.get(0)?, row.get(1)?);
        let broken = broken("access_keys", &id);
        Ok(AccessKey {
            account: account.parse().map_err(|_| broken("account"))?,
            owner: row.get::<_, Option<String>>(2)?.map_or(Owner::Root, Owner::User),
            status: status(row.get(3)?).ok_or_else(|| broken("active"))?,
            created: Timestamp::from_millis(row.get(4)?),
            sealed_secret: row.get(5)?,
            id: id.clone(),
        })
    })
}

pub(super) fn put_account(connection: &Connection, account: &Account) -> Result<()> {
    let text = "INSERT INTO accounts (id, name, active) VALUES (:id, :name, :active) \
                ON CONFLICT (id) DO UPDATE SET name = excluded.name, active = excluded.active";
    let active = number(account.status);
    let parameters = named_params! {":id": account.id.as_str(), ":name": account.name, ":active": active};
    connection.prepare_cached(text)?.execute(parameters)?;
    Ok(())
}

pub(super) fn put_identity(connection: &Connection, record: &Record) -> Result<()> {
    let text = "INSERT INTO identities (account, kind, name, body) VALUES (:account, :kind, :name, :body) \
                ON CONFLICT (account, kind, name) DO UPDATE SET body = excluded.body";
    let RecordName { account, kind, name } = record.record_name();
    let broken = broken("identities", &name);
    let body = serde_json::to_string(&BodyOf { v: VERSION, record }).map_err(|_| broken("body"))?;
    connection.prepare_cached(text)?.execute(named_params! {
        ":account": account.as_str(),
        ":kind": kind.as_str(),
        ":name": name,
        ":body": body,
    })?;
    Ok(())
}

pub(super) fn delete_identity(connection: &Connection, record: &RecordName) -> Result<()> {
    let text = "DELETE FROM identities WHERE account = :account AND kind = :kind AND name = :name";
    let RecordName { account, kind, name } = record;
    let parameters = named_params! {":account": account.as_str(), ":kind": kind.as_str(), ":name": name};
    connection.prepare_cached(text)?.execute(parameters)?;
    Ok(())
}

pub(super) fn delete_access_key(connection: &Connection, id: &str) -> Result<()> {
    let text = "DELETE FROM access_keys WHERE id = :id";
    connection.prepare_cached(text)?.execute(named_params! {":id": id})?;
    Ok(())
}

pub(super) fn put_access_key(connection: &Connection, key: &AccessKey) -> Result<()> {
    let text = "INSERT INTO access_keys (id, account, user, active, created, sealed_secret) \
                VALUES (:id, :account, :user, :active, :created, :sealed_secret) \
                ON CONFLICT (id) DO UPDATE SET account = excluded.account, user = excluded.user, \
                active = excluded.active, created = excluded.created, sealed_secret = excluded.sealed_secret";
    let user = match &key.owner {
        Owner::Root => None,
        Owner::User(name) => Some(name),
    };
    connection.prepare_cached(text)?.execute(named_params! {
        ":id": key.id,
        ":account": key.account.as_str(),
        ":user": user,
        ":active": number(key.status),
        ":created": key.created.millis(),
        ":sealed_secret": key.sealed_secret,
    })?;
    Ok(())
}

fn query<T>(connection: &Connection, text: &str, read: impl Fn(&Row<'_>) -> Result<T>) -> Result<Vec<T>> {
    let mut statement = connection.prepare_cached(text)?;
    let mut found = statement.query([])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        rows.push(read(row)?);
    }
    Ok(rows)
}

fn broken(table: &'static str, id: &str) -> impl Fn(&'static str) -> DatabaseError {
    move |column| DatabaseError::Broken { table, column, id: id.to_owned() }
}

fn flag(value: i64) -> Option<bool> {
    match value {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

fn status(value: i64) -> Option<Status> {
    flag(value).map(|active| if active { Status::Active } else { Status::Inactive })
}

fn number(status: Status) -> i64 {
    i64::from(status == Status::Active)
}
