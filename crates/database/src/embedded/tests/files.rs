//! Files: who may read them, what a backup is, and what is told of damage.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

use crate::{Database, DatabaseError, Embedded, read, write};

async fn put(database: &Embedded, name: &'static str) {
    write(database, "test", move |records| records.put_setting(name, name.as_bytes()))
        .await
        .unwrap()
        .unwrap();
}

async fn has(dir: &Path, name: &'static str) -> bool {
    let database = Embedded::open(dir).unwrap();
    read(&database, move |records| records.setting(name)).await.unwrap().is_some()
}

fn permissions(dir: &Path) -> Vec<u32> {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().permissions().mode() & 0o777)
        .collect()
}

#[tokio::test]
async fn files_are_their_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let database = Embedded::open(dir.path()).unwrap();
    put(&database, "x").await;
    Embedded::backup(dir.path(), &dir.path().join("copy")).unwrap();
    let modes = permissions(dir.path());
    assert!(modes.len() >= 3 && modes.iter().all(|mode| *mode == 0o600), "{modes:?}");
}

#[tokio::test]
async fn what_is_closed_is_whole_in_its_file_whoever_still_holds_it() {
    let dir = tempfile::tempdir().unwrap();
    let database = Arc::new(Embedded::open(dir.path()).unwrap());
    let held = Arc::clone(&database);
    put(&database, "one").await;
    database.close();
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["trent.db"], "no log is left to whoever opens it next");
    assert!(has(dir.path(), "one").await);
    let refused = read(&*held, |_| Ok(())).await;
    assert!(matches!(refused, Err(DatabaseError::Closed)), "{refused:?}");
    held.close();
}

#[tokio::test]
async fn a_backup_has_what_was_answered_before_it_and_nothing_later() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let copy = other.path().join("copy");
    let database = Embedded::open(dir.path()).unwrap();
    put(&database, "before").await;
    Embedded::backup(dir.path(), &copy).unwrap();
    put(&database, "after").await;
    let refused = Embedded::backup(dir.path(), &copy).unwrap_err();
    assert!(matches!(refused, DatabaseError::Exists(_)), "{refused}");
    let restored = tempfile::tempdir().unwrap();
    Embedded::restore(&copy, restored.path()).unwrap();
    assert!(has(restored.path(), "before").await);
    assert!(!has(restored.path(), "after").await);
    let refused = Embedded::restore(&copy, restored.path()).unwrap_err();
    assert!(matches!(refused, DatabaseError::Exists(_)), "{refused}");
    assert_eq!(fs::read_dir(other.path()).unwrap().count(), 1, "nothing unfinished is left");
}

#[tokio::test]
async fn backups_are_consistent_under_load() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let database = Embedded::open(dir.path()).unwrap();
    let two = |value: u64| {
        move |records: &mut dyn crate::Transaction| {
            records.put_setting("one", &value.to_be_bytes())?;
            records.put_setting("two", &value.to_be_bytes())
        }
    };
    write(&database, "test", two(0)).await.unwrap().unwrap();
    let from = dir.path().to_owned();
    let to = other.path().to_owned();
    let copies = std::thread::spawn(move || {
        (0..10).for_each(|number| Embedded::backup(&from, &to.join(number.to_string())).unwrap());
    });
    let mut value = 0;
    while !copies.is_finished() {
        value += 1;
        write(&database, "test", two(value)).await.unwrap().unwrap();
    }
    copies.join().unwrap();
    for number in 0..10 {
        let restored = tempfile::tempdir().unwrap();
        Embedded::restore(&other.path().join(number.to_string()), restored.path()).unwrap();
        let pair =
            Embedded::look(restored.path(), |records| Ok((records.setting("one")?, records.setting("two")?)))
                .unwrap();
        assert!(pair.0.is_some() && pair.0 == pair.1, "{pair:?}");
    }
}

#[test]
fn what_is_no_backup_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (text, empty, none) = (dir.path().join("text"), dir.path().join("empty"), dir.path().join("none"));
    fs::write(&text, "not a database ".repeat(100)).unwrap();
    fs::write(&empty, "").unwrap();
    for file in [&text, &empty, &none] {
        let target = tempfile::tempdir().unwrap();
        Embedded::restore(file, target.path()).unwrap_err();
        assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0, "{}", file.display());
    }
}

#[tokio::test]
async fn damage_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let database = Embedded::open(dir.path()).unwrap();
    put(&database, "x").await;
    Embedded::check(dir.path()).unwrap();
    drop(database);
    let path = dir.path().join("trent.db");
    let mut content = fs::read(&path).unwrap();
    let middle = content.len() / 2;
    content[middle..].fill(0xff);
    fs::write(&path, content).unwrap();
    Embedded::check(dir.path()).unwrap_err();
}

#[tokio::test]
async fn a_broken_row_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    drop(Embedded::open(dir.path()).unwrap());
    let connection = Connection::open(dir.path().join("trent.db")).unwrap();
    let id = "0199b2c4-7c00-7abc-8def-0123456789ab";
    let region = "eu-central-1".parse().unwrap();
    let bodies = ["{}", "", r#"{"v":2}"#, "[]", r#"{"v":1,"spec":"AES"}"#];
    for body in bodies {
        connection.execute("DELETE FROM keys", []).unwrap();
        connection
            .execute(
                "INSERT INTO keys (region, id, account, version, body) VALUES (?1, ?2, ?3, 1, ?4)",
                ["eu-central-1", id, "111122223333", body],
            )
            .unwrap();
        let error =
            Embedded::look(dir.path(), |records| records.key(region, id.parse().unwrap())).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`keys.body` of `eu-central-1/{id}` is broken: restore a backup")
        );
    }
}

#[test]
fn a_newer_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(Embedded::open(dir.path()).unwrap());
    let path = dir.path().join("trent.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = fs::read(&path).unwrap();
    let Err(error) = Embedded::open(dir.path()) else { panic!("it opened") };
    assert!(matches!(error, DatabaseError::Newer { found: 99, .. }), "{error}");
    assert!(Embedded::backup(dir.path(), &dir.path().join("copy")).is_err());
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn every_commit_is_synced() {
    let dir = tempfile::tempdir().unwrap();
    let connection = crate::embedded::connection::open_to_write(&dir.path().join("trent.db")).unwrap();
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    let mode = connection.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0)).unwrap();
    // 2 is FULL: the log is synced by every commit.
    assert_eq!(
        (mode.as_str(), pragma("synchronous"), pragma("foreign_keys"), pragma("secure_delete")),
        ("wal", 2, 1, 1)
    );
}
