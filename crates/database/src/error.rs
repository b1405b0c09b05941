//! What can go wrong with a database.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

/// Why the database could not do what it was asked. Cloned to all whose commit failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DatabaseError {
    /// Too many requests wait for it; trying again later helps.
    #[error("too many requests wait for the database")]
    Busy,
    /// A row breaks a rule of its table.
    #[error("`{table}.{column}` of `{id}` is broken: restore a backup")]
    Broken {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// What names the row.
        id: String,
    },
    /// The row was changed since it was read, or is gone.
    #[error("`{id}` of table `{table}` was changed by somebody else")]
    Conflict {
        /// The table.
        table: &'static str,
        /// What names the row.
        id: String,
    },
    /// The engine failed.
    #[error("the database engine failed")]
    Engine(#[source] Arc<dyn Error + Send + Sync>),
    /// The engine undid a whole group of writes by itself.
    #[error("the database engine rolled back: is the disk full?")]
    RolledBack,
    /// The body of a write panicked; nothing of it was kept.
    #[error("`{0}` panicked")]
    Panicked(&'static str),
    /// The database has been closed, or its thread has ended.
    #[error("the database is closed")]
    Closed,
    /// A file could not be read or written.
    #[error("{path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What happened.
        #[source]
        cause: Arc<std::io::Error>,
    },
    /// The file is something else.
    #[error("{0} is not a database of trent")]
    Foreign(PathBuf),
    /// The file is damaged.
    #[error("{path} is damaged: {problem}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the engine's own check says.
        problem: String,
    },
    /// A newer trent wrote this database.
    #[error(
        "the database has schema version {found}, this trent knows {known}: use the newer trent that wrote it"
    )]
    Newer {
        /// The version found.
        found: i64,
        /// The newest version known here.
        known: u32,
    },
    /// There is a database already where one was to be made.
    #[error("{0} is there already, and nothing is written over")]
    Exists(PathBuf),
}

impl DatabaseError {
    /// A failure of the engine.
    pub(crate) fn engine(cause: impl Error + Send + Sync + 'static) -> Self {
        Self::Engine(Arc::new(cause))
    }

    /// A failure with a file.
    pub(crate) fn file(path: impl Into<PathBuf>, cause: std::io::Error) -> Self {
        Self::File { path: path.into(), cause: Arc::new(cause) }
    }
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        Self::engine(error)
    }
}
