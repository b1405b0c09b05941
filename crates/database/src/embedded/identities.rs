//! Tables `accounts`, `users` and `access_keys`.

use rusqlite::{Connection, Row, named_params};
use trent_domain::identity::{AccessKey, Account, Owner, Status, User};
use trent_domain::time::Timestamp;

use crate::error::DatabaseError;

type Result<T> = std::result::Result<T, DatabaseError>;

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

pub(super) fn users(connection: &Connection) -> Result<Vec<User>> {
    let text = "SELECT account, name, path, unique_id, administrator, active, created FROM users ORDER BY account, name";
    query(connection, text, |row| {
        let (account, name): (String, String) = (row.get(0)?, row.get(1)?);
        let broken = broken("users", &name);
        Ok(User {
            account: account.parse().map_err(|_| broken("account"))?,
            path: row.get(2)?,
            unique_id: row.get(3)?,
            administrator: flag(row.get(4)?).ok_or_else(|| broken("administrator"))?,
            status: status(row.get(5)?).ok_or_else(|| broken("active"))?,
            created: Timestamp::from_millis(row.get(6)?),
            name: name.clone(),
        })
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

pub(super) fn put_user(connection: &Connection, user: &User) -> Result<()> {
    let text = "INSERT INTO users (account, name, path, unique_id, administrator, active, created) \
                VALUES (:account, :name, :path, :unique_id, :administrator, :active, :created) \
                ON CONFLICT (account, name) DO UPDATE SET path = excluded.path, unique_id = excluded.unique_id, \
                administrator = excluded.administrator, active = excluded.active, created = excluded.created";
    connection.prepare_cached(text)?.execute(named_params! {
        ":account": user.account.as_str(),
        ":name": user.name,
        ":path": user.path,
        ":unique_id": user.unique_id,
        ":administrator": i64::from(user.administrator),
        ":active": number(user.status),
        ":created": user.created.millis(),
    })?;
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
