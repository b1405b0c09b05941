//! The embedded database passes the contract, and what is its own: files, backups, damage, old versions.

mod files;
mod upgrade;

use std::sync::Arc;

use crate::Embedded;
use crate::contract::{Subject, contract};

fn open() -> Subject {
    let dir = tempfile::tempdir().expect("a directory");
    let database = Embedded::open(dir.path()).expect("the database opens");
    Subject { database: Arc::new(database), _home: Box::new(dir) }
}

contract!(open);
